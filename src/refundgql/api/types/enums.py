"""The descriptions of every closed vocabulary, put on the domain's own classes."""

from enum import Enum

import strawberry

from refundgql.domain import vocabulary as v
from refundgql.domain.simulation import SimulationChange
from refundgql.queries.case_orders import RefundCaseOrder
from refundgql.queries.external_refs import ExternalKind


def describe(cls: type[Enum], text: str, **values: str) -> None:
    """Make an enum of a vocabulary, with a description of every value.

    Refuses: TypeError when a value has no description or a description no value.
    """
    strawberry.enum(cls, description=text)
    definition = cls.__strawberry_definition__  # type: ignore[attr-defined]  # strawberry.enum puts it there
    missing = {value.name for value in definition.values} ^ set(values)
    if missing:
        raise TypeError(f"{cls.__name__}: {sorted(missing)} lack a value or a description")
    for value in definition.values:
        value.description = values[value.name]


describe(
    v.Role,
    "What an account may be; one account may hold several roles.",
    PRO="A professional who buys leads.",
    CUSTOMER="A person behind a lead; sees nothing of a lead's refund case (L02).",
    CLIENT="Somebody who pays contracts.",
    EXPERT="Somebody who works on contracts.",
    SUPPORT="Staff: reviews leads, escalations and disputes, and sees all cases.",
    ADMIN="Staff with the right to reverse refunds and to repair.",
    SERVICE="The marketplace that owns leads and contracts and feeds them in.",
)
describe(
    v.RefundCaseKind,
    "What the money of a case was paid for.",
    LEAD="The charge of a lead.",
    INVOICE="A paid invoice, hourly or fixed price.",
    ESCROW="A funded milestone that was not released yet.",
    TIMESHEET="The hours of the prior billing week.",
)
describe(
    v.RefundCaseState,
    "Where a case stands; every kind of case uses these states.",
    REQUESTED="Asked for; whoever decides first has not decided yet.",
    APPROVED="Approved, not credited yet: the money is reserved or awaited (D13).",
    DECLINED="Declined; isFinal tells whether anything can still come of it.",
    ESCALATED="With support, after a decline, a late answer or a late request.",
    DISPUTED="With support as a dispute (C25, C31).",
    CREDITED="The money is on the recipient's balance. Final.",
    CANCELLED="Withdrawn by the requester, or superseded by a timesheet dispute. Final.",
)
describe(
    v.RefundRoute,
    "Who decides; fixed when the case is opened (D7).",
    DIRECT="The other party of the contract decides.",
    SUPPORT="Support decides.",
)
describe(
    v.RefundReason,
    "Why money is asked back (D17).",
    JOB_CHANGED="The job is not the one that was described; needs a detail (L09).",
    TERMS_VIOLATION="The customer broke the terms; needs a detail and reports the customer (L10).",
    NOT_HIRED="The customer hired somebody else; offered, and always refused (L08).",
    WORK_NOT_DELIVERED="The work was not delivered.",
    QUALITY="The work is not what was agreed.",
    HOURS_INCORRECT="The hours are not right; hourly contracts only.",
    CHARGED_IN_ERROR="The charge was a mistake.",
    OTHER="Something else; for a lead it needs an explanation (L12).",
)
describe(
    v.RefundReasonDetail,
    "What exactly lies behind JOB_CHANGED (L09) or TERMS_VIOLATION (L10).",
    DIFFERENT_LOCATION="With JOB_CHANGED: the job is somewhere else.",
    SERVICE_NOT_OFFERED="With JOB_CHANGED: the professional does not offer what is needed.",
    OTHER_CHANGE="With JOB_CHANGED: another change.",
    RECRUITING_EMPLOYEES="With TERMS_VIOLATION: the customer was looking for employees.",
    MINOR="With TERMS_VIOLATION: the customer is under age.",
    OTHER_VIOLATION="With TERMS_VIOLATION: another violation.",
)
describe(
    v.RefundActionName,
    "Everything that can be done to a case, by people or by the system.",
    REQUEST="Ask for a refund.",
    APPROVE="Grant all or part of it (D5, C12).",
    DECLINE="Say no, with a message.",
    ESCALATE="Take it to support (D6, C24, D13).",
    HAND_OVER="The system moves an unanswered request to support (D7, D8).",
    SUPERSEDE="The system cancels a request because the same week is disputed (C25).",
    DISPUTE="Take it to dispute resolution (C31).",
    CONSENT="The expert agrees to an amount while support decides (C15).",
    CANCEL="The requester takes the request back (D15).",
    CREDIT="The system puts the money on the balance (L18, D13).",
    REVERSE="An administrator undoes a credit with a posting of its own (D16).",
    ADD_EVIDENCE="Add a statement, chat messages or a file (L16).",
    SEND_MESSAGE="Say something on the case.",
    ASSIGN="Give the case to a member of staff.",
    REQUEST_INFORMATION="Ask a party a question, and wait for the answer for some days (D24).",
    OPEN_TIMESHEET_DISPUTE="Dispute the hours of the prior billing week (C25).",
    ISSUE="The expert refunds without being asked, or records that there is nothing to refund (C12, C13).",
    PROPOSE="Propose a decision above your limit: approving or declining does so by itself (D23).",
    CONFIRM="Sign a decision that a colleague proposed; it is taken with that (D23).",
    RETURN="Give a proposed decision back, with a reason (D23).",
    REOPEN="An administrator takes a finally declined case to support again, once (D22).",
)
describe(
    v.RestOfEscrow,
    "What becomes of the escrow that support's part approval leaves (D11).",
    HOLD="It stays in escrow.",
    RELEASE="The milestone is released to the expert with the decision.",
)
describe(
    v.RefundEventName,
    "What happened to a case. There will be more: show an event you do not know by its note and its states.",
    REQUEST="A refund was asked for.",
    ISSUE="The expert refunded without being asked, or recorded that there is nothing to refund (C12, C13).",
    OPEN_TIMESHEET_DISPUTE="The hours of a week were disputed (C25).",
    APPROVE="All or part of it was granted.",
    DECLINE="It was declined.",
    ESCALATE="It was taken to support.",
    HAND_OVER="It moved to support by itself, unanswered (D7, D8).",
    SUPERSEDE="It was cancelled because the same week is disputed (C25).",
    DISPUTE="It was taken to dispute resolution (C31).",
    CONSENT="The expert agreed to an amount (C15).",
    CANCEL="The requester took it back (D15).",
    CREDIT="The money was put on the balance (L18, D13).",
    REVERSE="The credit was undone by a posting of its own (D16).",
    TARGET_MISSED="Support's target for a decision has passed (L14, D20).",
    ADD_EVIDENCE="A statement, chat messages or a file were added (L16).",
    SEND_MESSAGE="Something was said on the case.",
    ASSIGN="It was given to a member of staff, or to nobody.",
    WITHDRAWAL_CHANGED="The withdrawal of its credit has come further, or failed (D10).",
    STAFF_NOTE="Staff wrote something for each other.",
    DUE_SOON="An act that is still open to somebody ends soon (D21).",
    DEADLINE_MOVED="A deadline has another end than before.",
    INFORMATION_REQUESTED="Support asked a party a question (D24).",
    INFORMATION_ENDED="The time for the answer to support's question is over (D24).",
    PROPOSE="A decision above the limit was proposed (D23).",
    CONFIRM="A proposed decision was confirmed (D23).",
    RETURN="A proposed decision was returned (D23).",
    REOPEN="A final decline was reopened (D22).",
    FINALISE="Its decline became final, because the payment was asked for again (D14).",
    CHARGEBACK="A bank wants the payment back, or has decided on that (D25).",
    EVIDENCE_WITHDRAWN="A party withdrew evidence of its own (D26).",
    EVIDENCE_REDACTED="An administrator removed the content of evidence (D26).",
)
describe(
    v.ActorRole,
    "As what somebody acted; the system acts by timers and settlement, and has no account.",
    PRO="A professional who buys leads.",
    CUSTOMER="A person behind a lead.",
    CLIENT="Somebody who pays contracts.",
    EXPERT="Somebody who works on contracts.",
    SUPPORT="Staff.",
    ADMIN="An administrator.",
    SERVICE="The marketplace.",
    SYSTEM="The service itself.",
)
describe(
    v.IssueDecision,
    "What an expert issues without being asked (C12, C13).",
    FULL="All that is left of the payment; give no amount.",
    PARTIAL="A part of it; give an amount below the maximum.",
    NONE="A recorded decision not to refund; it moves no money and blocks nothing.",
)
describe(
    v.BalancePurpose,
    "What the money of a balance is for (L17).",
    LEADS="Lead credit: it buys leads and cannot be withdrawn.",
    CONTRACTS="Contract money: it pays invoices and can be withdrawn.",
)
describe(
    v.TransactionStatus,
    "Where a line of the history stands (C20).",
    PENDING="A request that is not decided, or approved and waiting for funds; not posted.",
    POSTED="The money has moved.",
    DECLINED="A request that was declined; not posted.",
    CANCELLED="A request that was cancelled; not posted.",
    REVERSED="The money had moved and was moved back by another transaction.",
)
describe(
    v.WhoseMove,
    "Who has to act next.",
    REQUESTER="Whoever the case is for.",
    COUNTERPARTY="The other party of the contract.",
    SUPPORT="A member of staff.",
    SYSTEM="The service itself, when a clock runs out or funds arrive.",
    NOBODY="Nothing more is due.",
)
describe(
    v.SettlementStatus,
    "Where the money of a case stands.",
    NOT_DUE="Nothing is approved, so nothing is due.",
    AWAITING_FUNDS="Approved; the expert's balance does not cover it yet (D13).",
    SETTLED="Credited.",
    REVERSED="Credited and taken back (D16).",
)
describe(
    v.ContractKind,
    "How a contract is billed.",
    HOURLY="By the hour, in billing weeks.",
    FIXED_PRICE="By milestones with money in escrow.",
)
describe(
    v.ContractStatus,
    "Whether work goes on; refunds are possible either way (C02, C14).",
    OPEN="Work goes on.",
    CLOSED="The contract has ended.",
)
describe(
    v.MilestoneStatus,
    "Where the money of a milestone is.",
    UNFUNDED="Not paid yet.",
    FUNDED="In escrow, less what a bank has taken back (D25): `held` tells how much is left.",
    RELEASED="Paid to the expert: accepted work (C29).",
    RETURNED="Back with the client.",
)
describe(
    v.InvoiceStatus,
    "Whether an invoice is paid.",
    ISSUED="Not paid yet.",
    PAID="Paid.",
)
describe(
    v.WithdrawalStatus,
    "How far a withdrawal has come (D10).",
    REQUESTED="Taken off the balance, not sent yet.",
    SENT="On its way to the payment method.",
    PAID="Arrived.",
    FAILED="Did not arrive; the money is back on the balance.",
)
describe(
    v.Audience,
    "Who reads a message on a case.",
    EVERYONE="Both parties and support.",
    REQUESTER_AND_SUPPORT="The requester and support.",
    COUNTERPARTY_AND_SUPPORT="The counterparty and support.",
    INTERNAL="Support alone.",
)
describe(
    RefundCaseOrder,
    "Orders of a list of cases; ties are broken by id.",
    NEWEST="Latest opened first.",
    OLDEST="Earliest opened first.",
    RECENTLY_CHANGED="Latest changed first.",
    SOONEST_DEADLINE="Earliest deadline first; cases without one come last.",
    LARGEST_AMOUNT="Largest requested (or issued) amount first, in major units; the currency breaks ties.",
)
describe(
    v.RefundDecision,
    "What is decided of a case among many.",
    APPROVE="Approve all or part of what was asked.",
    DECLINE="Decline, with a message for the requester.",
)
describe(
    v.RefusalCode,
    "Why something is refused; clients branch on these, they keep their meaning.",
    NOT_FOUND="There is no such thing that you can see.",
    FORBIDDEN="Your roles, or your part in the case, do not allow it.",
    INVALID_INPUT="A value is missing, too long, or does not fit; `field` says which.",
    VERSION_CONFLICT="The case has changed since the version you expected.",
    IDEMPOTENCY_KEY_REUSED="The key was used before with other input.",
    TRANSITION_NOT_ALLOWED="Nothing of the kind is possible in the present state.",
    WINDOW_CLOSED="Too late.",
    NOT_YET_AVAILABLE="Too early.",
    REASON_NOT_REFUNDABLE="This reason is never refunded (L08).",
    AMOUNT_EXCEEDS_REFUNDABLE="More than is left to refund (C14, D9), or more than was asked for.",
    CURRENCY_MISMATCH="The payment is in another currency (D2).",
    INVOICE_NOT_PAID="The invoice is not paid yet (C10).",
    UNBILLED_PERIOD="The billing week is still running (C10, C11).",
    MILESTONE_NOT_FUNDED="There is no money in escrow for the milestone (C30).",
    MILESTONE_RELEASED="The milestone was released: accepted work (C29).",
    CASE_ALREADY_OPEN="The same payment has an open case (D14).",
    TOO_MANY_REQUESTS_FOR_PAYMENT="The payment has had all of its requests (D14).",
    ESCALATION_NOT_AVAILABLE="This case cannot be taken to support (C24, C29).",
    DISPUTE_NOT_AVAILABLE="This case cannot be disputed (C29, C31).",
    SECOND_LOOK_USED="The one second look was used (D6).",
    OWN_CASE="Nobody decides on their own case, or on one they filed.",
    SAME_DECIDER="A second look needs a different member of staff (D6).",
    FUNDS_INSUFFICIENT="Approved refunds are waiting for funds on this balance (D13).",
    REVIEW_WINDOW_CLOSED="Reviews of this contract are closed (C22).",
    REVIEW_EDIT_NOT_ALLOWED="The review may not be edited (C23).",
    REVIEW_ALREADY_POSTED="You have reviewed this contract already.",
    EVIDENCE_REJECTED="The evidence cannot be taken: kind, size or content.",
    BALANCE_INSUFFICIENT="The balance does not hold that much.",
    FINAL_DECISION="Support has decided on this payment's money, for good (D12).",
    LIMIT_EXCEEDED="The amount is above what you decide alone: it is proposed to a colleague, who confirms it (D23).",
    CHARGED_BACK="A bank wants that part of the payment back, or has it already (D25).",
    TOO_MANY_ITEMS="The list holds as many as it may; nothing can be added to it (D26).",
    STALE="What was given is older than what has happened: look again before you act on it.",
)
describe(
    ExternalKind,
    "What a reference of the marketplace stands for.",
    ACCOUNT="An account.",
    LEAD="A lead.",
    MESSAGE="A message of a chat; the marketplace itself reads none.",
    CONTRACT="A contract.",
    MILESTONE="A milestone.",
    BILLING_WEEK="A billing week.",
    INVOICE="An invoice.",
    REVIEW="A review that was posted at the marketplace.",
    WITHDRAWAL="A withdrawal that the marketplace made.",
)
describe(
    v.ChargebackStatus,
    "What became of money that a bank wants back (D25).",
    OPEN="Not decided: it is kept from being refunded.",
    WON="The money stays; it can be refunded again.",
    LOST="The money has left for the bank.",
)
describe(
    SimulationChange,
    "How the outcome of a past case differs under changed parameters, the gravest first.",
    REFUSED="An act that happened would have been refused.",
    OTHER_ROUTE="The request would have gone to somebody else first (C06, C07).",
    OTHER_STATE="The case would be in another state.",
    GOODWILL="What staff filed counts as goodwill, or no longer does (D4).",
    TARGET="A decision target would have been missed, or met (L14).",
    REVIEWS="The contract's reviews would be hidden, or shown, after a credit or a reversal (C21).",
)
describe(
    v.WebhookDeliveryState,
    "How far an event has come on its way to one webhook endpoint.",
    PENDING="It waits for its turn or its next attempt.",
    DELIVERED="The receiver has taken it.",
    FAILED="It was given up after the last attempt; those behind it went on.",
    SKIPPED="It was left out by hand.",
)
describe(
    v.WebhookStop,
    "Why nothing is sent to a webhook endpoint; what it misses is sent once it is switched on again.",
    SWITCHED_OFF="By hand.",
    GONE="The receiver answered 410 Gone.",
    FAILING="The receiver has taken nothing for days.",
)
describe(
    v.WithdrawalEventName,
    "What happens to a withdrawal.",
    REQUESTED="It was asked for, and its money left the balance.",
    SENT="The marketplace sent the money.",
    PAID="The money arrived.",
    FAILED="It failed, and its money went back to the balance.",
    CANCELLED="Its owner cancelled it before it was sent, and its money went back to the balance.",
)
describe(
    v.ClockName,
    "The deadlines that run on a case.",
    DIRECT_WINDOW="The expert's own right to decide on an invoice (C06, D7).",
    SUPPORT_WINDOW="Asking for, or escalating, an invoice's refund (C07, C24).",
    RESPOND_BY="The answer to a direct request, before it moves to support by itself (D7, D8).",
    SLA_DECISION="Support's target for a decision (L14, D20).",
    TIMESHEET_DISPUTE="Disputing a week's hours (C25).",
    DISPUTE_RESOLUTION="Disputing an hourly invoice (C31).",
    SECOND_LOOK="Asking for a second look at a lead (D6).",
    REVIEW="Posting a review of the contract (C22).",
    WITHDRAWAL_ESTIMATE="The arrival of a withdrawal (D10).",
    INFORMATION="A party's answer to a question of support (D24).",
    FUNDS_ESCALATION="Waiting for the expert's balance, before the client may escalate (D13).",
    WEEK_RELEASE="The release of a week's held money to the expert (C25).",
)
