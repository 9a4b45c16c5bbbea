from cerply.routing import route
from gamification import at_risk_views, badge_views, views

urlpatterns = [
    route("attempts", views.AttemptsView, "attempts"),
    route("shares", views.SharesView, "shares"),
    route("learners/<id:learner_id>/completions", views.CompletionsView, "learner-completions"),
    route("learners/<id:learner_id>/level/<id:track_id>", views.LevelView, "learner-level"),
    route("learners/<id:learner_id>/levels", views.LevelsView, "learner-levels"),
    route("learners/<id:learner_id>/badges", views.BadgesView, "learner-badges"),
    route("learners/<id:learner_id>/badges/<segment:slug>", views.BadgeView, "learner-badge"),
    route(
        "learners/<id:learner_id>/badges/<segment:slug>/credential", badge_views.BadgeCredentialView, "badge-credential"
    ),
    route("learners/<id:learner_id>/badges/<segment:slug>/image.png", badge_views.BakedPngView, "badge-png"),
    route("learners/<id:learner_id>/badges/<segment:slug>/image.svg", badge_views.BakedSvgView, "badge-svg"),
    route("at-risk", at_risk_views.AtRiskView, "at-risk"),
    route("organization/at-risk-policy", at_risk_views.AtRiskPolicyView, "at-risk-policy"),
]

# What credentials name, for verifiers.
published = [
    route("badges/<segment:slug>/<int:version>", badge_views.BadgeAchievementView, "badge-achievement"),
    route("badges/<segment:slug>/<int:version>/image.png", badge_views.BadgePictureView, "badge-picture"),
]
