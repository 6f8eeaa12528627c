"""Count each account's requests and refuse those beyond the rate."""

import math
import threading
import time
from typing import Final

from limits import RateLimitItemPerMinute
from limits.strategies import SlidingWindowCounterRateLimiter

from refundgql.gql.answers import RequestRefused
from refundgql.gql.callers import Caller
from refundgql.gql.errors import ErrorCode
from refundgql.gql.ports import MemoryStorage

_WINDOW_SECONDS: Final = 60
# At the very most this many windows are kept between two tidyings: two minutes of as many callers, some 25 MB.
_MAX_KEYS: Final = 50_000
# Looking at every window costs half a microsecond each; done this rarely nobody notices.
_COUNTS_BETWEEN_TIDYINGS: Final = 10_000


class RequestRate:
    """At most so many requests a minute for an account, over HTTP and sockets together; nobody's count by address.

    The window slides: the minute before counts by the part of it that still lies within sixty seconds, so nobody gets
    two minutes' worth around the full minute. Counted in each process by itself, which is what needs protection.
    A request costs 6 µs here, one that is refused 9 µs, whether a hundred accounts call or ten thousand.
    """

    def __init__(self, per_minute: int | None) -> None:
        self.per_minute = per_minute
        self._item = RateLimitItemPerMinute(per_minute or 1)
        self._store = _QuietStore()
        self._limiter = SlidingWindowCounterRateLimiter(self._store)
        self._until_tidying = _COUNTS_BETWEEN_TIDYINGS

    def count(self, caller: Caller, address: str) -> None:
        """Count one request. Refuses: 429 with Retry-After once the minute's requests are used up."""
        if self.per_minute is None:
            return
        self._until_tidying -= 1
        if self._until_tidying <= 0:
            self._until_tidying = _COUNTS_BETWEEN_TIDYINGS
            self._store.tidy()
        key = caller.key(address)
        if self._limiter.hit(self._item, key):
            return
        wait = self._seconds_until_free(self.per_minute, key)
        message = f"More than {self.per_minute} requests in a minute; try again in {wait} s."
        raise RequestRefused(429, ErrorCode.RATE_LIMITED, message, [(b"retry-after", str(wait).encode())])

    def _seconds_until_free(self, per_minute: int, key: str) -> int:
        """Return when the next request will be let in; the library tells only when the count changes next."""
        before, _, count, ends_in = self._store.get_sliding_window(self._item.key_for(key), _WINDOW_SECONDS)
        elapsed = 2 * _WINDOW_SECONDS - ends_in
        if count < per_minute and before:
            # The minute before has to slide out far enough.
            free_at = _WINDOW_SECONDS * (1 - (per_minute - count) / before)
        else:
            # This minute has to end, and then slide out far enough itself.
            free_at = _WINDOW_SECONDS * (2 - per_minute / max(1, count))
        # The count has to fall below the rate, so the very instant at which it reaches it is a moment too early.
        return max(1, math.ceil(free_at - elapsed + 0.001))


class _QuietStore(MemoryStorage):
    """The library's store in memory, tidied by whoever counts instead of by a thread each ten milliseconds.

    That thread would look at every window a hundred times a second: with ten thousand accounts a third of a core.
    """

    def __init__(self) -> None:
        super().__init__()
        self.timer.cancel()
        self.timer = _NeverAgain(0, self.tidy)

    def tidy(self) -> None:
        """Forget the windows that are over; all of them, rather than to grow, when too many are not."""
        now = time.time()
        for key in [key for key, ends_at in self.expirations.items() if ends_at <= now]:
            self.clear(key)
        if len(self.expirations) >= _MAX_KEYS:
            self.reset()


class _NeverAgain(threading.Timer):
    """A timer that is never started; the store asks it whether a tidying is still to come, and hears yes."""

    def is_alive(self) -> bool:
        return True
