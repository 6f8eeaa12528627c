"""Two rules that meet on one payment: each still holds at its own boundary."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from domain_world import (
    ADMIN,
    CLIENT,
    COLLEAGUE,
    EXPERT,
    LEDGER,
    NOW,
    POLICY,
    PRO,
    SUPPORT,
    A,
    K,
    S,
    case_in,
    done,
    facts_of,
    good_act,
    invoice_facts,
    lead_facts,
    moves,
    only,
    person,
    usd,
    week_facts,
    why,
    with_case,
)

from refundgql.domain.cases import decide, preview, subject_availability
from refundgql.domain.facts import CreditedPart, Facts
from refundgql.domain.machines.table import ROWS
from refundgql.domain.money import Money
from refundgql.domain.payment_cases import with_cases
from refundgql.domain.refusals import AmountRefusal
from refundgql.domain.rules.who import Who
from refundgql.domain.settlement import credit_postings
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import (
    Audience,
    RefundActionName,
    RefundCaseKind,
    RefundCaseState,
    RefusalCode,
    Role,
)

LIMITED = replace(POLICY, decision_limit_minor={"USD": 1_000})


def reopened() -> Facts:
    """Return a case that support had declined finally and an administrator has reopened."""
    final = case_in(
        S.DECLINED,
        final_decision=True,
        support_decided=True,
        decided_by_id="support",
        escalated_at=NOW - timedelta(days=1),
    )
    case = done(A.REOPEN, with_cases(invoice_facts(), [final], final), ADMIN).case
    return with_cases(invoice_facts(), [case], case)


def test_a_reopened_case_gives_no_way_on_that_was_not_there() -> None:
    """D22, D12: while it is decided anew nobody disputes it, and taking it back leaves support's decision final."""
    facts = reopened()
    refusal = only(good_act(A.DISPUTE, K.INVOICE, CLIENT), facts)
    assert (refusal.code, refusal.rule) == (RefusalCode.FINAL_DECISION, "D12")
    assert refusal.message == "Support decides this case anew: wait for its answer."
    cancelled = done(A.CANCEL, facts, CLIENT).case
    again = done(A.REQUEST, with_cases(invoice_facts(), [cancelled], None), CLIENT).case
    declined = replace(again, id="again", state=S.DECLINED, declined_at=NOW)
    second = with_cases(invoice_facts(), [cancelled, declined], declined)
    for action in (A.ESCALATE, A.DISPUTE):
        assert why(action, second, CLIENT) == [("FINAL_DECISION", "D12")]


def test_a_reopened_case_is_decided_as_any_other() -> None:
    """D22: support approves up to what was asked; the decision before is no cap."""
    assert done(A.APPROVE, reopened(), SUPPORT).case.credited_minor == 6_000


@pytest.mark.parametrize(
    ("gone", "code", "rule"),
    [
        ({"refunded_minor": 2_000}, "AMOUNT_EXCEEDS_REFUNDABLE", "D9"),
        ({"charged_back_minor": 2_000}, "CHARGED_BACK", "D25"),
        ({"refunded_minor": 500, "charged_back_minor": 1_500}, "CHARGED_BACK", "D25"),
    ],
)
def test_a_lead_whose_price_has_gone_back_is_not_asked_about(gone: dict[str, int], code: str, rule: str) -> None:
    """D9, D25: a refund of the past or a bank has taken all of it; button, preview and act say so."""
    facts, act = lead_facts(**gone), good_act(A.REQUEST, K.LEAD, PRO)
    refusal = only(act, facts)
    assert isinstance(refusal, AmountRefusal)
    assert (refusal.code.value, refusal.rule, refusal.maximum) == (code, rule, usd(0))
    assert preview(act, facts, POLICY).blockers == (refusal,)
    shown = subject_availability(A.REQUEST, facts, PRO, NOW, POLICY)
    assert [(one.code.value, one.rule) for one in shown.blockers] == [(code, rule)]


def test_a_lead_is_asked_about_as_far_as_its_price_is_there() -> None:
    """D25, D5: of 20.00 a bank wants 5.00: 15.00 are asked for, and approved without an amount."""
    facts = lead_facts(charged_back_minor=500)
    case = done(A.REQUEST, facts, PRO).case
    assert case.requested_minor == 1_500
    credited = done(A.APPROVE, with_cases(facts, [case], case), SUPPORT)
    assert moves(credited) == [("platform", "pro", 1_500)]
    assert preview(good_act(A.REQUEST, K.LEAD, PRO), facts, POLICY).maximum == usd(1_500)


