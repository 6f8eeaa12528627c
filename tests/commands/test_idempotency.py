"""One effect per key: replays, other inputs, other accounts, refusals, copies at the same time, restarts."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import pytest
from command_world import World, told, usd
from contract_desk import ContractDesk

from refundgql.commands.decisions import ApproveRefund, CancelRefund, approve_refund, cancel_refund
from refundgql.commands.requests import RequestInvoiceRefund, request_invoice_refund
from refundgql.domain.refusals import Refused
from refundgql.storage.database import Database, Transaction
from refundgql.storage.faults import CommitUnknown


@pytest.fixture
async def desk(world: World) -> ContractDesk:
    """The people around contracts."""
    return await ContractDesk.open(world)


async def test_the_same_key_replays_and_another_input_is_refused(desk: ContractDesk) -> None:
    """A replay gives the same case and event whatever happened since; a changed input is IDEMPOTENCY_KEY_REUSED."""
    world = desk.world
    case_id = await desk.ask(await desk.paid_invoice(), "60")
    given = ApproveRefund(refund_case_id=case_id, amount=usd("50"), idempotency_key="k")
    first = await approve_refund(world.uow, desk.expert, given)
    await desk.reverse(desk.ada, case_id)
    before = await world.dump()
    again = await approve_refund(world.uow, desk.expert, replace(given, amount=usd("50.00")))
    assert (again.case_id, again.event_id, again.replayed) == (first.case_id, first.event_id, True)
    assert await world.dump() == before
    other = replace(given, amount=usd("51"))
    assert told(await world.refused(lambda: approve_refund(world.uow, desk.expert, other))) == [
        ("IDEMPOTENCY_KEY_REUSED", None)
    ]
    cancel = CancelRefund(refund_case_id=case_id, idempotency_key="k")
    assert told(await world.refused(lambda: cancel_refund(world.uow, desk.expert, cancel))) == [
        ("IDEMPOTENCY_KEY_REUSED", None)
    ]


async def test_keys_belong_to_their_account(desk: ContractDesk) -> None:
    """Another account's same key is a key of its own, also for what that account may not see."""
    world = desk.world
    case_id = await desk.ask(await desk.paid_invoice(), "60", idempotency_key="k")
    given = ApproveRefund(refund_case_id=case_id, idempotency_key="k")
    assert told(await world.refused(lambda: approve_refund(world.uow, desk.stranger, given))) == [("NOT_FOUND", None)]
    assert not (await approve_refund(world.uow, desk.expert, given)).replayed


async def test_a_refusal_is_not_remembered(desk: ContractDesk) -> None:
    """The same key decides anew after a refusal, and only its success is kept."""
    world = desk.world
    invoice_id = await desk.paid_invoice()
    first = await desk.ask(invoice_id, "10")
    given = RequestInvoiceRefund(invoice_id=invoice_id, amount=usd("20"), idempotency_key="k")
    assert told(await world.refused(lambda: request_invoice_refund(world.uow, desk.client, given))) == [
        ("CASE_ALREADY_OPEN", "D14")
    ]
    await desk.cancel(desk.client, first)
    assert not (await request_invoice_refund(world.uow, desk.client, given)).replayed
    assert (await request_invoice_refund(world.uow, desk.client, given)).replayed


async def test_copies_at_the_same_time_have_one_effect(desk: ContractDesk) -> None:
    """Ten copies of one request at once: one opens the case, nine replay it, none is refused."""
    world = desk.world
    invoice_id = await desk.paid_invoice()
    given = RequestInvoiceRefund(invoice_id=invoice_id, amount=usd("20"), idempotency_key="k")
    results = await asyncio.gather(*(request_invoice_refund(world.uow, desk.client, given) for _ in range(10)))
    assert len({(result.case_id, result.event_id) for result in results}) == 1
    assert sorted(result.replayed for result in results) == [False] + [True] * 9
    assert len(await world.rows("SELECT id FROM refund_case")) == 1


async def test_copies_of_an_approval_at_the_same_time_have_one_effect(desk: ContractDesk) -> None:
    """Ten copies of one approval: one credits, nine replay."""
    world = desk.world
    case_id = await desk.ask(await desk.paid_invoice(), "60")
    given = ApproveRefund(refund_case_id=case_id, idempotency_key="k")
    results = await asyncio.gather(*(approve_refund(world.uow, desk.expert, given) for _ in range(10)))
    assert sorted(result.replayed for result in results) == [False] + [True] * 9
    assert await world.events(case_id) == ["REQUEST", "APPROVE", "CREDIT"]
    assert await world.balance(desk.client) == 6_000


async def test_one_key_for_two_inputs_at_the_same_time(desk: ContractDesk) -> None:
    """Of two different inputs with one key at once, one is done and the other refused as reused."""
    world = desk.world
    one, two = await desk.paid_invoice(), await desk.paid_invoice()

    async def ask(invoice_id: str) -> str:
        given = RequestInvoiceRefund(invoice_id=invoice_id, amount=usd("20"), idempotency_key="k")
        try:
            return (await request_invoice_refund(world.uow, desk.client, given)).case_id
        except Refused as refused:
            return refused.refusals[0].code.value

    answers = await asyncio.gather(ask(one), ask(two))
    assert "IDEMPOTENCY_KEY_REUSED" in answers
    assert len(await world.rows("SELECT id FROM refund_case")) == 1


async def test_a_commit_nobody_heard_of_is_found_by_its_key(
    desk: ContractDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is lost after the commit: the repeat finds what was done and does nothing again."""
    world = desk.world
    case_id = await desk.ask(await desk.paid_invoice(), "60")
    transaction, one_write = world.database.transaction, world.database.one_write
    lost = 0

    class Losing:
        def __init__(self, inner: AbstractAsyncContextManager[Transaction]) -> None:
            self.inner = inner

        async def __aenter__(self) -> object:
            return await self.inner.__aenter__()

        async def __aexit__(self, *error: object) -> object:
            nonlocal lost
            answer = await self.inner.__aexit__(*error)
            if error[0] is None and lost == 0:
                lost += 1
                raise CommitUnknown("gone")
            return answer

    monkeypatch.setattr(world.database, "transaction", lambda: Losing(transaction()))
    monkeypatch.setattr(world.database, "one_write", lambda: Losing(one_write()))
    result = await approve_refund(world.uow, desk.expert, ApproveRefund(refund_case_id=case_id, idempotency_key="k"))
    assert (lost, result.replayed) == (1, True)
    assert await world.events(case_id) == ["REQUEST", "APPROVE", "CREDIT"]


async def test_keys_hold_across_a_restart(desk: ContractDesk) -> None:
    """Another process that opens the database replays what the first one did."""
    world = desk.world
    case_id = await desk.ask(await desk.paid_invoice(), "60")
    given = ApproveRefund(refund_case_id=case_id, idempotency_key="k")
    first = await approve_refund(world.uow, desk.expert, given)
    again = World(await Database.open(world.database.url), world.clock)
    try:
        result = await approve_refund(again.uow, desk.expert, given)
    finally:
        await again.database.close()
    assert (result.event_id, result.replayed) == (first.event_id, True)
