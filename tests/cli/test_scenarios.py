"""Every story of fixtures/scenarios is told to a fresh desk, and every rule of the policy has one."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from refundgql.cli import demo
from refundgql.cli.replaying import replay
from refundgql.domain.policy import Policy
from refundgql.scenarios import Difference, Story, find_stories, read_story
from refundgql.settings import Settings

FOLDER = Path(__file__).parents[2] / "fixtures" / "scenarios"
STORIES = find_stories(FOLDER)


@pytest.fixture(scope="module")
def told() -> dict[Path, list[Difference]]:
    """Tell all stories once, each to a desk of its own."""
    differences: dict[Path, list[Difference]] = {}

    def report(story: Story, found: list[Difference]) -> None:
        differences[story.path] = found

    asyncio.run(replay(STORIES, report))
    return differences


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_story_is_as_told(path: Path, told: dict[Path, list[Difference]]) -> None:
    """What people see at each step is what the story says."""
    assert told[path] == []


def test_every_rule_of_the_policy_has_a_story() -> None:
    """A rule that is written down and told by no story is a rule nobody tried."""
    told_rules = {rule for path in STORIES for rule in read_story(path).rules}
    assert {rule.rule for rule in Policy().rules()} - told_rules == set()


def test_no_story_cites_a_rule_that_does_not_exist() -> None:
    """A story's rule numbers are the policy's."""
    known = {rule.rule for rule in Policy().rules()}
    assert {
        path.name: set(read_story(path).rules) - known for path in STORIES if set(read_story(path).rules) - known
    } == {}


@pytest.mark.slow
def test_a_story_that_differs_is_reported(tmp_path: Path) -> None:
    """A wrong expectation is found, with the step and both values."""
    path = tmp_path / "wrong.yaml"
    path.write_text(
        "story: wrong\nrules: [L15]\nat: 2026-01-01T00:00:00Z\n"
        "given:\n  - account: {externalRef: pro, name: Pro, roles: [PRO]}\n"
        "steps:\n  - as: pro\n    ask: '{ viewer { name } }'\n    expect: {viewer: {name: Con}}\n",
        encoding="utf-8",
    )
    seen: list[list[Difference]] = []
    failed = asyncio.run(replay([path], lambda _, found: seen.append(found)))
    assert failed == 1
    assert seen == [[Difference("step 1", "data.viewer.name: expected 'Con', got 'Pro'")]]


@pytest.mark.slow
def test_stories_take_as_long_as_they_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However little time an operation of a server has, a demo begins and a story is told to its end."""
    monkeypatch.setenv("REFUNDGQL_OPERATION_TIMEOUT_SECONDS", "0.001")
    assert asyncio.run(replay(STORIES[:1], lambda *_: None)) == 0
    settings = Settings(
        database_url=f"sqlite:///{tmp_path / 'demo.sqlite3'}",
        key_file=tmp_path / "key.pem",
        bus="memory",
        evidence_store=f"file://{tmp_path / 'evidence'}",
        policy=demo.POLICY,
    )
    assert asyncio.run(demo.prepare(settings, datetime.now(UTC)))