def test_who_proposed_what_was_returned_has_given_no_answer() -> None:
    """D23, D6: a colleague's own decision instead leaves the second look to whoever had proposed another one."""
    case = case_in(S.REQUESTED, K.LEAD)
    proposed = decide(good_act(A.APPROVE, K.LEAD, SUPPORT), with_case(lead_facts(), case), LIMITED).case
    assert proposed.proposed_by_id == "support"
    returned = decide(good_act(A.RETURN, K.LEAD, COLLEAGUE), with_case(lead_facts(), proposed), LIMITED).case
    declined = decide(good_act(A.DECLINE, K.LEAD, ADMIN), with_case(lead_facts(), returned), LIMITED).case
    looking = done(A.ESCALATE, with_case(lead_facts(), declined), PRO).case
    assert done(A.DECLINE, with_case(lead_facts(), looking), SUPPORT).case.final_decision
    assert why(A.DECLINE, with_case(lead_facts(), looking), ADMIN) == [("SAME_DECIDER", "D6")]


def test_a_credit_of_two_postings_is_reversed_by_two() -> None:
    """D16: each goes back to where it came from, and points to what it undoes."""
    facts = with_case(week_facts(held=2_000), case_in(S.REQUESTED))
    parts = credit_postings(case_in(S.CREDITED), facts, 6_000)
    assert [(one.from_key, one.amount.minor) for one in parts] == [(LEDGER["held"], 2_000), (LEDGER["expert"], 4_000)]
    credit = tuple(
        CreditedPart(posting_id=f"p{n}", from_key=one.from_key, to_key=one.to_key, minor=one.amount.minor)
        for n, one in enumerate(parts)
    )
    back = done(A.REVERSE, replace(with_case(week_facts(), case_in(S.CREDITED)), credit=credit), ADMIN)
    assert moves(back) == [("client", "held", 2_000), ("client", "expert", 4_000)]
    assert [one.reverses_id for one in back.postings] == ["p0", "p1"]
    assert back.payment_refunded_delta_minor == -6_000
    released = replace(with_case(week_facts(released=True), case_in(S.CREDITED)), credit=credit)
    assert moves(done(A.REVERSE, released, ADMIN)) == [("client", "expert", 2_000), ("client", "expert", 4_000)]


def test_half_a_credit_is_not_reversed() -> None:
    """D16: where the ledger's postings are not the case's amount nothing is decided."""
    facts = with_case(invoice_facts(), case_in(S.CREDITED))
    with pytest.raises(ValueError, match="reversed whole"):
        done(A.REVERSE, replace(facts, credit=()), ADMIN)


STAFF_DECIDE = [
    *[(K.LEAD, state, action) for state in (S.REQUESTED, S.ESCALATED) for action in (A.APPROVE, A.DECLINE)],
    *[
        (kind, state, action)
        for kind in (K.INVOICE, K.ESCROW)
        for state in (S.ESCALATED, S.DISPUTED)
        for action in (A.APPROVE, A.DECLINE)
    ],
    *[(K.TIMESHEET, S.DISPUTED, action) for action in (A.APPROVE, A.DECLINE)],
    *[(kind, S.CREDITED, A.REVERSE) for kind in K],
]


def test_staff_decide_nowhere_else() -> None:
    """The states above are all in which the table lets staff approve, decline or reverse."""
    rows = {
        (kind, row.from_state, A(row.action))
        for kind in K
        for row in ROWS[kind]
        if row.action in ("APPROVE", "DECLINE", "REVERSE") and {Who.SUPPORT, Who.ADMIN}.intersection(row.guards.by)
    }
    assert rows == set(STAFF_DECIDE)


@pytest.mark.parametrize(("kind", "state", "action"), STAFF_DECIDE)
def test_nobody_decides_on_money_of_their_own(
    kind: RefundCaseKind, state: RefundCaseState, action: RefundActionName
) -> None:
    """OWN_CASE for both parties and the filer, in every kind and every state in which staff decide or reverse."""
    for account in ("pro", "customer") if kind is K.LEAD else ("client", "expert"):
        facts = with_case(facts_of(kind), case_in(state, kind, filed_by_id="somebody"))
        assert why(action, facts, person(account, Role.SUPPORT, Role.ADMIN)) == [("OWN_CASE", None)]
    facts = with_case(facts_of(kind), case_in(state, kind, filed_by_id="filer"))
    assert why(action, facts, person("filer", Role.SUPPORT, Role.ADMIN)) == [("OWN_CASE", "D4")]
    assert done(action, facts, person("other", Role.SUPPORT, Role.ADMIN)).event.name == action.value


