from cerply.routing import route
from gamification import views

urlpatterns = [
    route("attempts", views.AttemptsView, "attempts"),
    route("shares", views.SharesView, "shares"),
    route("learners/<id:learner_id>/completions", views.CompletionsView, "learner-completions"),
    route("learners/<id:learner_id>/level/<id:track_id>", views.LevelView, "learner-level"),
    route("learners/<id:learner_id>/levels", views.LevelsView, "learner-levels"),
    route("learners/<id:learner_id>/badges", views.BadgesView, "learner-badges"),
    route("learners/<id:learner_id>/badges/<segment:slug>", views.BadgeView, "learner-badge"),
]
