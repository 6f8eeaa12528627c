"""Windows at their first and last instants: whole UTC days, leap years, year ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from domain_world import (
    CLIENT,
    EXPERT,
    NOW,
    POLICY,
    PRO,
    SUPPORT,
    A,
    K,
    S,
    case_in,
    contract,
    day,
    done,
    escrow_facts,
    good_act,
    invoice,
    invoice_facts,
    lead_facts,
    refused,
    week_facts,
    why,
    with_case,
)

from refundgql.domain.cases import available_actions, subject_availability
from refundgql.domain.facts import Facts
from refundgql.domain.refusals import WindowRefusal
from refundgql.domain.vocabulary import ContractKind, IssueDecision, RefundActionName

LAST = timedelta(microseconds=1)


def window(action: RefundActionName, facts: Facts, at: datetime, viewer: object = CLIENT) -> WindowRefusal:
    """Return the only refusal of an act, a window's."""
    kind = facts.case.kind if facts.case is not None else (K.LEAD if facts.lead else K.INVOICE)
    (refusal,) = refused(good_act(action, kind, viewer, at), facts)  # type: ignore[arg-type]
    assert isinstance(refusal, WindowRefusal)
    return refusal


def test_a_lead_can_be_asked_about_until_its_thirtieth_day_ends() -> None:
    """L15: charged 2026-01-31T00:10Z, open through 2026-03-02T23:59:59Z."""
    facts = lead_facts(charged_at=day("2026-01-31T00:10"))
    assert done(A.REQUEST, facts, PRO, day("2026-03-02T23:59:59.999999")).case.state is S.REQUESTED
    closed = window(A.REQUEST, facts, day("2026-03-03"), PRO)
    assert (closed.code.value, closed.rule, closed.elapsed_days, closed.limit_days) == ("WINDOW_CLOSED", "L15", 31, 30)
    assert closed.available_until == day("2026-03-03")
    assert "until 2026-03-02" in closed.message


def test_the_clock_of_a_lead_charged_late_in_the_evening_counts_dates() -> None:
    """D1: one minute before midnight is a whole day."""
    facts = lead_facts(charged_at=day("2025-12-31T23:59"))
    assert done(A.REQUEST, facts, PRO, day("2026-01-30T23:59:59")).case.state is S.REQUESTED
    assert why(A.REQUEST, facts, PRO, day("2026-01-31")) == [("WINDOW_CLOSED", "L15")]


def test_staff_file_at_any_time_and_late_filings_are_goodwill() -> None:
    """D4: after day 30 staff may still file, marked goodwill."""
    facts = lead_facts(charged_at=day("2026-01-31T00:10"))
    in_time = done(A.REQUEST, facts, SUPPORT, day("2026-03-02T23:00")).case
    late = done(A.REQUEST, facts, SUPPORT, day("2026-06-01")).case
    assert (in_time.goodwill, late.goodwill) == (False, True)
    assert (late.requester_id, late.filed_by_id, late.on_behalf_reason) == ("pro", "support", "Asked by mail.")


@pytest.mark.parametrize(
    ("at", "state"),
    [("2025-10-28T23:59:59.999999", S.REQUESTED), ("2025-10-29", S.ESCALATED), ("2026-05-01T23:59:59", S.ESCALATED)],
)
def test_the_route_of_an_invoice(at: str, state: object) -> None:
    """C06, C07: paid 2025-05-01T23:30Z, direct through 2025-10-28, support through 2026-05-01."""
    facts = invoice_facts(paid_at=day("2025-05-01T23:30"))
    assert done(A.REQUEST, facts, CLIENT, day(at)).case.state is state


def test_an_invoice_closes_after_day_365() -> None:
    """C07: paid 2025-05-01T23:30Z, refused from 2026-05-02."""
    facts = invoice_facts(paid_at=day("2025-05-01T23:30"))
    closed = window(A.REQUEST, facts, day("2026-05-02"))
    assert (closed.code.value, closed.rule, closed.elapsed_days, closed.limit_days) == (
        "WINDOW_CLOSED",
        "C07",
        366,
        365,
    )
    assert closed.available_until == day("2026-05-02")


