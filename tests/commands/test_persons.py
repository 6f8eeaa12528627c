"""A person can be told what is held about them, and forgotten; amounts, hashes and the ledger stay (D30)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from command_world import World, told
from contract_desk import ContractDesk
from marketplace import account, contract, counted, having, lead, message, refused, review, sync, told_fields

from refundgql.commands.accounts import give_role
from refundgql.commands.decisions import DeclineRefund, decline_refund
from refundgql.commands.evidence import AddStatement, add_statement
from refundgql.commands.messages import SendCaseMessage, send_case_message
from refundgql.commands.persons import EraseAccount, erase_account
from refundgql.commands.requests import RequestLeadRefund, request_lead_refund
from refundgql.commands.sweep import sweep_due
from refundgql.domain.ledger import balance, external, held
from refundgql.domain.refusals import Refused
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import BalancePurpose, IssueDecision, RefundReason, Role
from refundgql.queries.persons import everything_held
from refundgql.storage.accounts import find_viewer_by_ref
from refundgql.storage.database import Dialect
from refundgql.storage.faults import ConstraintViolated
from refundgql.storage.ledger_checks import verify

SECRET = "zanzibar"  # pragma: allowlist secret
"""Stands in everything that is the person's, and nowhere else."""


async def _dump(world: World) -> dict[str, list[dict[str, Any]]]:
    """Return every row of every table."""
    if world.database.dialect is Dialect.SQLITE:
        names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    else:
        names = "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'"
    found = {}
    for name in [row["name"] for row in await world.rows(names)]:
        rows = await world.rows(f'SELECT * FROM "{name}"')
        found[name] = [{column: row[column] for column in row.keys()} for row in rows]  # noqa: SIM118
        found[name].sort(key=lambda row: str(row.get("id") or row.get("key") or row))
    return found


def _holding(dump: dict[str, list[dict[str, Any]]]) -> set[str]:
    return {
        f"{table}.{column}"
        for table, rows in dump.items()
        for row in rows
        for column, value in row.items()
        if SECRET in str(value).lower()
    }


async def _viewer(world: World, ref: str) -> Viewer:
    found = await find_viewer_by_ref(world.database, ref)
    assert found is not None
    return found


async def _lived(world: World, state: str) -> tuple[Viewer, Viewer, str]:
    """Let a pro and a customer live through a lead's case, and return pro, admin and the case."""
    pro, customer = f"{SECRET}-pro", f"{SECRET}-customer"
    own = lead("theirs", pro=pro, customer=customer, title=f"{SECRET} fence", location=f"{SECRET} street")
    await sync(
        world,
        having(account(pro, "PRO"), name="Zanzibar Zoe"),
        having(account(customer, "CUSTOMER"), name="Zanzibar Zed"),
        account("ivy", "SUPPORT"),
        account("kim", "ADMIN"),
        own,
        having(message("one", customer, "2026-02-20T08:01:00Z"), lead="theirs", body=f"{SECRET} hello"),
        having(message("two", pro, "2026-02-20T08:02:00Z"), lead="theirs", body=f"{SECRET} answer"),
    )
    viewer = await _viewer(world, pro)
    (row,) = await world.rows("SELECT id FROM lead")
    given = RequestLeadRefund(
        lead_id=row["id"], reason=RefundReason.OTHER, explanation=f"{SECRET} reason", idempotency_key=f"{SECRET}-key"
    )
    case_id = (await request_lead_refund(world.uow, viewer, given)).case_id
    await add_statement(world.uow, viewer, AddStatement(refund_case_id=case_id, text=f"{SECRET} statement"))
    await send_case_message(world.uow, viewer, SendCaseMessage(refund_case_id=case_id, body=f"{SECRET} message"))
    if state != "REQUESTED":
        support = await _viewer(world, "ivy")
        await decline_refund(
            world.uow, support, DeclineRefund(refund_case_id=case_id, message="No.", idempotency_key="no")
        )
    return viewer, await _viewer(world, "kim"), case_id


