"""Bring the database's schema up to date, or say why not.

It must not describe the schema: tables.py and the migrations do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from refundgql.storage import migrations
from refundgql.storage.database import Database, Dialect
from refundgql.storage.faults import UnknownSchema

if TYPE_CHECKING:
    from tortoise.context import TortoiseContext

APP = "refundgql"

APPS: dict[str, dict[str, Any]] = {
    APP: {
        "models": ["refundgql.storage.tables", "refundgql.storage.case_tables", "refundgql.storage.webhook_tables"],
        "default_connection": "default",
        "migrations": "refundgql.storage.migrations",
    }
}

_MIGRATION_LOCK = 7_310_244_871
"""Any number that no other user of the database's advisory locks would choose."""


@asynccontextmanager
async def tortoise(database: Database) -> AsyncIterator[TortoiseContext]:
    """Open Tortoise's own context over the database, for migrations and for its models."""
    from tortoise.context import TortoiseContext

    async with TortoiseContext() as context:
        await context.init(
            config={"connections": {"default": "sqlite://:memory:"}, "apps": APPS}, init_connections=False
        )
        token = context.connections.set("default", database.client)
        try:
            yield context
        finally:
            context.connections.reset(token)
            context.connections.discard("default")


async def migrate(database: Database) -> list[str]:
    """Run the pending migrations in one transaction and return their names; processes that race take turns."""
    from tortoise.migrations.executor import MigrationExecutor

    async with tortoise(database) as context, database.transaction_client() as client:
        if database.dialect is Dialect.POSTGRES:
            await client.execute_query("SET LOCAL statement_timeout = 0")
            await client.execute_query(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        token = context.connections.set("default", client)
        try:
            executor = MigrationExecutor(client, APPS)
            await executor.recorder.ensure_schema(executor._schema_editor(atomic=False))
            steps = [step.migration.name for step in await executor.plan()]
            await executor.migrate(direction="forward")
        finally:
            context.connections.reset(token)
    return steps


def known_migrations() -> list[str]:
    """Return the names of the migrations of this version, in order."""
    # By their files: a server that only looks whether its database is up to date needs none of Tortoise.
    return sorted(module.name for module in iter_modules(migrations.__path__) if not module.name.startswith("_"))


async def applied_migrations(database: Database) -> list[str]:
    """Return the names of the migrations that the database has seen, in order."""
    catalogue = (
        "SELECT 1 FROM sqlite_master WHERE name = 'tortoise_migrations'"
        if database.dialect is Dialect.SQLITE
        else "SELECT 1 WHERE to_regclass('tortoise_migrations') IS NOT NULL"
    )
    if await database.fetch_value(catalogue) is None:
        return []
    rows = await database.fetch("SELECT name FROM tortoise_migrations WHERE app = ? ORDER BY name", (APP,))
    return [row["name"] for row in rows]


async def pending(database: Database) -> list[str]:
    """Return the names of the migrations that the database has not seen, in order."""
    applied = set(await applied_migrations(database))
    return [name for name in known_migrations() if name not in applied]


async def check_known(database: Database) -> None:
    """Refuse a schema that this version does not know.

    Refuses: UnknownSchema when the database is newer, or not migrated yet.
    """
    known = set(known_migrations())
    applied = set(await applied_migrations(database))
    if newer := sorted(applied - known):
        raise UnknownSchema(f"The database is newer than this version ({newer[-1]}): run a version that knows it.")
    if missing := sorted(known - applied):
        raise UnknownSchema(f"The database is not up to date ({missing[0]} is missing): run `refundgql migrate`.")
