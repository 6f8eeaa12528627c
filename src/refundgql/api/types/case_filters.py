"""What lists and streams of cases are narrowed by."""

from datetime import datetime
from typing import Annotated

import strawberry

from refundgql.api.acts.inputs import Input, check_filter, optional
from refundgql.api.faults import told
from refundgql.api.types.ids import uuid_of
from refundgql.api.types.money import MoneyInput
from refundgql.domain.money import Money, MoneyError
from refundgql.domain.sentences import sentence
from refundgql.domain.vocabulary import RefundCaseKind, RefundCaseState, RefundReason, SettlementStatus, WhoseMove
from refundgql.queries.case_filters import CaseFilter
from refundgql.queries.case_orders import RefundCaseOrder


@strawberry.input(description="Narrows cases; everything given must hold.")
class RefundCaseFilter(Input):
    kinds: list[RefundCaseKind] | None = optional("The case is of one of these kinds.")
    states: list[RefundCaseState] | None = optional("The case is in one of these states.")
    numbers: list[str] | None = optional("The case has one of these numbers, such as RC-000123; at most 100.")
    text: str | None = optional(
        "Part of the case's number, of the name or reference of a party or of what it is about (a title, an invoice's "
        "number), or of a lead's customer's name; in any case and composition of letters."
    )
    opened_after: datetime | None = optional("Opened at this instant or later.")
    opened_before: datetime | None = optional("Opened before this instant.")
    overdue: bool | None = optional("Whether a decision is late (L14).")
    whose_move: WhoseMove | None = optional("Who has to act next.")
    assignee_id: strawberry.ID | None = optional("The member of staff who takes care of it.")
    unassigned: bool | None = optional("Whether nobody takes care of it.")
    amount_at_least: MoneyInput | None = optional("The amount is in this currency and no smaller.")
    amount_at_most: MoneyInput | None = optional("The amount is in this currency and no larger.")
    reasons: list[RefundReason] | None = optional("The reason is one of these.")
    proposed: bool | None = optional(
        "Whether a decision is proposed that waits for a second signature (D23); for staff, of no case for others."
    )
    account_id: strawberry.ID | None = optional("This account asked, or is the other party.")
    contract_id: strawberry.ID | None = optional("It is about something paid on this contract.")
    settlement: SettlementStatus | None = optional("Where its money stands (D13).")
    goodwill: bool | None = optional("Whether it was filed after the window, as goodwill (D4).")
    decided_after: datetime | None = optional("Last approved or declined at this instant or later.")
    decided_before: datetime | None = optional("Last approved or declined before this instant.")
    credited_after: datetime | None = optional("Credited at this instant or later.")
    credited_before: datetime | None = optional("Credited before this instant.")
    due_before: datetime | None = optional("Its next deadline is before this instant, which may have passed.")
    unread: bool | None = optional(
        "Whether it holds something new for you, see RefundCase.unread; for lists alone, as reading is no event."
    )


CaseFilterArgument = Annotated[
    RefundCaseFilter | None,
    strawberry.argument(
        description="Only what fits; everything when left out, in the queue everything that is support's move."
    ),
]
CaseOrderArgument = Annotated[
    RefundCaseOrder | None, strawberry.argument(description="The order; the list's own when left out.")
]


def case_filter(given: RefundCaseFilter | None) -> CaseFilter | None:
    """Return a filter as queries take it.

    Refuses: BAD_USER_INPUT as `check_filter` does, and for amounts that are no money.
    """
    if given is None:
        return None
    check_filter(given)
    return CaseFilter(
        kinds=_values(given.kinds),
        states=_values(given.states),
        numbers=None if given.numbers is None else tuple(given.numbers),
        text=given.text,
        opened_after=given.opened_after,
        opened_before=given.opened_before,
        overdue=given.overdue,
        whose_move=given.whose_move,
        assignee_id=_id("Account", given.assignee_id),
        unassigned=given.unassigned,
        amount_at_least=_money(given.amount_at_least, "amountAtLeast"),
        amount_at_most=_money(given.amount_at_most, "amountAtMost"),
        reasons=_values(given.reasons),
        proposed=given.proposed,
        account_id=_id("Account", given.account_id),
        contract_id=_id("Contract", given.contract_id),
        settlement=None if given.settlement is None else given.settlement.value,
        goodwill=given.goodwill,
        decided_after=given.decided_after,
        decided_before=given.decided_before,
        credited_after=given.credited_after,
        credited_before=given.credited_before,
        due_before=given.due_before,
        unread=given.unread,
    )


def stream_filter(given: RefundCaseFilter | None) -> CaseFilter | None:
    """Return a filter as streams take it.

    Refuses: BAD_USER_INPUT as `case_filter` does, and for what no event tells.
    """
    if given is not None and given.unread is not None:
        raise told(sentence("LISTS_ONLY", "only lists can be narrowed by it."), argument="filter.unread")
    return case_filter(given)


def _id(type_name: str, given: strawberry.ID | None) -> str | None:
    """Return the id of a global id; one that is of nothing is empty, and finds nothing."""
    return None if given is None else uuid_of(type_name, given) or ""


def _values(given: list[RefundCaseKind] | list[RefundCaseState] | list[RefundReason] | None) -> tuple[str, ...] | None:
    return None if given is None else tuple(dict.fromkeys(one.value for one in given))


def _money(given: MoneyInput | None, name: str) -> Money | None:
    if given is None:
        return None
    try:
        return Money.parse(given.amount, given.currency_code)
    except MoneyError as error:
        raise told(error.why, argument=f"filter.{name}") from None
