"""Details that a change of a single word broke without any other test: found by scripts/mutations.py."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from domain_world import (
    CLIENT,
    EXPERT,
    NOW,
    POLICY,
    SUPPORT,
    A,
    K,
    S,
    case_in,
    done,
    escrow_facts,
    good_act,
    invoice_facts,
    usd,
    week_facts,
    why,
    with_case,
)

from refundgql.domain.calendar import from_micros, to_micros
from refundgql.domain.cases import case_clocks, deadline_moved, decision_preview
from refundgql.domain.clocks import due_clocks, indexed, whose_move
from refundgql.domain.deadlines import information_until
from refundgql.domain.entries import payment_entry
from refundgql.domain.ledger import balance, contracts_owner, external, held, in_transit, platform_leads
from refundgql.domain.payment_cases import is_declined_for_now, with_cases
from refundgql.domain.preview import preview
from refundgql.domain.vocabulary import BalancePurpose, IssueDecision, WhoseMove
from refundgql.domain.webhooks import URL_CHARS, RetryPlan, url_problem

ASKED = {"information_from": WhoseMove.REQUESTER, "information_at": NOW - timedelta(hours=1), "information_days": 3}


def test_only_contract_money_on_somebodys_balance_has_an_owner() -> None:
    """Awaited refunds are looked for when money comes to such a balance, and to no other account (D13)."""
    assert contracts_owner(balance("a", BalancePurpose.CONTRACTS, "USD")) == ("a", "USD")
    others = [external("USD"), held("p", "USD"), in_transit("w", "USD"), platform_leads("USD")]
    for key in (balance("a", BalancePurpose.LEADS, "USD"), *others):
        assert contracts_owner(key) is None


@pytest.mark.parametrize("client", ["aaa", "zzz"])
def test_each_sides_balance_is_its_own_in_a_preview(client: str) -> None:
    """Whichever of the two ids comes first in the alphabet."""
    facts = invoice_facts(funds=9_000)
    assert facts.contract is not None
    facts = replace(facts, contract=replace(facts.contract, client_id=client))
    facts = replace(facts, funds=replace(facts.funds, requester_available_minor=500))
    facts = with_case(facts, case_in(S.ESCALATED, requester_id=client, filed_by_id=client))
    found = decision_preview(good_act(A.APPROVE, K.INVOICE, SUPPORT), facts, POLICY)
    assert (found.requester_balance_after, found.counterparty_balance_after) == (usd(6_500), usd(3_000))


def test_what_is_told_of_a_target_goes_along_from_escalated_to_disputed_alone() -> None:
    """The target goes on where support has the case already, and begins where it comes to support (D20)."""
    told = {"overdue": True, "reminded": True, "target_paused_micros": 7}
    for state, kept in ((S.ESCALATED, True), (S.REQUESTED, False)):
        case = done(A.DISPUTE, with_case(invoice_facts(), case_in(state, **told)), CLIENT).case
        assert (case.overdue, case.reminded, case.target_paused_micros) == (
            (True, True, 7) if kept else (False, False, 0)
        )


@pytest.mark.parametrize(("asked", "answers"), [(WhoseMove.REQUESTER, CLIENT), (WhoseMove.COUNTERPARTY, EXPERT)])
def test_only_the_asked_party_answers(asked: WhoseMove, answers: object) -> None:
    """What the other side says or adds leaves the question open (D24)."""
    facts = with_case(invoice_facts(), case_in(S.ESCALATED, **{**ASKED, "information_from": asked}))
    for viewer in (CLIENT, EXPERT):
        for action in (A.SEND_MESSAGE, A.ADD_EVIDENCE):
            case = done(action, facts, viewer).case
            assert case.information_from is (None if viewer is answers else asked)
            assert case.target_paused_micros == (3_600_000_000 if viewer is answers else 0)


def test_instants_are_kept_to_the_microsecond() -> None:
    """Before and after the epoch, with days, seconds and microseconds."""
    for at, micros in (
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(1970, 1, 3, 0, 0, 4, 5, tzinfo=UTC), 2 * 86_400_000_000 + 4_000_005),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), -1),
        (datetime(2026, 3, 4, 12, tzinfo=UTC), 1_772_625_600_000_000),
    ):
        assert (to_micros(at), from_micros(micros)) == (micros, at)


def test_what_opens_with_support_came_to_it_then() -> None:
    """On the support route the target begins with the request; a direct request has not come to support (D20)."""
    late = done(A.REQUEST, invoice_facts(paid_at=NOW - timedelta(days=200)), CLIENT).case
    assert (late.state, late.escalated_at) == (S.ESCALATED, NOW)
    direct = done(A.REQUEST, invoice_facts(), CLIENT).case
    assert (direct.state, direct.escalated_at) == (S.REQUESTED, None)


def test_the_target_is_no_clock_while_a_party_is_asked() -> None:
    """The question's clock runs instead, and everything else goes on (D24)."""
    waiting = with_case(invoice_facts(), case_in(S.ESCALATED))
    asked = with_case(invoice_facts(), case_in(S.ESCALATED, **ASKED))
    names = [{clock.name.value for clock in case_clocks(facts, NOW, POLICY)} for facts in (waiting, asked)]
    assert names[0] - names[1] == {"SLA_DECISION"}
    assert names[1] - names[0] == {"INFORMATION"}


