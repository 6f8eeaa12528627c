"""However many cases there are, no list, filter, order, stream or sweep reads more than its own part of a table."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import plenty
import pytest
from reading_work import Watching, whole_reads

from api_world import Desk
from databases import DIALECTS, LIMITS, drop_database, new_database_url
from refundgql.domain.calendar import from_micros
from refundgql.queries.streams import missed, stream_head
from refundgql.storage.accounts import find_viewer_by_ref
from refundgql.storage.clocks import next_due_at
from refundgql.storage.database import Database, Dialect
from refundgql.storage.events import START, Cursor, read_stream
from refundgql.storage.evidence_uploads import abandon_uploads
from refundgql.storage.facts import load_case_facts
from refundgql.storage.idempotency import purge_results
from refundgql.storage.settlements import list_coverable
from refundgql.storage.statements import counted_statements
from refundgql.storage.sweeping import find_due_clock
from refundgql.storage.visibility import sees_case

CASES = int(os.environ.get("REFUNDGQL_PLENTY_CASES", "20000"))
"""A million in the whole form, see scripts/faults.py."""
PART = 20
"""No statement looks at more than this part of the cases, whatever it is asked."""
WHOLE_CASES = 1_000_000
LOOSE = {"chats, charged"}
"""A list in one order, narrowed by another instant: what lies between the two is read."""
LOOSE_WHERE_SMALL = LOOSE | {
    "cases, read",
    "leads, rare case states",
    "chats, rare case states",
    "own cases, SOONEST_DEADLINE",
    "own cases, LARGEST_AMOUNT",
    "own cases, reasons",
}
"""As long as the table is small, PostgreSQL hashes an index of it sooner than it looks up single rows."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3_000)]

NODES = "edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage endCursor }"


def listed(field: str, given: str = "") -> str:
    """Return a document for a page of a list, after whatever cursor."""
    return f"query($after: String) {{ {field}(first: 20, after: $after{given and ', ' + given}) {{ {NODES} }} }}"


def cases_where(given: str) -> str:
    """Return a document for a page of the cases that a filter leaves."""
    return listed("refundCases", f"filter: {{ {given} }}")


MIDDLE = "2024-06-01T00:00:00Z"
ORDERS = ("NEWEST", "OLDEST", "RECENTLY_CHANGED", "SOONEST_DEADLINE", "LARGEST_AMOUNT")
FILTERS = {
    "kinds": "kinds: [LEAD]",
    "rare kind": "kinds: [TIMESHEET]",
    "states": "states: [CREDITED]",
    "rare states": "states: [DISPUTED, APPROVED]",
    "numbers": 'numbers: ["RC-000123", "RC-000124"]',
    "opened": f'openedAfter: "{MIDDLE}", openedBefore: "2024-07-01T00:00:00Z"',
    "rare states, opened": f'states: [APPROVED], openedBefore: "{MIDDLE}"',
    "rare kind, opened": f'kinds: [TIMESHEET], openedAfter: "{MIDDLE}"',
    "no kinds": "kinds: []",
    "late": "overdue: true",
    "not late": "overdue: false",
    "move": "whoseMove: SUPPORT",
    "assignee": f'assigneeId: "Account_{plenty.staff(3)}"',
    "unassigned": "unassigned: true",
    "assigned": "unassigned: false",
    "at least": 'amountAtLeast: { amount: "499.00", currencyCode: "USD" }',
    "at most": 'amountAtMost: { amount: "110", currencyCode: "JPY" }',
    "between": (
        'amountAtLeast: { amount: "400", currencyCode: "USD" }, amountAtMost: { amount: "401", currencyCode: "USD" }'
    ),
    "reasons": "reasons: [NOT_HIRED]",
    "rare reasons": "reasons: [OTHER]",
    "unread": "unread: true",
    "read": "unread: false",
    "many": "kinds: [LEAD], states: [REQUESTED, ESCALATED], whoseMove: SUPPORT, reasons: [NOT_HIRED], unassigned: true",
}
LEADS = {
    "category": 'category: "CATEGORY 17"',
    "no category": 'category: "Nothing of the kind"',
    "open case": "hasOpenCase: true",
    "no open case": "hasOpenCase: false",
    "case states": "caseStates: [CREDITED]",
    "rare case states": "caseStates: [DISPUTED, APPROVED]",
    "references": 'externalRefs: ["lead-20", "lead-40"]',
    "charged": f'chargedAfter: "{MIDDLE}", chargedBefore: "2024-07-01T00:00:00Z"',
}
CONTRACTS = {
    "kind": "kind: FIXED_PRICE",
    "status": "status: OPEN",
    "open case": "hasOpenCase: true",
    "no open case": "hasOpenCase: false",
    "references": 'externalRefs: ["contract-20"]',
}
CASE = """{ refundCase(id: "RefundCase_%s") { number isFinal actions { name } clocks { name }
 subject { ... on Lead { title refundCase { id } } ... on Invoice { refunded { amount } } }
 requester { name } counterparty { name } withdrawal { id } settlement { shortfall { amount } }
 evidence { id } events(last: 5) { totalCount edges { node { id facts { name } } } }
 messages { edges { node { id } } } } }"""
