"""Loading the demo: all of it in one transaction, or nothing."""

from datetime import timedelta

from django.contrib.auth.hashers import make_password
from django.db import connection, transaction
from django_q.models import OrmQ

from audit.models import EventType
from audit.recording import Event, record
from cerply import clock
from cerply.accounts import tokens
from cerply.accounts.models import Membership, Organization, Team, TeamRole, User
from cerply.env import DEMO_PASSWORD, DEMO_STAFF_PASSWORD
from cerply.management.demo_data.history import ACTOR, DAYS, History
from cerply.management.demo_data.material import TRACKS
from cerply.management.demo_data.people import ORGANIZATIONS, STAFF_EMAIL, TOKENS, DemoOrganization, demo_id
from cerply.tracks.models import CertifiesFrom, Item, Track
from certificates.rendering import render_owed
from ops import features

LOADING = 0x63657270  # any number that nobody else locks
TOKEN_VALIDITY = timedelta(days=3650)


def load() -> str:
    """Loads the demo data unless they are there; then makes sure that no job has anything left to do with them."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOADING])
        is_new = not Organization.objects.filter(id=demo_id("a1")).exists()
        if is_new:
            _load()
    render_owed()
    if is_new:
        return f"Loaded {User.objects.count()} people in {len(ORGANIZATIONS)} organizations."
    return "The demo data are there."


def _load() -> None:
    now = clock.now()
    password = make_password(DEMO_PASSWORD)
    with clock.moved_to(now - timedelta(days=DAYS + 2)):
        for organization in ORGANIZATIONS:
            _load_organization(organization, password)
        for track in TRACKS:
            row = Track.objects.create(
                id=demo_id(track.tail),
                organization_id=demo_id(track.organization) if track.organization else None,
                title=track.title,
                certifies_from=CertifiesFrom.ANY,
            )
            Item.objects.bulk_create(
                Item(id=demo_id(f"{track.tail}{number:02}"), track=row, title=title, position=number)
                for number, title in enumerate(track.items, start=1)
            )
        for secret, tail in TOKENS.items():
            tokens.create(
                User.objects.get(id=demo_id(tail)),
                "Demo",
                expires_at=now + TOKEN_VALIDITY,
                actor=ACTOR,
                secret=secret,
            )
        if not User.objects.filter(email=STAFF_EMAIL).exists():
            User.objects.create_superuser(STAFF_EMAIL, DEMO_STAFF_PASSWORD, name="Staff")
    History(now.date()).live()
    # What it enqueued is done below, before anybody looks.
    OrmQ.objects.all().delete()


def _load_organization(demo: DemoOrganization, password: str) -> None:
    organization = Organization.objects.create(id=demo_id(demo.tail), name=demo.name, colour=demo.colour)
    features.enrol(organization.id)
    record(Event(EventType.ORGANIZATION_CREATED, organization.id, "organization", organization.id), actor=ACTOR)
    User.objects.bulk_create(
        User(
            id=person.id,
            organization=organization,
            external_id=f"hr-{person.tail.rjust(4, '0')}",
            name=person.name,
            email=f"person-{person.tail}@{demo.domain}",
            role=person.role,
            timezone=person.timezone,
            locale=person.locale,
            password=password,
        )
        for person in demo.people
    )
    for team in demo.teams:
        row = Team.objects.create(id=demo_id(team.tail), organization=organization, name=team.name)
        people = [(TeamRole.MANAGER, tail) for tail in team.managers]
        people += [(TeamRole.MEMBER, tail) for tail in team.members]
        Membership.objects.bulk_create(Membership(team=row, user_id=demo_id(tail), role=role) for role, tail in people)
