"""A lead's refund from the request to the second look: state, events, money, and every refusal with nothing changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from command_world import DAY, START, World, told, usd

from refundgql.commands.decisions import (
    ApproveRefund,
    CancelRefund,
    DeclineRefund,
    EscalateRefund,
    approve_refund,
    cancel_refund,
    decline_refund,
    escalate_refund,
)
from refundgql.commands.requests import RequestLeadRefund, request_lead_refund
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import BalancePurpose, RefundReason, RefundReasonDetail, Role

NOBODY = "0192f0c4-0000-7000-8000-000000000000"


@dataclass
class Desk:
    """The people around one lead."""

    world: World
    pro: Viewer
    customer: Viewer
    ivy: Viewer
    max: Viewer
    stranger: Viewer
    lead_id: str

    def ask(self, **given: object) -> RequestLeadRefund:
        """Return a good request, with some of it changed."""
        good = RequestLeadRefund(
            lead_id=self.lead_id,
            reason=RefundReason.JOB_CHANGED,
            reason_detail=RefundReasonDetail.DIFFERENT_LOCATION,
            explanation="It is in another town.",
            idempotency_key=self.world.key(),
        )
        return replace(good, **given)  # type: ignore[arg-type]

    async def open(self) -> str:
        """Ask for the money back and return the case."""
        return (await request_lead_refund(self.world.uow, self.pro, self.ask())).case_id

    async def approve(self, viewer: Viewer, case_id: str, **given: object) -> None:
        """Approve the case."""
        good = ApproveRefund(refund_case_id=case_id, idempotency_key=self.world.key())
        await approve_refund(self.world.uow, viewer, replace(good, **given))  # type: ignore[arg-type]

    async def decline(self, viewer: Viewer, case_id: str, message: str = "The job is the same.") -> None:
        """Decline the case."""
        given = DeclineRefund(
            refund_case_id=case_id, message=message, internal_note="Looks fine.", idempotency_key=self.world.key()
        )
        await decline_refund(self.world.uow, viewer, given)

    async def escalate(self, viewer: Viewer, case_id: str, **given: object) -> None:
        """Ask for a second look."""
        good = EscalateRefund(refund_case_id=case_id, explanation="Look again.", idempotency_key=self.world.key())
        await escalate_refund(self.world.uow, viewer, replace(good, **given))  # type: ignore[arg-type]


@pytest.fixture
async def desk(world: World) -> Desk:
    """A professional with a charged lead, two of support, and a stranger who is a professional, too."""
    pro = await world.person("pro", Role.PRO)
    customer = await world.person("customer", Role.CUSTOMER)
    return Desk(
        world,
        pro,
        customer,
        await world.person("ivy", Role.SUPPORT),
        await world.person("max", Role.SUPPORT, Role.PRO),
        await world.person("stranger", Role.PRO),
        await world.lead(pro, customer),
    )


async def test_a_request_opens_a_case(desk: Desk) -> None:
    """The case is REQUESTED with a number, its event and its decision target, and everybody concerned is woken."""
    result = await request_lead_refund(desk.world.uow, desk.pro, desk.ask())
    case = await desk.world.case(result.case_id)
    assert not result.replayed
    assert (case["state"], case["kind"], case["route"], case["version"]) == ("REQUESTED", "LEAD", "SUPPORT", 1)
    assert (case["requested_minor"], case["requester_id"], case["filed_by_id"]) == (
        3000,
        desk.pro.account_id,
        desk.pro.account_id,
    )
    (event,) = await desk.world.rows("SELECT * FROM refund_event")
    assert (event["id"], event["name"], event["actor_id"]) == (result.event_id, "REQUEST", desk.pro.account_id)
    assert {f"case:{result.case_id}", f"viewer:{desk.pro.account_id}", "queue"} <= set(desk.world.bus.rung)
    clocks = await desk.world.rows("SELECT name FROM clock WHERE case_id = ?", result.case_id)
    assert "SLA_DECISION" in {clock["name"] for clock in clocks}
    assert await desk.world.balance(desk.pro, BalancePurpose.LEADS) == 0


async def test_the_chat_is_frozen_with_the_request(desk: Desk) -> None:
    """The selected messages and the whole chat are kept as they were; later edits do not matter (L16)."""
    first = await desk.world.say(desk.lead_id, desk.customer, "Can you come to Linz?")
    await desk.world.say(desk.lead_id, desk.pro, "You said Graz.", START - timedelta(hours=5))
    gone = await desk.world.say(desk.lead_id, desk.customer, "Deleted before.", START - timedelta(hours=4))
    async with desk.world.database.transaction() as tx:
        await tx.execute("UPDATE message SET deleted_at = 1 WHERE id = ?", (gone,))
    result = await request_lead_refund(desk.world.uow, desk.pro, desk.ask(message_ids=(first,)))
    async with desk.world.database.transaction() as tx:
        await tx.execute("UPDATE message SET body = 'Never mind.', deleted_at = 1", ())
    selected, whole = await desk.world.rows("SELECT * FROM evidence WHERE case_id = ? ORDER BY id", result.case_id)
    assert selected["kind"] == whole["kind"] == "CONVERSATION"
    assert "Linz" in selected["content"]
    assert "Graz" not in selected["content"]
    assert "Linz" in whole["content"]
    assert "Graz" in whole["content"]
    assert "Deleted" not in whole["content"]
    assert len(selected["sha256"]) == 64
    assert selected["sha256"] != whole["sha256"]


async def test_a_terms_violation_reports_the_customer(desk: Desk) -> None:
    """L10 files one report on the customer with the case."""
    given = desk.ask(reason=RefundReason.TERMS_VIOLATION, reason_detail=RefundReasonDetail.MINOR)
    result = await request_lead_refund(desk.world.uow, desk.pro, given)
    (report,) = await desk.world.rows("SELECT * FROM customer_report")
    assert (report["customer_id"], report["case_id"], report["detail"]) == (
        desk.customer.account_id,
        result.case_id,
        "MINOR",
    )


async def test_requests_that_are_refused(desk: Desk) -> None:
    """Each refusal names its rule and its field, and nothing has changed."""
    world = desk.world

    async def why(viewer: Viewer, **given: object) -> list[tuple[str, str | None]]:
        return told(await world.refused(lambda: request_lead_refund(world.uow, viewer, desk.ask(**given))))

    assert await why(desk.stranger) == [("NOT_FOUND", None)]
    assert await why(desk.customer) == [("NOT_FOUND", None)]
    assert await why(desk.pro, lead_id=NOBODY) == [("NOT_FOUND", None)]
    assert await why(desk.pro, lead_id="") == [("NOT_FOUND", None)]
    assert await why(desk.pro, reason_detail=None) == [("INVALID_INPUT", "L09")]
    assert await why(desk.pro, reason=RefundReason.QUALITY, reason_detail=None) == [("INVALID_INPUT", "D17")]
    assert await why(desk.pro, reason=RefundReason.NOT_HIRED, reason_detail=None) == [("REASON_NOT_REFUNDABLE", "L08")]
    assert await why(desk.pro, reason=RefundReason.OTHER, reason_detail=None, explanation=None) == [
        ("INVALID_INPUT", "L12")
    ]
    assert await why(desk.pro, reason=RefundReason.OTHER, reason_detail=None, explanation=" \n") == [
        ("INVALID_INPUT", "L12")
    ]
    assert await why(desk.ivy) == [("INVALID_INPUT", "D4")]
    assert await why(desk.pro, idempotency_key="") == [("INVALID_INPUT", None)]
    assert await why(desk.pro, idempotency_key="k" * 201, reason_detail=None) == [("INVALID_INPUT", None)]
    (refusal,) = await world.refused(lambda: request_lead_refund(world.uow, desk.pro, desk.ask(message_ids=(NOBODY,))))
    assert (refusal.code.value, refusal.field) == ("NOT_FOUND", ("messageIds",))


async def test_day_30_is_the_last(desk: Desk) -> None:
    """A lead charged on 3 March can be asked back through 2 April (L15), and by staff at any time as goodwill (D4)."""
    world = desk.world
    world.clock.at = START - DAY + 31 * DAY
    assert told(await world.refused(lambda: request_lead_refund(world.uow, desk.pro, desk.ask()))) == [
        ("WINDOW_CLOSED", "L15")
    ]
    result = await request_lead_refund(world.uow, desk.ivy, desk.ask(on_behalf_reason="She wrote to us."))
    case = await world.case(result.case_id)
    assert (bool(case["goodwill"]), case["requester_id"], case["filed_by_id"]) == (
        True,
        desk.pro.account_id,
        desk.ivy.account_id,
    )
    assert told(await world.refused(lambda: desk.approve(desk.ivy, result.case_id))) == [("OWN_CASE", "D4")]


async def test_approval_credits_the_lead_balance_at_once(desk: Desk) -> None:
    """APPROVE and CREDIT are two events of one transaction, and the price is lead credit (L17, L18)."""
    case_id = await desk.open()
    await desk.approve(desk.ivy, case_id)
    case = await desk.world.case(case_id)
    assert (case["state"], case["settlement"], case["credited_minor"], case["version"]) == (
        "CREDITED",
        "SETTLED",
        3000,
        3,
    )
    assert await desk.world.events(case_id) == ["REQUEST", "APPROVE", "CREDIT"]
    assert await desk.world.balance(desk.pro, BalancePurpose.LEADS) == 3000
    assert await desk.world.balance(desk.pro) == 0
    (posting,) = await desk.world.rows("SELECT * FROM posting WHERE case_id = ?", case_id)
    assert (posting["fact"], posting["from_key"], posting["amount_minor"]) == ("CREDIT", "platform_leads:USD", 3000)
    assert await desk.world.rows("SELECT * FROM clock WHERE case_id = ?", case_id) == []


async def test_support_may_approve_a_part(desk: Desk) -> None:
    """D5: part of the price; more than the price is refused with the most there is."""
    case_id = await desk.open()
    (refusal,) = await desk.world.refused(lambda: desk.approve(desk.ivy, case_id, amount=usd("30.01")))
    assert (refusal.code.value, refusal.rule) == ("AMOUNT_EXCEEDS_REFUNDABLE", "D5")
    await desk.approve(desk.ivy, case_id, amount=usd("12.50"))
    assert await desk.world.balance(desk.pro, BalancePurpose.LEADS) == 1250


async def test_decisions_that_are_refused(desk: Desk) -> None:
    """Who may not, what is missing, what somebody else did first: each exactly, nothing changed."""
    world = desk.world
    case_id = await desk.open()

    async def why(viewer: Viewer, **given: object) -> list[tuple[str, str | None]]:
        return told(await world.refused(lambda: desk.approve(viewer, case_id, **given)))

    assert await why(desk.stranger) == [("NOT_FOUND", None)]
    assert await why(desk.customer) == [("NOT_FOUND", None)]
    assert [code for code, _ in await why(desk.pro)] == ["FORBIDDEN"]
    assert [code for code, _ in await why(desk.pro, amount=usd("1.001"))] == ["FORBIDDEN"]
    assert await why(desk.ivy, amount=usd("1.001"), expected_version=7) == [("INVALID_INPUT", "D2")]
    assert await why(desk.ivy, amount=replace(usd("1"), currency_code="EUR"), expected_version=7) == [
        ("CURRENCY_MISMATCH", "D2")
    ]
    assert [code for code, _ in await why(desk.ivy, expected_version=7)] == ["VERSION_CONFLICT"]
    assert told(await world.refused(lambda: desk.decline(desk.ivy, case_id, " "))) == [("INVALID_INPUT", None)]
    await desk.approve(desk.ivy, case_id, expected_version=1)
    assert [code for code, _ in await why(desk.ivy)] == ["TRANSITION_NOT_ALLOWED"]


async def test_a_second_look_is_taken_once_by_somebody_else(desk: Desk) -> None:
    """D6: declined, escalated, decided by another member of staff, and then final."""
    world = desk.world
    case_id = await desk.open()
    await desk.decline(desk.ivy, case_id)
    (event,) = await world.rows("SELECT * FROM refund_event WHERE name = 'DECLINE'")
    assert (event["note"], event["internal_note"]) == ("The job is the same.", "Looks fine.")
    assert [code for code, _ in told(await world.refused(lambda: desk.escalate(desk.ivy, case_id)))] == ["FORBIDDEN"]
    await desk.escalate(desk.pro, case_id)
    assert (await world.case(case_id))["state"] == "ESCALATED"
    assert told(await world.refused(lambda: desk.decline(desk.ivy, case_id))) == [("SAME_DECIDER", "D6")]
    await desk.decline(desk.max, case_id)
    case = await world.case(case_id)
    assert (case["state"], bool(case["final_decision"])) == ("DECLINED", True)
    assert "D6" in [rule for _, rule in told(await world.refused(lambda: desk.escalate(desk.pro, case_id)))]
    assert [code for code, _ in told(await world.refused(lambda: desk.open()))] == ["TOO_MANY_REQUESTS_FOR_PAYMENT"]


async def test_a_cancelled_case_does_not_count(desk: Desk) -> None:
    """D15, D6: only the requester cancels, and may ask again."""
    world = desk.world
    case_id = await desk.open()

    async def cancel(viewer: Viewer) -> None:
        await cancel_refund(world.uow, viewer, CancelRefund(refund_case_id=case_id, idempotency_key=world.key()))

    assert [code for code, _ in told(await world.refused(lambda: cancel(desk.ivy)))] == ["FORBIDDEN"]
    await cancel(desk.pro)
    assert (await world.case(case_id))["state"] == "CANCELLED"
    assert [code for code, _ in told(await world.refused(lambda: cancel(desk.pro)))] == ["TRANSITION_NOT_ALLOWED"]
    again = await desk.open()
    assert again != case_id
    assert (await world.case(again))["state"] == "REQUESTED"
