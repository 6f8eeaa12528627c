"""Find whether the database keeps what it is given, by giving it something: reading tells nothing of a full disk."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

from refundgql.storage.database import Database
from refundgql.storage.faults import StorageError, TransientFault, Unwritable

PROBE_SECONDS = 2.0
"""What was found out is good for so long, however many ask."""
TROUBLE_SECONDS = 10.0
"""After a command was not kept, the process counts as unable for so long: a small probe may go where it did not."""
WAIT_SECONDS = 1.0
"""A writer that only waits its turn is no trouble; what was known before holds meanwhile."""


class Writability:
    """What is known of one database, from probes and from commands that failed."""

    def __init__(self, database: Database, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Know nothing yet."""
        self._database = database
        self._monotonic = monotonic
        self._probe: asyncio.Task[None] | None = None
        self._probed_at: float | None = None
        self._found: StorageError | None = None
        self._trouble: tuple[float, Unwritable] | None = None

    def note(self, fault: Unwritable) -> None:
        """Remember that something was not kept."""
        self._trouble = (self._monotonic(), fault)

    async def check(self) -> None:
        """Refuse while nothing can be written: Unwritable or StorageError with the reason."""
        if self._trouble is not None and self._monotonic() - self._trouble[0] < TROUBLE_SECONDS:
            raise self._trouble[1]
        if self._probed_at is None or self._monotonic() - self._probed_at > PROBE_SECONDS:
            if self._probe is None or self._probe.done():
                self._probe = asyncio.create_task(self._write())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._probe), WAIT_SECONDS)
        if self._found is not None:
            raise self._found

    async def close(self) -> None:
        """Wait for a probe that is under way: it uses the database."""
        if self._probe is not None:
            await asyncio.wait([self._probe])

    async def _write(self) -> None:
        try:
            async with self._database.transaction() as tx:
                await tx.execute("UPDATE write_probe SET at = ? WHERE id = 1", (time.time_ns() // 1_000,))
            self._found = None
        except TransientFault:
            return  # it lost a race, and whether the database is there is asked beside this
        except StorageError as fault:
            self._found = fault
        self._probed_at = self._monotonic()
