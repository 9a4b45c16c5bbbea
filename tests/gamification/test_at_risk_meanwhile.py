"""Who is told of learners at risk while features go off and on, organizations close, and managers come and go."""

from typing import Any

import pytest

from cerply.accounts.models import User
from cerply.accounts.organizations import close_organization, delete_organization, reopen_organization
from cerply.permissions import Role
from gamification import at_risk
from gamification.models import AtRiskEpisode, AtRiskWatch, LearnerLevel
from notifications.models import ManagerNotification
from ops.features import Feature, set_toggle
from tests.factories import ACTOR, Cast, make_organization, make_team, make_user
from tests.gamification.at_risk import give, look, present, reasons, told


def switch(cast: Cast, feature: Feature, *, on: bool) -> None:
    set_toggle(feature, cast.organization.id, on, actor=ACTOR, reason="x")


def test_without_notifications_it_is_listed_and_never_told(cast: Cast) -> None:
    switch(cast, Feature.MANAGER_NOTIFICATIONS, on=False)
    give(cast.learner, cast.track, wrong=10)
    look(1)
    assert (reasons(), told()) == (["comprehension"], [])
    switch(cast, Feature.MANAGER_NOTIFICATIONS, on=True)
    look(2)
    look(3)
    assert (reasons(), told()) == (["comprehension"], [])
    # What comes about from now on is news.
    look(7)
    assert told() == ["silence"]
    give(cast.learner, cast.track, right=20, on=7)
    look(8)
    give(cast.learner, cast.track, wrong=20, on=8)
    look(9)
    assert told() == ["silence", "comprehension"]


def test_without_gamification_nobody_looks_and_what_was_is_no_news_afterwards(cast: Cast) -> None:
    give(cast.colleague, cast.track, right=1)
    look(7)
    make_team(cast.organization, [cast.colleague], [cast.manager])
    switch(cast, Feature.GAMIFICATION, on=False)
    give(cast.learner, cast.track, wrong=10, on=7)
    give(cast.colleague, cast.track, right=1, on=7)
    assert look(8) == "Found 0 at risk and 0 recovered; told the managers of 0."
    switch(cast, Feature.GAMIFICATION, on=True)
    # Hers is from before, its row is there to be shown; and the colleague has recovered.
    assert look(9) == "Found 1 at risk and 1 recovered; told the managers of 0."
    assert present() == {(cast.learner, cast.track, "comprehension")}
    look(14)
    assert told() == ["silence", "silence"]


def test_what_is_owed_when_notifications_go_off_is_not_told_when_they_are_on_again(cast: Cast) -> None:
    give(cast.colleague, cast.track, right=1)
    look(7)
    assert AtRiskEpisode.objects.get().owed
    switch(cast, Feature.MANAGER_NOTIFICATIONS, on=False)
    look(8)
    assert not AtRiskEpisode.objects.get().owed
    make_team(cast.organization, [cast.colleague], [cast.manager])
    switch(cast, Feature.MANAGER_NOTIFICATIONS, on=True)
    look(9)
    assert (reasons(), told()) == (["silence"], [])


def test_switched_off_between_looking_and_telling_nothing_is_told(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    give(cast.learner, cast.track, right=1)

    def switched_off(*args: Any) -> int:
        switch(cast, Feature.MANAGER_NOTIFICATIONS, on=False)
        return tell(*args)

    tell = at_risk._tell
    monkeypatch.setattr(at_risk, "_tell", switched_off)
    look(7)
    assert told() == []
    assert not AtRiskEpisode.objects.get().owed


def test_a_closed_organization_is_left_as_it_is(cast: Cast) -> None:
    give(cast.learner, cast.track, right=1)
    give(cast.colleague, cast.track, right=1, on=5)
    look(7)
    close_organization(cast.organization, actor=ACTOR, reason="x")
    assert look(20) == "Found 0 at risk and 0 recovered; told the managers of 0."
    assert present() == set()
    assert AtRiskEpisode.objects.open().count() == 1
    make_team(cast.organization, [cast.colleague], [cast.manager])
    reopen_organization(cast.organization, actor=ACTOR, reason="x")
    look(30)
    assert {learner for learner, _, _ in present()} == {cast.learner, cast.colleague}
    assert told() == ["silence"]


def test_an_organization_that_comes_with_the_upgrade_is_not_told_of_what_was(cast: Cast) -> None:
    # As the migration leaves it.
    AtRiskWatch.objects.create(organization=cast.organization, looks=False, tells=False)
    give(cast.learner, cast.track, wrong=10)
    LearnerLevel.objects.update(latest_credits=[], last_answer_at=None, remembered=0)
    look(1)
    assert (reasons(), told()) == (["comprehension"], [])
    look(7)
    assert told() == ["silence"]


def test_being_watched_keeps_no_organization(cast: Cast) -> None:
    organization = make_organization("Gone Ltd")
    look()
    assert AtRiskWatch.objects.filter(organization=organization).exists()
    delete_organization(organization, actor=ACTOR)
    look(1)
    assert AtRiskWatch.objects.count() == 2


# -- managers --


def test_without_a_manager_it_waits_for_the_first_one(cast: Cast) -> None:
    give(cast.colleague, cast.track, right=1)
    assert look(7) == "Found 1 at risk and 0 recovered; told the managers of 0."
    team = make_team(cast.organization, [cast.colleague], [make_user(cast.organization, Role.MANAGER, is_active=False)])
    look(8)
    assert told() == []
    first = make_user(cast.organization, Role.MANAGER)
    team.memberships.create(user=first, role="manager")
    assert look(9) == "Found 0 at risk and 0 recovered; told the managers of 1."
    assert told(first) == ["silence"]
    assert ManagerNotification.objects.get().content["days"] == 9
    # Who comes after that finds it in the list.
    second = make_user(cast.organization, Role.MANAGER)
    team.memberships.create(user=second, role="manager")
    look(10)
    assert told() == ["silence"]


def test_who_recovers_before_there_is_a_manager_is_told_of_to_nobody(cast: Cast) -> None:
    give(cast.colleague, cast.track, right=1)
    look(7)
    give(cast.colleague, cast.track, right=1, on=7)
    make_team(cast.organization, [cast.colleague], [cast.manager])
    look(8)
    assert told() == []
    assert not AtRiskEpisode.objects.filter(owed=True).exists()


def test_each_of_her_managers_is_told_and_nobody_of_herself(cast: Cast) -> None:
    other: User = make_user(cast.organization, Role.MANAGER)
    make_team(cast.organization, [cast.learner, cast.manager], [cast.manager, other])
    give(cast.learner, cast.track, right=1)
    give(cast.manager, cast.track, right=1)
    look(7)
    assert told(cast.manager) == ["silence"]
    assert told(other) == ["silence", "silence"]


def test_a_notification_that_was_deleted_does_not_come_back(cast: Cast) -> None:
    give(cast.learner, cast.track, right=1)
    look(7)
    ManagerNotification.objects.all().delete()
    look(8)
    assert told() == []
