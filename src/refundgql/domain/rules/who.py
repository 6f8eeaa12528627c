"""Who may act: parties, staff and the system, and nobody on a case of their own."""

from __future__ import annotations

from enum import StrEnum

from refundgql.domain.facts import Case, Facts
from refundgql.domain.refusals import BasicRefusal, Refusal, refusal
from refundgql.domain.rules.situation import Group, Rule, Situation
from refundgql.domain.sentences import either, phrase, sentence
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import RefundActionName, RefusalCode, Role, WhoseMove


class Who(StrEnum):
    """The parts people play in one case; the value is the actor role that events show."""

    PRO = "PRO"
    CLIENT = "CLIENT"
    EXPERT = "EXPERT"
    SUPPORT = "SUPPORT"
    ADMIN = "ADMIN"
    SYSTEM = "SYSTEM"


_NAMES = {
    Who.PRO: phrase("the professional who bought the lead"),
    Who.CLIENT: phrase("the client of the contract"),
    Who.EXPERT: phrase("the expert of the contract"),
    Who.SUPPORT: phrase("support"),
    Who.ADMIN: phrase("an administrator"),
    Who.SYSTEM: phrase("the system itself"),
}


def plays(who: Who, viewer: Viewer | None, facts: Facts) -> bool:
    """Tell whether the viewer plays a part in these facts; an administrator also is support."""
    if viewer is None:
        return who is Who.SYSTEM
    if who is Who.CLIENT or who is Who.EXPERT:
        contract = facts.contract
        if contract is None:
            return False
        if who is Who.CLIENT:
            return contract.client_id == viewer.account_id and Role.CLIENT in viewer.roles
        return contract.expert_id == viewer.account_id and Role.EXPERT in viewer.roles
    if who is Who.PRO:
        return facts.lead is not None and facts.lead.pro_id == viewer.account_id and Role.PRO in viewer.roles
    if who is Who.SUPPORT:
        return viewer.is_staff
    return who is Who.ADMIN and viewer.is_admin


def part_of(by: tuple[Who, ...], viewer: Viewer | None, facts: Facts) -> Who | None:
    """Return the first part among `by` that the viewer plays; None when the act is not theirs."""
    for who in by:
        if plays(who, viewer, facts):
            return who
    return None


def actor_role(by: tuple[Who, ...], viewer: Viewer | None, facts: Facts) -> str:
    """Return the role an event shows for the viewer: an administrator without SUPPORT acts as ADMIN."""
    who = part_of(by, viewer, facts) or Who.SYSTEM
    if who is Who.SUPPORT and viewer is not None and Role.SUPPORT not in viewer.roles:
        return Who.ADMIN.value
    return who.value


def not_yours(by: tuple[Who, ...], rule: str | None, instead: tuple[RefundActionName, ...] = ()) -> BasicRefusal:
    """Say whose act it is, and what somebody else may do instead."""
    message = sentence(
        "NOT_YOUR_ACT", "This act belongs to {whose}: leave it to them.", whose=either([_NAMES[who] for who in by])
    )
    return refusal(RefusalCode.FORBIDDEN, message, rule, *instead)


def is_party(account_id: str, facts: Facts, case: Case | None) -> bool:
    """Tell whether an account stands on either side of the money."""
    lead, contract = facts.lead, facts.contract
    if lead is not None and account_id in (lead.pro_id, lead.customer_id):
        return True
    if contract is not None and account_id in (contract.client_id, contract.expert_id):
        return True
    return case is not None and account_id in (case.requester_id, case.counterparty_id)


class NotOwnCase(Rule):
    """Staff never decide about their own money."""

    about = "staff decide on nobody's money but other people's"
    group = Group.WHO

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with OWN_CASE when the staff member is a party."""
        if it.viewer is None or not is_party(it.viewer.account_id, it.facts, it.case):
            return None
        message = sentence("OWN_CASE", "You are a party to this case: ask a colleague to decide it.")
        return refusal(RefusalCode.OWN_CASE, message)


class PersonsThere(Rule):
    """Nothing moves to an account that was erased, nor from it by anybody's will."""

    rules = ("D30",)
    about = "the account that the money comes back to was not erased"
    group = Group.WHO

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with TRANSITION_NOT_ALLOWED; a reversal also when the expert that it would pay was erased."""
        facts = it.facts
        gone = facts.recipient_erased_at is not None
        if not gone and (it.action is not RefundActionName.REVERSE or facts.expert_erased_at is None):
            return None
        message = sentence(
            "ACCOUNT_ERASED", "An account whose money this is was erased: settle it outside of the desk."
        )
        return refusal(RefusalCode.TRANSITION_NOT_ALLOWED, message, "D30")


class AskedIsThere(Rule):
    """Nobody waits for an answer of an expert who was erased; with an erased recipient nothing is undecided."""

    rules = ("D30",)
    about = "the party that is asked was not erased"
    group = Group.GIVEN

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with INVALID_INPUT."""
        if it.facts.expert_erased_at is None or it.act.asked_party is not WhoseMove.COUNTERPARTY:
            return None
        message = sentence("ASKED_ERASED", "The account of this party was erased: decide without an answer.")
        return refusal(RefusalCode.INVALID_INPUT, message, "D30", field=("from",))


class NotOwnFiling(Rule):
    """Whoever filed a case for somebody else does not decide it."""

    rules = ("D4",)
    about = "whoever filed the case does not decide it"
    group = Group.WHO

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with OWN_CASE when the staff member filed the case."""
        if it.viewer is None or it.case is None or it.case.filed_by_id != it.viewer.account_id:
            return None
        if is_party(it.viewer.account_id, it.facts, it.case):
            return None  # NotOwnCase says so already
        message = sentence("FILED_BY_YOU", "You filed this case for somebody: ask a colleague to decide it.")
        return refusal(RefusalCode.OWN_CASE, message, "D4")


class AnotherDecider(Rule):
    """A second look belongs to somebody who neither gave the first answer nor proposed it."""

    rules = ("D6",)
    about = "the second look is decided by another member of staff"
    group = Group.WHO

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with SAME_DECIDER when the first decider, or who proposed that decision, looks again."""
        case, viewer = it.case, it.viewer
        if case is None or viewer is None:
            return None
        if viewer.account_id not in (case.first_decided_by_id, case.first_proposed_by_id):
            return None
        message = sentence(
            "FIRST_ANSWER_BY_YOU", "You gave the first answer on this lead: a colleague takes the second look."
        )
        return refusal(RefusalCode.SAME_DECIDER, message, "D6")


class AskedYourself(Rule):
    """Only who asked for the money may take the request back."""

    rules = ("D15",)
    about = "only whoever asked may cancel"
    group = Group.WHO

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with FORBIDDEN when the viewer asked for nothing, as with a refund the expert issued."""
        case = it.case
        if case is None or it.viewer is None:
            return None
        if case.requester_id == it.viewer.account_id and case.opened_by is not RefundActionName.ISSUE:
            return None
        message = sentence(
            "ONLY_REQUESTER_CANCELS", "Only whoever asked for this refund can cancel it: leave it to them."
        )
        return refusal(RefusalCode.FORBIDDEN, message, "D15")
