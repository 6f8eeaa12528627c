"""Thousands of WebSocket subscribers in one process: who hears of an event, and what it costs the server.

It must not be a WebSocket library: it counts the server's frames and looks into none but the first ones.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from benchmarks.client import drive, request
from benchmarks.cpu import processor_seconds, resident_bytes
from benchmarks.data import case_id
from benchmarks.servers import Server

SUBSCRIPTION = (
    "subscription Changed($id: ID!) { refundCaseUpdates(refundCaseId: $id) { cursor refundCase { id state version }"
    " event { id sequence name toState at } } }"
)
ASSIGN = "mutation Assign($input: AssignCaseInput!) { assignCase(input: $input) { refusals { code message } } }"
AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Fanned:
    """Figures of one way to subscribe."""

    subscribers: int
    cpu_us: float
    first_ms: float
    last_ms: float
    kib: float


@dataclass(frozen=True, slots=True)
class Spoken:
    """How a server is followed, and how something is made to happen to the n-th of its cases."""

    follow: Callable[[int], dict[str, Any]]
    """The payload of a subscription."""
    act: Callable[[int, int], dict[str, Any]]
    """The body of the mutation of a case that makes the n-th event."""
    tells_present: bool = True
    """Whether a subscription begins with the present state."""


def own_words(support: Sequence[str]) -> Spoken:
    """Return how the project is spoken to; cases are assigned to the members of support in turn."""

    def follow(case: int) -> dict[str, Any]:
        return {"query": SUBSCRIPTION, "variables": {"id": f"RefundCase_{case_id(case)}"}}

    def act(case: int, event: int) -> dict[str, Any]:
        assigned = {"refundCaseId": f"RefundCase_{case_id(case)}", "assigneeId": support[event % len(support)]}
        return {"query": ASSIGN, "variables": {"input": {**assigned, "idempotencyKey": str(time.time_ns())}}}

    return Spoken(follow, act)


def foreign_words(folder: Path) -> Spoken:
    """Return how a foreign server is spoken to: s1.graphql follows, m1.graphql acts, m1.vars.json has its cases.

    It acts once on each case, from the list's end.
    """
    follow, act = ((folder / f"{name}.graphql").read_text() for name in ("s1", "m1"))
    cases = orjson.loads((folder / "m1.vars.json").read_bytes())[::-1]
    return Spoken(
        lambda case: {"query": follow, "variables": {"caseId": cases[case]["id"]}},
        lambda case, _: {"query": act, "variables": cases[case]},
        tells_present=False,
    )


class _Subscriber(asyncio.Protocol):
    def __init__(self, token: str, payload: dict[str, Any], tells_present: bool, heard: list[float]) -> None:
        self.ready = asyncio.get_running_loop().create_future()
        self._token, self._payload, self._tells_present, self._heard = token, payload, tells_present, heard
        self._buffer = b""
        self._upgraded = False
        self._frames = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.transport.write(
            b"GET /graphql HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
        )

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        self._buffer += data
        if not self._upgraded:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            if b" 101 " not in head[:20]:
                self.ready.set_exception(RuntimeError(head.decode()))
                return
            self._upgraded, self._buffer = True, rest
            self._send({"type": "connection_init", "payload": {"authorization": f"Bearer {self._token}"}})
        self._read_frames(now)

    def _read_frames(self, now: float) -> None:
        while len(self._buffer) >= 2:
            length, start = self._buffer[1] & 127, 2
            if length == 126:
                length, start = int.from_bytes(self._buffer[2:4], "big"), 4
            if len(self._buffer) < start + length:
                return
            kind, body = self._buffer[0] & 15, self._buffer[start : start + length]
            self._buffer = self._buffer[start + length :]
            if kind == 1:
                self._take(body, now)
            elif kind == 9:  # a subscriber that does not answer pings is dropped after a while
                self.transport.write(bytes([0x8A, 0x80 | length]) + b"\0\0\0\0" + body)

    def _take(self, body: bytes, now: float) -> None:
        self._frames += 1
        if self._frames == 1:
            self._send({"id": "1", "type": "subscribe", "payload": self._payload})
            if not self._tells_present:
                self.ready.set_result(None)
        elif self._frames == 2 and self._tells_present:
            if b'"next"' not in body[:40]:
                self.ready.set_exception(RuntimeError(body.decode()[:300]))
            else:
                self.ready.set_result(None)
        else:
            self._heard.append(now)

    def _send(self, message: object) -> None:
        text = orjson.dumps(message)
        size = bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe" + len(text).to_bytes(2, "big")
        self.transport.write(b"\x81" + size + b"\0\0\0\0" + text)  # a mask of zeros leaves the text as it is


async def fan_out(
    server: Server, subscribers: int, cases: Sequence[int], events: int, spoken: Spoken, rest_seconds: float
) -> Fanned:
    """Subscribe, each to one of the cases in turn, and let things happen to cases; return the medians.

    rest_seconds: what the server has for coming to rest before its memory is read and after it was left.
    """
    before, heard = resident_bytes(server.pid), list[float]()
    loop, sockets = asyncio.get_running_loop(), list[_Subscriber]()
    for first in range(0, subscribers, AT_ONCE):
        made = await asyncio.gather(
            *(
                loop.create_connection(
                    lambda n=n: _Subscriber(  # type: ignore[misc]
                        server.token, spoken.follow(cases[n % len(cases)]), spoken.tells_present, heard
                    ),
                    "127.0.0.1",
                    server.port,
                )
                for n in range(first, min(first + AT_ONCE, subscribers))
            )
        )
        sockets += [one for _, one in made]
        await asyncio.wait_for(asyncio.gather(*(one.ready for _, one in made)), 60)
    await asyncio.sleep(rest_seconds)
    kib = (resident_bytes(server.pid) - before) / 1024 / subscribers
    each = subscribers if len(cases) == 1 else 1
    figures = [await _happen(server, spoken.act(cases[n % len(cases)], n), heard, each) for n in range(events)]
    for one in sockets:
        one.transport.abort()
    await asyncio.sleep(rest_seconds)
    cpu, begun, ended = (statistics.median(column) for column in zip(*figures, strict=True))
    return Fanned(subscribers, cpu / each * 1e6, begun * 1e3, ended * 1e3, kib)


async def _happen(server: Server, act: dict[str, Any], heard: list[float], each: int) -> tuple[float, float, float]:
    """Act on a case; return the server's processor time, and when the first and the last heard of it, in seconds."""
    heard.clear()
    body = request("/graphql", orjson.dumps(act), server.token)
    spent, began = processor_seconds(server.pid), time.perf_counter()
    await drive(server.port, [body], connections=1, seconds=30, once=True)
    while len(heard) < each:
        if time.perf_counter() - began > 30:
            raise RuntimeError(f"{len(heard)} of {each} subscribers heard of it")
        await asyncio.sleep(0.002)
    await asyncio.sleep(0.05)
    return processor_seconds(server.pid) - spent, heard[0] - began, heard[-1] - began
