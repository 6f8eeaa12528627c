"""The rows that synchronised records become, as they are held in memory while a batch is worked on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(slots=True, eq=False)
class Stored:
    """A row in memory: `stored` when the table has it, `dirty` when it differs; its own fields are columns."""

    table: ClassVar[str]
    key_column: ClassVar[str] = "external_ref"
    locked: ClassVar[bool] = False
    """Whether others change such rows too."""
    locked_at_once: ClassVar[bool] = False
    """Whether they are locked when they are read, also where others are only compared before they are written."""
    updatable: ClassVar[tuple[str, ...]] = ()
    folded: ClassVar[dict[str, tuple[str, ...]]] = {}
    """Columns that searches look at, and the columns whose folded texts each of them holds, line by line."""

    stored: bool = field(default=False, init=False)
    dirty: bool = field(default=False, init=False)


@dataclass(slots=True, eq=False)
class StoredAccount(Stored):
    """A row of `account`."""

    table = "account"
    updatable = (
        "name",
        "roles",
        "opening_minor",
        "opening_currency",
        "opening_at",
        "opening_leads_minor",
        "opening_leads_currency",
        "revision",
    )
    folded = {"folded": ("name", "external_ref")}  # noqa: RUF012  # declared as a class variable above

    id: str
    external_ref: str
    name: str
    roles: str
    opening_minor: int | None
    opening_currency: str | None
    created_at: int
    opening_at: int | None = None
    opening_leads_minor: int | None = None
    opening_leads_currency: str | None = None
    revision: str | None = None


@dataclass(slots=True, eq=False)
class StoredPayment(Stored):
    """A row of `payment`, found by its id."""

    table = "payment"
    key_column = "id"
    locked = True
    updatable = ("paid_minor", "refunded_minor", "charged_back_minor")

    id: str
    kind: str
    contract_id: str | None
    currency: str
    paid_minor: int
    refunded_minor: int
    reserved_minor: int
    charged_back_minor: int = 0
    version: int = 0


@dataclass(slots=True, eq=False)
class StoredLead(Stored):
    """A row of `lead`."""

    table = "lead"
    updatable = ("title", "category", "location", "customer_name", "last_message_at", "revision")
    folded = {  # noqa: RUF012  # declared as a class variable above
        "folded": ("title", "external_ref"),
        "category_folded": ("category",),
        "customer_folded": ("customer_name",),
    }

    id: str
    external_ref: str
    payment_id: str
    pro_id: str
    customer_id: str
    customer_name: str
    title: str
    category: str
    location: str
    price_minor: int
    currency: str
    charged_at: int
    last_message_at: int | None
    revision: str | None = None


@dataclass(slots=True, eq=False)
class StoredMessage(Stored):
    """A row of `message`."""

    table = "message"
    updatable = ("body", "sent_at", "deleted_at", "revision")

    id: str
    external_ref: str
    lead_id: str
    author_id: str
    body: str
    sent_at: int
    deleted_at: int | None
    revision: str | None = None


@dataclass(slots=True, eq=False)
class StoredContract(Stored):
    """A row of `contract`; its lock comes before those of its payments."""

    table = "contract"
    locked = True
    updatable = ("title", "status", "started_at", "ended_at", "reviews_hidden", "revision")
    folded = {"folded": ("title", "external_ref")}  # noqa: RUF012  # declared as a class variable above

    id: str
    external_ref: str
    kind: str
    client_id: str
    expert_id: str
    title: str
    status: str
    currency: str
    started_at: int
    ended_at: int | None
    reviews_hidden: bool
    revision: str | None = None
    version: int = 0


@dataclass(slots=True, eq=False)
class StoredBillingWeek(Stored):
    """A row of `billing_week`."""

    table = "billing_week"
    updatable = ("hours", "rate_minor", "amount_minor", "released_at", "revision")
    folded = {"folded": ("external_ref",)}  # noqa: RUF012  # declared as a class variable above

    id: str
    external_ref: str
    contract_id: str
    payment_id: str
    starts_at: int
    ends_at: int
    hours: str
    rate_minor: int
    amount_minor: int
    currency: str
    released_at: int | None
    revision: str | None = None


@dataclass(slots=True, eq=False)
class StoredMilestone(Stored):
    """A row of `milestone`."""

    table = "milestone"
    updatable = ("title", "amount_minor", "status", "funded_at", "released_at", "revision")
    folded = {"folded": ("title", "external_ref")}  # noqa: RUF012  # declared as a class variable above

    id: str
    external_ref: str
    contract_id: str
    payment_id: str
    title: str
    amount_minor: int
    currency: str
    status: str
    funded_at: int | None
    released_at: int | None
    revision: str | None = None


@dataclass(slots=True, eq=False)
class StoredInvoice(Stored):
    """A row of `invoice`."""

    table = "invoice"
    updatable = ("number", "amount_minor", "status", "issued_at", "paid_at", "revision")
    folded = {"folded": ("number", "external_ref")}  # noqa: RUF012  # declared as a class variable above

    id: str
    external_ref: str
    number: str
    contract_id: str
    payment_id: str
    billing_week_id: str | None
    milestone_id: str | None
    amount_minor: int
    currency: str
    status: str
    issued_at: int
    paid_at: int | None
    revision: str | None = None


@dataclass(slots=True, eq=False)
class StoredReview(Stored):
    """A row of `review`."""

    table = "review"
    updatable = ("rating", "body", "posted_at", "revision")

    id: str
    external_ref: str
    contract_id: str
    author_id: str
    subject_id: str
    rating: int
    body: str
    posted_at: int
    edit_allowed: bool
    edited_at: int | None = None
    revision: str | None = None


@dataclass(slots=True, eq=False)
class StoredBalance(Stored):
    """A row of `ledger_account`."""

    table = "ledger_account"
    key_column = "key"
    locked = True
    updatable = ("balance_minor", "may_be_negative", "booked_at")

    key: str
    kind: str
    owner_id: str | None
    purpose: str | None
    currency: str
    balance_minor: int
    may_be_negative: bool
    booked_at: int


@dataclass(slots=True, eq=False)
class StoredPosting(Stored):
    """A row of `posting`; never read here, and never changed."""

    table = "posting"

    id: str
    at: int
    fact: str
    from_key: str
    to_key: str
    amount_minor: int
    currency: str
    description: str
    payment_id: str | None
    withdrawal_id: str | None
    reverses_id: str | None
    from_balance_after_minor: int | None
    to_balance_after_minor: int | None
    booked_at: int


@dataclass(slots=True, eq=False)
class StoredWeekClock(Stored):
    """A row of `clock` that releases a week's money."""

    table = "clock"

    id: str
    billing_week_id: str
    name: str
    due_at: int


