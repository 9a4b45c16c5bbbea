"""The eight acceptance scenarios of docs/uat.md, from outside."""

from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader

from tests.acceptance.client import DATA, FIRE, Service

pytestmark = pytest.mark.slow


def level(service: Service, learner: str, track: str = FIRE) -> dict[str, Any]:
    return dict(service.get(f"/learners/{learner}/level/{track}").body)


def test_progress_through_25_correct_answers(service: Service) -> None:
    learner = service.new_learner()
    recorded = service.answers(learner, FIRE, 25)
    assert (recorded.status, recorded.body["recorded"]) == (201, 25)
    [change] = recorded.body["levelChanges"]
    assert (change["previousLevel"], change["newLevel"], change["correctAttempts"]) == ("novice", "learner", 21)
    now = level(service, learner)
    assert (now["level"], now["correctAttempts"], now["nextLevel"], now["attemptsToNext"]) == (
        "learner",
        25,
        "practitioner",
        26,
    )


def test_speed_and_streak_badges(service: Service) -> None:
    learner = service.new_learner()
    service.answers(learner, FIRE, 20, responseMs=1200)
    assert service.badges(learner) == {"first-steps", "speed-demon", "perfectionist"}
    body = service.get(f"/learners/{learner}/badges").body
    assert (body["totalBadges"], body["earned"], body["remaining"]) == (7, 3, 4)


def test_a_certificate_on_completion_with_its_pdf(service: Service) -> None:
    learner = service.new_learner()
    recorded = service.complete(learner, FIRE)
    [certificate] = recorded.body["certificates"]
    pdf = service.get(f"/certificates/{certificate['id']}/download")
    assert pdf.headers["Content-Type"] == "application/pdf"
    [page] = PdfReader(BytesIO(pdf.content)).pages
    text = page.extract_text().replace(" ", "")
    assert "UmaTester" in text
    assert "FireSafetyFundamentals" in text
    assert certificate["id"] in text
    again = service.get(f"/certificates/{certificate['id']}/download")
    assert again.content == pdf.content


def test_the_manager_is_notified_and_marks_it_read(service: Service) -> None:
    learner = service.new_learner()
    before = service.get("/manager/notifications/unread/count", by="manager").body["unread"]
    service.answers(learner, FIRE, 1)
    page = service.get("/manager/notifications?unreadOnly=true", by="manager").body
    [told] = [row for row in page["notifications"] if row["learnerId"] == learner]
    assert (told["type"], told["content"]["badge"], page["unreadCount"]) == ("badge", "first-steps", before + 1)
    read = service.call("PATCH", f"/manager/notifications/{told['id']}", {"read": True}, by="manager")
    assert read.body["read"] is True
    assert service.get("/manager/notifications/unread/count", by="manager").body["unread"] == before


def test_thresholds(service: Service) -> None:
    learner = service.new_learner()
    seen = {0: level(service, learner)["level"]}
    for number in (20, 21, 50, 51, 100, 101, 200, 201):
        service.answers(learner, FIRE, number - max(seen))
        now = level(service, learner)
        assert now["correctAttempts"] == number
        seen[number] = now["level"]
    assert seen == {
        0: "novice",
        20: "novice",
        21: "learner",
        50: "learner",
        51: "practitioner",
        100: "practitioner",
        101: "expert",
        200: "expert",
        201: "master",
    }
    assert level(service, learner)["nextLevel"] is None


def test_verification_with_the_right_a_wrong_and_no_signature(service: Service) -> None:
    learner = service.new_learner()
    [certificate] = service.complete(learner, FIRE).body["certificates"]
    right = service.get(service.path_of(certificate["verificationUrl"]), by=None)
    assert (right.status, right.body["valid"], right.body["learnerName"]) == (200, True, "Uma Tester")
    path = f"/certificates/{certificate['id']}/verify"
    assert service.get(f"{path}?signature=wrong", by=None).body == {"valid": False, "revoked": False}
    assert service.get(path, by=None).status == 400
    assert service.post(f"/certificates/{certificate['id']}/revoke", {"reason": "A test."}).status == 200
    revoked = service.get(service.path_of(certificate["verificationUrl"]), by=None).body
    assert (revoked["valid"], revoked["revoked"]) == (False, True)


def test_two_tracks_apart(service: Service) -> None:
    learner = service.new_learner()
    service.answers(learner, FIRE, 25)
    service.answers(learner, DATA, 3)
    rows = service.get(f"/learners/{learner}/levels").body["levels"]
    assert {(row["trackTitle"], row["level"], row["correctAttempts"]) for row in rows} == {
        ("Fire Safety Fundamentals", "learner", 25),
        ("Data Protection", "novice", 3),
    }


def test_the_badge_at_the_tenth_fast_answer_and_not_at_the_ninth(service: Service) -> None:
    learner = service.new_learner()
    service.answers(learner, FIRE, 9, responseMs=4999)
    missing = service.get(f"/learners/{learner}/badges/speed-demon").body
    assert (missing["earned"], missing["progress"]) == (False, {"current": 9, "target": 10})
    tenth = service.answers(learner, FIRE, 1, responseMs=4999)
    assert [badge["slug"] for badge in tenth.body["badges"]] == ["speed-demon"]
