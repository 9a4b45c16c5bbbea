"""Creating and changing people: one function for the API, the admin and the import."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Lower

from audit.models import EventType
from audit.recording import Event, record_many
from cerply import clock
from cerply.accounts.models import ApiToken, Organization, User
from cerply.constraints import translated
from cerply.errors import Conflict, Invalid
from cerply.permissions import Actor, Role
from ops.wake import enqueue

type Row = Mapping[str, Any]
type Problems = dict[str, list[str]]
# What a field was and is, by its name, as the audit keeps it.
type Changes = dict[str, dict[str, Any]]

# Field of the model by its name on the wire.
FIELDS = {
    "externalId": "external_id",
    "name": "name",
    "email": "email",
    "role": "role",
    "active": "is_active",
    "locale": "locale",
    "timezone": "timezone",
}
NEVER_UPDATED = frozenset({"role", "password"})
# Hashing is slow on purpose: with this many a list is answered before any proxy loses patience.
MOST_PASSWORDS = 50
TOO_MANY_PASSWORDS = (
    f"A list sets at most {MOST_PASSWORDS} passwords. Send several, or let people set their own by a link."
)
STEP = 1000
EMAIL_TAKEN = "Somebody in the organization has this e-mail address already."
EXTERNAL_ID_TAKEN = "Somebody in the organization has this external id already."
STAFF_EMAIL_TAKEN = "Somebody on the staff has this e-mail address already."
TAKEN = {
    "users_email_unique_in_organization": ("email", EMAIL_TAKEN),
    "users_external_id_unique_in_organization": ("externalId", EXTERNAL_ID_TAKEN),
}
STAFF_TAKEN = {"users_email_unique_in_organization": ("email", STAFF_EMAIL_TAKEN)}


@dataclass(slots=True)
class Saved:
    """The people in the order of their rows."""

    people: list[User] = field(default_factory=list)
    created: int = 0
    updated: int = 0


class BadRows(Exception):
    """What is wrong, by the index of the row; nothing was stored."""

    def __init__(self, problems: Mapping[int, Problems]) -> None:
        self.problems = problems
        super().__init__(f"{len(problems)} rows are not valid.")


def known_external_ids(organization_id: UUID, rows: Sequence[Any]) -> set[str]:
    """Those of the rows that somebody bears already."""
    given = (row.get("externalId") for row in rows if isinstance(row, Mapping))
    texts = {text for text in given if isinstance(text, str) and "\0" not in text}
    people = User.objects.for_organization(organization_id).filter(external_id__in=texts)
    return {text for text in people.values_list("external_id", flat=True) if text}


def save_people(organization_id: UUID, rows: Sequence[Row], *, actor: Actor) -> Saved:
    """Creates each person, or updates the one who bears the external id; all of them or, with `BadRows`, none.

    Rows are as `LearnerInput` gives them. Fields that are left out stay; an update changes neither role nor password.
    """
    passwords, problems = _hashed_passwords(organization_id, rows)
    return _save_people(organization_id, rows, passwords, problems, actor=actor)


def problems_between(organization_id: UUID, rows: Sequence[Row], *, actor: Actor) -> Mapping[int, Problems]:
    """What rows that are valid, each by itself, have twice or take from somebody; by index. Nothing is stored."""
    try:
        _save_people(organization_id, rows, {}, {}, actor=actor, only_check=True)
    except BadRows as exc:
        return exc.problems
    return {}


@transaction.atomic
def _save_people(
    organization_id: UUID,
    rows: Sequence[Row],
    passwords: Mapping[int, str],
    problems: dict[int, Problems],
    *,
    actor: Actor,
    only_check: bool = False,
) -> Saved:
    Organization.objects.locked().get(id=organization_id)
    everybody = User.objects.for_organization(organization_id)
    external_ids = [row["externalId"] for row in rows if row.get("externalId")]
    known = {user.external_id: user for user in everybody.filter(external_id__in=external_ids)}
    saved = Saved()
    changed: dict[UUID, Changes] = {}
    fresh: list[User] = []
    seen: set[str] = set()
    for index, row in enumerate(rows):
        external_id = row.get("externalId")
        if external_id in seen:
            problems.setdefault(index, {})["externalId"] = ["This external id is in the list twice."]
        if external_id:
            seen.add(external_id)
        user = known.get(external_id)
        if user is None:
            user = User(organization_id=organization_id, role=row.get("role", Role.LEARNER))
            # Under the lock nothing is hashed, but for who bore this external id until a moment ago.
            late = None if problems or only_check else row.get("password")
            user.password = passwords[index] if index in passwords else make_password(late)
            if missing := [name for name in ("name", "email") if name not in row]:
                problems.setdefault(index, {}).update({name: ["This field is required."] for name in missing})
            fresh.append(user)
        changes = _apply(user, row, skip=NEVER_UPDATED)
        if not user._state.adding:
            changed[user.id] = changes
        saved.people.append(user)
    for index, problem in _taken_addresses(organization_id, saved.people).items():
        problems.setdefault(index, {}).update(problem)
    if problems:
        raise BadRows(dict(sorted(problems.items())))
    if only_check:
        return saved
    User.objects.bulk_create(fresh, batch_size=STEP)
    known_people = [user for user in saved.people if changed.get(user.id)]
    _update_in_order(known_people)
    saved.created, saved.updated = len(fresh), len(saved.people) - len(fresh)
    events = [_event(EventType.USER_CREATED, user, {"role": user.role}) for user in fresh]
    events += [_event(EventType.USER_UPDATED, user, {"changes": changed[user.id]}) for user in known_people]
    record_many(events, actor=actor)
    return saved


def _update_in_order(people: Sequence[User]) -> None:
    """Addresses may change hands within one list: each is put aside first, so that none is there twice on the way."""
    moving = [user.id for user in people]
    if not moving:
        return
    User.objects.filter(id__in=moving).update(email=F("id"))
    User.objects.bulk_update(people, ["name", "email", "locale", "timezone"], batch_size=STEP)


def _hashed_passwords(organization_id: UUID, rows: Sequence[Row]) -> tuple[dict[int, str], dict[int, Problems]]:
    """By index, of those who are new: outside of any lock, for it takes a tenth of a second each."""
    hashed: dict[int, str] = {}
    problems: dict[int, Problems] = {}
    known = known_external_ids(organization_id, [row for row in rows if "password" in row])
    new = {
        index: str(row["password"])
        for index, row in enumerate(rows)
        if "password" in row and row.get("externalId") not in known
    }
    for index in list(new)[MOST_PASSWORDS:]:
        problems[index] = {"password": [TOO_MANY_PASSWORDS]}
    for index, password in new.items():
        described = User(name=rows[index].get("name", ""), email=rows[index].get("email", ""))
        if problem := _password_problems(password, described):
            problems.setdefault(index, {}).update(problem)
    if not problems:
        hashed = {index: make_password(password) for index, password in new.items()}
    return hashed, problems


@transaction.atomic
def change_person(user_id: UUID, changes: Row, *, actor: Actor) -> User:
    """Changes fields named as on the wire. Raises `Invalid`, or `Conflict` where nobody would administer any more."""
    organization_id = User.objects.get(id=user_id).member_of
    # The organization before its people, as everybody else does: the other way round two would wait for each other.
    Organization.objects.locked().get(id=organization_id)
    user = User.objects.select_for_update(no_key=True, of=("self",)).select_related("organization").get(id=user_id)
    before = {name: getattr(user, FIELDS[name]) for name in changes}
    changed = _apply(user, changes)
    if not changed:
        return user
    if problems := _taken_addresses(organization_id, [user]).get(0):
        raise Invalid(problems)
    others = User.objects.for_organization(organization_id).exclude(id=user.id)
    if "externalId" in changed and user.external_id and others.filter(external_id=user.external_id).exists():
        raise Invalid({"externalId": [EXTERNAL_ID_TAKEN]})
    stays_admin = user.role == Role.ADMIN and user.is_active
    was_admin = before.get("role", user.role) == Role.ADMIN and before.get("active", user.is_active)
    if was_admin and not stays_admin and not others.filter(role=Role.ADMIN, is_active=True).exists():
        raise Conflict("The organization's last active admin stays one. Appoint another one first.")
    with translated(TAKEN):
        user.save(update_fields=[FIELDS[name] for name in changed])
    events = []
    if "active" in changed:
        events += _activate(user) if user.is_active else _deactivate(user)
    if "role" in changed:
        events.append(_event(EventType.ROLE_CHANGED, user, changed["role"]))
    if rest := {name: change for name, change in changed.items() if name not in {"role", "active"}}:
        events.append(_event(EventType.USER_UPDATED, user, {"changes": rest}))
    record_many(events, actor=actor)
    return user


@transaction.atomic
def create_staff(user: User, password: str, *, actor: Actor) -> None:
    """Platform staff, who may work in the admin. Raises `Invalid`."""
    user.organization, user.role, user.is_staff = None, None, True
    if password and (problem := _password_problems(password, user)):
        raise Invalid(problem)
    user.password = make_password(password or None)
    with translated(STAFF_TAKEN):
        user.save(force_insert=True)
    record_many([_event(EventType.USER_CREATED, user, {"role": "staff"})], actor=actor)


@transaction.atomic
def change_staff(user_id: UUID, changes: Row, *, actor: Actor) -> None:
    """Name, address, locale, time zone, and whether she is active. Raises `Invalid`, or `Conflict` for the last one."""
    # All of them, in one order, so that of two who deactivate each other one stays.
    superusers = User.objects.filter(is_superuser=True, is_active=True).order_by("id").select_for_update(no_key=True)
    in_charge = {superuser.id for superuser in superusers}
    user = User.objects.select_for_update(no_key=True).get(id=user_id, organization=None)
    changed = _apply(user, changes, skip={"role", "externalId"})
    if not changed:
        return
    if not user.is_active and in_charge == {user.id}:
        raise Conflict("The last active superuser stays active: nobody else appoints staff.")
    with translated(STAFF_TAKEN):
        user.save(update_fields=[FIELDS[name] for name in changed])
    events = []
    if rest := {name: change for name, change in changed.items() if name != "active"}:
        events.append(_event(EventType.USER_UPDATED, user, {"changes": rest}))
    if "active" in changed:
        events += _activate(user) if user.is_active else _deactivate(user)
    record_many(events, actor=actor)


def end_sessions(user: User) -> None:
    """The next request of any session of hers is nobody's."""
    User.objects.filter(id=user.id).update(session_epoch=F("session_epoch") + 1)
    user.refresh_from_db(fields=["session_epoch"])