@dataclass(slots=True, eq=False)
class Claim(Stored):
    """Something unique that a reference has taken: a contract's week, a party's review, a payment's invoice."""

    key: str
    external_ref: str | None


@dataclass(slots=True, eq=False)
class StoredTotals(Stored):
    """What a contract's payments sum up to, in minor units."""

    key: str
    paid_minor: int
    refunded_minor: int


@dataclass(slots=True, eq=False)
class PaidShare(Stored):
    """How much of a payment the client's balance paid, in minor units (C19)."""

    key: str
    minor: int


@dataclass(slots=True, eq=False)
class StoredWithdrawal(Stored):
    """A row of `withdrawal`; a step of one that is there already is taken by its own command."""

    table = "withdrawal"
    key_column = "external_ref"
    locked = True
    locked_at_once = True
    updatable = ("revision",)

    id: str
    external_ref: str | None
    account_id: str
    currency: str
    amount_minor: int
    status: str
    requested_at: int
    updated_at: int
    estimated_from: str
    estimated_until: str
    failure_reason: str | None
    cancelled_at: int | None = None
    revision: str | None = None


@dataclass(slots=True, eq=False)
class WithdrawalById(StoredWithdrawal):
    """The same row, found by the id that this service gave it."""

    key_column = "id"


@dataclass(slots=True, eq=False)
class StoredPastRefund(Stored):
    """A row of `past_refund`."""

    table = "past_refund"
    updatable = ("revision",)

    id: str
    external_ref: str
    payment_id: str
    currency: str
    amount_minor: int
    credited_at: int
    revision: str | None = None


@dataclass(slots=True, eq=False)
class StoredChargeback(Stored):
    """A row of `chargeback`."""

    table = "chargeback"
    updatable = ("amount_minor", "status", "updated_at", "revision")

    id: str
    external_ref: str
    payment_id: str
    currency: str
    amount_minor: int
    status: str
    opened_at: int
    updated_at: int
    revision: str | None = None
