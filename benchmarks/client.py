"""A closed-loop HTTP client of raw sockets: as many connections as asked for, each sends when it was answered.

It must not measure the server's time by its own: processor time comes from the operating system, see cpu.py.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Load:
    """What a run of requests brought: how many answers, how large, how late."""

    answers: int = 0
    failures: int = 0
    bytes_received: int = 0
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    def percentile_ms(self, share: float) -> float:
        """Return the latency below which a share of the answers stayed, in milliseconds."""
        ordered = sorted(self.latencies)
        return 1_000 * ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0


def request(path: str, body: bytes, token: str) -> bytes:
    """Return the bytes of one POST."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def drive(port: int, requests: Sequence[bytes], *, connections: int, seconds: float, once: bool = False) -> Load:
    """Send the requests round and round for some seconds, or each once at the most."""
    load = Load()
    if not requests:
        return load
    started = time.perf_counter()
    ends = started + seconds
    upcoming = iter(range(len(requests))) if once else None
    await asyncio.gather(
        *(_connection(port, requests, number, connections, ends, load, upcoming) for number in range(connections))
    )
    load.seconds = time.perf_counter() - started
    return load


async def _connection(port, requests, number, step, ends, load, upcoming):  # type: ignore[no-untyped-def]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    position = number
    try:
        while time.perf_counter() < ends:
            if upcoming is not None:
                position = next(upcoming, -1)
                if position < 0:
                    return
            sent = time.perf_counter()
            writer.write(requests[position % len(requests)])
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(length)
            load.latencies.append(time.perf_counter() - sent)
            load.answers += 1
            load.bytes_received += length
            if not head.startswith(b"HTTP/1.1 200") or b'"errors"' in body[:200]:
                load.failures += 1
            position += step
    finally:
        writer.close()
