"""A small marketplace behind the whole engine: records come in by sync, people act by mutations."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest

from refundgql.api.context import Application
from refundgql.api.faults import translate
from refundgql.api.feeds import case_fanout, notice_fanout
from refundgql.api.schema import build_schema
from refundgql.clocks import SetClock
from refundgql.commands.import_records import import_lines
from refundgql.commands.unit_of_work import UnitOfWork
from refundgql.domain.policy import Policy
from refundgql.domain.viewers import Viewer
from refundgql.gql.engine import GraphQLEngine
from refundgql.messaging.bus import Doorbell
from refundgql.messaging.memory import MemoryBus
from refundgql.queries.onlookers import Onlookers
from refundgql.storage.database import Database
from refundgql.storage.notices import notice_topics, read_notices
from refundgql.storage.tail import Tail
from wide_limits import WIDE

START = datetime(2026, 3, 4, 12, tzinfo=UTC)  # a Wednesday
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)

Json = Any


@cache
def engine() -> GraphQLEngine:
    """Return the engine of this process."""
    return GraphQLEngine(build_schema(), limits=WIDE, translate=translate)


def at(instant: datetime) -> str:
    """Return an instant as clients write it."""
    return instant.isoformat().replace("+00:00", "Z")


def usd(amount: str) -> Json:
    """Return dollars as clients write them."""
    return {"amount": amount, "currencyCode": "USD"}


@dataclass
class Desk:
    """The application with its clock, and short ways to use it."""

    app: Application
    clock: SetClock
    tail: Tail
    notices: Tail
    keys: int = 0

    @classmethod
    async def open(cls, database: Database) -> Desk:
        """Wire an application over a database and start its tail."""
        clock, bus, policy = SetClock(START), MemoryBus(), Policy()
        tail = Tail(database, bus, Doorbell())
        notices = Tail(database, bus, Doorbell(), read_notices, notice_topics)
        await tail.start()
        await notices.start()
        uow, onlookers = UnitOfWork(database=database, clock=clock, policy=policy, bus=bus), Onlookers(database)
        app = Application(
            database=database,
            clock=clock,
            policy=policy,
            bus=bus,
            uow=uow,
            fanout=case_fanout(tail, onlookers),
            notices=notice_fanout(notices, onlookers),
        )
        return cls(app, clock, tail, notices)

    async def close(self) -> None:
        """Stop following events."""
        await self.tail.stop()
        await self.notices.stop()

    async def answer(self, ref: str | None, document: str, **variables: Json) -> Json:
        """Return the whole answer to an operation of an account, or of nobody."""
        viewer = None if ref is None else await self.app.load_viewer(ref)
        assert ref is None or viewer is not None, f"there is no account {ref}"
        return await self.answer_as(viewer, document, **variables)

    async def answer_as(self, viewer: Viewer | None, document: str, **variables: Json) -> Json:
        """Return the whole answer to an operation of somebody who is known already."""
        prepared = engine().prepare(document)
        if hasattr(prepared, "errors"):
            raise AssertionError(prepared.errors)
        return await engine().execute(prepared, variables, self.app.context(viewer))

    async def run(self, ref: str | None, document: str, **variables: Json) -> Json:
        """Return the data of an operation that has no errors."""
        answer = await self.answer(ref, document, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def code(self, ref: str | None, document: str, **variables: Json) -> str:
        """Return the code of an operation's first error."""
        answer = await self.answer(ref, document, **variables)
        return str(answer["errors"][0]["extensions"]["code"])

    async def seed(self, *records: Json) -> None:
        """Feed records in."""
        await import_lines(self.app.uow, list(records))

    def key(self) -> str:
        """Return an idempotency key that was not used."""
        self.keys += 1
        return f"key-{self.keys}"

    async def act(self, ref: str, mutation: str, fields: str = "", **given: Json) -> Json:
        """Run a mutation that answers with a case and return its payload; refused when it says so."""
        type_name = mutation[0].upper() + mutation[1:] + "Input"
        document = (
            f"mutation Act($input: {type_name}!) {{ {mutation}(input: $input) {{ replayed"
            " refusals { __typename code rule message field alternatives }"
            f" refundCase {{ id number state version {fields} }} event {{ id name sequence }} }} }}"
        )
        given.setdefault("idempotencyKey", self.key())
        found = await self.run(ref, document, input=given)
        return found[mutation]

    async def done(self, ref: str, mutation: str, fields: str = "", **given: Json) -> Json:
        """Run a mutation that must go through and return its case."""
        payload = await self.act(ref, mutation, fields, **given)
        assert payload["refusals"] == [], payload["refusals"]
        return payload["refundCase"]


PEOPLE = (
    ("paula", "Paula Plumber", ["PRO"]),
    ("peter", "Peter Painter", ["PRO"]),
    ("carla", "Carla Customer", ["CUSTOMER"]),
    ("karl", "Karl Client", ["CLIENT"]),
    ("klara", "Klara Client", ["CLIENT"]),
    ("erik", "Erik Expert", ["EXPERT"]),
    ("emma", "Emma Expert", ["EXPERT"]),
    ("sam", "Sam Support", ["SUPPORT"]),
    ("sue", "Sue Support", ["SUPPORT"]),
    ("ada", "Ada Admin", ["ADMIN"]),
    ("market", "The Marketplace", ["SERVICE"]),
)


