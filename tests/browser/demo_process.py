"""A demo server that a test can stop and start again on the same port, with the same folder."""

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

import httpx
from browser_notes import Demo

from ports import free_port

# As long as a busy machine may take; one that is idle makes nobody wait.
STARTUP_SECONDS = 300
STOP_SECONDS = 60


class DemoProcess:
    """The demo on one port, with one folder."""

    def __init__(self, folder: Path) -> None:
        """Take a port."""
        self._folder = folder
        self._log = folder / "server.log"
        self._process: asyncio.subprocess.Process | None = None
        self._port = free_port()

    async def start(self) -> Demo:
        """Start it, and return it once it answers."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("REFUNDGQL_")}
        with self._log.open("ab") as out:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "refundgql", "demo", "--port", str(self._port), "--folder", str(self._folder)),
                stdout=out,
                stderr=out,
                env=environment,
            )
        address = f"http://localhost:{self._port}"  # as the demo says, and its files lie there
        async with httpx.AsyncClient() as client:
            for _ in range(STARTUP_SECONDS * 10):
                if self._process.returncode is not None:
                    break
                with suppress(httpx.TransportError):
                    answer = await client.get(f"{address}/graphiql/people.json")
                    if answer.status_code == httpx.codes.OK:
                        people: list[dict[str, str]] = answer.json()
                        return Demo(
                            address,
                            {person["role"]: person for person in reversed(people)},
                            {person["externalRef"]: person for person in people},
                            self._folder,
                        )
                await asyncio.sleep(0.1)
        said = await asyncio.to_thread(self._log.read_text, errors="replace")
        raise AssertionError(f"The demo did not start:\n{said[-4_000:]}")

    async def stop(self) -> None:
        """Stop it as Ctrl-C does, and wait until it is gone."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self._process.terminate()
        await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