@pytest.mark.parametrize(("text", "currency"), [("0.000", "KWD"), ("0", "JPY"), ("0.00", "USD"), ("0", "KWD")])
def test_nothing_is_no_amount_in_any_currency(text: str, currency: str) -> None:
    """D2: zero, however many decimals the currency has, is refused as such."""
    zero = Money.plain(text, currency)
    assert zero == Money(0, currency)
    facts = invoice_facts()
    facts = replace(facts, payment=replace(facts.payment, currency=currency))
    refusal = only(good_act(A.REQUEST, K.INVOICE, CLIENT, amount=zero), facts)
    assert (refusal.code.value, refusal.rule, refusal.field) == ("INVALID_INPUT", "D2", ("amount",))
    with_it = with_case(facts, case_in(S.REQUESTED, currency=currency))
    assert only(good_act(A.APPROVE, K.INVOICE, EXPERT, amount=zero), with_it).rule == "D2"


def said(facts: Facts, viewer: Viewer, audience: Audience) -> bool:
    """Return whether a case asks support for something once somebody has written on it."""
    return done(A.SEND_MESSAGE, facts, viewer, audience=audience).case.asks_support


@pytest.mark.parametrize("state", [S.REQUESTED, S.DECLINED, S.CREDITED, S.CANCELLED])
def test_a_message_to_support_asks_for_somebody_there(state: RefundCaseState) -> None:
    """On a case that support has nothing to do with, a party's message to it does, until staff answer."""
    facts = with_case(invoice_facts(), case_in(state))
    assert said(facts, CLIENT, Audience.REQUESTER_AND_SUPPORT)
    assert said(facts, EXPERT, Audience.COUNTERPARTY_AND_SUPPORT)
    assert not said(facts, CLIENT, Audience.EVERYONE)  # between the parties
    asking = with_case(invoice_facts(), case_in(state, asks_support=True))
    assert said(asking, EXPERT, Audience.EVERYONE)
    assert said(asking, SUPPORT, Audience.INTERNAL)
    for audience in (Audience.EVERYONE, Audience.REQUESTER_AND_SUPPORT):
        assert not said(asking, SUPPORT, audience)
    assert said(with_case(lead_facts(), case_in(S.DECLINED, K.LEAD)), PRO, Audience.EVERYONE)  # to whom else


def test_a_question_goes_with_its_state() -> None:
    """What has come to support, or is over, is looked at anyway."""
    facts = with_case(invoice_facts(), case_in(S.REQUESTED, asks_support=True))
    for action, viewer in ((A.DISPUTE, CLIENT), (A.CANCEL, CLIENT), (A.DECLINE, EXPERT), (A.APPROVE, EXPERT)):
        assert not done(action, facts, viewer).case.asks_support


@pytest.mark.parametrize("kind", K)
def test_a_reversal_says_why(kind: RefundCaseKind) -> None:
    """D16: without words it is refused, for every kind."""
    facts = with_case(facts_of(kind), case_in(S.CREDITED, kind))
    for text in (None, "", " \n"):
        refusal = only(good_act(A.REVERSE, kind, ADMIN, text=text), facts)
        assert (refusal.code.value, refusal.rule, refusal.field) == ("INVALID_INPUT", "D16", ("reason",))


@pytest.mark.parametrize(
    ("kind", "state", "viewer"), [(K.INVOICE, S.REQUESTED, EXPERT), (K.TIMESHEET, S.DISPUTED, SUPPORT)]
)
def test_a_clock_that_is_behind_lifts_no_cap(kind: RefundCaseKind, state: RefundCaseState, viewer: Viewer) -> None:
    """D9: a process whose clock has not come to the payment yet approves no more than was asked and is left."""
    facts = with_case(facts_of(kind), case_in(state, kind))
    before = NOW - timedelta(days=3)
    assert facts.paid_at is not None
    assert before < facts.paid_at
    assert why(A.APPROVE, facts, viewer, before, amount=usd(6_001)) == [("AMOUNT_EXCEEDS_REFUNDABLE", "D9")]
