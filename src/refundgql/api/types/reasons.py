"""What a form for asking money back is drawn from: the reasons of each kind of case (D17)."""

from typing import Annotated, Any

import strawberry

from refundgql.api.context import LevelInfo
from refundgql.api.languages import said
from refundgql.domain.rules.given import CONTRACT_REASONS, DETAILS, LEAD_REASONS
from refundgql.domain.sentences import sentence
from refundgql.domain.vocabulary import RefundCaseKind, RefundReason, RefundReasonDetail
from refundgql.gql.declare import Level, level
from refundgql.gql.rows import row


@row("ReasonRow")
@strawberry.type(description="A reason that can be given, and what goes with it (D17).")
class ReasonInfo:
    reason: RefundReason = strawberry.field(description="The reason.")
    details: list[RefundReasonDetail] = strawberry.field(
        description="The details of which one must be given; none for most reasons."
    )
    name: str = strawberry.field(description="The reason in a few words.")
    description: str = strawberry.field(description="What it means.")
    needs_explanation: bool = strawberry.field(description="Whether an explanation must be given (L12).")
    refundable: bool = strawberry.field(description="Whether it is ever refunded; NOT_HIRED is not (L08).")


_NAMES = {
    RefundReason.JOB_CHANGED: sentence("JOB_CHANGED_NAME", "The job changed"),
    RefundReason.TERMS_VIOLATION: sentence("TERMS_VIOLATION_NAME", "The customer broke the terms"),
    RefundReason.NOT_HIRED: sentence("NOT_HIRED_NAME", "I was not hired"),
    RefundReason.WORK_NOT_DELIVERED: sentence("WORK_NOT_DELIVERED_NAME", "Work was not delivered"),
    RefundReason.QUALITY: sentence("QUALITY_NAME", "The work is not what was agreed"),
    RefundReason.HOURS_INCORRECT: sentence("HOURS_INCORRECT_NAME", "The hours are not right"),
    RefundReason.CHARGED_IN_ERROR: sentence("CHARGED_IN_ERROR_NAME", "Charged in error"),
    RefundReason.OTHER: sentence("OTHER_NAME", "Something else"),
}
_DESCRIPTIONS = {
    RefundReason.JOB_CHANGED: sentence(
        "JOB_CHANGED_MEANING", "The job is not the one that was described; say what is different."
    ),
    RefundReason.TERMS_VIOLATION: sentence(
        "TERMS_VIOLATION_MEANING", "The customer is also reported; say what they did."
    ),
    RefundReason.NOT_HIRED: sentence(
        "NOT_HIRED_MEANING", "That a customer chose somebody else is no reason for a refund."
    ),
    RefundReason.WORK_NOT_DELIVERED: sentence("WORK_NOT_DELIVERED_MEANING", "What was paid for did not come."),
    RefundReason.QUALITY: sentence("QUALITY_MEANING", "What came is not what was agreed."),
    RefundReason.HOURS_INCORRECT: sentence(
        "HOURS_INCORRECT_MEANING", "More hours were billed than were worked; for hourly contracts."
    ),
    RefundReason.CHARGED_IN_ERROR: sentence("CHARGED_IN_ERROR_MEANING", "The charge was a mistake."),
    RefundReason.OTHER: sentence("OTHER_MEANING", "Explain it in a sentence or two."),
}


class ReasonRow:
    """A reason of one kind of case."""

    __slots__ = ("description", "details", "name", "needs_explanation", "reason", "refundable")

    def __init__(self, reason: RefundReason, kind: RefundCaseKind) -> None:
        """Put together what the rules say of it."""
        self.reason = reason
        self.details = list(DETAILS[reason][1]) if reason in DETAILS else []
        self.name = said(_NAMES[reason])
        self.description = said(_DESCRIPTIONS[reason])
        self.needs_explanation = kind is RefundCaseKind.LEAD and reason is RefundReason.OTHER
        self.refundable = reason is not RefundReason.NOT_HIRED


_OF_KIND = {
    RefundCaseKind.LEAD: LEAD_REASONS,
    RefundCaseKind.INVOICE: CONTRACT_REASONS,
    RefundCaseKind.ESCROW: tuple(one for one in CONTRACT_REASONS if one is not RefundReason.HOURS_INCORRECT),
    RefundCaseKind.TIMESHEET: (),
}


@strawberry.type
class ReasonQueries:
    @level(description="The reasons that can be given for a kind of case (D17); none for disputed hours, but words.")
    @staticmethod
    async def refund_reasons(
        rows: list[Any],
        info: LevelInfo,
        kind: Annotated[RefundCaseKind, strawberry.argument(description="The kind of case.")],
    ) -> Level[list[ReasonInfo]]:
        info.context.signed_in()
        return [[ReasonRow(reason, kind) for reason in _OF_KIND[kind]]]
