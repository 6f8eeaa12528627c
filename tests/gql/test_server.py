"""The server as a process: it stops without cutting anybody off, and hurried or broken clients get clear answers."""

import asyncio
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from patience import PATIENCE_SECONDS, until
from refundgql.gql import hardening as uvicorn_protocols
from refundgql.gql.server import bind
from toy_server import MakeDesk
from wide_limits import patient

PROGRAM = textwrap.dedent(
    """
    import signal, sys
    sys.path.insert(0, sys.argv[1])
    from toy_server import desk_of
    from refundgql.gql.server import Serving, bind, run
    listener = bind("127.0.0.1", 0)
    desk = desk_of()
    signal.signal(signal.SIGUSR1, lambda *_: setattr(desk.toy, "may_finish", True))
    print(listener.getsockname()[1], flush=True)
    run(lambda: desk.app, Serving(shutdown_seconds=600), listener, lambda: print("started", flush=True))
    print("stopped", flush=True)
    """
)

SEVERAL = textwrap.dedent(
    """
    import sys
    sys.path.insert(0, sys.argv[1])
    from toy_server import desk_app, tell_pid
    from refundgql.gql import server
    if __name__ == "__main__":
        from uvicorn.supervisors.multiprocess import Process
        ping = Process.ping
        def tell(worker, timeout):
            print("asks", worker.pid, flush=True)
            return ping(worker, timeout)
        Process.ping = tell
        server.WORKER_SECONDS = 3_600
        server.run(desk_app, server.Serving(workers=2), server.bind("127.0.0.1", 0), tell_pid)
    """
)


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")
def test_every_address_is_that_of_both_protocols() -> None:
    """Listening on `::` is reached by IPv4 and by IPv6, and on one address only by it."""
    with bind("::", 0) as listener:
        listener.listen()
        port = listener.getsockname()[1]
        for host in "127.0.0.1", "::1":
            socket.create_connection((host, port), timeout=PATIENCE_SECONDS).close()
    with bind("::1", 0) as listener:
        listener.listen()
        port = listener.getsockname()[1]
        socket.create_connection(("::1", port), timeout=PATIENCE_SECONDS).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)


def test_a_port_is_taken_before_it_is_open() -> None:
    """Until a server listens whoever comes is refused, and does not wait for one that cannot answer."""
    with bind("127.0.0.1", 0) as listener:
        address = listener.getsockname()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=PATIENCE_SECONDS)
        listener.listen()
        socket.create_connection(address, timeout=PATIENCE_SECONDS).close()
        with pytest.raises(OSError, match="in use"):
            bind(*address)


class Process:
    """A server in a process of its own."""

    def __init__(self) -> None:
        here = str(Path(__file__).parents[1])
        arguments = [sys.executable, "-c", PROGRAM, here]
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        assert self.process.stdout.readline() == "started\n"
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def ended(self) -> tuple[int, str]:
        out, _ = self.process.communicate(timeout=PATIENCE_SECONDS)
        return self.process.returncode, out


@pytest.fixture
def process() -> Iterator[Process]:
    started = Process()
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.process.kill()
            started.process.wait()


async def test_sigterm_finishes_requests_and_ends_streams(process: Process) -> None:
    """Told to stop, the server answers what is under way, closes sockets with 1012 and ends by itself."""
    url = f"ws://127.0.0.1:{process.port}/graphql"
    async with (
        httpx.AsyncClient(timeout=PATIENCE_SECONDS) as http,
        connect(url, subprotocols=[Subprotocol("graphql-transport-ws")]) as ws,
    ):
        await ws.send('{"type":"connection_init"}')
        assert json.loads(await ws.recv()) == {"type": "connection_ack"}
        content = json.dumps({"query": "mutation { actWhenTold }"})
        headers = {"content-type": "application/json"}
        slow = asyncio.create_task(http.post(f"{process.url}/graphql", content=content, headers=headers))

        async def under_way() -> bool:
            asked = await http.post(f"{process.url}/graphql", content='{"query":"{ begun }"}', headers=headers)
            return bool(asked.json()["data"]["begun"] == 1)

        await until(under_way)
        process.stop()
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(ws.recv(), PATIENCE_SECONDS)
        assert (ws.close_code, ws.close_reason) == (1012, "service restart")
        assert not slow.done()
        process.process.send_signal(signal.SIGUSR1)
        answer = await slow
        assert answer.json()["data"] == {"actWhenTold": "done"}
    code, out = await asyncio.to_thread(process.ended)
    assert (code, out) == (0, "stopped\n")
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", process.port), PATIENCE_SECONDS)


