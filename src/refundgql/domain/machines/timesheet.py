"""The machine of a timesheet dispute: the prior billing week's hours, decided by support."""

from __future__ import annotations

from statemachine import State

from refundgql.domain.machines.base import (
    DECIDER,
    NOTHING,
    REOPENED,
    ContractCaseMachine,
)
from refundgql.domain.machines.row import guarded
from refundgql.domain.rules.amounts import ApprovalCap, FundsThere, RequestCap
from refundgql.domain.rules.given import AmountGiven, TextGiven
from refundgql.domain.rules.limits import NothingProposed, WithinLimit
from refundgql.domain.rules.payments import HoursWorked, InvoicePaid, MoneyStillHeld, NoLastingCase
from refundgql.domain.rules.standing import NotDecidedBySupport
from refundgql.domain.rules.who import AskedYourself, Who
from refundgql.domain.rules.windows import TimesheetCutOff
from refundgql.domain.sentences import phrase
from refundgql.domain.vocabulary import RefundActionName, RefundCaseKind, RefundCaseState

_OPENED = (
    AmountGiven(),
    TextGiven("explanation", phrase("an explanation of which hours are wrong"), "C25"),
    TimesheetCutOff(),
    MoneyStillHeld(),
    InvoicePaid(),
    HoursWorked(),
    NoLastingCase(),
    NotDecidedBySupport(),
    RequestCap(),
)
_MESSAGE = TextGiven("message", phrase("a message that tells the client why"))


class TimesheetMachine(ContractCaseMachine):
    """TIMESHEET: the hours of the prior billing week."""

    kind = RefundCaseKind.TIMESHEET

    nothing = State(NOTHING, value=NOTHING, initial=True)
    disputed = State(value=RefundCaseState.DISPUTED.value)
    approved = State(value=RefundCaseState.APPROVED.value)
    declined = State(value=RefundCaseState.DECLINED.value)
    credited = State(value=RefundCaseState.CREDITED.value, final=True)
    cancelled = State(value=RefundCaseState.CANCELLED.value, final=True)

    open_timesheet_dispute = nothing.to(
        disputed, validators=guarded(Who.CLIENT, cites=("C25", "C26", "C27"), rules=_OPENED)
    )
    approve = disputed.to(
        approved,
        validators=guarded(
            Who.SUPPORT,
            cites="D12",
            rules=(*DECIDER, NothingProposed(), ApprovalCap(), WithinLimit()),
            instead=(RefundActionName.CONSENT,),
        ),
    )
    decline = disputed.to(
        declined,
        validators=guarded(Who.SUPPORT, cites="D12", rules=(*DECIDER, _MESSAGE, NothingProposed(), WithinLimit())),
    )
    reopen = declined.to(disputed, validators=guarded(Who.ADMIN, cites="D22", rules=REOPENED))
    credit = approved.to(credited, validators=guarded(Who.SYSTEM, cites=("C16", "C25"), rules=(FundsThere(),)))
    cancel = disputed.to(cancelled, validators=guarded(Who.CLIENT, cites="D15", rules=(AskedYourself(),)))
