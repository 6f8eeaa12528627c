"""Run what several subscribers follow in the same way once, and hand each result to all of them.

It must not decide who may see what: only streams of one viewer, with the same document and variables, are shared.

A subscriber begins with a stream of its own, which brings it its present state and what it has missed. When the shared
stream has not gone further than that, the subscriber joins it and its own stream is closed. From then on an event is
read and encoded once for all, and no task is woken for any of them. A subscriber that is alone is left alone.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from typing import Any, Final

import orjson
from graphql import FieldNode, OperationDefinitionNode, VariableNode

from refundgql.domain.viewers import Viewer
from refundgql.gql.outbox import ReaderGone
from refundgql.gql.pushing import OperationRefused, Sink

Result = dict[str, Any]
Open = Callable[[], Awaitable[AsyncIterator[Result]]]
"""Begin a stream of results; refuses as `Operations.subscribe` does."""
Position = tuple[int, ...]

# Others take turns after so many deliveries of one event.
_DELIVERIES_A_TURN: Final = 500


def position_of(cursor: str | None) -> Position | None:
    """Return a cursor as something that can be compared, or nothing when it is not of that kind."""
    try:
        return tuple(int(part) for part in cursor.split(".")) if cursor else None
    except ValueError:
        return None


def shareable_variables(operation: OperationDefinitionNode, variables: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the variables that all who share a subscription have in common: all but the one it resumes by.

    Nothing when it cannot be shared: it resumes at a place written into the document, or its field is in a fragment.
    """
    selections = operation.selection_set.selections
    if len(selections) != 1 or not isinstance(selections[0], FieldNode):
        return None
    for argument in selections[0].arguments or ():
        if argument.name.value == "after":
            if not isinstance(argument.value, VariableNode):
                return None
            resuming = argument.value.name.value
            return {name: value for name, value in (variables or {}).items() if name != resuming}
    return variables or {}


class SharedStreams:
    """The streams of one process that several subscribers may follow."""

    def __init__(self, masked: Callable[[BaseException], dict[str, Any]]) -> None:
        self._masked = masked
        self._groups: dict[Hashable, _Group] = {}

    def __len__(self) -> int:
        return len(self._groups)

    def follow(
        self,
        prepared: Hashable,
        variables: dict[str, Any],
        viewer: Viewer | None,
        own: AsyncIterator[Result],
        reopen: Open,
    ) -> "Follower":
        """Return a stream for one more subscriber; `reopen` begins the same stream at the present, for all.

        `variables` are those without the one that says where to resume.
        """
        account = None if viewer is None else (viewer.account_id, viewer.roles)
        key = (prepared, orjson.dumps(variables, option=orjson.OPT_SORT_KEYS), account)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(reopen, lambda: self._groups.pop(key, None), self._masked)
        return Follower(group, own)


class _Group:
    """Everybody who follows the same: those who share the stream, and those who are still on their own."""

    def __init__(
        self, reopen: Open, forget: Callable[[], object], masked: Callable[[BaseException], dict[str, Any]]
    ) -> None:
        self._reopen = reopen
        self._forget = forget
        self.masked = masked
        self._present = 0
        self._shared: dict[Follower, Position] = {}
        self._task: asyncio.Task[None] | None = None
        self.position: Position | None = None
        """How far the shared stream has come: everything up to here was handed over, or was there before it began."""

    def enter(self) -> None:
        """Count a subscriber in; with the second one the shared stream begins."""
        self._present += 1
        if self._present == 2 and self._task is None:
            self._task = asyncio.create_task(self._run())

    def leave(self, follower: "Follower") -> None:
        """Count a subscriber out; with the last one the shared stream ends."""
        self._present -= 1
        self._shared.pop(follower, None)
        if self._present == 0:
            self._forget()
            if self._task is not None:
                self._task.cancel()

    def join(self, follower: "Follower", after: Position) -> bool:
        """Take a subscriber in that has everything up to a position, unless the shared stream is further already."""
        if self.position is None or self.position > after:
            return False
        self._shared[follower] = after
        return True

    async def _run(self) -> None:
        stream: AsyncIterator[Result] | None = None
        errors: list[dict[str, Any]] | None = None
        try:
            stream = await self._reopen()
            async for result in stream:
                if "data" not in result:
                    errors = result.get("errors", [])
                    break
                await self._hand_over(result)
        except OperationRefused:
            # It does not begin without a place to resume at: everybody goes on alone.
            return
        except Exception as fault:
            errors = [self.masked(fault)]
        finally:
            self.position = None
            close = getattr(stream, "aclose", None)
            if close is not None:
                with contextlib.suppress(Exception):
                    await close()
        for follower in list(self._shared):
            follower.sink.finish(errors)

    async def _hand_over(self, result: Result) -> None:
        cursor = getattr(result, "cursor", None)
        position = position_of(cursor)
        if position is None:
            return
        # Moved on before anything is handed over: who joins meanwhile has this already.
        self.position = position
        if not self._shared:
            return
        text = orjson.dumps(result).decode()
        for count, (follower, after) in enumerate(list(self._shared.items()), 1):
            if position > after and follower in self._shared:
                follower.sink.deliver(text, cursor)
            if count % _DELIVERIES_A_TURN == 0:
                await asyncio.sleep(0)


class Follower:
    """One subscriber: a stream of its own at first, the shared one later."""

    def __init__(self, group: _Group, own: AsyncIterator[Result]) -> None:
        self._group = group
        self._own: AsyncIterator[Result] | None = own
        self._task: asyncio.Task[None] | None = None
        self._entered = False
        self.sink: Sink

    def attach(self, sink: Sink) -> None:
        """Begin to hand results to the sink."""
        self.sink = sink
        self._entered = True
        self._group.enter()
        self._task = asyncio.create_task(self._alone())

    async def aclose(self) -> None:
        """Hand over nothing more."""
        if self._entered:
            self._entered = False
            self._group.leave(self)
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._close_own()

    async def _alone(self) -> None:
        """Follow the own stream until the shared one can take over."""
        errors: list[dict[str, Any]] | None = None
        try:
            own = self._own
            while own is not None and (result := await anext(own, None)) is not None:
                if "data" not in result:
                    errors = result.get("errors", [])
                    break
                cursor = getattr(result, "cursor", None)
                self.sink.deliver(orjson.dumps(result).decode(), cursor)
                await self.sink.room()
                position = position_of(cursor)
                if position is not None and self._group.join(self, position):
                    await self._close_own()
                    self._task = None
                    return
        except ReaderGone:
            return
        except Exception as fault:
            errors = [self._group.masked(fault)]
        self.sink.finish(errors)

    async def _close_own(self) -> None:
        own, self._own = self._own, None
        close = getattr(own, "aclose", None)
        if close is not None:
            await close()