METRICS = (
    "opened decided approvedShare decisionTargetMetShare medianHoursToDecision p90HoursToDecision overdueNow"
    " credited { amount } byState { state count } byReason { reason count approved }"
)
HISTORY = f"query($after: String) {{ viewer {{ transactions(first: 20, after: $after) {{ {NODES} }} }} }}"
OF_CONTRACT = """id client { name } paidTotal { amount } invoices(first: 5) { edges { node { id } } }
 milestones { id } reviews { id } billingWeeks { edges { node { id } } }"""

DOCUMENTS: dict[str, tuple[str, str]] = {
    **{f"cases, {order}": ("staff-1", listed("refundCases", f"orderBy: {order}")) for order in ORDERS},
    **{f"queue, {order}": ("staff-1", listed("supportQueue", f"orderBy: {order}")) for order in ORDERS},
    **{f"own cases, {order}": ("person-17", listed("refundCases", f"orderBy: {order}")) for order in ORDERS},
    **{f"many own cases, {order}": ("person-1", listed("refundCases", f"orderBy: {order}")) for order in ORDERS},
    "queue": ("staff-1", listed("supportQueue")),
    "queue, filtered": ("staff-1", listed("supportQueue", "filter: { kinds: [LEAD], reasons: [NOT_HIRED] }")),
    **{f"cases, {name}": ("staff-1", cases_where(given)) for name, given in FILTERS.items()},
    **{
        f"own cases, {name}": ("person-17", cases_where(given))
        for name, given in FILTERS.items()
        if name not in {"assignee"}
    },
    "all leads": ("staff-1", listed("leads")),
    "own leads": ("person-17", listed("leads")),
    "many own leads": ("person-1", listed("leads")),
    **{f"leads, {name}": ("staff-1", listed("leads", f"filter: {{ {given} }}")) for name, given in LEADS.items()},
    **{f"own leads, {name}": ("person-17", listed("leads", f"filter: {{ {given} }}")) for name, given in LEADS.items()},
    "all chats": ("staff-1", listed("conversations")),
    "own chats": ("person-17", listed("conversations")),
    **{
        f"chats, {name}": ("staff-1", listed("conversations", f"filter: {{ {given} }}"))
        for name, given in LEADS.items()
    },
    "all contracts": ("staff-1", listed("contracts")),
    "own contracts": ("person-17", listed("contracts")),
    **{
        f"contracts, {name}": ("staff-1", listed("contracts", f"filter: {{ {given} }}"))
        for name, given in CONTRACTS.items()
    },
    "withdrawals": ("market", listed("withdrawals")),
    "waiting withdrawals": ("market", listed("withdrawals", "statuses: [REQUESTED, SENT]")),
    "own withdrawals": (
        "person-17",
        "{ viewer { withdrawals(first: 5) { edges { node { id } } } balances { purpose } } }",
    ),
    "history": ("person-17", HISTORY),
    "long history": ("person-1", HISTORY),
    "one case": ("staff-1", CASE % plenty.case(1_234)),
    "own case": ("person-1", CASE % plenty.case(1_250)),
    "by number": ("staff-1", '{ refundCaseByNumber(number: "RC-000777") { id } }'),
    "a lead": (
        "staff-1",
        f'{{ lead(id: "Lead_00000004-0000-7000-8000-{20:012x}") {{ customer {{ termsReports }}'
        " conversation { lastMessageAt messages { edges { node { id authorName } } } } refundAction { enabled } } }",
    ),
    "contracts with theirs": ("staff-1", "{ contracts(first: 10) { edges { node { " + OF_CONTRACT + " } } } }"),
    "some nodes": (
        "person-17",
        f'{{ nodes(ids: ["Account_{plenty.account(5)}", "RefundCase_{plenty.case(40)}"]) {{ id }} }}',
    ),
    "metrics of a week": (
        "staff-1",
        f'{{ supportMetrics(from: "{MIDDLE}", until: "2024-06-08T00:00:00Z") {{ {METRICS} }} }}',
    ),
}


