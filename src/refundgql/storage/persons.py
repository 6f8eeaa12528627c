"""Making what is held about one person unreadable (D30): names, references and texts go; amounts, states, instants,
hashes and the ledger stay.

It must not decide whether somebody may be forgotten.
"""

from __future__ import annotations

from typing import Any

import orjson

from refundgql.domain.texts import fold
from refundgql.storage.database import Transaction

ERASED = "[erased]"
"""What stands where a text was that cannot be nothing."""

_OPEN_CASES = """
SELECT count(*) FROM refund_case c LEFT JOIN lead l ON l.id = c.lead_id
WHERE c.state IN ('REQUESTED', 'APPROVED', 'ESCALATED', 'DISPUTED')
  AND (c.requester_id = ? OR c.counterparty_id = ? OR l.customer_id = ?)"""

_MONEY = """
SELECT (SELECT count(*) FROM ledger_account WHERE kind = 'balance' AND owner_id = ? AND balance_minor <> 0)
  + (SELECT count(*) FROM withdrawal WHERE account_id = ? AND status IN ('REQUESTED', 'SENT'))"""

# Each takes the account's id as often as it names one.
_TEXTS = (
    f"UPDATE message SET body = '{ERASED}' WHERE author_id = ?",
    f"UPDATE case_message SET body = '{ERASED}' WHERE author_id = ?",
    f"UPDATE review SET body = '{ERASED}', external_ref = NULL WHERE author_id = ?",
    "UPDATE refund_case SET explanation = NULL, on_behalf_reason = NULL WHERE requester_id = ?",
    "UPDATE refund_case SET on_behalf_reason = NULL WHERE filed_by_id = ?",
    "UPDATE refund_event SET note = NULL, internal_note = NULL WHERE actor_id = ?",
    "UPDATE withdrawal SET failure_reason = NULL WHERE account_id = ? AND failure_reason IS NOT NULL",
    f"UPDATE evidence SET content = '{ERASED}' WHERE added_by_id = ? AND kind = 'STATEMENT'",
    f"UPDATE evidence SET file_name = '{ERASED}', content_type = 'application/octet-stream'"
    " WHERE added_by_id = ? AND kind = 'FILE'",
    f"UPDATE evidence_upload SET file_name = '{ERASED}' WHERE account_id = ?",
    "DELETE FROM idempotent_result WHERE account_id = ?",
    "DELETE FROM case_read WHERE account_id = ?",
)


async def has_open_case(tx: Transaction, account_id: str) -> bool:
    """Tell whether a case is open that somebody is a party of, or that is about them."""
    return bool(await tx.fetch_value(_OPEN_CASES, (account_id,) * 3))


async def has_money(tx: Transaction, account_id: str) -> bool:
    """Tell whether somebody has a balance, or money on its way."""
    return bool(await tx.fetch_value(_MONEY, (account_id,) * 2))


async def erase(tx: Transaction, account_id: str) -> list[str]:
    """Make everything unreadable and return the keys of the files to be removed when this holds."""
    await tx.execute("INSERT INTO erasing (id) VALUES (?)", (account_id,))
    files = await tx.fetch(
        "SELECT storage_key FROM evidence WHERE added_by_id = ? AND storage_key IS NOT NULL", (account_id,)
    )
    await _erase_names(tx, account_id)
    await _erase_frozen(tx, account_id)
    for statement in _TEXTS:
        await tx.execute(statement, (account_id,))
    await tx.execute("DELETE FROM erasing WHERE id = ?", (account_id,))
    return [row["storage_key"] for row in files]


async def _erase_names(tx: Transaction, account_id: str) -> None:
    reference = f"erased-{account_id}"
    await tx.execute(
        "UPDATE account SET name = ?, external_ref = ?, roles = '', folded = ? WHERE id = ?",
        (ERASED, reference, f"{fold(ERASED)}\n{fold(reference)}", account_id),
    )
    leads = await tx.fetch("SELECT id, external_ref FROM lead WHERE customer_id = ?", (account_id,))
    await tx.execute_many(
        "UPDATE lead SET customer_name = ?, customer_folded = ?, title = ?, location = ?, folded = ? WHERE id = ?",
        [
            (ERASED, fold(ERASED), ERASED, ERASED, f"{fold(ERASED)}\n{fold(lead['external_ref'])}", lead["id"])
            for lead in leads
        ],
    )


async def _erase_frozen(tx: Transaction, account_id: str) -> None:
    """Take somebody's words out of frozen chats: what others said in them stays, and so does the hash of all of it."""
    rows = await tx.fetch(
        "SELECT x.id, x.content FROM evidence x JOIN refund_case c ON c.id = x.case_id JOIN lead l ON l.id = c.lead_id"
        " WHERE x.kind = 'CONVERSATION' AND x.content IS NOT NULL AND (l.customer_id = ? OR l.pro_id = ?)",
        (account_id, account_id),
    )
    changed = [(orjson.dumps(_without(orjson.loads(row["content"]), account_id)).decode(), row["id"]) for row in rows]
    await tx.execute_many("UPDATE evidence SET content = ? WHERE id = ?", changed)


def _without(messages: list[dict[str, Any]], account_id: str) -> list[dict[str, Any]]:
    gone = {"authorName": ERASED, "body": ERASED}
    return [{**one, **gone} if one["authorId"] == account_id else one for one in messages]
