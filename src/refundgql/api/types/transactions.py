"""The lines of an account's history (C20)."""

from datetime import datetime
from typing import Annotated

import strawberry

from refundgql.api.context import LevelInfo
from refundgql.api.languages import said
from refundgql.api.types.lazy import LazyRefundCase, LazyWithdrawal
from refundgql.api.types.money import Money, money
from refundgql.api.types.nodes import Node
from refundgql.api.types.relations import cases_of, withdrawals_of
from refundgql.api.types.wording import Wording, WordingRow, wording
from refundgql.domain.kept_texts import read_posted
from refundgql.domain.vocabulary import BalancePurpose, TransactionStatus
from refundgql.gql.declare import Level, leaf, level
from refundgql.queries.transactions import TransactionRow, reversed_transactions


def _described(row: TransactionRow) -> str:
    found = read_posted(row.description)
    return row.description if found is None else said(found)


def _worded(row: TransactionRow) -> WordingRow | None:
    found = read_posted(row.description)
    return None if found is None else wording(found)


@strawberry.type(
    description="One line of an account's history: a posting, or a request that is not credited yet (C20)."
)
class Transaction(Node):
    at: datetime = strawberry.field(
        description="When what it books happened: what is told later happened earlier. Of a request, when it was made."
    )
    booked_at: datetime = strawberry.field(
        description="When it was booked, which is the order of the history and never goes back; of a request, when it "
        "was made."
    )
    status: TransactionStatus = strawberry.field(description="Whether the money has moved.")
    purpose: BalancePurpose = strawberry.field(description="The balance it belongs to.")
    amount: Money = leaf(
        lambda row: money(row.amount_minor, row.currency),
        description="Positive when money came to the balance, negative when it left.",
    )
    balance_after: Money | None = leaf(
        lambda row: money(row.balance_after_minor, row.currency),
        description="The balance right after it; none for what is not posted.",
    )
    description: str = leaf(_described, description="What it was, in a few words.")
    wording: Wording | None = leaf(
        _worded,
        description="The code and the parameters of `description`; none for what an earlier release described.",
    )

    @level(description="The case it came from, if it came from one.")
    @staticmethod
    async def refund_case(rows: list[TransactionRow], info: LevelInfo) -> Level[LazyRefundCase | None]:
        return await cases_of(info, [row.refund_case_id for row in rows])

    @level(description="The withdrawal it belongs to, if any (D10).")
    @staticmethod
    async def withdrawal(rows: list[TransactionRow], info: LevelInfo) -> Level[LazyWithdrawal | None]:
        return await withdrawals_of(info, [row.withdrawal_id for row in rows])

    @level(description="The transaction that it undoes, if any (D16).")
    @staticmethod
    async def reverses(
        rows: list[TransactionRow], info: LevelInfo
    ) -> Level[Annotated["Transaction", strawberry.lazy("refundgql.api.types.transactions")] | None]:
        return await reversed_transactions(info.context.app.database, info.context.signed_in(), rows, info.selection)
