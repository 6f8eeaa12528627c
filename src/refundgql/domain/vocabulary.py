"""The closed vocabularies of the refund desk; each value is spelt exactly as clients see it."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What an account may be; one account may hold several roles."""

    PRO = "PRO"
    CUSTOMER = "CUSTOMER"
    CLIENT = "CLIENT"
    EXPERT = "EXPERT"
    SUPPORT = "SUPPORT"
    ADMIN = "ADMIN"
    SERVICE = "SERVICE"


SYSTEM_ROLE = "SYSTEM"
"""The actor role of timers and settlement; nobody signs in as it."""


class RefundCaseKind(StrEnum):
    """What the money of a case was paid for."""

    LEAD = "LEAD"
    INVOICE = "INVOICE"
    ESCROW = "ESCROW"
    TIMESHEET = "TIMESHEET"


class RefundCaseState(StrEnum):
    """The states of every case machine."""

    REQUESTED = "REQUESTED"
    APPROVED = "APPROVED"
    DECLINED = "DECLINED"
    ESCALATED = "ESCALATED"
    DISPUTED = "DISPUTED"
    CREDITED = "CREDITED"
    CANCELLED = "CANCELLED"


OPEN_STATES = frozenset(
    {
        RefundCaseState.REQUESTED,
        RefundCaseState.APPROVED,
        RefundCaseState.ESCALATED,
        RefundCaseState.DISPUTED,
    }
)
"""States in which a case occupies its payment (D14)."""

UNDECIDED_STATES = OPEN_STATES - {RefundCaseState.APPROVED}
"""States in which somebody has to decide."""


class RefundRoute(StrEnum):
    """Who decides: the counterparty directly, or support; fixed at opening (D7)."""

    DIRECT = "DIRECT"
    SUPPORT = "SUPPORT"


class RefundReason(StrEnum):
    """Why money is asked back (D17)."""

    JOB_CHANGED = "JOB_CHANGED"
    TERMS_VIOLATION = "TERMS_VIOLATION"
    NOT_HIRED = "NOT_HIRED"
    WORK_NOT_DELIVERED = "WORK_NOT_DELIVERED"
    QUALITY = "QUALITY"
    HOURS_INCORRECT = "HOURS_INCORRECT"
    CHARGED_IN_ERROR = "CHARGED_IN_ERROR"
    OTHER = "OTHER"


class RefundReasonDetail(StrEnum):
    """The detail of JOB_CHANGED (L09) and TERMS_VIOLATION (L10)."""

    DIFFERENT_LOCATION = "DIFFERENT_LOCATION"
    SERVICE_NOT_OFFERED = "SERVICE_NOT_OFFERED"
    OTHER_CHANGE = "OTHER_CHANGE"
    RECRUITING_EMPLOYEES = "RECRUITING_EMPLOYEES"
    MINOR = "MINOR"
    OTHER_VIOLATION = "OTHER_VIOLATION"


class RefundActionName(StrEnum):
    """Every act on a case, by a person or by the system."""

    REQUEST = "REQUEST"
    APPROVE = "APPROVE"
    DECLINE = "DECLINE"
    ESCALATE = "ESCALATE"
    HAND_OVER = "HAND_OVER"
    SUPERSEDE = "SUPERSEDE"
    DISPUTE = "DISPUTE"
    CONSENT = "CONSENT"
    CANCEL = "CANCEL"
    CREDIT = "CREDIT"
    REVERSE = "REVERSE"
    ADD_EVIDENCE = "ADD_EVIDENCE"
    SEND_MESSAGE = "SEND_MESSAGE"
    ASSIGN = "ASSIGN"
    REQUEST_INFORMATION = "REQUEST_INFORMATION"
    OPEN_TIMESHEET_DISPUTE = "OPEN_TIMESHEET_DISPUTE"
    ISSUE = "ISSUE"
    PROPOSE = "PROPOSE"
    CONFIRM = "CONFIRM"
    RETURN = "RETURN"
    REOPEN = "REOPEN"


class RefundDecision(StrEnum):
    """What is decided of a case."""

    APPROVE = "APPROVE"
    DECLINE = "DECLINE"


class RestOfEscrow(StrEnum):
    """What becomes of the escrow that support's part approval leaves (D11)."""

    HOLD = "HOLD"
    RELEASE = "RELEASE"


FINALISE = "FINALISE"
TARGET_MISSED = "TARGET_MISSED"
WITHDRAWAL_CHANGED = "WITHDRAWAL_CHANGED"
CHARGEBACK = "CHARGEBACK"
DUE_SOON = "DUE_SOON"
DEADLINE_MOVED = "DEADLINE_MOVED"
INFORMATION_REQUESTED = "INFORMATION_REQUESTED"
INFORMATION_ENDED = "INFORMATION_ENDED"
"""Names of events that are no act's own: recorded by timers, by settlement, beside another act, or under its name."""
STAFF_NOTE = "STAFF_NOTE"
"""The name of an event that is all that parties learn of what staff wrote for each other (D29)."""