@pytest.fixture(scope="module", params=DIALECTS)
def plenty_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Give the URL of a database with so many cases, made once for all tests."""
    url = new_database_url(request.param, tmp_path_factory.mktemp("plenty"))
    if request.param == "sqlite":
        plenty.fill_sqlite(Path(url.removeprefix("sqlite://")), CASES)
    else:
        asyncio.run(plenty.fill_postgres(url, CASES))
    yield url
    drop_database(url)


@pytest.fixture
async def watching(plenty_url: str) -> AsyncIterator[Watching]:
    """Give the database, watched."""
    opened = await Database.open(plenty_url, replace(LIMITS, statement_timeout_ms=60_000))
    yield Watching(opened)
    await opened.close()


@pytest.fixture
async def desk(watching: Watching) -> AsyncIterator[Desk]:
    """Give the application over the watched database."""
    opened = await Desk.open(cast(Database, watching))
    yield opened
    await opened.close()


async def _large(watching: Watching) -> set[str]:
    """Return the tables that nobody should read whole."""
    tables = """refund_case refund_event posting payment lead invoice message contract clock evidence case_message
    withdrawal idempotent_result account evidence_upload ledger_account"""
    least = max(CASES // 50, 4_000)
    counts = {table: await watching.database.fetch_value(f"SELECT count(*) FROM {table}") for table in tables.split()}
    return {table for table, count in counts.items() if count >= least}


def _check(watching: Watching, large: set[str], part: int = PART) -> None:
    """Hold every statement to its part of the tables."""
    on_postgres = watching.database.dialect is Dialect.POSTGRES
    # SQLite takes up to eighty steps a row where it sorts, and ten where it only walks.
    most = max(CASES // part, 3_000) if on_postgres else max(CASES // part, 1_500) * 80
    for work in watching.works:
        assert not work.scanned & large, f"{work.sql}\n{work.plan}"
        assert work.most(large) <= most, f"{work.looked_at} > {most}\n{work.sql}\n{work.plan}"


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_lists_and_filters_read_their_own_part(desk: Desk, watching: Watching, name: str) -> None:
    """The first page and one from further on are read off indexes, by custom and by generic plans."""
    ref, document = DOCUMENTS[name]
    watching.works.clear()
    found = await desk.run(ref, document)
    (connection,) = found.values()
    if "viewer" in found:
        connection = connection.get("transactions", {})
    if isinstance(connection, dict) and "pageInfo" in connection and connection["pageInfo"]["hasNextPage"]:
        await desk.run(ref, document, after=connection["pageInfo"]["endCursor"])
    loose = LOOSE if CASES >= WHOLE_CASES else LOOSE_WHERE_SMALL
    _check(watching, await _large(watching), part=1 if name in loose else PART)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("ref", "field"), [("staff-1", "refundCases"), ("staff-1", "supportQueue"), ("person-1", "refundCases")]
)
async def test_events_are_read_of_a_pages_own_cases_alone(
    desk: Desk, watching: Watching, ref: str, field: str, order: str
) -> None:
    """However many cases are sorted for a page, the history is read of those on it."""
    events = "events(last: 3) { edges { node { name at } } }"
    document = f"{{ {field}(first: 20, orderBy: {order}) {{ edges {{ node {{ id {events} }} }} }} }}"
    for _ in range(3):  # from its second use on an operation is compiled, and reads events with their cases
        watching.works.clear()
        found = await desk.run(ref, document)
    assert len(found[field]["edges"]) == 20
    (work,) = (work for work in watching.works if "refund_event" in work.sql)
    assert ("SELECT json" in work.sql) == (watching.database.dialect is Dialect.POSTGRES)
    assert work.looked_at.get("refund_event", 0) <= 20 * 4, work.plan
    _check(watching, await _large(watching))


async def test_the_stream_is_read_from_its_cursor(watching: Watching) -> None:
    """The tail, one case's history, and what parties missed since long ago or a moment ago are read off indexes."""
    head = await stream_head(cast(Database, watching))
    beginning = Cursor(head.commit_order and 1_000, 0)
    recent = Cursor(1_000 + 2 * CASES - 50 if head.commit_order else 0, 2 * CASES - 50)
    pages = [
        await read_stream(cast(Database, watching), recent),
        await read_stream(cast(Database, watching), beginning, limit=500),
        await read_stream(cast(Database, watching), START, case_id=plenty.case(77)),
        await read_stream(cast(Database, watching), recent, case_id=plenty.case(77)),
    ]
    assert [len(page.events) for page in pages] == [50, 500, 2, 0]
    # As long as there are few events, whoever has a fiftieth of them has them hashed.
    for ref in ("person-1", "person-17", "staff-1") if CASES >= WHOLE_CASES else ("person-17", "staff-1"):
        viewer = await find_viewer_by_ref(cast(Database, watching), ref)
        assert viewer is not None
        cases = await load_case_facts(watching.database, {event.case_id for event in pages[0].events})
        seen = {one for one, facts in cases.items() if facts.case is not None and sees_case(viewer, facts.case)}
        theirs = [event for event in pages[0].events if event.case_id in seen]
        for after, most in ((beginning, 20), (recent, min(len(theirs), 20))):
            found = missed(cast(Database, watching), viewer, after, head)
            heard = [event async for event in islice_async(found, 20)]
            assert len(heard) == most
        assert [event.id for event in heard] == [event.id for event in theirs[:20]]
    _check(watching, await _large(watching))


