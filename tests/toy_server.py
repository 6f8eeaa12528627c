"""A toy schema on a loopback port of this process, over real sockets: people with tokens that anybody can read."""

import asyncio
import contextlib
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from patience import PATIENCE_SECONDS, until
from refundgql.gql import connections, rate
from refundgql.gql.answers import RequestRefused
from refundgql.gql.app import Roads
from refundgql.gql.callers import ANONYMOUS, Caller
from refundgql.gql.errors import ErrorCode
from refundgql.gql.front import answer_router
from refundgql.gql.limits import Limits
from refundgql.gql.metrics import Metrics
from refundgql.gql.origins import Cors
from refundgql.gql.server import Serving, make_config
from toy_schema import Person, Toy, toy_engine
from wide_limits import patient


class ToyAuthentication:
    """Takes tokens such as `ada~1790000000`: a name, and the second in which it is over."""

    def __init__(self, people: dict[str, Person]) -> None:
        self.people = people
        self.loads: list[str] = []

    async def by_header(self, authorization: str | None) -> Caller:
        """Return who a header speaks for."""
        if authorization is None:
            return ANONYMOUS
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise _refused("Only Bearer tokens are accepted.")
        return await self.by_token(token.strip())

    async def by_token(self, token: str) -> Caller:
        """Return who a token speaks for."""
        name, _, expires_at = token.partition("~")
        if not expires_at.isdigit() or time.time() >= int(expires_at):
            raise _refused("This is no token that is good.")
        self.loads.append(name)
        if name not in self.people:
            raise _refused("The token speaks for nobody.")
        return Caller(self.people[name], float(expires_at))

    async def reload(self, account: Person) -> Person | None:
        """Return somebody as they are now."""
        self.loads.append(account.external_ref)
        return self.people.get(account.external_ref)

    def has_expired(self, caller: Caller) -> bool:
        """Tell whether a token is over."""
        return caller.expires_at is not None and time.time() >= caller.expires_at

    async def lost_access(self, people: Collection[Person]) -> dict[Person, str]:
        """Return who has gone or lost a role."""
        now = {one: self.people.get(one.external_ref) for one in people}
        gone = {one: "The account has no access any more." for one, found in now.items() if found is None}
        less = {one: "The account has lost a role." for one, found in now.items() if found and one.roles - found.roles}
        return gone | less


def _refused(message: str) -> RequestRefused:
    return RequestRefused(401, ErrorCode.UNAUTHENTICATED, message, [(b"www-authenticate", b"Bearer")])


def somebody(external_ref: str, *roles: str) -> Person:
    """Return a person."""
    return Person(external_ref, frozenset(roles))


def everybody() -> dict[str, Person]:
    """Return the people every server starts with."""
    return {"ada": somebody("ada", "PRO"), "sam": somebody("sam", "SUPPORT")}


@dataclass
class Desk:
    """One app with its people and its engine."""

    app: Starlette
    authentication: ToyAuthentication
    toy: Toy
    limits: Limits
    url: str = ""
    port: int = 0
    loop: asyncio.AbstractEventLoop | None = None
    server: Any = None
    thread: threading.Thread | None = field(default=None, repr=False)

    @property
    def people(self) -> dict[str, Person]:
        """Return who is known, by name."""
        return self.authentication.people

    @property
    def loads(self) -> list[str]:
        """Return who was looked for."""
        return self.authentication.loads

    def stop(self) -> None:
        """Stop serving, and wait until it has ended."""
        assert self.thread is not None
        self.server.should_exit = True
        self.thread.join(PATIENCE_SECONDS)
        assert not self.thread.is_alive(), "the server did not stop"

    def token(self, external_ref: str = "ada", *, lifetime_seconds: int = 3600) -> str:
        """Return a token for that person."""
        return f"{external_ref}~{int(time.time()) + lifetime_seconds}"

    def bearer(self, external_ref: str = "ada") -> dict[str, str]:
        """Return the header that person sends."""
        return {"authorization": f"Bearer {self.token(external_ref)}"}


MakeDesk = Callable[..., Desk]


class _Silent:
    """Tells of no change of accounts."""

    async def wait(self, timeout_seconds: float | None = None) -> bool:
        """Wait until the time is over."""
        await asyncio.sleep(timeout_seconds or 0.5)
        return False


@contextlib.asynccontextmanager
async def no_changes() -> AsyncIterator[_Silent]:
    """Let changes of accounts be found by looking alone."""
    yield _Silent()


def desk_app() -> Starlette:
    """Return the app of a desk, made in whatever process asks for it."""
    return desk_of().app


