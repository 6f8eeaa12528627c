"""The last line: what the database refuses even when everything in front of it is wrong."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from seeds import contract, credit, event_of, invoice_case, lead, lead_case, locked_facts, note, open_case

from refundgql.domain import ledger as keys
from refundgql.domain.decisions import Event
from refundgql.domain.facts import Case
from refundgql.domain.vocabulary import BalancePurpose, NoticeName
from refundgql.domain.webhooks import Notice
from refundgql.storage.cases import save_decision
from refundgql.storage.database import Database
from refundgql.storage.events import event_writes
from refundgql.storage.evidence import EvidenceKind, NewEvidence, insert_evidence, withdraw_evidence_row
from refundgql.storage.faults import (
    ONE_CREDIT_PER_CASE,
    ONE_LIVE_CASE_PER_LEAD,
    ONE_OPEN_CASE,
    ConstraintViolated,
    TransientFault,
)
from refundgql.storage.notices import notice_writes
from refundgql.storage.records import told_changes, write_rows


@pytest.fixture
async def case(database: Database) -> Case:
    """Give a credited case on a lead, on a database that also holds an open one on an invoice."""
    async with database.transaction() as tx:
        of, invoiced = await lead(tx), await contract(tx)
    await open_case(database, invoice_case(invoiced))
    made = lead_case(of)
    await open_case(database, made)
    purse = keys.balance(of.pro_id, BalancePurpose.LEADS, "USD")
    async with database.transaction() as tx:
        facts = await locked_facts(tx, made.id)
        decision = credit(facts, 700, keys.platform_leads("USD"), purse)
        await save_decision(tx, decision, facts)
        told = Notice(name=NoticeName.REVIEWS_HIDDEN, at=made.opened_at, contract_id=of.payment_id)
        tx.later(*notice_writes(tx.dialect, [told]))
        insert_evidence(tx, piece_of(made))
        await write_rows(tx, told_changes([(made.payment_id, 1, 0)], 1) or ("", 0, []))
    async with database.transaction() as tx:
        withdraw_evidence_row(tx, piece_of(made).id, 1)
    return decision.case


def piece_of(case: Case) -> NewEvidence:
    """Return what the professional said of a case."""
    return NewEvidence(
        id="0192f0c4-0000-7000-8000-0000000000ee",
        case_id=case.id,
        kind=EvidenceKind.STATEMENT,
        added_at=1,
        added_by_id=case.requester_id,
        sha256="hash",
        content="What was said.",
        side="REQUESTER",
        sequence=1,
    )


async def _refused(database: Database, statement: str, parameters: Sequence[object] = ()) -> str:
    """Return the name of the rule that refuses a statement."""
    with pytest.raises(ConstraintViolated) as caught:
        async with database.transaction() as tx:
            await tx.execute(statement, parameters)
    return caught.value.name


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("UPDATE payment SET refunded_minor = paid_minor + 1", "payment_within_paid"),
        ("UPDATE payment SET reserved_minor = -1", "payment_within_paid"),
        ("UPDATE payment SET reserved_minor = paid_minor - refunded_minor + 1", "payment_within_paid"),
        ("UPDATE ledger_account SET balance_minor = -1", "ledger_balance_not_negative"),
        ("UPDATE refund_case SET state = 'LOST'", "case_state_known"),
        ("UPDATE refund_case SET route = 'POST'", "case_route"),
        ("UPDATE refund_case SET approved_minor = requested_minor + 1", "case_amounts"),
        ("UPDATE refund_case SET requested_minor = 0", "case_amounts"),
        ("UPDATE refund_case SET credited_minor = 1 WHERE kind = 'LEAD'", "case_amounts"),
        ("UPDATE refund_event SET note = 'changed'", "refund_event_append_only"),
        ("DELETE FROM refund_event", "refund_event_append_only"),
        ("UPDATE posting SET amount_minor = 1", "posting_append_only"),
        ("DELETE FROM posting", "posting_append_only"),
        ("UPDATE notice SET account_id = NULL", "notice_append_only"),
        ("DELETE FROM notice", "notice_append_only"),
        ("UPDATE payment SET charged_back_minor = -1", "payment_without_charged_back"),
        ("UPDATE payment SET charged_back_minor = paid_minor - refunded_minor + 1", "payment_without_charged_back"),
        ("UPDATE lead SET price_minor = 0", "lead_price"),
        ("UPDATE invoice SET paid_at = NULL", "invoice_paid"),
        ("UPDATE account SET id = '0192f0c4-0000-7000-8000-000000000009' WHERE roles = 'PRO'", "foreign_key"),
        ("UPDATE refund_case SET state = 'CANCELLED' WHERE kind = 'LEAD'", "case_credited"),
        ("UPDATE refund_case SET credited_minor = NULL WHERE kind = 'LEAD'", "case_credited"),
        ("UPDATE refund_case SET credited_at = NULL WHERE kind = 'LEAD'", "case_credited"),
        ("UPDATE refund_case SET reversed_at = 1 WHERE kind = 'INVOICE'", "case_credited"),
        (
            "UPDATE refund_case SET state = 'CREDITED', credited_minor = 1, credited_at = 1 WHERE kind = 'INVOICE'",
            "case_approved",
        ),
        ("UPDATE refund_case SET state = 'APPROVED' WHERE kind = 'INVOICE'", "case_approved"),
        ("UPDATE evidence SET sha256 = 'other'", "evidence_append_only"),
        ("UPDATE evidence SET content = 'other'", "evidence_append_only"),
        ("UPDATE evidence SET added_by_id = case_id", "evidence_append_only"),
        ("UPDATE evidence SET audience = 'INTERNAL'", "evidence_append_only"),
        ("UPDATE evidence SET file_name = 'other.png'", "evidence_append_only"),
        ("UPDATE evidence SET withdrawn_at = NULL", "evidence_append_only"),
        ("UPDATE evidence SET withdrawn_at = 2", "evidence_append_only"),
        ("DELETE FROM evidence", "evidence_append_only"),
        ("UPDATE told_change SET refunded_minor = 2", "told_change_append_only"),
        ("DELETE FROM told_change", "told_change_append_only"),
        ("UPDATE account SET name = NULL", "account.name"),
        ("UPDATE account SET external_ref = 'same'", "account(external_ref)"),
    ],
)
async def test_rows_that_must_never_be_are_refused(database: Database, case: Case, statement: str, name: str) -> None:
    """What cannot be right is refused by name, the same on both databases."""
    assert await _refused(database, statement) == name


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"amount_minor": "0"}, "posting_amount"),
        ({"amount_minor": "-5"}, "posting_amount"),
        ({"to_key": "from_key"}, "posting_between_two"),
        ({"to_key": "'external:EUR'"}, "posting_one_currency"),
        ({}, ONE_CREDIT_PER_CASE),
    ],
)
async def test_postings_that_must_never_be_are_refused(
    database: Database, case: Case, changes: dict[str, str], name: str
) -> None:
    """A posting moves a positive amount of one currency between two accounts; a case is credited once from each."""
    columns = ("fact", "from_key", "to_key", "amount_minor", "currency", "description", "case_id")
    values = ", ".join(changes.get(column, column) for column in columns)
    statement = (
        f"INSERT INTO posting (id, at, {', '.join(columns)})"
        f" SELECT '0192f0c4-0000-7000-8000-00000000000a', 0, {values} FROM posting WHERE fact = 'CREDIT'"
    )
    if database.dialect == "postgres":
        statement = statement.replace("'0192f0c4-0000-7000-8000-00000000000a'", "gen_random_uuid()")
    assert await _refused(database, statement) == name


@pytest.mark.parametrize("sequence", [1, 3, 5, 6])
async def test_a_history_has_no_gap_and_no_double(database: Database, case: Case, sequence: int) -> None:
    """After three events of a case only the fourth can be written."""
    event = event_of(case, "ASSIGN")
    wrong = Event(**{**{name: getattr(event, name) for name in Event.__dataclass_fields__}, "sequence": sequence})
    writes, _ = event_writes(database.dialect, [wrong], {})
    named = "event_sequence_without_gap"
    if database.dialect == "postgres":  # the order of the event before is asked for in the statement itself
        named = r"refund_event\(case_id,sequence\)" if sequence < 4 else r"refund_event\.commit_order"
    with pytest.raises((ConstraintViolated, TransientFault), match=named):
        async with database.transaction() as tx:
            tx.later(*writes)
    async with database.transaction() as tx:
        await note(tx, case.id)


@pytest.mark.parametrize("sequence", [1, 3, 5, 6])
async def test_a_history_that_names_no_order_has_no_gap_and_no_double(
    database: Database, case: Case, sequence: int
) -> None:
    """What a process of the release before writes is looked at by the database's own trigger."""
    columns = "case_id, name, at, actor_role, from_state, to_state, currency, facts, snapshot"
    own_id = "gen_random_uuid()" if database.dialect == "postgres" else "lower(hex(randomblob(16)))"
    statement = (
        f"INSERT INTO refund_event (id, sequence, {columns}) SELECT {own_id}, {sequence}, {columns}"
        " FROM refund_event WHERE sequence = 3"
    )
    assert await _refused(database, statement) == "event_sequence_without_gap"


