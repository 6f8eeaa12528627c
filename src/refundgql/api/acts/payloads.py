"""What mutations answer: the object as the viewer sees it now, the act's event, and refusals as data."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

import strawberry

from refundgql.api.acts.inputs import Input, command
from refundgql.api.context import LevelInfo
from refundgql.api.types.lazy import (
    LazyAccount,
    LazyCaseMessage,
    LazyRefundCase,
    LazyRefundEvent,
    LazyReview,
    LazyWithdrawal,
)
from refundgql.api.types.refusals import Refusal, RefusalRow, refusal_rows
from refundgql.api.types.relations import accounts_of, cases_as_saved, events_of, related, withdrawals_of
from refundgql.domain.refusals import Refused
from refundgql.domain.viewers import Viewer
from refundgql.gql.declare import Level, level
from refundgql.queries.case_messages import case_messages_by_id
from refundgql.queries.events import event_as_saved
from refundgql.queries.reviews import reviews_by_id

REPLAYED = "Whether the idempotency key had done this before, so that nothing was done again."
REFUSALS = "Why it was refused: every reason of the first group that refuses; empty when it was done."


@dataclass(slots=True)
class PayloadRow:
    """What a command gave, or why it was refused."""

    result: Any
    replayed: bool
    refusals: list[RefusalRow]

    def id(self, name: str) -> str | None:
        """Return an id of the result, or nothing when the act was refused."""
        found: str | None = None if self.result is None else getattr(self.result, name)
        return found

    def saved(self, name: str) -> Any:
        """Return a part of the result as it was saved, or nothing when it has to be read."""
        return getattr(self.result, name, None)


async def run_command(info: LevelInfo, act: Callable[[Viewer], Awaitable[Any]]) -> list[PayloadRow]:
    """Run a command for whoever is signed in and return its payload, refusals included, as a level of one row."""
    viewer = info.context.signed_in()
    try:
        result = await act(viewer)
    except Refused as refused:
        watch = info.context.app.uow.watch
        if watch is not None:
            watch.act_refused(refused.refusals)
        return [PayloadRow(None, False, refusal_rows(refused.refusals))]
    finally:
        info.context.forget_facts()
    return [PayloadRow(result, getattr(result, "replayed", False), [])]


def act(
    run: Callable[..., Awaitable[Any]], given: type[Input], payload: type, *, argument: str, description: str
) -> Any:
    """Declare the mutation of a command, `run(uow, viewer, given)`, from its GraphQL input and what it answers."""
    typed = run.__globals__[inspect.signature(run).parameters["given"].annotation]

    async def mutation(rows: list[Any], info: LevelInfo, input: Input) -> Any:
        wanted = command(typed, input)
        return await run_command(info, lambda viewer: run(info.context.app.uow, viewer, wanted))

    signature = inspect.signature(mutation)
    rows, info, shown = signature.parameters.values()
    described = shown.replace(annotation=Annotated[given, strawberry.argument(description=argument)])
    mutation.__signature__ = signature.replace(  # type: ignore[attr-defined]  # functions carry one
        parameters=[rows, info, described],
        return_annotation=Level[payload],  # type: ignore[valid-type]  # a class
    )
    mutation.__name__ = mutation.__qualname__ = run.__name__
    return level(description=description)(mutation)


async def _cases(info: LevelInfo, rows: list[PayloadRow]) -> list[Any]:
    """Return the cases acted on; those that nobody but the act has written are told without being read again."""
    return await cases_as_saved(info, [(row.id("case_id"), row.saved("case")) for row in rows])


async def _events(info: LevelInfo, rows: list[PayloadRow]) -> list[Any]:
    """Return the acts' own events, the same way; an event never changes."""
    viewer, told = info.context.signed_in(), list[Any]()
    for row in rows:
        event, event_id = row.saved("event"), row.id("event_id")
        told.append(None if event is None or event_id is None else event_as_saved(viewer, event_id, event))
    left = [row.id("event_id") if one is None else None for row, one in zip(rows, told, strict=True)]
    if any(left):
        read = await events_of(info, left)
        return [one or other for one, other in zip(told, read, strict=True)]
    return told


@strawberry.type(description="The answer to an act on a case.")
class RefundCasePayload:
    @level(description="The case as you see it now; none when the act was refused.")
    @staticmethod
    async def refund_case(rows: list[PayloadRow], info: LevelInfo) -> Level[LazyRefundCase | None]:
        return await _cases(info, rows)

    @level(description="The event that this act wrote; what follows by itself, such as CREDIT, has events of its own.")
    @staticmethod
    async def event(rows: list[PayloadRow], info: LevelInfo) -> Level[LazyRefundEvent | None]:
        return await _events(info, rows)

    replayed: bool = strawberry.field(description=REPLAYED)
    refusals: list[Refusal] = strawberry.field(description=REFUSALS)


@strawberry.type(description="The answer to an act on a review.")
class ReviewPayload:
    @level(description="The review as it is now; none when the act was refused.")
    @staticmethod
    async def review(rows: list[PayloadRow], info: LevelInfo) -> Level[LazyReview | None]:
        return await related(reviews_by_id, info, [row.id("review_id") for row in rows])

    replayed: bool = strawberry.field(description=REPLAYED)
    refusals: list[Refusal] = strawberry.field(description=REFUSALS)


@strawberry.type(description="The answer to a request to withdraw.")
class WithdrawalPayload:
    @level(description="The withdrawal as it is now; none when it was refused.")
    @staticmethod
    async def withdrawal(rows: list[PayloadRow], info: LevelInfo) -> Level[LazyWithdrawal | None]:
        return await withdrawals_of(info, [row.id("withdrawal_id") for row in rows])

    replayed: bool = strawberry.field(description=REPLAYED)
    refusals: list[Refusal] = strawberry.field(description=REFUSALS)


@strawberry.type(description="The answer to erasing an account.")
class EraseAccountPayload:
    @level(description="The account as it is now, without anything of the person; none when it was refused.")
    @staticmethod
    async def account(rows: list[PayloadRow], info: LevelInfo) -> Level[LazyAccount | None]:
        return await accounts_of(info, [row.id("account_id") for row in rows])

    replayed: bool = strawberry.field(description=REPLAYED)
    refusals: list[Refusal] = strawberry.field(description=REFUSALS)


@strawberry.type(description="The answer to a message on a case.")
class CaseMessagePayload:
    @level(description="The message; none when it was refused.")
    @staticmethod
    async def message(rows: list[PayloadRow], info: LevelInfo) -> Level[LazyCaseMessage | None]:
        return await related(case_messages_by_id, info, [row.id("message_id") for row in rows])

    replayed: bool = strawberry.field(description=REPLAYED)
    refusals: list[Refusal] = strawberry.field(description=REFUSALS)
