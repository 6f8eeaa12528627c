"""A seeded stream of records of any size, for benchmarks and for trying the desk under load.

The same parameters give the same records.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from refundgql.domain.calendar import parse_instant
from refundgql.domain.money import Money
from refundgql.domain.records import hours_amount

Shape = dict[str, dict[str, Any]]

_FIRST = ("Ada", "Ben", "Cleo", "Dov", "Eva", "Finn", "Gus", "Hana", "Ivo", "Jun", "Kaya", "Liv", "Milo", "Nia", "Otis")
_LAST = (
    "Brandt",
    "Okafor",
    "Marsh",
    "Lindgren",
    "Santos",
    "Kaya",
    "Moreau",
    "Ito",
    "Novak",
    "Mbeki",
    "Laurent",
    "Reyes",
)
_JOBS = (
    ("Painting", "Repaint the kitchen"),
    ("Plumbing", "Replace a leaking mixer tap"),
    ("Gardening", "Cut back an overgrown hedge"),
    ("Carpentry", "Build shelves under the stairs"),
    ("Moving", "Move a two-room flat"),
    ("Tutoring", "Prepare for the maths exam"),
)
_TOWNS = ("Leeds", "York", "Hull", "Bristol", "Cardiff", "Derby", "Perth", "Luton")
_LINES = (
    "Hello, when could you come by to have a look?",
    "I am free on Thursday after four, would that suit you?",
    "Could you send two or three photos of it first?",
    "Here they are. The old one has been dripping since Sunday.",
    "Thank you. I would need about half a day and bring the material along.",
    "That sounds fine, what would it cost with everything?",
)
_WORK = ("Bracket redesign", "Product renderings", "Drawing set for a gearbox", "Enclosure for a sensor", "Site survey")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much of everything there is; `seed` and `at` (an instant) fix the rest."""

    seed: int
    at: datetime
    pros: int
    customers: int
    clients: int
    experts: int
    leads: int
    messages_per_lead: int
    hourly_contracts: int
    weeks_per_contract: int
    fixed_contracts: int
    milestones_per_contract: int
    reviewed_share: float

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Size:
        """Return the size that a parameter file asks for, its names in camel case."""
        names = {item.name: _camel(item.name) for item in fields(cls)}
        given = {name: values[camel] for name, camel in names.items()}
        return cls(**given | {"at": parse_instant(values["at"])})


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def generate(size: Size) -> Iterator[Shape]:
    """Yield the records in an order in which each refers to earlier ones only."""
    rng = random.Random(size.seed)  # noqa: S311 - made-up people, nothing secret
    yield from _accounts(size, rng)
    yield from _leads(size, rng)
    yield from _hourly(size, rng)
    yield from _fixed(size, rng)


def _accounts(size: Size, rng: random.Random) -> Iterator[Shape]:
    counts = {"PRO": size.pros, "CUSTOMER": size.customers, "CLIENT": size.clients, "EXPERT": size.experts}
    for role, count in counts.items():
        for number in range(count):
            name = f"{rng.choice(_FIRST)} {rng.choice(_LAST)}"
            yield {"account": {"externalRef": f"{role.lower()}-{number}", "name": name, "roles": [role]}}


def _leads(size: Size, rng: random.Random) -> Iterator[Shape]:
    for number in range(size.leads):
        pro, customer = f"pro-{rng.randrange(size.pros)}", f"customer-{rng.randrange(size.customers)}"
        category, title = rng.choice(_JOBS)
        charged_at = size.at - timedelta(minutes=rng.randrange(60 * 24 * 90))
        yield {
            "lead": {
                "externalRef": f"lead-{number}",
                "pro": pro,
                "customer": customer,
                "title": title,
                "category": category,
                "location": rng.choice(_TOWNS),
                "price": _usd(rng.randrange(500, 6000)),
                "chargedAt": _text(charged_at),
            }
        }
        for turn in range(size.messages_per_lead):
            yield {
                "message": {
                    "externalRef": f"lead-{number}-message-{turn}",
                    "lead": f"lead-{number}",
                    "author": pro if turn % 2 else customer,
                    "body": _LINES[turn % len(_LINES)],
                    "sentAt": _text(charged_at + timedelta(minutes=7 * turn)),
                }
            }


