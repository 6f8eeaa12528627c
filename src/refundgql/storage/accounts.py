"""Who somebody is: accounts and their present roles, read anew each time so that a role taken away is gone at once."""

from __future__ import annotations

from collections.abc import Collection

from refundgql.domain.texts import fold
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import Role
from refundgql.storage.database import Row, Source, Transaction
from refundgql.storage.rows import insertion

_SELECT = "SELECT id, external_ref, name, roles FROM account WHERE"


async def find_viewer(source: Source, account_id: str) -> Viewer | None:
    """Return the account of an id as the viewer it is now, or nothing."""
    row = await source.fetch_row(f"{_SELECT} id = ?", (account_id,))
    return None if row is None else _viewer(row)


async def find_viewer_by_ref(source: Source, external_ref: str) -> Viewer | None:
    """Return the account of an external reference as the viewer it is now, or nothing."""
    row = await source.fetch_row(f"{_SELECT} external_ref = ?", (external_ref,))
    return None if row is None else _viewer(row)


async def find_viewers_by_ref(source: Source, external_refs: Collection[str]) -> dict[str, Viewer]:
    """Return the accounts of many external references as the viewers they are now, by reference."""
    rows = await source.fetch(f"{_SELECT} external_ref = ANY(?)", (list(external_refs),))
    return {row["external_ref"]: _viewer(row) for row in rows}


async def insert_account(
    tx: Transaction, account_id: str, external_ref: str, name: str, roles: frozenset[Role], at: int
) -> None:
    """Add an account; `at` in microseconds since the epoch. Refuses: ConstraintViolated when the reference is taken."""
    folded = f"{fold(name)}\n{fold(external_ref)}"
    row = {"id": account_id, "external_ref": external_ref, "name": name, "roles": roles_text(roles)}
    await tx.execute(*insertion("account", **row, created_at=at, folded=folded))


async def set_roles(tx: Transaction, account_id: str, roles: frozenset[Role]) -> None:
    """Give an account these roles and no others."""
    await tx.execute("UPDATE account SET roles = ? WHERE id = ?", (roles_text(roles), account_id))


def roles_from(text: str) -> frozenset[Role]:
    """Return the roles of an account's column."""
    return frozenset(Role(name) for name in text.split(",") if name)


def roles_text(roles: frozenset[Role]) -> str:
    """Return the column for roles: sorted, comma-separated."""
    return ",".join(sorted(roles))


def _viewer(row: Row) -> Viewer:
    return Viewer(row["id"], row["external_ref"], row["name"], roles_from(row["roles"]))
