"""Count each account's requests and refuse those beyond the rate.

It must not know who may do what; a refusal here says only when to come back.
"""

import math
import time
from typing import Final

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from refundgql.transport.answers import RequestRefused
from refundgql.transport.authentication import Caller

_NAMESPACE: Final = "requests"


class RequestRate:
    """At most so many requests a minute for an account, over HTTP and sockets together; nobody's count by address.

    Counted in each process by itself: the figure protects a process, it is no quota to be billed.
    """

    def __init__(self, per_minute: int | None) -> None:
        self.per_minute = per_minute
        self._item = RateLimitItemPerMinute(per_minute) if per_minute else None
        # The window slides, so that nobody gets two minutes' worth around the full minute.
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def count(self, caller: Caller, address: str) -> None:
        """Count one request. Refuses: 429 with Retry-After once the minute's requests are used up."""
        if self._item is None:
            return
        key = f"account:{caller.viewer.account_id}" if caller.viewer else f"address:{address}"
        if self._limiter.hit(self._item, _NAMESPACE, key):
            return
        reset_time = self._limiter.get_window_stats(self._item, _NAMESPACE, key).reset_time
        wait = max(1, math.ceil(reset_time - time.time()))
        message = f"More than {self.per_minute} requests in a minute; try again in {wait} s."
        raise RequestRefused(429, "RATE_LIMITED", message, [(b"retry-after", str(wait).encode())])