def _erasing(person: Viewer, **more: Any) -> EraseAccount:
    return EraseAccount(**{"account_id": person.account_id, "reason": "Asked for.", "idempotency_key": "e", **more})


_MAY_CHANGE = {
    "account",
    "audit_entry",
    "case_message",
    "case_read",
    "evidence",
    "idempotent_result",
    "lead",
    "message",
}
_MAY_CHANGE |= {"posting", "refund_case", "refund_event", "evidence_upload", "payment", "clock"}


async def test_nothing_of_an_erased_person_is_left(world: World) -> None:
    """No table holds a word of theirs; states, amounts, instants, hashes and the ledger are what they were."""
    pro, admin, _ = await _lived(world, "DECLINED")
    customer = await _viewer(world, f"{SECRET}-customer")
    before = await _dump(world)
    assert {"account.name", "lead.title", "message.body", "evidence.content", "refund_case.explanation"} <= _holding(
        before
    )
    for person in (pro, customer):
        made = await erase_account(world.uow, admin, _erasing(person, idempotency_key=person.account_id))
        assert (made.account_id, made.replayed) == (person.account_id, False)
        again = await erase_account(world.uow, admin, _erasing(person, idempotency_key=person.account_id))
        assert again.replayed
    after = await _dump(world)
    assert _holding(after) == set()
    assert {table for table in before if before[table] != after[table]} <= _MAY_CHANGE
    for table, kept in (
        ("refund_case", ("state", "opened_at", "requested_minor", "declined_at", "version", "number")),
        ("refund_event", ("sequence", "name", "at", "actor_id", "facts", "snapshot", "commit_order", "position")),
        ("evidence", ("sha256", "kind", "added_at", "added_by_id")),
        ("lead", ("price_minor", "charged_at", "category", "external_ref")),
    ):
        assert [[row[name] for name in kept] for row in before[table]] == [
            [row[name] for name in kept] for row in after[table]
        ]
    for table in ("posting", "payment", "ledger_account"):
        aside = {"description": "", "version": 0}
        assert [row | aside for row in after[table]] == [row | aside for row in before[table]]
    assert [finding async for finding in verify(world.database)] == []
    assert after["erasing"] == []
    acts = [(row["action"], row["account_id"], row["actor_id"]) for row in after["audit_entry"]][-2:]
    assert acts == [("ERASED", pro.account_id, admin.account_id), ("ERASED", customer.account_id, admin.account_id)]
    assert await find_viewer_by_ref(world.database, pro.external_ref) is None


async def test_what_others_said_stays(world: World) -> None:
    """In a frozen chat only the erased one's words are gone."""
    pro, admin, _ = await _lived(world, "DECLINED")
    await erase_account(world.uow, admin, _erasing(pro))
    (row,) = await world.rows("SELECT content FROM evidence WHERE kind = 'CONVERSATION'")
    assert [one["body"] for one in json.loads(row["content"])] == [f"{SECRET} hello", "[erased]"]


async def test_an_open_case_and_money_stand_in_the_way(world: World) -> None:
    """While a case is open or there is a balance nothing is erased, for either side of the case."""
    pro, admin, _ = await _lived(world, "REQUESTED")
    for person in (pro, await _viewer(world, f"{SECRET}-customer")):
        refusals = await world.refused(lambda person=person: erase_account(world.uow, admin, _erasing(person)))
        assert [(one.code.value, one.rule) for one in refusals] == [("CASE_ALREADY_OPEN", "D30")]
    rich = having(account("rich", "CLIENT"), openingBalance={"amount": "5.00", "currencyCode": "USD"})
    await sync(world, rich)
    person = await _viewer(world, "rich")
    refusals = await world.refused(lambda: erase_account(world.uow, admin, _erasing(person)))
    assert [(one.code.value, one.rule) for one in refusals] == [("BALANCE_INSUFFICIENT", "D30")]


