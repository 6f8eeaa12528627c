"""What an act would do, told before it is done, at any instant."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any

import strawberry

from refundgql.api.acts.inputs import Input, optional, required
from refundgql.api.context import LevelInfo
from refundgql.api.types.availability import ClockRow, clock_row
from refundgql.api.types.clocks import Clock
from refundgql.api.types.ids import uuid_of
from refundgql.api.types.money import Money, MoneyInput, given_amount
from refundgql.api.types.refusals import Refusal, RefusalRow, refusal_rows
from refundgql.commands.checks import Checks
from refundgql.domain.cases import decision_preview, preview
from refundgql.domain.decisions import Act, Posting, Preview
from refundgql.domain.facts import Facts
from refundgql.domain.machines.table import OPENING
from refundgql.domain.money import Money as DomainMoney
from refundgql.domain.refusals import BasicRefusal, Refused, not_found
from refundgql.domain.refusals import Refusal as DomainRefusal
from refundgql.domain.sentences import phrase, sentence
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import (
    IssueDecision,
    RefundActionName,
    RefundCaseKind,
    RefundDecision,
    RefundReason,
    RefundRoute,
    RefusalCode,
    RestOfEscrow,
    WhoseMove,
)
from refundgql.gql.declare import Level, level
from refundgql.gql.rows import row
from refundgql.queries.payments import visible_case_facts, visible_payment_facts
from refundgql.queries.withdrawals import stays_on_balance

ASKED_KINDS = {
    "Lead": RefundCaseKind.LEAD,
    "Invoice": RefundCaseKind.INVOICE,
    "Milestone": None,
    "BillingWeek": RefundCaseKind.INVOICE,
}
"""The kind of case that asking about each of them makes; a milestone's is told by where its money is (C29, C30)."""
_NAMES = {
    "Lead": phrase("lead"),
    "Invoice": phrase("invoice"),
    "Milestone": phrase("milestone"),
    "BillingWeek": phrase("billing week"),
}
"""As the mutations call them."""


@row("PostingRow")
@strawberry.type(description="One movement of money that would follow.")
class PostingPreview:
    from_account: str = strawberry.field(
        description="Where the money would come from, such as held(week) or balance(expert, CONTRACTS)."
    )
    to_account: str = strawberry.field(description="Where it would go, such as balance(client, CONTRACTS).")
    amount: Money = strawberry.field(description="How much.")


@row("PreviewRow")
@strawberry.type(description="What asking (or, for the expert, issuing) would do; nothing is changed.")
class RefundPreview:
    allowed: bool = strawberry.field(description="Whether it would go through.")
    blockers: list[Refusal] = strawberry.field(description="Everything in the way, as the mutation would say it.")
    route: RefundRoute | None = strawberry.field(description="Who would be asked first.")
    maximum: Money | None = strawberry.field(description="The most that could be asked for (C14, D9).")
    decided_by: WhoseMove | None = strawberry.field(description="Who would decide.")
    decision_due_by: datetime | None = strawberry.field(description="When the decision would be due, if a clock runs.")
    contract_total_after: Money | None = strawberry.field(
        description="What the contract would be worth after a full approval: paid less refunded (C21)."
    )
    reviews_hidden: bool | None = strawberry.field(
        description="Whether the reviews would then be hidden (C21); none for leads."
    )
    postings: list[PostingPreview] = strawberry.field(description="The movements of money of a full approval.")
    clocks: list[Clock] = strawberry.field(description="The deadlines that would run.")


@strawberry.input(description="What to look at; give exactly one id.")
class RefundPreviewInput(Input):
    lead_id: strawberry.ID | None = optional("A lead.")
    invoice_id: strawberry.ID | None = optional("An invoice.")
    milestone_id: strawberry.ID | None = optional("A milestone.")
    billing_week_id: strawberry.ID | None = optional("A billing week, in the place of its invoice.")
    amount: MoneyInput | None = optional("How much; the maximum when left out.")
    reason: RefundReason | None = optional("Why.")
    at: datetime | None = optional("The instant to look at; now when left out.")
    action: RefundActionName | None = optional(
        "What to look at the effect of: REQUEST, ISSUE, or OPEN_TIMESHEET_DISPUTE for a billing week; ISSUE for the "
        "expert and REQUEST for everybody else when left out."
    )


@strawberry.input(description="A decision to look at before it is taken.")
class DecisionPreviewInput(Input):
    refund_case_id: strawberry.ID = required("The case.")
    decision: RefundDecision = required("Approve or decline.")
    amount: MoneyInput | None = optional("How much would be approved; all that was asked for when left out.")
    rest: RestOfEscrow | None = optional("Of escrow, when support decides: what would become of the rest (D11).")


