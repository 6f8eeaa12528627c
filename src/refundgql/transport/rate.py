"""Count each account's requests and refuse those beyond the rate.

It must not know who may do what; a refusal here says only when to come back.
"""

import math
import time
from collections.abc import Callable
from typing import Final

from refundgql.transport.answers import RequestRefused
from refundgql.transport.authentication import Caller

_WINDOW_SECONDS: Final = 60
# Keys of past windows are forgotten when so many are known: at the very most this many accounts are kept.
_MAX_KEYS: Final = 50_000


class _Window:
    """What one key asked for in the minute that runs, and in the one before."""

    __slots__ = ("before", "count", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.count = 0
        self.before = 0


class RequestRate:
    """At most so many requests a minute for an account, over HTTP and sockets together; nobody's count by address.

    The window slides: the minute before counts by the part of it that still lies within sixty seconds, so nobody gets
    two minutes' worth around the full minute. Counted in each process by itself, which is what needs protection.
    A few lines instead of a library because they stand in the way of every request: the libraries' stores in memory
    cost ten times as much and keep a thread running.
    """

    def __init__(self, per_minute: int | None, now: Callable[[], float] = time.time) -> None:
        self.per_minute = per_minute
        self._now = now
        self._windows: dict[str, _Window] = {}

    def count(self, caller: Caller, address: str) -> None:
        """Count one request. Refuses: 429 with Retry-After once the minute's requests are used up."""
        if self.per_minute is None:
            return
        now = self._now()
        number = int(now // _WINDOW_SECONDS)
        window = self._window(caller.viewer.account_id if caller.viewer else f"address {address}", number)
        elapsed = now - number * _WINDOW_SECONDS
        weighed = window.before * (1 - elapsed / _WINDOW_SECONDS) + window.count
        if weighed + 1 <= self.per_minute:
            window.count += 1
            return
        wait = self._seconds_until_free(window, elapsed)
        message = f"More than {self.per_minute} requests in a minute; try again in {wait} s."
        raise RequestRefused(429, "RATE_LIMITED", message, [(b"retry-after", str(wait).encode())])

    def _window(self, key: str, number: int) -> _Window:
        window = self._windows.get(key)
        if window is None:
            if len(self._windows) >= _MAX_KEYS:
                self._forget(number)
            window = self._windows[key] = _Window(number)
        elif window.number != number:
            window.before = window.count if window.number == number - 1 else 0
            window.count = 0
            window.number = number
        return window

    def _forget(self, number: int) -> None:
        self._windows = {key: w for key, w in self._windows.items() if w.number >= number - 1}
        if len(self._windows) >= _MAX_KEYS:
            # More callers in two minutes than are kept: the counts begin anew rather than grow.
            self._windows.clear()

    def _seconds_until_free(self, window: _Window, elapsed: float) -> int:
        room = (self.per_minute or 0) - 1
        if window.count <= room and window.before:
            # The minute before has to slide out far enough.
            free_at = _WINDOW_SECONDS * (1 - (room - window.count) / window.before)
        else:
            # This minute has to end, and then slide out far enough itself.
            free_at = _WINDOW_SECONDS * (2 - room / max(1, window.count))
        return max(1, math.ceil(free_at - elapsed))
