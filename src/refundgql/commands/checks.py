"""The checks of typed input that need no facts: texts, amounts, ids, keys; every one INVALID_INPUT with its field."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal

from refundgql.domain.money import Money, MoneyError
from refundgql.domain.refusals import Refusal, Refused, not_found, refusal
from refundgql.domain.sentences import Sentence, sentence
from refundgql.domain.vocabulary import RefusalCode

EXPLANATION_CHARS = 10_000
"""Explanations, case messages and statements: some pages, so that a case stays readable."""
NOTE_CHARS = 4_000
"""Notes, decline messages and reasons."""
REVIEW_CHARS = 10_000
FILE_NAME_CHARS = 255
KEY_CHARS = 200
"""Idempotency keys; a uuid has 36."""
MESSAGE_IDS = 200
"""Chat messages selected in one act."""

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Amount:
    """Money as somebody gave it: not yet known to be an amount of a currency that exists."""

    amount: Decimal
    currency_code: str


@dataclass(slots=True)
class Checks:
    """Collects what is wrong with one input, in the order it is looked at."""

    refusals: list[Refusal] = field(default_factory=list)

    def refuse(self, message: Sentence, *path: str, rule: str | None = None) -> None:
        """Add an INVALID_INPUT refusal of one field."""
        self.refusals.append(refusal(RefusalCode.INVALID_INPUT, message, rule, field=path or None))

    def text(self, value: str | None, name: str, limit_chars: int = NOTE_CHARS) -> str | None:
        """Return an optional text trimmed; nothing but spaces, too long or not storable is refused.

        What is too long was given all the same: the rules do not ask for it again.
        """
        if value is None:
            return None
        trimmed = value.strip()
        if not trimmed:
            message = sentence(
                "FIELD_EMPTY", "{field} is empty: write something, or leave it out where it is optional.", field=name
            )
            self.refuse(message, name)
        elif len(trimmed) > limit_chars:
            message = sentence(
                "FIELD_TOO_LONG",
                "{field} is longer than {limit} characters: shorten it.",
                field=name,
                limit=limit_chars,
            )
            self.refuse(message, name)
        elif "\0" in trimmed or _SURROGATE.search(trimmed):
            message = sentence(
                "FIELD_UNSTORABLE",
                "{field} holds characters that are not text (NUL or half a surrogate pair).",
                field=name,
            )
            self.refuse(message, name)
        return trimmed or None

    def money(self, given: Amount | None, name: str = "amount") -> Money | None:
        """Return a positive amount in minor units (D2); anything that is not one is refused."""
        if given is None:
            return None
        try:
            money = Money.parse(given.amount, given.currency_code)
        except MoneyError as error:
            self.refuse(error.why, name, rule="D2")
            return None
        if money.minor <= 0:
            self.refuse(sentence("AMOUNT_NOT_POSITIVE", "Give an amount above zero."), name, rule="D2")
            return None
        return money

    def raise_if_any(self) -> None:
        """Raise what was collected.

        Refuses: INVALID_INPUT.
        """
        if self.refusals:
            raise Refused(*self.refusals)


def is_uuid(text: str | None) -> bool:
    """Tell whether a text has the form of an id; anything else names nothing that exists."""
    return text is not None and _UUID.fullmatch(text) is not None


def existing_id(text: str, what: Sentence, *path: str) -> str:
    """Return the id.

    Refuses: NOT_FOUND for a text that cannot be an id.
    """
    if not is_uuid(text):
        raise Refused(not_found(what, *path))
    return text
