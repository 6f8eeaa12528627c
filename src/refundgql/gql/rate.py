"""Count each account's requests and refuse those beyond the rate."""

import math
import time
from typing import Final

from refundgql.gql.answers import RequestRefused
from refundgql.gql.callers import Caller
from refundgql.gql.errors import ErrorCode

_WINDOW_SECONDS: Final = 60
# Of a minute; all are forgotten, rather than to keep more of whoever invents addresses.
_MAX_KEYS: Final = 50_000


class RequestRate:
    """At most so many requests a minute for an account, over HTTP and sockets together; nobody's count by address.

    A sliding window of two counters: the minute before counts by the part of it that still lies within sixty seconds,
    so nobody gets two minutes' worth around the full minute. Counted in each process by itself, which is what needs
    protection.
    """

    def __init__(self, per_minute: int | None) -> None:
        self.per_minute = per_minute
        self._window = 0.0
        self._before: dict[str, int] = {}
        self._counts: dict[str, int] = {}

    def count(self, caller: Caller, address: str) -> None:
        """Count one request. Refuses: 429 with Retry-After once the minute's requests are used up."""
        if self.per_minute is None:
            return
        window, elapsed = divmod(time.monotonic(), _WINDOW_SECONDS)
        if window != self._window:
            self._before = self._counts if window == self._window + 1 else {}
            self._counts, self._window = {}, window
        key = caller.key(address)
        before, count = self._before.get(key, 0), self._counts.get(key, 0)
        if before * (1 - elapsed / _WINDOW_SECONDS) + count < self.per_minute:
            if count == 0 and len(self._counts) >= _MAX_KEYS:
                self._counts.clear()
            self._counts[key] = count + 1
            return
        wait = _seconds_until_free(self.per_minute, before, count, elapsed)
        message = f"More than {self.per_minute} requests in a minute; try again in {wait} s."
        raise RequestRefused(429, ErrorCode.RATE_LIMITED, message, [(b"retry-after", str(wait).encode())])


def _seconds_until_free(per_minute: int, before: int, count: int, elapsed: float) -> int:
    """Return when the next request will be let in, when as many came before and in this minute so far."""
    if count < per_minute:
        # The minute before has to slide out far enough.
        free_at = _WINDOW_SECONDS * (1 - (per_minute - count) / before)
    else:
        # This minute has to end, and then slide out far enough itself.
        free_at = _WINDOW_SECONDS * (2 - per_minute / count)
    # The count has to fall below the rate, so the very instant at which it reaches it is a moment too early.
    return max(1, math.ceil(free_at - elapsed + 0.001))
