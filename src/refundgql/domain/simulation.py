"""Past cases decided again under changed parameters, by the same rules and at the instants the acts were taken.

It must not change anything, nor hold a rule of its own: `decide` answers each act twice, under the rules that were in
force at its instant and under those with the changed parameters, and what differs first is told. Acts that were refused
are in no log and are not tried again; acts that people would have taken under other rules are unknown.

Deadlines are timers of the desk. One that runs out at the same instant under both is acted on when the log says that
it was; one that the change has moved is acted on at the instant itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from refundgql.domain.cases import deadline_moved, decide, run_out
from refundgql.domain.clocks import Timer, timers
from refundgql.domain.decisions import Act, Decision
from refundgql.domain.facts import Case, Facts
from refundgql.domain.history import History, PastEvent, act_of, facts_before, opens_follow_up
from refundgql.domain.policy import Policy, PolicyError
from refundgql.domain.refusals import Refusal, Refused
from refundgql.domain.review_hiding import reviews_hidden
from refundgql.domain.vocabulary import (
    DEADLINE_MOVED,
    DUE_SOON,
    INFORMATION_ENDED,
    INFORMATION_REQUESTED,
    TARGET_MISSED,
    RefundActionName,
    RefundCaseState,
    RefundRoute,
)


class SimulationChange(StrEnum):
    """How the outcome of a past case differs."""

    REFUSED = "REFUSED"
    OTHER_ROUTE = "OTHER_ROUTE"
    OTHER_STATE = "OTHER_STATE"
    GOODWILL = "GOODWILL"
    TARGET = "TARGET"
    REVIEWS = "REVIEWS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Where an act left a case; without a state there would be none."""

    state: RefundCaseState | None
    route: RefundRoute | None
    goodwill: bool
    target_missed: bool
    reviews_hidden: bool | None
    rule: str | None
    refusals: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """What came of deciding one case again; without changes the outcome is the same."""

    reproduced: bool = True
    """Whether the rules of its time answer every act as the log says it was answered."""
    changes: tuple[SimulationChange, ...] = ()
    event: str | None = None
    """The act whose outcome differs first; none when only the passing of time makes the difference."""
    at: datetime | None = None
    recorded: Outcome | None = None
    simulated: Outcome | None = None


@dataclass(slots=True)
class Rules:
    """Which rules were in force when, and what they would have been with the changed parameters."""

    in_force: Policy
    overrides: Mapping[str, object]
    kept: Mapping[str, Policy] = field(default_factory=dict)
    """By version; an act under rules that were not kept is judged by those in force now."""
    _pairs: dict[str, tuple[Policy, Policy]] = field(default_factory=dict)

    def of(self, version: str) -> tuple[Policy, Policy]:
        """Return the rules of a version, as they were and with the changed parameters."""
        if version not in self._pairs:
            policy = self.kept.get(version, self.in_force)
            try:
                changed = policy.with_overrides(self.overrides)
            except PolicyError:  # the changed parameters do not go with the others of that time
                changed = self.in_force.with_overrides(self.overrides)
            self._pairs[version] = _signed(policy), _signed(changed)
        return self._pairs[version]


