"""One command is one transaction: opened here, repeated whole when the database asks for it, rung after commit."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar

import stamina

from refundgql.commands.uploads import FileStore, Uploads
from refundgql.domain.decisions import Decision
from refundgql.domain.facts import Facts
from refundgql.domain.policy import Policy
from refundgql.domain.refusals import Refusal
from refundgql.domain.topics import QUEUE, WEBHOOKS, case_topic, viewer_topic
from refundgql.domain.webhooks import Notice
from refundgql.storage.cases import SavedDecision, save_decision
from refundgql.storage.database import Database, Transaction
from refundgql.storage.faults import CommitUnknown, TransientFault, Unwritable
from refundgql.storage.notices import notice_writes
from refundgql.storage.retention import Retention

ATTEMPTS = 12
"""Whole-command attempts before a fault is shown; sixteen writers on one case settle well before."""
FIRST_WAIT_SECONDS = 0.005
LONGEST_WAIT_SECONDS = 0.25
JITTER_SECONDS = 0.02
"""Transactions that collided once must not meet again at the same instant."""
RETRY_SECONDS = 4.0
"""Less than the time an operation may take, so that the answer still arrives."""

T = TypeVar("T")
_log = logging.getLogger(__name__)


class TimeSource(Protocol):
    """What time it is for the rules."""

    def now(self) -> datetime:
        """Return the present instant, aware and in UTC."""
        ...


class Publisher(Protocol):
    """Where committed work is announced."""

    async def publish(self, topics: Collection[str]) -> None:
        """Wake whoever listens to one of the topics."""
        ...


class Watch(Protocol):
    """Who is told what was done and what was not, to count it."""

    def committed(self, transitions: Sequence[tuple[str, str]]) -> None:
        """Note events that hold now, each as its case's kind and its name."""

    def act_refused(self, refusals: Sequence[Refusal]) -> None:
        """Note why an act was refused."""


@dataclass(slots=True)
class Unit:
    """One attempt at one command: its transaction, and whom to wake when it holds."""

    tx: Transaction
    clock: TimeSource
    policy: Policy
    holiday_calendar: str = ""
    topics: set[str] = field(default_factory=set)
    transitions: list[tuple[str, str]] = field(default_factory=list)

    def now(self) -> datetime:
        """Return the instant of the act; asked for after locking, so that a wait cannot carry it past a deadline."""
        return self.clock.now()

    async def save(self, decision: Decision, facts: Facts) -> SavedDecision:
        """Save a decision whole and remember to ring for every case and person it concerns."""
        saved = await save_decision(self.tx, decision, facts)
        for case in decision.cases:
            self.ring_case(case.id, case.requester_id, case.counterparty_id)
        self.transitions += [(event.case_after.kind.value, event.name) for event in decision.events]
        return saved

    def tell(self, *notices: Notice) -> None:
        """Tell something beside the events of cases: to webhooks, and to the streams of whom it concerns."""
        self.tx.later(*notice_writes(self.tx.dialect, notices))
        if notices:
            self.topics.add(WEBHOOKS)
        self.ring_people(notice.account_id for notice in notices)

    def ring_case(self, case_id: str, *party_ids: str | None) -> None:
        """Remember to wake the streams of a case, of its parties and of the queue."""
        self.topics.add(case_topic(case_id))
        self.topics.add(QUEUE)
        self.ring_people(party_ids)

    def ring_people(self, account_ids: Iterable[str | None]) -> None:
        """Remember to wake the streams of these people."""
        self.topics.update(viewer_topic(account_id) for account_id in account_ids if account_id is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitOfWork:
    """What every command needs: the database, the clock, the policy in force and the doorbell."""

    database: Database
    clock: TimeSource
    policy: Policy
    bus: Publisher
    holiday_calendar: str = ""
    uploads: Uploads | None = None
    files: FileStore | None = None
    private_webhooks: bool = False
    """Whether webhooks may go to private addresses, and without TLS."""
    watch: Watch | None = None
    retention: Retention = field(default_factory=Retention)
    unwritable: Callable[[Unwritable], None] = lambda fault: None
    """Told when the database would not keep something."""

    async def run(
        self,
        work: Callable[[Unit], Awaitable[T]],
        *,
        repeatable: bool = True,
        one_write: bool = False,
        name: str = "work",
    ) -> T:
        """Run the work, which traces show under its name, in one transaction and ring the bus after commit.

        A transaction that lost a race or its connection is run again from the start, decision included. One whose
        commit is uncertain is run again only when it is `repeatable`: when a repeat finds what the first one did.
        Work that nearly always is `one_write` is tried as such first, without locks; a repeat locks.
        """
        try:
            return await self._attempt(work, self.database.one_write() if one_write else self.database.transaction())
        except TransientFault as fault:
            if not _worth_repeating(fault, repeatable):
                raise

        def again(error: Exception) -> bool:
            return _worth_repeating(error, repeatable)

        retrying = stamina.AsyncRetryingCaller(
            attempts=ATTEMPTS,
            timeout=RETRY_SECONDS,
            wait_initial=FIRST_WAIT_SECONDS,
            wait_max=LONGEST_WAIT_SECONDS,
            wait_jitter=JITTER_SECONDS,
        )

        async def locked() -> T:
            return await self._attempt(work, self.database.transaction())

        return await retrying(again, locked)

    async def _attempt(
        self, work: Callable[[Unit], Awaitable[T]], opened: AbstractAsyncContextManager[Transaction]
    ) -> T:
        try:
            async with opened as tx:
                unit = Unit(tx, self.clock, self.policy, self.holiday_calendar)
                result = await work(unit)
        except Unwritable as fault:
            _log.error("The database takes nothing: %s", fault)
            self.unwritable(fault)
            raise
        if self.watch is not None:
            self.watch.committed(unit.transitions)
        await self._ring(unit.topics)
        return result

    async def _ring(self, topics: Collection[str]) -> None:
        """Wake the listeners; what is committed stays so when nobody can be woken, streams look by themselves."""
        if not topics:
            return
        try:
            await self.bus.publish(topics)
        except Exception:
            _log.warning("The bus could not be rung; streams find the change at their next look.", exc_info=True)


def _worth_repeating(error: Exception, repeatable: bool) -> bool:
    return isinstance(error, TransientFault) and (repeatable or not isinstance(error, CommitUnknown))