def test_a_leap_day_is_a_day() -> None:
    """D1: day 365 from 2024-02-29 is 2025-02-28, and 2023-03-01 to 2024-02-29 is day 365."""
    assert done(A.REQUEST, invoice_facts(paid_at=day("2024-02-29")), CLIENT, day("2025-02-28T23:59")).case
    assert why(A.REQUEST, invoice_facts(paid_at=day("2024-02-29")), CLIENT, day("2025-03-01")) == [
        ("WINDOW_CLOSED", "C07")
    ]
    assert done(A.REQUEST, invoice_facts(paid_at=day("2023-03-01")), CLIENT, day("2024-02-29T23:59")).case


def test_the_expert_decides_until_day_180_ends() -> None:
    """D7: the expert's right to approve, decline or issue ends with day 180."""
    facts = with_case(invoice_facts(paid_at=day("2025-05-01T23:30")), case_in(S.REQUESTED, opened_at=day("2025-10-27")))
    last = day("2025-10-29") - LAST
    assert done(A.APPROVE, facts, EXPERT, last).case.state is S.CREDITED
    assert done(A.DECLINE, facts, EXPERT, last).case.state is S.DECLINED
    closed = window(A.APPROVE, facts, day("2025-10-29"), EXPERT)
    assert (closed.rule, closed.elapsed_days, closed.limit_days) == ("D7", 181, 180)
    assert why(A.DECLINE, facts, EXPERT, day("2025-10-29")) == [("WINDOW_CLOSED", "D7")]
    bare = invoice_facts(paid_at=day("2025-05-01T23:30"))
    assert done(A.ISSUE, bare, EXPERT, last).case.state is S.CREDITED
    assert why(A.ISSUE, bare, EXPERT, day("2025-10-29")) == [("WINDOW_CLOSED", "D7")]
    assert done(A.ISSUE, bare, EXPERT, day("2025-10-29"), decision=IssueDecision.NONE).case.state is S.DECLINED


def test_support_decides_at_any_later_day() -> None:
    """D12: a case opened in time may be decided after every window."""
    facts = with_case(invoice_facts(paid_at=day("2025-05-01")), case_in(S.ESCALATED))
    assert done(A.APPROVE, facts, SUPPORT, day("2029-01-01")).case.state is S.CREDITED


def test_an_hourly_request_is_handed_over_when_its_answer_time_ends() -> None:
    """D8: day 7 is still the expert's; from `respondBy` on it moves to support, and a decline comes too late."""
    case = done(A.REQUEST, invoice_facts(), CLIENT, day("2026-03-04T15:00")).case
    assert case.respond_by == day("2026-03-12")
    facts = with_case(invoice_facts(), case)
    early = window(A.HAND_OVER, facts, day("2026-03-12") - LAST, None)
    assert (early.code.value, early.rule, early.available_from) == ("NOT_YET_AVAILABLE", "D8", day("2026-03-12"))
    decision = done(A.HAND_OVER, facts, None, day("2026-03-12"))
    assert (decision.event.name, decision.event.actor_role) == ("HAND_OVER", "SYSTEM")
    moved = decision.case
    assert (moved.state, moved.route.value, moved.whose_move.value) == (S.ESCALATED, "DIRECT", "SUPPORT")
    assert moved.respond_by is None
    assert [(clock.name.value, clock.due_at) for clock in decision.clocks] == [("SLA_DECISION", day("2026-03-14"))]
    assert why(A.DECLINE, facts, EXPERT, day("2026-03-12")) == [("WINDOW_CLOSED", "D8")]
    assert done(A.APPROVE, facts, EXPERT, day("2026-03-12")).case.state is S.CREDITED


def test_a_fixed_price_request_waits_for_day_181() -> None:
    """D7, D8: without answer time, a fixed-price request moves when the direct window ends."""
    facts = invoice_facts(contract_kind=ContractKind.FIXED_PRICE, paid_at=day("2025-05-01T23:30"))
    opened = done(A.REQUEST, facts, CLIENT, day("2025-06-01"))
    assert opened.case.respond_by == day("2025-10-29")
    assert [(clock.name.value, clock.due_at) for clock in opened.clocks] == [("RESPOND_BY", day("2025-10-28"))]
    there = with_case(facts, opened.case)
    assert window(A.HAND_OVER, there, day("2025-10-28T23:59:59"), None).rule == "D7"
    assert done(A.HAND_OVER, there, None, day("2025-10-29")).case.state is S.ESCALATED