def _hourly(size: Size, rng: random.Random) -> Iterator[Shape]:
    monday = (size.at - timedelta(days=size.at.weekday())).date()
    for number in range(size.hourly_contracts):
        ref = f"hourly-{number}"
        yield from _contract(size, rng, ref, "HOURLY")
        for back in range(size.weeks_per_contract, 0, -1):
            starts_on = monday - timedelta(weeks=back)
            hours = Decimal(rng.randrange(1, 160)) / 4
            rate = Money(rng.randrange(2000, 12000), "USD")
            week = f"{ref}-week-{starts_on.isoformat()}"
            yield {
                "billingWeek": {
                    "externalRef": week,
                    "contract": ref,
                    "startsOn": starts_on.isoformat(),
                    "hours": str(hours),
                    "rate": _usd(rate.minor),
                }
            }
            ends_at = datetime.combine(starts_on + timedelta(weeks=1), datetime.min.time(), UTC)
            yield _invoice(ref, week, "billingWeek", hours_amount(hours, rate).minor, ends_at + timedelta(hours=3))


def _fixed(size: Size, rng: random.Random) -> Iterator[Shape]:
    for number in range(size.fixed_contracts):
        ref = f"fixed-{number}"
        yield from _contract(size, rng, ref, "FIXED_PRICE")
        for step in range(size.milestones_per_contract):
            funded_at = size.at - timedelta(days=rng.randrange(1, 300), minutes=rng.randrange(1440))
            minor = rng.randrange(2500, 90000)
            milestone = f"{ref}-step-{step}"
            released = step + 1 < size.milestones_per_contract
            yield {
                "milestone": {
                    "externalRef": milestone,
                    "contract": ref,
                    "title": f"Step {step + 1}",
                    "amount": _usd(minor),
                    "status": "RELEASED" if released else "FUNDED",
                    "fundedAt": _text(funded_at),
                }
                | ({"releasedAt": _text(funded_at + timedelta(hours=12))} if released else {})
            }
            yield _invoice(ref, milestone, "milestone", minor, funded_at)


def _contract(size: Size, rng: random.Random, ref: str, kind: str) -> Iterator[Shape]:
    client, expert = f"client-{rng.randrange(size.clients)}", f"expert-{rng.randrange(size.experts)}"
    yield {
        "contract": {
            "externalRef": ref,
            "kind": kind,
            "client": client,
            "expert": expert,
            "title": rng.choice(_WORK),
            "status": "OPEN",
            "currencyCode": "USD",
            "startedAt": _text(size.at - timedelta(days=320)),
        }
    }
    for author in (client, expert):
        if rng.random() < size.reviewed_share:
            yield {
                "review": {
                    "externalRef": f"{ref}-review-{author}",
                    "contract": ref,
                    "author": author,
                    "rating": rng.randrange(1, 6),
                    "body": "Quick to answer and careful in the details.",
                    "postedAt": _text(size.at - timedelta(days=rng.randrange(1, 200))),
                }
            }


def _invoice(contract: str, part: str, part_name: str, minor: int, paid_at: datetime) -> Shape:
    return {
        "invoice": {
            "externalRef": f"{part}-invoice",
            "contract": contract,
            "number": f"INV-{part}",
            "amount": _usd(minor),
            "issuedAt": _text(paid_at - timedelta(hours=1)),
            "paidAt": _text(paid_at),
            part_name: part,
        }
    }


def _usd(minor: int) -> dict[str, str]:
    return {"amount": Money(minor, "USD").amount, "currencyCode": "USD"}


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
