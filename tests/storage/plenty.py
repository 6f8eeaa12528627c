"""A desk with as many cases as asked for, a million in its whole form, written by the database itself in seconds."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from refundgql.storage.statements import for_sqlite

START_MICROS = 1_672_531_200_000_000  # 2023-01-01T00:00Z
SPAN_MICROS = 94_608_000_000_000
"""Three years, over which the cases are spread."""
DAY_MICROS = 86_400_000_000
STAFF = 10
BIG = 1
"""The account that has a fiftieth of everything."""

_OPEN = "('REQUESTED', 'APPROVED', 'ESCALATED', 'DISPUTED')"


@dataclass(frozen=True)
class Writing:
    """How one database spells what differs."""

    cases: int
    id: Callable[[int, str], str]
    """The uuid of the n-th thing of a kind."""
    numbers: Callable[[int], str]
    """A relation of the numbers `n` up to one."""

    @property
    def accounts(self) -> int:
        """Return how many people there are."""
        return max(self.cases // 50, 20)

    @property
    def contracts(self) -> int:
        """Return how many contracts there are."""
        return max(self.cases // 10, 10)


def account(number: int) -> str:
    """Return the id of the n-th account."""
    return _uuid(1, number)


def staff(number: int) -> str:
    """Return the id of the n-th member of support."""
    return _uuid(2, number)


def case(number: int) -> str:
    """Return the id of the n-th case."""
    return _uuid(10, number)


def _uuid(kind: int, number: int) -> str:
    return f"{kind:08x}-0000-7000-8000-{number:012x}"


def _people(w: Writing) -> Iterator[str]:
    yield (
        "INSERT INTO account (id, external_ref, name, roles, created_at)"
        f" SELECT {w.id(1, 'n')}, 'person-' || n, 'Person Number ' || n, 'CLIENT,EXPERT,PRO', {START_MICROS}"
        f" FROM {w.numbers(w.accounts)}"
    )
    yield (
        "INSERT INTO account (id, external_ref, name, roles, created_at)"
        f" SELECT {w.id(2, 'n')}, 'staff-' || n, 'Staff ' || n, 'SUPPORT', {START_MICROS} FROM {w.numbers(STAFF)}"
    )
    yield (
        "INSERT INTO account (id, external_ref, name, roles, created_at)"
        f" SELECT {w.id(2, '100')}, 'market', 'Market', 'SERVICE', {START_MICROS}"
    )
    for purpose in ("LEADS", "CONTRACTS"):
        yield (
            "INSERT INTO ledger_account (key, kind, owner_id, purpose, currency, balance_minor)"
            f" SELECT 'balance:' || {w.id(1, 'n')} || ':{purpose}:USD', 'balance', {w.id(1, 'n')}, '{purpose}', 'USD',"
            f" 10000 FROM {w.numbers(w.accounts)}"
        )


def _sides(w: Writing) -> tuple[str, str]:
    """Return who asks and who answers in the n-th case, as numbers of accounts."""
    return f"(CASE WHEN n % 50 = 0 THEN {BIG} ELSE 1 + n * 31 % {w.accounts} END)", f"(1 + (n * 17 + 5) % {w.accounts})"


def _subjects(w: Writing) -> Iterator[str]:
    """What cases are about: half are leads, the others belong to contracts."""
    me, other = _sides(w)
    contract = w.id(5, f"1 + n % {w.contracts}")
    each = w.numbers(w.cases)
    at = f"{START_MICROS} + n * {SPAN_MICROS // w.cases}"
    yield (
        "INSERT INTO contract (id, external_ref, kind, client_id, expert_id, title, status, currency, started_at,"
        f" ended_at) SELECT {w.id(5, 'n')}, 'contract-' || n, CASE WHEN n % 3 = 0 THEN 'FIXED_PRICE' ELSE 'HOURLY' END,"
        f" {w.id(1, me)}, {w.id(1, other)}, 'Contract Number ' || n, CASE WHEN n % 20 = 0 THEN 'OPEN' ELSE 'CLOSED'"
        f" END, 'USD', {START_MICROS} + n * {SPAN_MICROS // w.contracts}, NULL FROM {w.numbers(w.contracts)}"
    )
    yield (
        "INSERT INTO payment (id, kind, contract_id, currency, paid_minor)"
        f" SELECT {w.id(3, 'n')}, CASE WHEN n % 2 = 0 THEN 'LEAD' ELSE 'INVOICE' END,"
        f" CASE WHEN n % 2 = 1 THEN {contract} END, 'USD', 60000 FROM {each}"
    )
    yield (
        "INSERT INTO lead (id, external_ref, payment_id, pro_id, customer_id, customer_name, title, category,"
        " category_folded, location, price_minor, currency, charged_at, last_message_at)"
        f" SELECT {w.id(4, 'n')}, 'lead-' || n, {w.id(3, 'n')}, {w.id(1, me)}, {w.id(1, other)},"
        " 'Customer Number ' || n, 'Lead Number ' || n, 'Category ' || n % 200, 'category ' || n % 200, 'Town', 1000,"
        f" 'USD', {at}, CASE WHEN n % 4 = 0 THEN {at} + {DAY_MICROS} END FROM {each} WHERE n % 2 = 0"
    )
    yield (
        "INSERT INTO invoice (id, external_ref, number, contract_id, payment_id, amount_minor, currency, status,"
        f" issued_at, paid_at) SELECT {w.id(6, 'n')}, 'invoice-' || n, 'I-' || n, {contract}, {w.id(3, 'n')}, 60000,"
        f" 'USD', 'PAID', {at}, {at} FROM {each} WHERE n % 2 = 1 AND n % 100 <> 1 AND n % 20 <> 3"
    )
    yield (
        "INSERT INTO milestone (id, external_ref, contract_id, payment_id, title, amount_minor, currency, status)"
        f" SELECT {w.id(7, 'n')}, 'milestone-' || n, {contract}, {w.id(3, 'n')}, 'Step Number ' || n, 60000, 'USD',"
        f" 'FUNDED' FROM {each} WHERE n % 20 = 3"
    )
    yield (
        "INSERT INTO billing_week (id, external_ref, contract_id, payment_id, starts_at, ends_at, hours, rate_minor,"
        f" amount_minor, currency) SELECT {w.id(8, 'n')}, 'week-' || n, {contract}, {w.id(3, 'n')},"
        " n * 604800000000, (n + 1) * 604800000000, '10', 6000, 60000, 'USD'"
        f" FROM {each} WHERE n % 100 = 1"
    )
    yield (
        "INSERT INTO message (id, external_ref, lead_id, author_id, body, sent_at)"
        f" SELECT {w.id(11, 'n')}, 'message-' || n, {w.id(4, 'n - n % 20')}, {w.id(1, me)}, 'Hello', {at}"
        f" FROM {each} WHERE n % 5 = 0 AND n >= 20"
    )
    yield (
        "INSERT INTO review (id, contract_id, author_id, subject_id, rating, body, posted_at)"
        f" SELECT {w.id(12, 'n')}, {w.id(5, 'n')}, {w.id(1, me)}, {w.id(1, other)}, 5, 'Good', {START_MICROS}"
        f" FROM {w.numbers(w.contracts // 2)}"
    )


_STATE = """CASE WHEN n * 7919 % 1000 < 40 THEN 'REQUESTED' WHEN n * 7919 % 1000 < 60 THEN 'ESCALATED'
 WHEN n * 7919 % 1000 < 70 THEN 'DISPUTED' WHEN n * 7919 % 1000 < 75 THEN 'APPROVED'
 WHEN n * 7919 % 1000 < 275 THEN 'DECLINED' WHEN n * 7919 % 1000 < 375 THEN 'CANCELLED' ELSE 'CREDITED' END"""
_MOVE = """CASE WHEN state IN ('ESCALATED', 'DISPUTED') OR (state = 'REQUESTED' AND n % 2 = 0) THEN 'SUPPORT'
 WHEN state = 'REQUESTED' THEN 'COUNTERPARTY' WHEN state = 'APPROVED' THEN 'SYSTEM' ELSE 'NOBODY' END"""


def _cases(w: Writing) -> Iterator[str]:
    me, other = _sides(w)
    yield f"""INSERT INTO refund_case (number, id, kind, state, route, opened_by, payment_id, lead_id, contract_id,
 invoice_id, milestone_id, billing_week_id, requester_id, counterparty_id, filed_by_id, reason, currency,
 requested_minor, approved_minor, credited_minor, settlement, opened_at, updated_at, decided_at, approved_at,
 credited_at, deadline_at, overdue, whose_move, assignee_id, version, policy_version)
 SELECT n, {w.id(10, "n")}, kind, state, 'SUPPORT', CASE WHEN n % 40 = 5 THEN 'ISSUE' ELSE 'REQUEST' END,
 {w.id(3, "n")}, CASE WHEN kind = 'LEAD' THEN {w.id(4, "n")} END,
 CASE WHEN kind <> 'LEAD' THEN {w.id(5, f"1 + n % {w.contracts}")} END,
 CASE WHEN kind = 'INVOICE' THEN {w.id(6, "n")} END, CASE WHEN kind = 'ESCROW' THEN {w.id(7, "n")} END,
 CASE WHEN kind = 'TIMESHEET' THEN {w.id(8, "n")} END, {w.id(1, me)},
 CASE WHEN kind <> 'LEAD' THEN {w.id(1, other)} END,
 CASE WHEN n % 1000 = 0 THEN {w.id(2, "1")} ELSE {w.id(1, me)} END,
 CASE WHEN kind <> 'LEAD' THEN NULL WHEN n % 1000 = 8 THEN 'OTHER' WHEN n % 4 = 0 THEN 'JOB_CHANGED'
 ELSE 'NOT_HIRED' END,
 CASE WHEN n % 10 = 1 THEN 'EUR' WHEN n % 100 = 7 THEN 'JPY' ELSE 'USD' END, minor,
 CASE WHEN state IN ('APPROVED', 'CREDITED') THEN minor END, CASE WHEN state = 'CREDITED' THEN minor END,
 CASE state WHEN 'APPROVED' THEN 'AWAITING_FUNDS' WHEN 'CREDITED' THEN 'SETTLED' ELSE 'NOT_DUE' END,
 at, at + {DAY_MICROS}, CASE WHEN state IN ('APPROVED', 'DECLINED', 'CREDITED') THEN at + {DAY_MICROS} END,
 CASE WHEN state IN ('APPROVED', 'CREDITED') THEN at + {DAY_MICROS} END,
 CASE WHEN state = 'CREDITED' THEN at + {DAY_MICROS} END,
 CASE WHEN state IN {_OPEN} AND n % 3 <> 0 THEN at + {2 * DAY_MICROS} END, state IN {_OPEN} AND n % 7 = 0,
 {_MOVE}, CASE WHEN state <> 'CANCELLED' AND n % 9 = 0 THEN {w.id(2, f"1 + n % {STAFF}")} END, 2, 'x'
 FROM (SELECT n, {_STATE} AS state, 100 + n * 13 % 50000 AS minor, {START_MICROS} + n * {SPAN_MICROS // w.cases} AS at,
 CASE WHEN n % 2 = 0 THEN 'LEAD' WHEN n % 100 = 1 THEN 'TIMESHEET' WHEN n % 20 = 3 THEN 'ESCROW' ELSE 'INVOICE' END
 AS kind FROM {w.numbers(w.cases)}) AS made"""
    snapshot = '{"kind": "LEAD", "state": "REQUESTED", "whose_move": "SUPPORT"}'
    for sequence, actor in ((1, w.id(1, me)), (2, w.id(2, "2"))):
        yield (
            "INSERT INTO refund_event (position, commit_order, id, case_id, sequence, name, at, actor_id, actor_role,"
            f" to_state, currency, facts, snapshot) SELECT n + {(sequence - 1) * w.cases}, {{order}}, "
            f"{w.id(20 + sequence, 'n')}, {w.id(10, 'n')}, {sequence}, 'REQUEST', {START_MICROS} + n, {actor}, 'PRO',"
            f" 'REQUESTED', 'USD', '[]', '{snapshot}' FROM {w.numbers(w.cases)}"
        ).replace("{order}", f"(CASE WHEN {{ordered}} THEN 1000 + n + {(sequence - 1) * w.cases} ELSE 0 END)")


def _money(w: Writing) -> Iterator[str]:
    me, other = _sides(w)
    yield (
        "INSERT INTO posting (position, id, at, fact, from_key, to_key, amount_minor, currency, description, case_id,"
        f" payment_id) SELECT n, {w.id(9, 'n')}, {START_MICROS} + n * {SPAN_MICROS // w.cases}, 'CREDIT',"
        f" CASE WHEN n % 2 = 0 THEN 'platform_leads:USD' ELSE 'balance:' || {w.id(1, other)} || ':CONTRACTS:USD' END,"
        f" 'balance:' || {w.id(1, me)} || CASE WHEN n % 2 = 0 THEN ':LEADS:USD' ELSE ':CONTRACTS:USD' END,"
        f" 100, 'USD', 'Refund', {w.id(10, 'n')}, {w.id(3, 'n')} FROM {w.numbers(w.cases)} WHERE {me} <> {other}"
    )
    yield (
        "INSERT INTO withdrawal (id, account_id, currency, amount_minor, status, requested_at, updated_at,"
        f" estimated_from, estimated_until) SELECT {w.id(13, 'n')}, {w.id(1, me)}, 'USD', 100,"
        f" CASE WHEN n % 1000 = 0 THEN 'REQUESTED' ELSE 'PAID' END, {START_MICROS} + n, 0, '2023-01-01', '2023-01-05'"
        f" FROM {w.numbers(w.cases // 10)}"
    )


def _rest(w: Writing) -> Iterator[str]:
    """What hangs on cases, and what is timed or remembered."""
    me, _ = _sides(w)
    tenth = w.numbers(w.cases // 10)
    yield (
        f"INSERT INTO clock (id, case_id, name, due_at) SELECT {w.id(14, 'n')}, {w.id(10, 'n')}, 'SLA_DECISION',"
        f" {START_MICROS} + n * {SPAN_MICROS // w.cases * 10} FROM {tenth}"
    )
    yield (
        "INSERT INTO idempotent_result (account_id, key, operation, input_sha256, result, created_at)"
        f" SELECT {w.id(1, me)}, 'key-' || n, 'x', 'x', '{{}}', {START_MICROS} + n * {SPAN_MICROS // w.cases * 10}"
        f" FROM {tenth}"
    )
    yield (
        "INSERT INTO evidence (id, case_id, kind, added_at, added_by_id, sha256, content)"
        f" SELECT {w.id(15, 'n')}, {w.id(10, 'n')}, 'STATEMENT', {START_MICROS}, {w.id(1, me)}, 'x', 'So.' FROM {tenth}"
    )
    yield (
        "INSERT INTO case_message (id, case_id, author_id, audience, body, sent_at)"
        f" SELECT {w.id(16, 'n')}, {w.id(10, 'n')}, {w.id(1, me)}, 'EVERYONE', 'Hello', {START_MICROS} FROM {tenth}"
    )
    yield (
        "INSERT INTO case_read (account_id, case_id, sequence)"
        f" SELECT {w.id(2, '1')}, {w.id(10, 'n')}, 1 + n % 2 FROM {w.numbers(w.cases // 100)}"
    )
    yield (
        f"INSERT INTO customer_report (id, customer_id, case_id, at) SELECT {w.id(17, 'n')}, {w.id(1, me)},"
        f" {w.id(10, 'n * 2')}, {START_MICROS} FROM {w.numbers(w.cases // 50)}"
    )
    yield (
        "INSERT INTO evidence_upload (id, case_id, account_id, file_name, content_type, size_bytes, sha256, expires_at,"
        f" used_at) SELECT {w.id(18, 'n')}, {w.id(10, 'n')}, {w.id(1, me)}, 'f', 'text/plain', 1, 'x',"
        f" {START_MICROS} + n, CASE WHEN n % 100 <> 0 THEN {START_MICROS} + n END FROM {w.numbers(w.cases // 50)}"
    )


def _fill(w: Writing, *, ordered: bool) -> Iterator[str]:
    for part in (_people, _subjects, _cases, _money, _rest):
        for statement in part(w):
            yield statement.replace("{ordered}", str(ordered))


async def fill_postgres(url: str, cases: int) -> None:
    """Fill a fresh PostgreSQL database; what opens it next aligns its stream."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute(
                "SET LOCAL session_replication_role = replica"
            )  # triggers look at one row at a time
            await connection.execute("SET LOCAL synchronous_commit = off")
            await connection.execute("SET LOCAL maintenance_work_mem = '256MB'")
            indexes = await connection.fetch(
                "SELECT i.indexrelid::regclass AS name, pg_get_indexdef(i.indexrelid) AS made FROM pg_index i"
                " JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace s ON s.oid = t.relnamespace"
                " WHERE s.nspname = 'public' AND NOT i.indisunique"
            )
            for index in indexes:
                await connection.execute(f"DROP INDEX {index['name']}")
            written = Writing(
                cases,
                lambda kind, n: f"CAST('{kind:08x}-0000-7000-8000-' || lpad(to_hex({n}), 12, '0') AS uuid)",
                lambda size: f"generate_series(1::bigint, {size}) AS numbers(n)",
            )
            for statement in _fill(written, ordered=True):
                await connection.execute(statement)
            for index in indexes:
                await connection.execute(index["made"])
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


