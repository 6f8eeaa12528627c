"""Making what is held about one person unreadable (D30): names, references and texts go; amounts, states, instants,
hashes and the ledger stay.

It must not decide whether somebody may be forgotten.
"""

from __future__ import annotations

from typing import Any

import orjson

from refundgql.domain.texts import fold
from refundgql.storage.database import Source, Transaction

ERASED = "[erased]"
"""What stands where a text was that cannot be nothing."""

_OPEN_CASES = """
SELECT count(*) FROM refund_case c LEFT JOIN lead l ON l.id = c.lead_id
WHERE c.state IN ('REQUESTED', 'APPROVED', 'ESCALATED', 'DISPUTED')
  AND (c.requester_id = ? OR c.counterparty_id = ? OR l.customer_id = ?)"""

_MONEY = """
SELECT (SELECT count(*) FROM ledger_account WHERE kind = 'balance' AND owner_id = ? AND balance_minor <> 0)
  + (SELECT count(*) FROM withdrawal WHERE account_id = ? AND status IN ('REQUESTED', 'SENT'))"""

# Of a contract's two parties: what is released comes to the one, what is returned to the other.
_HELD_MONEY = """
SELECT count(*) FROM contract k JOIN payment p ON p.contract_id = k.id
JOIN ledger_account h ON h.key = 'held:' || CAST(p.id AS TEXT) || ':' || p.currency AND h.balance_minor <> 0
WHERE k.client_id = ? OR k.expert_id = ?"""

_PROPOSALS = "SELECT count(*) FROM refund_case WHERE proposed_by_id = ? AND proposed_decision IS NOT NULL"

_QUESTIONS = """
SELECT count(*) FROM refund_event e JOIN refund_case c ON c.id = e.case_id AND c.information_at = e.at
WHERE e.actor_id = ? AND e.name = 'INFORMATION_REQUESTED'"""

# As whoever decides about this money locks it and raises its versions: one of the two is first, and the other sees it.
_HOLD = (
    "UPDATE contract SET version = version + 1 WHERE client_id = ? OR expert_id = ?",
    "UPDATE payment SET version = version + 1"
    " WHERE contract_id IN (SELECT id FROM contract WHERE client_id = ? OR expert_id = ?)"
    " OR id IN (SELECT payment_id FROM lead WHERE pro_id = ? OR customer_id = ?)",
)

# Each takes the account's id as often as it names one.
_TEXTS = (
    f"UPDATE message SET body = '{ERASED}' WHERE author_id = ?",
    f"UPDATE case_message SET body = '{ERASED}' WHERE author_id = ?",
    f"UPDATE review SET body = '{ERASED}', external_ref = NULL WHERE author_id = ?",
    "UPDATE refund_case SET explanation = NULL, on_behalf_reason = NULL WHERE requester_id = ?",
    "UPDATE refund_case SET on_behalf_reason = NULL WHERE filed_by_id = ?",
    "UPDATE refund_event SET note = NULL, internal_note = NULL WHERE actor_id = ?",
    "UPDATE withdrawal SET failure_reason = NULL WHERE account_id = ? AND failure_reason IS NOT NULL",
    f"UPDATE evidence_upload SET file_name = '{ERASED}' WHERE account_id = ?",
    # A lead's title is its customer's, and stands in what was booked for it.
    f"UPDATE posting SET description = '{ERASED}'"
    " WHERE payment_id IN (SELECT payment_id FROM lead WHERE customer_id = ?)",
    "DELETE FROM idempotent_result WHERE account_id = ?",
    "DELETE FROM case_read WHERE account_id = ?",
)


def erased_reference(account_id: str) -> str:
    """Return the reference that an erased account has in the place of the marketplace's."""
    return f"erased-{account_id}"


async def hold(tx: Transaction, account_id: str) -> None:
    """Let nobody decide about money of somebody's until the transaction ends, nor by what they read before it did."""
    for statement in _HOLD:
        await tx.execute(statement, (account_id,) * statement.count("?"))


async def has_open_case(tx: Transaction, account_id: str) -> bool:
    """Tell whether a case is open that somebody is a party of, or that is about them."""
    return bool(await tx.fetch_value(_OPEN_CASES, (account_id,) * 3))


async def has_money(tx: Transaction, account_id: str) -> bool:
    """Tell whether somebody has a balance, or money on its way."""
    return bool(await tx.fetch_value(_MONEY, (account_id,) * 2))


async def has_money_held(tx: Transaction, account_id: str) -> bool:
    """Tell whether money is held that will be somebody's when it is released, or returned."""
    return bool(await tx.fetch_value(_HELD_MONEY, (account_id,) * 2))


async def has_proposal(tx: Transaction, account_id: str) -> bool:
    """Tell whether a decision that somebody has proposed waits for a second signature (D23)."""
    return bool(await tx.fetch_value(_PROPOSALS, (account_id,)))


async def has_question(tx: Transaction, account_id: str) -> bool:
    """Tell whether a question that somebody has asked waits for its answer (D24)."""
    return bool(await tx.fetch_value(_QUESTIONS, (account_id,)))


async def list_case_payments(tx: Transaction, account_id: str) -> list[str]:
    """Return the payments that somebody has been a party of a case on."""
    sql = "SELECT DISTINCT payment_id FROM refund_case WHERE requester_id = ? OR counterparty_id = ?"
    return [str(row["payment_id"]) for row in await tx.fetch(sql, (account_id,) * 2)]


