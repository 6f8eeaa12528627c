"""Say whether the process lives and whether it can serve.

It must not tell why a check failed to whoever asks; the log does.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

log = logging.getLogger("refundgql.health")

# A check that has not answered by then counts as failed; orchestrators give up soon after.
CHECK_SECONDS: Final = 3.0

Check = Callable[[], Awaitable[object]]
"""A check fails by raising or by returning False."""


async def alive(_: Request) -> Response:
    """Answer as long as the process can answer at all."""
    return _answer(200, {"status": "ok"})


def readiness(
    checks: Mapping[str, Check], watched: Mapping[str, Check] | None = None
) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint that runs all checks at once and answers 503 when one fails.

    A watched part that fails is shown and answers 200: what works without it, only slower, must not be taken away.
    """
    both = {**checks, **(watched or {})}

    async def ready(_: Request) -> Response:
        results = await asyncio.gather(*(_passes(name, check) for name, check in both.items()))
        passed = dict(zip(both, results, strict=True))
        serving = all(passed[name] for name in checks)
        status = "unavailable" if not serving else "ok" if all(results) else "degraded"
        parts = {name: "ok" if fine else "failed" for name, fine in passed.items()}
        return _answer(200 if serving else 503, {"status": status, "checks": parts})

    return ready


async def _passes(name: str, check: Check) -> bool:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check() is not False
    except TimeoutError:
        log.warning("readiness check %s failed: no answer within %g s", name, CHECK_SECONDS)
        return False
    except Exception as error:
        log.warning("readiness check %s failed: %s", name, error)
        return False


def _answer(status: int, content: dict[str, object]) -> Response:
    return Response(orjson.dumps(content), status_code=status, media_type="application/json")
