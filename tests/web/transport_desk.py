"""An app with its people and its engine, served on a loopback port of this process."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import Role
from refundgql.gql.limits import Limits
from refundgql.web.app import Transport, build_app
from refundgql.web.keys import LocalKey
from refundgql.web.server import Serving, make_config
from refundgql.web.tokens import TokenIssuer, TokenRules, TokenVerifier
from toy_schema import Toy, toy_engine

RULES = TokenRules(issuer="https://issuer.test", audience="refundgql")


@dataclass
class Desk:
    """One app with its key, its people and its engine."""

    transport: Transport
    issuer: TokenIssuer
    people: dict[str, Viewer]
    toy: Toy
    url: str = ""
    port: int = 0
    loads: list[str] = field(default_factory=list)
    loop: asyncio.AbstractEventLoop | None = None
    server: Any = None
    thread: threading.Thread | None = None

    def stop(self) -> None:
        """Stop serving, and wait until it has ended."""
        assert self.thread is not None
        self.server.should_exit = True
        self.thread.join(15)
        assert not self.thread.is_alive(), "the server did not stop"

    def token(self, external_ref: str = "ada", **options: Any) -> str:
        """Return a token for that person."""
        return self.issuer.issue_token(external_ref, **options)

    def bearer(self, external_ref: str = "ada") -> dict[str, str]:
        """Return the header that person sends."""
        return {"authorization": f"Bearer {self.token(external_ref)}"}


MakeDesk = Callable[..., Desk]


def viewer(external_ref: str, *roles: Role) -> Viewer:
    """Return a viewer of that name."""
    return Viewer(f"id-of-{external_ref}", external_ref, external_ref.title(), frozenset(roles))


def people() -> dict[str, Viewer]:
    """Return the people every desk starts with."""
    return {"ada": viewer("ada", Role.PRO), "sam": viewer("sam", Role.SUPPORT)}


def desk_of(folder: Path, **parts: Any) -> Desk:
    """Return an app with any part replaced."""
    key = LocalKey.load_or_create(folder / "key.pem")
    known = people()
    limits = parts.setdefault("limits", Limits())
    toy = toy_engine(limits)
    parts.setdefault("engine", toy.engine)
    loads: list[str] = []

    async def load_viewer(external_ref: str) -> Viewer | None:
        loads.append(external_ref)
        return known.get(external_ref)

    parts.setdefault("make_context", toy.context)
    parts.setdefault("verifier", TokenVerifier(key, RULES))

    async def load_viewers(external_refs: Collection[str]) -> dict[str, Viewer]:
        return {ref: known[ref] for ref in list(external_refs) if ref in known}

    parts.setdefault("load_viewer", load_viewer)
    parts.setdefault("load_viewers", load_viewers)
    return Desk(Transport(**parts), TokenIssuer(key, RULES), known, toy, loads=loads)


@contextlib.contextmanager
def serving(desk: Desk, port: int = 0, **options: Any) -> Iterator[Desk]:
    """Serve the app from a thread of this process until the block ends."""
    listener = socket.create_server(("127.0.0.1", port))
    app = build_app(desk.transport)
    limits = desk.transport.limits
    serving = Serving(max_message_bytes=limits.max_message_bytes, shutdown_seconds=2, **options)
    config = make_config(lambda: app, serving, lambda: None)
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


def slow_acts(desk: Desk) -> Desk:
    """Begin to count the toy's slow mutations anew, none of which finishes until it is told."""
    desk.toy.begun = desk.toy.finished = 0
    desk.toy.may_finish = False
    return desk


async def begun(desk: Desk, times: int = 1) -> None:
    """Wait until the toy's slow mutation has begun so many times."""
    for _ in range(1_000):
        if desk.toy.begun == times:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the mutation did not begin")


async def finished_by_itself(desk: Desk, http: httpx.AsyncClient, times: int = 1) -> None:
    """Let the toy's mutations finish whose client has left, once the server has had time to notice that."""
    for _ in range(5):
        answer = await http.post(f"{desk.url}/graphql", json={"query": "{ hello }"})
        assert answer.status_code == 200
    assert desk.toy.finished == 0
    desk.toy.may_finish = True
    for _ in range(1_000):
        if desk.toy.finished == times:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the mutation was cut off")
