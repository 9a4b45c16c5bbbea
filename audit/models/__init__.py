from audit.models.events import (
    NO_ORGANIZATION,
    AuditEvent,
    AuditEventQuerySet,
    EventType,
    Kpi,
    KpiDelta,
    KpiTotal,
    event_types,
)
from audit.models.evidence import (
    AuditKey,
    Commitment,
    Segment,
    SegmentLeaves,
    SegmentQuerySet,
    UnsealedEvent,
    Verification,
)

__all__ = [
    "NO_ORGANIZATION",
    "AuditEvent",
    "AuditEventQuerySet",
    "AuditKey",
    "Commitment",
    "EventType",
    "Kpi",
    "KpiDelta",
    "KpiTotal",
    "Segment",
    "SegmentLeaves",
    "SegmentQuerySet",
    "UnsealedEvent",
    "Verification",
    "event_types",
]