def fill_sqlite(path: Path, cases: int) -> None:
    """Fill a fresh SQLite database."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        for pragma in ("foreign_keys = OFF", "synchronous = OFF", "cache_size = -262144", "temp_store = MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        put_off = connection.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE type = 'trigger'"
            " OR (type = 'index' AND sql IS NOT NULL AND sql NOT LIKE 'CREATE UNIQUE%')"
        ).fetchall()
        for kind, name, _ in put_off:
            connection.execute(f'DROP {kind} "{name}"')
        connection.execute("BEGIN")
        connection.execute("CREATE TEMP TABLE numbers (n INTEGER PRIMARY KEY)")
        connection.execute(
            "INSERT INTO numbers WITH RECURSIVE up(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < ?)"
            " SELECT n FROM up",
            (cases,),
        )
        written = Writing(
            cases,
            lambda kind, n: f"printf('{kind:08x}-0000-7000-8000-%012x', {n})",
            lambda size: f"(SELECT n FROM numbers WHERE n <= {size}) AS numbers",
        )
        for statement in _fill(written, ordered=False):
            connection.execute(for_sqlite(statement).sql)
        for _, _, made in put_off:
            connection.execute(made)
        connection.execute("COMMIT")  # and no ANALYZE: nobody runs one on a file that just grew
    finally:
        connection.close()