@dataclass(slots=True)
class _Track:
    """A case on its way through its acts, under one policy."""

    policy: Policy
    case: Case | None = None
    missed: bool = False
    hidden: bool | None = None

    def due(self, facts: Facts) -> Timer | None:
        """Return the timer that runs out first and changes something; a reminder does not."""
        found = [] if self.case is None else timers(facts, self.case, self.case.updated_at, self.policy)
        return next((timer for timer in found if timer.event != DUE_SOON), None)

    def take(self, decision: Decision, facts: Facts) -> None:
        """Go on from a decision."""
        self.case = decision.case
        contract, delta = facts.contract, decision.payment_refunded_delta_minor
        if contract is not None and delta:
            refunded = contract.refunded_minor + delta
            self.hidden = reviews_hidden(contract.paid_minor, refunded, contract.currency, self.policy)

    def run_out(self, timer: Timer, at: datetime, facts: Facts) -> None:
        """Act on a timer as the desk does (D7, D8, L14, D20, D24)."""
        self.missed = self.missed or timer.event == TARGET_MISSED
        decision = run_out(replace(facts, case=self.case), at, self.policy, due_by=timer.due_at, reminding=False)
        if decision is not None:
            self.take(decision, facts)

    def move_deadline(self, at: datetime, facts: Facts) -> None:
        """Do what a start under other rules does: a date that has moved is reminded of and missed anew (D28)."""
        decision = None if self.case is None else deadline_moved(replace(facts, case=self.case), at, self.policy)
        if decision is not None:
            self.take(decision, facts)

    def outcome(self, rule: str | None, refusals: tuple[Refusal, ...] = ()) -> Outcome:
        """Return where the case stands."""
        case = self.case
        return Outcome(
            state=case.state if case is not None else None,
            route=case.route if case is not None else None,
            goodwill=case is not None and case.goodwill,
            target_missed=self.missed,
            reviews_hidden=self.hidden,
            rule=rule,
            refusals=refusals,
        )


_TIMERS = (RefundActionName.HAND_OVER.value, TARGET_MISSED, INFORMATION_ENDED)
_ANSWERS = (RefundActionName.ADD_EVIDENCE.value, RefundActionName.SEND_MESSAGE.value)
"""Events that nobody decides; they may answer a question of support's (D24)."""
_DECIDED_AGAIN = frozenset(
    {
        *(name.value for name in RefundActionName),
        *_TIMERS,
        INFORMATION_REQUESTED,
    }
) - {
    RefundActionName.ASSIGN.value,
    # Who signs is no rule about refunds: the decision that was signed has an event of its own.
    RefundActionName.PROPOSE.value,
    RefundActionName.CONFIRM.value,
    RefundActionName.RETURN.value,
}
"""Events whose acts the rules answer; the others are remarks that anybody who sees the case may make."""


def simulate(history: History, rules: Rules, now: datetime) -> Simulated:
    """Decide a past case again under changed parameters and return what differs first, up to now."""
    told, changed = rules.of(history.events[0].policy_version)
    walk = _Walk(history, rules, _Track(told), _Track(changed))
    for index, event in enumerate(history.events):
        if event.name == DEADLINE_MOVED:
            walk.move_deadlines(index, event)
        elif event.name in _DECIDED_AGAIN and not opens_follow_up(event):
            found = walk.step(index, event)
            if found is not None:
                return found
    return walk.end(now)


def _signed(policy: Policy) -> Policy:
    """Return the policy as it is for decisions that were signed as they had to be (D23)."""
    return replace(policy, decision_limit_minor={}, admin_decision_limit_minor={})


