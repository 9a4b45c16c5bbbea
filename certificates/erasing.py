"""Erasing: the name goes, with the credential and the file; what tells a genuine copy from a false one stays.

In the transaction the rows lose it, so that nothing of it is given away any more. The files follow after the commit,
owed by the row of the erasure until they are gone: who is killed in between leaves them to the job.
"""

import logging
from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import QuerySet
from django.utils.module_loading import import_string

from audit.models import AuditEvent, EventType
from audit.recording import Event, record, record_many
from cerply import clock
from cerply.accounts.models import User
from cerply.forgetting import REMOVED, Forgotten
from cerply.permissions import Actor
from certificates import journal, keepsakes, sharing
from certificates.journal import Entry
from certificates.models import Certificate, Credential, Erasure, Suspension
from certificates.name_stores import STORES
from certificates.standing import event_of
from ops.wake import enqueue

logger = logging.getLogger(__name__)


class NotSettled(Exception):
    """The files of some erasures could not be deleted, and are still owed; the log says why."""


@transaction.atomic
def erase(certificate_id: UUID, *, actor: Actor, reason: str, again: Entry | None = None) -> bool:
    """Removes the name from one certificate. False if that is done already. ``again`` is what the journal says."""
    certificates = Certificate.objects.filter(id=certificate_id)
    learner = User.objects.get(id=certificates.values("learner_id")[:1])
    person = _forgotten(learner, reason, again)
    if not _erase(certificates, person, actor=actor):
        return False
    _owe(learner, person.until, again, certificate_id=certificate_id)
    return True


@transaction.atomic
def erase_learner(learner_id: UUID, *, actor: Actor, reason: str, again: Entry | None = None) -> int:
    """Removes the name from all of her certificates and badges, and from every other store of `name_stores`.

    Returns how many certificates there were. Her account stays, with her name: erasing a person is another matter.
    What comes into being later, like a certificate that she earns next, is not touched.
    """
    learner = User.objects.members().get(id=learner_id)
    person = _forgotten(learner, reason, again)
    changed = {}
    for store in STORES:
        if store.forget:
            forget = import_string(store.forget)
            changed[store.place] = forget(person, actor=actor)
    keepsakes.withdraw(learner, actor=actor)
    _owe(learner, person.until, again)
    metadata = {"reason": person.out_of(reason), "changed": changed}
    record(Event(EventType.NAME_ERASED, learner.organization_id, "user", learner.id, metadata), actor=actor)
    return int(changed["certificates"])


def names_of(learner: User) -> set[str]:
    """The names that she bears, or bore as far as anything still says so."""
    names = {learner.name, *Certificate.objects.filter(learner=learner).values_list("learner_name", flat=True)}
    renamed = AuditEvent.objects.filter(subject_id=learner.id, type=EventType.USER_UPDATED)
    for metadata in renamed.values_list("metadata", flat=True):
        names.update(metadata.get("changes", {}).get("name", {}).values())
    return names - {""}


def _forgotten(learner: User, reason: str, again: Entry | None) -> Forgotten:
    ids = {learner.id, *Certificate.objects.filter(learner=learner).values_list("id", flat=True)}
    return Forgotten(learner.id, names_of(learner), again.erased_at if again else clock.now(), reason, ids)


def forget_certificates(person: Forgotten, *, actor: Actor) -> int:
    """All that were issued to her by then."""
    certificates = Certificate.objects.filter(learner_id=person.learner_id, issued_at__lte=person.until)
    return _erase(certificates, person, actor=actor)


def erase_credentials(ids: Collection[UUID]) -> list[Credential]:
    """Empties their documents, in id order; returns those that were not empty. The caller has a transaction."""
    credentials = Credential.objects.filter(id__in=ids).exclude(document="").order_by("id")
    found = list(credentials.select_for_update(no_key=True, of=("self",)))
    Credential.objects.filter(id__in=[credential.id for credential in found]).update(document="")
    return found


