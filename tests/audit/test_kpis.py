"""The counters are exact: at any moment, whoever writes, folds or is killed."""

import signal
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from pytest_django import Settings

from audit import kpis
from audit.models import EventType, Kpi, KpiDelta, KpiTotal
from audit.recording import Event, record_many
from tests.api.client import Api
from tests.factories import ACTOR, Cast, complete, make_staff, make_token
from tests.processes import run_python
from tests.threads import at_once

ONE, TWO = uuid4(), uuid4()
NOTHING = {
    "badges_awarded": 0,
    "levels_changed": 0,
    "certificates_issued": 0,
    "certificates_downloaded": 0,
    "certificates_revoked": 0,
    "notifications_marked_read": 0,
}


def award(organization_id: UUID | None, number: int = 1) -> None:
    with transaction.atomic():
        record_many([Event(EventType.BADGE_AWARDED, organization_id)] * number, actor=ACTOR)


def awarded(organization_id: UUID | None = None) -> int:
    return kpis.totals(organization_id)["badges_awarded"]


def test_a_new_database_says_0(db: None) -> None:
    assert kpis.totals() == kpis.totals(ONE) == NOTHING
    assert kpis.fold() == "Folded 0 KPI deltas."


def test_each_organization_has_its_own_and_the_platform_has_them_all(db: None) -> None:
    award(ONE, 3)
    award(TWO, 4)
    award(None, 5)
    for _ in range(2):
        assert (awarded(ONE), awarded(TWO), awarded()) == (3, 4, 12)
        kpis.fold()


def test_folding_changes_no_counter_and_leaves_one_row_for_each(db: None) -> None:
    for number in range(1, 50):
        award(ONE, number)
    before = kpis.totals()
    assert kpis.fold() == "Folded 49 KPI deltas."
    assert kpis.totals() == before
    assert not KpiDelta.objects.exists()
    award(ONE)
    kpis.fold()
    assert KpiTotal.objects.get().amount == before["badges_awarded"] + 1


def test_folding_goes_step_by_step(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kpis, "FOLD_STEP", 7)
    KpiDelta.objects.bulk_create(KpiDelta(kpi=Kpi.BADGES_AWARDED, amount=2) for _ in range(30))
    assert kpis.fold() == "Folded 30 KPI deltas."
    assert awarded() == 60


@pytest.mark.django_db(transaction=True)
def test_whoever_reads_writes_and_folds_at_once_the_counters_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kpis, "FOLD_STEP", 3)
    award(ONE, 1000)

    def write() -> list[int]:
        for _ in range(20):
            award(ONE)
        return []

    def fold() -> list[int]:
        for _ in range(10):
            kpis.fold()
        return []

    def read() -> list[int]:
        return [awarded(ONE) for _ in range(60)]

    for seen in at_once([write, write, write, fold, fold, fold, read, read]):
        assert seen == sorted(seen)
        assert all(1000 <= amount <= 1060 for amount in seen)
    assert awarded(ONE) == awarded() == 1060
    kpis.fold()
    assert awarded(ONE) == KpiTotal.objects.get().amount == 1060


KILLED = """
from django.db import connection, transaction
from audit import kpis

def die(execute, sql, params, many, context):
    execute(sql, params, many, context)
    os.kill(os.getpid(), signal.SIGKILL)

with transaction.atomic(), connection.execute_wrapper(die):
    kpis.fold()
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_fold_that_is_killed_has_done_nothing() -> None:
    award(ONE, 10)
    award(TWO, 20)
    assert run_python(KILLED).returncode == -signal.SIGKILL
    assert KpiDelta.objects.count() == 2
    kpis.fold()
    assert (awarded(ONE), awarded(TWO), awarded()) == (10, 20, 30)


# -- over the API --


def test_anyone_sees_the_platform_s(api: Api, cast: Cast) -> None:
    complete(cast.learner, cast.track)
    complete(cast.outsider, cast.outside_track)
    answer = api.get("/ops/kpis")
    assert answer.body["epic7"] == NOTHING | {"badges_awarded": 2, "certificates_issued": 2}
    assert set(answer.body) == {"epic7", "generated_at"}
    assert answer.body["generated_at"].endswith("Z")
    for user in (cast.learner, cast.auditor, cast.outsider):
        assert api.get("/ops/kpis", by=user).body["epic7"] == answer.body["epic7"]


def test_managers_and_admins_see_their_organization_s(api: Api, cast: Cast) -> None:
    complete(cast.learner, cast.track)
    complete(cast.colleague, cast.track)
    complete(cast.outsider, cast.outside_track)
    path = "/ops/kpis?scope=organization"
    for user in (cast.manager, cast.admin):
        assert api.get(path, by=user).body["epic7"]["certificates_issued"] == 2
    assert api.get(path, by=cast.outside_admin).body["epic7"]["certificates_issued"] == 1
    for user in (cast.learner, cast.auditor):
        assert api.get(path, by=user).status == 403
    assert api.get(path, x_admin_token="dev-admin-token-12345").status == 403
    assert api.get(path).status == 401
    for scope in ("", "platform", "ORGANIZATION", "%00"):
        answer = api.get(f"/ops/kpis?scope={scope}", by=cast.admin)
        assert (answer.status, list(answer.details)) == (400, ["scope"])


def test_they_can_be_kept_for_staff(api: Api, cast: Cast, settings: Settings) -> None:
    settings.KPIS_REQUIRE_AUTH = True
    assert api.get("/ops/kpis").status == 401
    for user in (cast.learner, cast.manager, cast.admin):
        assert api.get("/ops/kpis", by=user).status == 403
    assert api.get("/ops/kpis?scope=organization", by=cast.admin).status == 200
    assert api.get("/ops/kpis", by=make_token(make_staff())).status == 200
    assert api.get("/ops/kpis", x_admin_token="dev-admin-token-12345").status == 200
