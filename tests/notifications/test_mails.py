"""E-mail that goes out at once: what is in it, to whom, and what becomes of each notification."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives

from cerply import clock
from cerply.accounts.models import User
from cerply.accounts.organizations import close_organization
from cerply.permissions import Role
from notifications import collecting, delivery
from notifications.models import Delivery, ManagerNotification, OutgoingMail, Withheld
from notifications.preferring import unsubscribe
from notifications.suppressing import suppress
from ops.features import Feature, set_toggle
from tests.factories import ACTOR, Cast, give_answers, make_team, make_user
from tests.notifications.events import happen, outcome, prefer, subscription_of

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def run(minutes: float) -> str:
    """The job, so long after noon."""
    with clock.moved_to(NOON + timedelta(minutes=minutes)):
        return delivery.mail_owed()


def sent() -> list[EmailMultiAlternatives]:
    return [message for message in mail.outbox if isinstance(message, EmailMultiAlternatives)]


def html_of(message: EmailMultiAlternatives) -> str:
    [(content, _)] = message.alternatives
    return str(content)


def test_an_answer_that_levels_her_up_reaches_the_manager_s_mailbox(cast: Cast) -> None:
    with clock.moved_to(NOON):
        give_answers(cast.learner, cast.track, 21)
    assert run(5) == "Put 1 e-mails into the outbox; 1 sent, 0 not sent on purpose, 0 put off, 0 given up."
    [message] = sent()
    assert message.to == [cast.manager.email]
    subject = "Maya Lindqvist reached the level Learner in Fire Safety Fundamentals, and 2 more"
    assert message.subject == subject
    assert message.body.startswith(f"{subject}.\n\nHello Tomás Ferreira,\n")
    assert "Maya Lindqvist reached the level Learner in Fire Safety Fundamentals" in message.body
    assert "Maya Lindqvist earned the badge “First Steps”" in message.body
    assert set(Delivery.objects.values_list("state", flat=True)) == {"sent"}


def test_a_mail_about_one_thing_says_it_in_its_subject_and_leads_to_it(cast: Cast) -> None:
    row = happen(cast.learner, "level_up", NOON)
    run(5)
    [message] = sent()
    assert message.subject == "Maya Lindqvist reached the level Learner in Fire Safety"
    assert message.body.startswith(f"{message.subject}.\n\nHello Tomás Ferreira,\n")
    assert f"http://127.0.0.1:8080/inbox/{row.id}\n" in message.body
    assert f'href="http://127.0.0.1:8080/inbox/{row.id}"' in html_of(message)
    assert message.extra_headers["Message-ID"] == f"<{row.id}@127.0.0.1>"
    assert message.extra_headers["Auto-Submitted"] == "auto-generated"


def test_what_happens_within_two_minutes_goes_out_as_one(cast: Cast) -> None:
    first = happen(cast.learner, "level_up", NOON)
    run(1)
    happen(cast.learner, "badge", NOON + timedelta(minutes=1.5))
    run(1.9)
    assert sent() == []
    run(2)
    [message] = sent()
    assert message.extra_headers["Message-ID"] == f"<{first.id}@127.0.0.1>"
    assert message.subject == "Maya Lindqvist reached the level Learner in Fire Safety, and 1 more"
    run(10)
    assert len(sent()) == 1


def test_mails_about_one_learner_are_one_thread(cast: Cast) -> None:
    happen(cast.learner, "level_up", NOON)
    run(3)
    happen(cast.learner, "badge", NOON + timedelta(hours=1))
    run(65)
    make_team(cast.organization, [cast.colleague], [cast.manager])
    happen(cast.colleague, "badge", NOON + timedelta(hours=2))
    run(125)
    first, second, other = (message.extra_headers["References"] for message in sent())
    assert first == second != other
    assert len({message.extra_headers["Message-ID"] for message in sent()}) == 3


def test_a_mail_about_several_learners_is_in_no_thread(cast: Cast) -> None:
    make_team(cast.organization, [cast.colleague], [cast.manager])
    happen(cast.learner, "badge", NOON)
    happen(cast.colleague, "badge", NOON)
    run(5)
    [message] = sent()
    assert "References" not in message.extra_headers
    assert message.subject == "2 team members earned badges"


def test_each_manager_gets_her_own(cast: Cast) -> None:
    other = make_user(cast.organization, Role.MANAGER, name="Second Manager")
    make_team(cast.organization, [cast.learner], [other])
    happen(cast.learner, "badge", NOON)
    run(5)
    assert sorted(message.to[0] for message in sent()) == sorted([cast.manager.email, other.email])
    assert all(len(message.to) == 1 and not message.cc and not message.bcc for message in sent())


# -- what is said --


def test_names_are_escaped_and_cannot_add_a_header(cast: Cast) -> None:
    User.objects.filter(id=cast.learner.id).update(name='<img src=x> & "Co"\r\nBcc: everybody@example.com')
    happen(cast.learner, "level_up", NOON, trackTitle="Fire\nX-Evil: 1 <b>")
    run(5)
    [message] = sent()
    assert (
        message.subject
        == '<img src=x> & "Co" Bcc: everybody@example.com reached the level Learner in Fire X-Evil: 1 <b>'
    )
    raw = message.message()
    assert (raw["Bcc"], raw["X-Evil"]) == (None, None)
    html = html_of(message)
    assert "<img" not in html
    assert "<b>" not in html
    assert "&lt;img src=x&gt; &amp;" in html


def test_a_name_without_an_end_leaves_a_subject_that_has_one(cast: Cast) -> None:
    User.objects.filter(id=cast.learner.id).update(name="Maya " * 51)
    happen(cast.learner, "level_up", NOON)
    run(5)
    [message] = sent()
    assert len(message.subject) <= 150
    assert message.subject.endswith("…")


def test_the_same_of_the_same_learner_is_said_once(cast: Cast) -> None:
    rows = [happen(cast.learner, "level_up", NOON + timedelta(seconds=second)) for second in range(3)]
    run(5)
    [message] = sent()
    assert message.subject == "Maya Lindqvist reached the level Learner in Fire Safety"
    assert [outcome(row) for row in rows] == [("withheld", "duplicate"), ("withheld", "duplicate"), ("sent", "")]


def test_of_each_type_a_handful_is_named_and_the_rest_counted(cast: Cast) -> None:
    learners = [make_user(cast.organization, name=f"Learner {number}") for number in range(8)]
    make_team(cast.organization, learners, [cast.manager])
    for number, learner in enumerate(learners):
        happen(learner, "certificate", NOON + timedelta(seconds=number))
    run(5)
    [message] = sent()
    assert message.subject == "8 team members earned certificates"
    assert message.body.count("earned a certificate: First Aid") == 5
    assert "and 3 more" in message.body
    assert "Learner 7" in message.body
    assert "Learner 0" not in message.body


@pytest.mark.parametrize("locale", ["en", "de-AT", "fr", "es_MX", "ar", "ja", "tlh"])
def test_it_speaks_her_language(cast: Cast, locale: str) -> None:
    words = {"de-AT": "aufgestiegen", "fr": "niveau", "es_MX": "subieron de nivel", "ar": "ارتقى", "ja": "レベルアップ"}
    User.objects.filter(id=cast.manager.id).update(locale=locale)
    make_team(cast.organization, [cast.colleague], [cast.manager])
    for type_ in ("level_up", "badge", "certificate", "at_risk", "expiring"):
        for learner in (cast.learner, cast.colleague):
            happen(learner, type_, NOON)
    run(5)
    [message] = sent()
    assert words.get(locale, "leveled up") in message.subject
    assert f'dir="{"rtl" if locale == "ar" else "ltr"}"' in html_of(message)


def test_it_looks_the_same_without_a_style_sheet_and_fetches_nothing(cast: Cast) -> None:
    happen(cast.learner, "level_up", NOON)
    run(5)
    html = html_of(sent()[0])
    assert '<p style="margin: 0 0 12px;' in html
    assert "prefers-color-scheme: dark" in html
    assert "<img" not in html
    assert "<link" not in html
    assert "url(" not in html


# -- why not --


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("off", "preference"),
        ("type", "preference"),
        ("unsubscribed", "unsubscribed"),
        ("inactive", "recipient_gone"),
        ("demoted", "recipient_gone"),
        ("closed", "recipient_gone"),
        ("switched off", "feature_off"),
        ("bounced", "bounce"),
        ("complained", "complaint"),
    ],
)
@pytest.mark.parametrize("collected", [False, True], ids=["before collecting", "before sending"])
def test_what_may_not_be_sent_says_why(cast: Cast, what: str, reason: str, collected: bool) -> None:
    row = happen(cast.learner, "badge", NOON)
    if collected:
        with clock.moved_to(NOON + timedelta(minutes=3)):
            assert collecting.collect() == 1
    with clock.moved_to(NOON + timedelta(minutes=4)):
        forbid(cast, what)
    run(5)
    assert (sent(), outcome(row)) == ([], ("withheld", reason))
    assert OutgoingMail.objects.filter(state="dropped").count() == int(collected)
    run(60)
    assert (sent(), outcome(row)) == ([], ("withheld", reason))


def forbid(cast: Cast, what: str) -> None:
    manager = User.objects.filter(id=cast.manager.id)
    match what:
        case "off":
            prefer(cast.manager, "off")
        case "type":
            prefer(cast.manager, "immediate", types=["level_up"])
        case "unsubscribed":
            unsubscribe(subscription_of(cast.manager), actor=ACTOR)
        case "inactive":
            manager.update(is_active=False)
        case "demoted":
            manager.update(role="learner")
        case "closed":
            close_organization(cast.organization, actor=ACTOR, reason="x")
        case "switched off":
            set_toggle(Feature.MANAGER_NOTIFICATIONS, cast.organization.id, False, actor=ACTOR, reason="x")
        case "bounced":
            suppress(cast.manager.email.upper(), Withheld.BOUNCE, actor=ACTOR)
        case "complained":
            suppress(cast.manager.email, Withheld.COMPLAINT, actor=ACTOR)


def test_of_two_types_the_one_that_is_wanted_goes_out(cast: Cast) -> None:
    badge, level = happen(cast.learner, "badge", NOON), happen(cast.learner, "level_up", NOON)
    with clock.moved_to(NOON + timedelta(minutes=3)):
        collecting.collect()
    prefer(cast.manager, "immediate", types=["level_up"])
    run(5)
    assert [message.subject for message in sent()] == ["Maya Lindqvist reached the level Learner in Fire Safety"]
    assert (outcome(badge), outcome(level)) == (("withheld", "preference"), ("sent", ""))


def test_who_wishes_a_digest_before_it_is_sent_gets_it_in_the_digest(cast: Cast) -> None:
    row = happen(cast.learner, "badge", NOON)
    with clock.moved_to(NOON + timedelta(minutes=3)):
        collecting.collect()
    prefer(cast.manager, "daily")
    run(5)
    run(6)
    assert (sent(), outcome(row)) == ([], ("waiting", ""))
    run(20 * 60)
    assert [message.subject for message in sent()] == ["Maya Lindqvist earned the badge “First Steps”"]
    assert outcome(row) == ("sent", "")


def test_nothing_is_owed_of_what_is_not_announced(cast: Cast) -> None:
    set_toggle(Feature.MANAGER_NOTIFICATIONS, cast.organization.id, False, actor=ACTOR, reason="x")
    give_answers(cast.learner, cast.track, 21)
    assert not ManagerNotification.objects.exists()
    assert not Delivery.objects.exists()


@pytest.mark.parametrize(("locale", "name"), [("en", "ليلى حدّاد"), ("de", "יעל כהן"), ("ar", "Maya Lindqvist")])
def test_a_name_that_runs_the_other_way_turns_nothing_around_it(cast: Cast, locale: str, name: str) -> None:
    User.objects.filter(id=cast.manager.id).update(locale=locale)
    User.objects.filter(id=cast.learner.id).update(name=name)
    happen(cast.learner, "certificate", NOON)
    run(5)
    assert f"\u2068{name}\u2069" in sent()[0].subject
