"""Migrations run while others use the database: nobody waits long, nothing is done by half, and a repeat goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from importlib import import_module
from itertools import accumulate
from pathlib import Path
from textwrap import dedent

import pytest
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from databases import DIALECTS, LIMITS, drop_database, empty_database_url, new_database_url
from patience import PATIENCE_SECONDS
from refundgql.domain.texts import fold
from refundgql.storage import migrations
from refundgql.storage.database import Database, Dialect
from refundgql.storage.faults import ConstraintViolated, UnknownSchema
from refundgql.storage.migrating import migrate, tortoise
from refundgql.storage.migrations import _steps
from refundgql.storage.schema import check_served, is_contraction, known_migrations, pending

LAST = known_migrations()[-1]
EXPANDING = [name for name in known_migrations() if not is_contraction(name)]


@pytest.fixture(params=DIALECTS)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of a database without a schema."""
    url = empty_database_url(request.param, tmp_path)
    yield url
    drop_database(url)


@pytest.fixture(params=DIALECTS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of a migrated database."""
    url = new_database_url(request.param, tmp_path)
    yield url
    drop_database(url)


class NextRelease:
    """A release that has more migrations than this one."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Look for migrations in a folder too."""
        self.folder = folder
        self.last = LAST
        monkeypatch.setattr(migrations, "__path__", [*migrations.__path__, str(folder)])

    def adds(self, name: str, operations: str) -> None:
        """Add a migration; names are used once, as Python keeps a module."""
        text = f"""
            from tortoise import fields
            from tortoise.migrations import operations as ops
            from tortoise.migrations.migration import Migration as BaseMigration
            from refundgql.storage.migrations._steps import (
                AddChecks, BuildIndexes, FillInBatches, RunFor, WidenChecks
            )

            class Migration(BaseMigration):
                dependencies = [("refundgql", "{self.last}")]
                operations = [{operations}]
        """
        (self.folder / f"{name}.py").write_text(dedent(text), encoding="utf-8")
        self.last = name


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NextRelease:
    """Give a release whose migrations a test writes."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    return NextRelease(folder, monkeypatch)


async def _columns(database: Database, table: str) -> set[str]:
    if database.dialect is Dialect.SQLITE:
        rows = await database.fetch(f"SELECT name FROM pragma_table_info('{table}')")
    else:
        rows = await database.fetch(
            "SELECT column_name AS name FROM information_schema.columns WHERE table_name = ?", (table,)
        )
    return {row["name"] for row in rows}


async def _index(database: Database, name: str) -> str | None:
    if database.dialect is Dialect.SQLITE:
        return await database.fetch_value("SELECT sql FROM sqlite_master WHERE type = 'index' AND name = ?", (name,))
    return await database.fetch_value(
        "SELECT indexdef FROM pg_indexes JOIN pg_index ON indexrelid = to_regclass(indexname)"
        " WHERE indexname = ? AND indisvalid",
        (name,),
    )


@pytest.mark.slow
async def test_processes_that_migrate_at_once_take_turns(empty_url: str) -> None:
    """Of three processes that start on an empty database each migration is done; late work may be ended by the next."""
    databases = [await Database.open(empty_url, LIMITS) for _ in range(3)]
    try:
        done = await asyncio.gather(*(migrate(database) for database in databases))
        assert {name for names in done for name in names} == set(known_migrations())
        assert await pending(databases[0]) == []
    finally:
        for database in databases:
            await database.close()


async def test_a_migration_that_fails_leaves_nothing_of_itself(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the second migration breaks, the first stays, nothing of the second does, and a repeat goes on there."""

    async def broken(*_: object) -> None:
        raise RuntimeError("the machine stopped")

    database = await Database.open(empty_url, LIMITS)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(_steps.RunFor, "database_forward", broken)
            with pytest.raises(RuntimeError, match="stopped"):
                await migrate(database)
        assert await pending(database) == EXPANDING[1:]
        assert await migrate(database) == EXPANDING[1:]
        await check_served(database)
    finally:
        await database.close()


async def test_late_work_that_was_interrupted_is_done_again(
    url: str, release: NextRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between a migration's transaction and its index, the schema serves and the next run builds the index."""
    index = "CREATE INDEX interrupted ON contract (title)"
    release.adds(
        "9001_interrupted",
        'ops.AddField("Contract", "note", fields.TextField(null=True)),'
        f'BuildIndexes(postgres=["{index}"]), FillInBatches(sqlite="{FILL}", postgres="{FILL}")',
    )

    async def killed(*_: object) -> None:
        raise RuntimeError("killed")

    database = await Database.open(url, LIMITS)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(_steps.BuildIndexes, "finish", killed)
            with pytest.raises(RuntimeError, match="killed"):
                await migrate(database)
        await check_served(database)
        assert await pending(database) == ["9001_interrupted"]
        assert await migrate(database) == ["9001_interrupted"]
        assert await pending(database) == []
        if database.dialect is Dialect.POSTGRES:
            assert await _index(database, "interrupted")
    finally:
        await database.close()


FILL = "UPDATE contract SET note = title WHERE id IN (SELECT id FROM contract WHERE note IS NULL LIMIT 2)"


async def test_what_was_added_is_filled_in_batches(url: str, release: NextRelease) -> None:
    """Rows from before are filled by short transactions, until none is left."""
    release.adds(
        "9002_filled",
        'ops.AddField("Contract", "note", fields.TextField(null=True)),'
        f'FillInBatches(sqlite="{FILL}", postgres="{FILL}")',
    )
    database = await Database.open(url, LIMITS)
    try:
        async with database.transaction() as tx:
            await _insert_contracts(tx, 5)
        await migrate(database)
        rows = await database.fetch("SELECT title, note FROM contract")
        assert len(rows) == 5
        assert all(row["title"] == row["note"] for row in rows)
    finally:
        await database.close()


async def _insert_contracts(tx: object, many: int) -> None:
    people = [f"01920000-0000-7000-8000-00000000000{number}" for number in (1, 2)]
    for number, person in enumerate(people):
        await tx.execute(  # type: ignore[attr-defined]
            "INSERT INTO account (id, external_ref, name, roles, created_at) VALUES (?, ?, 'x', 'CLIENT', 1)",
            (person, f"ref-{number}"),
        )
    for number in range(many):
        await tx.execute(  # type: ignore[attr-defined]
            "INSERT INTO contract (id, external_ref, kind, client_id, expert_id, title, status, currency, started_at)"
            " VALUES (?, ?, 'HOURLY', ?, ?, ?, 'OPEN', 'USD', 1)",
            (f"01920000-0000-7000-8000-0000000001{number:02}", f"contract-{number}", *people, f"title {number}"),
        )


async def test_a_check_is_widened(url: str, release: NextRelease) -> None:
    """Before, a word that the constraint does not know is refused; afterwards it is not, and others still are."""
    check = "CHECK (status IN ('OPEN', 'CLOSED', 'PAUSED'))"
    release.adds("9003_widened", f'WidenChecks({{"contract": {{"contract_status": "{check}"}}}})')
    pause = "UPDATE contract SET status = ? WHERE external_ref = 'contract-0'"
    database, beside = await Database.open(url, LIMITS), await Database.open(url, LIMITS)
    try:
        async with database.transaction() as tx:
            await _insert_contracts(tx, 1)
        with pytest.raises(ConstraintViolated, match="contract_status"):
            async with beside.transaction() as tx:
                await tx.execute(pause, ("PAUSED",))
        await migrate(database)
        for one in (database, beside):
            async with one.transaction() as tx:
                await tx.execute(pause, ("PAUSED",))
            with pytest.raises(ConstraintViolated, match="contract_status"):
                async with one.transaction() as tx:
                    await tx.execute(pause, ("LOST",))
        if database.dialect is Dialect.SQLITE:
            assert await database.fetch_value("PRAGMA integrity_check") == "ok"
    finally:
        await database.close()
        await beside.close()


async def test_a_check_is_added_to_rows_that_keep_it(url: str, release: NextRelease) -> None:
    """What is there and keeps it stays, also through other processes' connections; what breaks it is refused."""
    check = "CHECK (length(title) < 100)"
    release.adds("9006_checked", f'AddChecks({{"contract": {{"contract_title": "{check}"}}}})')
    rename = "UPDATE contract SET title = ? WHERE external_ref = 'contract-0'"
    database, beside = await Database.open(url, LIMITS), await Database.open(url, LIMITS)
    try:
        async with database.transaction() as tx:
            await _insert_contracts(tx, 1)
        async with beside.transaction() as tx:
            await tx.execute(rename, ("x" * 99,))
        await migrate(database)
        for one in (database, beside):
            with pytest.raises(ConstraintViolated, match="contract_title"):
                async with one.transaction() as tx:
                    await tx.execute(rename, ("x" * 100,))
        assert await database.fetch_value("SELECT length(title) FROM contract") == 99
        if database.dialect is Dialect.SQLITE:
            assert await database.fetch_value("PRAGMA integrity_check") == "ok"
        else:
            valid = "SELECT convalidated FROM pg_constraint WHERE conname = 'contract_title'"
            assert await database.fetch_value(valid)
    finally:
        await database.close()
        await beside.close()


async def test_what_older_releases_use_goes_only_when_asked_to(url: str, release: NextRelease) -> None:
    """`migrate` expands alone; with contract it removes too, and a release that does not know of it is refused."""
    release.adds("9004_contract_titles", 'ops.RemoveField("Contract", "title")')
    release.adds("9005_more", 'ops.AddField("Contract", "note", fields.TextField(null=True))')
    database = await Database.open(url, LIMITS)
    try:
        assert await migrate(database) == ["9005_more"]
        assert {"title", "note"} <= await _columns(database, "contract")
        assert await pending(database) == []
        assert await pending(database, contract=True) == ["9004_contract_titles"]
        await check_served(database)
        assert await migrate(database, contract=True) == ["9004_contract_titles"]
        assert "title" not in await _columns(database, "contract")
        await check_served(database)
        for file in release.folder.glob("*.py"):
            file.unlink()
        with pytest.raises(UnknownSchema, match="9004_contract_titles"):
            await check_served(database)
    finally:
        await database.close()


async def test_an_index_is_built_while_others_write(postgres: Database, release: NextRelease) -> None:
    """A transaction that has written and is still open neither stops the build for others nor fails; an invalid
    index that an earlier build left behind is replaced."""
    release.adds("9006_built", 'BuildIndexes(postgres=["CREATE INDEX built ON contract (title)"])')
    await _leave_invalid_index(postgres)
    told: list[str] = []
    async with postgres.transaction() as tx:
        await _insert_contracts(tx, 1)
        running = asyncio.create_task(migrate(postgres, tell=told.append))
        building = "SELECT count(*) FROM pg_stat_activity WHERE query ~ '^(CREATE|DROP) INDEX CON' AND state = 'active'"
        await _until(postgres, building)
        async with postgres.transaction() as other:
            await other.execute("UPDATE account SET name = 'y' WHERE external_ref = 'nobody'")
        assert not running.done()
    assert await running == ["9006_built"]
    assert await _index(postgres, "built")
    assert [line.partition(" done in ")[0] for line in told][-1] == "1/1 9006_built"


async def _until(postgres: Database, found: str) -> None:
    """Look until a statement finds something: only the server knows."""
    while True:
        if await postgres.fetch_value(found):
            return
        await asyncio.sleep(0.005)


async def _leave_invalid_index(postgres: Database) -> None:
    async with postgres.maintenance() as client:
        await client.execute_query("CREATE INDEX built ON contract (title)")
        await client.execute_query("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'built'::regclass")


async def test_a_migration_waits_for_a_lock_briefly_and_often(postgres: Database, release: NextRelease) -> None:
    """While a transaction holds the table, others that come later are let through between the attempts."""
    release.adds("9007_locked", 'ops.AddField("Contract", "note", fields.TextField(null=True))')
    told: list[str] = []
    async with postgres.transaction() as tx:
        await _insert_contracts(tx, 1)
        running = asyncio.create_task(migrate(postgres, tell=told.append))
        for _ in range(3):  # they come after an attempt, and well before the end of the transaction
            await _until(postgres, "SELECT count(*) FROM pg_locks WHERE NOT granted")
            async with asyncio.timeout(PATIENCE_SECONDS), postgres.transaction() as other:
                await other.fetch("SELECT title FROM contract")
        assert not running.done()
        assert any("trying again" in line for line in told)
    assert await running == ["9007_locked"]
    assert "note" in await _columns(postgres, "contract")


@pytest.mark.slow
async def test_databases_from_before_the_queue_order_get_it(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the second migration ran before it made the queue's index, later ones bring one all the same."""
    rules = import_module("refundgql.storage.migrations.0002_rules")
    before = [
        step
        for step in rules.Migration.operations
        if rules._QUEUE_ORDER not in vars(step).get("statements", {}).values()
    ]
    assert len(before) == len(rules.Migration.operations) - 1
    monkeypatch.setattr(rules.Migration, "operations", before)
    database = await Database.open(empty_url, LIMITS)
    try:
        await migrate(database)
        assert await _index(database, "case_queue_deadline")
    finally:
        await database.close()


async def _schema_text(database: Database) -> list[str]:
    """Return all indexes as they are defined."""
    if database.dialect is Dialect.SQLITE:
        rows = await database.fetch("SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    else:
        rows = await database.fetch("SELECT indexdef AS sql FROM pg_indexes WHERE schemaname = 'public'")
    return sorted(row["sql"] for row in rows)


def _as_first_landed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let 0005 and 0006 make the two indexes that they made before they were edited."""
    lists = import_module("refundgql.storage.migrations.0005_lists")
    category = ("CREATE INDEX lead_category ON lead ((LOWER(category)), charged_at, id)",)
    kept = [
        step
        for step in lists.Migration.operations
        if vars(step).get("statements", {}).get("sqlite") != lists._SQLITE_CATEGORY
    ]
    monkeypatch.setattr(lists.Migration, "operations", [*kept, _steps.RunFor(sqlite=category, postgres=category)])
    webhooks = import_module("refundgql.storage.migrations.0006_webhooks")
    kept = [step for step in webhooks.Migration.operations if isinstance(step, ops.CreateModel)]
    fields = ["endpoint_id", "state", "commit_order", "position"]
    queue = ops.AddIndex("WebhookDelivery", Index(fields=fields, name="webhook_delivery_queue"))
    monkeypatch.setattr(webhooks.Migration, "operations", [*kept, queue])
    assert (len(lists.Migration.operations), len(webhooks.Migration.operations)) == (12, 4)


@pytest.mark.slow
async def test_databases_from_before_landed_migrations_were_edited_get_the_same_schema(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever form of 0005 and 0006 ran first, all indexes are the same in the end."""
    database = await Database.open(empty_url, LIMITS)
    dialect = database.dialect.value
    edited_url = new_database_url(dialect, tmp_path)
    edited = await Database.open(edited_url, LIMITS)
    try:
        with monkeypatch.context() as patched:
            _as_first_landed(patched)
            await migrate(database, until="0007_guarded_writes")
        assert "WHERE" not in (await _index(database, "webhook_delivery_queue") or "")
        assert "0009_same_indexes" in await migrate(database, contract=True)
        assert await _schema_text(database) == await _schema_text(edited)
    finally:
        await database.close()
        await edited.close()
        drop_database(edited_url)


@pytest.mark.slow
async def test_postings_from_before_are_given_the_instant_they_were_booked_at(empty_url: str) -> None:
    """It is the latest that had been booked until then, in batches as at once; nothing else of a posting changes."""
    database = await Database.open(empty_url, LIMITS)
    try:
        await migrate(database, until="0007_guarded_writes")
        many = 4_100  # three batches
        at = [7 if number % 1_000 else number for number in range(1, many + 1)]
        async with database.transaction() as tx:
            await tx.execute(
                "INSERT INTO ledger_account (key, kind, currency, balance_minor) VALUES (?, 'balance', 'USD', 0)",
                ("balance:somebody:LEADS:USD",),
            )
            await tx.execute_many(
                "INSERT INTO posting (id, at, fact, from_key, to_key, amount_minor, currency, description)"
                " VALUES (?, ?, 'OPENING', 'external:x:USD', 'balance:somebody:LEADS:USD', 1, 'USD', 'x')",
                [(f"01920000-0000-7000-8000-{number:012}", moment) for number, moment in enumerate(at)],
            )
        before = [tuple(row) for row in await database.fetch("SELECT position, id, at FROM posting ORDER BY position")]
        await migrate(database)
        rows = await database.fetch("SELECT position, id, at, booked_at FROM posting ORDER BY position")
        assert [tuple(row)[:3] for row in rows] == before
        assert [row["booked_at"] for row in rows] == list(accumulate(at, max))
        assert await database.fetch_value("SELECT booked_at FROM ledger_account") == max(at)
        with pytest.raises(ConstraintViolated, match="posting_append_only"):
            async with database.transaction() as tx:
                await tx.execute("UPDATE posting SET booked_at = 1")
    finally:
        await database.close()


@pytest.mark.slow
async def test_texts_from_before_are_folded(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What searches look at is filled by code, a batch at a time, and nothing is left out."""
    monkeypatch.setattr(_steps, "_ROWS_AT_ONCE", 2)
    database = await Database.open(empty_url, LIMITS)
    try:
        await migrate(database, until="0009_same_indexes")
        async with database.transaction() as tx:
            await _insert_contracts(tx, 5)
        await migrate(database)
        rows = await database.fetch("SELECT title, external_ref, folded FROM contract")
        assert len(rows) == 5
        assert all(row["folded"] == "\n".join((fold(row["title"]), fold(row["external_ref"]))) for row in rows)
    finally:
        await database.close()


async def test_models_are_reached_through_connections_of_their_own(database: Database) -> None:
    """Tortoise's client is not one that requests wait for."""
    async with tortoise(database) as (_, client):
        assert await client.execute_query_dict("SELECT 1 AS one") == [{"one": 1}]
