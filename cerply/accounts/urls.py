"""People, teams and sign-in, below ``/api``."""

from cerply.accounts.views import learners, sessions, teams, tokens
from cerply.routing import route

urlpatterns = [
    route("auth/login", sessions.LoginView, "login"),
    route("auth/logout", sessions.LogoutView, "logout"),
    route("auth/me", sessions.MeView, "me"),
    route("auth/password-link", sessions.PasswordLinkView, "password-link"),
    route("auth/tokens", tokens.TokensView, "tokens"),
    route("auth/tokens/<id:token_id>", tokens.TokenView, "token"),
    route("learners", learners.LearnersView, "learners"),
    route("learners/<id:learner_id>", learners.OneLearnerView, "learner"),
    route("teams", teams.TeamsView, "teams"),
    route("teams/<id:team_id>", teams.TeamView, "team"),
    route("teams/<id:team_id>/members/<id:learner_id>", teams.TeamMemberView, "team-member"),
]
