"""What the tests of the page know of their demo, and the notes they take of what a page does."""

import asyncio
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response, WebSocket

# Generous: a busy machine draws late, and a page that is right does not make anybody wait.
PATIENCE_MS = 180_000


async def open_context(chromium: Browser, **options: Any) -> BrowserContext:
    """Open a fresh browser profile whose pages are waited for as long as a busy machine needs."""
    context = await chromium.new_context(**{"locale": "en-GB", **options})
    context.set_default_timeout(PATIENCE_MS)
    return context


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo: where it is and who may be signed in."""

    address: str
    people: dict[str, dict[str, str]]
    by_ref: dict[str, dict[str, str]]
    folder: Path

    def token(self, role: str) -> str:
        """Return a token of the demo person with this role."""
        return self.people[role]["token"]

    async def short_token(self, role: str, seconds: int) -> str:
        """Have the command line sign a token that ends soon, with the demo's own key."""
        settings = {
            "REFUNDGQL_KEY_FILE": str(self.folder / "key.pem"),
            "REFUNDGQL_DATABASE_URL": f"sqlite:///{self.folder / 'demo.sqlite3'}",
        }
        who = self.people[role]["externalRef"]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "refundgql", "token", "--as", who, "--lifetime-seconds", str(seconds)),
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, **settings},
        )
        printed, _ = await process.communicate()
        assert process.returncode == 0
        return printed.decode().strip()

    async def run(self, who: str, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run an operation beside the browser, as the demo person with this role or this externalRef."""
        token = (self.by_ref.get(who) or self.people[who])["token"]
        async with httpx.AsyncClient() as client:
            answer = await client.post(
                f"{self.address}/graphql",
                json={"query": query, "variables": variables or {}},
                headers={"authorization": f"Bearer {token}", "accept": "application/json"},
            )
        body: dict[str, Any] = answer.json()
        assert "errors" not in body, body
        data: dict[str, Any] = body["data"]
        return data


@dataclass  # no slots: Playwright hangs its own marks on the owner of a handler
class Watched:
    """What a page did behind its face: complaints in the console, and every address it asked for."""

    complaints: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    frames_sent: list[str] = field(default_factory=list)
    # How complaints begin that a test brings about on purpose.
    expected: tuple[str, ...] = ()

    def follow(self, page: Page) -> None:
        """Take notes of a page from now on."""
        page.on("console", self._console)
        page.on("pageerror", self._error)
        page.on("request", self._request)
        page.on("response", self._response)
        page.on("websocket", self._websocket)

    def _error(self, error: Exception) -> None:
        # What the editor was still working out when it was closed: its library rejects that, and nobody waits for it.
        if str(error) != "Canceled":
            self.complaints.append(str(error))

    def _console(self, message: ConsoleMessage) -> None:
        # A refused operation may be a 4xx, which Chromium logs by itself; everything else is ours.
        if message.type in {"error", "warning"} and not message.text.startswith(
            ("Failed to load resource", *self.expected)
        ):
            self.complaints.append(message.text)

    def _request(self, request: Request) -> None:
        self.addresses.append(request.url)

    def _response(self, response: Response) -> None:
        self.statuses[response.url] = response.status

    def _websocket(self, socket_: WebSocket) -> None:
        self.addresses.append(socket_.url)
        socket_.on("framesent", lambda frame: self.frames_sent.append(str(frame)))