@dataclass(slots=True)
class _Walk:
    """Both tracks side by side, and the first difference that does not end the walk."""

    history: History
    rules: Rules
    told: _Track
    other: _Track
    noted: list[tuple[SimulationChange, PastEvent | None, datetime, Outcome, Outcome]] = field(default_factory=list)

    def step(self, index: int, event: PastEvent) -> Simulated | None:
        """Take one recorded act on both tracks; an answer ends the walk."""
        self._come_under(event.policy_version)
        facts = facts_before(self.history, index)
        shared = self._is_shared(facts)
        self._pass_time(event.at, facts)
        if event.name in _TIMERS:
            return self._timer(event, facts, shared=shared)
        if event.name in _ANSWERS and (self.told.case is None or self.told.case.information_from is None):
            return None  # nobody had been asked
        if event.name == RefundActionName.CREDIT.value and _is_credited(self.told.case):
            return None  # it followed the approval, on both tracks
        act = act_of(self.history, index, facts)
        if not self._reproduces(act, facts, event):
            return Simulated(reproduced=False)
        try:
            answer = decide(act, replace(facts, case=self.other.case or self._continued()), self.other.policy)
        except Refused as refused:
            refusals = refused.refusals
            outcome = self.other.outcome(next((one.rule for one in refusals if one.rule), None), refusals)
            return self._ended(SimulationChange.REFUSED, event, event.at, self.told.outcome(event.rule), outcome)
        self.other.take(answer, facts)
        return self._compare(event, event.at, answer.event.rule)

    def move_deadlines(self, index: int, event: PastEvent) -> None:
        """Let other rules come into force, at the very instant that they moved a date (D28)."""
        facts = facts_before(self.history, index)
        if self.told.case is not None:
            self._pass_time(event.at, facts)
        self._come_under(event.policy_version)
        for track in (self.told, self.other):
            track.move_deadline(event.at, facts)

    def _come_under(self, version: str) -> None:
        self.told.policy, self.other.policy = self.rules.of(version)

    def _continued(self) -> Case | None:
        """Return the case whose rest this one asks for, as it was when its follow-up case was opened (D19)."""
        before = self.history.continues
        return None if before is None else before.changed(continued_by_id=None, final_decision=False)

    def end(self, now: datetime) -> Simulated:
        """Let time pass until now, and return what is different then."""
        last = len(self.history.events) - 1
        self._come_under(self.rules.in_force.version)
        if self.told.case is not None:
            self._pass_time(now, facts_before(self.history, last))
        return self._compare(None, now, None) or self._noted()

    def _is_shared(self, facts: Facts) -> bool:
        """Tell whether the next timer runs out at the same instant on both tracks."""
        one, two = self.told.due(facts), self.other.due(facts)
        return one is not None and two is not None and one.due_at == two.due_at

    def _pass_time(self, until: datetime, facts: Facts) -> None:
        """Act on those timers of the changed rules that the change has moved."""
        while True:
            clock = self.other.due(facts)
            if clock is None or clock.due_at > until or self._is_shared(facts):
                return
            self.other.run_out(clock, clock.due_at, facts)

    def _timer(self, event: PastEvent, facts: Facts, *, shared: bool) -> Simulated | None:
        """Act on a timer when the log says so; on the changed track only when it is the same one."""
        clock = self.told.due(facts)
        if clock is None or clock.due_at > event.at:
            return Simulated(reproduced=False)
        self.told.run_out(clock, event.at, facts)
        if shared:
            self.other.run_out(clock, event.at, facts)
        return None

    def _reproduces(self, act: Act, facts: Facts, event: PastEvent) -> bool:
        """Take the act under the rules of its time, and tell whether they answer as the log says."""
        try:
            answer = decide(act, replace(facts, case=self.told.case or self._continued()), self.told.policy)
        except Refused:
            return False
        self.told.take(answer, facts)
        return answer.event.to_state is event.to_state

    def _compare(self, event: PastEvent | None, at: datetime, rule: str | None) -> Simulated | None:
        """Note where the tracks stand differently; a difference after which nothing can be compared ends the walk."""
        one, two = self.told.outcome(event.rule if event is not None else None), self.other.outcome(rule)
        known = {change for change, *_ in self.noted}
        for change, differs in (
            (SimulationChange.GOODWILL, one.goodwill is not two.goodwill),
            (SimulationChange.TARGET, one.target_missed is not two.target_missed),
            (SimulationChange.REVIEWS, one.reviews_hidden is not two.reviews_hidden),
        ):
            if differs and change not in known:
                self.noted.append((change, event, at, one, two))
        if one.route is not two.route:
            return self._ended(SimulationChange.OTHER_ROUTE, event, at, one, two)
        if one.state is not two.state:
            return self._ended(SimulationChange.OTHER_STATE, event, at, one, two)
        return None

    def _ended(
        self, change: SimulationChange, event: PastEvent | None, at: datetime, one: Outcome, two: Outcome
    ) -> Simulated:
        self.noted.append((change, event, at, one, two))
        return self._noted()

    def _noted(self) -> Simulated:
        """Return what differs, the first difference in full; what ends the walk goes before what does not."""
        if not self.noted:
            return Simulated()
        changes = tuple(change for change in SimulationChange if any(change is noted[0] for noted in self.noted))
        _, event, at, one, two = next(noted for noted in self.noted if noted[0] is changes[0])
        return Simulated(
            changes=changes, event=event.name if event is not None else None, at=at, recorded=one, simulated=two
        )


def _is_credited(case: Case | None) -> bool:
    return case is not None and case.state is RefundCaseState.CREDITED