def tell_pid() -> None:
    """Print which process has started."""
    os.write(1, f"started {os.getpid()}\n".encode())


def desk_of(**parts: Any) -> Desk:
    """Return an app with any part of its roads replaced."""
    limits: Limits = parts.setdefault("limits", patient())
    authentication, toy, metrics = ToyAuthentication(everybody()), toy_engine(limits), Metrics("refundgql")
    given: dict[str, Any] = {
        "engine": toy.engine,
        "make_context": toy.context,
        "authentication": authentication,
        "lost_access": authentication.lost_access,
        "account_changes": no_changes,
        "metrics": metrics,
        **parts,
    }
    roads = Roads(**given)

    async def alive(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def scrape(_: Request) -> Response:
        return Response(metrics.exposition(), media_type="text/plain")

    app = Starlette(
        routes=[Route("/healthz", alive, methods=["GET"]), Route("/metrics", scrape, methods=["GET"])],
        middleware=[
            *([Middleware(Cors, allowed_origins=roads.allowed_origins)] if roads.allowed_origins else []),
            roads.front_door(),
        ],
        exception_handlers={HTTPException: answer_router},
        lifespan=lambda _: roads.watched(),
    )
    return Desk(app, authentication, toy, limits)


@contextlib.contextmanager
def serving(desk: Any, port: int = 0, **options: Any) -> Iterator[Any]:
    """Serve the app from a thread of this process until the block ends."""
    listener = socket.create_server(("127.0.0.1", port))
    given = Serving(**{"max_message_bytes": desk.limits.max_message_bytes, "shutdown_seconds": 2, **options})
    config = make_config(lambda: desk.app, given, lambda: None)
    server = uvicorn.Server(config)

    def run() -> None:
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            desk.loop = runner.get_loop()
            runner.run(server.serve(sockets=[listener]))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        threading.Event().wait(0.01)
    desk.port = listener.getsockname()[1]
    desk.url = f"http://127.0.0.1:{desk.port}"
    desk.server, desk.thread = server, thread
    try:
        yield desk
    finally:
        desk.stop()


def let_tokens_run_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the clock by which servers of this process end connections behind the end of every token."""
    later = time.time() + 10**6
    monkeypatch.setattr(connections, "time", SimpleNamespace(time=lambda: later))


@pytest.fixture
def standing_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep requests in one minute: another one that begins meanwhile lets more of them in."""
    monkeypatch.setattr(rate, "time", SimpleNamespace(monotonic=lambda: 6_000_000.0))


def slow_acts(desk: Desk) -> Desk:
    """Begin to count the toy's slow mutations anew, none of which finishes until it is told."""
    desk.toy.begun = desk.toy.finished = 0
    desk.toy.may_finish = False
    return desk


async def begun(desk: Desk, times: int = 1) -> None:
    """Wait until the toy's slow mutation has begun so many times."""
    await until(lambda: desk.toy.begun == times)


async def finished_by_itself(desk: Desk, http: httpx.AsyncClient, times: int = 1) -> None:
    """Let the toy's mutations finish whose client has left, once the server has had time to notice that."""
    for _ in range(5):
        answer = await http.post(f"{desk.url}/graphql", json={"query": "{ hello }"})
        assert answer.status_code == 200
    assert desk.toy.finished == 0
    desk.toy.may_finish = True
    await until(lambda: desk.toy.finished == times)


def _options(parts: dict[str, Any]) -> dict[str, Any]:
    ours = ("port", "ping_seconds", "pong_seconds", "shutdown_seconds")
    return {name: parts.pop(name) for name in ours if name in parts}


@pytest.fixture(scope="session")
def plain_desk() -> Iterator[Desk]:
    """Return the one server that all tests without wishes of their own share."""
    with serving(desk_of()) as desk:
        yield desk


@pytest.fixture
def serve(request: pytest.FixtureRequest) -> Iterator[MakeDesk]:
    """Return a factory of running servers; without wishes it is a shared one, as good as new."""
    with contextlib.ExitStack() as stack:

        def make(**parts: Any) -> Desk:
            if parts:
                options = _options(parts)
                made: Desk = stack.enter_context(serving(desk_of(**parts), **options))
                return made
            desk: Desk = request.getfixturevalue("plain_desk")
            desk.people.clear()
            desk.people.update(everybody())
            desk.loads.clear()
            return desk

        yield make


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """Return a client with no headers of its own beyond httpx's."""
    async with httpx.AsyncClient() as client:
        yield client
