"""No statement of a decision or of the stream reads a whole table, however large the tables have grown."""

from __future__ import annotations

import re

from seeds import credit, lead, lead_case, locked_facts, open_case

from refundgql.domain import ledger as keys
from refundgql.domain.vocabulary import BalancePurpose
from refundgql.storage.accounts import find_viewer, find_viewer_by_ref
from refundgql.storage.cases import save_decision
from refundgql.storage.clocks import next_due_at
from refundgql.storage.database import Database, Dialect
from refundgql.storage.events import Cursor, read_stream, stream_head
from refundgql.storage.facts import load_case_facts, load_payment_facts
from refundgql.storage.idempotency import find_result, store_result
from refundgql.storage.statements import counted_statements, for_postgres, for_sqlite

SIZE = 5_000

# As many rows as make reading all of them the slower plan; ids are made from numbers, one kind of row after another.
_FILL = (
    "INSERT INTO account (id, external_ref, name, roles, created_at)"
    " SELECT md5('a' || n)::uuid, 'r' || n, 'N', 'PRO', 0 FROM generate_series(1, {size}) n",
    "INSERT INTO payment (id, kind, currency, paid_minor) SELECT md5('p' || n)::uuid, 'LEAD', 'USD', 5"
    " FROM generate_series(1, {size}) n",
    "INSERT INTO lead (id, external_ref, payment_id, pro_id, customer_id, customer_name, title, category, location,"
    " price_minor, currency, charged_at) SELECT md5('l' || n)::uuid, 'r' || n, md5('p' || n)::uuid,"
    " md5('a' || n)::uuid, md5('a' || n)::uuid, 'C', 'T', 'C', 'L', 5, 'USD', 0 FROM generate_series(1, {size}) n",
    "INSERT INTO refund_case (number, id, kind, state, route, opened_by, payment_id, lead_id, requester_id,"
    " filed_by_id, currency, settlement, opened_at, updated_at, whose_move, policy_version) SELECT 1000000 + n,"
    " md5('c' || n)::uuid, 'LEAD', 'REQUESTED', 'SUPPORT', 'REQUEST', md5('p' || n)::uuid, md5('l' || n)::uuid,"
    " md5('a' || n)::uuid, md5('a' || n)::uuid, 'USD', 'NOT_DUE', 0, 0, 'SUPPORT', 'x'"
    " FROM generate_series(1, {size}) n",
    "INSERT INTO refund_event (id, case_id, sequence, name, at, actor_role, to_state, currency, facts, snapshot)"
    " SELECT md5('e' || n)::uuid, md5('c' || n)::uuid, 1, 'REQUEST', 0, 'PRO', 'REQUESTED', 'USD', '[]', '{{}}'"
    " FROM generate_series(1, {size}) n",
    "INSERT INTO ledger_account (key, kind, owner_id, purpose, currency) SELECT 'balance:' || md5('a' || n)::uuid ||"
    " ':LEADS:USD', 'balance', md5('a' || n)::uuid, 'LEADS', 'USD' FROM generate_series(1, {size}) n",
    "INSERT INTO posting (id, at, fact, from_key, to_key, amount_minor, currency, description, case_id)"
    " SELECT md5('m' || n)::uuid, 0, 'CREDIT', 'platform_leads:USD', 'balance:' || md5('a' || n)::uuid ||"
    " ':LEADS:USD', 5, 'USD', 'X', md5('c' || n)::uuid FROM generate_series(1, {size}) n",
    "INSERT INTO clock (id, case_id, name, due_at) SELECT md5('k' || n)::uuid, md5('c' || n)::uuid, 'SLA_DECISION', n"
    " FROM generate_series(1, {size}) n",
    "INSERT INTO idempotent_result (account_id, key, operation, input_sha256, result, created_at)"
    " SELECT md5('a' || n)::uuid, 'k' || n, 'x', 'x', '{{}}', n FROM generate_series(1, {size}) n",
    "INSERT INTO contract (id, external_ref, kind, client_id, expert_id, title, status, currency, started_at)"
    " SELECT md5('o' || n)::uuid, 'r' || n, 'HOURLY', md5('a' || n)::uuid, md5('a' || n)::uuid, 'T', 'OPEN', 'USD', 0"
    " FROM generate_series(1, {size}) n",
)


_FILLED = {statement.split()[2] for statement in _FILL}


async def _whole_reads(database: Database, sql: str) -> set[str]:
    """Return the tables that a statement's plan reads whole."""
    async with database.transaction() as tx:
        if database.dialect is Dialect.SQLITE:
            statement = for_sqlite(sql).sql
            rows = await tx.fetch(f"EXPLAIN QUERY PLAN {statement}", (None,) * statement.count("?"))
            scanned = {match[1] for row in rows if (match := re.match(r"SCAN (\w+)(?! USING)", row["detail"]))}
            tables = {row["name"] for row in await tx.fetch("SELECT name FROM sqlite_master WHERE type = 'table'")}
            aliases = {alias: table for table, alias in re.findall(r"(?:FROM|JOIN) (\w+) (?:AS )?(\w)\b", statement)}
            return {aliases.get(name, name) for name in scanned} & tables
        statement = for_postgres(sql)
        nulls = ", ".join(["NULL"] * len(set(re.findall(r"\$\d+", statement))))
        await tx.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await tx.execute(f"PREPARE shown AS {statement}")
        rows = await tx.fetch(f"EXPLAIN EXECUTE shown{f'({nulls})' if nulls else ''}")
        await tx.execute("DEALLOCATE shown")
    return set(re.findall(r"Seq Scan on (\w+)", "\n".join(row[0] for row in rows))) & _FILLED


async def test_no_statement_of_a_decision_reads_a_whole_table(database: Database) -> None:
    """Every statement between a request and its credit finds its rows by an index."""
    async with database.transaction() as tx:
        of = await lead(tx)
    case = lead_case(of)
    await open_case(database, case)
    if database.dialect is Dialect.POSTGRES:
        for statement in _FILL:
            async with database.transaction() as tx:
                await tx.execute(statement.format(size=SIZE))
        async with database.transaction() as tx:
            await tx.execute("ANALYZE")
    purse = keys.balance(of.pro_id, BalancePurpose.LEADS, "USD")
    with counted_statements() as statements:
        async with database.transaction() as tx:
            await find_result(tx, of.pro_id, "key")
            await load_payment_facts(tx, [of.payment_id], lock=True)
            facts = await locked_facts(tx, case.id)
            await save_decision(tx, credit(facts, 700, keys.platform_leads("USD"), purse), facts)
            await store_result(tx, account_id=of.pro_id, key="key", operation="x", input_sha256="x", result={}, at=0)
        await load_case_facts(database, [case.id])
        viewer = await find_viewer(database, of.pro_id)
        assert viewer is not None
        await find_viewer_by_ref(database, viewer.external_ref)
        await read_stream(database, Cursor(0, 3))
        await read_stream(database, Cursor(0, 0), case_id=case.id)
        await stream_head(database)
        await next_due_at(database)
    assert len(statements) > 10
    for statement in statements:
        assert await _whole_reads(database, statement) == set(), statement
