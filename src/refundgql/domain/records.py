"""The records the marketplace feeds in, as typed values: what one may look like, on its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, TypeVar, dataclass_transform

from refundgql.domain.money import Money, exponent
from refundgql.domain.sentences import Sentence, sentence
from refundgql.domain.vocabulary import (
    ChargebackStatus,
    ContractKind,
    ContractStatus,
    MilestoneStatus,
    RefusalCode,
    Role,
    WithdrawalStatus,
)

Value = TypeVar("Value")


@dataclass_transform(frozen_default=True)
def _value(cls: type[Value]) -> type[Value]:
    """Make a value class that the type checker keeps frozen: at run time that would triple what making one costs."""
    return dataclass(slots=True)(cls)


class RecordError(Exception):
    """A record that cannot be taken; `path` leads from its kind to the field, the message says what to do."""

    def __init__(
        self, message: Sentence, *path: str, code: RefusalCode = RefusalCode.INVALID_INPUT, rule: str | None = None
    ) -> None:
        """Keep the sentence, the path within the record, and what the refusal will say."""
        super().__init__(message)
        self.message = message
        self.path = path
        self.code = code
        self.rule = rule

    def under(self, kind: str) -> RecordError:
        """Return the same error with the record's kind in front of its path."""
        return RecordError(self.message, kind, *self.path, code=self.code, rule=self.rule)


@_value
class AccountRecord:
    """A person, or the marketplace itself."""

    kind: ClassVar[str] = "account"
    ref: str
    name: str
    roles: tuple[Role, ...]
    opening_balance: Money | None
    opening_at: datetime | None = None
    opening_lead_credit: Money | None = None
    revision: str | None = None


@_value
class LeadRecord:
    """A lead that was sold; `price` was charged at `charged_at`."""

    kind: ClassVar[str] = "lead"
    ref: str
    pro: str
    customer: str
    title: str
    category: str
    location: str
    price: Money
    charged_at: datetime
    from_balance: Money | None = None
    revision: str | None = None


@_value
class MessageRecord:
    """A chat message about a lead."""

    kind: ClassVar[str] = "message"
    ref: str
    lead: str
    author: str
    body: str
    sent_at: datetime
    deleted_at: datetime | None
    revision: str | None = None


@_value
class ContractRecord:
    """A contract between a client and an expert."""

    kind: ClassVar[str] = "contract"
    ref: str
    contract_kind: ContractKind
    client: str
    expert: str
    title: str
    status: ContractStatus
    currency: str
    started_at: datetime
    ended_at: datetime | None
    revision: str | None = None


@_value
class MilestoneRecord:
    """A milestone of a fixed-price contract."""

    kind: ClassVar[str] = "milestone"
    ref: str
    contract: str
    title: str
    amount: Money
    status: MilestoneStatus
    funded_at: datetime | None
    released_at: datetime | None
    from_balance: Money | None
    revision: str | None = None


@_value
class BillingWeekRecord:
    """The hours of one week of an hourly contract; the week starts on Monday `starts_on`."""

    kind: ClassVar[str] = "billingWeek"
    ref: str
    contract: str
    starts_on: date
    hours: Decimal
    rate: Money
    revision: str | None = None

    @property
    def amount(self) -> Money:
        """Return hours × rate, rounded half to even (D18)."""
        return hours_amount(self.hours, self.rate)


@_value
class InvoiceRecord:
    """An invoice, of a week, of a milestone or of its own; paid when `paid_at` is given."""

    kind: ClassVar[str] = "invoice"
    ref: str
    contract: str
    number: str
    amount: Money
    issued_at: datetime
    paid_at: datetime | None
    billing_week: str | None
    milestone: str | None
    from_balance: Money | None
    revision: str | None = None


@_value
class ReviewRecord:
    """What one party of a contract wrote about the other."""

    kind: ClassVar[str] = "review"
    ref: str
    contract: str
    author: str
    rating: int
    body: str
    posted_at: datetime
    revision: str | None = None


@_value
class WithdrawalRecord:
    """How a withdrawal is getting on, or one that the marketplace made.

    `ref` is its id (a uuid text) where this service made it, else the marketplace's own reference. One made by the
    marketplace is told with account, amount and instant.
    """

    kind: ClassVar[str] = "withdrawal"
    ref: str
    made_here: bool
    status: WithdrawalStatus
    failure_reason: str | None
    account: str | None = None
    amount: Money | None = None
    requested_at: datetime | None = None
    revision: str | None = None


class SubjectKind(StrEnum):
    """What a refund of the past or a chargeback is about; the name of the field that refers to it."""

    INVOICE = "invoice"
    MILESTONE = "milestone"
    LEAD = "lead"


@_value
class RefundRecord:
    """A refund of the past, credited at `credited_at`: it counts in every cap, and opens no case."""

    kind: ClassVar[str] = "refund"
    ref: str
    about: SubjectKind
    subject: str
    amount: Money
    credited_at: datetime
    revision: str | None = None


@_value
class ChargebackRecord:
    """Money that a bank takes back or wants back (D25)."""

    kind: ClassVar[str] = "chargeback"
    ref: str
    about: SubjectKind
    subject: str
    amount: Money
    status: ChargebackStatus
    opened_at: datetime
    revision: str | None = None


Record = (
    AccountRecord
    | LeadRecord
    | MessageRecord
    | ContractRecord
    | MilestoneRecord
    | BillingWeekRecord
    | InvoiceRecord
    | ReviewRecord
    | WithdrawalRecord
    | RefundRecord
    | ChargebackRecord
)


def is_older(given: str | None, held: str | None) -> bool:
    """Tell whether a record's revision is older than the one held; without either nobody can tell.

    Refuses: RecordError when one is a number and the other an instant.
    """
    if given is None or held is None:
        return False
    if given[0] != held[0]:
        raise RecordError(
            sentence("REVISIONS_OF_TWO_KINDS", "Give revisions of one kind: all numbers, or all instants."), "revision"
        )
    return given < held


def hours_amount(hours: Decimal, rate: Money) -> Money:
    """Return hours × rate, rounded half to even to the currency's exponent (D18).

    Refuses: MoneyError for more than 2^53 minor units (D2).
    """
    return Money.rounded((hours * rate.minor).scaleb(-exponent(rate.currency)), rate.currency)
