"""The machine of a paid invoice's refund: the expert decides first, support later."""

from __future__ import annotations

from statemachine import State

from refundgql.domain.machines.base import DECIDER, IN_PART, NOTHING, REOPENED, ContractCaseMachine, dated_in, noted_in
from refundgql.domain.machines.row import Condition, Remark, guarded
from refundgql.domain.rules.amounts import (
    ApprovalCap,
    ExpertThere,
    FundsThere,
    IssueCap,
    RequestCap,
    RestCap,
    SomethingLeft,
    SupportApprovalCap,
)
from refundgql.domain.rules.given import AmountGiven, ContractReason, IssueShape, TextGiven
from refundgql.domain.rules.limits import NothingProposed, WithinLimit
from refundgql.domain.rules.payments import (
    InvoicePaid,
    NoOpenCase,
    NotInEscrow,
    RequestsLeft,
    WeekEnded,
)
from refundgql.domain.rules.standing import (
    Disputable,
    DisputeNotFinal,
    EscalationNotFinal,
    HourlyEscalation,
    NotDecidedBySupport,
    RestDeclined,
    StillAwaited,
)
from refundgql.domain.rules.who import AskedYourself, PersonsThere, Who
from refundgql.domain.rules.windows import (
    AnswerInTime,
    AskedOfTheExpert,
    DirectWindow,
    DisputeWindow,
    EscalationWindow,
    FundsOverdue,
    HandOverDue,
    IssueWindow,
    SupportWindow,
    is_direct,
)
from refundgql.domain.sentences import phrase
from refundgql.domain.vocabulary import IssueDecision, RefundActionName, RefundCaseKind, RefundCaseState

DIRECT_ROUTE = Condition(
    is_direct, yes=("within the direct window", "C06"), no=("after the direct window", "C07")
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
        AskedOfTheExpert(),
        ExpertThere(),
        RequestCap(),
    ),
)
_ISSUED = guarded(
    Who.EXPERT, cites="C12", rules=(PersonsThere(), IssueShape(), *_PAID, IssueWindow(), NoOpenCase(), IssueCap())
)
_MESSAGE = TextGiven("message", phrase("a message that tells the client why"))
_EXPLANATION = TextGiven("explanation", phrase("an explanation for support"))
_BY_SUPPORT = guarded(
    Who.SUPPORT,
    cites=("C15", "D12"),
    rules=(*DECIDER, NothingProposed(), SupportApprovalCap(), WithinLimit()),
    instead=(RefundActionName.CONSENT,),
)
_DECLINED_BY_SUPPORT = guarded(
    Who.SUPPORT, cites=("C15", "D12"), rules=(*DECIDER, _MESSAGE, NothingProposed(), WithinLimit())
)
_ESCALATED = (
    _EXPLANATION,
    NotDecidedBySupport(),
    EscalationNotFinal(),
    HourlyEscalation(),
    EscalationWindow(),
    NoOpenCase(),
)
_DISPUTED_RULES = (
    _EXPLANATION,
    NotDecidedBySupport(),
    DisputeNotFinal(),
    Disputable(),
    DisputeWindow(),
    NoOpenCase(),
)
_DISPUTED = guarded(Who.CLIENT, cites="C31", rules=(*_DISPUTED_RULES, SomethingLeft()))
_REST_ESCALATED = guarded(Who.CLIENT, cites=("D19", "C24"), rules=(*_ESCALATED, RestDeclined(), RestCap()))
_REST_DISPUTED = guarded(Who.CLIENT, cites=("D19", "C31"), rules=(*_DISPUTED_RULES, RestDeclined(), RestCap()))
_CANCELLED = guarded(Who.CLIENT, cites="D15", rules=(AskedYourself(),))
_SUPERSEDED = guarded(Who.SYSTEM, cites="C25")


class InvoiceMachine(ContractCaseMachine):
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
    escalate = (
        declined.to(escalated, validators=guarded(Who.CLIENT, cites="C24", rules=(*_ESCALATED, SomethingLeft())))
        | approved.to(
            escalated,
            validators=guarded(Who.CLIENT, cites="D13", rules=(_EXPLANATION, StillAwaited(), FundsOverdue())),
        )
        | nothing.to(escalated, validators=_REST_ESCALATED)
    )
    reopen = declined.to(escalated, validators=guarded(Who.ADMIN, cites="D22", rules=REOPENED))
    hand_over = requested.to(escalated, validators=guarded(Who.SYSTEM, cites=("D7", "D8"), rules=(HandOverDue(),)))
    supersede = requested.to(cancelled, validators=_SUPERSEDED) | escalated.to(cancelled, validators=_SUPERSEDED)
    dispute = (
        requested.to(disputed, validators=_DISPUTED)
        | declined.to(disputed, validators=_DISPUTED)
        | escalated.to(disputed, validators=_DISPUTED)
        | nothing.to(disputed, validators=_REST_DISPUTED)
    )
    credit = approved.to(credited, validators=guarded(Who.SYSTEM, cites=("C16", "D13"), rules=(FundsThere(),)))
    cancel = (
        requested.to(cancelled, validators=_CANCELLED)
        | escalated.to(cancelled, validators=_CANCELLED)
        | disputed.to(cancelled, validators=_CANCELLED)
    )

    escalate_rest = Remark(RefundCaseState.CREDITED, guards=_REST_ESCALATED, action="ESCALATE", cond=IN_PART)
    dispute_rest = Remark(RefundCaseState.CREDITED, guards=_REST_DISPUTED, action="DISPUTE", cond=IN_PART)
    finalise = noted_in(RefundCaseState.DECLINED, RefundCaseState.CREDITED, cites="D14")
    due_soon_after, deadline_moved_after = dated_in(RefundCaseState.DECLINED, RefundCaseState.CREDITED)
