"""The schema is the sum of its migrations, on both databases, and the database itself refuses what must never be."""

from __future__ import annotations

import asyncio
import re
from importlib import import_module
from pathlib import Path

import pytest
from tortoise.migrations.autodetector import MigrationAutodetector

from databases import DIALECTS, LIMITS, drop_database, empty_database_url
from refundgql.storage.database import Database, Dialect
from refundgql.storage.faults import UnknownSchema
from refundgql.storage.schema import APPS, check_known, known_migrations, migrate, pending, tortoise


async def _tables(database: Database) -> dict[str, set[tuple[str, bool]]]:
    """Return each table's columns and whether they may be NULL, as the database has them."""
    if database.dialect is Dialect.SQLITE:
        names = await database.fetch("SELECT name FROM sqlite_master WHERE type = 'table'")
        found = {}
        for row in names:
            columns = await database.fetch(
                f"SELECT name, \"notnull\" AS needed FROM pragma_table_info('{row['name']}')"
            )
            found[row["name"]] = {(column["name"], not column["needed"]) for column in columns}
    else:
        rows = await database.fetch(
            "SELECT table_name, column_name, is_nullable FROM information_schema.columns WHERE table_schema = 'public'"
        )
        found = {}
        for row in rows:
            found.setdefault(row["table_name"], set()).add((row["column_name"], row["is_nullable"] == "YES"))
    return {name: columns for name, columns in found.items() if name not in ("tortoise_migrations", "sqlite_sequence")}


async def _indexes(database: Database) -> set[str]:
    if database.dialect is Dialect.SQLITE:
        rows = await database.fetch("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    else:
        rows = await database.fetch("SELECT indexname AS name FROM pg_indexes WHERE schemaname = 'public'")
    return {row["name"] for row in rows}


async def test_the_models_and_the_migrations_describe_one_schema(database: Database) -> None:
    """Tortoise's own generator finds nothing to add to the migrations, and the database's tables are the models'."""
    async with tortoise(database) as context:
        assert await MigrationAutodetector(context.apps, APPS).changes() == []
        models = context.apps["refundgql"].values()
        expected = {
            model._meta.db_table: {
                (field.source_field or name, field.null) for name, field in model._meta.fields_map.items()
            }
            for model in models
        }
        named = {index.name for model in models for index in model._meta.indexes}
    assert await _tables(database) == expected
    assert named <= await _indexes(database)


@pytest.fixture(params=DIALECTS)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path):
    """Give the URL of a database without a schema."""
    url = empty_database_url(request.param, tmp_path)
    yield url
    drop_database(url)


async def test_databases_from_before_the_queue_order_get_it(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the second migration ran before it made the queue's index, a later one makes it."""
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
        assert "case_queue_order" in await _indexes(database)
    finally:
        await database.close()


async def test_a_database_is_refused_until_it_is_migrated(empty_url: str) -> None:
    """An empty database lists every migration as pending and is refused; after migrating it is known."""
    database = await Database.open(empty_url, LIMITS)
    try:
        assert await pending(database) == known_migrations()
        with pytest.raises(UnknownSchema, match="refundgql migrate"):
            await check_known(database)
        assert await migrate(database) == known_migrations()
        await check_known(database)
        assert await pending(database) == []
        assert await migrate(database) == []
    finally:
        await database.close()


async def test_a_newer_schema_is_refused(database: Database) -> None:
    """A database that has seen a migration of a later version is not touched by this one."""
    async with database.transaction() as tx:
        at = "'2026-01-01'" if database.dialect is Dialect.SQLITE else "now()"
        await tx.execute(
            f"INSERT INTO tortoise_migrations (app, name, applied_at) VALUES ('refundgql', '9999_later', {at})"
        )
    with pytest.raises(UnknownSchema, match="9999_later"):
        await check_known(database)


async def test_processes_that_migrate_at_once_take_turns(empty_url: str) -> None:
    """Of three processes that start on an empty database one migrates, and the others find it done."""
    databases = [await Database.open(empty_url, LIMITS) for _ in range(3)]
    try:
        done = await asyncio.gather(*(migrate(database) for database in databases))
        assert sorted(len(names) for names in done) == [0, 0, len(known_migrations())]
    finally:
        for database in databases:
            await database.close()


async def test_a_migration_that_fails_leaves_nothing(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the second migration breaks, the first is undone with it and a repeat starts from nothing."""
    from refundgql.storage.migrations import _steps

    async def broken(*_: object) -> None:
        raise RuntimeError("the machine stopped")

    database = await Database.open(empty_url, LIMITS)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(_steps.RunFor, "_run", broken)
            patched.setattr(_steps.RunFor, "database_forward", broken)
            with pytest.raises(RuntimeError, match="stopped"):
                await migrate(database)
        assert await _tables(database) == {}
        assert await migrate(database) == known_migrations()
    finally:
        await database.close()


def test_no_model_has_a_docstring_that_a_migration_would_be_split_at() -> None:
    """Tortoise splits SQLite's statements at semicolons, so table comments hold none."""
    source = (Path(__file__).parents[2] / "src/refundgql/storage/migrations/0001_initial.py").read_text()
    assert not re.search(r'"table_description": "[^"]*;', source)
