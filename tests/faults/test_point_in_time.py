"""A cluster goes back to an instant between two backups, by the commands of docs/operations.md."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from docs_blocks import block, done, tools

from databases import LIMITS
from patience import PATIENCE_SECONDS
from refundgql.storage.database import Database
from refundgql.storage.migrating import migrate

pytestmark = pytest.mark.slow

BACKUP = 'pg_basebackup --checkpoint=fast --pgdata=base --dbname="$REFUNDGQL_DATABASE_URL"'
RESTORE = "cat >> base/postgresql.auto.conf <<EOF"
WAIT = ("--wait", f"--timeout={PATIENCE_SECONDS:.0f}")


class Cluster:
    """A PostgreSQL cluster in a folder, run as somebody who may run one."""

    def __init__(self, folder: Path) -> None:
        """Keep the folder; nothing runs yet."""
        self.folder = folder
        self.archive = folder / "archive"
        self.archive.mkdir()

    def tool(self, *command: str) -> None:
        """Run one of PostgreSQL's own tools; the server refuses to be root's."""
        who = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        made = subprocess.run(
            [*who, *command],
            cwd=self.folder,
            env={"PATH": tools(), "HOME": str(self.folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert made.returncode == 0, made.stderr

    def own(self) -> None:
        """Give everything to whoever runs the server."""
        if os.geteuid() == 0:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, 65534, 65534, follow_symlinks=False)

    def start(self, data: str) -> None:
        """Start the cluster of a folder."""
        self.own()
        self.tool("pg_ctl", "--pgdata", data, *WAIT, "--log", f"{data}.log", "start")

    def stop(self, data: str) -> None:
        """Stop it."""
        self.tool("pg_ctl", "--pgdata", data, "--mode=fast", *WAIT, "stop")

    @property
    def url(self) -> str:
        """Return the address of its database."""
        return f"postgresql://desk@/postgres?host={self.folder}"


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Give a cluster that archives its log, and end it."""
    folder = Path(tempfile.mkdtemp(prefix="refundgql-pitr-"))
    made = Cluster(folder)
    made.own()
    made.tool("initdb", "--pgdata", "data", "--username", "desk", "--auth", "trust", "--no-sync")
    more = f"listen_addresses = ''\nunix_socket_directories = '{folder}'\narchive_mode = on\n"
    more += f"archive_command = 'cp %p {made.archive}/%f'\nfsync = off\n"
    with (folder / "data" / "postgresql.conf").open("a") as conf:
        conf.write(more)
    made.start("data")
    yield made
    for data in ("data", "base"):
        if (folder / data / "postmaster.pid").exists():
            made.stop(data)
    shutil.rmtree(folder)


async def _write(url: str, ref: str) -> str:
    """Add an account, let the log's segment be archived, and return the instant after it."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "INSERT INTO account (id, external_ref, name, roles, created_at) VALUES ("
            "gen_random_uuid(), $1, 'x', '', 1)",
            ref,
        )
        instant: str = await connection.fetchval("SELECT clock_timestamp()::text")
        await connection.execute("SELECT pg_switch_wal()")
    finally:
        await connection.close()
    return instant


async def _refs(url: str) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        while True:  # only the server knows
            if not await connection.fetchval("SELECT pg_is_in_recovery()"):
                break
            await asyncio.sleep(0.05)
        return [row[0] for row in await connection.fetch("SELECT external_ref FROM account ORDER BY 1")]
    finally:
        await connection.close()


async def _migrated(url: str) -> None:
    database = await Database.open(url, LIMITS)
    await migrate(database)
    await database.close()


def test_a_cluster_goes_back_to_an_instant(cluster: Cluster) -> None:
    """What was written until then is there and what came later is not; the ledger is proven, and it takes writes."""
    settings = {"REFUNDGQL_DATABASE_URL": cluster.url, "REFUNDGQL_BUS": "memory"}
    asyncio.run(_migrated(cluster.url))
    asyncio.run(_write(cluster.url, "before-the-backup"))
    done(block("operations.md", BACKUP).text, cluster.folder, **settings)
    instant = asyncio.run(_write(cluster.url, "before-the-mistake"))
    asyncio.run(_write(cluster.url, "mistake"))
    cluster.stop("data")
    done(block("operations.md", RESTORE).text, cluster.folder, ARCHIVE=str(cluster.archive), INSTANT=instant)
    cluster.start("base")
    assert asyncio.run(_refs(cluster.url)) == ["before-the-backup", "before-the-mistake"]
    done("refundgql restored && refundgql ledger verify", cluster.folder, **settings)
    asyncio.run(_write(cluster.url, "afterwards"))
