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
        "| | server | CPU ms/request | of refundgql | of the limit | database's CPU ms | p50 ms | p50 unloaded ms"
        " | RSS MiB | failed |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    mine, limit = ratios(figures.http, "refundgql"), ratios(figures.http, "limit")
    for one in sorted(figures.http, key=lambda it: (it.workload != "m1", it.workload, it.cpu_ms)):
        key = (one.server, one.workload)
        lines.append(
            f"| {one.workload} | {one.server} | {one.cpu_ms:.3f} | {mine.get(key, 0):.2f} | {limit.get(key, 0):.2f}"
            f" | {one.database_ms:.2f} | {one.p50_ms:.2f} | {one.unloaded_p50_ms:.2f}"
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
    if figures.imported_per_s is not None:
        lines.append(f"Import on SQLite: {figures.imported_per_s:,.0f} records/s.")
    return "\n".join(lines)


def plot(figures: Figures) -> str:
    """Return bars of processor time per request as an SVG, each workload on a scale of its own."""
    parts, y = [], 20
    for workload in sorted({one.workload for one in figures.http}):
        rows = sorted((one for one in figures.http if one.workload == workload), key=lambda it: it.cpu_ms)
        parts.append(f'<text x="8" y="{y}" font-weight="bold">{escape(workload)}, CPU ms per request</text>')
        y += 8
        for one in rows:
            width = max(2.0, (_WIDTH - _LEFT - 80) * one.cpu_ms / rows[-1].cpu_ms)
            colour = _COLOURS.get(one.server, "#64748b")
            parts.append(f'<text x="{_LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(one.server)}</text>')
            parts.append(f'<rect x="{_LEFT}" y="{y + 2}" width="{width:.1f}" height="{_BAR - 4}" fill="{colour}"/>')
            parts.append(f'<text x="{_LEFT + width + 6:.1f}" y="{y + 14}">{one.cpu_ms:.2f}</text>')
            y += _BAR
        y += _GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" font-family="sans-serif" font-size="12">\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )
