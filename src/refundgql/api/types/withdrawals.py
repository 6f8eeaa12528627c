"""Withdrawals of contract money to a payment method (D10)."""

from datetime import date, datetime
from typing import Annotated, Any

import strawberry

from refundgql.api.acts.inputs import KEY, Input, required
from refundgql.api.acts.payloads import WithdrawalPayload, act
from refundgql.api.context import LevelInfo
from refundgql.api.faults import told
from refundgql.api.languages import said
from refundgql.api.types.connections import Connection, Followed, paged
from refundgql.api.types.lazy import LazyAccount, LazyRefundCase
from refundgql.api.types.money import Money, MoneyInput, money
from refundgql.api.types.nodes import Node
from refundgql.api.types.relations import accounts_of, cases_of
from refundgql.api.types.wording import Wording, wording
from refundgql.commands import withdrawals as commands
from refundgql.domain.kept_texts import CANCELLED_BY_OWNER
from refundgql.domain.sentences import Sentence, sentence
from refundgql.domain.vocabulary import BalancePurpose, Role, WithdrawalStatus
from refundgql.gql.declare import Level, leaf, level
from refundgql.gql.errors import ErrorCode
from refundgql.queries.pages import Page
from refundgql.queries.withdrawals import WithdrawalRow, list_withdrawals


def _own_words(row: WithdrawalRow) -> Sentence | None:
    """Return why it failed where the desk says so itself."""
    return CANCELLED_BY_OWNER.of() if row.failure_reason is not None and row.cancelled_at is not None else None


@strawberry.type(description="Contract money on its way from a balance to a payment method (D10).")
class Withdrawal(Node):
    external_ref: str | None = strawberry.field(
        description="The marketplace's own reference of a withdrawal that it made; none for one asked for here."
    )

    @level(description="Whose money it is: the payee.")
    @staticmethod
    async def account(rows: list[WithdrawalRow], info: LevelInfo) -> Level[LazyAccount]:
        return await accounts_of(info, [row.account_id for row in rows])

    purpose: BalancePurpose = leaf(
        lambda _: BalancePurpose.CONTRACTS, description="Which money it takes out: lead credit stays (L17)."
    )

    @level(description="The case whose credit it sends on; none when it was asked for by hand.")
    @staticmethod
    async def refund_case(rows: list[WithdrawalRow], info: LevelInfo) -> Level[LazyRefundCase | None]:
        return await cases_of(info, [row.refund_case_id for row in rows])

    status: WithdrawalStatus = strawberry.field(description="How far it has come.")
    amount: Money = leaf(lambda row: money(row.amount_minor, row.currency), description="How much was taken out.")
    requested_at: datetime = strawberry.field(description="When it was requested.")
    estimated_from: date = strawberry.field(description="The first business day on which it may arrive.")
    estimated_until: date = strawberry.field(description="The last business day on which it should arrive.")
    failure_reason: str | None = leaf(
        lambda row: row.failure_reason if (own := _own_words(row)) is None else said(own),
        description="Why it failed, for its owner; none unless it failed.",
    )
    wording: Wording | None = leaf(
        lambda row: None if (own := _own_words(row)) is None else wording(own),
        description="The code and the parameters of `failureReason` where the desk says it; none for the marketplace's "
        "own words.",
    )
    cancelled_at: datetime | None = strawberry.field(
        description="When its owner cancelled it before it was sent; its money went back to the balance."
    )


@strawberry.type(description="One page of a list of withdrawals.")
class WithdrawalConnection(Followed, Connection[Withdrawal]):
    pass


@strawberry.type
class WithdrawalQueries:
    @paged(description="All withdrawals, newest first; for the marketplace (SERVICE) and ADMIN.")
    @staticmethod
    async def withdrawals(
        rows: list[Any],
        info: LevelInfo,
        page: Page,
        statuses: Annotated[
            list[WithdrawalStatus] | None,
            strawberry.argument(description="Only withdrawals of these states; all when left out."),
        ] = None,
    ) -> Level[WithdrawalConnection]:
        viewer = info.context.signed_in()
        if not viewer.roles & {Role.SERVICE, Role.ADMIN}:
            raise told(
                sentence("FOR_MARKETPLACE_AND_ADMINS", "This is for the marketplace and administrators."),
                ErrorCode.FORBIDDEN,
            )
        return [await list_withdrawals(info.context.app.database, viewer, statuses, page, info.selection)]


@strawberry.input(description="What to take out.")
class RequestWithdrawalInput(Input):
    amount: MoneyInput = required("How much; at most what is available for contracts.")
    idempotency_key: str = required(KEY)


@strawberry.input(description="What to cancel.")
class CancelWithdrawalInput(Input):
    withdrawal_id: strawberry.ID = required("The withdrawal; it is not sent yet.")
    idempotency_key: str = required(KEY)


@strawberry.type
class WithdrawalMutations:
    request_withdrawal = act(
        commands.request_withdrawal,
        RequestWithdrawalInput,
        WithdrawalPayload,
        argument="What to take out.",
        description="Take contract money out to the payment method (D10); lead credit stays (L17).",
    )
    cancel_withdrawal = act(
        commands.cancel_withdrawal,
        CancelWithdrawalInput,
        WithdrawalPayload,
        argument="What to cancel.",
        description="Cancel a withdrawal of yours before it was sent: its money goes back to your balance (D10).",
    )
