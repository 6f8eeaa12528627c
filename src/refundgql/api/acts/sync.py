"""The marketplace's records coming in, in the same shape as the lines of an import file."""

from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

import strawberry

from refundgql.api.acts.inputs import Input, optional, required
from refundgql.api.acts.payloads import REFUSALS, PayloadRow, run_command
from refundgql.api.context import LevelInfo
from refundgql.api.types.money import MoneyInput
from refundgql.api.types.refusals import Refusal
from refundgql.api.types.scalars import CurrencyCode
from refundgql.commands.sync_records import sync_records
from refundgql.domain.vocabulary import (
    ChargebackStatus,
    ContractKind,
    ContractStatus,
    MilestoneStatus,
    Role,
    WithdrawalStatus,
)
from refundgql.gql.declare import Level, leaf, level
from refundgql.gql.rows import row

REF = "The marketplace's own reference; the record with it is made or brought up to date."
FIXED = " Fixed once posted."
REVISION = (
    "What grows at the source with each change: a whole number, or an instant. A record with an older one than what is"
    " held changes nothing."
)


@strawberry.input(description="How far a withdrawal has come, or one that the marketplace made itself (D10).")
class WithdrawalRecord(Input):
    id: strawberry.ID = required("The withdrawal as this service named it, or the marketplace's own reference.")
    status: WithdrawalStatus = required("Its state; states only advance.")
    failure_reason: str | None = optional("Why it failed; its owner reads it. Needed with FAILED.")
    account: str | None = optional("The reference of its owner; needed for one that the marketplace made." + FIXED)
    amount: MoneyInput | None = optional("How much was taken out; needed for one that the marketplace made." + FIXED)
    requested_at: datetime | None = optional("When; needed for one that the marketplace made." + FIXED)
    revision: str | None = optional(REVISION)


@strawberry.input(description="A person or organisation.")
class AccountRecord(Input):
    external_ref: str = required(REF)
    name: str = required("The name to show.")
    roles: list[Role] = required("All roles it has; roles that are left out are taken away.")
    opening_balance: MoneyInput | None = optional(
        "Contract money that the balance starts with; below zero where it is owed." + FIXED
    )
    opening_at: datetime | None = optional("Since when; now when left out." + FIXED)
    opening_lead_credit: MoneyInput | None = optional("Lead credit that is there at the start (L17)." + FIXED)
    revision: str | None = optional(REVISION)


@strawberry.input(description="A lead that was charged to a professional.")
class LeadRecord(Input):
    external_ref: str = required(REF)
    pro: str = required("The reference of the professional." + FIXED)
    customer: str = required("The reference of the customer." + FIXED)
    title: str = required("What the job is.")
    category: str = required("The kind of work.")
    location: str = required("Where the job is.")
    price: MoneyInput = required("What was charged." + FIXED)
    charged_at: datetime = required("When it was charged." + FIXED)
    from_balance: MoneyInput | None = optional("The part paid from lead credit; none when left out (L17)." + FIXED)
    revision: str | None = optional(REVISION)


@strawberry.input(description="A message of a lead's chat.")
class MessageRecord(Input):
    external_ref: str = required(REF)
    lead: str = required("The reference of the lead.")
    author: str = required("The reference of whoever wrote it.")
    body: str = required("What it says.")
    sent_at: datetime = required("When it was sent.")
    deleted_at: datetime | None = optional("When it was deleted; frozen evidence keeps it (L16).")
    revision: str | None = optional(REVISION)


@strawberry.input(description="A contract.")
class ContractRecord(Input):
    external_ref: str = required(REF)
    kind: ContractKind = required("How it is billed.")
    client: str = required("The reference of who pays." + FIXED)
    expert: str = required("The reference of who works." + FIXED)
    title: str = required("What is worked on.")
    status: ContractStatus = required("Whether work goes on; a closed contract stays closed.")
    currency_code: CurrencyCode = required("The currency of all its money." + FIXED)
    started_at: datetime = required("When it began.")
    ended_at: datetime | None = optional("When it ended; needed with CLOSED.")
    revision: str | None = optional(REVISION)


@strawberry.input(description="A milestone of a fixed-price contract.")
class MilestoneRecord(Input):
    external_ref: str = required(REF)
    contract: str = required("The reference of the contract.")
    title: str = required("What is to be delivered.")
    amount: MoneyInput = required("What it costs." + FIXED)
    status: MilestoneStatus = required("Where its money is; states only advance, and not past an open case (C30).")
    funded_at: datetime | None = optional("When the money came into escrow; needed from FUNDED on.")
    released_at: datetime | None = optional("When it was released; needed with RELEASED.")
    from_balance: MoneyInput | None = optional("The part paid from the client's balance; none when left out (C19).")
    revision: str | None = optional(REVISION)


@strawberry.input(description="The hours of one week of an hourly contract.")
class BillingWeekRecord(Input):
    external_ref: str = required(REF)
    contract: str = required("The reference of the contract.")
    starts_on: date = required("The Monday it starts on, UTC.")
    hours: Decimal = required("The hours worked.")
    rate: MoneyInput = required("The price of an hour.")
    revision: str | None = optional(REVISION)


