"""Finding things by the marketplace's own references."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from refundgql.storage.database import Source


class ExternalKind(StrEnum):
    """What a reference of the marketplace may stand for."""

    ACCOUNT = "ACCOUNT"
    LEAD = "LEAD"
    MESSAGE = "MESSAGE"
    CONTRACT = "CONTRACT"
    MILESTONE = "MILESTONE"
    BILLING_WEEK = "BILLING_WEEK"
    INVOICE = "INVOICE"
    REVIEW = "REVIEW"
    WITHDRAWAL = "WITHDRAWAL"

    @property
    def type_name(self) -> str:
        """Return the name of the API's type."""
        return self.value.title().replace("_", "")


async def ids_by_ref(source: Source, kind: ExternalKind, refs: Sequence[str]) -> dict[str, str]:
    """Return the id behind each reference that is known."""
    rows = await source.fetch(
        f"SELECT external_ref, id FROM {kind.value.lower()} WHERE external_ref = ANY(?)", (list(refs),)
    )
    return {row[0]: str(row[1]) for row in rows}
