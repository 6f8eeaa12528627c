"""What people have read of cases."""

import strawberry

from refundgql.api.acts.inputs import KEY, Input, optional, required
from refundgql.api.acts.payloads import RefundCasePayload, act
from refundgql.commands import case_reads as commands


@strawberry.input(description="What you have read of a case.")
class MarkCaseReadInput(Input):
    refund_case_id: strawberry.ID = required("The case.")
    up_to_version: int | None = optional(
        "The version that you have seen, so that what came meanwhile stays unread; the present one when left out."
    )
    idempotency_key: str | None = optional(KEY)


@strawberry.type
class CaseReadMutations:
    mark_case_read = act(
        commands.mark_case_read,
        MarkCaseReadInput,
        RefundCasePayload,
        argument="The case, and how far.",
        description="Mark a case as read, for yourself alone: no event is written, and what was read stays read.",
    )
