"""Answer scrapers: the metrics of the process, or of all workers, with gauges read from the database for each scrape.

It must not ask the database more often than needed: whoever reaches the port may ask.
"""

import asyncio
import hmac
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from refundgql.gql.answers import RequestRefused
from refundgql.gql.errors import ErrorCode
from refundgql.gql.metrics import Metrics
from refundgql.web.metrics import gauges_of

log = logging.getLogger("refundgql.metrics")

Readings = Callable[[], Awaitable[Mapping[str, float]]]
"""Reads gauges by name."""

READING_SECONDS: Final = 3.0
"""A scrape without gauges is worth more than none at all."""
KEPT_SECONDS: Final = 2.0


def scraping(
    metrics: Metrics, readings: Readings | None, token: str | None
) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of `/metrics`.

    Refuses: 401 for callers without the token, when there is one.
    """
    kept: tuple[float, Mapping[str, float]] = (-KEPT_SECONDS, {})
    reading = asyncio.Lock()

    async def gauges() -> Mapping[str, float]:
        nonlocal kept
        if readings is None:
            return {}
        async with reading:
            if time.monotonic() - kept[0] >= KEPT_SECONDS:
                kept = (time.monotonic(), await _read(readings))
        return kept[1]

    async def scrape(request: Request) -> Response:
        if token is not None and not _carries(request, token):
            message = "This page needs the token of the scraper."
            raise RequestRefused(401, ErrorCode.UNAUTHENTICATED, message, [(b"www-authenticate", b"Bearer")])
        body = metrics.exposition(gauges_of(await gauges()))
        return Response(body, media_type="text/plain; version=0.0.4; charset=utf-8")

    return scrape


def _carries(request: Request, token: str) -> bool:
    given = request.headers.get("authorization", "")
    return hmac.compare_digest(given.encode(), f"Bearer {token}".encode())


async def _read(readings: Readings) -> Mapping[str, float]:
    try:
        async with asyncio.timeout(READING_SECONDS):
            return await readings()
    except Exception as error:
        log.warning("The gauges could not be read: %s", error)
        return {}