async def islice_async(events: AsyncIterator[Any], count: int) -> AsyncIterator[Any]:
    """Yield the first of some events."""
    async for event in events:
        yield event
        count -= 1
        if not count:
            return


async def test_sweeps_find_what_is_due_by_indexes(watching: Watching) -> None:
    """Due clocks, money that has come, old keys and abandoned files are found without looking at anything else."""
    database = cast(Database, watching)
    assert await next_due_at(database) is not None
    due = await find_due_clock(database, from_micros(plenty.START_MICROS + plenty.SPAN_MICROS))
    assert due is not None
    others = [due.id, plenty.case(1)]
    assert await find_due_clock(database, from_micros(plenty.START_MICROS + plenty.SPAN_MICROS), but=others) is not None
    assert await list_coverable(database, limit=500)
    await stream_head(database)
    with counted_statements() as statements:
        await purge_results(watching.database, plenty.START_MICROS + 31 * plenty.DAY_MICROS)
        await abandon_uploads(watching.database, plenty.START_MICROS + plenty.DAY_MICROS, limit=10)
    large = await _large(watching)
    _check(watching, large)
    # What is old is found by an index; that a batch of it may be a tenth of its table PostgreSQL minds by hashing.
    for statement in statements:
        _, among, found = statement.partition(" IN (SELECT ")
        finding = f"SELECT {found[:-1]}" if among else statement
        assert not await whole_reads(watching.database, finding) & large, statement
