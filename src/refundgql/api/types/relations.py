"""To-one relations: the rows that other rows point at, loaded once for a whole level, as the viewer may see them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from refundgql.api.context import LevelInfo
from refundgql.api.types.connections import page_below
from refundgql.domain.facts import Case
from refundgql.domain.viewers import Viewer
from refundgql.queries.accounts import accounts_by_id
from refundgql.queries.case_rows import case_as_saved
from refundgql.queries.contracts import contracts_by_id
from refundgql.queries.events import events_by_id
from refundgql.queries.invoices import invoices_by_id
from refundgql.queries.leads import leads_by_id
from refundgql.queries.milestones import milestones_by_id
from refundgql.queries.refund_cases import cases_by_id
from refundgql.queries.weeks import weeks_by_id
from refundgql.queries.withdrawals import withdrawals_by_id

if TYPE_CHECKING:
    from refundgql.storage.database import Source

ById = Callable[["Source", Viewer, Sequence[str], Mapping[str, Any]], Awaitable[Mapping[str, Any]]]


async def related(load: ById, info: LevelInfo, ids: Sequence[str | None]) -> list[Any]:
    """Return the row of each id, in order; nothing for no id and for what the viewer may not see."""
    present = list(dict.fromkeys(one for one in ids if one is not None))
    if not present:
        return [None] * len(ids)
    found = await load(info.context.app.database, info.context.signed_in(), present, info.selection)
    return [None if one is None else found.get(one) for one in ids]


async def cases_of(info: LevelInfo, ids: Sequence[str | None]) -> list[Any]:
    """Return refund cases by id, with the page of their events that is asked for below."""
    return await related(partial(cases_by_id, events=page_below(info, "events")), info, ids)


async def cases_as_saved(info: LevelInfo, known: Sequence[tuple[str | None, Case | None]]) -> list[Any]:
    """Return refund cases by id; those that are known, as they are now, are only read where more is asked for."""
    viewer, wanted = info.context.signed_in(), info.selection
    told = [None if case is None else case_as_saved(viewer, case, wanted) for _, case in known]
    left = [case_id if one is None else None for (case_id, _), one in zip(known, told, strict=True)]
    if any(left):
        read = await cases_of(info, left)
        return [one or other for one, other in zip(told, read, strict=True)]
    return told


accounts_of = partial(related, accounts_by_id)
contracts_of = partial(related, contracts_by_id)
events_of = partial(related, events_by_id)
invoices_of = partial(related, invoices_by_id)
leads_of = partial(related, leads_by_id)
milestones_of = partial(related, milestones_by_id)
weeks_of = partial(related, weeks_by_id)
withdrawals_of = partial(related, withdrawals_by_id)
