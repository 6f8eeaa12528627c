"""How tests wait on a machine that may be busy: for what they expect, with a deadline that only a fault reaches."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

PATIENCE_SECONDS = 300.0


async def until(holds: Callable[[], Any]) -> None:
    """Wait until a condition holds, asking for it again and again; it may be a coroutine's."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            answer = holds()
            if await answer if inspect.isawaitable(answer) else answer:
                return
            await asyncio.sleep(0.01)


def until_now(holds: Callable[[], Any]) -> None:
    """Wait in the same way without an event loop."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < ends, "it never came"
        time.sleep(0.01)
