"""An act that reads without locks and writes all at once: whatever changes in between, it is decided again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from command_world import DAY, START, World
from contract_desk import ContractDesk
from marketplace import SERVICE, Shape, money
from uuid_utils.compat import uuid7

from refundgql.commands.assignments import AssignCase, assign_case
from refundgql.commands.decisions import ApproveRefund, approve_refund
from refundgql.commands.evidence import AddStatement, add_statement
from refundgql.commands.requests import RequestLeadRefund, request_lead_refund
from refundgql.commands.sweep import sweep_due
from refundgql.commands.sync_records import sync_records
from refundgql.commands.unit_of_work import Unit
from refundgql.domain.refusals import AmountRefusal, ConflictRefusal, Refused
from refundgql.domain.reviews import Review
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import RefundCaseState, RefundReason, RefusalCode, Role
from refundgql.storage.database import Dialect, Transaction
from refundgql.storage.reviews import insert_review
from refundgql.storage.statements import counted_statements

WEEK_START = datetime(2026, 1, 5, tzinfo=UTC)
"""A week whose money was released long ago."""


@pytest.fixture
async def desk(world: World) -> ContractDesk:
    """The people around contracts."""
    return await ContractDesk.open(world)


@dataclass
class Meddler:
    """Opens the database's own ways to write, and lets something happen right before the one write is made."""

    world: World
    change: Callable[[], Awaitable[None]]
    opened: list[str] = field(default_factory=list)

    def meddle(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stand between the commands and the database."""
        database = self.world.database
        one_write, transaction = database.one_write, database.transaction

        @asynccontextmanager
        async def meddled() -> AsyncIterator[Transaction]:
            self.opened.append("one write")
            async with one_write() as tx:
                yield tx
                await self.change()
                self.opened.append("changed")

        @asynccontextmanager
        async def counted() -> AsyncIterator[Transaction]:
            self.opened.append("transaction")
            async with transaction() as tx:
                yield tx

        monkeypatch.setattr(database, "one_write", meddled)
        monkeypatch.setattr(database, "transaction", counted)


@dataclass(frozen=True)
class Scene:
    """A case that can be approved, with everything its facts are made of."""

    case_id: str
    payment_id: str
    contract_id: str
    other_invoice_id: str


async def _hourly(desk: ContractDesk) -> Scene:
    world = desk.world
    contract_id = await world.contract(desk.client, desk.expert, kind="HOURLY")
    other = await world.invoice(contract_id, desk.expert)
    week_id, invoice_id = await world.week(contract_id, starts_at=WEEK_START)
    case_id = await desk.ask(invoice_id, "60")
    (week,) = await world.rows("SELECT payment_id FROM billing_week WHERE id = ?", week_id)
    return Scene(case_id, str(week["payment_id"]), contract_id, other)


async def _sync(world: World, *records: Shape) -> None:
    assert (await sync_records(world.uow, SERVICE, records)).created + len(records)


async def _changed(desk: ContractDesk, scene: Scene, what: str) -> None:
    """Change something that a decision about the scene's case looks at, as its own writer changes it."""
    world = desk.world
    (refs,) = await world.rows(
        "SELECT k.external_ref AS contract, i.external_ref AS invoice, w.external_ref AS week, w.id AS week_id"
        " FROM contract k JOIN billing_week w ON w.contract_id = k.id JOIN invoice i ON i.payment_id = w.payment_id"
        " WHERE k.id = ?",
        scene.contract_id,
    )
    invoice = {"externalRef": "one-more", "contract": refs["contract"], "amount": money("90.00")}
    dates = {"issuedAt": "2026-01-01T00:00:00Z", "paidAt": "2026-01-02T00:00:00Z"}
    if what == "the case":
        given = AddStatement(refund_case_id=scene.case_id, text="It was never delivered.", idempotency_key=world.key())
        await add_statement(world.uow, desk.client, given)
    elif what == "the payment":
        async with world.database.transaction() as tx:
            await tx.execute("UPDATE payment SET paid_minor = paid_minor WHERE id = ?", (scene.payment_id,))
    elif what == "a case on another payment of the contract":
        await desk.ask(scene.other_invoice_id, "10")
    elif what == "a new payment of the contract":
        await _sync(world, {"invoice": {**invoice, **dates, "number": "I-90"}})
    elif what == "the contract":
        record = {"kind": "HOURLY", "client": "client", "expert": "expert", "title": "Anew", "status": "OPEN"}
        more = {"currencyCode": "USD", "startedAt": "2025-06-01T00:00:00Z"}
        await _sync(world, {"contract": {"externalRef": refs["contract"], **record, **more}})
    elif what == "the release of the week's money":
        await sweep_due(world.uow)
    else:
        assert what == "a review"
        party = {"author": desk.client, "subject": desk.expert}
        ids = {f"{name}_id": viewer.account_id for name, viewer in party.items()}
        review = Review(id=str(uuid7()), contract_id=scene.contract_id, rating=4, body="Good.", posted_at=START, **ids)
        async with world.database.transaction() as tx:
            await insert_review(tx, review)


CHANGES = (
    "the case",
    "the payment",
    "a case on another payment of the contract",
    "a new payment of the contract",
    "the contract",
    "the release of the week's money",
    "a review",
)


@pytest.mark.parametrize("what", CHANGES)
async def test_whatever_changes_meanwhile_is_decided_on_again(
    desk: ContractDesk, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Everybody who writes what the facts are read from raises a version: the act starts over, in a transaction."""
    world = desk.world
    if world.database.dialect is Dialect.SQLITE:
        pytest.skip("one write is a transaction there, see below")
    scene = await _hourly(desk)
    meddler = Meddler(world, lambda: _changed(desk, scene, what))
    meddler.meddle(monkeypatch)
    given = ApproveRefund(refund_case_id=scene.case_id, idempotency_key="k")
    assert not (await approve_refund(world.uow, desk.expert, given)).replayed
    assert (meddler.opened[0], meddler.opened[-2:]) == ("one write", ["changed", "transaction"])
    told = [name for name in await world.events(scene.case_id) if name != "ADD_EVIDENCE"]
    assert told == ["REQUEST", "APPROVE", "CREDIT"]


@pytest.mark.parametrize("what", ["payment", "case"])
async def test_a_leads_facts_are_compared_too(world: World, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """The lead's payment and its case: written meanwhile, they make the act start over."""
    if world.database.dialect is Dialect.SQLITE:
        pytest.skip("one write is a transaction there, see below")
    case_id, payment_id = await _lead_case(world)
    sam = await world.person("sam", Role.SUPPORT)
    (owner,) = await world.rows("SELECT id FROM account WHERE external_ref = 'pro'")
    pro = Viewer(str(owner["id"]), "pro", "Pro", frozenset({Role.PRO}))

    async def change() -> None:
        if what == "case":
            text = "They asked for somebody to hire."
            given = AddStatement(refund_case_id=case_id, text=text, idempotency_key=world.key())
            await add_statement(world.uow, pro, given)
        else:
            async with world.database.transaction() as tx:
                await tx.execute("UPDATE payment SET paid_minor = paid_minor WHERE id = ?", (payment_id,))

    meddler = Meddler(world, change)
    meddler.meddle(monkeypatch)
    await approve_refund(world.uow, sam, ApproveRefund(refund_case_id=case_id, idempotency_key="k"))
    assert meddler.opened == ["one write", "transaction", "changed", "transaction"]
    told = [name for name in await world.events(case_id) if name != "ADD_EVIDENCE"]
    assert told == ["REQUEST", "APPROVE", "CREDIT"]


async def test_a_milestones_facts_are_compared_too(desk: ContractDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A milestone that is written meanwhile makes the act on its escrow start over."""
    world = desk.world
    if world.database.dialect is Dialect.SQLITE:
        pytest.skip("one write is a transaction there, see below")
    contract_id = await world.contract(desk.client, desk.expert)
    milestone_id = await world.milestone(contract_id)
    case_id = await desk.ask_escrow(milestone_id, "60")
    (refs,) = await world.rows(
        "SELECT m.external_ref AS milestone, k.external_ref AS contract FROM milestone m"
        " JOIN contract k ON k.id = m.contract_id WHERE m.id = ?",
        milestone_id,
    )

    async def change() -> None:
        funded = {"status": "FUNDED", "amount": money("500.00"), "fundedAt": _text(START - 5 * DAY)}
        record = {"externalRef": refs["milestone"], "contract": refs["contract"], "title": "Redesign"}
        await _sync(world, {"milestone": record | funded})

    meddler = Meddler(world, change)
    meddler.meddle(monkeypatch)
    await desk.approve(desk.expert, case_id)
    assert meddler.opened == ["one write", "transaction", "changed", "transaction"]
    assert (await world.case(case_id))["state"] == RefundCaseState.CREDITED


async def test_one_write_needs_two_statements_for_every_kind(desk: ContractDesk) -> None:
    """Nothing changed: the facts and the write, for a lead as for an invoice, a week and escrow; no transaction."""
    world = desk.world
    postgres = world.database.dialect is Dialect.POSTGRES
    sam = await world.person("sam", Role.SUPPORT)
    lead_case, _ = await _lead_case(world)
    contract_id = await world.contract(desk.client, desk.expert, kind="HOURLY")
    await world.fund(desk.expert, 50_000)
    _, invoice_id = await world.week(contract_id, starts_at=WEEK_START)
    milestone_id = await world.milestone(await world.contract(desk.client, desk.expert))
    cases = [
        (sam, lead_case, 2),
        (desk.expert, await desk.ask(invoice_id, "60"), 3),
        (desk.expert, await desk.ask(await desk.paid_invoice(), "60"), 3),
        (desk.expert, await desk.ask_escrow(milestone_id, "60"), 3),
    ]
    for viewer, case_id, most in cases:  # who receives money may have others waiting for it: one statement more
        with counted_statements() as statements:
            await desk.approve(viewer, case_id)
        if postgres:
            assert len(statements) == most, statements
        assert await world.events(case_id) == ["REQUEST", "APPROVE", "CREDIT"]


async def test_an_assignment_is_one_write_too(world: World) -> None:
    """The facts, the assignee and the write: three statements, and no transaction; to nobody takes two."""
    sam = await world.person("sam", Role.SUPPORT)
    case_id, _ = await _lead_case(world)
    postgres = world.database.dialect is Dialect.POSTGRES
    for assignee_id, most in ((sam.account_id, 3), (None, 2)):
        with counted_statements() as statements:
            await assign_case(world.uow, sam, AssignCase(refund_case_id=case_id, assignee_id=assignee_id))
        if postgres:
            assert len(statements) == most, statements
        assert (await world.case(case_id))["assignee_id"] == assignee_id


async def test_a_row_somebody_has_locked_is_waited_for(desk: ContractDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """One write does not wait for a lock; its repeat does, and decides on what is true then."""
    world = desk.world
    scene = await _hourly(desk)
    locked, release = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with world.database.transaction() as tx:
            await tx.execute("UPDATE payment SET reserved_minor = paid_minor WHERE id = ?", (scene.payment_id,))
            locked.set()
            await release.wait()

    holding = asyncio.create_task(hold())
    await locked.wait()
    asyncio.get_running_loop().call_later(0.2, release.set)
    with pytest.raises(Refused) as refused:
        await desk.approve(desk.expert, scene.case_id)
    await holding
    (refusal,) = refused.value.refusals
    assert isinstance(refusal, AmountRefusal)
    async with world.database.transaction() as tx:
        await tx.execute("UPDATE payment SET reserved_minor = 0 WHERE id = ?", (scene.payment_id,))


async def test_the_refusal_after_a_lost_race_tells_what_is_true_now(
    desk: ContractDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody declines between another's reading and writing: the approval is refused by the state that is true."""
    world = desk.world
    if world.database.dialect is Dialect.SQLITE:
        pytest.skip("one write is a transaction there, see below")
    case_id = await desk.ask(await desk.paid_invoice(), "60")
    meddler = Meddler(world, lambda: asyncio.sleep(0))

    async def decline() -> None:
        meddler.change = lambda: asyncio.sleep(0)
        await desk.decline(desk.expert, case_id)

    meddler.change = decline
    meddler.meddle(monkeypatch)
    with pytest.raises(Refused) as refused:
        await desk.approve(desk.expert, case_id, "60", expected_version=1)
    (refusal,) = refused.value.refusals
    assert isinstance(refusal, ConflictRefusal)
    assert (refusal.code, refusal.current_state) == (RefusalCode.VERSION_CONFLICT, RefundCaseState.DECLINED)
    assert await world.events(case_id) == ["REQUEST", "DECLINE"]


async def test_sqlite_lets_nobody_write_between_reading_and_writing(desk: ContractDesk) -> None:
    """There one write is a transaction, which holds the lock from its beginning."""
    world = desk.world
    if world.database.dialect is Dialect.POSTGRES:
        pytest.skip("rows are compared there, see above")
    scene = await _hourly(desk)
    order: list[str] = []

    async def other() -> None:
        async with world.database.transaction() as tx:
            await tx.execute("UPDATE payment SET paid_minor = paid_minor WHERE id = ?", (scene.payment_id,))
        order.append("other")

    async def work(unit: Unit) -> None:
        assert unit.tx.locks_rows
        meddling.append(asyncio.create_task(other()))
        await asyncio.sleep(0.1)
        order.append("act")

    meddling: list[asyncio.Task[None]] = []
    await world.uow.run(work, one_write=True)
    await meddling[0]
    assert order == ["act", "other"]


async def test_work_that_is_more_than_one_write_runs_in_a_transaction(desk: ContractDesk) -> None:
    """A credit that is sent on withdraws in the same transaction; nothing of the first try is left."""
    world = desk.world
    case_id = await desk.ask(await desk.paid_invoice(), "60", send_to_payment_method=True)
    await desk.approve(desk.expert, case_id)
    assert await world.events(case_id) == ["REQUEST", "APPROVE", "CREDIT", "WITHDRAWAL_CHANGED"]
    assert len(await world.rows("SELECT id FROM withdrawal")) == 1
    assert await world.balance(desk.client) == 0


async def test_a_write_compared_with_nothing_is_not_made_without_a_lock(world: World) -> None:
    """Work that compares nothing needs a transaction, and gets one."""
    seen: list[bool] = []

    async def work(unit: Unit) -> None:
        seen.append(unit.tx.locks_rows)
        await unit.tx.execute("UPDATE account SET name = name WHERE id = id")

    await world.uow.run(work, one_write=True)
    assert seen == ([True] if world.database.dialect is Dialect.SQLITE else [False, True])


async def _lead_case(world: World) -> tuple[str, str]:
    pro, customer = await world.person("pro", Role.PRO), await world.person("customer", Role.CUSTOMER)
    lead_id = await world.lead(pro, customer)
    given = RequestLeadRefund(
        lead_id=lead_id, reason=RefundReason.OTHER, explanation="Not a job.", idempotency_key=world.key()
    )
    case_id = (await request_lead_refund(world.uow, pro, given)).case_id
    (row,) = await world.rows("SELECT payment_id FROM lead WHERE id = ?", lead_id)
    return case_id, str(row["payment_id"])


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
