"""Which cases hold something new for a viewer: an event of somebody else after what they have read."""

from __future__ import annotations

from collections.abc import Sequence

from refundgql.domain.viewers import Viewer
from refundgql.queries.pages import Condition
from refundgql.storage.database import Dialect, Source

# What staff or the other side wrote for somebody else is nothing new for a party (D29).
_FOR_A_PARTY = (
    " AND COALESCE(n.audience, 'EVERYONE') IN ('EVERYONE', CASE WHEN EXISTS (SELECT 1 FROM refund_case o"
    " WHERE o.id = n.case_id AND o.requester_id = ?) THEN 'REQUESTER_AND_SUPPORT' ELSE 'COUNTERPARTY_AND_SUPPORT' END)"
)


def has_unread(viewer: Viewer, case_id: str, *, unread: bool = True, dialect: Dialect = Dialect.SQLITE) -> Condition:
    """Return the condition that the case with the id in a column holds something new for a viewer, or nothing."""
    read = f"SELECT r.sequence FROM case_read r WHERE r.account_id = ? AND r.case_id = {case_id}"
    new = (
        f"EXISTS (SELECT 1 FROM refund_event n WHERE n.case_id = {case_id} AND n.sequence > COALESCE(({read}), 0)"
        f" AND (n.actor_id IS NULL OR n.actor_id <> ?){'' if viewer.is_staff else _FOR_A_PARTY})"
    )
    told = (viewer.account_id,) * (2 if viewer.is_staff else 3)
    if unread:
        return new, told
    # Whatever holds nothing new was read, or was begun by the viewer: few of all cases, found by indexes.
    mine = (
        "SELECT o.case_id FROM case_read o WHERE o.account_id = ?"
        " UNION SELECT o.id FROM refund_case o WHERE o.requester_id = ?"
        " UNION SELECT o.id FROM refund_case o WHERE o.filed_by_id = ? AND o.filed_by_id <> o.requester_id"
    )
    # As an array, so that PostgreSQL looks each of them up, and does not hash all cases for thousands of them.
    among = f"= ANY(ARRAY({mine}))" if dialect is Dialect.POSTGRES else f"IN ({mine})"
    return f"{case_id} {among} AND NOT {new}", ((viewer.account_id,) * 3 + told)


async def unread_cases(source: Source, viewer: Viewer, case_ids: Sequence[str]) -> set[str]:
    """Return which of these cases hold something new for a viewer."""
    condition, parameters = has_unread(viewer, "c.id")
    rows = await source.fetch(
        f"SELECT c.id FROM refund_case c WHERE c.id = ANY(?) AND {condition}", (list(case_ids), *parameters)
    )
    return {row[0] for row in rows}