async def erase(tx: Transaction, account_id: str, at: int) -> None:
    """Make everything unreadable; `at` in microseconds. What they gave as evidence is redacted, its files included."""
    await tx.execute("INSERT INTO erasing (id) VALUES (?)", (account_id,))
    await _erase_names(tx, account_id)
    await _erase_frozen(tx, account_id)
    await tx.execute(
        "UPDATE evidence SET content = NULL, file_name = NULL, redacted_at = COALESCE(redacted_at, ?)"
        " WHERE added_by_id = ? AND kind <> 'CONVERSATION'",
        (at, account_id),
    )
    for statement in _TEXTS:
        await tx.execute(statement, (account_id,))
    await tx.execute("DELETE FROM erasing WHERE id = ?", (account_id,))


async def _erase_names(tx: Transaction, account_id: str) -> None:
    reference = erased_reference(account_id)
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


HELD = {
    "account": "SELECT external_ref, name, roles, created_at FROM account WHERE id = ?",
    "balances": "SELECT purpose, currency, balance_minor FROM ledger_account WHERE kind = 'balance' AND owner_id = ?"
    " ORDER BY key",
    "transactions": "SELECT p.at, p.booked_at, p.description, p.currency, p.amount_minor,"
    " CASE WHEN t.owner_id = o.id THEN 'IN' ELSE 'OUT' END AS direction, c.number AS refund_case"
    " FROM account o JOIN posting p ON TRUE LEFT JOIN ledger_account f ON f.key = p.from_key AND f.kind = 'balance'"
    " LEFT JOIN ledger_account t ON t.key = p.to_key AND t.kind = 'balance'"
    " LEFT JOIN refund_case c ON c.id = p.case_id"
    " WHERE o.id = ? AND (f.owner_id = o.id OR t.owner_id = o.id) ORDER BY p.position",
    "withdrawals": "SELECT id, external_ref, status, currency, amount_minor, requested_at, updated_at, cancelled_at,"
    " failure_reason FROM withdrawal WHERE account_id = ? ORDER BY requested_at, id",
    "leads": "SELECT external_ref, title, category, location, customer_name, currency, price_minor, charged_at"
    " FROM lead WHERE pro_id = ? OR customer_id = ? ORDER BY charged_at, id",
    "chatMessages": "SELECT l.external_ref AS lead, m.external_ref, m.body, m.sent_at, m.deleted_at FROM message m"
    " JOIN lead l ON l.id = m.lead_id WHERE m.author_id = ? ORDER BY m.sent_at, m.id",
    "contracts": "SELECT external_ref, kind, title, status, currency, started_at, ended_at FROM contract"
    " WHERE client_id = ? OR expert_id = ? ORDER BY started_at, id",
    "reviews": "SELECT k.external_ref AS contract, r.external_ref, r.rating, r.body, r.posted_at, r.edited_at"
    " FROM review r JOIN contract k ON k.id = r.contract_id WHERE r.author_id = ? OR r.subject_id = ?"
    " ORDER BY r.posted_at, r.id",
    "refundCases": "SELECT number, kind, state, reason, reason_detail, explanation, currency, requested_minor,"
    " approved_minor, credited_minor, opened_at, decided_at, credited_at, reversed_at FROM refund_case"
    " WHERE requester_id = ? OR counterparty_id = ? ORDER BY number",
    "refundEvents": "SELECT c.number AS refund_case, e.sequence, e.name, e.at, e.currency, e.amount_minor, e.rule,"
    " CASE WHEN e.actor_id = o.id THEN e.note END AS note,"
    " CASE WHEN e.actor_id = o.id THEN e.internal_note END AS internal_note"
    " FROM account o JOIN refund_case c ON TRUE JOIN refund_event e ON e.case_id = c.id"
    " WHERE o.id = ? AND (c.requester_id = o.id OR c.counterparty_id = o.id OR e.actor_id = o.id)"
    " ORDER BY c.number, e.sequence",
    "evidence": "SELECT c.number AS refund_case, x.kind, x.added_at, x.sha256, x.content, x.file_name, x.content_type,"
    " x.size_bytes FROM evidence x JOIN refund_case c ON c.id = x.case_id WHERE x.added_by_id = ?"
    " AND x.kind <> 'CONVERSATION' ORDER BY x.added_at, x.id",
    "caseMessages": "SELECT c.number AS refund_case, m.audience, m.body, m.sent_at FROM case_message m"
    " JOIN refund_case c ON c.id = m.case_id WHERE m.author_id = ? ORDER BY m.sent_at, m.id",
    "reportsAboutThem": "SELECT c.number AS refund_case, r.detail AS what, r.at FROM customer_report r"
    " JOIN refund_case c ON c.id = r.case_id WHERE r.customer_id = ? ORDER BY r.at, r.id",
    "read": "SELECT c.number AS refund_case, r.sequence FROM case_read r JOIN refund_case c ON c.id = r.case_id"
    " WHERE r.account_id = ? ORDER BY c.number",
    "announcedFiles": "SELECT file_name, content_type, size_bytes, expires_at, used_at, abandoned_at"
    " FROM evidence_upload WHERE account_id = ? ORDER BY expires_at, id",
    "acts": "SELECT at, action, detail FROM audit_entry WHERE account_id = ? ORDER BY at, id",
}
"""What is held, by the name it has in the archive; each statement takes the account's id for every mark in it."""


async def evidence_files_of(source: Source, account_id: str) -> list[tuple[str, str]]:
    """Return the files that somebody gave as evidence: a name that is unique, and the key in the store."""
    rows = await source.fetch(
        "SELECT id, file_name, storage_key FROM evidence WHERE added_by_id = ? AND storage_key IS NOT NULL",
        (account_id,),
    )
    return [(f"{row['id']}-{row['file_name']}", row["storage_key"]) for row in rows]
