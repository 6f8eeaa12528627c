"""Proves the ledger from its raw postings: one statement for each thing that is always true, answering what breaks it.

It must not repair anything, and must not trust a balance, a sum or a state that it can compute.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from refundgql.storage.database import Database


@dataclass(frozen=True, slots=True)
class Finding:
    """One row that breaks an invariant."""

    invariant: str
    detail: dict[str, Any]


class _Check(NamedTuple):
    invariant: str
    sql: str


# Every posting twice: what it takes from one account and what it brings to the other.
_ENTRIES = (
    "SELECT from_key AS key, -amount_minor AS delta, position, from_balance_after_minor AS after, booked_at,"
    " 0 AS side"
    " FROM posting"
    " UNION ALL SELECT to_key, amount_minor, position, to_balance_after_minor, booked_at, 1 FROM posting"
)

_CREDITS = (
    "SELECT case_id, CAST(SUM(CASE WHEN fact = 'CREDIT' THEN amount_minor ELSE 0 END) AS BIGINT) AS credited,"
    " CAST(SUM(CASE WHEN fact = 'REVERSAL' THEN amount_minor ELSE 0 END) AS BIGINT) AS reversed"
    " FROM posting WHERE fact IN ('CREDIT', 'REVERSAL') GROUP BY case_id"
)

_CHECKS = (
    _Check(
        "postings of a currency sum to zero",
        # Row by row: what all postings move may be more than a sum of the database holds.
        "SELECT currency, CAST(SUM(delta) AS BIGINT) AS sum_minor FROM (SELECT currency, amount_minor"
        " * (CASE WHEN to_key LIKE '%:' || currency THEN 1 ELSE 0 END"
        " - CASE WHEN from_key LIKE '%:' || currency THEN 1 ELSE 0 END) AS delta FROM posting) AS entries"
        " WHERE delta <> 0 GROUP BY currency HAVING SUM(delta) <> 0",
    ),
    _Check(
        "a posting moves a positive amount between two accounts",
        "SELECT id, from_key, to_key, amount_minor FROM posting WHERE amount_minor <= 0 OR from_key = to_key",
    ),
    _Check(
        "a balance equals the sum of its postings",
        "SELECT key, MAX(balance) AS balance_minor, CAST(SUM(delta) AS BIGINT) AS postings_minor FROM ("
        f" SELECT key, delta, NULL AS balance FROM ({_ENTRIES}) AS entries"
        " WHERE key NOT LIKE 'external:%' AND key NOT LIKE 'platform_leads:%'"
        " UNION ALL SELECT key, 0, balance_minor FROM ledger_account) AS accounts"
        " GROUP BY key HAVING coalesce(MAX(balance), 0) <> SUM(delta)",
    ),
    _Check(
        "the balance kept with a posting is the balance after it",
        "SELECT key, position, after AS kept_minor, running AS postings_minor FROM ("
        " SELECT key, position, after, CAST(SUM(delta) OVER (PARTITION BY key ORDER BY position, side) AS BIGINT)"
        f" AS running FROM ({_ENTRIES}) AS entries) AS followed"
        " WHERE after <> running"
        " OR (after IS NULL AND key NOT LIKE 'external:%' AND key NOT LIKE 'platform_leads:%')",
    ),
    _Check(
        "a balance may be negative only through a support decision (D13), a chargeback (D25) or the told past",
        "SELECT a.key, a.balance_minor FROM ledger_account a WHERE a.balance_minor < 0 AND NOT (a.kind = 'balance'"
        " AND a.purpose = 'CONTRACTS' AND (EXISTS (SELECT 1 FROM posting p JOIN refund_case c ON c.id = p.case_id"
        " WHERE p.from_key = a.key AND p.fact = 'CREDIT' AND c.support_decided)"
        " OR EXISTS (SELECT 1 FROM posting p LEFT JOIN withdrawal w ON w.id = p.withdrawal_id"
        " WHERE p.from_key = a.key AND (p.fact IN ('OPENING', 'REFUND', 'CHARGEBACK')"
        " OR (p.fact = 'WITHDRAWAL' AND w.external_ref IS NOT NULL)))))",
    ),
    _Check(
        "what is paid is what was posted for it",
        "SELECT p.id AS payment_id, p.paid_minor, coalesce(s.paid, 0) AS postings_minor FROM payment p LEFT JOIN"
        " (SELECT payment_id, CAST(SUM(amount_minor) AS BIGINT) AS paid FROM posting"
        " WHERE fact IN ('PAYMENT', 'CHARGE') GROUP BY payment_id) AS s ON s.payment_id = p.id"
        " WHERE p.paid_minor <> coalesce(s.paid, 0)",
    ),
    _Check(
        "credits less reversals of a payment are what it says and no more than was paid (D9)",
        "SELECT p.id AS payment_id, p.paid_minor, p.refunded_minor, coalesce(s.refunded, 0) AS postings_minor"
        " FROM payment p LEFT JOIN (SELECT c.payment_id, CAST(SUM(t.credited - t.reversed) AS BIGINT) AS refunded"
        f" FROM ({_CREDITS}) AS t JOIN refund_case c ON c.id = t.case_id GROUP BY c.payment_id) AS s"
        " ON s.payment_id = p.id LEFT JOIN (SELECT payment_id, CAST(SUM(amount_minor) AS BIGINT) AS past FROM posting"
        " WHERE fact = 'REFUND' GROUP BY payment_id) AS t ON t.payment_id = p.id"
        " WHERE p.refunded_minor <> coalesce(s.refunded, 0) + coalesce(t.past, 0) OR p.refunded_minor > p.paid_minor",
    ),
    _Check(
        "refunds of the past are posted once",
        "SELECT p.id AS payment_id, coalesce(s.told, 0) AS told_minor, coalesce(t.posted, 0) AS postings_minor"
        " FROM payment p LEFT JOIN (SELECT payment_id, CAST(SUM(amount_minor) AS BIGINT) AS told FROM past_refund"
        " GROUP BY payment_id) AS s ON s.payment_id = p.id LEFT JOIN (SELECT payment_id,"
        " CAST(SUM(amount_minor) AS BIGINT) AS posted FROM posting WHERE fact = 'REFUND' GROUP BY payment_id) AS t"
        " ON t.payment_id = p.id WHERE coalesce(s.told, 0) <> coalesce(t.posted, 0)",
    ),
    _Check(
        "credited and charged back together are no more than was paid (D25)",
        "SELECT p.id AS payment_id, p.paid_minor, p.refunded_minor, p.charged_back_minor,"
        " coalesce(s.wanted, 0) AS told_minor FROM payment p LEFT JOIN"
        " (SELECT payment_id, CAST(SUM(amount_minor) AS BIGINT) AS wanted FROM chargeback WHERE status <> 'WON'"
        " GROUP BY payment_id) AS s ON s.payment_id = p.id"
        " WHERE p.charged_back_minor <> coalesce(s.wanted, 0)"
        " OR p.refunded_minor + p.charged_back_minor > p.paid_minor",
    ),
    _Check(
        "a lost chargeback has left for the bank once (D25)",
        "SELECT p.id AS payment_id, coalesce(s.lost, 0) AS lost_minor, coalesce(t.posted, 0) AS postings_minor"
        " FROM payment p LEFT JOIN (SELECT payment_id, CAST(SUM(amount_minor) AS BIGINT) AS lost FROM chargeback"
        " WHERE status = 'LOST' GROUP BY payment_id) AS s ON s.payment_id = p.id LEFT JOIN (SELECT payment_id,"
        " CAST(SUM(amount_minor) AS BIGINT) AS posted FROM posting WHERE fact = 'CHARGEBACK' GROUP BY payment_id) AS t"
        " ON t.payment_id = p.id WHERE coalesce(s.lost, 0) <> coalesce(t.posted, 0)",
    ),
    _Check(
        "what is reserved is what is approved and not credited (D9)",
        "SELECT p.id AS payment_id, p.reserved_minor, coalesce(s.reserved, 0) AS approved_minor FROM payment p"
        " LEFT JOIN (SELECT payment_id, CAST(SUM(approved_minor) AS BIGINT) AS reserved FROM refund_case"
        " WHERE state = 'APPROVED' GROUP BY payment_id) AS s ON s.payment_id = p.id"
        " WHERE p.reserved_minor <> coalesce(s.reserved, 0)",
    ),
    _Check(
        "a case is credited at most once, with what was approved, and reversed at most once (D16)",
        "SELECT c.id AS case_id, c.number, c.state, c.credited_minor, coalesce(t.credited, 0) AS credits_minor,"
        f" coalesce(t.reversed, 0) AS reversals_minor FROM refund_case c LEFT JOIN ({_CREDITS}) AS t"
        " ON t.case_id = c.id"
        " WHERE coalesce(t.credited, 0) <> coalesce(c.credited_minor, 0)"
        " OR coalesce(t.reversed, 0) <> CASE WHEN c.reversed_at IS NULL THEN 0 ELSE coalesce(c.credited_minor, 0) END"
        " OR (c.state = 'CREDITED') <> (c.credited_minor IS NOT NULL)",
    ),
    _Check(
        "a credit is of an event that says so",
        f"SELECT t.case_id, t.credited AS credits_minor, coalesce(e.times, 0) AS events FROM ({_CREDITS}) AS t"
        " LEFT JOIN (SELECT case_id, COUNT(*) AS times FROM refund_event WHERE name = 'CREDIT' GROUP BY case_id) AS e"
        " ON e.case_id = t.case_id WHERE coalesce(e.times, 0) <> 1",
    ),
    _Check(
        "a reversal points to one posting that is not reversed twice",
        "SELECT r.id, r.fact, r.reverses_id FROM posting r LEFT JOIN posting o ON o.id = r.reverses_id"
        " WHERE (r.fact = 'REVERSAL' AND r.reverses_id IS NULL)"
        " OR (r.reverses_id IS NOT NULL AND (o.id IS NULL OR o.currency <> r.currency OR o.position >= r.position"
        " OR EXISTS (SELECT 1 FROM posting x WHERE x.reverses_id = r.reverses_id AND x.id <> r.id)))",
    ),
    _Check(
        "nothing stays held for a week or a milestone that is over",
        "SELECT a.key, a.balance_minor FROM ledger_account a JOIN"
        " (SELECT payment_id, currency FROM billing_week WHERE released_at IS NOT NULL"
        " UNION ALL SELECT payment_id, currency FROM milestone WHERE status IN ('RELEASED', 'RETURNED')) AS done"
        " ON a.key = 'held:' || CAST(done.payment_id AS TEXT) || ':' || done.currency"
        " WHERE a.balance_minor <> 0",
    ),
    _Check(
        "events of a case are numbered without gaps up to its version, and end in its state",
        "SELECT c.id AS case_id, c.number, c.version, c.state, e.events, e.last FROM refund_case c LEFT JOIN"
        " (SELECT case_id, COUNT(*) AS events, MAX(sequence) AS last FROM refund_event GROUP BY case_id) AS e"
        " ON e.case_id = c.id LEFT JOIN refund_event f ON f.case_id = c.id AND f.sequence = c.version"
        " WHERE coalesce(e.events, 0) <> c.version OR coalesce(e.last, 0) <> c.version"
        " OR coalesce(f.to_state, '') <> c.state",
    ),
    _Check(
        "what a balance books later was booked no earlier (C20)",
        "SELECT key, position, booked_at, earlier FROM (SELECT key, position, booked_at,"
        f" lag(booked_at) OVER (PARTITION BY key ORDER BY position, side) AS earlier FROM ({_ENTRIES}) AS entries"
        " WHERE key NOT LIKE 'external:%' AND key NOT LIKE 'platform_leads:%') AS followed WHERE booked_at < earlier",
    ),
    _Check(
        "a withdrawal's money is in transit until it has arrived or is back (D10)",
        "SELECT w.id AS withdrawal_id, w.status, w.amount_minor, coalesce(a.balance_minor, 0) AS in_transit_minor"
        " FROM withdrawal w LEFT JOIN ledger_account a"
        " ON a.key = 'in_transit:' || CAST(w.id AS TEXT) || ':' || w.currency WHERE coalesce(a.balance_minor, 0)"
        " <> CASE WHEN w.status IN ('REQUESTED', 'SENT') THEN w.amount_minor ELSE 0 END",
    ),
    _Check(
        "a proposed decision holds nothing: its case is undecided, nothing of it is approved or credited (D23)",
        "SELECT id AS case_id, number, state, approved_minor, credited_minor FROM refund_case"
        " WHERE proposed_decision IS NOT NULL AND (state NOT IN ('REQUESTED', 'ESCALATED', 'DISPUTED')"
        " OR approved_minor IS NOT NULL OR credited_minor IS NOT NULL OR proposed_by_id IS NULL)",
    ),
    _Check(
        "a decision is confirmed by somebody else than its proposer, and taken with the confirmation (D23)",
        "SELECT s.case_id, s.sequence FROM refund_event s WHERE s.name = 'CONFIRM' AND NOT EXISTS ("
        " SELECT 1 FROM refund_event p JOIN refund_event d ON d.case_id = p.case_id AND d.sequence = s.sequence + 1"
        " WHERE p.case_id = s.case_id AND p.name = 'PROPOSE' AND p.actor_id <> s.actor_id"
        " AND p.sequence = (SELECT MAX(l.sequence) FROM refund_event l WHERE l.case_id = s.case_id"
        " AND l.sequence < s.sequence AND l.name IN ('PROPOSE', 'RETURN', 'CONFIRM'))"
        " AND d.name IN ('APPROVE', 'DECLINE') AND d.at = s.at)",
    ),
    _Check(
        "a case is reopened once at most, after it was declined, and says so (D22)",
        "SELECT c.id AS case_id, c.number, c.reopened_at, coalesce(e.times, 0) AS events FROM refund_case c LEFT JOIN"
        " (SELECT case_id, COUNT(*) AS times, MAX(at) AS at, MAX(CASE WHEN from_state = 'DECLINED' THEN 0 ELSE 1 END)"
        " AS elsewhere FROM refund_event WHERE name = 'REOPEN' GROUP BY case_id) AS e ON e.case_id = c.id"
        " WHERE (c.reopened_at IS NOT NULL OR e.times IS NOT NULL)"
        " AND (coalesce(e.times, 0) <> 1 OR coalesce(c.reopened_at, 0) <> e.at OR e.elsewhere = 1)",
    ),
    _Check(
        "a payment has one open case at most (D14)",
        "SELECT payment_id, COUNT(*) AS cases FROM refund_case"
        " WHERE state IN ('REQUESTED', 'APPROVED', 'ESCALATED', 'DISPUTED') GROUP BY payment_id HAVING COUNT(*) > 1",
    ),
    _Check(
        "a credit is reversed whole, each of its postings by one as large (D16)",
        "SELECT o.case_id, o.id, o.amount_minor, r.amount_minor AS reversed_minor FROM posting o"
        " LEFT JOIN posting r ON r.reverses_id = o.id WHERE o.fact = 'CREDIT'"
        " AND o.case_id IN (SELECT case_id FROM posting WHERE fact = 'REVERSAL')"
        " AND (r.id IS NULL OR r.amount_minor <> o.amount_minor OR r.from_key <> o.to_key)",
    ),
)

INVARIANTS = tuple(check.invariant for check in _CHECKS)
"""What is proven, in words."""


async def verify(database: Database) -> AsyncIterator[Finding]:
    """Yield every row that breaks an invariant; nothing when the ledger is sound."""
    for check in _CHECKS:
        async for row in database.stream(check.sql):
            yield Finding(check.invariant, {name: row[name] for name in row.keys()})  # noqa: SIM118  # rows, not dicts
