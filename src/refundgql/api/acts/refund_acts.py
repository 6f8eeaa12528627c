"""Acts on cases that are there: decide, sign, ask, escalate, dispute, consent, cancel, reverse, reopen."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import strawberry

from refundgql.api.acts.inputs import KEY, VERSION, Input, command, optional, required
from refundgql.api.acts.payloads import PayloadRow, RefundCasePayload, run_command
from refundgql.api.context import LevelInfo
from refundgql.api.types.money import MoneyInput
from refundgql.commands import decisions as commands
from refundgql.domain.vocabulary import RestOfEscrow, WhoseMove
from refundgql.gql.declare import Level, level


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


async def _act(info: LevelInfo, act: Callable[..., Awaitable[Any]], cls: type[Any], given: Input) -> list[PayloadRow]:
    typed = command(cls, given, refund_case_id="RefundCase")
    return await run_command(info, lambda viewer: act(info.context.app.uow, viewer, typed))


@strawberry.type
class RefundActMutations:
    @level(
        description="Approve all or part of what was asked, as the expert or support; money follows at once (C16, "
        "L18). Above your limit it is proposed instead (D23)."
    )
    @staticmethod
    async def approve_refund(
        rows: list[Any],
        info: LevelInfo,
        input: Annotated[ApproveRefundInput, strawberry.argument(description="The approval.")],
    ) -> Level[RefundCasePayload]:
        return await _act(info, commands.approve_refund, commands.ApproveRefund, input)

    @level(
        description="Decline, as the expert or support, with a message for the requester. Above your limit it is "
        "proposed instead (D23)."
    )
    @staticmethod
    async def decline_refund(
        rows: list[Any],
        info: LevelInfo,
        input: Annotated[DeclineRefundInput, strawberry.argument(description="The refusal.")],
    ) -> Level[RefundCasePayload]:
        return await _act(info, commands.decline_refund, commands.DeclineRefund, input)

    @level(description="As the requester, take a case to support: for a second look (D6, C24), or unpaid (D13).")
    @staticmethod
    async def escalate_refund(
        rows: list[Any],
        info: LevelInfo,
        input: Annotated[EscalateRefundInput, strawberry.argument(description="Why.")],
    ) -> Level[RefundCasePayload]:
        return await _act(info, commands.escalate_refund, commands.EscalateRefund, input)

    @level(description="As the client, take a case to dispute resolution (C31).")
    @staticmethod
    async def dispute_refund(
        rows: list[Any],
        info: LevelInfo,
        input: Annotated[DisputeRefundInput, strawberry.argument(description="What is in dispute.")],
    ) -> Level[RefundCasePayload]:
        return await _act(info, commands.dispute_refund, commands.DisputeRefund, input)

    @level(description="As the expert, agree to an amount while support decides (C15).")
    @staticmethod
    async def consent_to_refund(
        rows: list[Any],
        info: LevelInfo,
        input: Annotated[ConsentToRefundInput, strawberry.argument(description="The consent.")],
    ) -> Level[RefundCasePayload]:
        return await _act(info, commands.consent_to_refund, commands.ConsentToRefund, input)

    @level(description="As the requester, take the request back while it is undecided (D15).")
    @staticmethod
    async def cancel_refund(
        rows: list[Any],
        info: LevelInfo,
        input: Annotated[CancelRefundInput, strawberry.argument(description="Which, and a word about it.")],
    ) -> Level[RefundCasePayload]:
        return await _act(info, commands.cancel_refund, commands.CancelRefund, input)

    @level(description="As an administrator, undo a credit with a posting of its own (D16).")
    @staticmethod
    async def reverse_refund(
        rows: list[Any],
        info: LevelInfo,
        input: Annotated[ReverseRefundInput, strawberry.argument(description="Which, and why.")],
    ) -> Level[RefundCasePayload]:
        return await _act(info, commands.reverse_refund, commands.ReverseRefund, input)

    @level(
        description="As support, ask a party a question. It is that party's move until a message or evidence answers, "
        "or the days are over; the target of the decision stands still meanwhile (D24)."
    )
    @staticmethod
    async def request_information(
        rows: list[Any],
        info: LevelInfo,
        input: Annotated[RequestInformationInput, strawberry.argument(description="Whom, what, and for how long.")],
    ) -> Level[RefundCasePayload]:
        return await _act(info, commands.request_information, commands.RequestInformation, input)

    @level(description="As staff, sign a decision that a colleague proposed; it is taken with that (D23).")
    @staticmethod
    async def confirm_decision(
        rows: list[Any],
        info: LevelInfo,
        input: Annotated[ConfirmDecisionInput, strawberry.argument(description="Which.")],
    ) -> Level[RefundCasePayload]:
        return await _act(info, commands.confirm_decision, commands.ConfirmDecision, input)

    @level(description="As staff, give a proposed decision back; nothing is decided (D23).")
    @staticmethod
    async def return_decision(
        rows: list[Any],
        info: LevelInfo,
        input: Annotated[ReturnDecisionInput, strawberry.argument(description="Which, and why.")],
    ) -> Level[RefundCasePayload]:
        return await _act(info, commands.return_decision, commands.ReturnDecision, input)

    @level(description="As an administrator, take a finally declined case to support again, once (D22).")
    @staticmethod
    async def reopen_refund(
        rows: list[Any],
        info: LevelInfo,
        input: Annotated[ReopenRefundInput, strawberry.argument(description="Which, and why.")],
    ) -> Level[RefundCasePayload]:
        return await _act(info, commands.reopen_refund, commands.ReopenRefund, input)