async def _declined_for_good(world: World, suffix: str = "") -> tuple[ContractDesk, str, str]:
    """Return a desk, a paid invoice and the case about it that support has declined for good."""
    desk = await ContractDesk.open(world, suffix)
    invoice_id = await desk.paid_invoice(kind="HOURLY")
    case_id = await desk.ask(invoice_id, "100.00")
    await desk.dispute(desk.client, case_id)
    await desk.decline(desk.ivy, case_id)
    return desk, invoice_id, case_id


async def test_nothing_is_opened_for_or_paid_to_an_erased_client(world: World) -> None:
    """D22, D30: what was declined is not reopened, nothing is issued, and nothing changes."""
    desk, invoice_id, case_id = await _declined_for_good(world)
    await erase_account(world.uow, desk.ada, _erasing(desk.client))
    lou = await world.person("lou", Role.ADMIN)
    for act in (
        lambda: desk.reopen(lou, case_id),
        lambda: desk.issue(IssueDecision.FULL, invoice_id=invoice_id),
        lambda: desk.issue(IssueDecision.NONE, invoice_id=invoice_id),
    ):
        refusals = await world.refused(act)
        assert told(refusals) == [("TRANSITION_NOT_ALLOWED", "D30")]
    assert (await world.case(case_id))["state"] == "DECLINED"


async def _pay_out(world: World, person: Viewer) -> None:
    """Take all that is on somebody's balance out of it."""
    key = balance(person.account_id, BalancePurpose.CONTRACTS, "USD")
    await world.post("WITHDRAWAL", key, external("USD"), await world.balance(person))


async def test_nobody_waits_for_an_erased_expert_or_client(world: World) -> None:
    """D30: a way on closes with its owner, in lists too; what is asked of an expert who is gone is support's."""
    desk = await ContractDesk.open(world)
    invoice_id, other = [await desk.paid_invoice(kind="HOURLY") for _ in range(2)]
    case_id = await desk.ask(invoice_id, "100.00")
    await desk.decline(desk.expert, case_id)
    await _pay_out(world, desk.expert)
    await erase_account(world.uow, desk.ada, _erasing(desk.expert))
    await sweep_due(world.uow)
    assert (await world.case(case_id))["whose_move"] == "REQUESTER"
    asked = await desk.ask(other, "30.00")
    await sweep_due(world.uow)
    assert await world.events(asked) == ["REQUEST", "HAND_OVER"]
    await desk.decline(desk.ivy, asked)
    await erase_account(world.uow, desk.ada, _erasing(desk.client, idempotency_key="client"))
    await sweep_due(world.uow)
    case = await world.case(case_id)
    assert (case["state"], case["whose_move"], case["move_until"]) == ("DECLINED", "NOBODY", None)
    assert await world.rows("SELECT * FROM clock") == []


@pytest.mark.parametrize("kind", ["milestone", "week"])
async def test_money_that_is_held_stands_in_the_way(world: World, kind: str) -> None:
    """D30: for both sides of the contract, in escrow and for a week until its cut-off, and not once it is nobody's."""
    desk = await ContractDesk.open(world)
    contract_id = await world.contract(desk.client, desk.expert, kind="HOURLY" if kind == "week" else "FIXED_PRICE")
    made = (await world.week(contract_id))[0] if kind == "week" else await world.milestone(contract_id)
    for person in (desk.client, desk.expert):
        refusals = await world.refused(lambda person=person: erase_account(world.uow, desk.ada, _erasing(person)))
        assert told(refusals) == [("BALANCE_INSUFFICIENT", "D30")]
    table = "billing_week" if kind == "week" else "milestone"
    (row,) = await world.rows(f"SELECT payment_id FROM {table} WHERE id = ?", made)
    key = held(row["payment_id"], "USD")
    await world.post("CHARGEBACK", key, external("USD"), await world.on(key))  # as when a bank has taken all of it
    for person in (desk.client, desk.expert):
        await erase_account(world.uow, desk.ada, _erasing(person, idempotency_key=person.external_ref))


