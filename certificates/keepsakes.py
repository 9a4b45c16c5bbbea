"""What somebody who has left keeps: a link to her certificates, mailed to her once for each time that she leaves.

Who has left and has no row yet is found from rows, so that nothing is lost whoever is killed, and whatever closed her
account: she was deactivated, or the organization was closed.
"""

import logging
import secrets
from datetime import datetime
from itertools import batched

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Least

from audit.models import EventType
from audit.recording import Event, record, record_many
from cerply import clock
from cerply.accounts.models import User
from cerply.errors import Conflict
from cerply.permissions import Actor, ActorKind
from certificates import sharing
from certificates.models import Certificate, CertificateQuerySet, Keepsake
from certificates.sentences import say
from certificates.wording import language_of
from ops import owed_mail
from ops.wake import enqueue

logger = logging.getLogger(__name__)

ACTOR = Actor.system("mail_keepsakes")
# Whoever has the link, which is she as far as anybody knows.
BY_LINK = Actor(ActorKind.ANONYMOUS, label="keepsake link")
BATCH = 1000
JOB = "certificates.keepsakes.mail_keepsakes"


def mail_keepsakes() -> str:
    """The job: finds who has left and has certificates to keep; mails each her link."""
    found = _owe()
    mailed = owed_mail.work_off(_settle_next)
    return f"Found {found} people who have left; mailed {mailed} links to certificates."


def _owe() -> int:
    held = Certificate.objects.standing().kept().filter(learner=OuterRef("pk"))
    known = Keepsake.objects.filter(learner=OuterRef("pk"), left_at=OuterRef("left_at"))
    gone = Q(is_active=False, deactivated_at__isnull=False) | Q(organization__closed_at__isnull=False)
    # The least of the two that is there: who was deactivated first has left then.
    leavers = User.objects.members().filter(gone).annotate(left_at=Least("deactivated_at", "organization__closed_at"))
    rows = [
        Keepsake(learner_id=learner_id, organization_id=organization_id, left_at=left_at)
        for learner_id, organization_id, left_at in leavers.filter(Exists(held), ~Exists(known))
        .order_by("id")
        .values_list("id", "organization_id", "left_at")
    ]
    for batch in batched(rows, BATCH):
        Keepsake.objects.bulk_create(batch, ignore_conflicts=True)
    return len(rows)


def _settle_next() -> bool | None:
    due = Keepsake.objects.due(clock.now()).select_related("learner__organization")
    owed = due.select_for_update(skip_locked=True, no_key=True, of=("self",)).first()
    if owed is None:
        return None
    if owed.withdrawn_at or not has_left(owed.learner) or not kept_by(owed.learner).standing().exists():
        owed.due_at = None
        owed.save(update_fields=["due_at"])
        return False
    secret = secrets.token_urlsafe(24)
    try:
        _mail(owed.learner, secret)
    except Exception as exc:  # whatever it is, the others get theirs
        _put_off(owed, exc)
        return False
    owed.digest, owed.mailed_at, owed.due_at = sharing.digest(secret), clock.now(), None
    owed.save(update_fields=["digest", "mailed_at", "due_at"])
    record(_event(EventType.KEEPSAKE_LINK_MAILED, owed), actor=ACTOR)
    return True


def _mail(learner: User, secret: str) -> None:
    language = language_of(learner.locale)
    where = learner.organization.name if learner.organization else "Cerply"
    text = say("keep.mail.text", language, name=learner.name, organization=where, link=url_of(secret))
    subject = " ".join(say("keep.mail.subject", language, organization=where).split())
    send_mail(subject, text, None, [learner.email])


def _put_off(owed: Keepsake, exc: Exception) -> None:
    owed.attempts += 1
    owed.due_at = owed_mail.next_try(owed.attempts, clock.now())
    if owed.due_at:
        logger.warning("keepsake link for %s was not mailed, and is tried again: %s", owed.learner_id, exc)
    else:
        logger.error("keepsake link for %s failed %s times, giving up: %s", owed.learner_id, owed.attempts, exc)
    owed.save(update_fields=["attempts", "due_at"])


def has_left(learner: User) -> bool:
    """Whether she can no longer sign in and look."""
    closed = learner.organization is not None and learner.organization.closed_at is not None
    return closed or not learner.is_active


def kept_by(learner: User) -> CertificateQuerySet:
    """What the page lists: all but those that are erased, or whose place another one has taken."""
    return Certificate.objects.kept().filter(learner=learner, replaced_at=None)


def url_of(secret: str) -> str:
    return f"{settings.PUBLIC_URL}/keep/{secret}"


@transaction.atomic
def send(learner: User, *, actor: Actor) -> Keepsake:
    """Has a new link mailed to her; the one that she has works until then. Raises `Conflict` where there is none."""
    people = User.objects.members().select_related("organization")
    learner = people.select_for_update(no_key=True, of=("self",)).get(id=learner.id)
    if not has_left(learner):
        raise Conflict("She has an account, and finds her certificates there.")
    if not kept_by(learner).standing().exists():
        raise Conflict("She has no certificates to keep.")
    now = clock.now()
    keepsake, _ = Keepsake.objects.get_or_create(
        learner=learner, left_at=_left_at(learner, now), defaults={"organization_id": learner.member_of}
    )
    if keepsake.withdrawn_at:
        keepsake.digest = keepsake.withdrawn_at = None
    keepsake.requested_at, keepsake.due_at, keepsake.attempts, keepsake.mailed_at = now, now, 0, None
    keepsake.save()
    record(_event(EventType.KEEPSAKE_LINK_REQUESTED, keepsake), actor=actor)
    enqueue(JOB)
    return keepsake


def _left_at(learner: User, now: datetime) -> datetime:
    """Of who was deactivated before that was recorded: when she was first sent one."""
    closed_at = learner.organization.closed_at if learner.organization else None
    if known := [moment for moment in (learner.deactivated_at, closed_at) if moment]:
        return min(known)
    before = Keepsake.objects.filter(learner=learner).order_by("-left_at").first()
    return before.left_at if before else now


@transaction.atomic
def withdraw(learner: User, *, actor: Actor) -> int:
    """Ends all of her links, and what is still owed of them. Returns how many there were."""
    live = list(Keepsake.objects.live().filter(learner=learner).order_by("id").select_for_update(no_key=True))
    Keepsake.objects.filter(id__in=[each.id for each in live]).update(withdrawn_at=clock.now(), due_at=None)
    record_many([_event(EventType.KEEPSAKE_LINK_WITHDRAWN, each) for each in live], actor=actor)
    return len(live)


def find(secret: str) -> Keepsake | None:
    """The one of this secret; it may have been withdrawn."""
    keepsakes = Keepsake.objects.select_related("learner", "organization")
    return keepsakes.filter(digest=sharing.digest(secret)).first()


@transaction.atomic
def record_use(keepsake: Keepsake) -> None:
    """To be called each time that it shows somebody something."""
    record(_event(EventType.KEEPSAKE_LINK_USED, keepsake), actor=BY_LINK)


def _event(type_: EventType, keepsake: Keepsake) -> Event:
    metadata = {"keepsakeId": str(keepsake.id)}
    return Event(type_, keepsake.organization_id, "user", keepsake.learner_id, metadata)