def test_an_hourly_request_late_in_the_direct_window_is_answered_before_its_end() -> None:
    """D7, D8: what is announced is the earlier of the two hand-overs."""
    opened = done(A.REQUEST, invoice_facts(paid_at=day("2025-05-01T23:30")), CLIENT, day("2025-10-27"))
    assert opened.case.respond_by == day("2025-10-29")
    assert [clock.due_at for clock in opened.clocks] == [day("2025-10-28")]


def test_escrow_has_an_answer_time_and_no_window() -> None:
    """C30, D8: escrow can be asked back years after funding; only the answer time runs."""
    opened = done(A.REQUEST, escrow_facts(), CLIENT, NOW + timedelta(days=2_000))
    assert [clock.name.value for clock in opened.clocks] == ["RESPOND_BY"]
    assert subject_availability(A.REQUEST, escrow_facts(), CLIENT, NOW, POLICY, kind=K.ESCROW).available_until is None


def test_the_second_look_is_asked_for_within_thirty_days_of_the_decline() -> None:
    """D6: the day of the decline plus 30, and 48 hours of its own (L14)."""
    declined = case_in(S.DECLINED, K.LEAD, declined_at=day("2026-03-04T23:00"))
    facts = with_case(lead_facts(), declined)
    decision = done(A.ESCALATE, facts, PRO, day("2026-04-03T23:59:59"))
    assert (decision.case.state, decision.case.second_look_used) == (S.ESCALATED, True)
    assert decision.case.deadline_at == day("2026-04-05T23:59:59")
    assert [clock.due_at for clock in decision.clocks] == [day("2026-04-04T23:59:59")]
    closed = window(A.ESCALATE, facts, day("2026-04-04"), PRO)
    assert (closed.code.value, closed.rule, closed.elapsed_days, closed.limit_days) == ("WINDOW_CLOSED", "D6", 31, 30)


def test_an_hourly_decline_is_escalated_until_day_365() -> None:
    """C24: as long as support may decide on the payment."""
    facts = with_case(invoice_facts(paid_at=day("2025-05-01T23:30")), case_in(S.DECLINED))
    assert done(A.ESCALATE, facts, CLIENT, day("2026-05-01T23:59:59")).case.state is S.ESCALATED
    closed = window(A.ESCALATE, facts, day("2026-05-02"))
    assert (closed.code.value, closed.rule, closed.limit_days) == ("WINDOW_CLOSED", "C24", 365)


def test_hourly_invoices_are_disputed_for_thirty_days() -> None:
    """C31: day 30 from the payment is the last."""
    facts = with_case(invoice_facts(paid_at=day("2026-01-31T22:00")), case_in(S.REQUESTED))
    assert done(A.DISPUTE, facts, CLIENT, day("2026-03-02T23:59:59")).case.state is S.DISPUTED
    closed = window(A.DISPUTE, facts, day("2026-03-03"))
    assert (closed.code.value, closed.rule, closed.elapsed_days, closed.limit_days) == ("WINDOW_CLOSED", "C31", 31, 30)


def test_funds_are_awaited_for_fourteen_days() -> None:
    """D13: after 14 days, that is from the fifteenth on, the client may escalate; what was approved is consent."""
    waiting = case_in(S.APPROVED, approved_at=day("2026-03-04T12:00"), approved_minor=4_000)
    facts = with_case(invoice_facts(funds=0), waiting)
    early = window(A.ESCALATE, facts, day("2026-03-18T23:59:59"))
    assert (early.code.value, early.rule, early.available_from) == ("NOT_YET_AVAILABLE", "D13", day("2026-03-19"))
    assert (early.elapsed_days, early.limit_days) == (14, 14)
    decision = done(A.ESCALATE, facts, CLIENT, day("2026-03-19"))
    assert (decision.case.consented_minor, decision.case.approved_minor) == (4_000, None)
    assert decision.payment_reserved_delta_minor == -4_000


@pytest.mark.parametrize("at", ["2026-03-02", "2026-03-06T23:59:59.999999"])
def test_hours_are_disputed_from_monday_to_friday(at: str) -> None:
    """C25: the week that ended Sunday 2026-03-01, disputable through Friday 2026-03-06."""
    paid = week_facts(paid_at=day("2026-03-02"))
    decision = done(A.OPEN_TIMESHEET_DISPUTE, paid, CLIENT, day(at), kind=K.TIMESHEET)
    assert (decision.case.state, decision.case.route.value) == (S.DISPUTED, "SUPPORT")


