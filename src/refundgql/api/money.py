"""Money as clients write and read it.

It must not calculate: amounts are domain values.
"""

from decimal import Decimal

import strawberry

from refundgql.api.scalars import CurrencyCode
from refundgql.commands.checks import Amount
from refundgql.domain.money import Money as DomainMoney


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


def amount_of(given: MoneyInput | None) -> Amount | None:
    """Return an amount as commands take it, unchecked."""
    return None if given is None else Amount(given.amount, given.currency_code)


def money(minor: int | None, currency: str) -> DomainMoney | None:
    """Return minor units of a currency as money, or nothing for nothing."""
    return None if minor is None else DomainMoney(minor, currency)
