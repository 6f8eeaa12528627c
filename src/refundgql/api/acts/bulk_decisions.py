"""Many cases decided with one request."""

from typing import Annotated, Any

import strawberry

from refundgql.api.acts.inputs import KEY, VERSION, Input, command, optional, required
from refundgql.api.acts.payloads import REFUSALS, REPLAYED, PayloadRow, RefundCasePayload, run_command
from refundgql.api.context import LevelInfo
from refundgql.api.types.money import MoneyInput
from refundgql.api.types.refusals import Refusal, refusal_rows
from refundgql.commands import bulk_decisions as commands
from refundgql.domain.refusals import Refused
from refundgql.domain.vocabulary import RefundDecision
from refundgql.gql.declare import Level, level


@strawberry.input(description="What is decided of one case among many.")
class RefundDecisionInput(Input):
    refund_case_id: strawberry.ID = required("The case.")
    decision: RefundDecision = required("Approve or decline.")
    amount: MoneyInput | None = optional("Of an approval: how much; all of what was asked when left out.")
    note: str | None = optional("Of an approval: a word for the parties, at most 4,000 characters.")
    message: str | None = optional("Of a refusal, which needs it: why, for the requester, at most 4,000 characters.")
    internal_note: str | None = optional("Of a refusal: a word for staff only.")
    expected_version: int | None = optional(VERSION)


@strawberry.input(description="Decisions about many cases.")
class DecideRefundsInput(Input):
    decisions: list[RefundDecisionInput] = required("One to 50 decisions, each about another case.")
    idempotency_key: str = required(KEY)


@strawberry.type(description="The answer to many decisions.")
class DecideRefundsPayload:
    @level(description="What became of each decision, in their order; empty when the whole was refused.")
    @staticmethod
    async def results(rows: list[PayloadRow], info: LevelInfo) -> Level[list[RefundCasePayload]]:
        return [[_row(outcome) for outcome in row.result.outcomes] if row.result is not None else [] for row in rows]

    replayed: bool = strawberry.field(description=REPLAYED)
    refusals: list[Refusal] = strawberry.field(description=REFUSALS)


def _row(outcome: Any) -> PayloadRow:
    if isinstance(outcome, Refused):
        return PayloadRow(None, False, refusal_rows(outcome.refusals))
    return PayloadRow(outcome, outcome.replayed, [])


@strawberry.type
class BulkMutations:
    @level(
        description="As support, approve and decline many cases at once: each in a transaction of its own, so that one "
        "that is refused does not stop the others. The same key again does what is left and replays the rest."
    )
    @staticmethod
    async def decide_refunds(
        rows: list[Any],
        info: LevelInfo,
        input: Annotated[DecideRefundsInput, strawberry.argument(description="The decisions.")],
    ) -> Level[DecideRefundsPayload]:
        decisions = tuple(command(commands.CaseDecision, one) for one in input.decisions)
        given = commands.DecideRefunds(decisions=decisions, idempotency_key=input.idempotency_key)
        return await run_command(info, lambda viewer: commands.decide_refunds(info.context.app.uow, viewer, given))
