"""A marketplace's own system before it moves in: its history in a random legal order, and its books to the cent."""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import orjson
from marketplace import Shape, account, contract, having, invoice, lead, message, milestone, money, review, week
from test_moving_in import chargeback, payout, refund

Key = tuple[str, str]
"""A person's reference and the purpose of the money."""
OPEN_HOUSEHOLDS = 40
"""So many are told at once, a record of one after a record of another."""
REPEATED = 0.1
RECENT = 2_000
"""Repeats are of one of so many records before."""


def usd(minor: int) -> dict[str, str]:
    """Return cents as records write them."""
    sign = "-" if minor < 0 else ""
    return money(f"{sign}{abs(minor) // 100}.{abs(minor) % 100:02d}")


def amount(minor: int) -> str:
    """Return cents as the helpers take them."""
    return usd(minor)["amount"]


@dataclass
class Books:
    """What everybody has, and what is on its way to them, in cents."""

    available: dict[Key, int] = field(default_factory=lambda: defaultdict(int))
    in_transit: dict[Key, int] = field(default_factory=lambda: defaultdict(int))

    def write(self, path: Path) -> None:
        """Write them down as the page about moving in wants them."""
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("account", "purpose", "currency", "available", "inTransit"))
            for key in sorted(self.available.keys() | self.in_transit.keys()):
                rows.writerow((*key, "USD", amount(self.available[key]), amount(self.in_transit[key])))


