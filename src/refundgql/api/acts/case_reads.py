"""What people have read of cases."""

from typing import Annotated, Any

import strawberry

from refundgql.api.acts.inputs import KEY, Input, command, optional, required
from refundgql.api.acts.payloads import RefundCasePayload, run_command
from refundgql.api.context import LevelInfo
from refundgql.commands import case_reads as commands
from refundgql.gql.declare import Level, level


@strawberry.input(description="What you have read of a case.")
class MarkCaseReadInput(Input):
    refund_case_id: strawberry.ID = required("The case.")
    up_to_version: int | None = optional(
        "The version that you have seen, so that what came meanwhile stays unread; the present one when left out."
    )
    idempotency_key: str | None = optional(KEY)


@strawberry.type
class CaseReadMutations:
    @level(description="Mark a case as read, for yourself alone: no event is written, and what was read stays read.")
    @staticmethod
    async def mark_case_read(
        rows: list[Any],
        info: LevelInfo,
        input: Annotated[MarkCaseReadInput, strawberry.argument(description="The case, and how far.")],
    ) -> Level[RefundCasePayload]:
        given = command(commands.MarkCaseRead, input, refund_case_id="RefundCase")
        return await run_command(info, lambda viewer: commands.mark_case_read(info.context.app.uow, viewer, given))
