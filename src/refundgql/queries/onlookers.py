"""Who of many followers sees which cases at this moment, and their events: two statements, however many ask."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from refundgql.domain.facts import Case
from refundgql.domain.viewers import Viewer
from refundgql.queries.events import TOLD_COLUMNS
from refundgql.storage.accounts import find_viewers_by_ref
from refundgql.storage.case_rows import COLUMNS, case_from
from refundgql.storage.database import Row, Source
from refundgql.storage.visibility import sees_case


@dataclass(frozen=True, slots=True)
class Present:
    """The people, cases and events of one look, as they were then."""

    viewers: Mapping[str, Viewer]
    cases: Mapping[str, Case]
    events: Mapping[tuple[str, int], Row]
    """The records of events, as `event_as_told` takes them, by their case and their number in it."""

    def viewer(self, external_ref: str, case_id: str) -> Viewer | None:
        """Return who an account is now, when they see the case now."""
        viewer, case = self.viewers.get(external_ref), self.cases.get(case_id)
        return viewer if viewer is not None and case is not None and sees_case(viewer, case) else None


# An event is looked for by its number: its case is known, and this index has both.
_OF_CASES = (
    f"SELECT {', '.join(f'c.{name}' for name in COLUMNS)}, {', '.join(f'x.{name}' for name in TOLD_COLUMNS)},"
    " x.sequence FROM refund_case c LEFT JOIN refund_event x ON x.case_id = c.id AND x.sequence = ANY(?)"
    " WHERE c.id = ANY(?)"
)


@dataclass(slots=True)
class Onlookers:
    """Looks for everybody who asks in the same turn of the event loop at once."""

    source: Source
    _refs: set[str] = field(default_factory=set)
    _case_ids: set[str] = field(default_factory=set)
    _sequences: set[int] = field(default_factory=set)
    _look: asyncio.Task[Present] | None = None

    async def look(
        self, external_refs: Collection[str], case_id: str | None = None, sequence: int | None = None
    ) -> Present:
        """Return people, and a case and one of its events to look at, as of a moment after this one was asked."""
        self._refs.update(external_refs)
        if case_id is not None:
            self._case_ids.add(case_id)
        if sequence is not None:
            self._sequences.add(sequence)
        if self._look is None:
            self._look = asyncio.create_task(self._read())
        return await asyncio.shield(self._look)

    async def _read(self) -> Present:
        await asyncio.sleep(0)  # whoever was woken by the same events asks in this turn
        refs, case_ids, sequences = self._refs, self._case_ids, self._sequences
        self._refs, self._case_ids, self._sequences, self._look = set(), set(), set(), None
        viewers = await find_viewers_by_ref(self.source, refs)
        rows = await self.source.fetch(_OF_CASES, (list(sequences), list(case_ids))) if case_ids else ()
        records = [(case_from(row[: len(COLUMNS)]), row) for row in rows]
        return Present(
            viewers,
            {case.id: case for case, _ in records},
            {(case.id, row[-1]): row[len(COLUMNS) : -1] for case, row in records},
        )
