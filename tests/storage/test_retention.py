"""What repeats, logs and conveniences need goes when its time is over; what happened stays."""

from __future__ import annotations

from refundgql.domain.calendar import DAY_MICROS
from refundgql.storage.database import Database
from refundgql.storage.retention import Retention, purge

PERSON = "01920000-0000-7000-8000-00000000000a"


async def _mark(database: Database, number: int, state: str, updated_at: int) -> None:
    """Add a case with a mark of reading, without what it hangs on."""
    case_id = f"01920000-0000-7000-8000-0000000001{number:02}"
    async with database.transaction() as tx:
        if database.dialect == "sqlite":
            await tx.execute("PRAGMA defer_foreign_keys = ON")
        await tx.execute(
            "INSERT INTO payment (id, kind, currency, paid_minor) VALUES (?, 'LEAD', 'USD', 100)", (case_id,)
        )
        await tx.execute(
            "INSERT INTO refund_case (number, id, kind, state, route, opened_by, payment_id, requester_id, filed_by_id,"
            " currency, settlement, opened_at, updated_at, whose_move, policy_version, approved_minor, credited_minor,"
            " credited_at)"
            " VALUES (?, ?, 'LEAD', ?, 'SUPPORT', 'REQUEST', ?, ?, ?, 'USD', 'NOT_DUE', 1, ?, 'NOBODY', 'x', ?, ?, ?)",
            (number, case_id, state, case_id, PERSON, PERSON, updated_at, *[100 if state == "CREDITED" else None] * 3),
        )
        await tx.execute("INSERT INTO case_read (account_id, case_id, sequence) VALUES (?, ?, 1)", (PERSON, case_id))


async def test_marks_of_cases_that_were_decided_long_ago_go(database: Database) -> None:
    """Only of decided ones, only when the setting says so, and only after its days; in batches as at once."""
    now = 1_000 * DAY_MICROS
    async with database.transaction() as tx:
        await tx.execute(
            "INSERT INTO account (id, external_ref, name, roles, created_at) VALUES (?, 'a', 'a', '', 1)", (PERSON,)
        )
    for number, (state, age_days) in enumerate(
        [("CREDITED", 101), ("DECLINED", 101), ("CANCELLED", 99), ("ESCALATED", 101)], start=1
    ):
        await _mark(database, number, state, now - age_days * DAY_MICROS)
    await purge(database, now, Retention())
    assert await database.fetch_value("SELECT count(*) FROM case_read") == 4
    await purge(database, now, Retention(read_mark_days=100))
    rows = await database.fetch(
        "SELECT c.number FROM case_read r JOIN refund_case c ON c.id = r.case_id ORDER BY c.number"
    )
    assert [row["number"] for row in rows] == [3, 4]
