"""The material as the API writes it."""

from typing import Any

from cerply.tracks.models import Item, Track


def track_row(row: Track) -> dict[str, Any]:
    """With its items counted."""
    return {
        "id": str(row.id),
        "externalId": row.external_id,
        "title": row.title,
        "itemCount": getattr(row, "item_count", 0),
    }


def track(row: Track) -> dict[str, Any]:
    items = [item(found) for found in row.items.active().order_by("position", "id")]
    return {
        "id": str(row.id),
        "externalId": row.external_id,
        "title": row.title,
        "itemCount": len(items),
        "description": row.description,
        "criteria": row.criteria,
        "language": row.language,
        "certifiesFrom": row.certifies_from,
        "validMonths": row.valid_months,
        "items": items,
    }


def item(row: Item) -> dict[str, Any]:
    return {"id": str(row.id), "externalId": row.external_id, "title": row.title}


def saved_item(row: Item) -> dict[str, Any]:
    return item(row) | {"position": row.position, "retired": row.retired_at is not None}