class Household:
    """A few people with everything that happened between them, in order; the books are kept by adding up."""

    def __init__(self, number: int, rng: random.Random, books: Books) -> None:
        """Make up what happened."""
        self.number = number
        self.rng = rng
        self.books = books
        self.told: list[tuple[Shape, frozenset[str]]] = []
        self.revisions: dict[str, int] = defaultdict(int)
        self._people()
        self._lead()
        self._hourly()
        self._fixed()

    def ref(self, what: str) -> str:
        """Return the reference of one of its people or things."""
        return f"{what}-{self.number}"

    def tell(self, shape: Shape, *needs: str) -> None:
        """Note one more revision of a record, and what has to stand before it; `!` asks for the newest of it."""
        self.revisions[name_of(shape)] += 1
        revised = having(shape, revision=str(self.revisions[name_of(shape)]))
        self.told.append((revised, frozenset(needs)))

    def in_some_order(self) -> Iterator[bytes]:
        """Yield the lines in a random order that references allow."""
        left, seen = list(self.told), set[str]()
        while left:
            chosen = self.rng.choice([one for one in left if one[1] <= seen])
            left.remove(chosen)
            shape = chosen[0]
            name = name_of(shape)
            seen.add(name)
            if next(iter(shape.values()))["revision"] == str(self.revisions[name]):
                seen.add(f"{name}!")
            yield orjson.dumps(shape)

    def _add(self, who: str, minor: int, purpose: str = "CONTRACTS") -> None:
        self.books.available[self.ref(who), purpose] += minor

    def _people(self) -> None:
        pro, customer, client, expert = (self.ref(one) for one in ("pro", "customer", "client", "expert"))
        credit, opening, owed = self.rng.randrange(500, 2_000), self.rng.randrange(10_000, 90_000), 0
        if self.rng.random() < 0.3:
            owed = self.rng.randrange(-5_000, 5_000)
        self.tell(account(pro, "PRO", openingLeadCredit=usd(credit)))
        self.tell(account(customer, "CUSTOMER"))
        self.tell(having(account(customer, "CUSTOMER"), name=f"Renamed {self.number}"))
        self.tell(account(client, "CLIENT", openingBalance=usd(opening)))
        self.tell(account(expert, "EXPERT", openingBalance=usd(owed), openingAt="2025-01-01T00:00:00Z"))
        self._add("pro", credit, "LEADS")
        self._add("client", opening)
        self._add("expert", owed)
        out = self.rng.randrange(100, 40_000)
        made = payout(self.ref("payout"), expert, amount(out), "SENT")
        self.tell(made, f"account:{expert}")
        if self.rng.random() < 0.95:
            self.tell(having(made, status="PAID"), f"account:{expert}")
        else:
            self.books.in_transit[expert, "CONTRACTS"] += out
        self._add("expert", -out)

    def _lead(self) -> None:
        pro, customer, name = self.ref("pro"), self.ref("customer"), self.ref("lead")
        price, share = self.rng.randrange(600, 6_000), self.rng.randrange(1, 500)
        sold = lead(name, pro=pro, customer=customer, price=usd(price), fromBalance=usd(share))
        people = (f"account:{pro}", f"account:{customer}")
        self.tell(sold, *people)
        self.tell(having(sold, title="A longer fence"), *people)
        for turn in range(2):
            sent = message(self.ref(f"message-{turn}"), (customer, pro)[turn], f"2026-02-20T08:0{turn}:00Z", lead=name)
            self.tell(sent, f"lead:{name}")
        self.tell(having(sent, body="Edited"), f"lead:{name}")
        back = self.rng.randrange(1, price + 1)
        self.tell(refund(self.ref("refund-lead"), amount(back), lead=name), f"lead:{name}")
        self._add("pro", back - share, "LEADS")

    def _hourly(self) -> None:
        name, work, bill = self.ref("hourly"), self.ref("week"), self.ref("bill")
        sides = {"client": self.ref("client"), "expert": self.ref("expert")}
        self.tell(contract(name, "HOURLY", **sides), *(f"account:{one}" for one in sides.values()))
        quarters = self.rng.randrange(4, 160)
        self.tell(week(work, "2026-02-16", "1", contract=name), f"contract:{name}")
        self.tell(week(work, "2026-02-16", str(quarters / 4), contract=name), f"contract:{name}")
        minor = quarters * 500
        needs = (f"contract:{name}", f"billingWeek:{work}")
        self.tell(invoice(bill, name, amount(minor), billingWeek=work), *needs)
        self.tell(invoice(bill, name, amount(minor), "2026-02-23T01:00:00Z", billingWeek=work), *needs)
        self._add("expert", minor)

    def _fixed(self) -> None:
        name, step, extra = self.ref("fixed"), self.ref("step"), self.ref("extra")
        sides = {"client": self.ref("client"), "expert": self.ref("expert")}
        parties = tuple(f"account:{one}" for one in sides.values())
        self.tell(contract(name, "FIXED_PRICE", **sides), *parties)
        self.tell(contract(name, "FIXED_PRICE", **sides, title="Drawings, second part"), *parties)
        price, share = self.rng.randrange(2_000, 60_000), self.rng.randrange(1, 2_000)
        of_step: dict[str, Any] = {"amount": amount(price), "contract": name}
        self.tell(milestone(step, "UNFUNDED", **of_step), f"contract:{name}")
        self.tell(milestone(step, "FUNDED", **of_step, fromBalance=usd(share)), f"contract:{name}")
        released = self.rng.random() < 0.8
        if released:
            self.tell(milestone(step, "RELEASED", **of_step, fromBalance=usd(share)), f"contract:{name}")
            self._add("expert", price)
        self._add("client", -share)
        paid = self.rng.randrange(1_000, 30_000)
        self.tell(invoice(extra, name, amount(paid + 1)), f"contract:{name}")
        self.tell(invoice(extra, name, amount(paid), "2026-02-01T00:00:00Z"), f"contract:{name}")
        self._add("expert", paid)
        praise = review(self.ref("praise"), name, sides["client"])
        self.tell(praise, f"contract:{name}", parties[0])
        self.tell(having(praise, rating=5), f"contract:{name}", parties[0])
        back, wanted = self.rng.randrange(1, paid // 2), self.rng.randrange(1, paid // 2)
        self.tell(refund(self.ref("refund-extra"), amount(back), invoice=extra), f"invoice:{extra}!")
        self._add("client", back)
        self._add("expert", -back)
        if released:
            some = self.rng.randrange(1, price)
            self.tell(refund(self.ref("refund-step"), amount(some), milestone=step), f"milestone:{step}!")
            self._add("client", some)
            self._add("expert", -some)
        claim = chargeback(self.ref("back"), amount(wanted), invoice=extra)
        self.tell(claim, f"invoice:{extra}!")
        became = self.rng.choice(["OPEN", "WON", "LOST"])
        if became != "OPEN":
            self.tell(having(claim, status=became), f"invoice:{extra}!")
        if became == "LOST":
            self._add("expert", -wanted)


def name_of(shape: Shape) -> str:
    """Return what a record is about: its kind and its reference."""
    ((kind, values),) = shape.items()
    return f"{kind}:{values.get('externalRef', values.get('id'))}"


def tell_history(path: Path, records: int, seed: int) -> tuple[Books, int]:
    """Write at least so many records, with corrections and repeats, and return the books and how many they are."""
    rng, books, written = random.Random(seed), Books(), 0
    recent: list[bytes] = []
    numbers = count()
    running = [Household(next(numbers), rng, books).in_some_order() for _ in range(OPEN_HOUSEHOLDS)]
    with path.open("wb") as file:
        while running:
            household = rng.choice(running)
            line = next(household, None)
            if line is None:
                running.remove(household)
                if written < records:
                    running.append(Household(next(numbers), rng, books).in_some_order())
                continue
            recent = [*recent[-RECENT:], line] if len(recent) > 2 * RECENT else recent
            recent.append(line)
            lines = [line, rng.choice(recent)] if rng.random() < REPEATED else [line]
            file.writelines(one + b"\n" for one in lines)
            written += len(lines)
    return books, written


def spoilt(path: Path, at: int) -> Path:
    """Write the history again with one bad line behind so many good ones, and return where."""
    bad = orjson.dumps(invoice("bad", "fixed-0", "-1.00"))
    target = path.with_name("spoilt.jsonl")
    with path.open("rb") as good, target.open("wb") as file:
        for number, line in enumerate(good):
            if number == at:
                file.write(bad + b"\n")
            file.write(line)
    return target
