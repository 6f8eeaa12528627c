"""Clients that act through HTTP with idempotency keys and repeat an act until it is answered."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count, product
from typing import Any

import httpx
from command_world import START, World
from contract_desk import ContractDesk
from fleet import Fleet
from follow_ups import check_follow_ups

from databases import LIMITS
from patience import PATIENCE_SECONDS
from refundgql.domain.vocabulary import Role
from refundgql.storage.database import Database
from refundgql.storage.events import stream_head

SYNC = "mutation($input: SyncRecordsInput!) { syncRecords(input: $input) { created refusals { code message } } }"
PAYLOAD = "{ replayed event { id sequence name } refundCase { state } refusals { code message } }"
FIRST_WAIT_SECONDS = 0.02
LONGEST_WAIT_SECONDS = 0.5
MOST_STATEMENTS = 100
"""Which a case takes of each party (D26)."""


def mutation(name: str) -> str:
    """Return a document for one mutation of a case."""
    return f"mutation($input: {name[0].upper()}{name[1:]}Input!) {{ {name}(input: $input) {PAYLOAD} }}"


@dataclass(frozen=True)
class Act:
    """Something somebody does to a case, under a key of its own."""

    who: str
    name: str
    case: str
    key: str
    more: tuple[tuple[str, Any], ...] = ()

    def body(self) -> dict[str, Any]:
        """Return the request."""
        if self.name == "syncRecords":
            return {"query": SYNC, "variables": {"input": dict(self.more)}}
        given = {"refundCaseId": f"RefundCase_{self.case}", "idempotencyKey": self.key, **dict(self.more)}
        return {"query": mutation(self.name), "variables": {"input": given}}


@dataclass
class Load:
    """What was answered."""

    fleet: Fleet
    tokens: dict[str, str]
    seed: int = 1
    outage: bool = False
    """Whether the database is taken away: then 503 and a masked fault are clean failures, to be repeated."""
    events: dict[str, str] = field(default_factory=dict)
    """Key to the event that its act was answered with."""
    answered_at: dict[str, float] = field(default_factory=dict)
    """Event to the monotonic instant at which its act was first answered."""
    outcomes: Counter[str] = field(default_factory=Counter)
    refused: dict[str, set[str]] = field(default_factory=dict)
    """Code to the cases on which an act was refused with it."""
    repeats: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    """Answers that must never be given."""

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    async def do(self, acts: Iterable[Act], at_once: int = 24, until: float = math.inf) -> None:
        """Do acts, so many at once, each until it is answered; begin none after a monotonic instant."""
        waiting = iter(acts)
        limits = httpx.Limits(max_connections=at_once * 2)
        # Who gives up waiting on a busy machine asks again, and is told of a replay where an effect is counted.
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, limits=limits) as client:

            async def work() -> None:
                for act in waiting:
                    await self.until_answered(client, act)
                    if time.monotonic() > until:
                        return

            await asyncio.gather(*(work() for _ in range(at_once)))

    async def until_answered(self, client: httpx.AsyncClient, act: Act) -> None:
        """Send an act to one server after another, with the same key, until one answers."""
        wait = FIRST_WAIT_SECONDS
        async with asyncio.timeout(2 * PATIENCE_SECONDS):
            while not await self._sent(client, act):
                await asyncio.sleep(wait * self.rng.uniform(0.5, 1.5))
                wait = min(wait * 2, LONGEST_WAIT_SECONDS)

    async def _sent(self, client: httpx.AsyncClient, act: Act) -> bool:
        headers = {"Authorization": f"Bearer {self.tokens[act.who]}"}
        url = self.rng.choice(self.fleet.urls)
        try:
            answer = await client.post(f"{url}/graphql", json=act.body(), headers=headers)
        except httpx.TransportError as error:
            self.repeats[type(error).__name__] += 1
            return False
        if self._failed_cleanly(answer):
            return False
        result = answer.json()
        payload = (result.get("data") or {}).get(act.name)
        if answer.status_code != 200 or payload is None or result.get("errors"):
            self.wrong.append(f"{act.name}: {answer.status_code} {answer.text[:300]}")
            return True
        if payload["refusals"]:
            code = payload["refusals"][0]["code"]
            self.outcomes[code] += 1
            self.refused.setdefault(code, set()).add(act.case)
            if code == "TOO_MANY_ITEMS":
                self.wrong.append(f"{act.case} takes no more statements: prepare more cases")
            return True
        if act.name == "syncRecords":
            self.outcomes["TOLD"] += 1
            return True
        event = payload["event"]["id"].partition("_")[2]
        self.answered_at.setdefault(event, time.monotonic())
        if self.events.setdefault(act.key, event) != event:
            self.wrong.append(f"{act.name}: the key {act.key} was answered with two events")
        self.outcomes["REPLAYED" if payload["replayed"] else "DONE"] += 1
        return True

    def _failed_cleanly(self, answer: httpx.Response) -> bool:
        """Tell whether an answer during an outage says that nothing can be said now."""
        if not self.outage:
            return False
        errors = answer.json().get("errors") or [{}]
        code = errors[0].get("extensions", {}).get("code")
        if answer.status_code == 503 or code in {"INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE"}:
            self.repeats[f"{answer.status_code} {code}"] += 1
            return True
        return False


def conflicting(case: str) -> list[Act]:
    """Return sixteen acts on a case of which at most a few can hold, by everybody who could decide it."""
    approve = [("expert", {}), ("expert", {"amount": usd("1")}), ("ivy", {"amount": usd("2")}), ("ada", {})]
    acts = [("approveRefund", who, given) for who, given in approve]
    acts += [("declineRefund", who, {"message": "Work was done."}) for who in ("expert", "expert", "ivy", "ada")]
    acts += [("disputeRefund", "client", {"explanation": "Please decide."})] * 3
    acts += [("cancelRefund", "client", {})] * 3
    acts += [("consentToRefund", "expert", {"amount": usd("3")}), ("escalateRefund", "client", {"explanation": "No."})]
    return [Act(who, name, case, f"{case}-{n}", tuple(given.items())) for n, (name, who, given) in enumerate(acts)]


def signing(case: str, invoice: str) -> list[Act]:
    """Return acts on a disputed case about more than support decides alone, and a chargeback of its invoice (D22-D25).

    Each decision, signature and reopening may hold once, in whatever order they come.
    """
    told, why = {"message": "Work was done."}, {"reason": "Look again."}
    acts: list[tuple[str, str, dict[str, Any]]] = [
        ("approveRefund", "ivy", {}),
        ("approveRefund", "ivy", {"amount": usd("70")}),
        ("declineRefund", "ivy", told),
        ("declineRefund", "ada", told),
        ("confirmDecision", "ivy", {}),
        *[("confirmDecision", who, {}) for who in ("ada", "lou", "lou")],
        ("returnDecision", "lou", why),
        *[("reopenRefund", "lou", why)] * 2,
        ("consentToRefund", "expert", {"amount": usd("3")}),
        ("cancelRefund", "client", {}),
    ]
    wanted = {"externalRef": f"cb-{invoice}", "amount": usd("15"), "status": "OPEN", "invoice": invoice}
    record = {"chargeback": {**wanted, "openedAt": "2026-03-01T00:00:00Z"}}
    return [
        *[Act(who, name, case, f"{case}-{n}", tuple(given.items())) for n, (name, who, given) in enumerate(acts)],
        Act("market", "syncRecords", case, "", (("records", [record]),)),
    ]


def usd(amount: str) -> dict[str, str]:
    """Return dollars as clients write them."""
    return {"amount": amount, "currencyCode": "USD"}


def statements(cases: Sequence[str], rng: random.Random) -> Iterator[Act]:
    """Yield statements of both parties on any of the cases, as many as those take, however fast a machine is."""
    numbers, places = count(1), list(product(("client", "expert"), cases))
    for _ in range(MOST_STATEMENTS):
        rng.shuffle(places)
        for (who, case), number in zip(places, numbers, strict=False):
            yield Act(who, "addStatement", case, f"statement-{number}", (("text", f"Statement {number}"),))


def twice(acts: Iterable[Act], rng: random.Random) -> Iterator[Act]:
    """Yield every act, and some of them once more with the same key."""
    for act in acts:
        yield act
        if rng.random() < 0.2:
            yield act


@dataclass
class Prepared:
    """Cases that wait for acts, and where the stream stood when nothing had been done to them yet."""

    cases: list[str]
    cursor: str
    signed: dict[str, str] = field(default_factory=dict)
    """Disputed cases about more than support decides alone, each with its invoice's reference."""


