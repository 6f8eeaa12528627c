"""What the cases of one payment add to its facts: the open one, the declined one, how many, what support decided."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from refundgql.domain.facts import Case, Facts
from refundgql.domain.vocabulary import OPEN_STATES, RefundActionName, RefundCaseKind, RefundCaseState


def with_cases(facts: Facts, cases: Iterable[Case], acted_on: Case | None) -> Facts:
    """Return the facts with what the payment's cases, oldest first, add to them (D6, D12, D14, D19)."""
    requests = 0
    opened = latest = declined = lasting = None
    support_decided = False
    for case in cases:
        other = acted_on is None or case.id != acted_on.id
        requests += case.opened_by is RefundActionName.REQUEST and not case.approved_in_part
        if case.state in OPEN_STATES:
            opened = case
        if case.state is not RefundCaseState.CANCELLED:
            latest = case
        if latest is case or case.second_look_used:
            lasting = case
        if other and is_declined_for_now(case):
            declined = case
        support_decided |= other and case.support_decided and case.kind is not RefundCaseKind.LEAD
    payment = replace(
        facts.payment,
        open_case_id=None if opened is None else opened.id,
        open_case_number=None if opened is None else opened.number,
        open_case_kind=None if opened is None else opened.kind,
        requests_made=requests,
        latest_case_id=None if latest is None else latest.id,
        support_decided=support_decided,
    )
    lead = facts.lead
    if lead is not None and lasting is not None:
        lead = replace(lead, case_id=lasting.id)
    return replace(
        facts,
        payment=payment,
        lead=lead,
        case=acted_on,
        open_case=None if opened is None or (acted_on is not None and opened.id == acted_on.id) else opened,
        previous_declined=declined,
    )


def for_another_case(facts: Facts, case: Case) -> Facts:
    """Return the facts of a case as an act that opens another one on the same payment finds them."""
    decided = case.support_decided and case.kind is not RefundCaseKind.LEAD
    return replace(
        facts,
        payment=replace(facts.payment, support_decided=facts.payment.support_decided or decided),
        case=None,
        open_case=case if case.state in OPEN_STATES else facts.open_case,
        previous_declined=case if is_declined_for_now(case) else facts.previous_declined,
    )


def is_declined_for_now(case: Case) -> bool:
    """Tell whether a case was declined, in whole or in part, and the answer is not final yet (D19)."""
    if case.state is RefundCaseState.DECLINED:
        return not case.final_decision
    return case.rest_minor > 0
