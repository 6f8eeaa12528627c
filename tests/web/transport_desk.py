"""An app with its people and its engine, served on a loopback port of this process."""

import asyncio
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from patience import PATIENCE_SECONDS
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import Role
from refundgql.gql.limits import Limits
from refundgql.web.app import Transport, build_app
from refundgql.web.keys import LocalKey
from refundgql.web.tokens import TokenIssuer, TokenRules, TokenVerifier
from toy_schema import Toy, toy_engine
from toy_server import no_changes
from wide_limits import patient

RULES = TokenRules(issuer="https://issuer.test", audience="refundgql")


@dataclass
class Desk:
    """One app with its key, its people and its engine."""

    app: Starlette
    limits: Limits
    issuer: TokenIssuer
    people: dict[str, Viewer]
    toy: Toy
    url: str = ""
    port: int = 0
    loop: asyncio.AbstractEventLoop | None = None
    server: Any = None
    thread: threading.Thread | None = None

    def stop(self) -> None:
        """Stop serving, and wait until it has ended."""
        assert self.thread is not None
        self.server.should_exit = True
        self.thread.join(PATIENCE_SECONDS)
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
    limits = parts.setdefault("limits", patient())
    toy = toy_engine(limits)
    parts.setdefault("engine", toy.engine)

    async def load_viewer(external_ref: str) -> Viewer | None:
        return known.get(external_ref)

    parts.setdefault("make_context", toy.context)
    parts.setdefault("verifier", TokenVerifier(key, RULES))

    async def load_viewers(external_refs: Collection[str]) -> dict[str, Viewer]:
        return {ref: known[ref] for ref in list(external_refs) if ref in known}

    parts.setdefault("load_viewer", load_viewer)
    parts.setdefault("load_viewers", load_viewers)
    parts.setdefault("account_changes", no_changes)
    return Desk(build_app(Transport(**parts)), limits, TokenIssuer(key, RULES), known, toy)
