"""Fixtures that every test may use: real databases, both of them."""

from __future__ import annotations

import gc
import os
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx._config
import httpx._transports.default
import hypothesis
import pytest
import websockets.asyncio.client
import websockets.sync.client

from patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from refundgql.storage.database import Database

LONGEST = (
    "test_hostile_application",
    "test_executors_agree",
    "test_sending",
    "test_stream",
    "test_readiness",
    "test_benchmarks",
    "test_access_ends",
    "test_tracing",
    "test_stateful",
    "test_import_records",
    "test_killed_webhooks",
    "test_visibility_matrix",
    "test_killed_servers",
    "test_graphiql",
    "test_backup",
)
"""The files that take longest, or wait most: begun last, a file would be waited for by all other workers."""

MEMORY = "/dev/shm"
ROOM_BYTES = 8 * 2**30
"""More than all that tests keep at once; smaller machines, and containers, have less there."""


def _keep_in_memory() -> None:
    """Let what tests write stay in memory where there is room: a copied database is 900 files."""
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK):
        return
    found = os.statvfs(MEMORY)
    if found.f_bavail * found.f_frsize >= ROOM_BYTES and not found.f_flag & os.ST_NOEXEC:
        os.environ["TMPDIR"] = tempfile.tempdir = MEMORY


_keep_in_memory()

_new_context = httpx._transports.default.create_ssl_context


@cache
def _context(_authorities: tuple[str | None, ...], *given: Any, **named: Any) -> ssl.SSLContext:
    return _new_context(*given, **named)


def _shared_context(*given: Any, **named: Any) -> ssl.SSLContext:
    """Return one context for all clients: each would read the world's authorities anew, to speak plain HTTP."""
    return _context((os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")), *given, **named)


httpx._transports.default.create_ssl_context = _shared_context

gc.disable()  # until the tests are collected: what is imported stays


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """Collect from now on what tests leave behind, and never look at what was imported again."""
    gc.freeze()
    gc.enable()


# A busy machine may take longer over an operation than a desk allows, over an answer than httpx waits, and over an
# example than hypothesis does.
os.environ.setdefault("REFUNDGQL_OPERATION_TIMEOUT_SECONDS", str(PATIENCE_SECONDS))
for _waits in ("connect", "read", "write", "pool"):
    setattr(httpx._config.DEFAULT_TIMEOUT_CONFIG, _waits, PATIENCE_SECONDS)
for _connects in (websockets.asyncio.client.connect.__init__, websockets.sync.client.connect):
    _connects.__kwdefaults__ |= {"open_timeout": PATIENCE_SECONDS, "ping_timeout": PATIENCE_SECONDS}

_any_machine = hypothesis.settings(
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture],
)
hypothesis.settings.register_profile("random", _any_machine)
# The check tries the same examples each time; who runs tests by hand tries others, and keeps those that fail.
hypothesis.settings.register_profile("check", _any_machine, derandomize=True, database=None)
hypothesis.settings.register_profile("quick", hypothesis.settings.get_profile("check"), max_examples=25)
hypothesis.settings.load_profile("random")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, then those that have slow tests, then all the others.

    Above storage, whatever is tried on both databases is tried on PostgreSQL in the whole check alone.
    """
    for item in items:
        parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        if "postgres" in parameters.values() and item.path.parent.name != "storage":
            item.add_marker("again")
    slow = {item.path for item in items if item.get_closest_marker("slow") is not None}
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: (places.get(item.path.stem, len(places)), item.path not in slow))


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of a fresh, migrated database, once for each kind."""
    from databases import drop_database, new_database_url

    url = new_database_url(request.param, tmp_path)
    yield url
    drop_database(url)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Give a fresh, migrated database, open, once for each kind."""
    opened = await _opened(database_url)
    yield opened
    await opened.close()


async def _opened(url: str) -> Database:
    # Tests of the server alone have no use for a database: what knows one is imported by those that ask for it.
    from databases import LIMITS
    from refundgql.storage.database import Database

    return await Database.open(url, LIMITS)


@pytest.fixture
def postgres_url(tmp_path: Path) -> Iterator[str]:
    """Give the URL of a fresh, migrated PostgreSQL database."""
    from databases import drop_database, new_database_url

    url = new_database_url("postgres", tmp_path)
    yield url
    drop_database(url)


@pytest.fixture
async def postgres(postgres_url: str) -> AsyncIterator[Database]:
    """Give a fresh, migrated PostgreSQL database, open."""
    opened = await _opened(postgres_url)
    yield opened
    await opened.close()


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    """Give a fresh, migrated SQLite database, open."""
    from databases import new_database_url

    opened = await _opened(new_database_url("sqlite", tmp_path))
    yield opened
    await opened.close()
