"""docs/walkthrough.md is true: every operation on the page is run, in order, and comes back as the page says."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from databases import new_database_url
from refundgql.bootstrap import make_engine, open_application
from refundgql.cli.replaying import StoryDesk
from refundgql.clocks import SetClock
from refundgql.commands.demo_dataset import demo_records
from refundgql.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "walkthrough.md"
START = datetime(2026, 3, 4, 12, tzinfo=UTC)
STEP = re.compile(
    r"^As `(?P<who>[\w-]+)`(?:, at `(?P<at>[^`]+)`)?(?:, with the policy `(?P<policy>[^`]+)`)?:\n\n"
    r"```graphql\n(?P<document>.+?)```\n\n```json\n(?P<variables>.+?)```\n\n"
    r"Comes back:\n\n```json\n(?P<result>.+?)```$",
    re.MULTILINE | re.DOTALL,
)
REFERENCES = """{
  leads(first: 20) { edges { node { id externalRef
    conversation { messages(first: 10) { edges { node { id } } } } } } }
  contracts(first: 20) { edges { node { id externalRef reviews { id author { externalRef } }
    milestones { id externalRef } invoices(first: 15) { edges { node { id externalRef } } }
    billingWeeks(first: 10) { edges { node { id externalRef } } } } } }
}"""


@dataclass(frozen=True)
class Step:
    """One operation of the page: who, perhaps when and under which policy, what, and what comes back."""

    line: int
    who: str
    at: datetime | None
    policy: dict[str, Any] | None
    document: str
    variables: dict[str, Any]
    result: Any


def read_steps(text: str) -> list[Step]:
    """Return the page's operations in order."""
    return [
        Step(
            line=text.count("\n", 0, found.start()) + 1,
            who=found["who"],
            at=datetime.fromisoformat(found["at"]) if found["at"] else None,
            policy=orjson.loads(found["policy"]) if found["policy"] else None,
            document=found["document"],
            variables=orjson.loads(found["variables"]),
            result=orjson.loads(found["result"]),
        )
        for found in STEP.finditer(text)
    ]


@dataclass
class Walk:
    """A desk that is walked through, and the names the page gives to ids."""

    desk: StoryDesk
    names: dict[str, str] = field(default_factory=dict)

    async def take(self, step: Step) -> Any:
        """Run one operation and return what came back, ids replaced by the page's names."""
        if step.at is not None:
            self.desk.set_time(step.at)
            await self.desk.sweep()
        if step.policy is not None:
            self.desk.set_policy(step.policy)
        answer = await self.desk.execute(step.who, step.document, self.resolve(step.variables))
        assert "errors" not in answer, (step.line, answer["errors"])
        return self.named(answer["data"], step.result)

    def resolve(self, value: Any) -> Any:
        """Replace the page's names by ids."""
        if isinstance(value, dict):
            return {key: self.resolve(part) for key, part in value.items()}
        if isinstance(value, list):
            return [self.resolve(part) for part in value]
        return self.names[value] if isinstance(value, str) and value.startswith("$") else value

    def named(self, value: Any, told: Any) -> Any:
        """Replace ids by the page's names; a name of a case that the page has not used before is learnt."""
        if isinstance(value, dict) and isinstance(told, dict):
            return {key: self.named(part, told.get(key)) for key, part in value.items()}
        if isinstance(value, list) and isinstance(told, list) and len(told) == len(value):
            return [self.named(part, known) for part, known in zip(value, told, strict=True)]
        if isinstance(told, str) and told.startswith("$") and self.names.setdefault(told, value) == value:
            return told
        return value

    async def look_up(self) -> None:
        """Learn the ids of the dataset's records."""
        found = (await self.desk.execute("support-ivy", REFERENCES, {}))["data"]
        for lead in _nodes(found["leads"]):
            self.names[f"$lead:{lead['externalRef']}"] = lead["id"]
            for number, message in enumerate(_nodes(lead["conversation"]["messages"]), 1):
                self.names[f"$message:{lead['externalRef']}/{number}"] = message["id"]
        for contract in _nodes(found["contracts"]):
            self.names[f"$contract:{contract['externalRef']}"] = contract["id"]
            parts = {
                "milestone": contract["milestones"],
                "invoice": _nodes(contract["invoices"]),
                "week": _nodes(contract["billingWeeks"]),
            }
            for kind, rows in parts.items():
                self.names |= {f"${kind}:{row['externalRef']}": row["id"] for row in rows}
            for review in contract["reviews"]:
                author = review["author"]["externalRef"]
                self.names[f"$review:{contract['externalRef']}/{author}"] = review["id"]


def _nodes(connection: dict[str, Any]) -> list[dict[str, Any]]:
    return [edge["node"] for edge in connection["edges"]]


@pytest.fixture
async def walk(tmp_path: Path) -> AsyncIterator[Walk]:
    """A fresh desk with the demo's dataset, on the dataset's own day."""
    clock = SetClock(START)
    settings = Settings(database_url=new_database_url("sqlite", tmp_path), bus="memory", policy={}, test_clock=None)
    async with open_application(settings, clock=clock) as application:
        desk = StoryDesk(application, make_engine(settings), clock)
        await desk.seed(demo_records(START.date()))
        walk = Walk(desk)
        await walk.look_up()
        yield walk


async def test_the_page_comes_back_as_it_says(walk: Walk) -> None:
    """Every operation, its variables and its result are true, in the order of the page."""
    steps = read_steps(PAGE.read_text(encoding="utf-8"))
    assert len(steps) > 60
    for step in steps:
        found = await walk.take(step)
        assert found == step.result, f"docs/walkthrough.md:{step.line}"
        if "syncRecords" in step.document:
            await walk.look_up()


def test_every_operation_of_the_page_is_a_step() -> None:
    """No operation stands on the page that the test would pass over."""
    text = PAGE.read_text(encoding="utf-8")
    assert text.count("```graphql\n") == len(read_steps(text))
