"""The desk of support: the queue, its figures, and who takes care of what."""

from datetime import datetime
from typing import Annotated, Any

import strawberry

from refundgql.api.acts.inputs import KEY, VERSION, Input, optional, required
from refundgql.api.acts.payloads import RefundCasePayload, act
from refundgql.api.context import LevelInfo
from refundgql.api.faults import told
from refundgql.api.types.case_filters import CaseFilterArgument, CaseOrderArgument, case_filter
from refundgql.api.types.connections import page_below, paged
from refundgql.api.types.refund_cases import RefundCaseConnection
from refundgql.api.types.support_metrics import SupportMetrics
from refundgql.commands import assignments as commands
from refundgql.domain.sentences import sentence
from refundgql.gql.declare import Level, level
from refundgql.queries.pages import Page
from refundgql.queries.refund_cases import list_queue
from refundgql.queries.support import support_metrics


@strawberry.input(description="Who is to take care of a case.")
class AssignCaseInput(Input):
    refund_case_id: strawberry.ID = required("The case.")
    assignee_id: strawberry.ID | None = optional("The account of a member of staff; nobody when left out.")
    expected_version: int | None = optional(VERSION)
    idempotency_key: str | None = optional(KEY)


@strawberry.type
class SupportQueries:
    @paged(
        description="Cases that wait for support, for staff, and those on which a party has written to support and has "
        "no answer yet: the earliest deadline first, then the oldest. A filter that says whose move it is looks at "
        "those cases instead."
    )
    @staticmethod
    async def support_queue(
        rows: list[Any],
        info: LevelInfo,
        page: Page,
        filter: CaseFilterArgument = None,
        order_by: CaseOrderArgument = None,
    ) -> Level[RefundCaseConnection]:
        viewer = info.context.staff()
        asked, events = case_filter(filter), page_below(info, "edges", "node", "events")
        return [
            await list_queue(
                info.context.app.database,
                viewer,
                asked,
                order_by,
                page,
                info.selection,
                events,
                now=info.context.now,
            )
        ]

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
            raise told(sentence("UNTIL_BEFORE_FROM", "give an instant after from."), argument="until")
        database, now = info.context.app.database, info.context.now
        return [await support_metrics(database, viewer, from_at, until, info.selection, now=now)]


@strawberry.type
class SupportMutations:
    assign_case = act(
        commands.assign_case,
        AssignCaseInput,
        RefundCasePayload,
        argument="Who is to take care of it.",
        description="Give a case to a member of staff, or take it from whoever has it; for staff.",
    )