def test_a_question_is_open_for_its_days() -> None:
    """Whole UTC days from the question, its own day not counted (D1, D24)."""
    assert information_until(case_in(S.ESCALATED)) is None
    assert information_until(case_in(S.ESCALATED, **ASKED)) == datetime(2026, 3, 8, tzinfo=UTC)


def test_the_clocks_of_a_disputed_week_and_of_an_escrow_dispute() -> None:
    """The target alone, and the review's as long as the contract has ended; nothing of the request before it."""
    for facts, kind in ((week_facts(), K.TIMESHEET), (escrow_facts(), K.ESCROW)):
        disputed = with_case(facts, case_in(S.DISPUTED, kind))
        clocks = case_clocks(disputed, NOW, POLICY)
        assert [(one.name.value, one.rule, one.whose_move.value) for one in clocks] == [
            ("SLA_DECISION", "D20", "SUPPORT")
        ]
        assert clocks[0].ends_at == NOW - timedelta(days=1) + timedelta(hours=72)
        assert disputed.contract is not None
        ended = replace(disputed, contract=replace(disputed.contract, ended_at=NOW - timedelta(days=3)))
        assert {one.name.value for one in case_clocks(ended, NOW, POLICY)} == {"SLA_DECISION", "REVIEW"}
        asked = with_case(facts, case_in(S.DISPUTED, kind, **ASKED))
        assert [one.name.value for one in case_clocks(asked, NOW, POLICY)] == ["INFORMATION"]


def test_an_endpoint_is_given_up_after_five_days() -> None:
    """As docs/webhooks.md says, to the second."""
    assert RetryPlan().disable_after_seconds == 432_000
    assert tuple(RetryPlan().waits_seconds) == (5, 30, 120, 900, 3_600, 21_600, 86_400)


def test_a_move_passes_on_at_its_instant() -> None:
    """The expert's until support takes over, and the system's from then on (D20)."""
    facts = with_case(invoice_facts(), case := case_in(S.REQUESTED))
    move = whose_move(facts, case, POLICY)
    assert move.until is not None
    before = move.until - timedelta(microseconds=1)
    assert (move.at(before), move.at(move.until)) == (WhoseMove.COUNTERPARTY, WhoseMove.SYSTEM)


def test_a_question_may_be_open_for_any_number_of_days_up_to_the_most() -> None:
    """One, the most and what lies between; neither none nor one more (D24)."""
    facts, most = with_case(invoice_facts(), case_in(S.ESCALATED)), POLICY.information_most_days
    for days in (1, most - 1, most):
        assert done(A.REQUEST_INFORMATION, facts, SUPPORT, days=days).case.information_days == days
    for days in (0, most + 1):
        assert why(A.REQUEST_INFORMATION, facts, SUPPORT, days=days) == [("INVALID_INPUT", "D24")]


