"""What a rule looks at, what it is, and how the rules of one act are asked together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from typing import ClassVar

from refundgql.domain.decisions import Act
from refundgql.domain.facts import Case, Facts
from refundgql.domain.money import Money
from refundgql.domain.policy import Policy
from refundgql.domain.refusals import Refusal
from refundgql.domain.sentences import Sentence, phrase
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import OPEN_STATES, RefundActionName, RefundCaseKind, RefundCaseState


class Group(Enum):
    """The order in which rules are asked; the first group that refuses gives all of its refusals."""

    WHO = 1
    GIVEN = 2
    VERSION = 3
    RULE = 4


@dataclass(frozen=True, slots=True)
class Window:
    """When something is open: from an instant (none: always was) until another, exclusive (none: for good)."""

    opens_at: datetime | None = None
    closes_at: datetime | None = None


@dataclass(slots=True)
class Situation:
    """One act on one payment at one instant; `asking` when only its possibility is asked for, without its input."""

    act: Act
    facts: Facts
    policy: Policy
    kind: RefundCaseKind
    action: RefundActionName
    case: Case | None = None
    asking: bool = False

    @property
    def at(self) -> datetime:
        """Return the instant of the act."""
        return self.act.at

    @property
    def viewer(self) -> Viewer | None:
        """Return who acts; None is the system."""
        return self.act.viewer

    @property
    def viewer_is_filing(self) -> bool:
        """Tell whether somebody files for the lead's professional (D4)."""
        viewer, lead = self.act.viewer, self.facts.lead
        return viewer is not None and lead is not None and viewer.account_id != lead.pro_id

    @property
    def state(self) -> RefundCaseState | None:
        """Return where the case stands; None before it exists."""
        return self.case.state if self.case is not None else None

    @property
    def refundable_minor(self) -> int:
        """Return what is left of the payment and of the contract, in minor units (C14, D9, D25)."""
        return refundable_minor(self.facts)

    def money(self, minor: int) -> Money:
        """Return minor units of the payment's currency as money."""
        return Money(minor, self.facts.payment.currency)


def refundable_minor(facts: Facts) -> int:
    """Return what is left of a payment and of its contract, in minor units (C14, D9, D25)."""
    payment, contract = facts.payment, facts.contract
    left = payment.paid_minor - payment.refunded_minor - payment.reserved_minor - payment.charged_back_minor
    if contract is not None:
        spoken_for = contract.refunded_minor + contract.reserved_minor + contract.charged_back_minor
        left = min(left, contract.paid_minor - spoken_for)
    return max(left, 0)


def taken_minor(case: Case, facts: Facts) -> int:
    """Return what of an approved refund is there no more, whatever money comes, in minor units: a bank has it (D25)."""
    payment = facts.payment
    left = payment.paid_minor - payment.refunded_minor - payment.charged_back_minor
    return max((case.approved_minor or 0) - left, 0)


class Rule:
    """A guard that answers with a reason: one object for the mutation, the button and the preview."""

    rules: tuple[str, ...] = ()
    about: str = ""
    group: ClassVar[Group] = Group.RULE
    passes_by_itself: ClassVar[bool] = False
    """Whether its refusal may end without an act of the viewer, so that it does not make a decline final."""

    def check(self, it: Situation) -> Refusal | None:
        """Return why not, or None."""
        raise NotImplementedError

    def saw(self, it: Situation) -> tuple[tuple[str, str], ...]:
        """Return the facts it looked at, for the event of an act it let pass."""
        return ()

    def cited(self, it: Situation) -> str | None:
        """Return the number an act it let pass happened by, where that depends on the facts."""
        return None

    def window(self, it: Situation) -> Window | None:
        """Return when it lets pass, where that depends on the instant alone."""
        return None

    def __repr__(self) -> str:
        """Show the rule by its class and numbers."""
        return f"{type(self).__name__}({', '.join(self.rules)})"


def goes_on(it: Situation) -> Sentence:
    """Say how it goes on without the act: by the request that somebody still decides, or else."""
    if it.state in OPEN_STATES:
        return phrase("go on with the refund request")
    return phrase("look at what else the payment allows")


def last_day(until: datetime) -> date:
    """Return the last UTC date before an exclusive end."""
    return (until - timedelta(microseconds=1)).date()
