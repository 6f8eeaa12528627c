"""The machine of an escrow refund: a funded milestone's money while it has not been released."""

from __future__ import annotations

from statemachine import State

from refundgql.domain.machines.base import (
    DECIDER,
    IN_PART,
    NOTHING,
    REOPENED,
    ContractCaseMachine,
    noted_in,
)
from refundgql.domain.machines.invoice import ISSUES_NONE
from refundgql.domain.machines.row import Remark, guarded
from refundgql.domain.rules.amounts import (
    ApprovalCap,
    ExpertThere,
    FundsThere,
    IssueCap,
    RequestCap,
    RestCap,
    SomethingLeft,
)
from refundgql.domain.rules.given import AmountGiven, ContractReason, IssueShape, TextGiven
from refundgql.domain.rules.limits import NothingProposed, WithinLimit
from refundgql.domain.rules.payments import MilestoneInEscrow, NoOpenCase, RequestsLeft
from refundgql.domain.rules.standing import Disputable, DisputeNotFinal, NotDecidedBySupport, RestDeclined
from refundgql.domain.rules.who import AskedYourself, PersonsThere, Who
from refundgql.domain.rules.windows import AnswerInTime, AnswerOverdue
from refundgql.domain.sentences import phrase
from refundgql.domain.vocabulary import RefundActionName, RefundCaseKind, RefundCaseState

_ASKED = (
    ContractReason(),
    AmountGiven(),
    MilestoneInEscrow(),
    NoOpenCase(),
    RequestsLeft(),
    ExpertThere(),
    RequestCap(),
)
_ISSUED = guarded(
    Who.EXPERT, cites="C12", rules=(PersonsThere(), IssueShape(), MilestoneInEscrow(), NoOpenCase(), IssueCap())
)
_MESSAGE = TextGiven("message", phrase("a message that tells the client why"))
_EXPLANATION = TextGiven("explanation", phrase("an explanation for support"))
_BY_SUPPORT = guarded(
    Who.SUPPORT,
    cites=("C31", "D12"),
    rules=(*DECIDER, NothingProposed(), MilestoneInEscrow(), ApprovalCap(), WithinLimit()),
    instead=(RefundActionName.CONSENT,),
)
_DECLINED_BY_SUPPORT = guarded(
    Who.SUPPORT, cites=("C31", "D12"), rules=(*DECIDER, _MESSAGE, NothingProposed(), WithinLimit())
)
_DISPUTED_RULES = (_EXPLANATION, NotDecidedBySupport(), DisputeNotFinal(), Disputable(), NoOpenCase())
_DISPUTED = guarded(Who.CLIENT, cites="C31", rules=(*_DISPUTED_RULES, SomethingLeft()))
_REST_DISPUTED = guarded(Who.CLIENT, cites=("D19", "C31"), rules=(*_DISPUTED_RULES, RestDeclined(), RestCap()))
_CANCELLED = guarded(Who.CLIENT, cites="D15", rules=(AskedYourself(),))


class EscrowMachine(ContractCaseMachine):
    """ESCROW: a funded, unreleased milestone."""

    kind = RefundCaseKind.ESCROW

    nothing = State(NOTHING, value=NOTHING, initial=True)
    requested = State(value=RefundCaseState.REQUESTED.value)
    approved = State(value=RefundCaseState.APPROVED.value)
    declined = State(value=RefundCaseState.DECLINED.value)
    escalated = State(value=RefundCaseState.ESCALATED.value)
    disputed = State(value=RefundCaseState.DISPUTED.value)
    credited = State(value=RefundCaseState.CREDITED.value, final=True)
    cancelled = State(value=RefundCaseState.CANCELLED.value, final=True)

    request = nothing.to(requested, validators=guarded(Who.CLIENT, cites="C30", rules=_ASKED))
    issue = nothing.to(approved, unless=ISSUES_NONE, validators=_ISSUED) | nothing.to(
        declined, cond=ISSUES_NONE, validators=_ISSUED
    )
    approve = (
        requested.to(approved, validators=guarded(Who.EXPERT, cites="C12", rules=(MilestoneInEscrow(), ApprovalCap())))
        | escalated.to(approved, validators=_BY_SUPPORT)
        | disputed.to(approved, validators=_BY_SUPPORT)
    )
    decline = (
        requested.to(declined, validators=guarded(Who.EXPERT, cites="C12", rules=(_MESSAGE, AnswerInTime())))
        | escalated.to(declined, validators=_DECLINED_BY_SUPPORT)
        | disputed.to(declined, validators=_DECLINED_BY_SUPPORT)
    )
    reopen = declined.to(escalated, validators=guarded(Who.ADMIN, cites="D22", rules=(*REOPENED, MilestoneInEscrow())))
    hand_over = requested.to(escalated, validators=guarded(Who.SYSTEM, cites="D8", rules=(AnswerOverdue(),)))
    dispute = (
        requested.to(disputed, validators=_DISPUTED)
        | declined.to(disputed, validators=_DISPUTED)
        | escalated.to(disputed, validators=_DISPUTED)
        | nothing.to(disputed, validators=_REST_DISPUTED)
    )
    credit = approved.to(credited, validators=guarded(Who.SYSTEM, cites=("C16", "D11"), rules=(FundsThere(),)))
    cancel = (
        requested.to(cancelled, validators=_CANCELLED)
        | escalated.to(cancelled, validators=_CANCELLED)
        | disputed.to(cancelled, validators=_CANCELLED)
    )

    dispute_rest = Remark(RefundCaseState.CREDITED, guards=_REST_DISPUTED, action="DISPUTE", cond=IN_PART)
    finalise = noted_in(RefundCaseState.DECLINED, RefundCaseState.CREDITED, cites="D14")
