"""From what people point at (a lead, an invoice, a milestone, a week) to the payment that cases draw on."""

from __future__ import annotations

from enum import StrEnum

from refundgql.storage.database import Source, Transaction


class Subject(StrEnum):
    """What a case can be about; the value is its table."""

    LEAD = "lead"
    INVOICE = "invoice"
    MILESTONE = "milestone"
    BILLING_WEEK = "billing_week"


_STATEMENTS = {subject: f"SELECT payment_id FROM {subject.value} WHERE id = ?" for subject in Subject}


async def payment_of(source: Source | Transaction, subject: Subject, subject_id: str) -> str | None:
    """Return the id of the payment behind one of them, if it exists."""
    found = await source.fetch_value(_STATEMENTS[subject], (subject_id,))
    return None if found is None else str(found)
