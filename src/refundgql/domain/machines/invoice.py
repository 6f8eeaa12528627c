"""The machine of a paid invoice's refund: the expert decides first, support later.

It must not hold conditions of its own: rules are named objects from the rules package.
"""

from __future__ import annotations

from statemachine import State

from refundgql.domain.calendar import day_number
from refundgql.domain.machines.base import NOTHING, CaseMachine, evidence_by, messages_by
from refundgql.domain.machines.row import Condition, Remark, guarded
from refundgql.domain.rules.amounts import (
    ApprovalCap,
    ConsentCap,
    FundsThere,
    IssueCap,
    MoneyStillThere,
    RequestCap,
    SupportApprovalCap,
)
from refundgql.domain.rules.given import AmountGiven, ContractReason, IssueShape, TextGiven
from refundgql.domain.rules.payments import (
    InvoicePaid,
    NoOpenCase,
    NotInEscrow,
    RequestsLeft,
    SupportNotFinal,
    WeekEnded,
)
from refundgql.domain.rules.situation import Situation
from refundgql.domain.rules.standing import (
    Disputable,
    DisputeNotFinal,
    EscalationNotFinal,
    HourlyEscalation,
    NotReversed,
)
from refundgql.domain.rules.who import AskedYourself, NotOwnCase, NotOwnFiling, Who
from refundgql.domain.rules.windows import (
    AnswerInTime,
    DirectWindow,
    DisputeWindow,
    EscalationWindow,
    FundsOverdue,
    HandOverDue,
    IssueWindow,
    SupportWindow,
)
from refundgql.domain.vocabulary import IssueDecision, RefundActionName, RefundCaseKind, RefundCaseState


def _is_direct(situation: Situation) -> bool:
    paid_at = situation.paid_at
    return paid_at is None or day_number(paid_at, situation.at) <= situation.policy.direct_window_days


DIRECT_ROUTE = Condition(
    _is_direct, yes=("within the direct window", "C06"), no=("after the direct window", "C07")
).holds
ISSUES_NONE = Condition(
    lambda it: it.act.decision is IssueDecision.NONE,
    yes=("the decision is NONE", "C13"),
    no=("the decision is FULL or PARTIAL", "C12"),
).holds


_PAID = (WeekEnded(), InvoicePaid(), NotInEscrow())
_REQUESTED = guarded(
    Who.CLIENT,
    cites="C04",
    rules=(
        ContractReason(),
        AmountGiven(),
        *_PAID,
        SupportWindow(),
        NoOpenCase(),
        RequestsLeft(),
        SupportNotFinal(),
        RequestCap(),
    ),
)
_ISSUED = guarded(Who.EXPERT, cites="C12", rules=(IssueShape(), *_PAID, IssueWindow(), NoOpenCase(), IssueCap()))
_MESSAGE = TextGiven("message", "a message that tells the client why")
_EXPLANATION = TextGiven("explanation", "an explanation for support")
_DECIDER = (NotOwnCase(), NotOwnFiling())
_BY_SUPPORT = guarded(
    Who.SUPPORT, cites=("C15", "D12"), rules=(*_DECIDER, SupportApprovalCap()), instead=(RefundActionName.CONSENT,)
)
_DECLINED_BY_SUPPORT = guarded(Who.SUPPORT, cites=("C15", "D12"), rules=(*_DECIDER, _MESSAGE))
_DISPUTED = guarded(
    Who.CLIENT, cites="C31", rules=(_EXPLANATION, DisputeNotFinal(), Disputable(), DisputeWindow(), NoOpenCase())
)
_CANCELLED = guarded(Who.CLIENT, cites="D15", rules=(AskedYourself(),))
_SUPERSEDED = guarded(Who.SYSTEM, cites="C25")


class InvoiceMachine(CaseMachine):
    """INVOICE: a paid invoice, hourly or fixed."""

    kind = RefundCaseKind.INVOICE

    nothing = State(NOTHING, value=NOTHING, initial=True)
    requested = State(value=RefundCaseState.REQUESTED.value)
    approved = State(value=RefundCaseState.APPROVED.value)
    declined = State(value=RefundCaseState.DECLINED.value)
    escalated = State(value=RefundCaseState.ESCALATED.value)
    disputed = State(value=RefundCaseState.DISPUTED.value)
    credited = State(value=RefundCaseState.CREDITED.value, final=True)
    cancelled = State(value=RefundCaseState.CANCELLED.value, final=True)

    request = nothing.to(requested, cond=DIRECT_ROUTE, validators=_REQUESTED) | nothing.to(
        escalated, unless=DIRECT_ROUTE, validators=_REQUESTED
    )
    issue = nothing.to(approved, unless=ISSUES_NONE, validators=_ISSUED) | nothing.to(
        declined, cond=ISSUES_NONE, validators=_ISSUED
    )
    approve = (
        requested.to(
            approved,
            validators=guarded(Who.EXPERT, cites=("C12", "C06"), rules=(DirectWindow(), ApprovalCap())),
        )
        | escalated.to(approved, validators=_BY_SUPPORT)
        | disputed.to(approved, validators=_BY_SUPPORT)
    )
    decline = (
        requested.to(
            declined,
            validators=guarded(Who.EXPERT, cites=("C12", "C06"), rules=(_MESSAGE, DirectWindow(), AnswerInTime())),
        )
        | escalated.to(declined, validators=_DECLINED_BY_SUPPORT)
        | disputed.to(declined, validators=_DECLINED_BY_SUPPORT)
    )
    escalate = declined.to(
        escalated,
        validators=guarded(
            Who.CLIENT,
            cites="C24",
            rules=(_EXPLANATION, EscalationNotFinal(), HourlyEscalation(), EscalationWindow(), NoOpenCase()),
        ),
    ) | approved.to(escalated, validators=guarded(Who.CLIENT, cites="D13", rules=(_EXPLANATION, FundsOverdue())))
    hand_over = requested.to(escalated, validators=guarded(Who.SYSTEM, cites=("D7", "D8"), rules=(HandOverDue(),)))
    supersede = requested.to(cancelled, validators=_SUPERSEDED) | escalated.to(cancelled, validators=_SUPERSEDED)
    dispute = (
        requested.to(disputed, validators=_DISPUTED)
        | declined.to(disputed, validators=_DISPUTED)
        | escalated.to(disputed, validators=_DISPUTED)
    )
    credit = approved.to(credited, validators=guarded(Who.SYSTEM, cites=("C16", "D13"), rules=(FundsThere(),)))
    cancel = (
        requested.to(cancelled, validators=_CANCELLED)
        | escalated.to(cancelled, validators=_CANCELLED)
        | disputed.to(cancelled, validators=_CANCELLED)
    )

    consent = Remark(
        RefundCaseState.ESCALATED,
        RefundCaseState.DISPUTED,
        guards=guarded(Who.EXPERT, cites="C15", rules=(AmountGiven(), ConsentCap())),
    )
    reverse = Remark(
        RefundCaseState.CREDITED,
        guards=guarded(
            Who.ADMIN,
            cites="D16",
            rules=(*_DECIDER, TextGiven("reason", "a reason", "D16"), NotReversed(), MoneyStillThere()),
        ),
    )
    add_evidence = evidence_by(Who.CLIENT, Who.EXPERT, Who.SUPPORT)
    send_message = messages_by(Who.CLIENT, Who.EXPERT, Who.SUPPORT)
