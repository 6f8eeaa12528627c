"""Ends operations that take too long, with one timer for all of them.

`asyncio.timeout` makes a timer for each, which costs a fifth of what a small operation takes; all operations
have the same time here, so that the oldest is always the next to expire. It must not decide what is answered.
"""

import asyncio
from types import TracebackType


class Deadline:
    """A limit on how long a block may take; `with deadline.watch():` raises TimeoutError when it is over."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._open: dict[Watch, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def watch(self) -> "Watch":
        """Give a block to be entered in the task that does the work."""
        return Watch(self)

    def begin(self, watch: "Watch") -> None:
        """Start the clock of a block."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # an engine outlives the loops of tests
            self._loop, self._timer = loop, None
            self._open.clear()
        watch.expires_at = loop.time() + self.seconds
        self._open[watch] = None
        if self._timer is None:
            self._timer = loop.call_at(watch.expires_at, self._expire, loop)

    def end(self, watch: "Watch") -> None:
        """Stop the clock of a block."""
        self._open.pop(watch, None)

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        for watch in list(self._open):
            if watch.expires_at > loop.time():
                self._timer = loop.call_at(watch.expires_at, self._expire, loop)
                return
            del self._open[watch]
            watch.expire()


class Watch:
    """One block; the same promises as `asyncio.timeout`: cancellation from elsewhere passes through."""

    __slots__ = ("_cancelling", "_deadline", "_expired", "_task", "expires_at")

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._expired = False
        self.expires_at = 0.0

    def expire(self) -> None:
        """Cancel the work of the block."""
        self._expired = True
        if self._task is not None:
            self._task.cancel()

    def __enter__(self) -> "Watch":
        self._task = asyncio.current_task()
        if self._task is None:
            raise RuntimeError("a deadline needs a task")
        self._cancelling = self._task.cancelling()
        self._deadline.begin(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._deadline.end(self)
        task, self._task = self._task, None
        if (
            self._expired
            and task is not None
            and task.uncancel() <= self._cancelling
            and kind is not None
            and issubclass(kind, asyncio.CancelledError)
        ):
            raise TimeoutError from error
