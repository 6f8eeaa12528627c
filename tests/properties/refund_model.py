"""A small second opinion on refunds: which events are legal when, and where the money is after them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

UNDECIDED = ("REQUESTED", "ESCALATED", "DISPUTED")
OPEN = (*UNDECIDED, "APPROVED")
KINDS = ("LEAD", "INVOICE", "ESCROW", "TIMESHEET")
THRESHOLD_MINOR = 2_500
LIMIT_MINOR = 1_500
"""What SUPPORT decides alone where the policy has a limit (D23)."""

RULES = {
    "lead_window_days": 30,
    "direct_window_days": 180,
    "support_window_days": 365,
    "respond_within_days": 7,
    "dispute_resolution_days": 30,
    "funds_wait_days": 14,
}

# event | kinds | from | to (= no change) | who
_TABLE = """
REQUEST                | LEAD            | -                            | REQUESTED         | PRO SUPPORT ADMIN
REQUEST                | INVOICE ESCROW  | -                            | REQUESTED         | CLIENT
REQUEST                | INVOICE         | -                            | ESCALATED         | CLIENT
OPEN_TIMESHEET_DISPUTE | TIMESHEET       | -                            | DISPUTED          | CLIENT
ISSUE                  | INVOICE ESCROW  | -                            | APPROVED DECLINED | EXPERT
APPROVE                | LEAD            | REQUESTED                    | APPROVED          | SUPPORT ADMIN
APPROVE                | INVOICE ESCROW  | REQUESTED                    | APPROVED          | EXPERT
APPROVE                | *               | ESCALATED DISPUTED           | APPROVED          | SUPPORT ADMIN
DECLINE                | LEAD            | REQUESTED                    | DECLINED          | SUPPORT ADMIN
DECLINE                | INVOICE ESCROW  | REQUESTED                    | DECLINED          | EXPERT
DECLINE                | *               | ESCALATED DISPUTED           | DECLINED          | SUPPORT ADMIN
ESCALATE               | LEAD INVOICE    | DECLINED                     | ESCALATED         | PRO CLIENT
ESCALATE               | INVOICE         | APPROVED                     | ESCALATED         | CLIENT
HAND_OVER              | INVOICE ESCROW  | REQUESTED                    | ESCALATED         | SYSTEM
SUPERSEDE              | INVOICE         | REQUESTED ESCALATED          | CANCELLED         | SYSTEM
DISPUTE                | INVOICE ESCROW  | REQUESTED DECLINED ESCALATED | DISPUTED          | CLIENT
CONSENT                | INVOICE ESCROW TIMESHEET | ESCALATED DISPUTED  | =                 | EXPERT
CREDIT                 | *               | APPROVED                     | CREDITED          | SYSTEM
CANCEL                 | *               | REQUESTED ESCALATED DISPUTED | CANCELLED         | PRO CLIENT
REVERSE                | *               | CREDITED                     | =                 | ADMIN
ESCALATE               | INVOICE         | CREDITED                     | =                 | CLIENT
DISPUTE                | INVOICE ESCROW  | CREDITED                     | =                 | CLIENT
ESCALATE               | INVOICE         | -                            | ESCALATED         | CLIENT
DISPUTE                | INVOICE ESCROW  | -                            | DISPUTED          | CLIENT
REOPEN                 | LEAD INVOICE ESCROW | DECLINED                 | ESCALATED         | ADMIN
REOPEN                 | TIMESHEET       | DECLINED                     | DISPUTED          | ADMIN
PROPOSE                | LEAD            | REQUESTED ESCALATED          | =                 | SUPPORT
PROPOSE                | INVOICE ESCROW TIMESHEET | ESCALATED DISPUTED  | =                 | SUPPORT
CONFIRM                | LEAD            | REQUESTED ESCALATED          | =                 | SUPPORT ADMIN
CONFIRM                | INVOICE ESCROW TIMESHEET | ESCALATED DISPUTED  | =                 | SUPPORT ADMIN
RETURN                 | LEAD            | REQUESTED ESCALATED          | =                 | SUPPORT ADMIN
RETURN                 | INVOICE ESCROW TIMESHEET | ESCALATED DISPUTED  | =                 | SUPPORT ADMIN
FINALISE               | INVOICE ESCROW  | DECLINED CREDITED            | =                 | SYSTEM
TARGET_MISSED          | LEAD            | REQUESTED ESCALATED          | =                 | SYSTEM
TARGET_MISSED          | INVOICE ESCROW  | ESCALATED DISPUTED           | =                 | SYSTEM
TARGET_MISSED          | TIMESHEET       | DISPUTED                     | =                 | SYSTEM
DUE_SOON               | LEAD            | REQUESTED ESCALATED DECLINED | =                 | SYSTEM
DUE_SOON               | INVOICE         | REQUESTED ESCALATED DISPUTED DECLINED CREDITED | = | SYSTEM
DUE_SOON               | ESCROW          | REQUESTED ESCALATED DISPUTED | =                 | SYSTEM
DUE_SOON               | TIMESHEET       | DISPUTED                     | =                 | SYSTEM
DEADLINE_MOVED         | LEAD            | REQUESTED ESCALATED DECLINED | =                 | SYSTEM
DEADLINE_MOVED         | INVOICE         | REQUESTED ESCALATED DISPUTED DECLINED CREDITED | = | SYSTEM
DEADLINE_MOVED         | ESCROW          | REQUESTED ESCALATED DISPUTED | =                 | SYSTEM
DEADLINE_MOVED         | TIMESHEET       | DISPUTED                     | =                 | SYSTEM
CHARGEBACK | * | REQUESTED APPROVED DECLINED ESCALATED DISPUTED CREDITED CANCELLED | = | SYSTEM
WITHDRAWAL_CHANGED     | INVOICE ESCROW TIMESHEET | CREDITED            | =                 | SYSTEM
"""


def _legal() -> dict[tuple[str, str, str, str], set[str]]:
    rows: dict[tuple[str, str, str, str], set[str]] = defaultdict(set)
    for line in _TABLE.strip().splitlines():
        event, kinds, starts, ends, who = (part.split() for part in line.split("|"))
        for kind in KINDS if kinds == ["*"] else kinds:
            for start in starts:
                for end in [start] if ends == ["="] else ends:
                    rows[event[0], kind, start, end] |= set(who)
    return dict(rows)


LEGAL = _legal()
"""Who may cause an event of a kind from one state to another."""


@dataclass
class Contract:
    """Two people and what was paid and refunded between them."""

    id: str
    client: str
    expert: str
    hourly: bool


@dataclass
class Payment:
    """One payment, in minor units of US dollars; `held` is what waits in escrow or for a week's cut-off."""

    id: str
    kind: str  # LEAD, INVOICE, WEEK or MILESTONE
    paid: int
    paid_at: datetime | None
    contract: Contract | None = None
    pro: str = ""
    customer: str = ""
    held: int = 0
    released: bool = False
    ends_at: datetime | None = None
    refunded: int = 0
    charged_back: int = 0
    """What banks want or have taken (D25)."""

    @property
    def cut_off(self) -> datetime:
        """Return the Saturday on which a week's hours are disputable no more."""
        assert self.ends_at is not None
        return self.ends_at + timedelta(days=5)

    def day(self, at: datetime) -> int:
        """Return the day number of an instant since the payment."""
        assert self.paid_at is not None
        return days(self.paid_at, at)


