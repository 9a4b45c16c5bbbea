"""A year of events, told to managers who change their minds, by workers who die, through a mail server with moods."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from cerply import clock
from cerply.accounts.models import Membership, Organization, Team, TeamRole, User
from cerply.permissions import Role
from notifications import delivery, preferring, suppressing
from notifications.milestones import Milestone, announce
from notifications.models import NotificationType, OutgoingMail, SuppressedAddress
from ops.features import Feature, set_toggle
from tests.factories import ACTOR, make_organization
from tests.mail_server import free_port
from tests.notifications.events import CONTENTS, subscription_of
from tests.notifications.moody_server import IMPATIENT, MoodyServer
from tests.notifications.mortal_workers import Order, Workers
from tests.notifications.wishes import House, Person, Said

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
# With summer time in both hemispheres and of half an hour, with quarters of an hour, and at both ends of the day.
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Santiago",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "Pacific/Chatham",
)
TYPES = tuple(CONTENTS)


@dataclass
class Step:
    """Workers at one moment, of whom some were killed, or hung up when the server had not answered in time."""

    moments: list[datetime]
    killed: int
    is_impatient: bool = False


@dataclass
class Year:
    """What is replayed, by the chances of one seed."""

    seed: int
    workers: Workers
    server: MoodyServer
    managers: int
    days: int
    # Of events a day and a hundred managers.
    density: float = 10
    steps: list[Step] = field(default_factory=list)
    people: dict[UUID, Person] = field(default_factory=dict)
    houses: list[House] = field(default_factory=list)
    teams: dict[UUID, set[UUID]] = field(default_factory=dict)
    # Whom each cause must reach; None where it is not sure.
    told: dict[UUID, set[UUID] | None] = field(default_factory=dict)
    # When it was committed, where that was later than it happened.
    late: dict[UUID, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chances = random.Random(self.seed)
        self.step = 0
        # Whether what changes does so while workers are at work.
        self.at_once = False
        self.learners: dict[UUID, User] = {}
        self.users: dict[UUID, User] = {}
        self.numbers = count(1)
        self.dead_port = free_port()
        self.odd_changes: list[Callable[[Person, datetime], None]] = [
            *[self.prefer] * 6,
            self.unsubscribe,
            self.decide_policy,
            self.move_away,
            self.change_role,
            self.toggle,
            self.lose_mailbox,
            self.send_again,
        ]

    # -- who there is --

    def populate(self) -> None:
        for _ in range(max(2, self.managers // 50)):
            organization = make_organization(f"Organization {next(self.numbers)}")
            self.houses.append(House(organization.id))
            self.fill(organization, self.houses[-1], max(2, self.managers // max(2, self.managers // 50)))
        for house in self.houses:
            if self.chances.random() < 0.5:
                self.decide_for(house, BEGINNING)
        for person in self.people.values():
            person.note(0, BEGINNING - timedelta(days=1))
        for person in self.people.values():
            if self.chances.random() < 0.8:
                self.prefer(person, BEGINNING, keeps_zone=True)

    def fill(self, organization: Organization, house: House, managers: int) -> None:
        people = [self.somebody(organization, role) for role in [Role.MANAGER] * managers + [Role.LEARNER] * managers]
        User.objects.bulk_create(people)
        leading, learning = people[:managers], people[managers:]
        teams = [Team(organization=organization, name=f"Team {next(self.numbers)}") for _ in leading]
        Team.objects.bulk_create(teams)
        rows = []
        for team, manager in zip(teams, leading, strict=True):
            self.people[manager.id] = Person(manager.id, manager.email, house, manager.timezone)
            self.users[manager.id] = manager
            rows.append(Membership(team=team, user=manager, role=TeamRole.MANAGER))
            for learner in self.chances.sample(learning, min(3, len(learning))):
                rows.append(Membership(team=team, user=learner, role=TeamRole.MEMBER))
                self.teams.setdefault(learner.id, set()).add(manager.id)
        Membership.objects.bulk_create(rows)
        self.learners |= {learner.id: learner for learner in learning}

    def somebody(self, organization: Organization, role: Role) -> User:
        number = next(self.numbers)
        return User(
            organization=organization,
            role=role,
            name=f"Person {number}",
            email=f"person{number}@example.com",
            timezone=self.chances.choice(ZONES),
        )

    # -- what happens --

    def happen(self, at: datetime, told_at: datetime, *, sure: bool) -> None:
        """To about three people at once."""
        learner_ids = [learner_id for learner_id in self.teams if self.chances.random() < 3 / len(self.teams)]
        learner_ids = learner_ids or [self.chances.choice(list(self.teams))]
        milestones = []
        for learner_id in learner_ids:
            learner, type_, cause = self.learners[learner_id], self.chances.choice(TYPES), uuid4()
            if told_at > at:
                self.late[cause] = told_at
            milestones.append(Milestone(NotificationType(type_), learner, cause, CONTENTS[type_]))
            leading = [self.people[manager_id] for manager_id in self.teams[learner_id]]
            self.told[cause] = {each.id for each in leading if each.is_manager and each.house.listens} if sure else None
        with clock.moved_to(at):
            announce(milestones)

    def say(self) -> Said:
        frequency = self.chances.choice(["immediate", "immediate", "daily", "daily", "weekly", "weekly", "off"])
        types = frozenset(self.chances.sample(TYPES, self.chances.choice([2, 4, 5, 5, 5])))
        hour = self.chances.choice([8, 8, 8, 8, 0, 2, 3, 23])
        return Said(frequency, types, hour, self.chances.choice([1, 1, 1, 5, 7]))

    def prefer(self, person: Person, at: datetime, *, keeps_zone: bool = False) -> None:
        if person.house.locked:
            return
        zone = (person.own_timezone or person.timezone) if keeps_zone else self.chances.choice(ZONES)
        said = self.say()
        if person.unsubscribed and said.frequency == "off":
            return
        with clock.moved_to(at):
            values = {
                "frequency": said.frequency,
                "types": sorted(said.types),
                "timezone": zone,
                "digestHour": said.hour,
                "digestWeekday": said.weekday,
            }
            preferring.prefer(self.users[person.id], values, actor=ACTOR)
        person.own, person.own_timezone, person.unsubscribed = said, zone, False
        self.note([person], at)

    def unsubscribe(self, person: Person, at: datetime) -> None:
        with clock.moved_to(at):
            set_ = preferring.resubscribe if person.unsubscribed else preferring.unsubscribe
            set_(subscription_of(self.users[person.id]), actor=ACTOR)
        person.unsubscribed = not person.unsubscribed
        self.note([person], at)

    def decide_policy(self, person: Person, at: datetime) -> None:
        self.decide_for(person.house, at)

    def decide_for(self, house: House, at: datetime) -> None:
        said, locked = self.say(), self.chances.random() < 0.3
        values = {
            "frequency": said.frequency,
            "types": sorted(said.types),
            "digest_hour": said.hour,
            "digest_weekday": said.weekday,
            "locked": locked,
        }
        with clock.moved_to(at):
            preferring.decide_policy(house.id, values, actor=ACTOR)
        house.said, house.locked = said, locked
        self.note_all_of(house, at)

    def move_away(self, person: Person, at: datetime) -> None:
        """To another time zone, as her organization's own system says."""
        person.timezone = self.chances.choice(ZONES)
        User.objects.filter(id=person.id).update(timezone=person.timezone)
        self.note([person], at)

    def change_role(self, person: Person, at: datetime) -> None:
        person.is_manager = not person.is_manager
        field_ = self.chances.choice(["is_active", "role"])
        changes: dict[str, Any] = {"is_active": False} if field_ == "is_active" else {"role": Role.LEARNER}
        User.objects.filter(id=person.id).update(
            **{"is_active": True, "role": Role.MANAGER} if person.is_manager else changes
        )
        self.note([person], at)

    def toggle(self, person: Person, at: datetime) -> None:
        house = person.house
        house.listens = not house.listens
        with clock.moved_to(at):
            set_toggle(Feature.MANAGER_NOTIFICATIONS, house.id, house.listens, actor=ACTOR, reason="x")
        self.note_all_of(house, at)

    def lose_mailbox(self, person: Person, at: datetime) -> None:
        """Or get it back: then staff releases the address."""
        if person.email not in self.server.no_mailbox:
            self.server.no_mailbox.add(person.email)
            return
        self.server.no_mailbox.discard(person.email)
        held = SuppressedAddress.objects.holding().of(person.email).first()
        if held:
            with clock.moved_to(at):
                suppressing.release(held.id, actor=ACTOR, reason="x")

    def send_again(self, person: Person, at: datetime) -> None:
        dead = OutgoingMail.objects.filter(state="dead").order_by("?").first()
        if dead:
            with clock.moved_to(at):
                delivery.send_again(dead.id, actor=ACTOR)

    def note_all_of(self, house: House, at: datetime) -> None:
        self.note([person for person in self.people.values() if person.house is house], at)

    def note(self, people: list[Person], at: datetime) -> None:
        for person in people:
            if person.history:
                person.note(self.step, at, sure=not self.at_once)

    # -- how it goes --

    def replay(self) -> None:
        self.populate()
        moment, end = BEGINNING, BEGINNING + timedelta(days=self.days)
        while moment < end:
            self.step += 1
            later = moment + self.pause(moment)
            self.live(moment, later)
            self.work(later)
            moment = later
        self.settle(moment)

    def pause(self, moment: datetime) -> timedelta:
        """The job comes each minute, mostly; what comes between is looked at less often than in a real year."""
        if self.chances.random() < 0.3:
            quarter = timedelta(minutes=15)
            return quarter - (moment - BEGINNING) % quarter
        return self.chances.choice(
            [timedelta(minutes=1), timedelta(minutes=3), timedelta(hours=1)]
            + [timedelta(hours=2), timedelta(hours=4), timedelta(hours=7)]
            + ([timedelta(days=3)] if self.chances.random() < 0.1 else [])
        )

    def live(self, beginning: datetime, ending: datetime) -> None:
        """What happens in between, in its order; a few things are committed late."""
        length = (ending - beginning) / timedelta(days=1)
        events = self.often(length * self.density * self.managers / 100 / 3)
        changes = self.often(length * self.managers / 100)
        things = [(self.between(beginning, ending), True) for _ in range(events)]
        things += [(self.between(beginning, ending), False) for _ in range(changes)]
        for at, is_event in sorted(things):
            if is_event:
                late = timedelta(seconds=self.chances.choice([0] * 20 + [30, 90, 3600]))
                self.happen(at - late, at, sure=True)
            else:
                self.change(at)

    def often(self, mean: float) -> int:
        whole = int(mean)
        return whole + (self.chances.random() < mean - whole)

    def between(self, beginning: datetime, ending: datetime) -> datetime:
        return beginning + (ending - beginning) * self.chances.random()

    def change(self, at: datetime) -> None:
        """Who gets no mail comes back, mostly; or there would soon be nobody left to be mailed."""
        person = self.chances.choice(list(self.people.values()))
        back = [
            (not person.is_manager, self.change_role),
            (not person.house.listens, self.toggle),
            (person.unsubscribed, self.unsubscribe),
            (person.email in self.server.no_mailbox, self.lose_mailbox),
        ]
        ways = [change for is_gone, change in back if is_gone] or self.odd_changes
        self.chances.choice(ways)(person, at)

    def work(self, moment: datetime) -> None:
        """Two workers, of whom each may be killed, while the server has a mood and managers change their minds."""
        self.server.step, self.server.mood = self.step, self.chances.choice([0, 0, 0, 0.02, 0.2])
        is_down, is_impatient = self.chances.random() < 0.1, self.chances.random() < 0.02
        self.server.hangs = 2 if is_impatient else 0
        orders = [
            Order(
                moment=at,
                port=self.dead_port if is_down else self.server.port,
                timeout=IMPATIENT if is_impatient else 30,
                chance=self.chances.choice([0, 0, 0.002, 0.02]),
                seconds=self.chances.choice([0, 0, 0, self.chances.random()]),
                seed=self.chances.randrange(1 << 30),
            )
            for at in (moment, moment + timedelta(seconds=self.chances.choice([0, 1])))
        ]
        self.workers.start(*orders)
        if self.chances.random() < 0.2:
            self.at_once = True
            for _ in range(3):
                self.change(moment)
            self.happen(moment, moment, sure=False)
            self.at_once = False
        ends = self.workers.ended()
        killed = sum(end < 0 for end in ends)
        assert all(end <= 0 for end in ends), ends
        self.steps.append(Step([order.moment for order in orders], killed, is_impatient))

    def settle(self, moment: datetime) -> None:
        """Nothing happens any more, nobody is killed, the server is well: for as long as the longest pause and week."""
        self.server.mood = self.server.hangs = 0
        for hours in [1] * 12 + [12] * 20:
            self.step += 1
            self.server.step = self.step
            moment += timedelta(hours=hours)
            ends = self.workers.run(Order(moment=moment, port=self.server.port))
            assert ends == [0]
            self.steps.append(Step([moment], 0))