@strawberry.input(description="An invoice.")
class InvoiceRecord(Input):
    external_ref: str = required(REF)
    contract: str = required("The reference of the contract.")
    number: str = required("The number printed on it.")
    amount: MoneyInput = required("What it asks for." + FIXED)
    issued_at: datetime = required("When it was issued.")
    paid_at: datetime | None = optional("When it was paid." + FIXED)
    billing_week: str | None = optional("The reference of the week it bills.")
    milestone: str | None = optional("The reference of the milestone it bills.")
    from_balance: MoneyInput | None = optional("The part paid from the client's balance; none when left out (C19).")
    revision: str | None = optional(REVISION)


@strawberry.input(description="A review that was posted at the marketplace.")
class ReviewRecord(Input):
    external_ref: str = required(REF)
    contract: str = required("The reference of the contract.")
    author: str = required("The reference of whoever wrote it.")
    rating: int = required("One (worst) to five (best).")
    body: str = required("What it says.")
    posted_at: datetime = required("When it was posted.")
    revision: str | None = optional(REVISION)


@strawberry.input(description="A refund of the past: it counts in every cap and opens no case. One of the three parts.")
class RefundRecord(Input):
    external_ref: str = required(REF)
    invoice: str | None = optional("The reference of the invoice it gave back.")
    milestone: str | None = optional("The reference of the milestone it gave back.")
    lead: str | None = optional("The reference of the lead it gave back.")
    amount: MoneyInput = required("How much was credited." + FIXED)
    credited_at: datetime = required("When it was credited." + FIXED)
    revision: str | None = optional(REVISION)


@strawberry.input(description="Money that a bank wants back (D25). One of the three parts.")
class ChargebackRecord(Input):
    external_ref: str = required(REF)
    invoice: str | None = optional("The reference of the invoice that was paid with it.")
    milestone: str | None = optional("The reference of the milestone that was funded with it.")
    lead: str | None = optional("The reference of the lead that was paid with it.")
    amount: MoneyInput = required("How much is wanted back; fixed once it is decided.")
    status: ChargebackStatus = required("OPEN and LOST lower what can be refunded, WON gives it back.")
    opened_at: datetime = required("When the bank asked." + FIXED)
    revision: str | None = optional(REVISION)


@strawberry.input(one_of=True, description="One record: exactly one of its kinds.")
class SyncRecord(Input):
    account: AccountRecord | None = optional("A person or organisation.")
    lead: LeadRecord | None = optional("A charged lead.")
    message: MessageRecord | None = optional("A chat message.")
    contract: ContractRecord | None = optional("A contract.")
    milestone: MilestoneRecord | None = optional("A milestone.")
    billing_week: BillingWeekRecord | None = optional("A billing week.")
    invoice: InvoiceRecord | None = optional("An invoice.")
    review: ReviewRecord | None = optional("A review.")
    withdrawal: WithdrawalRecord | None = optional("How far a withdrawal has come, or one of the past.")
    refund: RefundRecord | None = optional("A refund of the past.")
    chargeback: ChargebackRecord | None = optional("Money that a bank wants back.")


@strawberry.input(description="A batch of records; all of them are taken, or none.")
class SyncRecordsInput(Input):
    records: list[SyncRecord] = required("In order: a record may refer to those before it. At most 1,000.")


@row(PayloadRow)
@strawberry.type(description="What became of a batch.")
class SyncRecordsPayload:
    created: int = leaf(lambda row: _count(row, "created"), description="How many records were new.")
    updated: int = leaf(lambda row: _count(row, "updated"), description="How many records changed something.")
    unchanged: int = leaf(lambda row: _count(row, "unchanged"), description="How many records changed nothing.")
    stale: int = leaf(
        lambda row: _count(row, "stale"), description="How many records had an older revision than what is held."
    )
    refusals: list[Refusal] = strawberry.field(
        description=REFUSALS + " `field` starts with records and the position in the batch, from 0."
    )


def _count(row: Any, name: str) -> int:
    return 0 if row.result is None else int(getattr(row.result, name))


@strawberry.type
class SyncMutations:
    @level(description="Feed records in, for the marketplace (SERVICE). Repeating a batch changes nothing.")
    @staticmethod
    async def sync_records(
        rows: list[Any],
        info: LevelInfo,
        input: Annotated[SyncRecordsInput, strawberry.argument(description="The batch.")],
    ) -> Level[SyncRecordsPayload]:
        shapes = [shape(record) for record in input.records]
        return await run_command(info, lambda viewer: sync_records(info.context.app.uow, viewer, shapes))


def shape(given: Input | MoneyInput) -> dict[str, Any]:
    """Return an input as the object of an import line: names as clients write them, absent values left out."""
    found = {}
    for one in fields(given):  # type: ignore[arg-type]  # inputs are dataclasses
        value = getattr(given, one.name)
        if value is not None:
            first, *rest = one.name.split("_")
            name = first + "".join(part.capitalize() for part in rest)
            found[name] = shape(value) if isinstance(value, Input | MoneyInput) else value
    return found
