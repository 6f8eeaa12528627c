"""What other parameters would have meant for past cases, for staff."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Annotated, Any

import strawberry
from strawberry.utils.str_converters import to_camel_case

from refundgql.api.acts.inputs import Input, check_length, optional
from refundgql.api.context import LevelInfo
from refundgql.api.faults import told
from refundgql.api.types.case_filters import CaseFilterArgument, case_filter
from refundgql.api.types.connections import After, PageInfo, asked_page
from refundgql.api.types.lazy import LazyRefundCase
from refundgql.api.types.money import MoneyInput, given_amount
from refundgql.api.types.refusals import Refusal, RefusalRow, refusal_rows
from refundgql.api.types.relations import cases_of
from refundgql.domain.policy import Policy, PolicyError
from refundgql.domain.sentences import Sentence, sentence
from refundgql.domain.simulation import Outcome, SimulationChange
from refundgql.domain.vocabulary import RefundCaseState, RefundRoute
from refundgql.gql.declare import Level, level
from refundgql.gql.rows import row
from refundgql.queries.simulations import Examination, FoundDifference, examine

First = Annotated[
    int | None,
    strawberry.argument(description="How many differing cases at most, up to 100; 20 when left out."),
]


@strawberry.input(
    description="Parameters of the rules to decide under; those left out are as they were at each act. Days are whole "
    "UTC days (D1). Parameters that no recorded act depends on (reviews' own windows, payout estimates) are not here."
)
class RefundPolicyOverridesInput(Input):
    lead_window_days: int | None = optional("Days from the charge in which a professional may ask (L15).")
    decision_target_hours: int | None = optional("Hours in which support means to decide on a lead (L14).")
    contract_target_hours: int | None = optional("Hours in which support means to decide on a contract's case (D20).")
    second_look_window_days: int | None = optional("Days from a decline in which a second look may be asked for (D6).")
    direct_window_days: int | None = optional("Days from the payment in which the expert decides (C06, D7).")
    support_window_days: int | None = optional("Days from the payment in which support still decides (C07, C24).")
    respond_within_days: int | None = optional("Days an expert has to answer (D8).")
    timesheet_dispute_days: int | None = optional("Days from the week's Sunday to dispute its hours (C25).")
    dispute_resolution_days: int | None = optional("Days from the payment to dispute an hourly invoice (C31).")
    funds_wait_days: int | None = optional("Days that an approved refund waits for funds (D13).")
    requests_per_payment: int | None = optional("Requests that a payment may have in all (D14).")
    review_thresholds: list[MoneyInput] | None = optional(
        "What a refunded contract must still be worth for its reviews to be shown, one amount for each currency (C21)."
    )


@strawberry.type(description="Where a case stands after an act, under one set of rules.")
class RefundSimulationOutcome:
    state: RefundCaseState | None = strawberry.field(description="The state; none when there would be no case.")
    route: RefundRoute | None = strawberry.field(description="The route; none when there would be no case.")
    goodwill: bool = strawberry.field(description="Whether the case counts as goodwill (D4).")
    target_missed: bool = strawberry.field(description="Whether a decision target was missed so far (L14).")
    reviews_hidden: bool | None = strawberry.field(
        description="Whether the contract's reviews are hidden after the case's last credit or reversal (C21); none "
        "without one."
    )
    rule: str | None = strawberry.field(description="The rule that the act happened or was refused by, if one says.")
    refusals: list[Refusal] = strawberry.field(description="Why the act is refused; empty when it is not.")


@strawberry.type(description="A past case whose outcome differs.")
class SimulatedCase:
    @level(description="The case as it stands; nothing of it was changed.")
    @staticmethod
    async def refund_case(rows: list["SimulatedCaseRow"], info: LevelInfo) -> Level[LazyRefundCase]:
        return await cases_of(info, [row.case_id for row in rows])

    changes: list[SimulationChange] = strawberry.field(
        description="Every way in which the outcome differs, the gravest first."
    )
    event: str | None = strawberry.field(
        description="The recorded act that the gravest difference begins with; none when it is the passing of time."
    )
    at: datetime = strawberry.field(description="When that was.")
    recorded: RefundSimulationOutcome = strawberry.field(description="As it happened.")
    simulated: RefundSimulationOutcome = strawberry.field(description="As it would have happened.")


@strawberry.type(description="One differing case of a page.")
class SimulatedCaseEdge:
    cursor: str = strawberry.field(description="The opaque place of the case among those looked at.")
    node: SimulatedCase = strawberry.field(description="The case and what differs.")


@strawberry.type(description="How many of the cases looked at differ in a way, each counted under its gravest.")
class SimulationChangeCount:
    change: SimulationChange = strawberry.field(description="The way.")
    count: int = strawberry.field(description="How many.")


@row("SimulationRow")
@strawberry.type(
    description="Past cases decided again under changed parameters. Numbers are of the cases that this one answer "
    "looked at: add up the pages."
)
class RefundPolicySimulation:
    policy_version: str = strawberry.field(description="The rules in force; each act is judged by those of its time.")
    simulated_version: str = strawberry.field(description="The rules in force with the changed parameters.")
    examined: int = strawberry.field(description="How many cases were looked at, at most 200.")
    not_reproduced: int = strawberry.field(
        description="Those that the rules kept of their time would answer otherwise than they were answered, as they "
        "were decided before rules were kept: nothing is said about them."
    )
    changes: list[SimulationChangeCount] = strawberry.field(description="How many differ, by the gravest difference.")
    edges: list[SimulatedCaseEdge] = strawberry.field(description="Those that differ, newest case first.")
    page_info: PageInfo = strawberry.field(
        description="Where the answer stopped looking: endCursor is the last case looked at, whether it differs or not."
    )


@dataclass(slots=True)
class OutcomeRow:
    """Where a case stands, for a client."""

    state: RefundCaseState | None
    route: RefundRoute | None
    goodwill: bool
    target_missed: bool
    reviews_hidden: bool | None
    rule: str | None
    refusals: list[RefusalRow]


@dataclass(slots=True)
class SimulatedCaseRow:
    """A case that differs, for a client."""

    case_id: str
    changes: Sequence[SimulationChange]
    event: str | None
    at: datetime
    recorded: OutcomeRow
    simulated: OutcomeRow


@dataclass(slots=True)
class SimulatedCaseEdgeRow:
    """A case and its place, for a client."""

    cursor: str
    node: SimulatedCaseRow


@dataclass(slots=True)
class ChangeCountRow:
    """How many cases differ in a way."""

    change: SimulationChange
    count: int


@dataclass(slots=True)
class PageRow:
    """Where a simulation stopped looking."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@dataclass(slots=True)
