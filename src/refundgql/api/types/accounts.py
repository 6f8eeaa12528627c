"""Accounts and their balances."""

from typing import Annotated, Any

import strawberry

from refundgql.api.acts.inputs import Input, check_filter, optional
from refundgql.api.context import LevelInfo
from refundgql.api.types.case_filters import CaseFilterArgument, CaseOrderArgument, case_filter
from refundgql.api.types.connections import Connection, paged
from refundgql.api.types.contracts import ContractFilterArgument
from refundgql.api.types.lazy import (
    LazyContractConnection,
    LazyLeadConnection,
    LazyRefundCaseConnection,
    LazyTransaction,
    LazyWithdrawalConnection,
)
from refundgql.api.types.leads import LeadFilterArgument
from refundgql.api.types.money import Money, money
from refundgql.api.types.nodes import Node
from refundgql.domain.vocabulary import BalancePurpose, Role
from refundgql.gql.declare import Level, leaf, level
from refundgql.gql.rows import row
from refundgql.queries import accounts as queries
from refundgql.queries.accounts import AccountRow
from refundgql.queries.contracts import list_account_contracts
from refundgql.queries.leads import list_account_leads
from refundgql.queries.pages import Page
from refundgql.queries.refund_cases import list_account_cases
from refundgql.queries.transactions import list_transactions
from refundgql.queries.withdrawals import list_account_withdrawals


@row(queries.BalanceRow)
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


@row(queries.SummaryRow)
@strawberry.type(description="What is known of an account's refunds at a glance.")
class AccountSummary:
    open_cases: int = strawberry.field(description="Undecided or uncredited cases it is a party of.")
    requests90_days: int = strawberry.field(description="Requests that it made in the last 90 days.")
    approved_share: float | None = strawberry.field(
        description="Of its requests that are decided now, those approved in part or whole, from 0 to 1; else none."
    )
    waiting_for_funds: Money | None = leaf(
        lambda row: row.waiting_for_funds,
        description="Approved refunds that wait for its balance (D13), in the currency of the largest sum.",
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

    @paged(
        description="Everything that touched a balance, last booked first, with requests that are not credited yet "
        "(C20): each line's balance is that of the line booked before it and its amount. Empty for others."
    )
    @staticmethod
    async def transactions(rows: list[AccountRow], info: LevelInfo, page: Page) -> Level[Connection[LazyTransaction]]:
        return await list_transactions(info.context.app.database, info.context.signed_in(), rows, page, info.selection)

    @paged(description="Withdrawals to the payment method, newest first (D10); empty for others.")
    @staticmethod
    async def withdrawals(rows: list[AccountRow], info: LevelInfo, page: Page) -> Level[LazyWithdrawalConnection]:
        return await list_account_withdrawals(
            info.context.app.database, info.context.signed_in(), rows, page, info.selection
        )

    @level(description="What is known of the account's refunds at a glance; none for others.")
    @staticmethod
    async def summary(rows: list[AccountRow], info: LevelInfo) -> Level[AccountSummary | None]:
        context = info.context
        return await queries.account_summaries(context.app.database, context.signed_in(), rows, context.now)

    @paged(description="The refund cases it is a party of, newest first; empty for others.")
    @staticmethod
    async def refund_cases(
        rows: list[AccountRow],
        info: LevelInfo,
        page: Page,
        filter: CaseFilterArgument = None,
        order_by: CaseOrderArgument = None,
    ) -> Level[LazyRefundCaseConnection]:
        viewer = info.context.signed_in()
        given, context = case_filter(filter), info.context
        database = context.app.database
        return await list_account_cases(database, viewer, rows, given, order_by, page, info.selection, context.now)

    @paged(description="The contracts it is a party of, latest started first; empty for others.")
    @staticmethod
    async def contracts(
        rows: list[AccountRow], info: LevelInfo, page: Page, filter: ContractFilterArgument = None
    ) -> Level[LazyContractConnection]:
        viewer = info.context.signed_in()
        check_filter(filter)
        return await list_account_contracts(info.context.app.database, viewer, rows, filter, page, info.selection)

    @paged(
        description="The leads it bought, and for staff those it is the customer of, newest first; empty for others."
    )
    @staticmethod
    async def leads(
        rows: list[AccountRow], info: LevelInfo, page: Page, filter: LeadFilterArgument = None
    ) -> Level[LazyLeadConnection]:
        viewer = info.context.signed_in()
        check_filter(filter)
        return await list_account_leads(info.context.app.database, viewer, rows, filter, page, info.selection)


@strawberry.input(description="Narrows accounts; everything given must hold.")
class AccountFilter(Input):
    text: str | None = optional("Part of the name or of the external reference, in any case of letters.")
    external_refs: list[str] | None = optional("The account has one of these references; at most 100.")
    roles: list[Role] | None = optional("The account has one of these roles.")


@strawberry.type
class AccountQueries:
    @paged(description="All accounts, newest first; for staff and the marketplace.")
    @staticmethod
    async def accounts(
        rows: list[Any],
        info: LevelInfo,
        page: Page,
        filter: Annotated[
            AccountFilter | None, strawberry.argument(description="Only what fits; everything when left out.")
        ] = None,
    ) -> Level[Connection[Account]]:
        viewer = info.context.overseer()
        check_filter(filter)
        return [await queries.list_accounts(info.context.app.database, viewer, filter, page, info.selection)]

    @paged(description="The members of staff, who can be given cases, newest first; for staff.")
    @staticmethod
    async def staff(rows: list[Any], info: LevelInfo, page: Page) -> Level[Connection[Account]]:
        viewer = info.context.staff()
        return [await queries.list_staff(info.context.app.database, viewer, page, info.selection)]

    @level(description="Your own account.")
    @staticmethod
    async def viewer(rows: list[Any], info: LevelInfo) -> Level[Account | None]:
        viewer = info.context.signed_in()
        found = await queries.accounts_by_id(info.context.app.database, viewer, [viewer.account_id], info.selection)
        return [found.get(viewer.account_id)]