async def prepare_cases(url: str, count: int, *, opened_apart: timedelta = timedelta(0), signed: int = 0) -> Prepared:
    """Add people and so many requests on paid hourly invoices, each asking for 60 of 100 dollars, and `signed` others.

    Those ask for 90 dollars and are disputed.
    """
    database = await Database.open(url, LIMITS)
    try:
        world = World(database)
        desk = await ContractDesk.open(world)
        cases = []
        for number in range(count):
            world.clock.at = START + number * opened_apart
            cases.append(await desk.ask(await desk.paid_invoice(kind="HOURLY"), "60"))
        await world.person("lou", Role.ADMIN)
        await world.person("market", Role.SERVICE)
        others: dict[str, str] = {}
        for _ in range(signed):
            invoice = await desk.paid_invoice(kind="HOURLY")
            case = await desk.ask(invoice, "90")
            await desk.dispute(desk.client, case)
            (row,) = await world.rows("SELECT external_ref FROM invoice WHERE id = ?", invoice)
            others[case] = row["external_ref"]
        return Prepared(cases, str(await stream_head(database)), others)
    finally:
        await database.close()


@dataclass
class Found:
    """What the database holds after a run, its ledger proven."""

    events: list[dict[str, Any]]
    """Every event after the start, in the order of the stream."""
    cases: list[dict[str, Any]]
    results: set[str]
    """The keys that the database remembers."""

    @property
    def ids(self) -> list[str]:
        """Return the events' ids in the order of the stream."""
        return [row["id"] for row in self.events]