def test_a_running_week_is_not_disputed_yet() -> None:
    """C25: one microsecond before Monday is too early."""
    early = window(A.OPEN_TIMESHEET_DISPUTE, week_facts(), day("2026-03-02") - LAST)
    assert (early.code.value, early.rule) == ("NOT_YET_AVAILABLE", "C25")
    assert (early.available_from, early.available_until) == (day("2026-03-02"), day("2026-03-07"))


def test_a_missed_cut_off_offers_to_ask_the_expert() -> None:
    """C28: refused on Saturday 2026-03-07T00:00Z, with REQUEST as what is left, while that is so."""
    missed = window(A.OPEN_TIMESHEET_DISPUTE, week_facts(), day("2026-03-07"))
    assert (missed.code.value, missed.rule, missed.alternatives) == ("WINDOW_CLOSED", "C28", (A.REQUEST,))
    assert (missed.elapsed_days, missed.limit_days, missed.available_until) == (6, 5, day("2026-03-07"))
    years_later = window(A.OPEN_TIMESHEET_DISPUTE, week_facts(), day("2028-03-07"))
    assert years_later.alternatives == ()


def test_a_pending_request_does_not_move_the_cut_off() -> None:
    """C27: with a request on the same week, Saturday is still too late."""
    pending = with_case(week_facts(), case_in(S.REQUESTED))
    facts = replace(pending, case=None, open_case=pending.case)
    assert done(A.OPEN_TIMESHEET_DISPUTE, facts, CLIENT, day("2026-03-06T23:59"), kind=K.TIMESHEET).case
    assert why(A.OPEN_TIMESHEET_DISPUTE, facts, CLIENT, day("2026-03-07"), kind=K.TIMESHEET) == [
        ("WINDOW_CLOSED", "C28")
    ]


def test_a_running_week_is_unbilled() -> None:
    """C10: a request about a running week says when it is billed, also when the contract was closed."""
    facts = week_facts(paid_at=None)
    facts = replace(facts, invoice=None, contract=contract(ended_at=day("2026-02-25"), paid_minor=0))
    early = window(A.REQUEST, facts, day("2026-02-26"))
    assert (early.code.value, early.rule, early.available_from) == ("UNBILLED_PERIOD", "C10", day("2026-03-02"))
    assert why(A.REQUEST, facts, CLIENT, day("2026-03-02")) == [("INVOICE_NOT_PAID", "C11")]
    assert why(A.ISSUE, facts, EXPERT, day("2026-02-26")) == [("UNBILLED_PERIOD", "C10")]


def test_availability_shows_the_same_ends() -> None:
    """An open button says until when it is open, with the instants of the refusals."""
    lead = lead_facts(charged_at=day("2026-01-31T00:10"))
    assert subject_availability(A.REQUEST, lead, PRO, day("2026-02-01"), POLICY).available_until == day("2026-03-03")
    week = subject_availability(A.OPEN_TIMESHEET_DISPUTE, week_facts(), CLIENT, NOW, POLICY)
    assert (week.available_from, week.available_until) == (day("2026-03-02"), day("2026-03-07"))
    declined = with_case(invoice_facts(paid_at=day("2026-03-01")), case_in(S.DECLINED))
    ends = {one.name: one.available_until for one in available_actions(declined, CLIENT, NOW, POLICY)}
    assert (ends[A.ESCALATE], ends[A.DISPUTE]) == (day("2027-03-02"), day("2026-04-01"))


def test_dates_at_the_end_of_the_calendar_do_not_fail() -> None:
    """A payment dated in the last year there is has windows that end with the calendar."""
    facts = replace(invoice_facts(), invoice=invoice(day("9999-12-30")))
    assert done(A.REQUEST, facts, CLIENT, day("9999-12-31")).case.state is S.REQUESTED


def test_a_week_without_hours_has_nothing_to_dispute() -> None:
    """C25: hours above zero."""
    facts = week_facts(hours=Decimal(0))
    assert why(A.OPEN_TIMESHEET_DISPUTE, facts, CLIENT, kind=K.TIMESHEET) == [("DISPUTE_NOT_AVAILABLE", "C25")]