def _activate(user: User) -> list[Event]:
    user.deactivated_at = None
    user.save(update_fields=["deactivated_at"])
    return [_event(EventType.USER_REACTIVATED, user)]


def _deactivate(user: User) -> list[Event]:
    end_sessions(user)
    user.deactivated_at = clock.now()
    user.save(update_fields=["deactivated_at"])
    # She may have certificates to keep.
    enqueue(settings.JOBS["mail_keepsakes"]["run"])
    tokens = ApiToken.objects.filter(user=user, revoked_at=None)
    revoked = list(tokens.values_list("id", "name"))
    tokens.update(revoked_at=clock.now())
    events = [_event(EventType.USER_DEACTIVATED, user)]
    for token_id, name in revoked:
        metadata = {"name": name, "userId": str(user.id)}
        events.append(Event(EventType.TOKEN_REVOKED, user.organization_id, "api_token", token_id, metadata))
    return events


def _apply(user: User, row: Row, skip: Collection[str] = ()) -> Changes:
    """Sets what the row says; returns what is other than before."""
    changes: Changes = {}
    for name, attribute in FIELDS.items():
        before = getattr(user, attribute)
        if name in row and name not in skip and before != row[name]:
            setattr(user, attribute, row[name])
            changes[name] = {"before": before, "after": row[name]}
    return changes


def _password_problems(password: str, user: User) -> Problems:
    try:
        validate_password(password, user)
    except ValidationError as exc:
        return {"password": list(exc.messages)}
    return {}


def _taken_addresses(organization_id: UUID, people: Sequence[User]) -> dict[int, Problems]:
    """By index, whose address somebody else in the organization bears, or bears in the same list. One query."""
    wanted: dict[str, User] = {}
    problems: dict[int, Problems] = {}
    for index, user in enumerate(people):
        address = user.email.lower()
        if address and wanted.setdefault(address, user) is not user:
            problems[index] = {"email": ["This e-mail address is in the list twice."]}
    bearers = (
        User.objects.for_organization(organization_id)
        .annotate(address=Lower("email"))
        .filter(address__in=list(wanted))
        .exclude(id__in=[user.id for user in people])
        .values_list("address", flat=True)
    )
    taken = set(bearers)
    for index, user in enumerate(people):
        if user.email.lower() in taken:
            problems[index] = {"email": [EMAIL_TAKEN]}
    return problems


def _event(type_: EventType, user: User, metadata: Mapping[str, Any] | None = None) -> Event:
    return Event(type_, user.organization_id, "user", user.id, metadata or {})
