"""A page of another origin in a real Chromium: what it sends, reads and follows, and how little travels."""

from __future__ import annotations

import asyncio
import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser
from real_desk import RealDesk, real_desk

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

LARGE = "{ refundWorkflow(kind: INVOICE) { mermaid transitions { action guards rules roles } } }"
USUAL = {
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "sentry-trace": "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
    "baggage": "sentry-environment=test",
    "apollographql-client-name": "page",
    "apollographql-client-version": "1",
    "x-apollo-operation-name": "Workflow",
}
ASK = """async ([url, headers, query]) => {
  const answer = await fetch(url, {method: 'POST', headers: {'content-type': 'application/json', ...headers},
                                   body: JSON.stringify({query})});
  const shown = {};
  answer.headers.forEach((value, name) => { shown[name] = value; });
  return {status: answer.status, shown, text: await answer.text()};
}"""
FOLLOW = """async ([url, token]) => {
  const answer = await fetch(url, {method: 'POST', headers: {'content-type': 'application/json',
    authorization: `Bearer ${token}`, accept: 'text/event-stream', 'last-event-id': ''},
    body: JSON.stringify({query: 'subscription { viewerRefundUpdates { cursor } }'})});
  const reader = answer.body.getReader();
  const first = new TextDecoder().decode((await reader.read()).value);
  await reader.cancel();
  return [answer.status, first];
}"""
SOCKET = """async (url) => await new Promise((resolve) => {
  const socket = new WebSocket(url, 'graphql-transport-ws');
  socket.onopen = () => socket.send('{"type":"connection_init"}');
  socket.onmessage = (message) => { resolve(message.data); socket.close(); };
  socket.onclose = (event) => resolve(`closed ${event.code}`);
})"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve an empty page from an origin of its own."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "index.html").write_text("<!doctype html><title>A page of somebody else</title>")
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def other_desk(site: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDesk]:
    """Return a server that pages of the site may call."""
    folder: Path = tmp_path_factory.mktemp("desk")
    with real_desk(folder, allowed_origins=(site,)) as desk:
        yield desk


async def test_a_page_of_an_allowed_origin_does_all_it_wants(
    chromium: Browser, site: str, other_desk: RealDesk
) -> None:
    """It asks with its headers, gets compressed answers, reads refusals, follows a stream and opens a socket."""
    page = await chromium.new_page()
    await page.goto(site)
    url = f"{other_desk.url}/graphql"
    async with page.expect_response(lambda one: one.request.method == "POST") as sent:
        answer = await page.evaluate(ASK, [url, USUAL, LARGE])
    response = await sent.value
    assert answer["status"] == 200
    assert answer["shown"]["x-request-id"]
    assert (await response.all_headers())["content-encoding"] in {"zstd", "br", "gzip"}
    sizes = await response.request.sizes()
    assert sizes["responseBodySize"] < len(answer["text"]) / 2
    refused = await page.evaluate(ASK, [url, {"authorization": "Bearer x"}, LARGE])
    assert (refused["status"], '"UNAUTHENTICATED"' in refused["text"]) == (401, True)
    assert refused["shown"]["www-authenticate"].startswith("Bearer")
    token = await asyncio.to_thread(other_desk.token, other_desk.with_role("PRO"))
    status, first = await page.evaluate(FOLLOW, [url, token])
    assert (status, first.startswith("retry: ")) == (200, True)
    assert "connection_ack" in await page.evaluate(SOCKET, url.replace("http", "ws", 1))
    await page.close()


async def test_a_page_of_any_other_origin_reads_nothing(chromium: Browser, site: str, other_desk: RealDesk) -> None:
    """The browser keeps the answer from it, and its socket is refused."""
    page = await chromium.new_page()
    await page.goto(site.replace("localhost", "127.0.0.1"))
    with pytest.raises(Exception, match="Failed to fetch"):
        await page.evaluate(ASK, [f"{other_desk.url}/graphql", USUAL, LARGE])
    assert "closed" in await page.evaluate(SOCKET, f"{other_desk.url}/graphql".replace("http", "ws", 1))
    await page.close()
