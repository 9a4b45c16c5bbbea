"""People and teams from a spreadsheet: a CSV file, taken whole or not at all."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import StringIO
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.db import transaction
from rest_framework.exceptions import ValidationError

from audit.models import EventType
from audit.recording import Event, record
from cerply.accounts import people, teams
from cerply.accounts.models import TeamRole, User
from cerply.accounts.serializers import LearnerInput, LearnerUpdateInput, TeamInput
from cerply.permissions import Actor

COLUMNS = {
    "externalId": "the other system's key; a known one makes the line an update",
    "name": "required for somebody new",
    "email": "required for somebody new",
    "role": "learner (the default), manager, admin or auditor; not changed by an update",
    "locale": "a language tag, like en",
    "timezone": "of the IANA database, like Europe/Oslo",
    "teams": "names, separated by |; teams that are missing are made",
    "manages": "names of teams that she manages, separated by |",
}
LARGEST_FILE = 50 * 1024 * 1024
SEPARATOR = "|"

type Problems = list[tuple[int, str]]


class BadFile(Exception):
    """What is wrong, by line; line 1 is the header. Nothing was stored."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        super().__init__(f"{len(problems)} problems")


@dataclass(slots=True)
class Line:
    number: int
    values: dict[str, str]
    row: dict[str, Any] = field(default_factory=dict)

    def names(self, column: str) -> list[str]:
        return [name.strip() for name in self.values.get(column, "").split(SEPARATOR) if name.strip()]


@dataclass(frozen=True, slots=True)
class Imported:
    created: int
    updated: int
    teams: int

    def __str__(self) -> str:
        return f"{self.created} people created, {self.updated} updated, {self.teams} teams made."


@transaction.atomic
def import_people(organization_id: UUID, content: bytes, *, actor: Actor) -> Imported:
    """UTF-8 (with or without a mark), columns separated by commas or semicolons. Raises `BadFile`."""
    lines = parse(content)
    check(organization_id, lines, actor=actor)
    try:
        saved = people.save_people(organization_id, [line.row for line in lines], actor=actor)
    except people.BadRows as exc:
        raise BadFile(_flat((lines[index].number, problem) for index, problem in exc.problems.items())) from exc
    made = _put_into_teams(organization_id, lines, saved.people, actor=actor)
    imported = Imported(saved.created, saved.updated, made)
    metadata = {"created": saved.created, "updated": saved.updated, "teams": made}
    record(Event(EventType.PEOPLE_IMPORTED, organization_id, "organization", organization_id, metadata), actor=actor)
    return imported


def parse(content: bytes) -> list[Line]:
    """The lines, by the names of their columns."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        number = content[: exc.start].count(b"\n") + 1
        raise BadFile([(number, "This is not UTF-8. Save the spreadsheet as CSV in UTF-8.")]) from None
    first = text.partition("\n")[0]
    reader = csv.reader(StringIO(text), delimiter=";" if first.count(";") > first.count(",") else ",", strict=True)
    lines = []
    try:
        header = [name.strip() for name in next(reader, [])]
        if problems := _header_problems(header):
            raise BadFile([(1, problem) for problem in problems])
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(header):
                raise BadFile([(reader.line_num, f"{len(cells)} cells under {len(header)} columns.")])
            values = {name: cell.strip() for name, cell in zip(header, cells, strict=False) if cell.strip()}
            lines.append(Line(reader.line_num, values))
    except csv.Error as exc:
        raise BadFile([(reader.line_num, f"This is not CSV: {exc}.")]) from None
    if not lines:
        raise BadFile([(1, "There is nobody in the file.")])
    return lines


def _header_problems(header: Sequence[str]) -> list[str]:
    problems = [
        f"There is no column {name!r}; there are: {', '.join(COLUMNS)}." for name in header if name not in COLUMNS
    ]
    problems += [f"The column {name!r} is there twice." for name in sorted(set(header)) if header.count(name) > 1]
    return problems or ([] if header else ["The file is empty."])


def check(organization_id: UUID, lines: Sequence[Line], *, actor: Actor) -> None:
    """Fills in the rows as the API would take them; raises `BadFile` naming every bad line."""
    given = [{name: text for name, text in line.values.items() if name not in {"teams", "manages"}} for line in lines]
    known = people.known_external_ids(organization_id, given)
    problems: list[tuple[int, people.Problems]] = []
    for line, values in zip(lines, given, strict=True):
        serializer = LearnerUpdateInput if values.get("externalId") in known else LearnerInput
        checked = serializer(data=values)
        if checked.is_valid():
            line.row = dict(checked.validated_data)
        else:
            problems.append((line.number, checked.errors))
        problems += [(line.number, {column: reasons}) for column, reasons in _bad_names(line)]
    if problems:
        sound = [line for line in lines if line.row]
        between = people.problems_between(organization_id, [line.row for line in sound], actor=actor)
        problems += [(sound[index].number, problem) for index, problem in between.items()]
        raise BadFile(_flat(sorted(problems, key=itemgetter(0))))


def _bad_names(line: Line) -> Iterator[tuple[str, list[str]]]:
    """Names that the API would not take either."""
    field = TeamInput().fields["name"]
    for column in ("teams", "manages"):
        for name in line.names(column):
            try:
                field.run_validation(name)
            except ValidationError as exc:
                yield column, [f"{name!r}: {reason}" for reason in exc.detail]


def _put_into_teams(organization_id: UUID, lines: Sequence[Line], users: Sequence[User], *, actor: Actor) -> int:
    """Adds people to their teams, and takes nobody out of any; returns how many teams it made."""
    places: list[teams.Place] = []
    problems: Problems = []
    for line, user in zip(lines, users, strict=True):
        managed = line.names("manages")
        if managed and user.role not in teams.MAY_MANAGE:
            problems.append((line.number, "manages: only managers and admins manage teams."))
        places += [teams.Place(name, user.id, TeamRole.MEMBER) for name in line.names("teams")]
        places += [teams.Place(name, user.id, TeamRole.MANAGER) for name in managed]
    if problems:
        raise BadFile(problems)
    return teams.place(organization_id, places, actor=actor)


def _flat(problems: Iterable[tuple[int, people.Problems]]) -> Problems:
    return [
        (number, f"{name}: {' '.join(map(str, reasons))}")
        for number, of_line in problems
        for name, reasons in of_line.items()
    ]
