"""The schema is the sum of its migrations, on both databases, and the database itself refuses what must never be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tortoise.migrations.autodetector import MigrationAutodetector

from databases import DIALECTS, LIMITS, drop_database, empty_database_url
from refundgql.storage.database import Database, Dialect
from refundgql.storage.faults import UnknownSchema
from refundgql.storage.migrating import APPS, migrate, tortoise
from refundgql.storage.migrations import SERVED_WITHOUT
from refundgql.storage.schema import (
    LAST_OF_TORTOISE,
    applied_migrations,
    check_served,
    is_contraction,
    known_migrations,
    pending,
)

NOTES = ("tortoise_migrations", "schema_change", "sqlite_sequence")
"""What says which migrations have run, and SQLite's own."""


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
    return {name: columns for name, columns in found.items() if name not in NOTES}


async def _indexes(database: Database) -> set[str]:
    if database.dialect is Dialect.SQLITE:
        rows = await database.fetch("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    else:
        rows = await database.fetch("SELECT indexname AS name FROM pg_indexes WHERE schemaname = 'public'")
    return {row["name"] for row in rows}


async def test_the_models_and_the_migrations_describe_one_schema(database: Database) -> None:
    """Tortoise's own generator finds nothing to add to the migrations, and the database's tables are the models'."""
    async with tortoise(database) as (context, _):
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


async def test_a_database_is_refused_until_it_is_migrated(empty_url: str) -> None:
    """An empty database lists every migration as pending and is refused; after migrating it is known."""
    database = await Database.open(empty_url, LIMITS)
    try:
        expanding = [name for name in known_migrations() if not is_contraction(name)]
        assert await pending(database) == expanding
        with pytest.raises(UnknownSchema, match="refundgql migrate"):
            await check_served(database)
        assert sorted(await migrate(database)) == known_migrations()
        await check_served(database)
        assert await pending(database) == []
        assert await migrate(database) == []
    finally:
        await database.close()


async def test_a_schema_that_a_newer_release_expanded_is_served_on(database: Database) -> None:
    """What only adds is none of this release's business; it is served on as if it was not there."""
    async with database.transaction() as tx:
        await tx.execute("INSERT INTO schema_change (name, begun_at) VALUES ('9998_more', 1)")
    await check_served(database)
    assert await pending(database) == []


async def test_a_schema_that_a_newer_release_contracted_is_refused(database: Database) -> None:
    """What this release uses may have gone: it is refused with the name of what took it, by the release before too."""
    async with database.transaction() as tx:
        at = "'2026-01-01'" if database.dialect is Dialect.SQLITE else "now()"
        await tx.execute(
            f"INSERT INTO tortoise_migrations (app, name, applied_at) VALUES ('refundgql', '9999_contract_it', {at})"
        )
    with pytest.raises(UnknownSchema, match=r"9999_contract_it.*run a version that knows it"):
        await check_served(database)


@pytest.mark.slow
async def test_the_schema_before_the_newest_migrations_is_served_on_where_they_are_not_needed(empty_url: str) -> None:
    """On each older schema this release serves exactly if it says that it does without all that came later."""
    database = await Database.open(empty_url, LIMITS)
    try:
        for name in known_migrations():
            await migrate(database, until=name)
            later = {one for one in known_migrations() if one > name and not is_contraction(one)}
            if later <= SERVED_WITHOUT:
                await check_served(database)
            else:
                with pytest.raises(UnknownSchema, match=f"{min(later - SERVED_WITHOUT)} is missing"):
                    await check_served(database)
    finally:
        await database.close()


async def test_what_expands_is_not_noted_where_the_release_before_looks(database: Database) -> None:
    """That release refuses a database whose Tortoise table names what it does not know, and need not refuse this."""
    rows = await database.fetch("SELECT name FROM tortoise_migrations WHERE app = 'refundgql'")
    noted = {row["name"] for row in rows}
    assert noted == {one for one in known_migrations() if one <= LAST_OF_TORTOISE or is_contraction(one)}
    assert (await applied_migrations(database)).finished == frozenset(known_migrations())


def test_no_model_has_a_docstring_that_a_migration_would_be_split_at() -> None:
    """Tortoise splits SQLite's statements at semicolons, so table comments hold none."""
    source = (Path(__file__).parents[2] / "src/refundgql/storage/migrations/0001_initial.py").read_text()
    assert not re.search(r'"table_description": "[^"]*;', source)
