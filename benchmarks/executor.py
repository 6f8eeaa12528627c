"""What executing alone costs: the page of q3 completed from rows that are there already, compiled and by graphql-core.

It must not read anything while it measures: the rows were read before.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.data import MINUTE_MICROS, START_MICROS, SUPPORT
from refundgql import bootstrap
from refundgql.api.schema import build_schema
from refundgql.gql.documents import RequestErrors
from refundgql.gql.engine import GraphQLEngine
from refundgql.gql.limits import Limits
from refundgql.queries.events import list_events
from refundgql.queries.refund_cases import list_cases
from refundgql.settings import Settings

DOCUMENT = Path(__file__).parent / "documents" / "q3.graphql"
NEVER = 10**9
"""So many executions leave every operation to graphql-core."""


@dataclass(frozen=True, slots=True)
class Executed:
    """Microseconds of processor time a field, and how many fields the page has."""

    fields: int
    compiled_us: float
    graphql_core_us: float


async def execute_alone(url: str, cases: int, rounds: int) -> Executed:
    """Measure both executors on the newest hundred cases of a database."""
    schema = build_schema()
    before = datetime.fromtimestamp((START_MICROS + 4 * (cases + 1) * MINUTE_MICROS) / 1e6, UTC).isoformat()
    async with bootstrap.open_application(Settings(database_url=url, bus="memory")) as application:
        viewer = await application.load_viewer(SUPPORT[0])

        async def once(engine: GraphQLEngine) -> dict[str, Any]:
            prepared = engine.prepare(DOCUMENT.read_text())
            if isinstance(prepared, RequestErrors):
                raise SystemExit(str(prepared.errors))
            answer = await engine.execute(prepared, {"before": before}, application.context(viewer))
            if answer.get("data") is None:
                raise RuntimeError(str(answer))
            return answer

        limits = Limits()
        compiled, core = GraphQLEngine(schema, limits=limits), GraphQLEngine(schema, limits=limits)
        core.plans.compile_after = NEVER
        with _rows_kept():
            fields = _count((await once(compiled))["data"])
            found = {}
            for name, engine in (("compiled", compiled), ("core", core)):
                await once(engine)
                taken = []
                for _ in range(rounds):
                    began = time.process_time()
                    await once(engine)
                    taken.append(time.process_time() - began)
                found[name] = 1e6 * min(taken) / fields  # whatever disturbs only ever adds
    return Executed(fields, found["compiled"], found["core"])


@contextmanager
def _rows_kept() -> Iterator[None]:
    """Have the two lists of q3 answer with the rows of their first call."""

    def kept(function: Any) -> Any:
        rows: list[Any] = []

        async def answer(*given: Any, **named: Any) -> Any:
            if not rows:
                rows.append(await function(*given, **named))
            return rows[0]

        return answer

    with (
        mock.patch("refundgql.queries.refund_cases.list_cases", kept(list_cases)),
        mock.patch("refundgql.api.types.refund_cases.list_events", kept(list_events)),
    ):
        yield


def _count(value: Any) -> int:
    """Return how many fields an answer has."""
    if isinstance(value, dict):
        return sum(1 + _count(one) for one in value.values())
    return sum(map(_count, value)) if isinstance(value, list) else 0