class RefundEventName(StrEnum):
    """Everything that can have happened to a case: a row of its machine's table in capitals, or what is beside one."""

    REQUEST = "REQUEST"
    ISSUE = "ISSUE"
    OPEN_TIMESHEET_DISPUTE = "OPEN_TIMESHEET_DISPUTE"
    APPROVE = "APPROVE"
    DECLINE = "DECLINE"
    ESCALATE = "ESCALATE"
    HAND_OVER = "HAND_OVER"
    SUPERSEDE = "SUPERSEDE"
    DISPUTE = "DISPUTE"
    CONSENT = "CONSENT"
    CANCEL = "CANCEL"
    CREDIT = "CREDIT"
    REVERSE = "REVERSE"
    TARGET_MISSED = "TARGET_MISSED"
    ADD_EVIDENCE = "ADD_EVIDENCE"
    SEND_MESSAGE = "SEND_MESSAGE"
    ASSIGN = "ASSIGN"
    WITHDRAWAL_CHANGED = "WITHDRAWAL_CHANGED"
    STAFF_NOTE = "STAFF_NOTE"
    DUE_SOON = "DUE_SOON"
    DEADLINE_MOVED = "DEADLINE_MOVED"
    INFORMATION_REQUESTED = "INFORMATION_REQUESTED"
    INFORMATION_ENDED = "INFORMATION_ENDED"
    PROPOSE = "PROPOSE"
    CONFIRM = "CONFIRM"
    RETURN = "RETURN"
    REOPEN = "REOPEN"
    FINALISE = "FINALISE"
    CHARGEBACK = "CHARGEBACK"
    EVIDENCE_WITHDRAWN = "EVIDENCE_WITHDRAWN"
    EVIDENCE_REDACTED = "EVIDENCE_REDACTED"


class ActorRole(StrEnum):
    """As what somebody acted: a role, or the system itself."""

    PRO = "PRO"
    CUSTOMER = "CUSTOMER"
    CLIENT = "CLIENT"
    EXPERT = "EXPERT"
    SUPPORT = "SUPPORT"
    ADMIN = "ADMIN"
    SERVICE = "SERVICE"
    SYSTEM = "SYSTEM"


class IssueDecision(StrEnum):
    """What an expert issues without being asked (C12, C13)."""

    FULL = "FULL"
    PARTIAL = "PARTIAL"
    NONE = "NONE"


class BalancePurpose(StrEnum):
    """What the money on a balance may be used for (L17)."""

    LEADS = "LEADS"
    CONTRACTS = "CONTRACTS"


class TransactionStatus(StrEnum):
    """Where a line of the transaction history stands (C20)."""

    PENDING = "PENDING"
    POSTED = "POSTED"
    DECLINED = "DECLINED"
    CANCELLED = "CANCELLED"
    REVERSED = "REVERSED"


class WhoseMove(StrEnum):
    """Who has to act next."""

    REQUESTER = "REQUESTER"
    COUNTERPARTY = "COUNTERPARTY"
    SUPPORT = "SUPPORT"
    SYSTEM = "SYSTEM"
    NOBODY = "NOBODY"


class SettlementStatus(StrEnum):
    """Where the money of a case stands (D13, D16)."""

    NOT_DUE = "NOT_DUE"
    AWAITING_FUNDS = "AWAITING_FUNDS"
    SETTLED = "SETTLED"
    REVERSED = "REVERSED"


class ContractKind(StrEnum):
    """How a contract is billed."""

    HOURLY = "HOURLY"
    FIXED_PRICE = "FIXED_PRICE"


class ContractStatus(StrEnum):
    """The contract machine's states."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"


class MilestoneStatus(StrEnum):
    """The milestone machine's states, with UNFUNDED before its start."""

    UNFUNDED = "UNFUNDED"
    FUNDED = "FUNDED"
    RELEASED = "RELEASED"
    RETURNED = "RETURNED"


class InvoiceStatus(StrEnum):
    """The invoice machine's states."""

    ISSUED = "ISSUED"
    PAID = "PAID"


class WithdrawalStatus(StrEnum):
    """The withdrawal machine's states."""

    REQUESTED = "REQUESTED"
    SENT = "SENT"
    PAID = "PAID"
    FAILED = "FAILED"


class ChargebackStatus(StrEnum):
    """The chargeback machine's states (D25)."""

    OPEN = "OPEN"
    WON = "WON"
    LOST = "LOST"


class Audience(StrEnum):
    """Who may read a case message."""

    EVERYONE = "EVERYONE"
    REQUESTER_AND_SUPPORT = "REQUESTER_AND_SUPPORT"
    COUNTERPARTY_AND_SUPPORT = "COUNTERPARTY_AND_SUPPORT"
    INTERNAL = "INTERNAL"