async def look(url: str, cursor: str) -> Found:
    """Prove the ledger and read what is there."""
    database = await Database.open(url, LIMITS)
    try:
        world = World(database)
        await world.check_ledger()
        order, _, position = cursor.partition(".")
        events = await world.rows(
            "SELECT id, case_id, sequence, name, actor_role, at, from_state, commit_order FROM refund_event"
            f" WHERE (commit_order, position) > ({int(order)}, {int(position)}) ORDER BY commit_order, position"
        )
        cases = await world.rows(
            "SELECT id, state, requested_minor, credited_minor, whose_move, support_decided, continues_id,"
            " continued_by_id FROM refund_case"
        )
        results = {row["key"] for row in await world.rows("SELECT key FROM idempotent_result")}
        for case in cases:
            await world.events(case["id"])
        return Found(events, cases, results)
    finally:
        await database.close()


def check_kept(load: Load, found: Found) -> None:
    """Every acknowledged act is there exactly once, and nothing is there that was not acknowledged.

    An act that opens a follow-up case is answered with that case's event, and said on the credited case as well (D19);
    a confirmation is answered with its own event, which that of the decision follows (D23).
    """
    assert load.wrong == []
    said_as_well = set(check_follow_ups(found.cases, found.events).values())
    by_somebody = [row for row in found.events if row["actor_role"] != "SYSTEM" and row["name"] != "CREDIT"]
    signed = {(row["case_id"], row["sequence"] + 1) for row in by_somebody if row["name"] == "CONFIRM"}
    said_as_well |= {row["id"] for row in by_somebody if (row["case_id"], row["sequence"]) in signed}
    acted = [row["id"] for row in by_somebody if row["id"] not in said_as_well]
    answered = list(load.events.values())
    assert len(answered) == len(set(answered)), "two keys were answered with one event"
    assert sorted(acted) == sorted(answered), "what was acknowledged is what is there"
    assert set(load.events) <= found.results, "every answered key is remembered"


def tokens_of(fleet: Fleet) -> dict[str, str]:
    """Return a token for everybody at the desk."""
    return {ref: fleet.token(ref) for ref in ("client", "expert", "ivy", "ada", "lou", "market")}
