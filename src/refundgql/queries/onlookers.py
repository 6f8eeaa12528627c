"""Who of many followers sees which cases at this moment: two statements, however many ask at once."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from refundgql.domain.facts import Case
from refundgql.domain.viewers import Viewer
from refundgql.storage.accounts import find_viewers_by_ref
from refundgql.storage.case_rows import COLUMNS, case_from
from refundgql.storage.database import Source
from refundgql.storage.visibility import sees_case


@dataclass(frozen=True, slots=True)
class Present:
    """The people and cases of one look, as they were then."""

    viewers: Mapping[str, Viewer]
    cases: Mapping[str, Case]

    def viewer(self, external_ref: str, case_id: str) -> Viewer | None:
        """Return who an account is now, when they see the case now."""
        viewer, case = self.viewers.get(external_ref), self.cases.get(case_id)
        return viewer if viewer is not None and case is not None and sees_case(viewer, case) else None


@dataclass(slots=True)
class Onlookers:
    """Looks for everybody who asks in the same turn of the event loop at once."""

    source: Source
    _refs: set[str] = field(default_factory=set)
    _case_ids: set[str] = field(default_factory=set)
    _look: asyncio.Task[Present] | None = None

    async def look(self, external_refs: Collection[str], case_id: str | None = None) -> Present:
        """Return people, and a case if there is one to look at, as of a moment after this one was asked."""
        self._refs.update(external_refs)
        if case_id is not None:
            self._case_ids.add(case_id)
        if self._look is None:
            self._look = asyncio.create_task(self._read())
        return await asyncio.shield(self._look)

    async def _read(self) -> Present:
        await asyncio.sleep(0)  # whoever was woken by the same events asks in this turn
        refs, case_ids = self._refs, self._case_ids
        self._refs, self._case_ids, self._look = set(), set(), None
        viewers = await find_viewers_by_ref(self.source, refs)
        of_cases = f"SELECT {', '.join(COLUMNS)} FROM refund_case WHERE id = ANY(?)"
        rows = await self.source.fetch(of_cases, (list(case_ids),)) if case_ids else ()
        return Present(viewers, {row["id"]: case_from(row) for row in rows})
