"""What of an event, of a case or a withdrawal, reaches whom: as its reader sees it when it is told, or not at all."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from refundgql.api.languages import speak, spoken
from refundgql.domain.calendar import from_micros
from refundgql.domain.facts import Case
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import WithdrawalEventName
from refundgql.gql.feeds import Feed, Judgement, Log, Told, Verdict
from refundgql.gql.streams import Fanout
from refundgql.queries.case_filters import CaseFilter, case_has_text, matches
from refundgql.queries.events import EventRow, event_as_told
from refundgql.queries.onlookers import Onlookers, Present
from refundgql.queries.streams import (
    Cursor,
    StreamEvent,
    StreamNotice,
    event_cursor,
    lag_seconds,
    missed,
    missed_notices,
)

if TYPE_CHECKING:
    from refundgql.api.context import Application


@dataclass(slots=True)
class UpdateRow:
    """One update of one case; no event when it is the present state."""

    case_id: str
    event: EventRow | None
    cursor: str
    case: Case
    """The case as it was just read, for somebody who sees it."""
    matches_filter: bool = True


@dataclass(slots=True, eq=False)
class SpokenFeed(Feed):
    """One subscription of a viewer, in the language that they read."""

    app: Application
    viewer: Viewer
    language: str = field(default_factory=spoken, kw_only=True)

    def told(self, viewer: Viewer, row: UpdateRow | WithdrawalUpdateRow, readers: str) -> Told:
        """Return a row to encode as the viewer sees it, in this subscription's language."""
        return Told(self.app.context(viewer), row, (readers, self.language), partial(speak, self.language))


@dataclass(slots=True, eq=False)
class CaseFeed(SpokenFeed):
    """One subscription to cases: whose it is, and which events of its topic it is told.

    shown: the version of the case that the present state was told at; its events are not told again.
    """

    case_id: str | None = None
    given: CaseFilter | None = None
    for_staff: bool = False
    shown: int = 0

    def fits(self, event: StreamEvent) -> bool | None:
        """Tell whether a case fits the filter after an event; None when it did not before it either."""
        if self.given is None or matches(self.given, event.snapshot):
            return True
        return False if matches(self.given, event.before) else None


def visibility_class(viewer: Viewer, fields: frozenset[str]) -> str:
    """Name those who read the same in a document with these personal fields: staff of the same roles, where none is."""
    if not viewer.is_staff or fields:
        return viewer.account_id
    return ",".join(sorted(viewer.roles))


@dataclass(slots=True)
class CaseReadership:
    """Decides for all subscriptions of a process: two statements an event, however many follow."""

    onlookers: Onlookers

    async def begin(self, feed: CaseFeed, after: Cursor) -> tuple[Judgement, Cursor]:
        """Begin with the present state of a case, as far as events up to `after` have not told it."""
        if feed.case_id is None:
            return Verdict.SKIP, after
        present = await self.onlookers.look([feed.viewer.external_ref], feed.case_id)
        viewer = present.viewer(feed.viewer.external_ref, feed.case_id)
        if viewer is None:
            return Verdict.END, after
        if feed.start is None:
            feed.shown = present.cases[feed.case_id].version
            # The stream may be held back behind what the present state already has in it.
            after = max(after, await event_cursor(feed.app.database, feed.case_id, feed.shown))
        row = UpdateRow(feed.case_id, None, str(after), present.cases[feed.case_id])
        return feed.told(viewer, row, viewer.account_id), after

    def missed(self, feed: CaseFeed, after: Cursor, until: Cursor) -> AsyncGenerator[StreamEvent, None]:
        """Yield the events after one cursor up to another of the cases that the viewer saw when the stream began."""
        return missed(feed.app.database, feed.viewer, after, until, feed.case_id)

    async def judge(self, event: StreamEvent, feeds: Sequence[CaseFeed]) -> Sequence[Judgement]:
        """Say what an event is to each subscription."""
        readers = {feed.viewer.external_ref for feed in feeds}
        present = await self.onlookers.look(readers, event.case_id, event.sequence)
        look = _Look(event, present)
        judged = [look.judge(feed) for feed in feeds]
        texts: dict[str, bool | Exception] = {}
        for at, feed in enumerate(feeds):
            text = None if feed.given is None else feed.given.text
            if text is not None and isinstance(judged[at], Told):
                if text not in texts:
                    texts[text] = await _has_text(feed.app, event.case_id, text)
                found = texts[text]
                if found is not True:
                    judged[at] = found or Verdict.SKIP
        return judged