@pytest.mark.parametrize("table", ["refund_event", "posting", "notice"])
async def test_a_history_cannot_be_emptied(postgres: Database, table: str) -> None:
    """TRUNCATE is refused as DELETE is."""
    assert await _refused(postgres, f"TRUNCATE {table}") == f"{table}_append_only"


async def test_erasing_a_person_changes_no_notice(database: Database, case: Case) -> None:
    """A transaction that erases may change texts of the history, and nothing of what was told beside it."""
    async with database.transaction() as tx:
        await tx.execute("INSERT INTO erasing (id) SELECT id FROM account LIMIT 1")
        with pytest.raises(ConstraintViolated, match="notice_append_only"):
            await tx.execute("UPDATE notice SET name = 'x'")


async def test_a_second_open_case_is_refused_by_its_payment_and_its_lead(database: Database, case: Case) -> None:
    """A credited lead takes no second case; an invoice with an open case takes no second open one (D6, D14)."""
    copied = [name for name in Case.__dataclass_fields__ if name not in ("id", "number", "payment_id", "lead_id")]
    insert = (
        f"INSERT INTO refund_case (id, payment_id, lead_id, {', '.join(copied)})"
        f" SELECT ?, payment_id, lead_id, {', '.join(copied)} FROM refund_case WHERE kind = ?"
    )
    new = "0192f0c4-0000-7000-8000-00000000000b"
    assert await _refused(database, insert, (new, "LEAD")) == ONE_LIVE_CASE_PER_LEAD
    assert await _refused(database, insert, (new, "INVOICE")) == ONE_OPEN_CASE


