"""Every store that holds a learner's name, and how it goes from there. The one place that lists them.

`certificates.erasing.erase_learner` goes through it. A test gives a learner a name that nobody else has, does all that
there is to do with her, erases, and looks for the name in every column of every table: who adds a store that keeps
names adds it here.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """``forget`` is called with a `cerply.forgetting.Forgotten` and ``actor``, and returns how many it changed.

    ``columns`` are ``table.column``; of a store without ``forget`` those in which the name stays.
    """

    place: str
    what_happens: str
    forget: str = ""
    columns: tuple[str, ...] = ()


STORES = (
    Store(
        place="certificates",
        what_happens="Name, credential and PDF are erased, share links withdrawn; in the reasons of revocations, "
        "suspensions and replacements “[…]” takes its place.",
        forget="certificates.erasing.forget_certificates",
        columns=(
            "certificates.learner_name",
            "certificates.revocation_reason",
            "certificates.replacement_reason",
            "credentials.document",
            "suspensions.reason",
            "suspensions.reinstatement_reason",
        ),
    ),
    Store(
        place="badges",
        what_happens="The credentials of badges are erased.",
        forget="gamification.certifying.forget_badges",
        columns=("credentials.document",),
    ),
    Store(
        place="notifications",
        what_happens="It is taken out of what managers were told. Their inbox shows the account's name.",
        forget="notifications.milestones.forget_names",
        columns=("manager_notifications.content",),
    ),
    Store(
        place="webhooks",
        what_happens="It is taken out of what the organization's own systems are owed or were sent; what is sent later "
        "is without it. What they have received is theirs. Deliveries go after 30 days.",
        forget="notifications.webhooks.forgetting.forget_names",
        columns=("webhook_deliveries.body",),
    ),
    Store(
        place="idempotency keys",
        what_happens="It is taken out of the kept answers: a replay is without it. They go after 24 hours.",
        forget="ops.idempotency.forget_names",
        columns=("idempotency_keys.body",),
    ),
    # -- what stays --
    Store(
        place="account",
        what_happens="Stays: this removes a name from certificates. Erasing a person is another matter.",
        columns=("users.name",),
    ),
    Store(
        place="audit",
        what_happens="Stays, for evidence is not changed: who was renamed, and what was typed as a reason. Weeks go as "
        "a whole after RETAIN_AUDIT_DAYS. The same lines are in the logs, and go when those do.",
        columns=("audit_events.metadata",),
    ),
    Store(
        place="texts of the organization",
        what_happens="Stay: signatories on designs, names of teams, tracks and API tokens are what somebody typed, and "
        "are changed where they were typed.",
        columns=("certificate_designs.signatories", "teams.name", "api_tokens.name"),
    ),
    # -- what never has it, or is out of reach --
    Store(place="files", what_happens="PDFs are deleted after the commit, owed by a row until they are gone."),
    Store(
        place="queue, job ledger",
        what_happens="Calls, results and details hold ids and numbers alone; finished ones go by themselves.",
    ),
    Store(place="outbox", what_happens="Owed mails are rows that name ids; what was sent is the recipient's."),
    Store(
        place="caches",
        what_happens="The service has none that hold content. A browser keeps a PDF for an hour at most.",
    ),
    Store(
        place="backups",
        what_happens="Hold it until they go. After a restore `manage.py replay_erasures` erases it again.",
    ),
)


def kept_columns() -> set[str]:
    """Where the name may be found after erasing."""
    return {column for store in STORES if not store.forget for column in store.columns}
