"""What one operation knows: who is looking, when, and the application it runs in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from refundgql.api.faults import told
from refundgql.domain.facts import Facts
from refundgql.domain.policy import Policy
from refundgql.domain.sentences import sentence
from refundgql.domain.viewers import Viewer
from refundgql.gql.declare import LevelInfo as AnyLevelInfo
from refundgql.gql.errors import ErrorCode
from refundgql.queries.accounts import Callers, find_viewers
from refundgql.queries.case_facts import case_facts, payment_facts

if TYPE_CHECKING:
    from refundgql.commands.unit_of_work import TimeSource, UnitOfWork
    from refundgql.gql.streams import Fanout
    from refundgql.messaging.bus import Bus
    from refundgql.storage.database import Database

LoadFacts = Callable[[Any, Sequence[str]], Awaitable[dict[str, Facts]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """Everything wired that the API reaches; bootstrap makes one for a process."""

    database: Database
    clock: TimeSource
    policy: Policy
    bus: Bus
    uow: UnitOfWork
    fanout: Fanout
    """Hands events of cases to subscriptions."""
    notices: Fanout
    """Hands what is told beside them to subscriptions."""
    download_url: Callable[[Viewer, str, datetime], str] | None = None
    """Signs the address of an evidence file for a viewer, at an instant; without one there are no files."""
    check_writable: Callable[[], Awaitable[None]] | None = None
    """Refuses while the database keeps nothing."""
    callers: Callers = field(init=False)
    """Reads who is calling, for all requests of the process."""

    def __post_init__(self) -> None:
        """Make what belongs to the database that was given."""
        object.__setattr__(self, "callers", Callers(self.database))

    def context(self, viewer: Viewer | None, *, resume_after: str | None = None) -> RequestContext:
        """Return the context of one operation; a stream resumes after the cursor when one is given."""
        return RequestContext(app=self, viewer=viewer, now=self.clock.now(), resume_after=resume_after)

    async def load_viewer(self, external_ref: str) -> Viewer | None:
        """Return the account with the roles that the database holds for it now."""
        return await self.callers.find(external_ref)

    async def load_viewers(self, external_refs: Collection[str]) -> dict[str, Viewer]:
        """Return many accounts at once, by externalRef; unknown ones are left out."""
        return await find_viewers(self.database, external_refs)


@dataclass(slots=True)
class FactsCache:
    """Facts by case or payment id, loaded once for all fields of an operation that look at them."""

    load: LoadFacts
    loading: dict[str, asyncio.Future[Facts | None]] = field(default_factory=dict)
    wanted: list[str] = field(default_factory=list)

    async def get(self, source: Any, ids: Sequence[str]) -> list[Facts | None]:
        """Return the facts of each id, in order; fields that ask at the same moment are answered by one load."""
        missing = [key for key in dict.fromkeys(ids) if key not in self.loading]
        if missing:
            loop = asyncio.get_running_loop()
            self.loading.update((key, loop.create_future()) for key in missing)
            first, self.wanted = not self.wanted, [*self.wanted, *missing]
            if first:
                await self._load(source)
        return [await self.loading[key] for key in ids]

    async def _load(self, source: Any) -> None:
        await asyncio.sleep(0)  # sibling fields may start in the same turn of the event loop
        wanted, self.wanted = self.wanted, []
        futures = [self.loading[key] for key in wanted]
        try:
            found = await self.load(source, wanted)
        except Exception as error:
            for future in futures:
                future.set_exception(error)
                future.exception()  # told to whoever waits, and nobody has to
            return
        for key, future in zip(wanted, futures, strict=True):
            if not future.done():
                future.set_result(found.get(key))


@dataclass(slots=True)
class RequestContext:
    """One operation of one viewer at one instant; `resume_after` is where a stream goes on."""

    app: Application
    viewer: Viewer | None
    now: datetime
    resume_after: str | None = None
    # Made when somebody asks: most operations do not, and a stream's context lives as long as the stream.
    _case_facts: FactsCache | None = None
    _payment_facts: FactsCache | None = None

    def signed_in(self) -> Viewer:
        """Return who is looking. Refuses: UNAUTHENTICATED."""
        if self.viewer is None:
            raise told(sentence("SIGN_IN", "Sign in first: send a bearer token."), ErrorCode.UNAUTHENTICATED)
        return self.viewer

    def staff(self) -> Viewer:
        """Return who is looking when it is staff. Refuses: UNAUTHENTICATED, FORBIDDEN."""
        viewer = self.signed_in()
        if not viewer.is_staff:
            raise told(sentence("FOR_STAFF", "This is for support staff."), ErrorCode.FORBIDDEN)
        return viewer

    def overseer(self) -> Viewer:
        """Return who is looking when it is staff or the marketplace. Refuses: UNAUTHENTICATED, FORBIDDEN."""
        viewer = self.signed_in()
        if not (viewer.is_staff or viewer.is_service):
            raise told(
                sentence("FOR_STAFF_AND_MARKETPLACE", "This is for support staff and the marketplace."),
                ErrorCode.FORBIDDEN,
            )
        return viewer

    def administrator(self) -> Viewer:
        """Return who is looking when it is an administrator. Refuses: UNAUTHENTICATED, FORBIDDEN."""
        viewer = self.signed_in()
        if not viewer.is_admin:
            raise told(sentence("FOR_ADMINS", "This is for administrators."), ErrorCode.FORBIDDEN)
        return viewer

    async def case_facts(self, case_ids: Sequence[str]) -> list[Facts | None]:
        """Return the facts of cases, in order; loaded once an operation."""
        self._case_facts = self._case_facts or FactsCache(case_facts)
        return await self._case_facts.get(self.app.database, case_ids)

    async def payment_facts(self, payment_ids: Sequence[str]) -> list[Facts | None]:
        """Return the facts of payments, in order; loaded once an operation."""
        self._payment_facts = self._payment_facts or FactsCache(payment_facts)
        return await self._payment_facts.get(self.app.database, payment_ids)

    def forget_facts(self) -> None:
        """Forget what was loaded, after something has changed."""
        self._case_facts = self._payment_facts = None


LevelInfo = AnyLevelInfo[RequestContext]
"""What a level function of the desk may ask about its surroundings."""
