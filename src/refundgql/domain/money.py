"""Money as integer minor units of an ISO 4217 currency (D2).

It must not use floats or know balances: amounts move in ledger.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from functools import lru_cache

from iso4217 import Currency

from refundgql.domain.sentences import Unfit, sentence

MAXIMUM_MINOR = 2**53
"""Amounts stay exact in every client, JavaScript's numbers included (D2)."""
_PLAIN_DIGITS = 12
"""Digits before the point that are never too many."""

_DECIMAL = re.compile(r"-?\d{1,20}(?:\.\d{1,20})?", re.ASCII).fullmatch


class MoneyError(Unfit):
    """An amount or a currency that cannot be money; the message says what to do."""


def parse_decimal(text: str) -> Decimal:
    """Return the exact number of a plain decimal text, as "12.50": no exponent, spaces or separators.

    Refuses: MoneyError for any other form.
    """
    if _DECIMAL(text) is None:
        raise MoneyError(sentence("NOT_A_DECIMAL", 'Give a plain decimal number as text, such as "12.50".'))
    return Decimal(text)


@lru_cache(maxsize=512)
def exponent(currency: str) -> int:
    """Return the number of decimals of an ISO 4217 currency (JPY 0, USD 2, KWD 3).

    Refuses: MoneyError for a code that is not a currency, or that has no minor unit (gold, test codes).
    """
    try:
        decimals = Currency(currency).exponent
    except ValueError:
        decimals = None
    if decimals is None:
        message = sentence(
            "NOT_A_CURRENCY", "'{currency}' is not a currency: give an ISO 4217 code such as USD.", currency=currency
        )
        raise MoneyError(message)
    return decimals


@lru_cache(maxsize=512)
def _scale(currency: str) -> int:
    return int(10 ** exponent(currency))


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount in integer minor units (`minor`) of `currency`; may be negative, as a balance can be."""

    minor: int
    currency: str

    @classmethod
    def parse(cls, amount: Decimal, currency: str) -> Money:
        """Return the exact money for a decimal amount of major units (D2).

        Refuses: MoneyError for an unknown currency, more decimals than it has, or more than 2^53 minor units.
        """
        decimals = exponent(currency)
        written = amount.as_tuple().exponent
        if not isinstance(written, int) or amount.adjusted() > 20:
            raise MoneyError(sentence("NOT_AN_AMOUNT", "The amount is not a number that money can have."))
        if -written > decimals:  # zeros too: whoever writes 3000.00 yen may not mean yen
            message = sentence(
                "TOO_MANY_DECIMALS",
                "{currency} has {decimals} decimals: give the amount with no more than that.",
                currency=currency,
                decimals=decimals,
            )
            raise MoneyError(message)
        with localcontext() as context:
            context.prec = 60
            minor = int(amount.scaleb(decimals))
        if abs(minor) > MAXIMUM_MINOR:
            raise MoneyError(sentence("AMOUNT_TOO_LARGE", "The amount is larger than this service can hold exactly."))
        return cls(minor, currency)

    @classmethod
    def plain(cls, amount: str, currency: str) -> Money | None:
        """Return the money that a text such as "12.50" means without any doubt, or nothing where `parse` has to say."""
        whole, dot, rest = amount.partition(".")
        if not (amount.isascii() and whole.isdigit() and len(whole) <= _PLAIN_DIGITS and rest.isdigit() == bool(dot)):
            return None
        try:
            missing = exponent(currency) - len(rest)
        except MoneyError:
            return None
        minor = int(whole + rest) * 10**missing if missing >= 0 else MAXIMUM_MINOR + 1
        return None if minor > MAXIMUM_MINOR else cls(minor, currency)

    @classmethod
    def rounded(cls, amount: Decimal, currency: str) -> Money:
        """Return the money nearest to a decimal amount, half to even (D18)."""
        with localcontext() as context:
            context.prec = 60
            minor = int(amount.scaleb(exponent(currency)).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
        if abs(minor) > MAXIMUM_MINOR:
            raise MoneyError(sentence("AMOUNT_TOO_LARGE", "The amount is larger than this service can hold exactly."))
        return cls(minor, currency)

    @property
    def amount(self) -> str:
        """Return the amount in major units with exactly the currency's decimals, as "12.50"."""
        return format_minor(self.minor, self.currency)

    @property
    def currency_code(self) -> str:
        """Return the ISO 4217 code, under the name clients see."""
        return self.currency

    def __str__(self) -> str:
        """Show the amount for sentences, as "12.50 USD"."""
        return f"{self.amount} {self.currency}"


def format_minor(minor: int, currency: str) -> str:
    """Return minor units as a decimal text of major units with exactly the currency's decimals."""
    scale = _scale(currency)
    if scale == 100 and minor >= 0:  # nearly every amount there is
        return f"{minor // 100}.{minor % 100:02d}"
    if scale == 1:
        return str(minor)
    sign = "-" if minor < 0 else ""
    whole, rest = divmod(abs(minor), scale)
    return f"{sign}{whole}.{rest:0{exponent(currency)}d}"
