"""The state machines, for anybody to read."""

from typing import Annotated, Any

import strawberry

from refundgql.api.context import LevelInfo
from refundgql.domain.vocabulary import RefundCaseKind, RefundCaseState
from refundgql.domain.workflow import Workflow, workflow
from refundgql.gql.declare import Level, leaf, level
from refundgql.gql.rows import row


@strawberry.type(description="One state of a machine.")
class WorkflowState:
    state: RefundCaseState = strawberry.field(description="The state.")
    description: str = strawberry.field(description="What it means for this kind of case.")
    final: bool = strawberry.field(description="Whether nothing leads out of it.")


@strawberry.type(description="One way from state to state.")
class WorkflowTransition:
    action: str = strawberry.field(description="What happens, by the name its event has.")
    from_state: RefundCaseState | None = strawberry.field(description="The state before; none when it opens a case.")
    to_state: RefundCaseState = leaf(
        lambda row: row.to_state or row.from_state, description="The state after; the same one when nothing changes."
    )
    roles: list[str] = strawberry.field(description="Who can do it; SYSTEM means that it happens by itself.")
    guards: list[str] = strawberry.field(description="What must hold, in plain words.")
    rules: list[str] = strawberry.field(description="The numbers of the rules behind it.")


@row(Workflow)
@strawberry.type(description="The state machine of one kind of case.")
class RefundWorkflow:
    kind: RefundCaseKind = strawberry.field(description="The kind of case.")
    states: list[WorkflowState] = strawberry.field(description="Its states, in the order they are usually met.")
    transitions: list[WorkflowTransition] = strawberry.field(description="Every way from state to state.")
    mermaid: str = strawberry.field(description="The machine as a Mermaid state diagram.")


@strawberry.type
class WorkflowQueries:
    @level(description="How a kind of case moves; everybody may read it, signed in or not.")
    @staticmethod
    def refund_workflow(
        rows: list[Any],
        info: LevelInfo,
        kind: Annotated[RefundCaseKind, strawberry.argument(description="The kind of case.")],
    ) -> Level[RefundWorkflow]:
        return [workflow(kind)]
