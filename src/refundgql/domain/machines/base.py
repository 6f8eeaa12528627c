"""What the four case machines share: strict settings, and the rows that every case has."""

from __future__ import annotations

from typing import Any, ClassVar

from statemachine import StateChart

from refundgql.domain.machines.row import Condition, Remark, guarded
from refundgql.domain.rules.amounts import ConsentCap, MoneyStillThere, ReopenCap
from refundgql.domain.rules.given import AmountGiven, DaysToAnswer, PartyAsked, TextGiven
from refundgql.domain.rules.limits import AnotherSigner, DecisionProposed, MaySign, NothingProposed
from refundgql.domain.rules.payments import NoOpenCase
from refundgql.domain.rules.reopening import DecidedByAnother, FinallyDeclined, ReopenedOnce, ReopenWindow
from refundgql.domain.rules.situation import Rule
from refundgql.domain.rules.standing import NothingAsked, NotReversed
from refundgql.domain.rules.who import AskedIsThere, NotOwnCase, NotOwnFiling, PersonsThere, Who
from refundgql.domain.sentences import phrase
from refundgql.domain.vocabulary import INFORMATION_REQUESTED, RefundCaseKind, RefundCaseState

NOTHING = "NOTHING"
"""The state before there is a case; clients see it as no state at all."""

EVERY_STATE = tuple(RefundCaseState)
WITH_SUPPORT = (RefundCaseState.ESCALATED, RefundCaseState.DISPUTED)


def said_by(*parties: Who) -> tuple[Remark, Remark, Remark]:
    """Return the rows for adding evidence (L16), for withdrawing it until a decision (D26), and for messages."""
    return (
        Remark(*EVERY_STATE, guards=guarded(*parties, cites="L16")),
        Remark(*EVERY_STATE, guards=guarded(*parties, cites="D26")),
        Remark(*EVERY_STATE, guards=guarded(*parties)),
    )


IN_PART = Condition(
    lambda it: it.case is not None and it.case.approved_in_part,
    yes=("less was approved than was asked", "D19"),
    no=("all that was asked was approved", "D19"),
).holds
"""Chooses the rows that take the rest of an expert's part approval to support: a follow-up case is opened for it."""


def noted_in(*states: RefundCaseState, cites: str, action: str | None = None) -> Remark:
    """Return the row for what the desk notes by itself in these states."""
    return Remark(*states, guards=guarded(Who.SYSTEM, cites=cites), action=action)


def waiting_in(*states: RefundCaseState, target: str) -> tuple[Remark, Remark, Remark]:
    """Return the rows of states that wait for support: a party is asked, that is over, the target is missed."""
    return question_in(*states), noted_in(*states, cites="D24"), noted_in(*states, cites=target)


def dated_in(*states: RefundCaseState) -> tuple[Remark, Remark]:
    """Return the rows of states in which people wait for a date: it is near (D21), it has moved (D28).

    The date is that of an answer, of a target, or of the end of a way on.
    """
    return noted_in(*states, cites="D21", action="DUE_SOON"), noted_in(*states, cites="D28", action="DEADLINE_MOVED")


def question_in(*states: RefundCaseState) -> Remark:
    """Return the row for support asking a party for information, in the states that wait for support (D24)."""
    rules = (
        NotOwnCase(),
        TextGiven("question", phrase("the question"), "D24"),
        PartyAsked(),
        AskedIsThere(),
        DaysToAnswer(),
        NothingAsked(),
    )
    return Remark(*states, guards=guarded(Who.SUPPORT, cites="D24", rules=rules), event=INFORMATION_REQUESTED)


def signed_by(*states: RefundCaseState, deciders: tuple[Rule, ...]) -> tuple[Remark, Remark, Remark]:
    """Return the rows of a second signature: to propose a decision, to confirm it, to return it (D23)."""
    reason = TextGiven("reason", phrase("what should be different"), "D23")

    def row(action: str, *rules: Rule) -> Remark:
        return Remark(*states, guards=guarded(Who.SUPPORT, cites="D23", rules=(*deciders, *rules)), action=action)

    return (
        row("PROPOSE", NothingProposed()),
        row("CONFIRM", AnotherSigner(), DecisionProposed(), MaySign()),
        row("RETURN", reason, DecisionProposed()),
    )


DECIDER = (NotOwnCase(), NotOwnFiling())
"""Nobody decides on their own case, nor on one they filed for somebody (D4)."""

REOPENED = (
    *DECIDER,
    PersonsThere(),
    DecidedByAnother(),
    TextGiven("reason", phrase("why this is decided anew"), "D22"),
    FinallyDeclined(),
    ReopenedOnce(),
    ReopenWindow(),
    NoOpenCase(),
    ReopenCap(),
)
"""An administrator mends a final decline (D22)."""


class CaseMachine(StateChart[Any]):
    """A refund case of one kind: transitions move it, remarks are recorded on it.

    The settings are written out although some are defaults: each decides whether a wrong act is noticed.
    """

    allow_event_without_transition = False  # an event that is not allowed raises
    catch_errors_as_events = False  # an error in a guard propagates
    atomic_configuration_update = True  # the state changes whole or not at all
    enable_self_transition_entries = False

    kind: ClassVar[RefundCaseKind]

    reverse = Remark(
        RefundCaseState.CREDITED,
        guards=guarded(
            Who.ADMIN,
            cites="D16",
            rules=(
                *DECIDER,
                PersonsThere(),
                TextGiven("reason", phrase("a reason"), "D16"),
                NotReversed(),
                MoneyStillThere(),
            ),
        ),
    )
    assign = Remark(*EVERY_STATE, guards=guarded(Who.SUPPORT, Who.SYSTEM))
    evidence_redacted = Remark(*EVERY_STATE, guards=guarded(Who.ADMIN, cites="D26"))
    staff_note = Remark(*EVERY_STATE, guards=guarded(Who.SUPPORT, cites="D29"))
    withdrawal_changed = noted_in(*EVERY_STATE, cites="D10")
    chargeback = noted_in(*EVERY_STATE, cites="D25")


class ContractCaseMachine(CaseMachine):
    """What the kinds of contracts share beside, in those of these states that each has."""

    add_evidence, evidence_withdrawn, send_message = said_by(Who.CLIENT, Who.EXPERT, Who.SUPPORT)
    consent = Remark(*WITH_SUPPORT, guards=guarded(Who.EXPERT, cites="C15", rules=(AmountGiven(), ConsentCap())))
    propose, confirm, return_ = signed_by(*WITH_SUPPORT, deciders=DECIDER)
    request_information, information_ended, target_missed = waiting_in(*WITH_SUPPORT, target="D20")
    due_soon, deadline_moved = dated_in(RefundCaseState.REQUESTED, *WITH_SUPPORT)
