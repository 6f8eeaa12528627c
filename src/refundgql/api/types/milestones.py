"""Milestones and the money that waits in escrow for them."""

import strawberry

from refundgql.api.context import LevelInfo
from refundgql.api.types.availability import subject_actions
from refundgql.api.types.lazy import LazyContract, LazyRefundCase
from refundgql.api.types.money import Money, money
from refundgql.api.types.nodes import Node
from refundgql.api.types.refusals import ActionAvailability
from refundgql.api.types.relations import contracts_of
from refundgql.domain.vocabulary import MilestoneStatus, RefundActionName
from refundgql.gql.declare import Level, leaf, level
from refundgql.queries.milestones import MilestoneRow
from refundgql.queries.refund_cases import cases_of_payments


@strawberry.type(description="A step of a fixed-price contract. Seen by the contract's parties and staff.")
class Milestone(Node):
    external_ref: str = strawberry.field(description="The marketplace's own reference.")
    title: str = strawberry.field(description="What is to be delivered.")
    amount: Money = leaf(lambda row: money(row.amount_minor, row.currency), description="What it costs.")
    held: Money = leaf(
        lambda row: money(row.held_minor, row.currency),
        description="What waits in escrow now; the rest of a part refund stays there (D11).",
    )
    status: MilestoneStatus = strawberry.field(description="Where its money is.")

    @level(description="The contract it belongs to.")
    @staticmethod
    async def contract(rows: list[MilestoneRow], info: LevelInfo) -> Level[LazyContract]:
        return await contracts_of(info, [row.contract_id for row in rows])

    @level(
        personal=True,
        description="Whether you can ask for the money now (the expert: issue it), with the reasons when not (C30).",
    )
    @staticmethod
    async def refund_action(rows: list[MilestoneRow], info: LevelInfo) -> Level[ActionAvailability]:
        payments = [row.payment_id for row in rows]
        return await subject_actions(info, RefundActionName.REQUEST, payments, None)

    @level(description="Every case about this payment, newest first; the latest 100.")
    @staticmethod
    async def refund_cases(rows: list[MilestoneRow], info: LevelInfo) -> Level[list[LazyRefundCase]]:
        viewer, payments = info.context.signed_in(), [row.payment_id for row in rows]
        return await cases_of_payments(info.context.app.database, viewer, payments, info.selection)
