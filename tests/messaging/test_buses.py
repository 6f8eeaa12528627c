"""Every bus wakes who follows a topic, in every process it reaches, and none stops anything when it is away."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from databases import named, postgres_server
from patience import PATIENCE_SECONDS
from ports import free_port
from refundgql.messaging.bus import Bus, Doorbell, subscribe
from refundgql.messaging.memory import MemoryBus
from refundgql.messaging.nats import NatsBus
from refundgql.messaging.postgres import EVERYBODY_FROM_TOPICS, PAYLOAD_BYTES, PostgresBus, payloads

CASE, OTHER = "case:0192f0c4-0000-7000-8000-000000000001", "case:0192f0c4-0000-7000-8000-000000000002"


class NatsServer:
    """A real NATS server on a free port, which can be stopped and started again."""

    def __init__(self) -> None:
        """Find a port."""
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it and wait until it answers."""
        program = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or "nats-server"
        self._process = await asyncio.create_subprocess_exec(
            program,
            "-a",
            "127.0.0.1",
            "-p",
            str(self.port),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    writer.close()
                    return
                except OSError:
                    await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """Stop it at once."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a busy machine answer late: whoever connects anew rings everybody."""
    monkeypatch.setattr("refundgql.messaging.postgres._PING_SECONDS", PATIENCE_SECONDS)


@pytest.fixture
async def nats_server() -> AsyncIterator[NatsServer]:
    """Give a running NATS server."""
    server = NatsServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def bus_database() -> Iterator[str]:
    """Give the URL of a PostgreSQL database; notifications need no tables."""
    yield named(postgres_server(), "postgres")  # noqa: PT022  # a fixture like its siblings


Make = Callable[[], Bus]


@pytest.fixture(params=["memory", "postgres", "nats"])
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Bus, Bus]]:
    """Give a bus to publish on and the one of another process, which for the bus in memory is the same."""
    if request.param == "memory":
        memory = MemoryBus()
        yield memory, memory
        return
    buses: list[Bus]
    if request.param == "postgres":
        url = named(postgres_server(), "postgres")
        buses = [PostgresBus(url), PostgresBus(url)]
    else:
        server = NatsServer()
        await server.start()
        buses = [NatsBus(server.url), NatsBus(server.url)]
    await _connected(*buses)  # whoever connects later rings everybody
    yield buses[0], buses[1]
    for bus in buses:
        await bus.close()
    if request.param == "nats":
        await server.stop()


async def _connected(*buses: Bus) -> None:
    """Start buses and wait until they are connected: on a busy machine they may have to try again."""
    for bus in buses:
        await bus.start()
        if isinstance(bus, NatsBus) and bus._connecting is not None:
            await bus._connecting
    await _until_connected(*buses)


async def _until_connected(*buses: Bus) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not all(bus.connected for bus in buses):  # noqa: ASYNC110  # the bus has no event to wait for
            await asyncio.sleep(0.02)


async def _until_rung(bell: Doorbell, sender: Bus) -> None:
    """Publish until it is heard: what is sent over a connection whose end was not noticed yet is lost."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        await sender.publish([CASE])
        while not await bell.wait(1):
            await sender.publish([CASE])


async def _interest_known(bus: NatsBus) -> None:
    """Wait until the server knows what the bus follows: the client's first PING overtakes what it has gathered."""
    for _ in range(2):
        await bus._client.flush(int(PATIENCE_SECONDS))


async def _settled(bus: Bus) -> None:
    """Wait until whoever passes rings on knows what the bus follows."""
    if isinstance(bus, NatsBus):
        await _interest_known(bus)


