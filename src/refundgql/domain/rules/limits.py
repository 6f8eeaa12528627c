"""How much one person decides alone: above a limit a decision of staff is a proposal that a second one signs (D23)."""

from __future__ import annotations

from refundgql.domain.refusals import AmountRefusal, ConflictRefusal, Refusal, refusal
from refundgql.domain.rules.situation import Group, Rule, Situation
from refundgql.domain.rules.who import Who, actor_role
from refundgql.domain.sentences import Sentence, sentence
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import RefundActionName, RefundDecision, RefusalCode

_DECISIONS = (RefundActionName.APPROVE, RefundActionName.DECLINE, RefundActionName.CONFIRM)


def limit_minor(viewer: Viewer, it: Situation) -> int | None:
    """Return the most that somebody decides alone in the payment's currency, in minor units; None is no limit."""
    limits = it.policy.admin_decision_limit_minor if viewer.is_admin else it.policy.decision_limit_minor
    return limits.get(it.facts.payment.currency)


def decided_minor(it: Situation) -> int:
    """Return the amount that a decision is about, in minor units: what is approved, or all that is declined."""
    case, given = it.case, it.act.amount
    if it.action is RefundActionName.CONFIRM and case is not None:
        return case.proposed_minor or case.requested_minor or 0
    if given is not None and it.action is RefundActionName.APPROVE:
        return given.minor
    return 0 if case is None else case.requested_minor or case.consented_minor or 0


def decider_role(by: tuple[Who, ...], it: Situation) -> str:
    """Return the role that an act's event shows: ADMIN where support's limit would not have let a decision pass."""
    role = actor_role(by, it.viewer, it.facts)
    limit = it.policy.decision_limit_minor.get(it.facts.payment.currency)
    if role != Who.SUPPORT or it.action not in _DECISIONS or limit is None or decided_minor(it) <= limit:
        return role
    return Who.ADMIN.value  # nobody else gets past WithinLimit or MaySign


class WithinLimit(Rule):
    """Up to a limit staff decide alone; above it they propose."""

    rules = ("D23",)
    about = "amount ≤ the decider's limit, else it is proposed"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with LIMIT_EXCEEDED, and the limit as the maximum."""
        limit = None if it.viewer is None else limit_minor(it.viewer, it)
        amount = decided_minor(it)
        if limit is None or amount <= limit or self.signs(it):
            return None
        return AmountRefusal(
            code=RefusalCode.LIMIT_EXCEEDED,
            message=self.too_much(it, limit),
            rule="D23",
            alternatives=(RefundActionName.PROPOSE,) if it.action is not RefundActionName.CONFIRM else (),
            maximum=it.money(limit),
            requested=it.money(amount),
        )

    def too_much(self, it: Situation, limit: int) -> Sentence:
        """Say how much the viewer decides alone."""
        return sentence(
            "DECIDE_ALONE_UP_TO",
            "You decide alone up to {limit}: above that your decision is proposed to a colleague.",
            limit=it.money(limit),
        )

    def signs(self, it: Situation) -> bool:
        """Tell whether the limit does not matter."""
        return False


class MaySign(WithinLimit):
    """Who confirms has the limit; an administrator is a second signature whatever the limit."""

    about = "amount ≤ the limit of whoever confirms, or an administrator"

    def too_much(self, it: Situation, limit: int) -> Sentence:
        """Say how much the viewer may sign."""
        return sentence(
            "SIGN_UP_TO",
            "You sign decisions up to {limit}: ask a colleague with a higher limit.",
            limit=it.money(limit),
        )

    def signs(self, it: Situation) -> bool:
        """Tell whether the viewer is an administrator."""
        return it.viewer is not None and it.viewer.is_admin


class NothingProposed(Rule):
    """A proposed decision is confirmed or returned before another one is made."""

    rules = ("D23",)
    about = "no decision is proposed"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with TRANSITION_NOT_ALLOWED."""
        case = it.case
        if case is None or case.proposed_decision is None:
            return None
        return ConflictRefusal(
            code=RefusalCode.TRANSITION_NOT_ALLOWED,
            message=sentence(
                "DECISION_IS_PROPOSED", "A decision on this case is proposed: confirm it, or return it first."
            ),
            rule="D23",
            alternatives=(RefundActionName.CONFIRM, RefundActionName.RETURN),
            current_state=case.state,
            current_version=case.version,
        )


class DecisionProposed(Rule):
    """What is confirmed or returned was proposed."""

    rules = ("D23",)
    about = "a decision is proposed"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with TRANSITION_NOT_ALLOWED when nothing is proposed."""
        case = it.case
        if case is None or case.proposed_decision is not None:
            return None
        return ConflictRefusal(
            code=RefusalCode.TRANSITION_NOT_ALLOWED,
            message=sentence("NO_DECISION_PROPOSED", "No decision on this case is proposed: decide it."),
            rule="D23",
            alternatives=(RefundActionName.APPROVE, RefundActionName.DECLINE, RefundActionName.PROPOSE),
            current_state=case.state,
            current_version=case.version,
        )


class AnotherSigner(Rule):
    """The second signature is somebody else's."""

    rules = ("D23",)
    about = "not by whoever proposed it"
    group = Group.WHO

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with SAME_DECIDER when the proposer confirms."""
        case, viewer = it.case, it.viewer
        if viewer is None or case is None or case.proposed_decision is None or case.proposed_by_id != viewer.account_id:
            return None
        message = sentence("PROPOSED_BY_YOU", "You proposed this decision: a colleague confirms it.")
        return refusal(RefusalCode.SAME_DECIDER, message, "D23")


def within_limit(it: Situation) -> ConflictRefusal:
    """Say that what the viewer may decide alone is not proposed."""
    case = it.case
    return ConflictRefusal(
        code=RefusalCode.TRANSITION_NOT_ALLOWED,
        message=sentence("MAY_DECIDE_ALONE", "You may decide this alone: approve or decline it."),
        rule="D23",
        alternatives=(RefundActionName.APPROVE, RefundActionName.DECLINE),
        current_state=case.state if case is not None else None,
        current_version=case.version if case is not None else None,
    )


def proposed_action(case_decision: RefundDecision) -> RefundActionName:
    """Return the act that a proposed decision becomes when it is confirmed."""
    return RefundActionName.APPROVE if case_decision is RefundDecision.APPROVE else RefundActionName.DECLINE
