"""What a viewer can do, asked of the same rule objects that guard the mutations."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from refundgql.api.context import LevelInfo
from refundgql.api.types.refusals import AvailabilityRow, availability_row
from refundgql.domain import cases as domain
from refundgql.domain.decisions import CaseClock
from refundgql.domain.facts import Facts
from refundgql.domain.money import Money
from refundgql.domain.sentences import Sentence
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import ClockName, RefundActionName, RefundCaseKind, WhoseMove
from refundgql.queries.withdrawals import estimates_by_id

if TYPE_CHECKING:
    from refundgql.api.context import RequestContext


@dataclass(slots=True)
class ClockRow:
    """One deadline for a client."""

    name: ClockName
    rule: str
    starts_at: Any
    ends_at: Any
    whose_move: WhoseMove
    when_it_runs_out: Sentence
    paused_by_request: bool


def clock_row(clock: CaseClock) -> ClockRow:
    """Return a deadline as clients see it."""
    return ClockRow(
        clock.name,
        clock.rule,
        clock.starts_at,
        clock.ends_at,
        clock.whose_move,
        clock.when_it_runs_out,
        clock.paused_by_request,
    )


async def subject_actions(
    info: LevelInfo, action: RefundActionName, payment_ids: Sequence[str], kind: RefundCaseKind | None
) -> list[AvailabilityRow]:
    """Return the action that opens a case about each payment; for an expert that is ISSUE instead of REQUEST (C12).

    `kind` is the kind of case that asking makes of them; without one it is told by where each one's money is.
    """
    viewer, context = info.context.signed_in(), info.context
    answers = []
    for facts in await context.payment_facts(payment_ids):
        there = _loaded(facts)
        asked, policy = _opening(action, there, viewer), context.app.policy
        found = domain.subject_availability(asked, there, viewer, context.now, policy, kind=kind)
        answers.append(availability_row(found))
    return answers


def _opening(action: RefundActionName, facts: Facts, viewer: Viewer) -> RefundActionName:
    is_expert = facts.contract is not None and facts.contract.expert_id == viewer.account_id
    return RefundActionName.ISSUE if action is RefundActionName.REQUEST and is_expert else action


def _loaded(facts: Facts | None) -> Facts:
    if facts is None:
        raise LookupError("a row that was just read has no facts")
    return facts


async def case_actions(info: LevelInfo, case_ids: Sequence[str]) -> list[list[AvailabilityRow]]:
    """Return every action that a person can take on each case, with its reasons for this viewer."""
    viewer, context = info.context.signed_in(), info.context
    return [
        [
            availability_row(one)
            for one in domain.available_actions(_loaded(facts), viewer, context.now, context.app.policy)
        ]
        for facts in await context.case_facts(case_ids)
    ]


async def clocks_of_cases(info: LevelInfo, case_ids: Sequence[str]) -> list[list[ClockRow]]:
    """Return the deadlines that run on each case."""
    context = info.context
    return [
        [clock_row(one) for one in domain.case_clocks(facts, context.now, context.app.policy)]
        for facts in await _with_withdrawals(context, [_loaded(one) for one in await context.case_facts(case_ids)])
    ]


async def _with_withdrawals(context: "RequestContext", cases: list[Facts]) -> list[Facts]:
    """Add when the withdrawals that the viewer may see, and that are on their way, are expected to arrive (D10)."""
    ids = [it.case.withdrawal_id for it in cases if it.case is not None and it.case.withdrawal_id is not None]
    if not ids:
        return cases
    found = await estimates_by_id(context.app.database, context.signed_in(), ids)
    return [
        replace(it, withdrawal_filed_at=estimate.filed_at, withdrawal_expected_until=estimate.expected_until)
        if it.case is not None and (estimate := found.get(it.case.withdrawal_id or ""))
        else it
        for it in cases
    ]


async def open_amounts(info: LevelInfo, case_ids: Sequence[str]) -> list[Money | None]:
    """Return what of each request is neither credited nor declined for good (D19)."""
    context = info.context
    found = []
    for facts in await context.case_facts(case_ids):
        there = _loaded(facts)
        minor = domain.open_minor(there, context.now, context.app.policy)
        found.append(None if minor is None else Money(minor, there.payment.currency))
    return found


async def finality(info: LevelInfo, case_ids: Sequence[str]) -> dict[str, bool]:
    """Return whether each case is final."""
    context = info.context
    facts = await context.case_facts(case_ids)
    return {
        case_id: domain.is_final(_loaded(one), context.now, context.app.policy)
        for case_id, one in zip(case_ids, facts, strict=True)
    }