NOWHERE = "0192f0c4-0000-7000-8000-00000000000f"


@pytest.mark.parametrize(
    ("table", "column"),
    [
        *[("refund_case", f"{name}_id") for name in ("lead", "contract", "invoice", "milestone", "billing_week")],
        *[("refund_case", f"{name}_id") for name in ("counterparty", "filed_by", "decided_by", "assignee")],
        *[("refund_case", f"{name}_id") for name in ("withdrawal", "continues", "payment", "requester")],
        ("clock", "case_id"),
        ("clock", "billing_week_id"),
        ("ledger_account", "owner_id"),
    ],
)
async def test_nothing_refers_to_what_is_not_there(database: Database, case: Case, table: str, column: str) -> None:
    """A row that names something else than a row of the table that it means is refused, on both databases."""
    assert await database.fetch_value(f"SELECT count(*) FROM {table}") > 0
    one = "key" if table == "ledger_account" else "id"
    which = f"{one} = (SELECT min(CAST({one} AS TEXT)) FROM {table})".replace("id = (", "CAST(id AS TEXT) = (")
    assert await _refused(database, f"UPDATE {table} SET {column} = ? WHERE {which}", (NOWHERE,)) == "foreign_key"


@pytest.mark.parametrize("column", ["case_id", "payment_id", "withdrawal_id", "reverses_id"])
async def test_no_posting_refers_to_what_is_not_there(database: Database, case: Case, column: str) -> None:
    """What is booked for something is booked for something that is there."""
    make = "gen_random_uuid()" if database.dialect == "postgres" else "'0192f0c4-0000-7000-8000-00000000000a'"
    insert = (
        f"INSERT INTO posting (id, at, fact, from_key, to_key, amount_minor, currency, description, {column})"
        f" VALUES ({make}, 0, 'PAYMENT', 'external:USD', 'balance:x:CONTRACTS:USD', 1, 'USD', '', ?)"
    )
    assert await _refused(database, insert, (NOWHERE,)) == "foreign_key"


@pytest.mark.parametrize(
    ("table", "columns", "values"),
    [
        (
            "refund_event",
            "case_id, sequence, name, at, actor_id, actor_role, to_state, currency, facts, snapshot",
            "?1, 4, 'ASSIGN', 0, ?2, 'SUPPORT', 'CREDITED', 'USD', '[]', '{}'",
        ),
        ("evidence", "case_id, kind, added_at, added_by_id, sha256", "?1, 'STATEMENT', 0, ?2, ''"),
        ("case_message", "case_id, author_id, audience, body, sent_at", "?1, ?2, 'EVERYONE', '', 0"),
        ("customer_report", "customer_id, case_id, at", "?2, ?1, 0"),
        (
            "withdrawal",
            "refund_case_id, account_id, currency, amount_minor, status, requested_at, updated_at,"
            " estimated_from, estimated_until",
            "?2, ?3, 'USD', 1, 'REQUESTED', 0, 0, '', ''",
        ),
        ("past_refund", "external_ref, payment_id, currency, amount_minor, credited_at", "'r', ?2, 'USD', 1, 0"),
        (
            "chargeback",
            "external_ref, payment_id, currency, amount_minor, status, opened_at, updated_at",
            "'c', ?2, 'USD', 1, 'OPEN', 0, 0",
        ),
        ("told_change", "payment_id, at, after_position, refunded_minor, charged_back_minor", "?2, 0, 0, 0, 0"),
    ],
)
async def test_no_new_row_refers_to_what_is_not_there(
    database: Database, case: Case, table: str, columns: str, values: str
) -> None:
    """Who did something, and what it is about, is there when it is written."""
    for place, given in (("?1", case.id), ("?2", NOWHERE), ("?3", case.requester_id)):
        values = values.replace(place, f"'{given}'")
    insert = f"INSERT INTO {table} (id, {columns}) VALUES ('{NOWHERE}', {values})"
    assert await _refused(database, insert) == "foreign_key"