def _erase(certificates: QuerySet[Certificate], person: Forgotten, *, actor: Actor) -> int:
    ids = list(certificates.filter(erased_at=None).values_list("id", flat=True))
    # Credentials before certificates, as who signs again has them.
    erase_credentials(ids)
    locked = [certificate for certificate in Certificate.objects.locked(ids) if certificate.erased_at is None]
    for certificate in locked:
        certificate.learner_name, certificate.pdf, certificate.erased_at = "", "", person.until
        certificate.revocation_reason = _reason(certificate.revocation_reason, person)
        certificate.replacement_reason = _reason(certificate.replacement_reason, person)
    fields = ["learner_name", "pdf", "erased_at", "revocation_reason", "replacement_reason"]
    Certificate.objects.bulk_update(locked, fields)
    suspensions = list(Suspension.objects.filter(certificate__in=locked))
    for suspension in suspensions:
        suspension.reason = _reason(suspension.reason, person)
        suspension.reinstatement_reason = _reason(suspension.reinstatement_reason, person)
    Suspension.objects.bulk_update(suspensions, ["reason", "reinstatement_reason"])
    sharing.withdraw_all(locked, actor=actor)
    what = {"reason": person.out_of(person.reason)}
    record_many([event_of(EventType.CERTIFICATE_ERASED, each, what) for each in locked], actor=actor)
    return len(locked)


def _reason(text: str, person: Forgotten) -> str:
    """What there was a reason for keeps one."""
    return text and (person.out_of(text) or REMOVED)[:500]


def _owe(learner: User, moment: datetime, again: Entry | None, certificate_id: UUID | None = None) -> None:
    """Under the id that the journal knows, so that it is not done a third time."""
    erasure = Erasure(
        organization_id=learner.member_of, learner=learner, certificate_id=certificate_id, erased_at=moment
    )
    if again:
        erasure.id = again.id
    erasure.save(force_insert=True)
    enqueue("certificates.erasing.settle_owed")


def settle_owed() -> str:
    """The job: deletes the files of what was erased. Raises `NotSettled` when all have been tried."""
    settled = 0
    failed: list[UUID] = []
    for erasure_id in list(Erasure.objects.unsettled().values_list("id", flat=True)):
        try:
            settled += _settle(erasure_id)
        except Exception:
            logger.exception("the files of erasure %s cannot be deleted", erasure_id)
            failed.append(erasure_id)
    if failed:
        raise NotSettled(f"Settled {settled} erasures; could not settle {len(failed)}, one of them {failed[0]}.")
    return f"Settled {settled} erasures."


@transaction.atomic
def _settle(erasure_id: UUID) -> bool:
    unsettled = Erasure.objects.unsettled().select_for_update(skip_locked=True, no_key=True)
    erasure = unsettled.filter(id=erasure_id).first()
    if erasure is None:
        return False
    certificates = Certificate.objects.filter(learner_id=erasure.learner_id, erased_at__isnull=False)
    if erasure.certificate_id:
        certificates = certificates.filter(id=erasure.certificate_id)
    _delete_files(certificates)
    journal.write(erasure)
    erasure.settled_at = clock.now()
    erasure.save(update_fields=["settled_at"])
    return True


def _delete_files(certificates: Iterable[Certificate]) -> None:
    """Also what no row names: what was left by who was killed while rendering, or before deleting it."""
    for certificate in certificates:
        folder = certificate.file_name.rpartition("/")[0]
        try:
            _, names = default_storage.listdir(folder)
        except FileNotFoundError:
            continue
        for name in names:
            if name.startswith(str(certificate.id)):
                default_storage.delete(f"{folder}/{name}")


def replay() -> str:
    """After a restore: erases again what the storage's journal names and the database has forgotten; files as well."""
    actor = Actor.system("replay_erasures")
    replayed = 0
    for entry in journal.read():
        if Erasure.objects.filter(id=entry.id).exists():
            continue
        reason = f"Erased on {entry.erased_at:%Y-%m-%d}; done again after a restore."
        if entry.certificate_id and Certificate.objects.filter(id=entry.certificate_id).exists():
            replayed += erase(entry.certificate_id, actor=actor, reason=reason, again=entry)
        elif not entry.certificate_id and User.objects.members().filter(id=entry.learner_id).exists():
            erase_learner(entry.learner_id, actor=actor, reason=reason, again=entry)
            replayed += 1
    # The storage may have been restored as well, with files that were deleted since.
    Erasure.objects.update(settled_at=None)
    settle_owed()
    return f"Erased {replayed} again; deleted the files of all that are erased."