Delivered = Callable[[float], None]
"""Told how many seconds after it was written each event was handed to all who follow."""


def case_fanout(log: Log, onlookers: Onlookers, delivered: Delivered | None = None) -> Fanout:
    """Return the fan-out of cases."""
    return Fanout(log, CaseReadership(onlookers), _lag_to(delivered))


def notice_fanout(log: Log, onlookers: Onlookers, delivered: Delivered | None = None) -> Fanout:
    """Return the fan-out of what is told beside the events of cases."""
    return Fanout(log, NoticeReadership(onlookers), _lag_to(delivered))


def _lag_to(delivered: Delivered | None) -> Callable[[Any], None] | None:
    return None if delivered is None else lambda event: delivered(lag_seconds(event))


@dataclass(slots=True)
class WithdrawalUpdateRow:
    """One step of one withdrawal."""

    withdrawal_id: str
    event: WithdrawalEventName
    at: datetime
    cursor: str


@dataclass(slots=True, eq=False)
class WithdrawalFeed(SpokenFeed):
    """One subscription to the withdrawals of its viewer."""


@dataclass(slots=True)
class NoticeReadership:
    """Decides for all subscriptions of a process which withdrawals they are told: their owners are, and nobody else."""

    onlookers: Onlookers

    async def begin(self, _feed: WithdrawalFeed, after: Cursor) -> tuple[Judgement, Cursor]:
        """Begin with what happens: lists tell what is."""
        return Verdict.SKIP, after

    def missed(self, feed: WithdrawalFeed, after: Cursor, until: Cursor) -> AsyncGenerator[StreamNotice, None]:
        """Yield what was told of the viewer's withdrawals after one cursor up to another one."""
        return missed_notices(feed.app.database, feed.viewer, after, until)

    async def judge(self, notice: StreamNotice, feeds: Sequence[WithdrawalFeed]) -> Sequence[Judgement]:
        """Say what a notice is to each subscription."""
        present = await self.onlookers.look({feed.viewer.external_ref for feed in feeds})
        return [_judged(notice, feed, present.viewers.get(feed.viewer.external_ref)) for feed in feeds]


def _judged(notice: StreamNotice, feed: WithdrawalFeed, viewer: Viewer | None) -> Judgement:
    if viewer is None:
        return Verdict.END
    if notice.withdrawal_id is None or notice.account_id != viewer.account_id:
        return Verdict.SKIP
    event = WithdrawalEventName(notice.name.removeprefix("WITHDRAWAL_"))
    row = WithdrawalUpdateRow(notice.withdrawal_id, event, from_micros(notice.at), str(notice.cursor))
    return feed.told(viewer, row, viewer.account_id)


@dataclass(slots=True)
class _Look:
    """One event, who sees its case now, and what was decided about it so far."""

    event: StreamEvent
    present: Present
    seeing: dict[str, Viewer | None] = field(default_factory=dict)
    told: dict[tuple[str, str, frozenset[str], bool], Told] = field(default_factory=dict)

    def judge(self, feed: CaseFeed) -> Judgement:
        """Say what the event is to a subscription, but for its filter's text."""
        ref = feed.viewer.external_ref
        if ref not in self.seeing:
            self.seeing[ref] = self.present.viewer(ref, self.event.case_id)
        viewer = self.seeing[ref]
        if viewer is None or (feed.for_staff and not viewer.is_staff):
            over = feed.case_id is not None or feed.for_staff or ref not in self.present.viewers
            return Verdict.END if over else Verdict.SKIP
        try:
            fits = feed.fits(self.event)
        except Exception as error:
            return error
        if fits is None or self.event.sequence <= feed.shown:
            return Verdict.SKIP
        key = (ref, feed.language, feed.fields, fits)
        if key not in self.told:
            case_id, present = self.event.case_id, self.present
            happened = event_as_told(viewer, present.events[case_id, self.event.sequence])
            row = UpdateRow(case_id, happened, str(self.event.cursor), present.cases[case_id], fits)
            self.told[key] = feed.told(viewer, row, visibility_class(viewer, feed.fields))
        return self.told[key]


async def _has_text(app: Application, case_id: str, text: str) -> bool | Exception:
    """Tell whether a case has a text in it, which snapshots of events do not hold, or why that cannot be told."""
    try:
        return await case_has_text(app.database, case_id, text)
    except Exception as error:
        return error
