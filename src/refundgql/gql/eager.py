"""Run a coroutine as far as it goes without waiting, and make a task only of what is left.

It must not be used for work that needs a task of its own from the start, such as a timeout.
"""

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


def start(coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Run the coroutine until it first waits; return a task that finishes it, or nothing when it is done.

    Handing a message to a socket almost never waits, and a task for each of thousands of subscribers would cost
    more than the message.
    """
    try:
        awaited = coroutine.send(None)
    except StopIteration:
        return None
    return asyncio.ensure_future(_rest(coroutine, awaited))


@types.coroutine
def resume(coroutine: Coroutine[Any, Any, T], awaited: Any) -> Generator[Any, Any, T]:
    """Finish a coroutine that was begun by hand and waits for something."""
    # What the coroutine waits for is handed on untouched, so the task waits for it in the coroutine's place.
    while True:
        thrown: BaseException | None = None
        value = None
        try:
            value = yield awaited
        except BaseException as error:
            thrown = error
        try:
            awaited = coroutine.send(value) if thrown is None else coroutine.throw(thrown)
        except StopIteration as finished:
            result: T = finished.value
            return result


async def _rest(coroutine: Coroutine[Any, Any, None], awaited: Any) -> None:
    await resume(coroutine, awaited)