@dataclass
class Case:
    """One case as its events tell it."""

    id: str
    kind: str
    payment: Payment
    requester: str
    counterparty: str | None
    opened_by: str
    opened_at: datetime
    send_on: bool
    state: str = "-"
    version: int = 0
    asked: int = 0
    approved: int = 0
    consented: int = 0
    credited: int = 0
    reversed: bool = False
    by_support: bool = False
    approved_at: datetime | None = None
    reopened: bool = False
    proposed_by: str | None = None
    """Who proposed the decision that waits for a second signature (D23)."""


@dataclass
class Model:
    """Everything that has to be true after what has happened."""

    contracts: dict[str, Contract] = field(default_factory=dict)
    payments: dict[str, Payment] = field(default_factory=dict)
    cases: dict[str, Case] = field(default_factory=dict)
    balances: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    withdrawals: dict[str, str] = field(default_factory=dict)
    overdrawn_by_support: set[str] = field(default_factory=set)
    limited: bool = False
    """Whether support's larger decisions need a second signature (D23)."""
    erased: set[str] = field(default_factory=set)
    """Whose accounts were erased (D30)."""
    rules: dict[str, int] = field(default_factory=lambda: dict(RULES))
    """The days in force now (D28)."""

    def of_payment(self, payment: Payment, *states: str) -> list[Case]:
        """Return the cases of a payment in some states."""
        return [case for case in self.cases.values() if case.payment is payment and case.state in states]

    def reserved(self, payment: Payment) -> int:
        """Return what is approved and not credited."""
        return sum(case.approved for case in self.of_payment(payment, "APPROVED"))

    def left(self, payment: Payment) -> int:
        """Return what can still be refunded of a payment (C14, D25)."""
        return min(self._left([payment]), self._left(self.siblings(payment)))

    def _left(self, payments: list[Payment]) -> int:
        return sum(one.paid - one.refunded - one.charged_back - self.reserved(one) for one in payments)

    def siblings(self, payment: Payment) -> list[Payment]:
        """Return all payments of the same contract."""
        if payment.contract is None:
            return [payment]
        return [one for one in self.payments.values() if one.contract is payment.contract]

    def approvable(self, case: Case) -> int:
        """Return the most that can be approved now (D9, C29)."""
        left = self.left(case.payment)
        most = left if self.asks_for_all(case) else min(case.asked, left)
        accepted = case.kind == "INVOICE" and case.payment.kind == "MILESTONE"
        goodwill = (accepted or self.decided_before(case)) and case.state != "REQUESTED"
        return min(most, case.consented) if goodwill else most

    def asks_for_all(self, case: Case) -> bool:
        """Tell whether support may go beyond what an expert issued and could not pay: for hourly money (D19)."""
        return case.opened_by == "ISSUE" and _hourly(case.payment) and case.state in ("ESCALATED", "DISPUTED")

    def decided_before(self, case: Case) -> bool:
        """Tell whether support has decided on the same money before (D12)."""
        others = [one for one in self.cases.values() if one.payment is case.payment and one is not case]
        return case.kind != "LEAD" and any(one.by_support for one in others)

    def hides_reviews(self, contract: Contract) -> bool:
        """Tell whether a contract's reviews are hidden (C21)."""
        payments = [one for one in self.payments.values() if one.contract is contract]
        refunded = sum(one.refunded for one in payments)
        return refunded > 0 and sum(one.paid for one in payments) - refunded < THRESHOLD_MINOR

    def about(self, case: Case) -> set[str | None]:
        """Return whose case it is: its parties', and a lead's customer's."""
        return {case.requester, case.counterparty, case.payment.customer or None}

    def sees(self, account: str, roles: set[str], case: Case) -> bool:
        """Tell whether somebody sees a case."""
        if roles & {"SUPPORT", "ADMIN"}:
            return True
        contract = case.payment.contract
        if contract is None:
            return "PRO" in roles and case.payment.pro == account
        return ("CLIENT" in roles and contract.client == account) or ("EXPERT" in roles and contract.expert == account)

    def take(self, event: dict[str, Any], case: dict[str, Any], at: datetime) -> None:
        """Follow one recorded event, after checking that it was legal."""
        if event["case_id"] not in self.cases:
            self.cases[event["case_id"]] = Case(
                id=event["case_id"],
                kind=case["kind"],
                payment=self.payments[case["payment_id"]],
                requester=case["requester_id"],
                counterparty=case["counterparty_id"],
                opened_by=event["name"],
                opened_at=at,
                send_on=bool(case["send_to_payment_method"]),
            )
        it = self.cases[event["case_id"]]
        name, to = event["name"], event["to_state"]
        assert event["sequence"] == it.version + 1, "no gap, no event twice"
        assert (event["from_state"] or "-") == it.state, "an event starts where the last one ended"
        who = LEGAL.get((name, it.kind, it.state, to))
        assert who is not None, f"{name} of {it.kind} from {it.state} to {to} is not in the table"
        assert event["actor_role"] in who, f"{name} by {event['actor_role']}"
        self._check_time(it, name, to, at, event["actor_role"] in ("SUPPORT", "ADMIN"))
        if to in OPEN or name in ("CREDIT", "REVERSE"):
            assert it.requester not in self.erased, "nothing is opened for or paid to who was erased (D30)"
        others = [one for one in self.of_payment(it.payment, *OPEN) if one is not it]
        assert not (others and to in OPEN), "one open case a payment (D14)"
        self._check_signatures(it, event)
        before, it.state, it.version = it.state, to, it.version + 1
        self._follow(it, name, before, event["amount_minor"] or 0, at)

    def _check_signatures(self, it: Case, event: dict[str, Any]) -> None:
        """Nobody signs what they proposed, and nobody but an administrator decides above the limit (D22, D23)."""
        name, actor = event["name"], event["actor_id"]
        if name == "PROPOSE":
            assert self.limited
            assert it.proposed_by is None
            assert (event["amount_minor"] or 0) == 0, "no money"
            it.proposed_by = actor
        elif name in ("CONFIRM", "RETURN"):
            assert it.proposed_by is not None
            assert name == "RETURN" or it.proposed_by != actor
            it.proposed_by = None
        elif event["to_state"] != it.state:
            it.proposed_by = None
        if name in ("APPROVE", "DECLINE") and event["actor_role"] == "SUPPORT" and self.limited:
            assert (event["amount_minor"] or it.asked) <= LIMIT_MINOR
        if name == "REOPEN":
            assert it.opened_by != "ISSUE"
            assert not it.reopened
            it.reopened = True  # that support has decided on the money stays true (D12)

    def _check_time(self, it: Case, name: str, to: str, at: datetime, by_staff: bool) -> None:
        payment, rules = it.payment, self.rules
        if name == "REQUEST" and it.kind == "INVOICE":
            assert payment.day(at) <= rules["support_window_days"]
            assert (to == "ESCALATED") is (payment.day(at) > rules["direct_window_days"])
        elif name == "OPEN_TIMESHEET_DISPUTE":
            assert payment.paid
            assert payment.ends_at is not None
            assert payment.ends_at <= at < payment.cut_off
        elif name == "REQUEST" and it.kind == "LEAD":
            assert by_staff or payment.day(at) <= rules["lead_window_days"]
        elif it.kind == "INVOICE" and to == "APPROVED" and it.state in ("-", "REQUESTED"):
            assert payment.day(at) <= rules["direct_window_days"]
        elif name == "DISPUTE" and it.kind == "INVOICE":
            assert payment.contract is not None
            assert payment.contract.hourly
            assert payment.day(at) <= rules["dispute_resolution_days"]
        elif name == "ESCALATE" and it.state == "APPROVED":
            assert it.approved_at is not None
            assert days(it.approved_at, at) >= rules["funds_wait_days"]
        elif name == "HAND_OVER":
            unanswered = days(it.opened_at, at) > rules["respond_within_days"] and (
                it.kind == "ESCROW" or _hourly(payment)
            )
            gone = payment.contract is not None and payment.contract.expert in self.erased
            assert unanswered or gone or (it.kind == "INVOICE" and payment.day(at) > rules["direct_window_days"])

    def _follow(self, it: Case, name: str, before: str, amount: int, at: datetime) -> None:
        if before == "-":
            it.asked = amount
        if it.state == "DECLINED" and before in ("ESCALATED", "DISPUTED"):
            it.by_support = True
        if it.state == "ESCALATED" and before == "APPROVED":
            it.consented = it.approved
        if it.state == "APPROVED" and before != "APPROVED":
            it.by_support = it.kind == "LEAD" or before in ("ESCALATED", "DISPUTED")
            it.approved, it.approved_at = amount, at
            assert amount > 0
            assert amount <= it.asked or (it.opened_by == "ISSUE" and _hourly(it.payment) and it.by_support)
            assert self._left([it.payment]) >= 0, "no more than was paid (D9)"
            assert self._left(self.siblings(it.payment)) >= 0, "no more than the contract (C14)"
        elif name == "CONSENT":
            assert 0 < amount <= it.asked
            it.consented = amount
        elif name == "CREDIT":
            it.credited = amount
            assert amount == it.approved
            self._credit(it, amount)
        elif name == "REVERSE":
            assert not it.reversed
            it.reversed = True
            self._reverse(it)
        if it.kind == "TIMESHEET" and it.state not in OPEN and at >= it.payment.cut_off and name != "REVERSE":
            self.release(it.payment)

    def _credit(self, it: Case, amount: int) -> None:
        payment = it.payment
        payment.refunded += amount
        if payment.contract is None:
            self.balances[payment.pro, "LEADS"] += amount
            return
        from_held = min(payment.held, amount)
        payment.held -= from_held
        over = it.reopened and it.kind == "TIMESHEET" and payment.released
        assert it.kind == "INVOICE" or over or from_held == amount, "escrow and disputed hours are held"
        self.balances[payment.contract.expert, "CONTRACTS"] -= amount - from_held
        self.balances[payment.contract.client, "CONTRACTS"] += amount
        if it.by_support and amount > from_held:
            self.overdrawn_by_support.add(payment.contract.expert)

    def _reverse(self, it: Case) -> None:
        payment = it.payment
        payment.refunded -= it.credited
        if payment.contract is None:
            self.balances[payment.pro, "LEADS"] -= it.credited
            return
        self.balances[payment.contract.client, "CONTRACTS"] -= it.credited
        if payment.kind in ("WEEK", "MILESTONE") and not payment.released:
            payment.held += it.credited
        else:
            self.balances[payment.contract.expert, "CONTRACTS"] += it.credited

    def charge_back(self, payment: Payment, delta: int, lost: int) -> None:
        """Follow what a bank wants more or less, and what it has taken: held money first, then the receiver's (D25)."""
        payment.charged_back += delta
        assert payment.refunded + payment.charged_back <= payment.paid
        from_held = min(payment.held, lost)
        payment.held -= from_held
        if payment.contract is not None and lost > from_held:
            self.balances[payment.contract.expert, "CONTRACTS"] -= lost - from_held
            self.overdrawn_by_support.add(payment.contract.expert)

    def release(self, payment: Payment) -> None:
        """Give what is held to the expert."""
        assert payment.contract is not None
        self.balances[payment.contract.expert, "CONTRACTS"] += payment.held
        payment.held, payment.released = 0, True

    def sweep(self, at: datetime) -> None:
        """Release every undisputed week whose cut-off has passed."""
        for payment in self.payments.values():
            due = payment.kind == "WEEK" and payment.paid and not payment.released and at >= payment.cut_off
            if due and not [case for case in self.of_payment(payment, *OPEN) if case.kind == "TIMESHEET"]:
                self.release(payment)

    def withdrawal(self, row: dict[str, Any]) -> None:
        """Follow a withdrawal: money leaves the balance when it is asked for, and is back when it has failed."""
        known, status, purse = self.withdrawals.get(row["id"]), row["status"], (row["account_id"], "CONTRACTS")
        if known is None:
            self.balances[purse] -= row["amount_minor"]
        if status == "FAILED" and known != "FAILED":
            self.balances[purse] += row["amount_minor"]
        self.withdrawals[row["id"]] = status


def days(start: datetime, at: datetime) -> int:
    """Return the day number: UTC dates apart."""
    return (at.date() - start.date()).days


def _hourly(payment: Payment) -> bool:
    return payment.contract is not None and payment.contract.hourly
