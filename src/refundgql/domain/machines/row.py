"""One row of a case machine's table: who may act, and the rules that guard it, in the order they are asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from refundgql.domain.refusals import ConflictRefusal, Refusal, Refused
from refundgql.domain.rules.given import AmountPositive, RestOfEscrowShape, SameCurrency, TextStorable
from refundgql.domain.rules.situation import Group, Rule, Situation, Window
from refundgql.domain.rules.who import Who, not_yours, part_of
from refundgql.domain.sentences import sentence
from refundgql.domain.vocabulary import RefundActionName, RefundCaseState, RefusalCode

_ON_EVERY_ROW: tuple[Rule, ...] = (TextStorable(), AmountPositive(), SameCurrency(), RestOfEscrowShape())


class Guards:
    """The guards of one row; as a machine's validator they raise what `refusals` returns."""

    def __init__(
        self,
        by: tuple[Who, ...],
        cites: tuple[str, ...],
        rules: tuple[Rule, ...],
        instead: tuple[RefundActionName, ...] = (),
    ) -> None:
        """Sort the rules by the group they are asked in."""
        self.by = by
        self.cites = cites
        self.rules = rules
        self._not_yours = not_yours(by, cites[0] if cites else None, instead)
        self.who = _of_group(rules, Group.WHO)
        self.given = _of_group(rules, Group.GIVEN) + _ON_EVERY_ROW
        self.facts_rules = _of_group(rules, Group.RULE)
        self._tellers = tuple(rule for rule in (*rules, *_ON_EVERY_ROW) if type(rule).saw is not Rule.saw)
        self._choosers = tuple(rule for rule in rules if type(rule).cited is not Rule.cited)
        self._timed = tuple(rule for rule in rules if type(rule).window is not Rule.window)

    def validate(self, situation: Situation) -> None:
        """Raise every reason of the first group that refuses.

        Refuses: what the row's rules say.
        """
        found = self.refusals(situation)
        if found:
            raise Refused(*found)

    def refusals(self, it: Situation) -> list[Refusal]:
        """Return every reason of the first group that refuses; none when the act may go on."""
        return self.before_state(it) or _asked(self.facts_rules, it)

    def before_state(self, it: Situation) -> list[Refusal]:
        """Return the reasons that come before the state is looked at: who, what was given, which version."""
        if part_of(self.by, it.act.viewer, it.facts) is None:
            return [self._not_yours]
        return _asked(self.who, it) or with_faults(it, _asked(self.given, it)) or version_conflict(it)

    def saw(self, it: Situation) -> tuple[tuple[str, str], ...]:
        """Return the facts that the rules looked at, for the event."""
        return tuple(fact for rule in self._tellers for fact in rule.saw(it))

    def cited(self, it: Situation) -> str | None:
        """Return the rule number that one of the rules chooses for the act's event, if one does."""
        return next((found for rule in self._choosers if (found := rule.cited(it)) is not None), None)

    def open_but_time(self, it: Situation) -> bool:
        """Tell whether nothing but the instant, or what passes by itself, stands in the way of the act."""
        return all(rule in self._timed or rule.passes_by_itself or rule.check(it) is None for rule in self.facts_rules)

    def window(self, it: Situation) -> Window:
        """Return when the act is open, as far as that depends on the instant: all of the rules' windows at once."""
        opens_at = closes_at = None
        for rule in self._timed:
            found = rule.window(it)
            if found is None:
                continue
            if found.opens_at is not None and (opens_at is None or found.opens_at > opens_at):
                opens_at = found.opens_at
            if found.closes_at is not None and (closes_at is None or found.closes_at < closes_at):
                closes_at = found.closes_at
        return Window(opens_at, closes_at)

    def __repr__(self) -> str:
        """Show the row's parts and rules."""
        return f"Guards({'/'.join(self.by)}: {', '.join(map(repr, self.rules))})"


def guarded(
    *by: Who,
    cites: tuple[str, ...] | str = (),
    rules: tuple[Rule, ...] = (),
    instead: tuple[RefundActionName, ...] = (),
) -> Any:
    """Return a transition's validator: who may act, the row's own rule numbers, its rules, what others do instead."""
    return Guards(by, (cites,) if isinstance(cites, str) else cites, rules, instead).validate


class Condition:
    """What chooses between two rows of the same act and state; each row says which answer it needs."""

    def __init__(self, test: Callable[[Situation], bool], *, yes: tuple[str, str], no: tuple[str, str]) -> None:
        """Name both answers, each in words and by the rule behind it."""
        self.yes = yes
        self.no = no
        self._test = test

    def holds(self, situation: Situation) -> bool:
        """Tell the answer."""
        return self._test(situation)


class Remark:
    """A row without transition: an act that is recorded as an event while the case is in one of these states."""

    def __init__(
        self,
        *states: RefundCaseState,
        guards: Any,
        action: str | None = None,
        event: str | None = None,
        cond: Any = None,
    ) -> None:
        """Keep the states and the guards that `guarded` made.

        The act is named as the attribute, and its event as the act, unless they are given.
        """
        self.states = states
        self.event = event
        self.guards: Guards = guards.__self__
        self.action = action
        self.when: tuple[tuple[Condition, bool], ...] = () if cond is None else ((cond.__self__, True),)


def version_conflict(it: Situation) -> list[Refusal]:
    """Return a VERSION_CONFLICT when the case has moved on since the viewer looked at it."""
    expected, case = it.act.expected_version, it.case
    if expected is None or case is None or expected == case.version:
        return []
    return [
        ConflictRefusal(
            code=RefusalCode.VERSION_CONFLICT,
            message=sentence(
                "CASE_MOVED_ON",
                "The case has moved on to version {version}: look at it again before acting.",
                version=case.version,
            ),
            alternatives=(it.action,),
            current_state=case.state,
            current_version=case.version,
        )
    ]


def with_faults(it: Situation, found: list[Refusal]) -> list[Refusal]:
    """Return what is wrong with the input, once for each field: what cites a rule is told, else what knows more."""
    if not it.act.faults:
        return found
    ruled = {one.field[0] for one in found if one.field and one.rule}
    kept = [one for one in it.act.faults if one.rule or not one.field or one.field[0] not in ruled]
    told = {one.field[0] for one in kept if one.field}
    return [*kept, *(one for one in found if one.field is None or one.field[0] not in told)]


def _of_group(rules: tuple[Rule, ...], group: Group) -> tuple[Rule, ...]:
    return tuple(rule for rule in rules if rule.group is group)


def _asked(rules: tuple[Rule, ...], it: Situation) -> list[Refusal]:
    return [refusal for rule in rules if (refusal := rule.check(it)) is not None]