@row("DecisionPreviewRow")
@strawberry.type(description="What approving or declining a case would do now; nothing is changed.")
class DecisionPreview:
    allowed: bool = strawberry.field(description="Whether it would go through, as a decision or as a proposal.")
    needs_confirmation: bool = strawberry.field(
        description="Whether it is above your limit, and would be proposed to a colleague; the rest is told as it "
        "would be once it is confirmed (D23)."
    )
    blockers: list[Refusal] = strawberry.field(description="Everything in the way, as the mutation would say it.")
    postings: list[PostingPreview] = strawberry.field(description="The movements of money that would follow at once.")
    requester_balance_after: Money | None = strawberry.field(
        description="The requester's balance after it, without what is sent on to the payment method at once (D10), "
        "for themselves and staff; none for others."
    )
    counterparty_balance_after: Money | None = strawberry.field(
        description="The other side's balance after it, for themselves and staff; none for others and for leads."
    )
    contract_total_after: Money | None = strawberry.field(
        description="What the contract would be worth after it: paid less refunded (C21); none for leads."
    )
    reviews_hidden: bool | None = strawberry.field(
        description="Whether the reviews would be hidden after it (C21); none for leads."
    )
    stays_open: list[RefundActionName] = strawberry.field(
        description="What whoever asked could still do about this money after it."
    )


@dataclass(slots=True)
class PostingRow:
    """A movement of money for a client."""

    from_account: str
    to_account: str
    amount: DomainMoney


@dataclass(slots=True)
class PreviewRow:
    """What an act would do, for a client."""

    allowed: bool
    blockers: list[RefusalRow]
    route: RefundRoute | None = None
    maximum: DomainMoney | None = None
    decided_by: WhoseMove | None = None
    decision_due_by: datetime | None = None
    contract_total_after: DomainMoney | None = None
    reviews_hidden: bool | None = None
    postings: list[PostingRow] | tuple[()] = ()
    clocks: list[ClockRow] | tuple[()] = ()


@dataclass(slots=True)
class DecisionPreviewRow:
    """What a decision would do, for a client."""

    allowed: bool
    blockers: list[RefusalRow]
    needs_confirmation: bool = False
    postings: list[PostingRow] | tuple[()] = ()
    requester_balance_after: DomainMoney | None = None
    counterparty_balance_after: DomainMoney | None = None
    contract_total_after: DomainMoney | None = None
    reviews_hidden: bool | None = None
    stays_open: list[RefundActionName] | tuple[()] = ()


_SOME_MESSAGE = "…"
"""In the place of the message that a decline needs: what it says changes nothing of what is looked at."""


@strawberry.type
class PreviewQueries:
    @level(description="What asking for a refund would do, at any instant, by the same rules as the mutation.")
    @staticmethod
    async def refund_preview(
        rows: list[Any],
        info: LevelInfo,
        input: Annotated[RefundPreviewInput, strawberry.argument(description="What to look at.")],
    ) -> Level[RefundPreview]:
        viewer = info.context.signed_in()
        try:
            return [await _preview(info, viewer, input)]
        except Refused as refused:
            return [PreviewRow(False, refusal_rows(refused.refusals))]

    @level(description="What a decision on a case would do now, by the rules and the code that would take it.")
    @staticmethod
    async def decision_preview(
        rows: list[Any],
        info: LevelInfo,
        input: Annotated[DecisionPreviewInput, strawberry.argument(description="The decision to look at.")],
    ) -> Level[DecisionPreview]:
        viewer = info.context.signed_in()
        try:
            return [await _decision_preview(info, viewer, input)]
        except Refused as refused:
            return [DecisionPreviewRow(False, refusal_rows(refused.refusals))]


async def _decision_preview(info: LevelInfo, viewer: Viewer, given: DecisionPreviewInput) -> DecisionPreviewRow:
    case_id = uuid_of("RefundCase", given.refund_case_id)
    facts = await visible_case_facts(info.context.app.database, viewer, case_id) if case_id else None
    if facts is None:
        raise Refused(not_found(phrase("refund case"), "refundCaseId"))
    checks = Checks()
    approves = given.decision is RefundDecision.APPROVE
    act = Act(
        action=RefundActionName.APPROVE if approves else RefundActionName.DECLINE,
        at=info.context.now,
        viewer=viewer,
        amount=checks.money(given_amount(given.amount)),
        text=None if approves else _SOME_MESSAGE,
        rest=given.rest,
    )
    if not approves and given.amount is not None:
        checks.refuse(sentence("DECLINE_HAS_NO_AMOUNT", "A decline has no amount: leave it out."), "amount")
    app = info.context.app
    stays = facts.case is not None and await stays_on_balance(app.database, facts.case)
    found = decision_preview(replace(act, faults=tuple(checks.refusals)), facts, app.policy, stays=stays)
    return DecisionPreviewRow(
        found.allowed,
        refusal_rows(found.blockers),
        found.needs_confirmation,
        [_posting(one, facts) for one in found.postings],
        found.requester_balance_after,
        found.counterparty_balance_after,
        found.contract_total_after,
        found.reviews_hidden,
        list(found.stays_open),
    )


