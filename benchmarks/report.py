"""Prints the figures of a run as Markdown, and draws them.

It must not compute anything but ratios. The bars are written by hand: a plotting library would weigh more than the
project itself.
"""

from __future__ import annotations

from html import escape

from benchmarks.run import Figures, ratios

_COLOURS = {"refundgql": "#2563eb", "limit": "#9ca3af", "strawberry": "#db2777"}
_BAR, _GAP, _LEFT, _WIDTH = 18, 34, 150, 760


def table(figures: Figures) -> str:
    """Return all figures as Markdown tables."""
    lines = [
        "| | server | CPU ms/request | database's CPU ms | both | of refundgql | of the limit | p50 ms"
        " | p50 unloaded ms | RSS MiB | failed |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    mine, limit = ratios(figures.http, "refundgql"), ratios(figures.http, "limit")
    for one in sorted(figures.http, key=lambda it: (it.workload != "m1", it.workload, it.total_ms)):
        key = (one.server, one.workload)
        lines.append(
            f"| {one.workload} | {one.server} | {one.cpu_ms:.3f} | {one.database_ms:.2f} | {one.total_ms:.2f}"
            f" | {mine.get(key, 0):.2f} | {limit.get(key, 0):.2f} | {one.p50_ms:.2f} | {one.unloaded_p50_ms:.2f}"
            f" | {one.rss_mib:.0f} | {one.failures:.0f} |"
        )
    if figures.fanned:
        lines += [
            "",
            "| subscribers | server | CPU µs/delivery | first ms | last ms | KiB/subscriber |",
            "|---|---|--:|--:|--:|--:|",
        ]
    for (server, followed), fan in figures.fanned.items():
        lines.append(
            f"| {fan.subscribers} on {followed} | {server}"
            f" | {fan.cpu_us:.1f} | {fan.first_ms:.1f} | {fan.last_ms:.1f} | {fan.kib:.1f} |"
        )
    lines.append("")
    if figures.executed is not None:
        executed = figures.executed
        lines.append(
            f"Executing alone, {executed.fields:,} fields from rows in memory: {executed.compiled_us:.2f} µs a field,"
            f" graphql-core {executed.graphql_core_us:.2f} µs."
        )
    lines += [f"Start to first answer of {name}: {seconds:.2f} s." for name, seconds in figures.started_s.items()]
    lines += [f"Import on {name}: {rate:,.0f} records/s." for name, rate in figures.imported_per_s.items()]
    if figures.longest_wait_ms is not None:
        lines.append(f"The slowest approval beside that import: {figures.longest_wait_ms:.0f} ms.")
    if figures.settling_factor is not None:
        lines.append(f"Paid invoices of an expert with an awaited refund: {figures.settling_factor:.2f} × without.")
    lines += [f"The part {name} has no figures: {why}." for name, why in figures.failed.items()]
    return "\n".join(lines)


def plot(figures: Figures) -> str:
    """Return bars of processor time of server and database, each workload on a scale of its own, as an SVG."""
    parts, y = [], 20
    for workload in sorted({one.workload for one in figures.http}):
        rows = sorted((one for one in figures.http if one.workload == workload), key=lambda it: it.total_ms)
        title = f"{escape(workload)}, CPU ms per request: server, and database in grey"
        parts.append(f'<text x="8" y="{y}" font-weight="bold">{title}</text>')
        y += 8
        for one in rows:
            scale = (_WIDTH - _LEFT - 80) / rows[-1].total_ms
            width, more = max(2.0, scale * one.cpu_ms), scale * one.database_ms
            colour = _COLOURS.get(one.server, "#64748b")
            parts.append(f'<text x="{_LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(one.server)}</text>')
            parts.append(f'<rect x="{_LEFT}" y="{y + 2}" width="{width:.1f}" height="{_BAR - 4}" fill="{colour}"/>')
            parts.append(
                f'<rect x="{_LEFT + width:.1f}" y="{y + 2}" width="{more:.1f}" height="{_BAR - 4}" fill="#d1d5db"/>'
            )
            parts.append(f'<text x="{_LEFT + width + more + 6:.1f}" y="{y + 14}">{one.total_ms:.2f}</text>')
            y += _BAR
        y += _GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" font-family="sans-serif" font-size="12">\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )
