"""Change the program in small ways, one at a time, and see which changes no test notices.

`python scripts/mutations.py` tries a sample, the same each time, of what cosmic-ray can change in the domain, the
storage, the commands and the transport, in a copy of the tree, and prints the changes that survived: those that no test
of their area notices which comes by the changed lines. `--sample` says how many are tried of all, `--only domain` tries
one area's share alone. It takes an hour or two and is no part of the check: survivors are explained in
docs/reliability.md.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkResult
from coverage import CoverageData

ROOT = Path(__file__).resolve().parent.parent
SEED = 13
SAMPLE = 160
PYTEST = (sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider")
# Databases that a test may have are one here: what a change breaks on one is broken on the other, or is its driver.
QUICK = ("-m", "not slow", "-k", "not postgres")
TIMEOUT_SECONDS = 900
"""Long: what takes longer counts as noticed, and a busy machine must not make it so."""
UNSEEN = (
    # `X | None` in annotations, which nothing evaluates.
    "core/ReplaceBinaryOperator_BitOr_",
    # Decorators declare fields and types here: without them no module is imported.
    "core/RemoveDecorator",
)


@dataclass(frozen=True)
class Area:
    """A part of the program, its share of the sample, and the tests that ought to notice a change, quick ones first."""

    share: float
    modules: tuple[str, ...]
    tests: tuple[str, ...]
    but: tuple[str, ...] = ()


def _of(folder: str, *names: str) -> tuple[str, ...]:
    return tuple(f"tests/{folder}/test_{name}.py" for name in names)


_SIMULATOR = ("src/refundgql/domain/simulation.py", "src/refundgql/domain/history.py")
_WEBHOOKS = (
    *("src/refundgql/storage/webhooks.py", "src/refundgql/storage/webhook_deliveries.py"),
    *("src/refundgql/commands/webhooks.py", "src/refundgql/commands/webhook_deliveries.py"),
    "src/refundgql/commands/webhook_sending.py",
)
AREAS = {
    "domain": Area(
        0.35,
        ("src/refundgql/domain",),
        (
            *_of(
                "domain",
                "case_refusals",
                "case_decisions",
                "case_workflow",
                "windows",
                "given",
                "meetings",
                "small_print",
            ),
            *_of("domain", "machines", "tables", "signatures", "small_machines", "preview_and_clocks", "reviews"),
            *_of("domain", "follow_up_cases", "policy", "business_days", "webhooks", "record_parsing", "file_types"),
            *_of("domain", "availability_properties"),
        ),
        _SIMULATOR,
    ),
    "simulator": Area(0.05, _SIMULATOR, (*_of("domain", "history"), *_of("api", "simulations"))),
    "transport": Area(
        0.2,
        ("src/refundgql/gql",),
        (
            *_of("gql", "streams", "codes", "given", "wording", "persisted_documents", "cache_keys"),
            *_of("gql", "execution_answers", "execution_documents", "execution_levels", "execution_compiling"),
            *_of("gql", "execution_subscriptions", "rate", "limits", "sse", "http", "ws", "multipart"),
            *_of("web", "batches", "presence"),
        ),
    ),
    "commands": Area(
        0.2,
        ("src/refundgql/commands",),
        (
            *_of("commands", "checks", "lead_refunds", "invoice_refunds", "review_commands", "conversations", "sweep"),
            *_of("commands", "settlement", "signatures", "sync_money", "sync_records", "moving_in", "import_records"),
            *_of("commands", "import_spool"),
            *_of("commands", "idempotency", "changed_policies", "deadline_index", "persons", "held_money"),
            *_of("api", "evidence_rules", "bulk_decisions", "payouts", "records_that_are_refused"),
            *_of("web", "evidence_files"),
        ),
        (*_WEBHOOKS, "src/refundgql/commands/demo_dataset.py", "src/refundgql/commands/generate_records.py"),
    ),
    "storage": Area(
        0.15,
        ("src/refundgql/storage",),
        (
            *_of("storage", "saving", "rules_of_the_database", "evidence_store", "idempotency", "visibility", "stream"),
            *_of("storage", "retention", "database", "schema"),
            *_of("commands", "sweep", "persons", "settlement", "moving_in", "deadline_index", "held_money"),
            *_of("commands", "import_records"),
        ),
        (*_WEBHOOKS, "src/refundgql/storage/migrations/*", "src/refundgql/storage/postgres_*"),
    ),
    "webhooks": Area(0.05, _WEBHOOKS, _of("workers", "sending", "administering", "plans", "documents", "notices")),
}


def main() -> int:
    """Try a sample of each area and print what survived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=SAMPLE, help="how many changes are tried, over all areas")
    parser.add_argument("--seed", type=int, default=SEED, help="which ones")
    parser.add_argument("--only", choices=AREAS, help="one area's share alone")
    given = parser.parse_args()
    named = [name for area in AREAS.values() for name in area.tests]
    if gone := [name for name in named if not (ROOT / name).exists()]:
        parser.error(f"There is no {gone[0]} any more: name the tests that have come instead.")
    counted: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        copy = Path(folder) / "tree"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "node_modules"))
        os.chdir(copy)
        os.environ["PYTHONPATH"] = str(copy / "src")
        for name, area in AREAS.items():
            if given.only in (None, name):
                counted += _try_area(name, area, round(given.sample * area.share), given.seed)
    print(f"FIGURES {dict(counted)}")
    return 0


