"""Both databases behave the same to their callers, also when statements fail, wait or are given up."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import asyncpg
import pytest
from seeds import account

from databases import LIMITS, new_database_url
from patience import PATIENCE_SECONDS, until
from refundgql.storage.database import Database, DatabaseLimits, Dialect, Write
from refundgql.storage.faults import CommitUnknown, ConstraintViolated, StatementTimeout, StorageError, TransientFault
from refundgql.storage.ids import new_id
from refundgql.storage.statements import counted_statements, for_postgres, for_sqlite, sqlite_parameters


def test_statements_are_spelt_for_each_database() -> None:
    """Placeholders are numbered, list look-ups become one parameter each, and texts in quotes stay as they are."""
    sql = "SELECT '?' FROM t WHERE a = ? AND b = ANY(?) AND c = '= ANY(?)' AND d = ?"
    assert for_postgres(sql) == "SELECT '?' FROM t WHERE a = $1 AND b = ANY($2) AND c = '= ANY(?)' AND d = $3"
    statement = for_sqlite(sql)
    assert statement.sql == (
        "SELECT '?' FROM t WHERE a = ? AND b IN (SELECT value FROM json_each(?)) AND c = '= ANY(?)' AND d = ?"
    )
    assert sqlite_parameters(statement, (1, ["x", "y"], 2)) == [1, '["x","y"]', 2]


async def test_rows_are_read_by_name_and_by_place(database: Database) -> None:
    """A row gives its values by column name and by position, and ids come back as the text they were given as."""
    async with database.transaction() as tx:
        one, other = await account(tx, "PRO"), await account(tx, "CLIENT")
    rows = await database.fetch("SELECT id, roles FROM account WHERE id = ANY(?) ORDER BY roles", ([one, other],))
    assert [(row["id"], row[1]) for row in rows] == [(other, "CLIENT"), (one, "PRO")]
    assert list(rows[0].keys()) == ["id", "roles"]
    assert await database.fetch_row("SELECT id FROM account WHERE id = ANY(?)", ([],)) is None
    assert await database.fetch_value("SELECT count(*) FROM account") == 2


async def test_statements_are_counted(database: Database) -> None:
    """Each statement of a task counts once, inside transactions too."""
    with counted_statements() as statements:
        await database.fetch("SELECT 1")
        async with database.transaction() as tx:
            await account(tx, "PRO")
            await tx.fetch_value("SELECT 2")
    assert len(statements) == 3
    await database.fetch("SELECT 1")
    assert len(statements) == 3


async def test_a_transaction_reads_its_own_writes_and_others_do_not(database: Database) -> None:
    """What is not committed is seen inside only; a reader beside it is not kept waiting."""
    async with database.transaction() as tx:
        await account(tx, "PRO")
        assert await tx.fetch_value("SELECT count(*) FROM account") == 1
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await asyncio.create_task(database.fetch_value("SELECT count(*) FROM account")) == 0
    assert await database.fetch_value("SELECT count(*) FROM account") == 1


async def test_readers_cannot_write(database: Database) -> None:
    """A statement for reading that writes is refused by the database."""
    with pytest.raises(StorageError):
        await database.fetch("DELETE FROM account")


async def test_a_transaction_that_is_given_up_frees_the_writer(database: Database) -> None:
    """Cancelled in the middle of a statement, a transaction is undone and the next ones run."""
    slow = (
        "SELECT pg_sleep(300)"
        if database.dialect is Dialect.POSTGRES
        else "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    )
    started = asyncio.Event()

    async def give_up() -> None:
        async with database.transaction() as tx:
            await account(tx, "PRO")
            started.set()
            await tx.fetch(slow)

    for _ in range(8):  # more often than there are connections
        started.clear()
        task = asyncio.create_task(give_up())
        await started.wait()
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with asyncio.timeout(PATIENCE_SECONDS / 2), database.transaction() as tx:
        await account(tx, "CLIENT")
    assert await database.fetch_value("SELECT count(*) FROM account") == 1


async def test_a_read_that_is_given_up_stops_and_frees_its_connection(database: Database) -> None:
    """More slow reads than there are connections are cancelled, and reading goes on at once."""
    slow = (
        "SELECT pg_sleep(300)"
        if database.dialect is Dialect.POSTGRES
        else "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    )
    tasks = [asyncio.create_task(database.fetch(slow)) for _ in range(LIMITS.read_connections * 2)]
    await asyncio.sleep(0.1)
    async with (
        asyncio.timeout(PATIENCE_SECONDS / 2),
        database.transaction() as tx,
    ):  # slow lists do not delay a decision
        await account(tx, "PRO")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(PATIENCE_SECONDS / 2):
        assert await database.fetch_value("SELECT count(*) FROM account") == 1


async def test_an_error_of_the_caller_is_not_taken_for_the_databases(database: Database) -> None:
    """What a block itself raises, a time-out included, leaves the block as it is."""
    for error in (TimeoutError("mine"), OSError("mine"), KeyError("mine")):
        with pytest.raises(type(error), match="mine"):
            async with database.transaction():
                raise error


async def test_a_connection_that_the_server_ends_is_a_transient_fault(postgres: Database) -> None:
    """Killed in a transaction: a typed fault, and the next transaction gets a new connection."""

    async def lose() -> None:
        async with postgres.transaction() as tx:
            await account(tx, "PRO")
            pid = await tx.fetch_value("SELECT pg_backend_pid()")
            admin = await asyncpg.connect(postgres.url)
            await admin.execute("SELECT pg_terminate_backend($1)", pid)
            await admin.close()
            await tx.fetch("SELECT 1")

    with pytest.raises(TransientFault):
        await lose()
    async with postgres.transaction() as tx:
        await account(tx, "PRO")
    assert await postgres.fetch_value("SELECT count(*) FROM account") == 1


async def test_a_commit_whose_answer_is_lost_is_known_to_be_unknown(postgres: Database) -> None:
    """Killed while it commits: a fault of its own, because only a repeat that can tell is safe."""
    async with postgres.transaction() as tx:
        await tx.execute(
            "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_sleep(600); RETURN NULL; END $$"
        )
        await tx.execute(
            "CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON account DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION linger()"
        )
    pids: list[int] = []

    async def write() -> None:
        async with postgres.transaction() as tx:
            pids.append(await tx.fetch_value("SELECT pg_backend_pid()"))
            await account(tx, "PRO")

    writing = asyncio.create_task(write())
    admin = await asyncpg.connect(postgres.url)
    lingers = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND pid = $1)"
    await until(lambda: pids and admin.fetchval(lingers, pids[0]))
    await admin.execute("SELECT pg_terminate_backend($1)", pids[0])
    await admin.close()
    with pytest.raises(CommitUnknown):
        await writing
    assert await postgres.fetch_value("SELECT count(*) FROM account") == 0


async def test_what_is_put_off_runs_before_anything_else(database: Database) -> None:
    """Writes put off are there for the next read, at the latest for the commit, and are undone with their block."""

    def insert(account_id: str) -> Write:
        sql = "INSERT INTO account (id, external_ref, name, roles, created_at) VALUES (?, ?, 'N', 'PRO', 0)"
        return Write(sql, (account_id, account_id))

    one, other, third = new_id(), new_id(), new_id()
    async with database.transaction() as tx:
        tx.later(insert(one), insert(other))
        assert await tx.fetch_value("SELECT count(*) FROM account") == 2
        tx.later(insert(third))
    assert await database.fetch_value("SELECT count(*) FROM account") == 3

    async def undone() -> None:
        async with database.transaction() as tx:
            tx.later(Write("UPDATE account SET name = 'X' WHERE id = ?", (one,)), insert(one))

    async def lost() -> None:
        async with database.transaction() as tx:
            tx.later(
                Write("UPDATE account SET name = 'X' WHERE id = ?", (one,), expected=1),
                Write("UPDATE account SET name = 'X' WHERE id = ?", (new_id(),), expected=1),
            )

    with pytest.raises(ConstraintViolated):
        await undone()
    with pytest.raises(TransientFault):
        await lost()
    assert await database.fetch_value("SELECT count(*) FROM account WHERE name = 'X'") == 0


async def test_reading_survives_a_server_that_drops_its_connections(postgres: Database) -> None:
    """A read whose connection is ended in the middle is read again on another, without a fault."""
    admin = await asyncpg.connect(postgres.url)
    await admin.execute("SELECT pg_advisory_lock(1)")
    reading = asyncio.create_task(postgres.fetch_value("SELECT 7 FROM pg_advisory_lock_shared(1)"))
    await until(lambda: admin.fetchval("SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))
    await admin.execute(
        "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await admin.close()
    assert await reading == 7


async def test_deadlocks_are_transient_faults(postgres: Database) -> None:
    """Two transactions that lock each other's rows: one holds, the other is to be run again."""
    async with postgres.transaction() as tx:
        ids = [await account(tx, "PRO") for _ in range(2)]
    both = asyncio.Barrier(2)

    async def lock(first: str, second: str) -> None:
        async with postgres.transaction() as tx:
            await tx.execute("UPDATE account SET name = 'x' WHERE id = ?", (first,))
            await both.wait()
            await tx.execute("UPDATE account SET name = 'x' WHERE id = ?", (second,))

    results = await asyncio.gather(lock(*ids), lock(*reversed(ids)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["NoneType", "TransientFault"]


async def test_a_slow_statement_is_stopped(postgres_url: str) -> None:
    """A statement past its limit ends with a typed error, in reading and in writing."""
    opened = await Database.open(postgres_url, DatabaseLimits(statement_timeout_ms=2_000))
    try:
        with pytest.raises(StatementTimeout):
            await opened.fetch("SELECT pg_sleep(600)")
        with pytest.raises(StatementTimeout):
            async with opened.transaction() as tx:
                await tx.fetch("SELECT pg_sleep(600)")
    finally:
        await opened.close()


async def test_another_processes_write_lock_is_waited_for_and_then_a_transient_fault(tmp_path: Path) -> None:
    """While another connection writes, a transaction waits as long as it may and then asks to be run again."""
    url = new_database_url("sqlite", tmp_path)
    opened = await Database.open(url, DatabaseLimits(busy_timeout_ms=50))
    other = sqlite3.connect(url.removeprefix("sqlite://"), isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(2):  # the lock inside this process is free again after the first
            with pytest.raises(TransientFault):
                async with asyncio.timeout(PATIENCE_SECONDS / 2), opened.transaction():
                    pass
        other.execute("COMMIT")
        async with opened.transaction() as tx:
            await account(tx, "PRO")
    finally:
        other.close()
        await opened.close()


async def test_sqlite_is_opened_so_that_a_commit_is_on_disk(sqlite: Database) -> None:
    """WAL, synchronous FULL and foreign keys are on for the writer."""
    async with sqlite.transaction() as tx:
        values = [await tx.fetch_value(f"PRAGMA {name}") for name in ("journal_mode", "synchronous", "foreign_keys")]
    assert values == ["wal", 2, 1]


async def test_in_memory_reads_wait_for_the_transaction_or_say_what_is_wrong() -> None:
    """On one connection a reader waits for the writer; reading around one's own transaction is a plain error."""
    opened = await Database.open("sqlite://:memory:")
    try:
        async with opened.transaction() as tx:
            await tx.execute("CREATE TABLE t (i)")
            with pytest.raises(RuntimeError, match="through the transaction"):
                await opened.fetch("SELECT 1")
            reader = asyncio.create_task(opened.fetch_value("SELECT count(*) FROM t"))
            await tx.execute("INSERT INTO t VALUES (1)")
        assert await reader == 1
    finally:
        await opened.close()


async def test_a_stream_of_rows_is_one_snapshot(database: Database) -> None:
    """Rows committed while a stream is read do not appear in it."""
    async with database.transaction() as tx:
        for _ in range(30):
            await account(tx, "PRO")
    seen = 0
    async for _ in database.stream("SELECT id FROM account", batch=7):
        seen += 1
        if seen == 1:
            async with database.transaction() as tx:
                await account(tx, "PRO")
    assert seen == 30


async def test_a_stream_of_rows_has_its_turn_beside_readers(database: Database) -> None:
    """Readers that have used every connection at once keep none from a stream; one that nobody ends frees its own."""
    await asyncio.gather(*(database.fetch_value("SELECT count(*) FROM account") for _ in range(40)))
    for _ in range(LIMITS.read_connections + 1):
        rows = database.stream("SELECT 1 UNION ALL SELECT 2")
        async for _row in rows:
            break
        await rows.aclose()  # type: ignore[attr-defined]
    assert await database.fetch_value("SELECT 1") == 1


@pytest.mark.parametrize("url", ["mysql://x", "nonsense", "sqlite:///no/such/folder/x.db", "postgres://127.0.0.1:1/x"])
async def test_a_database_that_cannot_be_opened_says_so(url: str) -> None:
    """Other schemes, missing folders and absent servers are one sentence each."""
    with pytest.raises((ValueError, StorageError), match=r"database|SQLite|PostgreSQL"):
        await Database.open(url)


_WRITER = """
    import asyncio, sys
    sys.path[:0] = sys.argv[2:]
    from seeds import account
    from databases import LIMITS
    from refundgql.storage.database import Database

    async def main():
        database = await Database.open(sys.argv[1], LIMITS)
        while True:
            async with database.transaction() as tx:
                ids = [await account(tx, "PRO"), await account(tx, "CLIENT")]
            print(*ids, flush=True)

    asyncio.run(main())
"""


_FORGETFUL = """
    import asyncio, sys
    sys.path[:0] = sys.argv[2:]
    from databases import LIMITS
    from refundgql.storage.database import Database

    async def main():
        database = await Database.open(sys.argv[1], LIMITS)
        await database.fetch("SELECT 1")
        return database

    kept = asyncio.run(main())
    sys.exit(3)
"""


@pytest.mark.slow
def test_a_process_that_closes_nothing_still_ends(database_url: str, tmp_path: Path) -> None:
    """No thread of a database that nobody closed keeps its process from ending, with its own exit code."""
    script = tmp_path / "forgetful.py"
    script.write_text(textwrap.dedent(_FORGETFUL))
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, str(script), database_url, str(here), str(here.parent)], check=False, timeout=PATIENCE_SECONDS
    )
    assert done.returncode == 3


@pytest.mark.slow
async def test_what_was_acknowledged_survives_a_kill(database_url: str, tmp_path: Path) -> None:
    """A writer killed at once has lost no acknowledged transaction and left no half of another."""
    script = tmp_path / "writer.py"
    script.write_text(textwrap.dedent(_WRITER))
    here = Path(__file__).parent
    process = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, str(script), database_url, str(here), str(here.parent)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(20)]
    os.kill(process.pid, signal.SIGKILL)
    lines += process.stdout.read().splitlines()
    process.wait()
    acknowledged = {account_id for line in lines for account_id in line.split() if len(account_id) == 36}
    opened = await Database.open(database_url, LIMITS)
    try:
        kept = await opened.fetch("SELECT id, roles FROM account")
    finally:
        await opened.close()
    assert acknowledged <= {row["id"] for row in kept}
    assert sum(row["roles"] == "PRO" for row in kept) == sum(row["roles"] == "CLIENT" for row in kept)