async def _preview(info: LevelInfo, viewer: Viewer, given: RefundPreviewInput) -> PreviewRow:
    type_name, subject_id, field = _subject(given)
    source = info.context.app.database
    facts = await visible_payment_facts(source, viewer, type_name, subject_id) if subject_id else None
    if facts is None:
        raise Refused(not_found(_NAMES[type_name], field))
    checks = Checks()
    amount = checks.money(given_amount(given.amount))
    action = _action(given, type_name, facts, viewer)
    decision = IssueDecision.FULL if amount is None else IssueDecision.PARTIAL
    act = Act(
        action=action,
        at=given.at or info.context.now,
        viewer=viewer,
        kind=ASKED_KINDS[type_name],
        amount=amount,
        reason=given.reason,
        decision=decision if action is RefundActionName.ISSUE else None,
        faults=tuple(checks.refusals),
    )
    return _row(preview(act, facts, info.context.app.policy), facts)


def _action(given: RefundPreviewInput, type_name: str, facts: Facts, viewer: Viewer) -> RefundActionName:
    """Return the act that is looked at. Refuses: INVALID_INPUT one that opens no case, or none of this payment."""
    if given.action is None:
        is_expert = facts.contract is not None and facts.contract.expert_id == viewer.account_id
        return RefundActionName.ISSUE if is_expert else RefundActionName.REQUEST
    checks = Checks()
    if given.action not in OPENING:
        checks.refuse(
            sentence(
                "ACT_OPENS_NO_CASE",
                "Name an act that opens a case: {acts}.",
                acts="REQUEST, ISSUE or OPEN_TIMESHEET_DISPUTE",
            ),
            "action",
        )
    elif given.action is RefundActionName.OPEN_TIMESHEET_DISPUTE and type_name != "BillingWeek":
        checks.refuse(
            sentence("NOT_A_BILLING_WEEK", "Only a billing week's hours are disputed like this: give billingWeekId."),
            "action",
        )
    checks.raise_if_any()
    return given.action


def _subject(given: RefundPreviewInput) -> tuple[str, str | None, str]:
    """Return type, uuid and field of the one id that is given. Refuses: INVALID_INPUT."""
    ids = (
        ("Lead", given.lead_id, "leadId"),
        ("Invoice", given.invoice_id, "invoiceId"),
        ("Milestone", given.milestone_id, "milestoneId"),
        ("BillingWeek", given.billing_week_id, "billingWeekId"),
    )
    named = [(type_name, value, field) for type_name, value, field in ids if value is not None]
    if len(named) != 1:
        refusal: DomainRefusal = BasicRefusal(
            code=RefusalCode.INVALID_INPUT,
            message=sentence("NOT_ONE_PAYMENT_ID", "Name one payment: give exactly one id."),
            field=(named[1][2] if named else "invoiceId",),
        )
        raise Refused(refusal)
    type_name, value, field = named[0]
    return type_name, uuid_of(type_name, value), field


def _row(found: Preview, facts: Facts) -> PreviewRow:
    return PreviewRow(
        found.allowed,
        refusal_rows(found.blockers),
        found.route,
        found.maximum,
        found.decided_by,
        found.decision_due_by,
        found.contract_total_after,
        found.reviews_hidden,
        [_posting(one, facts) for one in found.postings],
        [clock_row(one) for one in found.clocks],
    )


def _posting(posting: Posting, facts: Facts) -> PostingRow:
    return PostingRow(_place(posting.from_key, facts), _place(posting.to_key, facts), posting.amount)


def _place(key: str, facts: Facts) -> str:
    """Return a ledger account in words that name parts instead of ids."""
    kind, *rest = key.split(":")
    if kind == "held":
        return f"held({facts.payment.kind.value.lower()})"
    if kind != "balance":
        return kind
    owner, purpose = rest[0], rest[1]
    parts = {} if facts.contract is None else {facts.contract.client_id: "client", facts.contract.expert_id: "expert"}
    part = parts.get(owner, "pro")
    return f"balance({part}, {purpose})"
