"""Billing weeks and until when their hours can be disputed.

It must not know local time: weeks run from Monday 00:00 to Monday 00:00 UTC.
"""

from datetime import datetime
from decimal import Decimal

import strawberry

from refundgql.api.context import LevelInfo
from refundgql.api.types.availability import subject_actions
from refundgql.api.types.lazy import LazyContract, LazyInvoice, LazyRefundCase
from refundgql.api.types.money import Money, money
from refundgql.api.types.nodes import Node
from refundgql.api.types.refusals import ActionAvailability
from refundgql.api.types.relations import cases_of, contracts_of, invoices_of
from refundgql.domain.calendar import from_micros
from refundgql.domain.deadlines import CUT_OFF
from refundgql.domain.vocabulary import RefundActionName, RefundCaseKind
from refundgql.gql.declare import Level, leaf, level
from refundgql.queries.weeks import WeekRow


@strawberry.type(description="The hours of one week of an hourly contract. Seen by the contract's parties and staff.")
class BillingWeek(Node):
    external_ref: str = strawberry.field(description="The marketplace's own reference.")

    @level(description="The contract it belongs to.")
    @staticmethod
    async def contract(rows: list[WeekRow], info: LevelInfo) -> Level[LazyContract]:
        return await contracts_of(info, [row.contract_id for row in rows])

    starts_at: datetime = strawberry.field(description="Monday 00:00 UTC.")
    ends_at: datetime = strawberry.field(description="The next Monday 00:00 UTC, exclusive; shown as Sunday 23:59.")

    @level(
        description="Until when its hours can be disputed, exclusive: Saturday 00:00 UTC, shown as Friday 23:59 (C25)."
    )
    @staticmethod
    def dispute_until(rows: list[WeekRow], info: LevelInfo) -> list[datetime]:
        policy = info.context.app.policy
        return [CUT_OFF.end(from_micros(row.ends_at), policy) for row in rows]

    hours: Decimal = strawberry.field(description="The hours worked.")
    rate: Money = leaf(lambda row: money(row.rate_minor, row.currency), description="The price of an hour.")
    amount: Money = leaf(
        lambda row: money(row.amount_minor, row.currency),
        description="Hours times rate, rounded half to even to the currency's decimals (D18).",
    )

    @level(description="Its invoice, once there is one.")
    @staticmethod
    async def invoice(rows: list[WeekRow], info: LevelInfo) -> Level[LazyInvoice | None]:
        return await invoices_of(info, [row.invoice_id for row in rows])

    @level(personal=True, description="Whether you can dispute its hours now, with the reasons when not (C25, C28).")
    @staticmethod
    async def dispute_action(rows: list[WeekRow], info: LevelInfo) -> Level[ActionAvailability]:
        payments = [row.payment_id for row in rows]
        return await subject_actions(info, RefundActionName.OPEN_TIMESHEET_DISPUTE, payments, RefundCaseKind.TIMESHEET)

    @level(description="The latest case about this week's money, if there was one.")
    @staticmethod
    async def refund_case(rows: list[WeekRow], info: LevelInfo) -> Level[LazyRefundCase | None]:
        return await cases_of(info, [row.refund_case_id for row in rows])
