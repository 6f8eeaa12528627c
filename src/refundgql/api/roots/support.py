"""The desk of support: the queue, its figures, and who takes care of what.

It must not be open to anybody but staff: others are answered FORBIDDEN.
"""

from datetime import datetime
from typing import Annotated, Any

import strawberry

from refundgql.api.acts.inputs import KEY, Input, command, optional, required
from refundgql.api.acts.payloads import RefundCasePayload, run_command
from refundgql.api.types.case_filters import CaseFilterArgument, CaseOrderArgument, case_filter
from refundgql.api.types.connections import After, Before, First, Last, asked_page, page_below
from refundgql.api.types.money import Money
from refundgql.api.types.refund_cases import RefundCaseConnection
from refundgql.commands import assignments as commands
from refundgql.domain.vocabulary import RefundCaseState, RefundReason
from refundgql.gql.declare import Level, LevelInfo, level
from refundgql.gql.errors import ApiError, ErrorCode
from refundgql.queries.refund_cases import list_queue
from refundgql.queries.support import support_metrics


@strawberry.type(description="How many cases are in a state.")
class StateCount:
    state: RefundCaseState = strawberry.field(description="The state.")
    count: int = strawberry.field(description="How many.")


@strawberry.type(description="How many cases were opened for a reason, and how they went.")
class ReasonCount:
    reason: RefundReason = strawberry.field(description="The reason.")
    count: int = strawberry.field(description="How many.")
    approved: int = strawberry.field(description="How many of them are approved or credited.")


@strawberry.type(description="Figures of the desk for cases opened in a span of time, unless said otherwise.")
class SupportMetrics:
    opened: int = strawberry.field(description="Cases opened in the span.")
    decided: int = strawberry.field(description="Cases approved or declined in the span.")
    approved_share: float | None = strawberry.field(
        description="Approved among those decided, from 0 to 1; none when nothing was decided."
    )
    decision_target_met_share: float | None = strawberry.field(
        description="Among leads' cases decided in the span, those decided within the target of L14, from 0 to 1."
    )
    median_hours_to_decision: float | None = strawberry.field(
        description="Median hours from opening to decision among those decided."
    )
    p90_hours_to_decision: float | None = strawberry.field(description="Hours within which nine of ten were decided.")
    overdue_now: int = strawberry.field(description="Cases whose decision is late at this moment, whenever opened.")
    credited: list[Money] = strawberry.field(
        description="Money credited in the span, one amount for each currency in alphabetical order."
    )
    by_state: list[StateCount] = strawberry.field(description="Cases opened in the span by their state now.")
    by_reason: list[ReasonCount] = strawberry.field(description="Cases opened in the span by reason.")


@strawberry.input(description="Who is to take care of a case.")
class AssignCaseInput(Input):
    refund_case_id: strawberry.ID = required("The case.")
    assignee_id: strawberry.ID | None = optional("The account of a member of staff; nobody when left out.")
    idempotency_key: str | None = optional(KEY)


@strawberry.type
class SupportQueries:
    @level(
        description="Cases that wait for support, for staff: late ones first, then the earliest deadline, then the "
        "oldest. A filter that says whose move it is looks at those cases instead."
    )
    @staticmethod
    async def support_queue(
        rows: list[Any],
        info: LevelInfo,
        filter: CaseFilterArgument = None,
        order_by: CaseOrderArgument = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Level[RefundCaseConnection]:
        viewer, page = info.context.staff(), asked_page(first, after, last, before)
        asked, events = case_filter(filter), page_below(info, "edges", "node", "events")
        return [await list_queue(info.context.app.database, viewer, asked, order_by, page, info.selection, events)]

    @level(description="Figures of the desk for a span of time, for staff.")
    @staticmethod
    async def support_metrics(
        rows: list[Any],
        info: LevelInfo,
        from_at: Annotated[datetime, strawberry.argument(name="from", description="The start of the span.")],
        until: Annotated[datetime, strawberry.argument(description="The end of the span, exclusive.")],
    ) -> Level[SupportMetrics]:
        viewer = info.context.staff()
        if until <= from_at:
            raise ApiError("until: give an instant after from.", ErrorCode.BAD_USER_INPUT)
        target_hours = info.context.app.policy.decision_target_hours
        return [await support_metrics(info.context.app.database, viewer, from_at, until, target_hours, info.selection)]


@strawberry.type
class SupportMutations:
    @level(description="Give a case to a member of staff, or take it from whoever has it; for staff.")
    @staticmethod
    async def assign_case(
        rows: list[Any],
        info: LevelInfo,
        input: Annotated[AssignCaseInput, strawberry.argument(description="Who is to take care of it.")],
    ) -> Level[RefundCasePayload]:
        given = command(commands.AssignCase, input, refund_case_id="RefundCase", assignee_id="Account")
        return await run_command(info, lambda viewer: commands.assign_case(info.context.app.uow, viewer, given))
