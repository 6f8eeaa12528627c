"""The machine of a lead's refund: asked by the professional, decided by support, once more at most."""

from __future__ import annotations

from statemachine import State

from refundgql.domain.machines.base import (
    DECIDER,
    NOTHING,
    REOPENED,
    CaseMachine,
    dated_in,
    said_by,
    signed_by,
    waiting_in,
)
from refundgql.domain.machines.row import guarded
from refundgql.domain.rules.amounts import FundsThere, LeadApprovalCap, PriceLeft, SomethingLeft
from refundgql.domain.rules.given import FiledWithReason, LeadReason, LeadReasonDetail, ReasonExplained, TextGiven
from refundgql.domain.rules.limits import NothingProposed, WithinLimit
from refundgql.domain.rules.payments import LeadCharged, OneCasePerLead, ReasonRefundable, RequestsLeft
from refundgql.domain.rules.standing import SecondLookUnused
from refundgql.domain.rules.who import AnotherDecider, AskedYourself, PersonsThere, Who
from refundgql.domain.rules.windows import LeadWindow, SecondLookWindow
from refundgql.domain.sentences import phrase
from refundgql.domain.vocabulary import RefundCaseKind, RefundCaseState

_ASKED = (
    PersonsThere(),
    LeadReason(),
    LeadReasonDetail(),
    ReasonExplained(),
    FiledWithReason(),
    ReasonRefundable(),
    LeadCharged(),
    LeadWindow(),
    OneCasePerLead(),
    RequestsLeft(),
    PriceLeft(),
)
_MESSAGE = TextGiven("message", phrase("a message that tells the professional why"))
_EXPLANATION = TextGiven("explanation", phrase("an explanation of what the first look missed"), "D6")
_SECOND_DECIDER = (*DECIDER, AnotherDecider())
_APPROVED = (NothingProposed(), LeadApprovalCap(), WithinLimit())
_DECLINED = (_MESSAGE, NothingProposed(), WithinLimit())


class LeadMachine(CaseMachine):
    """LEAD: a charged lead's price."""

    kind = RefundCaseKind.LEAD

    nothing = State(NOTHING, value=NOTHING, initial=True)
    requested = State(value=RefundCaseState.REQUESTED.value)
    approved = State(value=RefundCaseState.APPROVED.value)
    declined = State(value=RefundCaseState.DECLINED.value)
    escalated = State(value=RefundCaseState.ESCALATED.value)
    credited = State(value=RefundCaseState.CREDITED.value, final=True)
    cancelled = State(value=RefundCaseState.CANCELLED.value, final=True)

    request = nothing.to(requested, validators=guarded(Who.PRO, Who.SUPPORT, cites="L01", rules=_ASKED))
    approve = requested.to(
        approved, validators=guarded(Who.SUPPORT, cites="L14", rules=(*DECIDER, *_APPROVED))
    ) | escalated.to(approved, validators=guarded(Who.SUPPORT, cites="D6", rules=(*_SECOND_DECIDER, *_APPROVED)))
    decline = requested.to(
        declined, validators=guarded(Who.SUPPORT, cites="L14", rules=(*DECIDER, *_DECLINED))
    ) | escalated.to(declined, validators=guarded(Who.SUPPORT, cites="D6", rules=(*_SECOND_DECIDER, *_DECLINED)))
    reopen = declined.to(escalated, validators=guarded(Who.ADMIN, cites="D22", rules=REOPENED))
    escalate = declined.to(
        escalated,
        validators=guarded(
            Who.PRO, cites="D6", rules=(_EXPLANATION, SecondLookUnused(), SecondLookWindow(), SomethingLeft())
        ),
    )
    credit = approved.to(credited, validators=guarded(Who.SYSTEM, cites="L18", rules=(FundsThere(),)))
    cancel = requested.to(cancelled, validators=guarded(Who.PRO, cites="D15", rules=(AskedYourself(),))) | escalated.to(
        cancelled, validators=guarded(Who.PRO, cites="D15", rules=(AskedYourself(),))
    )

    propose, confirm, return_ = signed_by(RefundCaseState.REQUESTED, deciders=DECIDER)
    propose_again, confirm_again, return_again = signed_by(RefundCaseState.ESCALATED, deciders=_SECOND_DECIDER)
    request_information, information_ended, target_missed = waiting_in(
        RefundCaseState.REQUESTED, RefundCaseState.ESCALATED, target="L14"
    )
    due_soon, deadline_moved = dated_in(RefundCaseState.REQUESTED, RefundCaseState.ESCALATED, RefundCaseState.DECLINED)
    add_evidence, evidence_withdrawn, send_message = said_by(Who.PRO, Who.SUPPORT)
