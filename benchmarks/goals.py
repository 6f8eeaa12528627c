"""What the project set out to cost, and what a run found, line by line.

It must not be a condition of anything: a run on a busy machine misses goals, and a report says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from benchmarks.run import EACH_ITS_CASE, ONE_CASE, Figure, Figures
from benchmarks.servers import SOCKET_SERVERS

READS = ("q1", "q2", "q3")
Table = Mapping[tuple[str, str], Figure]
"""Figures by server and workload."""


class Line(NamedTuple):
    """One goal: what it asks for, what was found, and by how much of the goal; None where nothing was measured."""

    goal: str
    found: str
    shares: tuple[float, ...] | None

    def verdict(self) -> str:
        """Return whether the goal is reached."""
        if self.shares is None:
            return "not measured"
        missed = sum(share > 1 for share in self.shares)
        return "reached" if not missed else "missed" if missed == len(self.shares) else "partly"


def goals(figures: Figures) -> str:
    """Return all goals as a Markdown table."""
    lines = ["| goal | found | |", "|---|---|---|"]
    lines += [f"| {line.goal} | {line.found} | {line.verdict()} |" for line in _lines(figures)]
    return "\n".join(lines)


def _lines(figures: Figures) -> Iterator[Line]:
    table = {(one.server, one.workload): one for one in figures.http}
    for peer, most in (("jit-bun", 1.0), ("yoga-bun", 0.7)):
        yield _against(table, "server and database", READS, peer, _total, (most,) * 3)
    yield _against(table, "unloaded p50", READS, "jit-bun", _unloaded, (1.0,) * 3)
    yield _against(table, "server and database", ("m1",), "limit", _total, (1.4,))
    yield _against(table, "unloaded p50", ("m1",), "limit", _unloaded, (1.5,))
    for peer in ("mercurius", "yoga"):
        yield _against(table, "the server alone", READS, peer, _server, (0.6,) * 3)
    yield _against(table, "the server alone", READS, "limit", _server, (3.5, 2.7, 6))
    yield _against(table, "the server alone", READS, "strawberry", _server, (1 / 10, 1 / 25, 1 / 60))
    executed = figures.executed
    alone = [executed.compiled_us if executed else None]
    yield _values("executor alone", alone, (0.4,), "µs a field")
    fan, bare = (figures.fanned.get((name, ONE_CASE)) for name in ("refundgql", next(iter(SOCKET_SERVERS))))
    yield _values("fan-out of one event", [fan.cpu_us if fan else None], (22,), "µs a delivery")
    yield _ratios(
        "the last delivery against bare sockets", [fan.last_ms / bare.last_ms if fan and bare else None], (1.3,)
    )
    yield _values("a subscriber", [fan.kib if fan else None], (25,), "KiB")
    for peer, most in (("jit-bun", 1.0), ("mercurius", 0.5)):
        own, other = (figures.fanned.get((name, EACH_ITS_CASE)) for name in ("refundgql", peer))
        costs = [own.cpu_us / other.cpu_us if own and other else None]
        yield _ratios(f"an event of one of 5,000 followed cases against {peer}", costs, (most,))
    growth = [_ratio(table, workload, "refundgql", figures.tenth or "", _server) for workload in READS]
    yield _ratios("processor time of q1, q2, q3 against a tenth of the cases", growth, (1.2,) * 3)
    yield _values("start to first answer", [figures.started_s.get("refundgql")], (1.5,), "s")
    for database, least in (("SQLite", 20_000), ("PostgreSQL", 10_000)):
        rate = figures.imported_per_s.get(database)
        yield Line(
            f"import on {database}: at least {least:,} records/s",
            "–" if rate is None else f"{rate:,.0f}",
            None if rate is None else (least / rate,),
        )
    yield _values("the slowest approval beside an import", [figures.longest_wait_ms], (100,), "ms")
    yield _ratios("a batch of paid invoices with an awaited refund against without", [figures.settling_factor], (1.5,))


def _total(one: Figure) -> float:
    return one.total_ms


def _server(one: Figure) -> float:
    return one.cpu_ms


def _unloaded(one: Figure) -> float:
    return one.unloaded_p50_ms


def _against(
    table: Table,
    what: str,
    workloads: tuple[str, ...],
    peer: str,
    cost: Callable[[Figure], float],
    most: tuple[float, ...],
) -> Line:
    found = [_ratio(table, workload, "refundgql", peer, cost) for workload in workloads]
    return _ratios(f"{what} of {', '.join(workloads)} against {peer}", found, most)


def _ratio(table: Table, workload: str, server: str, peer: str, cost: Callable[[Figure], float]) -> float | None:
    """Return a cost as a multiple of a peer's; nothing where one was not measured, or failed."""
    ours, theirs = table.get((server, workload)), table.get((peer, workload))
    return cost(ours) / cost(theirs) if ours and theirs and cost(theirs) and not theirs.failures else None


def _ratios(what: str, found: list[float | None], most: tuple[float, ...]) -> Line:
    return _line(f"{what}: at most {_texts(most)} ×", found, most, "×")


def _values(what: str, found: list[float | None], most: tuple[float, ...], unit: str) -> Line:
    return _line(f"{what}: at most {_texts(most)} {unit}", found, most, unit)


def _line(goal: str, found: list[float | None], most: tuple[float, ...], unit: str) -> Line:
    known = [value for value in found if value is not None]
    if len(known) < len(found):
        return Line(goal, "–", None)
    shares = tuple(value / limit for value, limit in zip(known, most, strict=True))
    return Line(goal, f"{_texts(known)} {unit}", shares)


def _texts(values: list[float] | tuple[float, ...]) -> str:
    """Return numbers as people write them: 1/25, 0.62, 3.5, 25."""
    texts = [f"1/{1 / v:.3g}" if 0 < v < 0.15 else f"{v:.2f}".rstrip("0").rstrip(".") for v in values]
    return ", ".join(dict.fromkeys(texts)) if len(set(texts)) == 1 else ", ".join(texts)