async def test_erasing_and_deciding_at_once(world: World) -> None:
    """D30: whoever is second sees the first: a credit keeps an account from being erased, or it is not made."""
    for number in range(4):
        desk, invoice_id, _ = await _declined_for_good(world, f"-{number}")
        erased, issued = await asyncio.gather(
            erase_account(world.uow, desk.ada, _erasing(desk.client, idempotency_key=world.key())),
            desk.issue(IssueDecision.FULL, invoice_id=invoice_id),
            return_exceptions=True,
        )
        lost = [one for one in (erased, issued) if isinstance(one, BaseException)]
        assert len(lost) == 1
        assert isinstance(lost[0], Refused)
        code = "BALANCE_INSUFFICIENT" if lost[0] is erased else "TRANSITION_NOT_ALLOWED"
        assert told(lost[0].refusals) == [(code, "D30")]


async def test_only_administrators_erase_and_nobody_themselves(world: World) -> None:
    """Support, the person and an administrator about themselves are refused; ids that are none say so."""
    pro, admin, _ = await _lived(world, "DECLINED")
    for viewer, person in ((await _viewer(world, "ivy"), pro), (pro, pro), (admin, admin)):
        given = _erasing(person)
        refusals = await world.refused(lambda viewer=viewer, given=given: erase_account(world.uow, viewer, given))
        assert [one.code.value for one in refusals] == ["FORBIDDEN"]
    unknown = EraseAccount(account_id=pro.account_id[:-1] + "x", reason="x", idempotency_key="k")
    assert [one.code.value for one in await world.refused(lambda: erase_account(world.uow, admin, unknown))] == [
        "NOT_FOUND"
    ]


async def test_a_history_is_changed_by_erasing_alone(world: World) -> None:
    """Notes stay what they are outside of it, and within it nothing but notes goes, into nothing else than nothing."""
    await _lived(world, "DECLINED")
    for statement in (
        "UPDATE refund_event SET note = NULL",
        "UPDATE refund_event SET name = 'X'",
        "DELETE FROM refund_event",
    ):
        with pytest.raises(ConstraintViolated, match="refund_event_append_only"):
            async with world.database.transaction() as tx:
                await tx.execute(statement)
    for change in ("note = 'other'", "at = 1, note = NULL", "facts = '{}'"):
        with pytest.raises(ConstraintViolated, match="refund_event_append_only"):
            await _while_erasing(world, f"UPDATE refund_event SET {change}")
    for change in ("description = 'other'", "amount_minor = 1, description = '[erased]'"):
        with pytest.raises(ConstraintViolated, match="posting_append_only"):
            await _while_erasing(world, f"UPDATE posting SET {change}")


async def _while_erasing(world: World, statement: str) -> None:
    async with world.database.transaction() as tx:
        await tx.execute("INSERT INTO erasing (id) VALUES ('01920000-0000-7000-8000-000000000001')")
        await tx.execute(statement)


async def test_everything_held_is_told(world: World) -> None:
    """The archive names what was written, said and decided, and nothing that somebody else said on the case."""
    pro, _, case_id = await _lived(world, "DECLINED")
    held = {kind: rows async for kind, rows in everything_held(world.database, pro.account_id)}
    assert held["account"][0]["externalRef"] == f"{SECRET}-pro"
    assert [one["body"] for one in held["chatMessages"]] == [f"{SECRET} answer"]
    assert [one["explanation"] for one in held["refundCases"]] == [f"{SECRET} reason"]
    assert [one["content"] for one in held["evidence"]] == [f"{SECRET} statement"]
    assert [one["body"] for one in held["caseMessages"]] == [f"{SECRET} message"]
    assert "No." not in json.dumps(held)
    assert case_id not in json.dumps(held), "cases are told by their numbers"
    assert {kind for kind, rows in held.items() if rows} >= {"account", "leads", "refundEvents", "transactions"} - {
        "transactions"
    }


