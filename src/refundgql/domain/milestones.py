"""The milestone machine: escrow is funded, then released or returned, and held while a case is open (C30)."""

from __future__ import annotations

from statemachine import State

from refundgql.domain.advancing import StrictMachine, advance
from refundgql.domain.refusals import Refused, refusal
from refundgql.domain.sentences import phrase, sentence
from refundgql.domain.vocabulary import MilestoneStatus, RefusalCode


class MilestoneMachine(StrictMachine):
    """UNFUNDED to FUNDED, then RELEASED or RETURNED; a reversal funds a returned milestone again (D16)."""

    unfunded = State(initial=True, value=MilestoneStatus.UNFUNDED)
    funded = State(value=MilestoneStatus.FUNDED)
    released = State(value=MilestoneStatus.RELEASED, final=True)
    returned = State(value=MilestoneStatus.RETURNED)

    fund = unfunded.to(funded)
    release = funded.to(released, validators="no_open_case")
    give_back = funded.to(returned)
    fund_again = returned.to(funded)

    def no_open_case(self, open_case_number: int | None = None) -> None:
        """Refuse to let the escrow go while somebody asks for it back (C30)."""
        if open_case_number is not None:
            message = sentence(
                "CASE_ON_MILESTONE_IS_OPEN",
                "The refund case {case} on this milestone is open: release it after the case is decided or cancelled.",
                case=f"RC-{open_case_number:06d}",
            )
            raise Refused(refusal(RefusalCode.CASE_ALREADY_OPEN, message, "C30"))


def advance_milestone(
    current: MilestoneStatus, target: MilestoneStatus, *, open_case_number: int | None = None
) -> None:
    """Check that a milestone may take this step now.

    Refuses: TRANSITION_NOT_ALLOWED; CASE_ALREADY_OPEN for a release while a case on it is open (C30).
    """
    advance(MilestoneMachine, phrase("milestone"), current, target, open_case_number=open_case_number)
