"""What the project set out to cost, and what a run found, line by line.

It must not be a condition of anything: a run on a busy machine misses goals, and a report says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from benchmarks.run import EACH_ITS_CASE, ONE_CASE, Figure, Figures
from benchmarks.servers import SOCKET_SERVERS

READS = ("q1", "q2", "q3")
OWN = ("refundgql", "limit", "strawberry")
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
    yield _costs(table, "the fastest Node server", _fastest_other(table), (0.6, 0.6, 0.6))
    yield _costs(table, "the limit", _of(table, "limit"), (3.5, 2.7, 6))
    yield _costs(table, "plain Strawberry", _of(table, "strawberry"), (1 / 10, 1 / 25, 1 / 60))
    mercurius = table.get(("mercurius", "m1"))
    yield _ratios("processor time of m1 against mercurius, which runs the SQL alone", _m1(table, mercurius), (1.0,))
    unloaded = [_unloaded(table, workload) for workload in ("q1", "m1")]
    yield _ratios("unloaded p50 of q1, m1 against the limit", unloaded, (1.8, 1.5))
    executed = figures.executed
    alone = [executed.compiled_us if executed else None]
    yield _values("executor alone", alone, (0.4,), "µs a field")
    fan, bare = (figures.fanned.get((name, ONE_CASE)) for name in ("refundgql", next(iter(SOCKET_SERVERS))))
    yield _values("fan-out of one event", [fan.cpu_us if fan else None], (22,), "µs a delivery")
    yield _ratios(
        "the last delivery against bare sockets", [fan.last_ms / bare.last_ms if fan and bare else None], (1.3,)
    )
    yield _values("a subscriber", [fan.kib if fan else None], (25,), "KiB")
    own, other = (figures.fanned.get((name, EACH_ITS_CASE)) for name in ("refundgql", "mercurius"))
    costs = [own.cpu_us / other.cpu_us if own and other else None]
    yield _ratios("an event of one of 5,000 followed cases against mercurius", costs, (0.5,))
    growth = [_grown(figures, table, workload) for workload in READS]
    yield _ratios("processor time of q1, q2, q3 against a tenth of the cases", growth, (1.2,) * 3)
    yield _values("start to first answer", [figures.started_s.get("refundgql")], (1.5,), "s")
    rate = figures.imported_per_s
    yield Line(
        "import on SQLite: at least 20,000 records/s",
        "–" if rate is None else f"{rate:,.0f}",
        None if rate is None else (20_000 / rate,),
    )


def _of(table: Table, server: str) -> list[float | None]:
    return [found.cpu_ms if (found := table.get((server, workload))) else None for workload in READS]


def _fastest_other(table: Table) -> list[float | None]:
    """Return the lowest cost among servers that are neither ours nor our references."""
    found: list[float | None] = []
    for workload in READS:
        others = [
            one.cpu_ms
            for (server, its), one in table.items()
            if its == workload and server.partition(" ")[0] not in OWN and not one.failures
        ]
        found.append(min(others, default=None))
    return found


def _costs(table: Table, name: str, others: list[float | None], most: tuple[float, ...]) -> Line:
    ours = _of(table, "refundgql")
    ratios = [a / b if a and b else None for a, b in zip(ours, others, strict=True)]
    return _ratios(f"processor time of q1, q2, q3 against {name}", ratios, most)


def _m1(table: Table, other: Figure | None) -> list[float | None]:
    ours = table.get(("refundgql", "m1"))
    return [ours.cpu_ms / other.cpu_ms if ours and other and other.cpu_ms else None]


def _unloaded(table: Table, workload: str) -> float | None:
    ours, limit = table.get(("refundgql", workload)), table.get(("limit", workload))
    return ours.unloaded_p50_ms / limit.unloaded_p50_ms if ours and limit and limit.unloaded_p50_ms else None


def _grown(figures: Figures, table: Table, workload: str) -> float | None:
    ours, small = table.get(("refundgql", workload)), table.get((figures.tenth or "", workload))
    return ours.cpu_ms / small.cpu_ms if ours and small and small.cpu_ms else None


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
