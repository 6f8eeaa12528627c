"""A small marketplace to act in: people, a lead with its chat, contracts with money that was really posted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from refundgql.commands.checks import Amount
from refundgql.commands.unit_of_work import UnitOfWork
from refundgql.domain.calendar import to_micros
from refundgql.domain.decisions import Posting
from refundgql.domain.ledger import balance, external, held, platform_leads
from refundgql.domain.money import Money
from refundgql.domain.policy import Policy
from refundgql.domain.refusals import Refusal, Refused
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import BalancePurpose, Role
from refundgql.storage.database import Database
from refundgql.storage.ledger import post
from refundgql.storage.ledger_checks import verify

START = datetime(2026, 3, 4, 12, tzinfo=UTC)  # a Wednesday
DAY = timedelta(days=1)

TABLES = (
    "account",
    "payment",
    "lead",
    "message",
    "contract",
    "billing_week",
    "milestone",
    "invoice",
    "review",
    "refund_case",
    "refund_event",
    "evidence",
    "evidence_upload",
    "case_message",
    "case_read",
    "customer_report",
    "clock",
    "ledger_account",
    "posting",
    "withdrawal",
    "past_refund",
    "chargeback",
    "notice",
    "idempotent_result",
    "webhook_endpoint",
    "webhook_delivery",
    "webhook_attempt",
)

T = TypeVar("T")


@dataclass
class SetClock:
    """A clock that stands where a test puts it."""

    at: datetime = START

    def now(self) -> datetime:
        """Return where it stands."""
        return self.at


@dataclass
class HeardBus:
    """A doorbell that remembers who was woken."""

    rung: list[str] = field(default_factory=list)

    async def publish(self, topics: Collection[str]) -> None:
        """Remember the topics."""
        self.rung += sorted(topics)


@dataclass
class World:
    """The database, what commands need, and short ways to set up and look."""

    database: Database
    clock: SetClock = field(default_factory=SetClock)
    bus: HeardBus = field(default_factory=HeardBus)
    policy: Policy = field(default_factory=Policy)
    keys: int = 0

    @property
    def uow(self) -> UnitOfWork:
        """Return what every command needs."""
        return UnitOfWork(database=self.database, clock=self.clock, policy=self.policy, bus=self.bus)

    def key(self) -> str:
        """Return a fresh idempotency key."""
        self.keys += 1
        return f"key-{self.keys}"

    async def insert(self, table: str, **columns: Any) -> str:
        """Add a row with a new id and return the id."""
        columns = {"id": str(uuid7()), **columns}
        marks = ", ".join("?" * len(columns))
        async with self.database.transaction() as tx:
            await tx.execute(
                f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})",
                [to_micros(value) if isinstance(value, datetime) else value for value in columns.values()],
            )
        return str(columns["id"])

    async def person(self, ref: str, *roles: Role) -> Viewer:
        """Add an account."""
        account_id = await self.insert(
            "account",
            external_ref=ref,
            name=ref.title(),
            roles=",".join(sorted(role.value for role in roles)),
            created_at=START,
        )
        return Viewer(account_id, ref, ref.title(), frozenset(roles))

    async def post(
        self, fact: str, from_key: str, to_key: str, minor: int, *, currency: str = "USD", payment_id: str | None = None
    ) -> None:
        """Move money."""
        async with self.database.transaction() as tx:
            posting = Posting(
                fact=fact,
                from_key=from_key,
                to_key=to_key,
                amount=Money(minor, currency),
                description=fact.title(),
                payment_id=payment_id,
            )
            await post(tx, [posting], self.clock.at)

    async def fund(self, viewer: Viewer, minor: int, purpose: BalancePurpose = BalancePurpose.CONTRACTS) -> None:
        """Put money on somebody's balance."""
        await self.post("OPENING", external("USD"), balance(viewer.account_id, purpose, "USD"), minor)

    async def lead(
        self,
        pro: Viewer,
        customer: Viewer,
        *,
        price: int = 3000,
        charged_at: datetime = START - DAY,
        ref: str = "lead-1",
    ) -> str:
        """Add a charged lead."""
        payment_id = await self.insert("payment", kind="LEAD", currency="USD", paid_minor=price)
        purse = balance(pro.account_id, BalancePurpose.LEADS, "USD")
        await self.post("TOP_UP", external("USD"), purse, price)
        await self.post("CHARGE", purse, platform_leads("USD"), price, payment_id=payment_id)
        return await self.insert(
            "lead",
            external_ref=ref,
            payment_id=payment_id,
            pro_id=pro.account_id,
            customer_id=customer.account_id,
            customer_name=customer.name,
            title="Paint a fence",
            category="Painting",
            location="Graz",
            price_minor=price,
            currency="USD",
            charged_at=charged_at,
        )

    async def say(self, lead_id: str, author: Viewer, body: str, sent_at: datetime = START - DAY) -> str:
        """Add a chat message."""
        ref = f"{lead_id}-{body[:20]}-{self.key()}"
        return await self.insert(
            "message", external_ref=ref, lead_id=lead_id, author_id=author.account_id, body=body, sent_at=sent_at
        )

    async def contract(
        self, client: Viewer, expert: Viewer, *, kind: str = "FIXED_PRICE", ended_at: datetime | None = None
    ) -> str:
        """Add a contract."""
        return await self.insert(
            "contract",
            external_ref=f"contract-{self.key()}",
            kind=kind,
            client_id=client.account_id,
            expert_id=expert.account_id,
            title="Build a site",
            status="OPEN" if ended_at is None else "CLOSED",
            currency="USD",
            started_at=START - 300 * DAY,
            ended_at=ended_at,
            reviews_hidden=False,
        )

    async def invoice(
        self, contract_id: str, expert: Viewer, *, minor: int = 10_000, paid_at: datetime | None = START - 10 * DAY
    ) -> str:
        """Add an invoice of its own, paid to the expert's balance unless `paid_at` is None."""
        paid = minor if paid_at is not None else 0
        payment_id = await self.insert(
            "payment", kind="INVOICE", contract_id=contract_id, currency="USD", paid_minor=paid
        )
        if paid:
            to_key = balance(expert.account_id, BalancePurpose.CONTRACTS, "USD")
            await self.post("PAYMENT", external("USD"), to_key, paid, payment_id=payment_id)
        return await self._invoice(contract_id, payment_id, minor, paid_at)

    async def _invoice(
        self, contract_id: str, payment_id: str, minor: int, paid_at: datetime | None, **columns: Any
    ) -> str:
        ref = f"invoice-{self.key()}"
        return await self.insert(
            "invoice",
            external_ref=ref,
            number=ref.upper(),
            contract_id=contract_id,
            payment_id=payment_id,
            amount_minor=minor,
            currency="USD",
            status="PAID" if paid_at is not None else "ISSUED",
            issued_at=(paid_at or START) - timedelta(hours=1),
            paid_at=paid_at,
            **columns,
        )

    async def week(
        self,
        contract_id: str,
        *,
        starts_at: datetime = datetime(2026, 2, 23, tzinfo=UTC),
        minor: int = 40_000,
        paid_at: datetime | None = datetime(2026, 3, 2, 9, tzinfo=UTC),
    ) -> tuple[str, str]:
        """Add a billing week with its invoice, its money held until the cut-off; return their ids."""
        paid = minor if paid_at is not None else 0
        payment_id = await self.insert("payment", kind="WEEK", contract_id=contract_id, currency="USD", paid_minor=paid)
        ends_at = starts_at + 7 * DAY
        week_id = await self.insert(
            "billing_week",
            external_ref=f"week-{self.key()}",
            contract_id=contract_id,
            payment_id=payment_id,
            starts_at=starts_at,
            ends_at=ends_at,
            hours="10",
            rate_minor=minor // 10,
            amount_minor=minor,
            currency="USD",
        )
        if paid:
            await self.post("PAYMENT", external("USD"), held(payment_id, "USD"), paid, payment_id=payment_id)
            await self.insert("clock", billing_week_id=week_id, name="WEEK_RELEASE", due_at=ends_at + 5 * DAY)
        return week_id, await self._invoice(contract_id, payment_id, minor, paid_at, billing_week_id=week_id)

    async def milestone(self, contract_id: str, *, minor: int = 50_000, funded_at: datetime = START - 5 * DAY) -> str:
        """Add a funded milestone."""
        payment_id = await self.insert(
            "payment", kind="MILESTONE", contract_id=contract_id, currency="USD", paid_minor=minor
        )
        await self.post("PAYMENT", external("USD"), held(payment_id, "USD"), minor, payment_id=payment_id)
        return await self.insert(
            "milestone",
            external_ref=f"milestone-{self.key()}",
            contract_id=contract_id,
            payment_id=payment_id,
            title="Design",
            amount_minor=minor,
            currency="USD",
            status="FUNDED",
            funded_at=funded_at,
        )

    async def balance(self, viewer: Viewer, purpose: BalancePurpose = BalancePurpose.CONTRACTS) -> int:
        """Return what somebody has, in minor units."""
        return await self.on(balance(viewer.account_id, purpose, "USD"))

    async def on(self, key: str) -> int:
        """Return the balance of a ledger account, which is the sum of its postings."""
        kept = await self.database.fetch_value("SELECT balance_minor FROM ledger_account WHERE key = ?", (key,))
        rows = await self.database.fetch(
            "SELECT from_key, to_key, amount_minor FROM posting WHERE ? IN (from_key, to_key)", (key,)
        )
        posted = sum(row["amount_minor"] * (1 if row["to_key"] == key else -1) for row in rows)
        assert (kept or 0) == posted, "a balance equals the sum of its postings"
        return posted

    async def case(self, case_id: str) -> dict[str, Any]:
        """Return a case's row."""
        return plain((await self.database.fetch("SELECT * FROM refund_case WHERE id = ?", (case_id,)))[0])

    async def events(self, case_id: str) -> list[str]:
        """Return the names of a case's events in order, which have no gap."""
        rows = await self.database.fetch(
            "SELECT sequence, name FROM refund_event WHERE case_id = ? ORDER BY sequence", (case_id,)
        )
        assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
        return [row["name"] for row in rows]

    async def rows(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        """Return rows as mappings."""
        return [plain(row) for row in await self.database.fetch(sql, parameters)]

    async def dump(self) -> dict[str, list[dict[str, Any]]]:
        """Return every row of every table."""
        return {
            table: sorted((plain(row) for row in await self.database.fetch(f"SELECT * FROM {table}")), key=repr)
            for table in TABLES
        }

    async def check_ledger(self) -> None:
        """Check everything that is always true of money, cases and events."""
        findings = [finding async for finding in verify(self.database)]
        assert findings == []

    async def refused(self, act: Callable[[], Awaitable[Any]]) -> list[Refusal]:
        """Run an act that is refused, check that nothing has changed and nobody was woken, and return why."""
        before, rung = await self.dump(), list(self.bus.rung)
        with pytest.raises(Refused) as refused:
            await act()
        assert await self.dump() == before
        assert self.bus.rung == rung
        return list(refused.value.refusals)


def plain(row: Any) -> dict[str, Any]:
    """Return a row of either database with ids as text."""
    return {name: str(row[name]) if isinstance(row[name], UUID) else row[name] for name in row.keys()}  # noqa: SIM118


def usd(amount: str) -> Amount:
    """Return dollars as somebody would give them."""
    return Amount(Decimal(amount), "USD")


def told(refusals: Sequence[Refusal]) -> list[tuple[str, str | None]]:
    """Return code and rule of refusals."""
    return [(refusal.code.value, refusal.rule) for refusal in refusals]
