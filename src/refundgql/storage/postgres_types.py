"""What asyncpg has to know of PostgreSQL's own array types, found out once for all connections of the process."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import asyncpg  # type: ignore[import-untyped]

_FIRST_OWN = 16_384
"""Types with lower numbers come with PostgreSQL, the same in every database and version."""
_USED = "SELECT CAST($1 AS uuid[]), CAST($2 AS bigint[]), CAST($3 AS boolean[])"
# asyncpg looks only at whether its question had a name, and so left an unnamed statement in peace.
_TOLD = SimpleNamespace(name="told")


class KnowingConnection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A connection that takes over what an earlier one has found out.

    The driver asks on each connection: some twenty milliseconds that the first requests after a start, and after
    every quiet time, would wait for.
    """

    found: ClassVar[dict[int, Any]] = {}
    """What the driver's question was answered, by the number of the type, elements before their arrays."""
    asked: ClassVar[set[int]] = set()
    """The types that were asked for; the answers have their elements too."""

    async def learn(self) -> None:
        """Find out what statements of this project need, unless it is known."""
        if not KnowingConnection.asked:
            await self.prepare(_USED)

    # The driver's own method: were it named otherwise one day, connections would only take longer again.
    async def _introspect_types(self, typeoids: Collection[int], timeout: Any) -> tuple[Sequence[Any], Any]:  # noqa: ASYNC109
        asked = set(typeoids)
        if asked <= KnowingConnection.asked:
            return list(KnowingConnection.found.values()), _TOLD
        types, statement = await super()._introspect_types(typeoids, timeout)
        if all(oid < _FIRST_OWN for oid in asked):
            KnowingConnection.asked |= asked
            KnowingConnection.found |= {one["oid"]: one for one in types}
        return types, statement
