"""Money as clients write and read it."""

from decimal import Decimal

import strawberry

from refundgql.api.types.scalars import CurrencyCode
from refundgql.commands.checks import Amount
from refundgql.domain.money import format_minor


@strawberry.type(description="An exact amount of one currency (D2).")
class Money:
    amount: Decimal = strawberry.field(
        description="The amount in major units with exactly the currency's decimals, such as 12.50."
    )
    currency_code: CurrencyCode = strawberry.field(description="The currency.")


@strawberry.input(description="An exact amount of one currency (D2).")
class MoneyInput:
    amount: Decimal = strawberry.field(
        description="The amount in major units, with no more decimals than the currency has."
    )
    currency_code: CurrencyCode = strawberry.field(description="The currency; it must be the payment's own.")


def given_amount(given: MoneyInput | None) -> Amount | None:
    """Return an amount as commands take it, unchecked."""
    return None if given is None else Amount(given.amount, given.currency_code)


class MoneyRow:
    """An amount as clients read it; a page of cases makes hundreds of them, so it is no more than its two texts."""

    __slots__ = ("amount", "currency_code")

    def __init__(self, amount: str, currency_code: str) -> None:
        """Keep the texts."""
        self.amount = amount
        self.currency_code = currency_code


def money(minor: int | None, currency: str) -> MoneyRow | None:
    """Return minor units of a currency as money, or nothing for nothing."""
    return None if minor is None else MoneyRow(format_minor(minor, currency), currency)