def test_the_case_acted_on_is_no_other_open_case() -> None:
    """Of the payment's open case it is told only where another case, or none, is acted on (D14)."""
    case, declined = case_in(S.REQUESTED), case_in(S.DECLINED, id="before")
    for acted_on, other in ((case, None), (declined, case), (None, case)):
        assert with_cases(invoice_facts(), [declined, case], acted_on).open_case is other


def test_what_is_declined_for_now() -> None:
    """A decline that is not final, and what of a credit was not given (D19)."""
    assert is_declined_for_now(case_in(S.DECLINED))
    assert not is_declined_for_now(case_in(S.DECLINED, final_decision=True))
    assert not is_declined_for_now(case_in(S.CREDITED))
    assert is_declined_for_now(case_in(S.CREDITED, approved_minor=1_000, credited_minor=1_000))


def test_a_rule_that_has_not_changed_moves_no_deadline() -> None:
    """What is worked out anew and is the same instant is not told again (D28)."""
    facts = with_case(invoice_facts(), case_in(S.REQUESTED))
    assert facts.case is not None
    facts = replace(facts, case=indexed(facts.case, facts, POLICY))
    assert deadline_moved(facts, NOW, POLICY) is None
    sooner = deadline_moved(facts, NOW, replace(POLICY, respond_within_days=POLICY.respond_within_days - 1))
    assert sooner is not None


def test_a_preview_of_issuing_all_moves_all() -> None:
    """And of issuing none, nothing (C12, C13)."""
    for decision, amounts in ((IssueDecision.FULL, [10_000]), (IssueDecision.NONE, [])):
        found = preview(good_act(A.ISSUE, K.INVOICE, EXPERT, decision=decision), invoice_facts(), POLICY)
        assert found.allowed
        assert [posting.amount.minor for posting in found.postings] == amounts


def test_an_address_may_have_as_many_characters_as_are_told() -> None:
    """And not one more."""
    longest = "https://example.com/".ljust(URL_CHARS, "a")
    assert url_problem(longest, private_allowed=False) is None
    assert url_problem(f"{longest}a", private_allowed=False) is not None


@pytest.mark.parametrize(("escalated_hours_ago", "looked_at"), [(72, "SLA_DECISION"), (73, "INFORMATION")])
def test_no_word_comes_with_the_end_that_it_would_warn_of(escalated_hours_ago: int, looked_at: str) -> None:
    """A reminder waits for an answer, and is left out where that ends with the target itself (D21, D24)."""
    at = NOW - timedelta(hours=escalated_hours_ago)
    facts = with_case(invoice_facts(), case := case_in(S.ESCALATED, escalated_at=at, opened_at=at, **ASKED))
    clocks = due_clocks(facts, case, NOW, POLICY)
    assert [(clock.name.value, clock.due_at) for clock in clocks] == [(looked_at, datetime(2026, 3, 8, tzinfo=UTC))]


def test_what_a_balance_does_not_pay_comes_from_outside() -> None:
    """All of it, a part, or nothing (C19)."""
    for share, moved in ((0, [("external", 1_000)]), (400, [("balance", 400), ("external", 600)])):
        entry = payment_entry("p", "client", held("p", "USD"), usd(1_000), share, "work")
        assert [(one.from_key.partition(":")[0], one.amount.minor) for one in entry] == moved


def test_a_preview_tells_that_a_colleague_has_to_sign() -> None:
    """And what is moved when it is signed (D23)."""
    facts = with_case(invoice_facts(), case_in(S.ESCALATED))
    for limit, signs in ((5_999, True), (6_000, False)):
        policy = replace(POLICY, decision_limit_minor={"USD": limit})
        found = decision_preview(good_act(A.APPROVE, K.INVOICE, SUPPORT), facts, policy)
        assert (found.allowed, found.needs_confirmation) == (True, signs)
        assert [posting.amount.minor for posting in found.postings] == [6_000]
