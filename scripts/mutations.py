"""Change the program in small ways, one at a time, and see which changes no test notices.

`python scripts/mutations.py` tries a sample, the same each time, of what cosmic-ray can change in the domain, the
storage, the commands and the transport, in a copy of the tree, and prints the changes that survived. `--sample` says
how many are tried of all, `--only domain` tries one area alone. It takes an hour or two and is no part of the check:
survivors are explained in docs/reliability.md.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkItem, WorkResult

ROOT = Path(__file__).resolve().parent.parent
SEED = 13
SAMPLE = 160
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
    parser.add_argument("--only", choices=AREAS, help="one area alone")
    given = parser.parse_args()
    named = [name for area in AREAS.values() for name in area.tests]
    if gone := [name for name in named if not (ROOT / name).exists()]:
        parser.error(f"There is no {gone[0]} any more: name the tests that have come instead.")
    counted: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        copy = Path(folder) / "tree"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "node_modules", "__pycache__"))
        for name, area in AREAS.items():
            if given.only in (None, name):
                size = given.sample if given.only else round(given.sample * area.share)
                counted += _try_area(copy, name, area, size, given.seed)
    print(f"FIGURES {dict(counted)}")
    return 0


def _try_area(copy: Path, name: str, area: Area, size: int, seed: int) -> Counter[str]:
    """Let cosmic-ray change one area of the copied tree, and return how many changes had which end."""
    session, config = copy / f"{name}.sqlite", copy / f"{name}.toml"
    # Databases that a test may have are one here: what a change breaks on one is broken on the other, or is its driver.
    command = (
        f"{sys.executable} -m pytest -x -q -p no:cacheprovider -m 'not slow' -k 'not postgres' {' '.join(area.tests)}"
    )
    config.write_text(
        f"[cosmic-ray]\nmodule-path = {list(area.modules)!r}\ntimeout = {TIMEOUT_SECONDS}.0\n"
        f'excluded-modules = {list(area.but)!r}\ntest-command = "{command}"\n'
        '[cosmic-ray.distributor]\nname = "local"\n',
        encoding="utf-8",
    )
    _cosmic_ray(copy, "baseline", config)  # what fails by itself notices nothing
    _cosmic_ray(copy, "init", config, session)
    with use_db(session, mode=WorkDB.Mode.open) as database:
        _keep_sample(database, size, seed)
    _cosmic_ray(copy, "exec", config, session)
    counted: Counter[str] = Counter()
    with use_db(session, mode=WorkDB.Mode.open) as database:
        for item, result in database.completed_work_items:
            if result.worker_outcome is not WorkerOutcome.SKIPPED:
                outcome = result.test_outcome or TestOutcome.INCOMPETENT
                counted[f"{name} {outcome.value}"] += 1
                _tell(item, result)
    return counted


def _keep_sample(database: WorkDB, size: int, seed: int) -> None:
    """Skip all changes but a sample, the same one for the same tree, seed and size."""
    items = sorted(database.pending_work_items, key=_place)
    wanted = [item for item in items if not item.mutations[0].operator_name.startswith(UNSEEN)]
    # Not for secrets: the same numbers each time are what is wanted.
    kept = {item.job_id for item in random.Random(seed).sample(wanted, min(size, len(wanted)))}  # noqa: S311
    skipped = WorkResult(worker_outcome=WorkerOutcome.SKIPPED, output="not in the sample")
    database.set_multiple_results([item.job_id for item in items if item.job_id not in kept], skipped)


def _place(item: WorkItem) -> tuple[object, ...]:
    (change,) = item.mutations
    return str(change.module_path), change.start_pos, change.operator_name, change.occurrence, str(change.operator_args)


def _tell(item: WorkItem, result: WorkResult) -> None:
    if result.test_outcome is TestOutcome.KILLED:
        return
    (change,) = item.mutations
    print(f"{change.module_path}:{change.start_pos[0]} {change.operator_name}")
    print("".join(f"    {line}\n" for line in _changed_lines(result.diff or "")), flush=True)


def _changed_lines(diff: str) -> Iterator[str]:
    for line in diff.splitlines():
        if line.startswith(("+", "-")) and not line.startswith(("+++", "---")):
            yield line


def _cosmic_ray(copy: Path, *command: object) -> None:
    environment = os.environ | {"PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    arguments = [sys.executable, "-m", "cosmic_ray.cli", *map(str, command)]
    subprocess.run(arguments, cwd=copy, env=environment, check=True)


if __name__ == "__main__":
    sys.exit(main())