def test_a_worker_that_ends_while_it_is_waited_for_is_replaced() -> None:
    """Killed before it has answered its parent, a worker is replaced without waiting for its answer, and all stop."""
    here = str(Path(__file__).parents[1])
    parent = subprocess.Popen([sys.executable, "-c", SEVERAL, here], stdout=subprocess.PIPE, text=True)
    lines: queue.Queue[str] = queue.Queue()
    reader = threading.Thread(target=lambda: [lines.put(line) for line in parent.stdout or ()], daemon=True)
    reader.start()

    def heard(beginning: str) -> int:
        while not (line := lines.get(timeout=PATIENCE_SECONDS)).startswith(beginning):
            pass
        return int(line.split()[1])

    try:
        killed, other = heard("started"), heard("started")
        heard(f"asks {other}")
        os.kill(killed, signal.SIGSTOP)
        heard(f"asks {killed}")
        os.kill(killed, signal.SIGKILL)
        assert heard("started") not in {killed, other}
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(PATIENCE_SECONDS) == 0
    finally:
        parent.kill()
        parent.wait()
        reader.join(PATIENCE_SECONDS)


async def test_requests_from_before_there_were_hosts_are_answered(serve: MakeDesk) -> None:
    """A request of HTTP/1.0 needs no Host header, as those of some load balancers' checks."""
    reader, writer = await asyncio.open_connection("127.0.0.1", serve().port)
    writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
    received = await asyncio.wait_for(reader.read(-1), PATIENCE_SECONDS)
    writer.close()
    assert received.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\x01\x00",
        b"GET /graphql HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /graphql HTTP/1.1\r\n\r\n",
        b"GET /graphql HTTP/1.1\r\nhost: x\r\nHost: y\r\n\r\n",
        b"GET /graphql HTTP/1.0\r\nhost: x\r\nhost: x\r\n\r\n",
        b"GET /graphql HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_400_in_json(data: bytes, serve: MakeDesk) -> None:
    """Bytes that are no request are refused as JSON and the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", serve().port)
    writer.write(data)
    received = await asyncio.wait_for(reader.read(-1), PATIENCE_SECONDS)
    writer.close()
    assert received.startswith(b"HTTP/1.1 400")
    assert json.loads(received.partition(b"\r\n\r\n")[2])["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize("data", [b"", b"POST /gra", b"POST /graphql HTTP/1.1\r\nhost: x\r\nx-y: "])
async def test_unfinished_headers_are_not_waited_for(
    data: bytes, serve: MakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection whose headers do not arrive is closed, from its beginning and after a finished request."""
    monkeypatch.setattr(uvicorn_protocols, "HEADER_SECONDS", 0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", serve().port)
    writer.write(data)
    assert await asyncio.wait_for(reader.read(-1), PATIENCE_SECONDS) == b""
    writer.close()


async def test_unfinished_headers_of_a_later_request(serve: MakeDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the second request of a connection has to send its headers in time."""
    monkeypatch.setattr(uvicorn_protocols, "HEADER_SECONDS", 0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", serve().port)
    writer.write(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
    await reader.readuntil(b'"ok"}')
    writer.write(b"GET /healthz HTT")
    assert await asyncio.wait_for(reader.read(-1), PATIENCE_SECONDS) == b""
    writer.close()


async def test_pipelined_requests_are_answered_in_order(serve: MakeDesk) -> None:
    """Requests sent without waiting are answered one after the other; a refused body is not taken for a request."""
    desk = serve()
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    body = b'{"query":"{ hello }"}'
    head = b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    request = head + b"content-length: %d\r\n\r\n" % len(body) + body
    smuggled = b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-length: 300000\r\ncontent-type: application/json\r\n\r\n"
    writer.write(request + request + smuggled + request)
    received = await asyncio.wait_for(reader.read(-1), PATIENCE_SECONDS)
    writer.close()
    assert received.count(b"HTTP/1.1 200") == 2
    assert received.count(b"HTTP/1.1 413") == 1
    assert received.count(b"HTTP/1.1 ") == 3


async def test_a_reader_that_takes_nothing_is_dropped(serve: MakeDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection whose peer takes nothing is dropped with what waits for it."""
    monkeypatch.setattr(uvicorn_protocols, "BLOCKED_SECONDS", 0.3)
    desk = serve(limits=patient())  # by itself: sources of other tests close when they like
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", desk.port))
    query = "subscription { counts(to: 2000, size: 20000) { text } }"
    body = json.dumps({"query": query}).encode()
    head = b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\naccept: text/event-stream\r\n"
    connection.sendall(head + b"content-length: %d\r\n\r\n" % len(body) + body)
    await until(lambda: desk.toy.closed == 1)
    connection.close()


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
async def test_texts_of_every_length_arrive_whole(length: int, serve: MakeDesk) -> None:
    """A text of any length reaches a client as one message, around each border of the frame's length."""
    url = f"ws://127.0.0.1:{serve().port}/graphql"
    async with connect(url, subprotocols=[Subprotocol("graphql-transport-ws")], max_size=None) as ws:
        await ws.send('{"type":"connection_init"}')
        await ws.recv()
        query = "subscription($size: Int!) { counts(to: 2, size: $size) { text } }"
        payload = {"query": query, "variables": {"size": length}}
        await ws.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
        for _ in range(2):
            message = json.loads(await ws.recv())
            assert message["payload"]["data"]["counts"]["text"] == "x" * length
        assert json.loads(await ws.recv())["type"] == "complete"
