"""What staff do to certificates in the admin: to one, and to many whose number they must type."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from audit.models import AuditEvent
from cerply.accounts.models import Team
from cerply.selection import MOST_SHOWN
from certificates.models import Certificate, RevocationCode
from certificates.revoking import revoke
from gamification.bulk_issuing import resume
from gamification.models import BulkIssue, Completion
from tests.factories import ACTOR, Cast, complete, make_staff, make_team, make_user

LIST = reverse("admin:certificates_certificate_changelist")


@pytest.fixture
def console(db: None) -> Client:
    client = Client()
    client.force_login(make_staff(email="staff@cerply.example", password="a long staff password"))
    return client


@pytest.fixture
def certificates(cast: Cast) -> list[Certificate]:
    people = [make_user(cast.organization, name=f"Person {letter}") for letter in "ABCD"]
    return [complete(person, cast.track).certificates[0] for person in people]


def page(certificate: Certificate, what: str) -> str:
    return reverse("admin:certificates_certificate_change", args=[certificate.pk]).removesuffix("change/") + f"{what}/"


def hidden(content: str) -> dict[str, Any]:
    """What the page sends along."""
    found: dict[str, list[str]] = {}
    for tag in re.findall(r'<input type="hidden"[^>]*>', content):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and value and name[1] != "csrfmiddlewaretoken":
            found.setdefault(name[1], []).append(value[1])
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


def select(console: Client, action: str, *certificates: Certificate, **more: Any) -> str:
    form = {"action": action, "_selected_action": [str(each.id) for each in certificates], **more}
    return console.post(LIST, form).content.decode()


def status_of(*certificates: Certificate) -> list[str]:
    rows = Certificate.objects.in_bulk([each.id for each in certificates])
    return [rows[each.id].status_at(each.issued_at.replace(year=9000)).value for each in certificates]


# -- one --


def test_one_is_suspended_reinstated_replaced_and_revoked(
    console: Client, cast: Cast, certificates: list[Certificate]
) -> None:
    certificate = certificates[0]
    assert "Person A" in console.get(page(certificate, "suspend")).content.decode()
    assert console.post(page(certificate, "suspend"), {"reason": ""}).status_code == 200
    assert console.post(page(certificate, "suspend"), {"reason": "An inquiry."}).status_code == 302
    assert status_of(certificate) == ["suspended"]
    refused = console.post(page(certificate, "replace"), {"reason": "x", "learner_name": "Person Å"})
    assert "Reinstate it first" in refused.content.decode()
    assert console.post(page(certificate, "reinstate"), {"reason": "Nothing."}).status_code == 302
    assert 'value="Person A"' in console.get(page(certificate, "replace")).content.decode()
    assert console.post(page(certificate, "replace"), {"reason": "x", "learner_name": "Person Å"}).status_code == 302
    new = Certificate.objects.get(replaces=certificate)
    assert console.get(reverse("admin:certificates_certificate_change", args=[new.pk])).status_code == 200
    assert console.post(page(new, "revoke"), {"reason": "x", "code": "misconduct"}).status_code == 302
    assert status_of(certificate, new) == ["replaced", "revoked"]
    assert Certificate.objects.get(id=new.id).code == RevocationCode.MISCONDUCT
    labels = AuditEvent.objects.filter(subject_id__in=[certificate.id, new.id]).values_list("type", "actor_label")
    assert {type_ for type_, label in labels if label == "staff"} == {
        "certificate_suspended",
        "certificate_reinstated",
        "certificate_replaced",
        "certificate_issued",
        "certificate_revoked",
    }


# -- many --


@pytest.mark.parametrize(("action", "becomes"), [("revoke_selected", "revoked"), ("suspend_selected", "suspended")])
def test_the_number_must_be_typed(console: Client, certificates: list[Certificate], action: str, becomes: str) -> None:
    first, second, third, untouched = certificates
    shown = select(console, action, first, second, third)
    assert "3 certificates of 3 learners" in shown
    assert all(f"Person {letter}" in shown for letter in "ABC")
    assert "Person D" not in shown
    form = hidden(shown) | {"reason": "The course was flawed."}
    for wrong in ("", "2", "4", "three"):
        answer = console.post(LIST, form | {"number": wrong})
        assert answer.status_code == 200
        assert status_of(*certificates) == ["valid"] * 4
    assert console.post(LIST, form | {"number": "3"}).status_code == 302
    assert status_of(*certificates) == [becomes] * 3 + ["valid"]
    assert AuditEvent.objects.filter(type=f"certificate_{becomes}", actor_label="staff").count() == 3


def test_many_are_reinstated(console: Client, certificates: list[Certificate]) -> None:
    form = hidden(select(console, "suspend_selected", *certificates)) | {"reason": "x", "number": "4"}
    assert console.post(LIST, form).status_code == 302
    form = hidden(select(console, "reinstate_selected", *certificates[:2])) | {"reason": "x", "number": "2"}
    assert console.post(LIST, form).status_code == 302
    assert status_of(*certificates) == ["valid", "valid", "suspended", "suspended"]


def test_what_there_is_nothing_to_do_for_is_left_out(console: Client, certificates: list[Certificate]) -> None:
    revoke(certificates[0].id, "x", actor=ACTOR)
    shown = select(console, "revoke_selected", *certificates)
    assert "3 certificates of 3 learners" in shown
    assert "1 of the selected ones are left out" in shown
    form = hidden(shown) | {"reason": "Another.", "code": "superseded", "number": "3"}
    assert console.post(LIST, form).status_code == 302
    codes = Certificate.objects.values_list("revocation_code", flat=True)
    assert sorted(codes) == ["other", "superseded", "superseded", "superseded"]
    again = console.post(
        LIST, {"action": "revoke_selected", "_selected_action": [str(certificates[0].id)]}, follow=True
    )
    assert "For none of these there is anything to do." in again.content.decode()


def test_another_selection_than_was_shown_is_asked_about_again(
    console: Client, certificates: list[Certificate]
) -> None:
    form = hidden(select(console, "revoke_selected", *certificates)) | {"reason": "x", "number": "3"}
    revoke(certificates[0].id, "x", actor=ACTOR)
    answer = console.post(LIST, form)
    assert "has changed meanwhile" in answer.content.decode()
    assert status_of(*certificates[1:]) == ["valid"] * 3
    form = hidden(answer.content.decode()) | {"reason": "x", "number": "3"}
    assert console.post(LIST, form).status_code == 302
    assert status_of(*certificates) == ["revoked"] * 4


def test_everything_that_the_list_finds(console: Client, cast: Cast, certificates: list[Certificate]) -> None:
    for _ in range(MOST_SHOWN):
        complete(make_user(cast.organization), cast.track)
    complete(cast.outsider, cast.outside_track)
    path = f"{LIST}?organization__id__exact={cast.organization.id}"
    form = {"action": "suspend_selected", "_selected_action": [str(certificates[0].id)], "select_across": "1"}
    shown = console.post(path, form).content.decode()
    assert "54 certificates of 54 learners" in shown
    assert "… and 4 more" in shown
    assert console.post(path, hidden(shown) | {"reason": "x", "number": "54"}).status_code == 302
    assert Certificate.objects.filter(suspended_at__isnull=False).count() == 54


def test_more_than_is_done_at_once(
    console: Client, certificates: list[Certificate], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("certificates.admin_lifetime.MOST_AT_ONCE", 3)
    form = {"action": "revoke_selected", "_selected_action": [str(each.id) for each in certificates]}
    assert "More than 3 are selected" in console.post(LIST, form, follow=True).content.decode()


# -- in bulk, from a team's page --


def test_everyone_in_a_team_who_completed_a_track(console: Client, cast: Cast) -> None:
    people = [make_user(cast.organization) for _ in range(3)]
    team = make_team(cast.organization, people, [])
    Completion.objects.bulk_create(
        Completion(organization=cast.organization, learner=each, track=cast.track, cycle=1, source="system")
        for each in [*people, cast.colleague]
    )
    path = reverse("admin:accounts_team_change", args=[team.pk]).removesuffix("change/") + "issue/"
    assert "Fire Safety Fundamentals" in console.get(path).content.decode()
    form = {"track": str(cast.track.id), "number": "4"}
    assert "They are 3 now, and not 4" in console.post(path, form).content.decode()
    assert not BulkIssue.objects.exists()
    answer = console.post(path, form | {"number": "3"}, follow=True)
    assert "The job worker issues 3 certificates" in answer.content.decode()
    resume()
    assert set(Certificate.objects.values_list("learner", flat=True)) == {each.id for each in people}
    asked = BulkIssue.objects.get()
    assert (asked.total, asked.issued, asked.team_id) == (3, 3, team.id)
    assert console.get(reverse("admin:gamification_bulkissue_changelist")).status_code == 200
    assert console.get(reverse("admin:accounts_team_change", args=[Team.objects.get(id=team.id).pk])).status_code == 200
