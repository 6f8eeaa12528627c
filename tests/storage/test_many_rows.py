"""Many rows written by few statements, and the mark that shows whether anybody wrote."""

from __future__ import annotations

from uuid_utils.compat import uuid7

from databases import LIMITS
from refundgql.storage.database import Database
from refundgql.storage.statements import counted_statements

INSERT = "INSERT INTO account (id, external_ref, name, roles, created_at) VALUES (?, ?, ?, ?, ?)"


def values(count: int) -> list[object]:
    """Return the values of so many accounts, one after the other."""
    return [value for number in range(count) for value in (str(uuid7()), f"ref-{number}", "Ada", "PRO", number)]


async def test_rows_are_written_in_their_order_however_many_there_are(database: Database) -> None:
    """Whole groups, a rest, fewer than a group and none at all; an update takes its rows one by one."""
    for count in (0, 1, 49, 50, 51, 150, 173):
        given = values(count)
        async with database.transaction() as tx:
            await tx.execute("DELETE FROM account")
            with counted_statements() as texts:
                await tx.execute_rows(INSERT, 5, given)
            ids = [value for place, value in enumerate(given) if place % 5 == 0]
            renamed = [value for id in ids[:60] for value in (f"Name {id}", id)]
            await tx.execute_rows("UPDATE account SET name = ? WHERE id = ?", 2, renamed)
        assert len(texts) <= 2
        rows = await database.fetch("SELECT id, name FROM account ORDER BY created_at")
        assert [row["id"] for row in rows] == ids
        assert [row["name"] for row in rows] == [f"Name {id}" for id in ids[:60]] + ["Ada"] * len(ids[60:])


async def test_a_mark_changes_whenever_somebody_writes(sqlite: Database) -> None:
    """Reading leaves it; a write of this connection, undone or not, and one of another process change it."""
    mark = await sqlite.change_mark()
    await sqlite.fetch("SELECT * FROM account")
    async with sqlite.transaction() as tx:
        assert await tx.change_mark() == mark
        await tx.execute_rows(INSERT, 5, values(1))
        own = await tx.change_mark()
    assert own == await sqlite.change_mark() != mark
    other = await Database.open(sqlite.url, LIMITS)
    async with other.transaction() as tx:
        await tx.execute("DELETE FROM account")
    await other.close()
    theirs = await sqlite.change_mark()
    assert theirs != own
    try:
        async with sqlite.transaction() as tx:
            await tx.execute_rows(INSERT, 5, values(1))
            raise InterruptedError
    except InterruptedError:
        pass
    assert await sqlite.change_mark() != theirs


async def test_a_database_that_cannot_tell_has_no_mark(postgres: Database) -> None:
    """PostgreSQL has nothing of the kind: whoever asks has to look again."""
    assert await postgres.change_mark() is None
    async with postgres.transaction() as tx:
        assert await tx.change_mark() is None