async def test_the_first_accounts_are_made_and_recorded(world: World) -> None:
    """An account is made with its role, a role is added to one that is there, and a repeat changes nothing."""
    assert await give_role(world.uow, "root", Role.ADMIN, None)
    assert not await give_role(world.uow, "root", Role.ADMIN, None)
    assert await give_role(world.uow, "root", Role.SERVICE, "Root")
    root = await _viewer(world, "root")
    assert (root.name, root.roles) == ("root", frozenset({Role.ADMIN, Role.SERVICE}))
    rows = await world.rows("SELECT action, detail FROM audit_entry ORDER BY at, id")
    assert [(row["action"], json.loads(row["detail"])["after"]) for row in rows] == [
        ("ROLES_CHANGED", "ADMIN"),
        ("ROLES_CHANGED", "ADMIN,SERVICE"),
    ]
    with pytest.raises(Refused):
        await give_role(world.uow, " ", Role.ADMIN, None)


async def test_roles_that_records_change_are_recorded(world: World) -> None:
    """Staff from the beginning, others when their roles change; the same record again leaves nothing."""
    await sync(world, account("ivy", "SUPPORT"), account("pro", "PRO"))
    await sync(world, account("pro", "PRO", "EXPERT"), account("ivy", "SUPPORT"))
    rows = await world.rows("SELECT detail FROM audit_entry ORDER BY at, id")
    told = [json.loads(row["detail"]) for row in rows]
    assert [(one["before"], one["after"]) for one in told] == [("", "SUPPORT"), ("PRO", "EXPERT,PRO")]


async def test_the_first_accounts_are_named_within_bounds(world: World) -> None:
    """As long as any record's reference and name may be, and not a character more."""
    assert await give_role(world.uow, "r" * 200, Role.SERVICE, "n" * 200)
    for ref, name in (("r" * 201, None), ("another", "n" * 201)):
        with pytest.raises(Refused):
            await give_role(world.uow, ref, Role.SERVICE, name)
        assert await find_viewer_by_ref(world.database, ref) is None


async def test_what_was_told_before_is_told_again_once_a_party_was_erased(world: World) -> None:
    """D30: records that name them as they were called change nothing of theirs, refuse nothing, and states go on."""
    ada = await world.person("ada", Role.ADMIN)
    quiet = [account(ref, *roles) for ref, *roles in (("client", "CLIENT"), ("expert", "EXPERT"), ("pro", "PRO"))]
    gone = having(account("customer", "CUSTOMER"), name=f"{SECRET} Customer")
    told_before = [
        having(lead(), title=f"{SECRET} fence", location=SECRET),
        having(message("hello", "customer", "2026-02-20T08:01:00Z"), body=SECRET),
        contract("hourly", "HOURLY"),
        having(review("praise", "hourly", "client"), body=SECRET),
    ]
    await sync(world, *quiet, gone, *told_before)
    for ref in ("customer", "client"):
        await erase_account(world.uow, ada, _erasing(await _viewer(world, ref), idempotency_key=ref))
    assert await counted(world, *told_before) == (0, 0, 4, 0)
    ended = having(contract("hourly", "HOURLY"), status="CLOSED", endedAt="2026-03-01T00:00:00Z")
    assert await counted(world, ended, *told_before[:2]) == (0, 1, 2, 0)
    assert _holding(await _dump(world)) == set()
    assert told_fields(await refused(world, having(contract("hourly", "HOURLY"), expert="pro"))) == [
        ("INVALID_INPUT", None, "records.0.contract.expert")
    ]
    assert told_fields(await refused(world, having(lead("another")))) == [
        ("NOT_FOUND", None, "records.0.lead.customer")
    ]
    # Whoever comes back under the former reference is somebody else, and nothing told before is theirs.
    assert await counted(world, account("customer", "CUSTOMER"), *told_before[:2]) == (1, 0, 2, 0)