class PaymentKind(StrEnum):
    """What one payment is (D14): the unit that cases draw on and that is locked."""

    LEAD = "LEAD"
    WEEK = "WEEK"
    MILESTONE = "MILESTONE"
    INVOICE = "INVOICE"


class ClockName(StrEnum):
    """The deadlines that run on a case."""

    DIRECT_WINDOW = "DIRECT_WINDOW"
    SUPPORT_WINDOW = "SUPPORT_WINDOW"
    RESPOND_BY = "RESPOND_BY"
    SLA_DECISION = "SLA_DECISION"
    TIMESHEET_DISPUTE = "TIMESHEET_DISPUTE"
    DISPUTE_RESOLUTION = "DISPUTE_RESOLUTION"
    SECOND_LOOK = "SECOND_LOOK"
    REVIEW = "REVIEW"
    WITHDRAWAL_ESTIMATE = "WITHDRAWAL_ESTIMATE"
    INFORMATION = "INFORMATION"
    FUNDS_ESCALATION = "FUNDS_ESCALATION"
    WEEK_RELEASE = "WEEK_RELEASE"


class RefusalCode(StrEnum):
    """Every way of saying no."""

    NOT_FOUND = "NOT_FOUND"
    FORBIDDEN = "FORBIDDEN"
    INVALID_INPUT = "INVALID_INPUT"
    VERSION_CONFLICT = "VERSION_CONFLICT"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    TRANSITION_NOT_ALLOWED = "TRANSITION_NOT_ALLOWED"
    WINDOW_CLOSED = "WINDOW_CLOSED"
    NOT_YET_AVAILABLE = "NOT_YET_AVAILABLE"
    REASON_NOT_REFUNDABLE = "REASON_NOT_REFUNDABLE"
    AMOUNT_EXCEEDS_REFUNDABLE = "AMOUNT_EXCEEDS_REFUNDABLE"
    CURRENCY_MISMATCH = "CURRENCY_MISMATCH"
    INVOICE_NOT_PAID = "INVOICE_NOT_PAID"
    UNBILLED_PERIOD = "UNBILLED_PERIOD"
    MILESTONE_NOT_FUNDED = "MILESTONE_NOT_FUNDED"
    MILESTONE_RELEASED = "MILESTONE_RELEASED"
    CASE_ALREADY_OPEN = "CASE_ALREADY_OPEN"
    TOO_MANY_REQUESTS_FOR_PAYMENT = "TOO_MANY_REQUESTS_FOR_PAYMENT"
    ESCALATION_NOT_AVAILABLE = "ESCALATION_NOT_AVAILABLE"
    DISPUTE_NOT_AVAILABLE = "DISPUTE_NOT_AVAILABLE"
    SECOND_LOOK_USED = "SECOND_LOOK_USED"
    OWN_CASE = "OWN_CASE"
    SAME_DECIDER = "SAME_DECIDER"
    FUNDS_INSUFFICIENT = "FUNDS_INSUFFICIENT"
    REVIEW_WINDOW_CLOSED = "REVIEW_WINDOW_CLOSED"
    REVIEW_EDIT_NOT_ALLOWED = "REVIEW_EDIT_NOT_ALLOWED"
    REVIEW_ALREADY_POSTED = "REVIEW_ALREADY_POSTED"
    EVIDENCE_REJECTED = "EVIDENCE_REJECTED"
    BALANCE_INSUFFICIENT = "BALANCE_INSUFFICIENT"
    FINAL_DECISION = "FINAL_DECISION"
    CHARGED_BACK = "CHARGED_BACK"
    STALE = "STALE"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    TOO_MANY_ITEMS = "TOO_MANY_ITEMS"


class WithdrawalEventName(StrEnum):
    """What happens to a withdrawal."""

    REQUESTED = "REQUESTED"
    SENT = "SENT"
    PAID = "PAID"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class NoticeName(StrEnum):
    """What is told beside the events of cases."""

    WITHDRAWAL_REQUESTED = "WITHDRAWAL_REQUESTED"
    WITHDRAWAL_SENT = "WITHDRAWAL_SENT"
    WITHDRAWAL_PAID = "WITHDRAWAL_PAID"
    WITHDRAWAL_FAILED = "WITHDRAWAL_FAILED"
    WITHDRAWAL_CANCELLED = "WITHDRAWAL_CANCELLED"
    REVIEWS_HIDDEN = "REVIEWS_HIDDEN"
    REVIEWS_SHOWN = "REVIEWS_SHOWN"


class WebhookDeliveryState(StrEnum):
    """How far an event has come on its way to one webhook endpoint."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


class WebhookStop(StrEnum):
    """Why nothing is sent to a webhook endpoint."""

    SWITCHED_OFF = "SWITCHED_OFF"
    GONE = "GONE"
    FAILING = "FAILING"


class WebhookVerdict(StrEnum):
    """What a receiver's answer means."""

    TAKEN = "TAKEN"
    AGAIN = "AGAIN"
    GONE = "GONE"