async def _until_in(bus: NatsBus, messages: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while bus._client.stats["in_msgs"] < messages:  # noqa: ASYNC110  # the client has no event to wait for
            await asyncio.sleep(0.02)
    assert bus._client.stats["in_msgs"] == messages


async def test_followers_of_a_topic_are_rung_and_nobody_else(pair: tuple[Bus, Bus]) -> None:
    """A ring reaches the other process's followers of that topic only, and one's own at once."""
    sender, receiver = pair
    async with (
        subscribe(receiver, [CASE]) as far,
        subscribe(receiver, [OTHER]) as elsewhere,
        subscribe(sender, ["queue", CASE]) as near,
    ):
        await _settled(receiver)
        while await far.wait(0) or await elsewhere.wait(0) or await near.wait(0):
            pass
        await sender.publish([CASE, "viewer:x"])
        assert await near.wait(0)
        assert await far.wait(PATIENCE_SECONDS)
        assert not await elsewhere.wait(0.2)
        assert not await near.wait(0)


async def test_rings_while_busy_are_one_ring(pair: tuple[Bus, Bus]) -> None:
    """However often it rings before its listener looks, it has rung once."""
    sender, receiver = pair
    async with subscribe(receiver, [CASE]) as bell, subscribe(receiver, [OTHER]) as last:
        await _settled(receiver)
        for _ in range(20):
            await sender.publish([CASE])
        await sender.publish([OTHER])
        assert await last.wait(PATIENCE_SECONDS)  # rings come in their order
        assert await bell.wait(0)
        assert not await bell.wait(0.1)


async def test_who_follows_no_longer_is_not_rung(pair: tuple[Bus, Bus]) -> None:
    """After the block the bell is silent, while another bell on the topic still rings."""
    sender, receiver = pair
    async with subscribe(receiver, [CASE]) as stays:
        async with subscribe(receiver, [CASE]) as leaves:
            await _settled(receiver)
        while await leaves.wait(0) or await stays.wait(0):
            pass
        await sender.publish([CASE])
        assert await stays.wait(PATIENCE_SECONDS)
        assert not await leaves.wait(0)


async def test_the_database_may_go_away_and_come_back(bus_database: str) -> None:
    """With every connection ended, publishing still returns at once; all followers are rung when it is back."""
    sender, receiver = PostgresBus(bus_database), PostgresBus(bus_database)
    await _connected(sender, receiver)
    try:
        async with subscribe(receiver, [CASE]) as bell:
            await asyncio.sleep(0.05)
            while await bell.wait(0):
                pass
            admin = await asyncpg.connect(bus_database)
            await admin.execute(
                "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE application_name = 'refundgql bus'"
                " AND datname = current_database()"
            )
            await admin.close()
            async with asyncio.timeout(PATIENCE_SECONDS):
                await sender.publish([OTHER])
            assert await bell.wait(PATIENCE_SECONDS)  # rings may have been missed
            await _until_connected(sender, receiver)
            while await bell.wait(0.05):
                pass
            await _until_rung(bell, sender)
    finally:
        await sender.close()
        await receiver.close()


async def test_a_database_that_is_not_there_stops_nothing() -> None:
    """The bus starts, rings inside the process and closes without a database."""
    bus = PostgresBus("postgres://postgres@127.0.0.1:1/none")
    await bus.start()
    async with subscribe(bus, [CASE]) as bell:
        await bus.publish([CASE])
        assert await bell.wait(0)
        assert not bus.connected
    await bus.close()


async def test_nats_may_go_away_and_come_back(nats_server: NatsServer) -> None:
    """While NATS is stopped publishing returns at once; its return rings followers, and rings arrive again."""
    sender, receiver = NatsBus(nats_server.url), NatsBus(nats_server.url)
    await _connected(sender, receiver)
    try:
        async with subscribe(receiver, [CASE]) as bell:
            await nats_server.stop()
            await asyncio.sleep(0.1)
            async with asyncio.timeout(PATIENCE_SECONDS):
                await sender.publish([CASE])
            while await bell.wait(0):
                pass
            await nats_server.start()
            assert await bell.wait(PATIENCE_SECONDS)
            await _until_connected(sender, receiver)
            while await bell.wait(0.2):
                pass
            await _until_rung(bell, sender)
    finally:
        await sender.close()
        await receiver.close()


async def test_nats_that_is_not_there_stops_nothing() -> None:
    """The bus starts, rings inside the process and closes without NATS, and follows what was asked once it is there."""
    server = NatsServer()
    bus, sender = NatsBus(server.url), NatsBus(server.url)
    await asyncio.gather(bus.start(), sender.start())
    try:
        async with subscribe(bus, [CASE]) as bell:
            await bus.publish([CASE])
            assert await bell.wait(0)
            await server.start()
            assert await bell.wait(PATIENCE_SECONDS)
            await _until_connected(sender, bus)
            await _settled(bus)
            while await bell.wait(0):
                pass
            await sender.publish([CASE])
            assert await bell.wait(PATIENCE_SECONDS)
    finally:
        await bus.close()
        await sender.close()
        await server.stop()


async def test_a_process_hears_only_what_it_follows_on_nats(nats_server: NatsServer) -> None:
    """Without a follower there is no subscription: the server sends this process nothing."""
    sender, receiver = NatsBus(nats_server.url), NatsBus(nats_server.url)
    await _connected(sender, receiver)
    try:
        async with subscribe(receiver, [CASE]):
            await _interest_known(receiver)
            await sender.publish([OTHER, CASE])
            await _until_in(receiver, 1)
        await _interest_known(receiver)
        await sender.publish([CASE, OTHER])
        async with subscribe(receiver, ["queue"]):
            await _interest_known(receiver)
            await sender.publish(["queue"])
            await _until_in(receiver, 2)  # in order, so what was not followed was not sent before it
    finally:
        await sender.close()
        await receiver.close()


def test_payloads_are_short_enough_and_whole() -> None:
    """Any number of topics is sent in parts that PostgreSQL takes, or as one ring for everybody."""
    topics = [f"case:{number:036}" for number in range(EVERYBODY_FROM_TOPICS)]
    parts = list(payloads("origin", topics))
    assert max(len(part) for part in parts) < PAYLOAD_BYTES + 100 < 8_000
    assert [topic for part in parts for topic in part.removeprefix("origin|").split(",")] == topics
    assert list(payloads("origin", [*topics, "queue"])) == ["origin|*"]
    assert list(payloads("origin", [])) == []


async def test_a_doorbell_waits_no_longer_than_it_is_told() -> None:
    """A bell that nobody rings gives up in time; one that was rung before answers at once, once."""
    bell = Doorbell()
    assert not await bell.wait(0.01)
    bell.ring()
    bell.ring()
    assert await bell.wait(0)
    assert not await bell.wait(0)
