"""Refusals as data: why not, by which rule, and what to do instead; and actions with their reasons."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

import strawberry

from refundgql.api.languages import said
from refundgql.api.types.money import Money
from refundgql.api.types.wording import Wording, WordingRow, wording
from refundgql.domain import refusals as domain
from refundgql.domain.decisions import Availability
from refundgql.domain.money import Money as DomainMoney
from refundgql.domain.sentences import Sentence
from refundgql.domain.vocabulary import RefundActionName, RefundCaseState, RefusalCode
from refundgql.gql.rows import row


@strawberry.interface(description="Why something is refused, by which rule, and what to do instead.")
class Refusal:
    code: RefusalCode = strawberry.field(description="The kind of refusal; branch on this.")
    message: str = strawberry.field(description="One sentence for people that says what to do.")
    wording: Wording = strawberry.field(
        description="The code and the parameters of `message`; finer than `code`, for clients with texts of their own."
    )
    rule: str | None = strawberry.field(description="The number of the rule, such as C15; none for plain input errors.")
    field: list[str] | None = strawberry.field(
        description="The path of the value at fault below `input`, list positions included; none when it is no value."
    )
    alternatives: list[RefundActionName] = strawberry.field(
        description="What can be done instead, best first; empty when nothing can."
    )


@row("RefusalRow")
@strawberry.type(description="A refusal without parameters of its own.")
class BasicRefusal(Refusal):
    pass


@row("WindowRefusalRow")
@strawberry.type(description="Too early or too late. Windows are whole UTC days (D1).")
class WindowRefusal(Refusal):
    available_from: datetime | None = strawberry.field(description="When the window opens.")
    available_until: datetime | None = strawberry.field(description="When the window closes, exclusive.")
    elapsed_days: int | None = strawberry.field(description="The day number of the act: UTC dates since the start.")
    limit_days: int | None = strawberry.field(description="The last day number on which it is possible.")


@row("AmountRefusalRow")
@strawberry.type(description="More than there is.")
class AmountRefusal(Refusal):
    maximum: Money = strawberry.field(description="The most that is possible now.")
    requested: Money = strawberry.field(description="What was asked for.")


@row("ConflictRefusalRow")
@strawberry.type(description="Somebody else was first, or the state does not allow it.")
class ConflictRefusal(Refusal):
    current_state: RefundCaseState | None = strawberry.field(description="The state of the case now.")
    current_version: int | None = strawberry.field(description="The version of the case now.")


@row("AvailabilityRow")
@strawberry.type(description="One action for you: whether it is open, and if not, everything in its way.")
class ActionAvailability:
    name: RefundActionName = strawberry.field(description="The action.")
    enabled: bool = strawberry.field(description="Whether the mutation would go through now.")
    blockers: list[Refusal] = strawberry.field(
        description="What stands in the way, as the mutation would say it; empty when enabled."
    )
    available_from: datetime | None = strawberry.field(description="From when on it is possible, if a window says so.")
    available_until: datetime | None = strawberry.field(
        description="Until when it is possible, exclusive, if a window says so."
    )


@dataclass(slots=True)
class RefusalRow:
    """A refusal for a client."""

    TYPENAME: ClassVar[str] = "BasicRefusal"
    code: RefusalCode
    sentence: Sentence
    rule: str | None
    field: list[str] | None
    alternatives: list[RefundActionName]

    @property
    def message(self) -> str:
        """Return the sentence in the reader's language."""
        return said(self.sentence)

    @property
    def wording(self) -> WordingRow:
        """Return how the sentence is put together."""
        return wording(self.sentence)


@dataclass(slots=True)
class WindowRefusalRow(RefusalRow):
    """A window's refusal for a client."""

    TYPENAME: ClassVar[str] = "WindowRefusal"
    available_from: datetime | None
    available_until: datetime | None
    elapsed_days: int | None
    limit_days: int | None


@dataclass(slots=True)
class AmountRefusalRow(RefusalRow):
    """An amount's refusal for a client."""

    TYPENAME: ClassVar[str] = "AmountRefusal"
    maximum: DomainMoney
    requested: DomainMoney


@dataclass(slots=True)
class ConflictRefusalRow(RefusalRow):
    """A conflict for a client."""

    TYPENAME: ClassVar[str] = "ConflictRefusal"
    current_state: RefundCaseState | None
    current_version: int | None


@dataclass(slots=True)
class AvailabilityRow:
    """One action for a client."""

    name: RefundActionName
    enabled: bool
    blockers: list[RefusalRow]
    available_from: datetime | None
    available_until: datetime | None


def refusal_row(refusal: domain.Refusal) -> RefusalRow:
    """Return a refusal of the rules as clients see it."""
    base = (
        refusal.code,
        refusal.message,
        refusal.rule,
        None if refusal.field is None else [str(step) for step in refusal.field],
        list(refusal.alternatives),
    )
    match refusal:
        case domain.WindowRefusal():
            window = (refusal.available_from, refusal.available_until, refusal.elapsed_days, refusal.limit_days)
            return WindowRefusalRow(*base, *window)
        case domain.AmountRefusal():
            return AmountRefusalRow(*base, refusal.maximum, refusal.requested)
        case domain.ConflictRefusal():
            return ConflictRefusalRow(*base, refusal.current_state, refusal.current_version)
    return RefusalRow(*base)


def refusal_rows(refusals: Iterable[domain.Refusal]) -> list[RefusalRow]:
    """Return refusals of the rules as clients see them, in their order."""
    return [refusal_row(refusal) for refusal in refusals]


def availability_row(availability: Availability) -> AvailabilityRow:
    """Return an action's availability as clients see it."""
    return AvailabilityRow(
        availability.name,
        availability.enabled,
        refusal_rows(availability.blockers),
        availability.available_from,
        availability.available_until,
    )
