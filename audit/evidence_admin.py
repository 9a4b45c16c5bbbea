"""The evidence in the admin: heads, keys, and what verification found. Nobody changes any of it."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.html import format_html_join

from audit.heads import Head
from audit.models import AuditKey, Segment, Verification
from cerply.console import ReadOnlyAdmin


@admin.register(Segment)
class SegmentAdmin(ReadOnlyAdmin):
    list_display = ["sealed_at", "organization_id", "number", "week", "size", "total", "short_hash"]
    list_select_related = ["key"]
    search_fields = ["organization_id"]
    search_help_text = "The whole id of an organization, or of a segment's first event; or a head."
    sortable_by = ()
    ordering = ["-sealed_at", "-id"]
    fields = ["head", "organization_id", "number", "week", "size", "total", "latest_at", "sealed_at", "key", "signed"]
    readonly_fields = ["head", "signed"]

    def find(self, queryset: QuerySet[Segment], term: str, key: UUID | None) -> QuerySet[Segment]:
        if head := Head.parse(term):
            return queryset.filter(organization_id=head.organization_id, number=head.number)
        return queryset.filter(organization_id=key) | queryset.filter(id=key) if key else queryset.none()

    @admin.display(description="hash")
    def short_hash(self, segment: Segment) -> str:
        return f"{bytes(segment.hash).hex()[:16]}…"

    @admin.display(description="head")
    def head(self, segment: Segment) -> str:
        return str(Head.of(segment))

    @admin.display(description="signature")
    def signed(self, segment: Segment) -> str:
        return bytes(segment.signature).hex()


@admin.register(AuditKey)
class AuditKeyAdmin(ReadOnlyAdmin):
    list_display = ["id", "public", "created_at", "retired_at"]
    fields = ["id", "public", "created_at", "retired_at"]
    readonly_fields = ["public"]

    @admin.display(description="public key")
    def public(self, key: AuditKey) -> str:
        return bytes(key.public_key).hex()


@admin.register(Verification)
class VerificationAdmin(ReadOnlyAdmin):
    list_display = ["started_at", "finished_at", "segments", "events", "problems", "remarks"]
    fields = ["started_at", "finished_at", "segments", "events", "problems", "remarks", "said"]
    readonly_fields = ["said"]
    sortable_by = ()

    @admin.display(description="findings")
    def said(self, verification: Verification) -> Any:
        return format_html_join("", "<div>{}</div>", ((line,) for line in verification.findings)) or "none"