class SimulationRow:
    """One answer of the simulator, for a client."""

    policy_version: str
    simulated_version: str
    examined: int
    not_reproduced: int
    changes: list[ChangeCountRow]
    edges: list[SimulatedCaseEdgeRow]
    page_info: PageRow


@strawberry.type
class SimulationQueries:
    @level(
        description="Decide past cases again under changed parameters, newest first, and list those whose outcome "
        "differs; for staff, and nothing is changed. Every act in a case's history is answered twice by the code of "
        "the mutations, at the instant it was taken and on what was known then: windows (L15, C06, C07, C25, C31, D6), "
        "answer times and hand-overs (D7, D8), waiting for funds (D13), requests for a payment (D14), goodwill (D4), "
        "decision targets (L14) and hidden reviews at credits and reversals (C21). Other cases on the same money are "
        "taken as they went. It cannot tell what people would have done instead, and acts that were refused are in no "
        "history: a wider window shows no request that was turned away.",
        cost=1_000,  # up to 200 cases are decided again
    )
    @staticmethod
    async def refund_policy_simulation(
        rows: list[Any],
        info: LevelInfo,
        overrides: Annotated[RefundPolicyOverridesInput, strawberry.argument(description="The changed parameters.")],
        filter: CaseFilterArgument = None,
        first: First = None,
        after: After = None,
    ) -> Level[RefundPolicySimulation]:
        viewer, page = info.context.staff(), asked_page(first, after, None, None)
        in_force, asked = info.context.app.policy, case_filter(filter)
        values, changed = _overrides(in_force, overrides)
        source, now = info.context.app.database, info.context.now
        found = await examine(source, viewer, in_force, values, asked, page, now)
        return [_row(found, in_force, changed, after)]


def _overrides(in_force: Policy, given: RefundPolicyOverridesInput) -> tuple[dict[str, object], Policy]:
    """Return the overrides as settings, and the policy in force with them. Refuses: BAD_USER_INPUT."""
    values: dict[str, object] = {
        one.name: getattr(given, one.name)
        for one in fields(given)
        if one.name != "review_thresholds" and getattr(given, one.name) is not None
    }
    check_length(given.review_thresholds, "overrides.reviewThresholds")
    if given.review_thresholds is not None:
        amounts = [given_amount(one) for one in given.review_thresholds]
        values["review_threshold_minor"] = {one.currency_code: str(one.amount) for one in amounts if one is not None}
    try:
        return values, in_force.with_overrides(values)
    except PolicyError as error:
        raise told(_as_clients_write(error.why), argument="overrides") from None


def _as_clients_write(why: Sentence) -> Sentence:
    """Return a sentence about settings with their names as the input has them."""
    given = {one.name: to_camel_case(one.name) for one in fields(RefundPolicyOverridesInput)}
    given["review_threshold_minor"] = given["review_thresholds"]
    parameters = {name: given.get(str(value), value) for name, value in why.parameters.items()}
    return sentence(why.code, why.template, **parameters)


def _row(found: Examination, in_force: Policy, changed: Policy, after: str | None) -> SimulationRow:
    edges = [SimulatedCaseEdgeRow(one.cursor, _case(one)) for one in found.found]
    return SimulationRow(
        policy_version=in_force.version,
        simulated_version=changed.version,
        examined=found.examined,
        not_reproduced=found.not_reproduced,
        changes=[ChangeCountRow(change, found.changes[change]) for change in SimulationChange if found.changes[change]],
        edges=edges,
        page_info=PageRow(
            has_next_page=found.has_more,
            has_previous_page=after is not None,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=found.end_cursor,
        ),
    )


def _case(one: FoundDifference) -> SimulatedCaseRow:
    told = one.simulated
    if told.recorded is None or told.simulated is None or told.at is None:
        raise ValueError("a difference has two sides and an instant")
    return SimulatedCaseRow(
        one.case_id, told.changes, told.event, told.at, _outcome(told.recorded), _outcome(told.simulated)
    )


def _outcome(outcome: Outcome) -> OutcomeRow:
    return OutcomeRow(
        outcome.state,
        outcome.route,
        outcome.goodwill,
        outcome.target_missed,
        outcome.reviews_hidden,
        outcome.rule,
        refusal_rows(outcome.refusals),
    )
