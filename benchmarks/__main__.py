"""`python -m benchmarks`: measures the project beside its references and prints the ratios.

It must not pass or fail. `--smoke` measures next to nothing, to see that everything runs.
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.cpu import keep_apart
from benchmarks.goals import goals
from benchmarks.report import plot, table
from benchmarks.run import PARTS, Asked, Figures, measure

FIGURES = ("<!-- figures -->", "<!-- end of figures -->")
SMOKE = Asked(cases=300, rounds=1, seconds=0.2, growth=2, subscribers=20, records=300, apart=False)


def asked() -> tuple[Asked, Path | None]:
    """Return what the command line asks for, and the folder that a page and a plot are written to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("others", nargs="*", help="servers that run already: NAME=http://127.0.0.1:PORT[=FOLDER]")
    parser.add_argument("--smoke", action="store_true", help="only see that everything runs")
    parser.add_argument("--database-url", help="a PostgreSQL server; without one, the packaged one is started")
    parser.add_argument("--parts", help=f"of {', '.join(PARTS)}; all when left out")
    parser.add_argument("--workloads", help="of q1, q2, q3, m1; all when left out")
    parser.add_argument("--write", type=Path, help="folder for performance.md's figures and performance.svg")
    for name in ("cases", "rounds", "subscribers", "records", "growth", "seed"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--seconds", type=float)
    given = vars(parser.parse_args())
    chosen = SMOKE if given.pop("smoke") else Asked()
    folder = given.pop("write")
    for name in ("parts", "workloads"):
        given[name] = given[name] and tuple(given[name].split(","))
    return replace(chosen, **{name: value for name, value in given.items() if value}), folder  # type: ignore[arg-type]


def main() -> None:
    """Measure, print, and write where asked to."""
    run, folder = asked()
    if run.apart:
        keep_apart()
    figures = asyncio.run(measure(run, partial(_write, folder) if folder is not None else lambda _: None))
    print(_page(figures))


def _page(figures: Figures) -> str:
    return f"{table(figures)}\n\n{goals(figures)}"


def _write(folder: Path, figures: Figures) -> None:
    """Put what was found so far into the page, part by part: nothing is lost with a run that ends early."""
    page = folder / "performance.md"
    before, _, rest = page.read_text().partition(FIGURES[0])
    page.write_text(f"{before}{FIGURES[0]}\n{_page(figures)}\n{FIGURES[1]}{rest.partition(FIGURES[1])[2]}")
    if figures.http:
        (folder / "performance.svg").write_text(plot(figures))


if __name__ == "__main__":
    main()