def _try_area(name: str, area: Area, size: int, seed: int) -> Counter[str]:
    """Change one area in some places, one at a time, and return how many changes had which end."""
    notes = CoverageData(f"{name}.coverage")
    # What fails by itself notices nothing: the tests have to pass first.
    _run(
        *(*PYTEST, *QUICK, "--cov=src/refundgql", "--cov-context=test", "--cov-report=", *area.tests),
        COVERAGE_FILE=notes.data_filename(),
    )
    notes.read()
    counted: Counter[str] = Counter()
    for change in _sample(_possible(name, area), size, seed):
        if tests := _tests_that_come_by(notes, change):
            command = (*PYTEST, *sorted(tests, key=lambda test: area.tests.index(test.partition("::")[0])))
        else:  # It is carried out when the module is imported.
            command = (*PYTEST, *QUICK, *area.tests)
        result = mutate_and_test([change], shlex.join(command), TIMEOUT_SECONDS)
        outcome = result.test_outcome or TestOutcome.INCOMPETENT
        counted[f"{name} {outcome.value}"] += 1
        _tell(change, result, len(tests))
    return counted


def _possible(name: str, area: Area) -> list[MutationSpec]:
    """Let cosmic-ray list all changes to an area."""
    config = Path(f"{name}.toml")
    config.write_text(
        f"[cosmic-ray]\nmodule-path = {list(area.modules)!r}\nexcluded-modules = {list(area.but)!r}\n"
        f'timeout = 1.0\ntest-command = ""\n[cosmic-ray.distributor]\nname = "local"\n',
        encoding="utf-8",
    )
    _run(sys.executable, "-m", "cosmic_ray.cli", "init", config, f"{name}.sqlite")
    with use_db(f"{name}.sqlite", mode=WorkDB.Mode.open) as database:
        changes = [item.mutations[0] for item in database.pending_work_items]
    return sorted(changes, key=lambda change: (change.module_path.as_posix(), change.start_pos))


def _sample(changes: Iterable[MutationSpec], size: int, seed: int) -> list[MutationSpec]:
    """Choose some changes: the same each time, and mostly the same when other definitions are written anew."""
    nth: Counter[str] = Counter()
    ranked: dict[bytes, MutationSpec] = {}
    for change in changes:
        if not change.operator_name.startswith(UNSEEN):
            where = f"{seed} {change.module_path} {change.definition_name}"
            place = f"{where} {change.operator_name} {change.operator_args}"
            nth[place] += 1
            ranked[hashlib.sha256(f"{place} {nth[place]}".encode()).digest()] = change
    return [ranked[rank] for rank in sorted(ranked)[:size]]


def _tests_that_come_by(notes: CoverageData, change: MutationSpec) -> set[str]:
    """Name the tests that carried out a part of the changed statement; none for what is carried out by an import."""
    path, (line, _) = change.module_path, change.start_pos
    around = [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or line)
    ]
    if not any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in around):
        return set()
    statement = max(around, key=lambda node: node.lineno)
    by_line = notes.contexts_by_lineno(str(path.resolve()))
    lines = range(statement.lineno, (statement.end_lineno or line) + 1)
    return {context.rpartition("|")[0] for number in lines for context in by_line.get(number, ()) if context}


def _tell(change: MutationSpec, result: WorkResult, tests: int) -> None:
    end = result.test_outcome or TestOutcome.INCOMPETENT
    print(
        f"{change.module_path}:{change.start_pos[0]} {change.operator_name} {end.value}, {tests or 'all'} tests",
        flush=True,
    )
    if end is not TestOutcome.KILLED:
        print("".join(f"    {line}\n" for line in _changed_lines(result.diff or "")), flush=True)


def _changed_lines(diff: str) -> Iterator[str]:
    for line in diff.splitlines():
        if line.startswith(("+", "-")) and not line.startswith(("+++", "---")):
            yield line


def _run(*command: object, **environment: str) -> None:
    subprocess.run([*map(str, command)], env=os.environ | environment, check=True)


if __name__ == "__main__":
    sys.exit(main())
