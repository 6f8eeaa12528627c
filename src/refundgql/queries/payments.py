"""From what a viewer points at to the facts behind it, when they may see it."""

from __future__ import annotations

from refundgql.domain.facts import Facts
from refundgql.domain.viewers import Viewer
from refundgql.storage.database import Source
from refundgql.storage.facts import load_case_facts, load_payment_facts
from refundgql.storage.subjects import Subject, payment_of
from refundgql.storage.visibility import sees_case, sees_payment

SUBJECTS = {
    "Lead": Subject.LEAD,
    "Invoice": Subject.INVOICE,
    "Milestone": Subject.MILESTONE,
    "BillingWeek": Subject.BILLING_WEEK,
}
"""What can be pointed at, by GraphQL type."""


async def visible_payment_facts(source: Source, viewer: Viewer, type_name: str, subject_id: str) -> Facts | None:
    """Return the facts of the payment behind a subject, or nothing when there is none that the viewer sees."""
    payment_id = await payment_of(source, SUBJECTS[type_name], subject_id)
    if payment_id is None:
        return None
    facts = (await load_payment_facts(source, [payment_id])).get(payment_id)
    return facts if facts is not None and sees_payment(viewer, facts) else None


async def visible_case_facts(source: Source, viewer: Viewer, case_id: str) -> Facts | None:
    """Return the facts of a case, or nothing when there is none that the viewer sees."""
    facts = (await load_case_facts(source, [case_id])).get(case_id)
    return facts if facts is not None and facts.case is not None and sees_case(viewer, facts.case) else None
