"""A marketplace in which every kind of refund can happen, the model that follows it, and one way to do anything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from command_world import DAY, START, HeardBus, SetClock, World, plain
from refund_model import Contract, Model, Payment

from api_world import Desk, contract, invoice, lead, milestone, week
from refundgql.commands.persons import EraseAccount, erase_account
from refundgql.commands.sweep import sweep_due
from refundgql.commands.sync_records import sync_records
from refundgql.domain.calendar import from_micros
from refundgql.domain.refusals import Refusal, Refused
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import Role
from refundgql.storage.accounts import find_viewers_by_ref, set_roles
from refundgql.storage.database import Database

PEOPLE: dict[str, list[str]] = {
    "paula": ["PRO"],
    "carla": ["CUSTOMER"],
    "karl": ["CLIENT"],
    "both": ["CLIENT", "EXPERT"],
    "erik": ["EXPERT"],
    "ivy": ["SUPPORT"],
    "sue": ["SUPPORT", "CLIENT"],
    "ada": ["ADMIN"],
    "lou": ["ADMIN", "SUPPORT"],
    "olga": ["PRO", "CLIENT", "EXPERT"],  # has nothing to do with any of it
    "market": ["SERVICE"],
}
OUTSIDERS = ("olga", "carla")


def ago(days: int) -> datetime:
    """Return an instant so many days before the start."""
    return START - days * DAY


def records() -> list[Any]:
    """Return the marketplace as it stands at the start, a Wednesday."""
    monday = datetime(2026, 3, 2, 1, tzinfo=START.tzinfo)
    deals = {"fixed": ("karl", "erik"), "small": ("karl", "erik"), "back": ("both", "erik"), "forth": ("karl", "both")}
    return [
        *({"account": {"externalRef": ref, "name": ref.title(), "roles": roles}} for ref, roles in PEOPLE.items()),
        lead("lead-1"),
        lead("lead-2", chargedAt=ago(29).isoformat().replace("+00:00", "Z")),
        contract("hourly"),
        *(contract(ref, "FIXED_PRICE", client, expert) for ref, (client, expert) in deals.items()),
        contract("own", "HOURLY", client="sue"),
        week("week-old", "hourly", "2026-02-16"),
        invoice("inv-old", "hourly", "100.00", monday - 7 * DAY, billingWeek="week-old"),
        week("week-prior", "hourly", "2026-02-23"),
        invoice("inv-prior", "hourly", "100.00", monday, billingWeek="week-prior"),
        week("week-now", "hourly", "2026-03-02"),
        invoice("inv-29", "hourly", "80.00", ago(29)),
        invoice("inv-179", "hourly", "30.00", ago(179)),
        invoice("inv-364", "hourly", "35.00", ago(364)),
        milestone("step-1", "fixed", "50.00"),
        invoice("inv-step-1", "fixed", "50.00", ago(3), milestone="step-1"),
        milestone("step-2", "fixed", "60.00"),
        milestone("step-3", "fixed", "40.00", status="UNFUNDED", fundedAt=None),
        milestone("step-4", "fixed", "45.00", status="RELEASED", releasedAt="2026-03-03T12:00:00Z"),
        invoice("inv-step-4", "fixed", "45.00", ago(3), milestone="step-4"),
        invoice("inv-small", "small", "26.00", ago(2)),
        invoice("inv-back", "back", "100.00", ago(5)),
        invoice("inv-forth", "forth", "70.00", ago(175)),
        invoice("inv-own", "own", "45.00", ago(10)),
    ]


@dataclass
class RefundWorld:
    """The database, what acts on it, and what the model expects of it."""

    world: World
    desk: Desk
    model: Model = field(default_factory=Model)
    viewers: dict[str, Viewer] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    payment_of: dict[str, Payment] = field(default_factory=dict)
    last_position: int = 0
    made: int = 0
    wanted: dict[str, tuple[str, int]] = field(default_factory=dict)
    """What banks have been told to want: reference to payment's reference and minor units, while it is OPEN."""
    latest: datetime = START
    """The latest that any process's clock has shown."""

    @classmethod
    async def open(cls, database: Database) -> RefundWorld:
        """Load the marketplace."""
        desk = await Desk.open(database)
        clock = SetClock(START)
        desk.clock.at = START
        it = cls(World(database, clock, HeardBus()), desk)
        await desk.seed(*records())
        it.viewers = await find_viewers_by_ref(database, list(PEOPLE))
        await it.learn()
        return it

    async def close(self) -> None:
        """Stop following events."""
        await self.desk.close()

    @property
    def now(self) -> datetime:
        """Return the instant of the rules."""
        return self.world.clock.at

    async def give_roles(self, ref: str, roles: list[str]) -> None:
        """Let somebody have these roles and no others."""
        viewer = self.viewers[ref]
        self.viewers[ref] = replace(viewer, roles=frozenset(map(Role, roles)))
        async with self.world.database.transaction() as tx:
            await set_roles(tx, viewer.account_id, self.viewers[ref].roles)

    async def forget(self, ref: str) -> tuple[Refusal, ...]:
        """Erase an account, and return why it was refused (D30)."""
        given = EraseAccount(account_id=self.viewers[ref].account_id, reason="Asked.", idempotency_key=self.world.key())
        try:
            await erase_account(self.world.uow, self.viewers["lou"], given)
        except Refused as refused:
            return refused.refusals
        self.viewers[ref] = replace(self.viewers[ref], roles=frozenset())
        self.model.erased.add(self.viewers[ref].account_id)
        return ()

    def roles(self, ref: str) -> set[str]:
        """Return the roles that somebody has now."""
        return {role.value for role in self.viewers[ref].roles}

    def taken(self, payment: Payment) -> int:
        """Return what banks have taken of a payment for good."""
        return payment.charged_back - sum(
            minor for ref, minor in self.wanted.values() if self.payment_of[ref] is payment
        )

    def change_rules(self, **days: int) -> None:
        """Put other days in force, here and in the model (D28)."""
        self.world.policy = self.world.policy.with_overrides(days)
        self.model.rules |= days

    def move_clock(self, by: timedelta) -> None:
        """Let time pass."""
        self.set_clock(self.world.clock.at + by)

    def be_behind(self, by: timedelta) -> None:
        """Act in a process whose clock is so much behind the one that is furthest ahead."""
        self.set_clock(self.latest - by)

    def set_clock(self, at: datetime) -> None:
        """Let everybody's clock show an instant."""
        self.world.clock.at = self.desk.clock.at = at
        self.latest = max(self.latest, at)

    async def learn(self) -> None:
        """Tell the model of payments it does not know: sums, parties, and where the money went when it was paid."""
        rows = self.world.rows
        for row in await rows("SELECT id, external_ref, client_id, expert_id, kind FROM contract"):
            known = Contract(row["id"], row["client_id"], row["expert_id"], row["kind"] == "HOURLY")
            self.model.contracts.setdefault(row["id"], known)
        for row in await rows(
            "SELECT id, external_ref, payment_id, pro_id, customer_id, price_minor, charged_at FROM lead"
        ):
            charged_at = from_micros(row["charged_at"])
            whose = {"pro": row["pro_id"], "customer": row["customer_id"]}
            self._add(row, Payment(row["payment_id"], "LEAD", row["price_minor"], charged_at, **whose))
        for row in await rows("SELECT * FROM billing_week"):
            ends_at = from_micros(row["ends_at"])
            self._add(row, Payment(row["payment_id"], "WEEK", 0, None, self._contract(row), ends_at=ends_at))
        for row in await rows("SELECT * FROM milestone"):
            payment = self._add(row, Payment(row["payment_id"], "MILESTONE", 0, None, self._contract(row)))
            if row["status"] != "UNFUNDED" and not payment.paid:
                payment.paid = payment.held = row["amount_minor"]
                payment.paid_at = from_micros(row["funded_at"])
            if row["status"] == "RELEASED" and not payment.released:
                self.model.release(payment)
        for row in await rows("SELECT * FROM invoice"):
            payment = self._add(row, Payment(row["payment_id"], "INVOICE", 0, None, self._contract(row)))
            if row["status"] == "PAID" and not payment.paid:
                self._paid(payment, row["amount_minor"], from_micros(row["paid_at"]))

    def _contract(self, row: dict[str, Any]) -> Contract:
        return self.model.contracts[row["contract_id"]]

    def _add(self, row: dict[str, Any], payment: Payment) -> Payment:
        known = self.model.payments.setdefault(payment.id, payment)
        self.ids[row["external_ref"]], self.payment_of[row["external_ref"]] = row["id"], known
        return known

    def _paid(self, payment: Payment, minor: int, at: datetime) -> None:
        assert payment.contract is not None
        payment.paid, payment.paid_at = minor, at
        if payment.kind == "WEEK" and at < payment.cut_off:
            payment.held = minor
            if self.now >= payment.cut_off:
                self.model.release(payment)
        else:
            payment.released = True
            self.model.balances[payment.contract.expert, "CONTRACTS"] += minor

    async def follow(self) -> None:
        """Let the model follow what was recorded since the last time."""
        for row in await self.world.rows("SELECT * FROM withdrawal"):
            if self.model.withdrawals.get(row["id"]) != row["status"]:
                self.model.withdrawal(row)
        sql = "SELECT * FROM refund_event WHERE position > ? ORDER BY position"
        for event in await self.world.rows(sql, self.last_position):
            self.last_position = event["position"]
            self.model.take(event, await self.world.case(event["case_id"]), from_micros(event["at"]))

    async def tries(self, act: Callable[[], Awaitable[Any]]) -> tuple[Refusal, ...]:
        """Try an act, let the model follow it, and return why it was refused; a refused act has changed nothing."""
        before = await self._marks()
        try:
            await act()
        except Refused as refused:
            assert await self._marks() == before, "a refused act changes nothing"
            return refused.refusals
        await self.follow()
        return ()

    async def _marks(self) -> list[dict[str, Any]]:
        return await self.world.rows(
            "SELECT (SELECT COUNT(*) FROM refund_event) AS events, (SELECT COUNT(*) FROM posting) AS postings,"
            " (SELECT COUNT(*) FROM refund_case) AS cases, (SELECT COUNT(*) FROM clock) AS clocks,"
            " (SELECT COUNT(*) FROM withdrawal) AS withdrawals, (SELECT COUNT(*) FROM idempotent_result) AS results"
        )

    async def sweep(self) -> None:
        """Act on due clocks; nothing is left to do afterwards."""
        await sweep_due(self.world.uow)
        await self.follow()
        self.model.sweep(self.now)
        assert await sweep_due(self.world.uow) == 0

    async def sync(self, *shapes: Any) -> tuple[Refusal, ...]:
        """Feed records in as the marketplace."""
        try:
            await sync_records(self.world.uow, self.viewers["market"], list(shapes))
        except Refused as refused:
            return refused.refusals
        await self.learn()
        await self.follow()
        return ()

    async def balances(self) -> dict[tuple[str, str], int]:
        """Return everybody's balances, those of nothing left out."""
        rows = await self.world.database.fetch(
            "SELECT owner_id, purpose, balance_minor FROM ledger_account WHERE kind = 'balance'"
        )
        found = {(str(row["owner_id"]), row["purpose"]): row["balance_minor"] for row in map(plain, rows)}
        return {key: minor for key, minor in found.items() if minor}

    async def held(self) -> dict[str, int]:
        """Return what is held by payment, nothing left out."""
        rows = await self.world.rows("SELECT key, balance_minor FROM ledger_account WHERE key LIKE 'held:%'")
        return {row["key"].split(":")[1]: row["balance_minor"] for row in rows if row["balance_minor"]}
