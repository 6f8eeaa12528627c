"""Invoices, with what is left to refund, by which route and until when."""

from datetime import datetime

import strawberry

from refundgql.api.context import LevelInfo
from refundgql.api.types.availability import subject_actions
from refundgql.api.types.lazy import LazyBillingWeek, LazyContract, LazyMilestone, LazyRefundCase
from refundgql.api.types.money import Money, money
from refundgql.api.types.nodes import Node
from refundgql.api.types.refusals import ActionAvailability
from refundgql.api.types.relations import contracts_of, milestones_of, weeks_of
from refundgql.domain.calendar import from_micros
from refundgql.domain.deadlines import DIRECT_WINDOW, SUPPORT_WINDOW, Span
from refundgql.domain.policy import Policy
from refundgql.domain.vocabulary import InvoiceStatus, RefundActionName, RefundCaseKind, RefundRoute
from refundgql.gql.declare import Level, leaf, level
from refundgql.queries.invoices import InvoiceRow
from refundgql.queries.refund_cases import cases_of_payments


@strawberry.type(description="An invoice. Seen by the contract's parties and staff.")
class Invoice(Node):
    external_ref: str = strawberry.field(description="The marketplace's own reference.")
    number: str = strawberry.field(description="The number printed on it.")
    status: InvoiceStatus = strawberry.field(description="Whether it is paid.")
    amount: Money = leaf(lambda row: money(row.amount_minor, row.currency), description="What it asks for.")
    issued_at: datetime = strawberry.field(description="When it was issued.")
    paid_at: datetime | None = strawberry.field(description="When it was paid; the days of C15 count from here.")

    @level(description="The contract it bills.")
    @staticmethod
    async def contract(rows: list[InvoiceRow], info: LevelInfo) -> Level[LazyContract]:
        return await contracts_of(info, [row.contract_id for row in rows])

    @level(description="The billing week it bills, for hourly contracts.")
    @staticmethod
    async def billing_week(rows: list[InvoiceRow], info: LevelInfo) -> Level[LazyBillingWeek | None]:
        return await weeks_of(info, [row.billing_week_id for row in rows])

    @level(description="The milestone it bills, for fixed-price contracts.")
    @staticmethod
    async def milestone(rows: list[InvoiceRow], info: LevelInfo) -> Level[LazyMilestone | None]:
        return await milestones_of(info, [row.milestone_id for row in rows])

    refunded: Money = leaf(
        lambda row: money(row.refunded_minor, row.currency),
        description="Credits of all kinds on this payment, less reversals.",
    )
    refundable: Money = leaf(
        lambda row: money(row.refundable_minor, row.currency),
        description="The most that can still be refunded: what is left of this payment and of the contract (C14, D9).",
    )

    @level(description="Who would decide a request made now (C15); none when unpaid or too late.")
    @staticmethod
    def route(rows: list[InvoiceRow], info: LevelInfo) -> list[RefundRoute | None]:
        return [_route(row, info.context.app.policy, info.context.now) for row in rows]

    @level(description="Until when the expert can be asked directly, exclusive (C15); none when unpaid.")
    @staticmethod
    def direct_until(rows: list[InvoiceRow], info: LevelInfo) -> list[datetime | None]:
        return _window_ends(rows, DIRECT_WINDOW, info.context.app.policy)

    @level(description="Until when support can be asked, exclusive (C15); none when unpaid.")
    @staticmethod
    def support_until(rows: list[InvoiceRow], info: LevelInfo) -> list[datetime | None]:
        return _window_ends(rows, SUPPORT_WINDOW, info.context.app.policy)

    @level(
        personal=True,
        description="Whether you can ask for a refund now (the expert: issue one), with the reasons when not.",
    )
    @staticmethod
    async def refund_action(rows: list[InvoiceRow], info: LevelInfo) -> Level[ActionAvailability]:
        payments = [row.payment_id for row in rows]
        return await subject_actions(info, RefundActionName.REQUEST, payments, RefundCaseKind.INVOICE)

    @level(description="Every case about this payment, newest first; the latest 100.")
    @staticmethod
    async def refund_cases(rows: list[InvoiceRow], info: LevelInfo) -> Level[list[LazyRefundCase]]:
        viewer, payments = info.context.signed_in(), [row.payment_id for row in rows]
        return await cases_of_payments(info.context.app.database, viewer, payments, info.selection)


def _window_ends(rows: list[InvoiceRow], span: Span, policy: Policy) -> list[datetime | None]:
    return [None if row.paid_at is None else span.end(from_micros(row.paid_at), policy) for row in rows]


def _route(row: InvoiceRow, policy: Policy, now: datetime) -> RefundRoute | None:
    paid_at = None if row.paid_at is None else from_micros(row.paid_at)
    if paid_at is None or now >= SUPPORT_WINDOW.end(paid_at, policy):
        return None
    return RefundRoute.DIRECT if now < DIRECT_WINDOW.end(paid_at, policy) else RefundRoute.SUPPORT
