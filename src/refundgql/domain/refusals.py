"""Why not, by which rule, and what to do instead: refusals as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from refundgql.domain.money import Money
from refundgql.domain.sentences import Sentence, sentence
from refundgql.domain.vocabulary import RefundActionName, RefundCaseState, RefusalCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One reason against an act, in one sentence that says what to do."""

    code: RefusalCode
    message: Sentence
    rule: str | None = None
    field: tuple[str, ...] | None = None
    alternatives: tuple[RefundActionName, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicRefusal(Refusal):
    """A refusal without parameters of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRefusal(Refusal):
    """Too early or too late; the window's ends are aware UTC, the upper one exclusive, days are UTC calendar days."""

    available_from: datetime | None = None
    available_until: datetime | None = None
    elapsed_days: int | None = None
    limit_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountRefusal(Refusal):
    """More than there is."""

    maximum: Money
    requested: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictRefusal(Refusal):
    """Somebody else was first; this is the state that is now true."""

    current_state: RefundCaseState | None = None
    current_version: int | None = None


class Refused(Exception):
    """The act is refused and nothing was changed; `refusals` holds every reason of the first group that refuses."""

    def __init__(self, *refusals: Refusal) -> None:
        """Keep the refusals in the order of the rules that gave them."""
        super().__init__("; ".join(refusal.message for refusal in refusals))
        self.refusals: tuple[Refusal, ...] = refusals


def refusal(
    code: RefusalCode,
    message: Sentence,
    rule: str | None = None,
    *alternatives: RefundActionName,
    field: tuple[str, ...] | None = None,
) -> BasicRefusal:
    """Return a refusal without parameters of its own, with what may be done instead."""
    return BasicRefusal(code=code, message=message, rule=rule, field=field, alternatives=alternatives)


def not_found(what: Sentence, *field: str) -> BasicRefusal:
    """Say that something does not exist, or not for this viewer: the same words for both."""
    message = sentence("NOT_FOUND", "There is no such {what} that you can see; check the id.", what=what)
    return refusal(RefusalCode.NOT_FOUND, message, field=field or None)
