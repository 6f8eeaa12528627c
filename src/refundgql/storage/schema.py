"""Which schemas this release serves on, and which one a database has.

A server imports this one, and so nothing of Tortoise. docs/adr/0012 tells the rules.
"""

from __future__ import annotations

from pkgutil import iter_modules
from typing import NamedTuple

from refundgql.storage import migrations
from refundgql.storage.database import Database, Dialect
from refundgql.storage.faults import UnknownSchema

APP = "refundgql"

LAST_OF_TORTOISE = "0007_guarded_writes"
"""The last migration that is noted in Tortoise's own table. The release that ended with it refuses a database whose
table names a later one, so what only expands is noted in `schema_change`; a contraction is noted in both."""


class Applied(NamedTuple):
    """The migrations that a database has seen."""

    begun: frozenset[str]
    """Those whose tables and columns are there."""
    finished: frozenset[str]
    """Those that have built their indexes and filled their columns too."""
    for_all: frozenset[str]
    """Those that a release has to know: the first ones, and contractions."""


def is_contraction(name: str) -> bool:
    """Tell whether a migration removes what an older release uses; its name says so after its number."""
    return name.partition("_")[2].startswith("contract_")


def known_migrations() -> list[str]:
    """Return the names of the migrations of this release, in order."""
    # By their files: a server that only looks whether its database is up to date needs none of Tortoise.
    return sorted({module.name for module in iter_modules(migrations.__path__) if not module.name.startswith("_")})


async def applied_migrations(database: Database) -> Applied:
    """Return the names of the migrations that the database has seen."""
    begun, finished = set(), set()
    if await _has_table(database, "tortoise_migrations"):
        for row in await database.fetch("SELECT name FROM tortoise_migrations WHERE app = ?", (APP,)):
            begun.add(row["name"])
    finished |= begun
    for_all = frozenset(begun)
    if await _has_table(database, "schema_change"):
        for row in await database.fetch("SELECT name, finished_at FROM schema_change"):
            begun.add(row["name"])
            if row["finished_at"] is not None:
                finished.add(row["name"])
            else:
                finished.discard(row["name"])
    return Applied(frozenset(begun), frozenset(finished), for_all)


async def _has_table(database: Database, table: str) -> bool:
    catalogue = (
        "SELECT 1 FROM sqlite_master WHERE name = ?"
        if database.dialect is Dialect.SQLITE
        else "SELECT 1 WHERE to_regclass(?) IS NOT NULL"
    )
    return await database.fetch_value(catalogue, (table,)) is not None


async def pending(database: Database, *, contract: bool = False) -> list[str]:
    """Return the names of the migrations that `migrate` would run, in order; with `contract` those of contractions."""
    applied = await applied_migrations(database)
    return [name for name in known_migrations() if name not in applied.finished and is_contraction(name) == contract]


async def check_served(database: Database) -> None:
    """Refuse a schema outside the range that this release serves on.

    What a newer release has added is inside; what it has removed, and what this release cannot do without, is not.
    Refuses: UnknownSchema when the database has been contracted by a newer release, or lacks what is needed.
    """
    applied = await applied_migrations(database)
    known = known_migrations()
    if removed := sorted(applied.for_all.difference(known)):
        raise UnknownSchema(
            f"A newer version has removed what this one uses ({removed[-1]}): run a version that knows it."
        )
    needed = (name for name in known if not is_contraction(name) and name not in migrations.SERVED_WITHOUT)
    if missing := [name for name in needed if name not in applied.begun]:
        raise UnknownSchema(f"The database is not up to date ({missing[0]} is missing): run `refundgql migrate`.")
