"""A few weeks in which the people of the demo learned, the same each time, through the real functions."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import groupby
from zoneinfo import ZoneInfo

from cerply import clock
from cerply.accounts.models import User
from cerply.management.demo_data.people import ORGANIZATIONS, DemoOrganization, Person, demo_id
from cerply.permissions import Actor
from cerply.tracks.models import Item, Track
from certificates.downloading import count_download
from certificates.models import Certificate, Source
from certificates.revoking import revoke
from gamification import at_risk
from gamification.answers import Answer
from gamification.completing import complete_outside
from gamification.progress import record
from gamification.sharing import share
from notifications import reading
from notifications.collecting import collect
from notifications.models import DeliveryState, ManagerNotification, OutgoingMail
from ops.outbox import OutboxState

DAYS = 24
ACTOR = Actor.system("load_demo")
MAYA = "1"


@dataclass(frozen=True)
class Day:
    """What somebody did on one day, begun at a moment."""

    person: Person
    began: datetime
    number: int


class History:
    def __init__(self, today: date) -> None:
        self.today = today
        self.random = random.Random(20261124)  # noqa: S311 - the same each time is what it is for
        self.users = {user.id: user for user in User.objects.members().select_related("organization")}
        self.items = {
            track: list(track.items.all())
            for track in Track.objects.filter(id__gte=demo_id("101"), id__lte=demo_id("106"))
        }

    def live(self) -> None:
        """All of it, day by day, up to yesterday."""
        days = sorted(self._days(), key=lambda day: (day.began, day.person.tail))
        for on, of_that_day in groupby(days, key=lambda day: day.began.astimezone(UTC).date()):
            self._look(on)
            for day in of_that_day:
                self._learn(day)
        self._look(self.today)
        for organization in ORGANIZATIONS:
            self._share(organization)
        self._happen_besides()
        self._mail()

    def _days(self) -> Iterator[Day]:
        for organization in ORGANIZATIONS:
            for person in organization.people:
                if person.diligence is None:
                    continue
                for number in range(DAYS):
                    # Maya has been at it each day of the last week and a half; the others come and go.
                    steady = person.tail == MAYA and number >= DAYS - 10
                    if not steady and self.random.random() > person.diligence:
                        continue
                    on = self.today - timedelta(days=DAYS - number)
                    at = time(self.random.randrange(8, 17), self.random.randrange(60))
                    yield Day(person, datetime.combine(on, at, ZoneInfo(person.timezone)), number)

    def _look(self, on: date) -> None:
        """What the daily job does."""
        with clock.moved_to(datetime.combine(on, time(), UTC)):
            at_risk.find()

    def _learn(self, day: Day) -> None:
        learner = self.users[day.person.id]
        track = self._track_of(day, learner)
        skill = 0.55 + 0.4 * (day.person.diligence or 0)
        answers = []
        moment = day.began
        for _ in range(self.random.randrange(3, 9)):
            moment += timedelta(seconds=self.random.randrange(20, 240))
            answers.append(self._answer(learner, track, moment, skill))
        with clock.moved_to(moment):
            record(answers, actor=learner.caller().actor)

    def _track_of(self, day: Day, learner: User) -> Track:
        """One track after the other, a few days each; Maya spends most of hers on fire safety."""
        usable = [track for track in self.items if track.organization_id in {None, learner.organization_id}]
        usable.sort(key=lambda track: track.id)
        if day.person.tail == MAYA:
            return usable[1] if day.number % 4 == 3 else usable[0]
        offset = int(day.person.tail, 16)
        return usable[(offset + day.number // 6) % len(usable)]

    def _answer(self, learner: User, track: Track, moment: datetime, skill: float) -> Answer:
        items: list[Item] = self.items[track]
        correct = self.random.random() < skill
        return Answer(
            learner=learner,
            track=track,
            item=self.random.choice(items),
            credit=Decimal(1) if correct else Decimal(self.random.choice(["0", "0", "0.5"])),
            source=Source.SELF,
            response_ms=int(self.random.lognormvariate(8.4, 0.5)),
            occurred_at=moment,
        )

    def _share(self, organization: DemoOrganization) -> None:
        for person in organization.people:
            for number in range(self.random.randrange(5) if person.diligence else 0):
                on = self.today - timedelta(days=self.random.randrange(2, DAYS))
                with clock.moved_to(datetime.combine(on, time(15, number), ZoneInfo(person.timezone))):
                    learner = self.users[person.id]
                    artefact = f"checklist-{person.tail}-{number + 1}"
                    share(learner, artefact, client_id=None, occurred_at=None, actor=learner.caller().actor)

    def _happen_besides(self) -> None:
        """One course taken elsewhere, one certificate revoked, some downloaded, two thirds of an inbox read."""
        yesterday = datetime.combine(self.today - timedelta(days=1), time(12), ZoneInfo("UTC"))
        admin, manager = self.users[demo_id("3")].caller(), self.users[demo_id("2")].caller()
        height = Track.objects.get(id=demo_id("103"))
        with clock.moved_to(yesterday):
            complete_outside(self.users[demo_id("25")], height, actor=admin.actor)
            revocable = Certificate.objects.for_organization(demo_id("a1")).exclude(learner_id=demo_id(MAYA))
            newest = revocable.standing().order_by("issued_at", "id").first()
            if newest:
                revoke(newest.id, "The course had to be repeated after the procedure changed.", actor=admin.actor)
            for certificate in Certificate.objects.for_organization(demo_id("a1")).standing().order_by("issued_at")[:9]:
                holder = self.users[certificate.learner_id].caller()
                count_download(certificate, actor=holder.actor)
            inbox = ManagerNotification.objects.inbox_of(manager).order_by("sent_at", "id")
            for row in inbox[: inbox.count() * 2 // 3]:
                reading.mark(row.id, read=True, actor=manager.actor)

    def _mail(self) -> None:
        """What the managers were told by then has gone out: a worker that starts later mails nobody about the past."""
        collect()
        OutgoingMail.objects.work_off(_sent)


def _sent(mail: OutgoingMail) -> OutboxState:
    mail.deliveries.update(state=DeliveryState.SENT, settled_at=clock.now())
    return OutboxState.SENT
