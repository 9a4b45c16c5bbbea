"""The mailbox of a replayed year against the books, and both against what each manager had said."""

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from notifications.models import Delivery, ManagerNotification, OutgoingMail
from tests.notifications.moody_server import UNKNOWN_MAILBOX, Copy
from tests.notifications.replaying import Year
from tests.notifications.wishes import Person

LINK = re.compile(r"/inbox/([0-9a-f-]{36})")
MORE = re.compile(r"^\W*and (\d+) more$", re.MULTILINE)
# Of those that say the same of the same learner the newest is sent.
TOLD = ("trackId", "newLevel", "badge", "certificateId", "reason")


class Comparison:
    def __init__(self, year: Year) -> None:
        self.year, self.people = year, year.people
        self.copies: dict[str, list[Copy]] = defaultdict(list)
        for copy in year.server.copies:
            self.copies[copy.name].append(copy)
        self.mails = {mail.id: mail for mail in OutgoingMail.objects.all()}
        self.by_name: dict[str, list[OutgoingMail]] = defaultdict(list)
        for mail in self.mails.values():
            self.by_name[mail.message_id].append(mail)
        self.rows = {row.id: row for row in ManagerNotification.objects.all()}
        self.deliveries = list(Delivery.objects.all())
        self.of_mail: dict[UUID, list[Delivery]] = defaultdict(list)
        for each in self.deliveries:
            if each.mail_id:
                self.of_mail[each.mail_id].append(each)
        self.step_of = {moment: number for number, step in enumerate(year.steps, 1) for moment in step.moments}
        self.complete = [step.moments[0] for step in year.steps if not step.killed]
        self.returned = {
            (mail.recipient_id, mail.finished_at) for mail in self.mails.values() if "wishes have changed" in mail.error
        }

    def problems(self) -> list[str]:
        """None, if all is well."""
        found = [*self.untold(), *self.unsettled(), *self.repeated(), *self.unbooked(), *self.twice()]
        for delivery in self.deliveries:
            person = self.people[delivery.manager_id]
            if delivery.state == "withheld":
                found += self.untrue(delivery, person)
            elif delivery.mail_id:
                found += self.mistimed(delivery, person, self.mails[delivery.mail_id])
        for copy in self.year.server.copies:
            found += self.unwanted(copy)
        return found

    # -- everything has an end --

    def untold(self) -> Iterator[str]:
        managers: dict[UUID, set[UUID]] = defaultdict(set)
        for row in self.rows.values():
            managers[row.cause_id].add(row.manager_id)
        for cause, wanted in self.year.told.items():
            if wanted is not None and managers[cause] != wanted:
                yield f"untold: {cause} reached {managers[cause]} and not {wanted}"
        for missing in set(self.rows) - {each.notification_id for each in self.deliveries}:
            yield f"untold: {missing} has no delivery"

    def unsettled(self) -> Iterator[str]:
        for each in self.deliveries:
            if each.state in {"waiting", "mailing"}:
                yield f"unsettled: {each} due {each.due_at} mail {each.mail_id}"
        for mail in self.mails.values():
            if mail.state == "due":
                yield f"unsettled: mail {mail.id}, {mail.tries} tries, due {mail.due_at}: {mail.error}"

    # -- the mailbox --

    def repeated(self) -> Iterator[str]:
        """Only what a killed worker had in its hand, or what the server could not answer, may be there twice."""
        in_hand: Counter[int] = Counter()
        for copies in self.copies.values():
            for copy in copies[:-1]:
                if copy.acknowledged and not self.year.steps[copy.step - 1].is_impatient:
                    in_hand[copy.step] += 1
        for number, repetitions in in_hand.items():
            if repetitions > self.year.steps[number - 1].killed:
                yield f"repeated: {repetitions} of step {number}, {self.year.steps[number - 1].killed} killed"

    def unbooked(self) -> Iterator[str]:
        sent = {mail.message_id for mail in self.mails.values() if mail.state == "sent"}
        for name in sent - set(self.copies):
            yield f"unbooked: {name} is sent, and not in the mailbox"
        for name in set(self.copies) - sent:
            for copy in self.copies[name]:
                step = self.year.steps[copy.step - 1]
                if copy.acknowledged and not step.killed and not step.is_impatient:
                    yield f"unbooked: {name} is in the mailbox since step {copy.step}, and not sent"
        for mail in self.mails.values():
            if mail.state == "sent" and not any(each.state == "sent" for each in self.of_mail[mail.id]):
                yield f"unbooked: {mail.id} is sent with nothing in it"
        for each in self.deliveries:
            if each.state == "sent" and self.mails[each.mail_id].state != "sent":  # type: ignore[index]
                yield f"unbooked: {each} in a mail that is {self.mails[each.mail_id].state}"  # type: ignore[index]

    def twice(self) -> Iterator[str]:
        """No notification is named by messages of two names."""
        names: dict[str, set[str]] = defaultdict(set)
        for copy in self.year.server.copies:
            for notification_id in links_in(copy):
                names[notification_id].add(copy.name)
        for notification_id, its in names.items():
            if len(its) > 1:
                yield f"twice: {notification_id} is in {its}"

    def unwanted(self, copy: Copy) -> Iterator[str]:
        mails = self.by_name[copy.name]
        person = self.people[mails[0].recipient_id]
        if copy.message["To"] != person.email:
            yield f"unwanted: {copy.name} to {copy.message['To']} and not {person.email}"
        rows = [self.rows[UUID(notification_id)] for notification_id in links_in(copy)]
        if others := [row for row in rows if row.manager_id != person.id]:
            yield f"unwanted: {others} in a mail to {person.email}"
        held = person.held(copy.step)
        if not any(all(not holds.refusal_of(row.type) for row in rows) for holds in held):
            yield f"unwanted: {copy.name} in step {copy.step}: {[row.type for row in rows]}, {held}"
        if all(mail.tries <= 1 and mail.kind not in {holds.said.frequency for holds in held} for mail in mails):
            yield f"unwanted: {copy.name} is {mails[-1].kind} in step {copy.step}, {held}"
        said = len(rows) + sum(int(number) for number in MORE.findall(text_of(copy, "plain")))
        sent = [each for mail in mails if mail.state == "sent" for each in self.of_mail[mail.id]]
        sent = [each for each in sent if each.state == "sent"]
        if copy is self.copies[copy.name][-1] and sent and said != len(sent):
            yield f"unwanted: {copy.name} says {said} and the books {len(sent)}"

    # -- the reasons --

    def untrue(self, delivery: Delivery, person: Person) -> Iterator[str]:
        assert delivery.settled_at
        step = self.step_of[delivery.settled_at]
        held = person.held(step)
        mail = self.mails[delivery.mail_id] if delivery.mail_id else None
        match delivery.reason:
            case "duplicate":
                true = mail is not None and self.is_repetition(delivery, mail)
            case "bounce":
                true = self.was_refused(person, step, UNKNOWN_MAILBOX)
            case "gave_up":
                refused = self.was_refused(person, step, "554")
                true = mail is not None and mail.state == "dead" and (refused or mail.tries > len(mail.PAUSES))
            case reason:
                true = any(holds.refusal_of(delivery.type) == reason for holds in held)
        if not true:
            yield f"untrue: {delivery.notification_id} {delivery.type} {delivery.reason} in step {step}: {held} {mail}"

    def is_repetition(self, delivery: Delivery, mail: OutgoingMail) -> bool:
        row = self.rows[delivery.notification_id]
        return any(
            each.state == "sent"
            and (other := self.rows[each.notification_id]).sent_at >= row.sent_at
            and (other.learner_id, other.type) == (row.learner_id, row.type)
            and all(other.content.get(name) == row.content.get(name) for name in TOLD)
            for each in self.of_mail[mail.id]
        )

    def was_refused(self, person: Person, step: int, answer: str) -> bool:
        refused = self.year.server.refused
        return any(at <= step and to == person.email and said.startswith(answer) for at, to, said in refused)

    # -- the time --

    def mistimed(self, delivery: Delivery, person: Person, mail: OutgoingMail) -> Iterator[str]:
        """In the digest of her first hour after it, or soon; her wishes of the moment count."""
        step = self.step_of[mail.created_at]
        held = person.held(step)
        what = f"{delivery.notification_id} of {delivery.happened_at}, {mail.kind} of {mail.created_at}"
        fitting = [holds for holds in held if holds.said.frequency == mail.kind]
        if not fitting:
            yield f"mistimed: {what}, {held}"
            return
        if len(held) > 1 or any(manager == person.id for manager, _ in self.returned):
            return
        [holds] = fitting
        told_at = self.year.late.get(self.rows[delivery.notification_id].cause_id, delivery.happened_at)
        changed = max(person.changes(delivery.happened_at, mail.created_at), default=delivery.happened_at)
        due = max(changed, told_at, delivery.happened_at + Delivery.BUNDLING)
        if mail.window_end:
            if not holds.is_end(mail.window_end) or not delivery.happened_at < mail.window_end <= mail.created_at:
                yield f"mistimed: {what} ends {mail.window_end}, {holds}"
            if told_at > delivery.happened_at:
                return
            end = holds.first_end_after(changed)
            # Without a change, it is in her first digest after it.
            if changed == delivery.happened_at and mail.window_end != end:
                yield f"mistimed: {what} ends {mail.window_end} and not {end}, {holds}"
            due = max(due, end)
        run = self.complete[bisect_left(self.complete, due) :][:1]
        if run and mail.created_at > run[0] + timedelta(seconds=1):
            yield f"mistimed: {what} was due {due}, and there was a run at {run[0]}; changed {changed}, {holds}"


def text_of(copy: Copy, kind: str) -> str:
    part = copy.message.get_body((kind,))
    assert part
    return str(part.get_content())


def links_in(copy: Copy) -> set[str]:
    """The notifications that it leads to."""
    return set(LINK.findall(text_of(copy, "html")))
