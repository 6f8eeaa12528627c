"""Acts on cases that are there: decide, sign, ask, escalate, dispute, consent, cancel, reverse, reopen."""

import strawberry

from refundgql.api.acts.inputs import KEY, VERSION, Input, optional, required
from refundgql.api.acts.payloads import RefundCasePayload, act
from refundgql.api.types.money import MoneyInput
from refundgql.commands import decisions as commands
from refundgql.domain.vocabulary import RestOfEscrow, WhoseMove


@strawberry.input(description="An approval.")
class ApproveRefundInput(Input):
    refund_case_id: strawberry.ID = required("The case.")
    amount: MoneyInput | None = optional("How much, at most what was asked for; all of it when left out.")
    note: str | None = optional("A word for the parties, at most 4,000 characters.")
    rest: RestOfEscrow | None = optional(
        "Of escrow, when support decides: what becomes of what a part approval leaves; HOLD when left out (D11)."
    )
    expected_version: int | None = optional(VERSION)
    idempotency_key: str = required(KEY)


@strawberry.input(description="A refusal of a request.")
class DeclineRefundInput(Input):
    refund_case_id: strawberry.ID = required("The case.")
    message: str = required("Why, for the requester, at most 4,000 characters.")
    internal_note: str | None = optional("A word for staff only.")
    expected_version: int | None = optional(VERSION)
    idempotency_key: str = required(KEY)


@strawberry.input(description="Taking a case to support.")
class EscalateRefundInput(Input):
    refund_case_id: strawberry.ID = required("The case.")
    explanation: str = required("Why support should look at it, at most 10,000 characters.")
    expected_version: int | None = optional(VERSION)
    idempotency_key: str = required(KEY)


@strawberry.input(description="Taking a case to dispute resolution.")
class DisputeRefundInput(Input):
    refund_case_id: strawberry.ID = required("The case.")
    explanation: str = required("What is in dispute, at most 10,000 characters.")
    expected_version: int | None = optional(VERSION)
    idempotency_key: str = required(KEY)


@strawberry.input(description="The expert's consent.")
class ConsentToRefundInput(Input):
    refund_case_id: strawberry.ID = required("The case.")
    amount: MoneyInput = required("How much the expert agrees to.")
    note: str | None = optional("A word for the parties, at most 4,000 characters.")
    expected_version: int | None = optional(VERSION)
    idempotency_key: str = required(KEY)


@strawberry.input(description="Taking a request back.")
class CancelRefundInput(Input):
    refund_case_id: strawberry.ID = required("The case.")
    note: str | None = optional("A word for the parties, at most 4,000 characters.")
    expected_version: int | None = optional(VERSION)
    idempotency_key: str = required(KEY)


@strawberry.input(description="Undoing a credit.")
class ReverseRefundInput(Input):
    refund_case_id: strawberry.ID = required("The case.")
    reason: str = required("Why, for the record, at most 4,000 characters.")
    expected_version: int | None = optional(VERSION)
    idempotency_key: str = required(KEY)


@strawberry.input(description="A question of support's.")
class RequestInformationInput(Input):
    refund_case_id: strawberry.ID = required("The case.")
    asked_party: WhoseMove = strawberry.field(name="from", description="Whom: REQUESTER or COUNTERPARTY.")
    question: str = required("The question, at most 4,000 characters; everybody on the case reads it.")
    days: int | None = optional("How many days the answer may take, 1 to 14; 3 when left out.")
    expected_version: int | None = optional(VERSION)
    idempotency_key: str = required(KEY)


@strawberry.input(description="The second signature under a proposed decision.")
class ConfirmDecisionInput(Input):
    refund_case_id: strawberry.ID = required("The case.")
    note: str | None = optional("A word for staff, at most 4,000 characters.")
    expected_version: int | None = optional(VERSION)
    idempotency_key: str = required(KEY)


@strawberry.input(description="A proposed decision, given back.")
class ReturnDecisionInput(Input):
    refund_case_id: strawberry.ID = required("The case.")
    reason: str = required("What should be different, for staff, at most 4,000 characters.")
    expected_version: int | None = optional(VERSION)
    idempotency_key: str = required(KEY)


@strawberry.input(description="A final decline to be mended.")
class ReopenRefundInput(Input):
    refund_case_id: strawberry.ID = required("The case.")
    reason: str = required("Why, for everybody who sees the case, at most 4,000 characters.")
    expected_version: int | None = optional(VERSION)
    idempotency_key: str = required(KEY)


@strawberry.type
class RefundActMutations:
    approve_refund = act(
        commands.approve_refund,
        ApproveRefundInput,
        RefundCasePayload,
        argument="The approval.",
        description="Approve all or part of what was asked, as the expert or support; money follows at once (C16, "
        "L18). Above your limit it is proposed instead (D23).",
    )
    decline_refund = act(
        commands.decline_refund,
        DeclineRefundInput,
        RefundCasePayload,
        argument="The refusal.",
        description="Decline, as the expert or support, with a message for the requester. Above your limit it is "
        "proposed instead (D23).",
    )
    escalate_refund = act(
        commands.escalate_refund,
        EscalateRefundInput,
        RefundCasePayload,
        argument="Why.",
        description="As the requester, take a case to support: for a second look (D6, C24), or unpaid (D13).",
    )
    dispute_refund = act(
        commands.dispute_refund,
        DisputeRefundInput,
        RefundCasePayload,
        argument="What is in dispute.",
        description="As the client, take a case to dispute resolution (C31).",
    )
    consent_to_refund = act(
        commands.consent_to_refund,
        ConsentToRefundInput,
        RefundCasePayload,
        argument="The consent.",
        description="As the expert, agree to an amount while support decides (C15).",
    )
    cancel_refund = act(
        commands.cancel_refund,
        CancelRefundInput,
        RefundCasePayload,
        argument="Which, and a word about it.",
        description="As the requester, take the request back while it is undecided (D15).",
    )
    reverse_refund = act(
        commands.reverse_refund,
        ReverseRefundInput,
        RefundCasePayload,
        argument="Which, and why.",
        description="As an administrator, undo a credit with a posting of its own (D16).",
    )
    request_information = act(
        commands.request_information,
        RequestInformationInput,
        RefundCasePayload,
        argument="Whom, what, and for how long.",
        description="As support, ask a party a question. It is that party's move until a message or evidence answers, "
        "or the days are over; the target of the decision stands still meanwhile (D24).",
    )
    confirm_decision = act(
        commands.confirm_decision,
        ConfirmDecisionInput,
        RefundCasePayload,
        argument="Which.",
        description="As staff, sign a decision that a colleague proposed; it is taken with that (D23).",
    )
    return_decision = act(
        commands.return_decision,
        ReturnDecisionInput,
        RefundCasePayload,
        argument="Which, and why.",
        description="As staff, give a proposed decision back; nothing is decided (D23).",
    )
    reopen_refund = act(
        commands.reopen_refund,
        ReopenRefundInput,
        RefundCasePayload,
        argument="Which, and why.",
        description="As an administrator, take a finally declined case to support again, once (D22).",
    )
