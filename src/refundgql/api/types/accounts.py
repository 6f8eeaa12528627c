"""Accounts and their balances.

It must not show more of another person than name and external reference.
"""

from typing import Any

import strawberry

from refundgql.api.context import LevelInfo
from refundgql.api.types.connections import After, Before, Connection, First, Last, asked_page
from refundgql.api.types.lazy import LazyTransaction, LazyWithdrawal
from refundgql.api.types.money import Money, money
from refundgql.api.types.nodes import Node
from refundgql.domain.vocabulary import BalancePurpose, Role
from refundgql.gql.declare import Level, leaf, level
from refundgql.queries import accounts as queries
from refundgql.queries.accounts import AccountRow
from refundgql.queries.transactions import list_transactions
from refundgql.queries.withdrawals import list_account_withdrawals


@strawberry.type(description="Money of one purpose and currency.")
class Balance:
    purpose: BalancePurpose = strawberry.field(description="What the money is for (L17).")
    available: Money = leaf(
        lambda row: money(row.available_minor, row.currency),
        description="What can be used now; negative only for an expert after support decided (D13).",
    )
    in_transit: Money = leaf(
        lambda row: money(row.in_transit_minor, row.currency),
        description="What is on its way to the payment method (D10).",
    )


@strawberry.type(
    description="A person or organisation. Of another one's account you see the name and the external reference; "
    "its lists are empty. Staff see all of it."
)
class Account(Node):
    external_ref: str = strawberry.field(description="The marketplace's own reference of the account.")
    name: str = strawberry.field(description="The name to show.")
    roles: list[Role] = strawberry.field(
        description="What the account may be, in alphabetical order; empty for others."
    )

    @level(description="The balances by purpose, then currency; empty for others.")
    @staticmethod
    async def balances(rows: list[AccountRow], info: LevelInfo) -> Level[list[Balance]]:
        return await queries.list_balances(info.context.app.database, rows)

    @level(
        description="Everything that touched a balance, last booked first, with requests that are not credited yet "
        "(C20): each line's balance is that of the line booked before it and its amount. Empty for others."
    )
    @staticmethod
    async def transactions(
        rows: list[AccountRow],
        info: LevelInfo,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Level[Connection[LazyTransaction]]:
        page = asked_page(first, after, last, before)
        return await list_transactions(info.context.app.database, info.context.signed_in(), rows, page, info.selection)

    @level(description="Withdrawals to the payment method, newest first (D10); empty for others.")
    @staticmethod
    async def withdrawals(
        rows: list[AccountRow],
        info: LevelInfo,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Level[Connection[LazyWithdrawal]]:
        page = asked_page(first, after, last, before)
        return await list_account_withdrawals(info.context.app.database, rows, page, info.selection)


@strawberry.type
class AccountQueries:
    @level(description="Your own account.")
    @staticmethod
    async def viewer(rows: list[Any], info: LevelInfo) -> Level[Account | None]:
        viewer = info.context.signed_in()
        found = await queries.accounts_by_id(info.context.app.database, viewer, [viewer.account_id], info.selection)
        return [found.get(viewer.account_id)]