def people() -> list[Json]:
    """Return the accounts."""
    return [{"account": {"externalRef": ref, "name": name, "roles": roles}} for ref, name, roles in PEOPLE]


def lead(ref: str, pro: str = "paula", **more: Json) -> Json:
    """Return a lead, charged a day before the start."""
    record = {
        "externalRef": ref,
        "pro": pro,
        "customer": "carla",
        "title": f"Job {ref}",
        "category": "Plumbing",
        "location": "Berlin",
        "price": usd("20.00"),
        "chargedAt": at(START - DAY),
    }
    return {"lead": {**record, **more}}


def message(ref: str, of_lead: str, author: str, body: str, sent_at: datetime) -> Json:
    """Return a chat message."""
    return {"message": {"externalRef": ref, "lead": of_lead, "author": author, "body": body, "sentAt": at(sent_at)}}


def contract(ref: str, kind: str = "HOURLY", client: str = "karl", expert: str = "erik", **more: Json) -> Json:
    """Return a contract in dollars."""
    record = {
        "externalRef": ref,
        "kind": kind,
        "client": client,
        "expert": expert,
        "title": f"Work {ref}",
        "status": "OPEN",
        "currencyCode": "USD",
        "startedAt": at(START - 60 * DAY),
    }
    return {"contract": {**record, **more}}


def week(ref: str, of_contract: str, starts_on: str, hours: str = "10", rate: str = "10.00") -> Json:
    """Return a billing week."""
    record = {"externalRef": ref, "contract": of_contract, "startsOn": starts_on, "hours": hours, "rate": usd(rate)}
    return {"billingWeek": record}


def invoice(ref: str, of_contract: str, amount: str, paid_at: datetime | None, **more: Json) -> Json:
    """Return an invoice, issued and perhaps paid."""
    issued_at = (paid_at or START) - HOUR
    record = {
        "externalRef": ref,
        "contract": of_contract,
        "number": f"No. {ref}",
        "amount": usd(amount),
        "issuedAt": at(issued_at),
    }
    return {"invoice": {**record, **({"paidAt": at(paid_at)} if paid_at else {}), **more}}


def milestone(ref: str, of_contract: str, amount: str, **more: Json) -> Json:
    """Return a funded milestone."""
    record = {
        "externalRef": ref,
        "contract": of_contract,
        "title": f"Step {ref}",
        "amount": usd(amount),
        "status": "FUNDED",
        "fundedAt": at(START - 3 * DAY),
    }
    return {"milestone": {**record, **more}}


def marketplace() -> list[Json]:
    """Return people, two chats and two contracts with every kind of payment."""
    return [
        *people(),
        lead("lead-1"),
        lead("lead-2", pro="peter", title="Paint the fence", category="Painting"),
        message("m-1", "lead-1", "carla", "Can you come on Monday?", START - 20 * HOUR),
        message("m-2", "lead-1", "paula", "Yes, at nine.", START - 19 * HOUR),
        message("m-3", "lead-2", "carla", "It is a long fence.", START - 10 * HOUR),
        contract("hourly"),
        week("week-1", "hourly", "2026-02-23"),
        invoice("invoice-1", "hourly", "100.00", START - 2 * DAY, billingWeek="week-1"),
        invoice("invoice-2", "hourly", "80.00", START - 40 * DAY),
        contract("fixed", "FIXED_PRICE", client="klara", expert="emma"),
        milestone("step-1", "fixed", "50.00"),
    ]


async def ids(desk: Desk) -> dict[str, str]:
    """Return the global ids of the marketplace's things by external reference, as staff reads them."""
    found = await desk.run(
        "sam",
        """{ leads { edges { node { id externalRef } } }
             contracts { edges { node { id externalRef milestones { id externalRef }
               invoices { edges { node { id externalRef } } }
               billingWeeks { edges { node { id externalRef } } } } } } }""",
    )
    things: dict[str, str] = {}

    def collect(value: Json) -> None:
        if isinstance(value, dict):
            if "externalRef" in value:
                things[value["externalRef"]] = value["id"]
            for inner in value.values():
                collect(inner)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)

    collect(found)
    return things


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    """Give the marketplace, once for each kind of database."""
    opened = await Desk.open(database)
    await opened.seed(*marketplace())
    yield opened
    await opened.close()


@pytest.fixture
async def small_desk(sqlite: Database) -> AsyncIterator[Desk]:
    """Give the marketplace on SQLite alone, for what does not depend on the database."""
    opened = await Desk.open(sqlite)
    await opened.seed(*marketplace())
    yield opened
    await opened.close()


@pytest.fixture
async def things(desk: Desk) -> dict[str, str]:
    """Give the ids of the marketplace's things by reference."""
    return await ids(desk)
