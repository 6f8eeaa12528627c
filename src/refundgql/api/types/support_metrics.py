"""The figures of the desk, as staff see them."""

import strawberry

from refundgql.api.context import LevelInfo
from refundgql.api.types.lazy import LazyAccount
from refundgql.api.types.money import Money
from refundgql.api.types.relations import accounts_of
from refundgql.domain.vocabulary import RefundCaseKind, RefundCaseState, RefundReason
from refundgql.gql.declare import Level, level
from refundgql.gql.rows import row
from refundgql.queries.support import DeciderRow, MetricsRow

_DECIDED = "Decisions made in the span: approvals and declines, each when it was made, whatever followed."
_APPROVED_SHARE = "Approvals among them, from 0 to 1; none when nothing was decided."
_TARGET_MET_SHARE = (
    "Of the decisions of staff on cases with a target (L14), those made by the target that stood then, from 0 to 1."
)


@strawberry.type(description="How many cases are in a state.")
class StateCount:
    state: RefundCaseState = strawberry.field(description="The state.")
    count: int = strawberry.field(description="How many.")


@strawberry.type(description="How many cases were opened for a reason, and how they went.")
class ReasonCount:
    reason: RefundReason = strawberry.field(description="The reason.")
    count: int = strawberry.field(description="How many.")
    approved: int = strawberry.field(
        description="How many of them stood approved or credited at the end of the span, or now if it is not over."
    )


@strawberry.type(description="The figures of one kind of case.")
class KindMetrics:
    kind: RefundCaseKind = strawberry.field(description="The kind.")
    opened: int = strawberry.field(description="Cases opened in the span.")
    decided: int = strawberry.field(description=_DECIDED)
    approved_share: float | None = strawberry.field(description=_APPROVED_SHARE)
    decision_target_met_share: float | None = strawberry.field(description=_TARGET_MET_SHARE)


@strawberry.type(description="The figures of one member of staff.")
class DeciderMetrics:
    @level(description="Who decided.")
    @staticmethod
    async def decider(rows: list[DeciderRow], info: LevelInfo) -> Level[LazyAccount]:
        return await accounts_of(info, [row.decider_id for row in rows])

    decided: int = strawberry.field(description=_DECIDED)
    approved_share: float | None = strawberry.field(description=_APPROVED_SHARE)
    decision_target_met_share: float | None = strawberry.field(description=_TARGET_MET_SHARE)


@row(MetricsRow)
@strawberry.type(
    description="Figures of the desk for a span of time. Once the span is over nothing changes them but `overdueNow`."
)
class SupportMetrics:
    opened: int = strawberry.field(description="Cases opened in the span.")
    decided: int = strawberry.field(description=_DECIDED)
    approved_share: float | None = strawberry.field(description=_APPROVED_SHARE)
    decision_target_met_share: float | None = strawberry.field(description=_TARGET_MET_SHARE)
    median_hours_to_decision: float | None = strawberry.field(
        description="Median hours to these decisions, from when a case came to whoever decided: opened, or brought to "
        "support."
    )
    p90_hours_to_decision: float | None = strawberry.field(description="Hours within which nine of ten were decided.")
    overdue_now: int = strawberry.field(description="Cases whose decision is late at this moment, whenever opened.")
    credited: list[Money] = strawberry.field(
        description="Money credited in the span, one amount for each currency in alphabetical order; what was reversed "
        "later is in it."
    )
    reversed: list[Money] = strawberry.field(
        description="Credits reversed in the span (D16), whenever credited, one amount for each currency."
    )
    by_state: list[StateCount] = strawberry.field(
        description="Cases opened in the span by their state at its end, or now if it is not over."
    )
    by_reason: list[ReasonCount] = strawberry.field(description="Cases opened in the span by reason.")
    by_kind: list[KindMetrics] = strawberry.field(description="The figures by kind; kinds without a case are left out.")
    by_decider: list[DeciderMetrics] = strawberry.field(
        description="The figures of the members of staff who decided, whoever decided most first; at most 100."
    )
