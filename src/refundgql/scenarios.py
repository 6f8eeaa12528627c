"""Stories as data: given these records, when these people act at these instants, then this is what they see.

A story talks to the desk as clients do, through GraphQL documents; it must not reach into tables or rules.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import yaml

_MONEY = "{ amount currencyCode }"
_REFUSALS = """refusals { code message rule field alternatives
  ... on WindowRefusal { availableFrom availableUntil elapsedDays limitDays }
  ... on AmountRefusal { maximum { amount currencyCode } requested { amount currencyCode } }
  ... on ConflictRefusal { currentState currentVersion } }"""
_CASE = f"""refundCase {{ id number kind state isFinal version route goodwill reason reasonDetail explanation
  requestedAmount {_MONEY} approvedAmount {_MONEY} consentedAmount {_MONEY} creditedAmount {_MONEY}
  openedAt updatedAt decidedAt creditedAt reversedAt settlement {{ status shortfall {_MONEY} }}
  whoseMove respondBy targetAt overdue
  requester {{ externalRef }} counterparty {{ externalRef }} filedBy {{ externalRef }} assignee {{ externalRef }} }}
  event {{ name sequence at actorRole fromState toState amount {_MONEY} note rule }}"""
_REVIEW = "review { id rating body postedAt editAllowed hidden hiddenBecause author { externalRef } }"
_WITHDRAWAL = f"withdrawal {{ id status amount {_MONEY} requestedAt estimatedFrom estimatedUntil failureReason }}"
_MESSAGE = "message { id audience body sentAt author { externalRef } }"
_SELECTIONS = {
    "syncRecords": "created updated unchanged",
    "createEvidenceUpload": "uploadUrl expiresAt replayed",
    "postReview": f"{_REVIEW} replayed",
    "editReview": f"{_REVIEW} replayed",
    "allowReviewEdit": f"{_REVIEW} replayed",
    "requestWithdrawal": f"{_WITHDRAWAL} replayed",
    "cancelWithdrawal": f"{_WITHDRAWAL} replayed",
    "eraseAccount": "account { externalRef name roles } replayed",
    "sendCaseMessage": f"{_MESSAGE} replayed",
}
_LEADS = """query($after: String) { leads(first: 20, after: $after) { pageInfo { hasNextPage endCursor } edges { node {
  id externalRef conversation { messages(first: 20) { edges { node { id } } } } } } } }"""
_CONTRACTS = """query($after: String) {
  contracts(first: 15, after: $after) { pageInfo { hasNextPage endCursor } edges { node { id externalRef
    milestones { id externalRef } reviews { id author { externalRef } }
    invoices(first: 15) { edges { node { id externalRef } } }
    billingWeeks(first: 15) { edges { node { id externalRef } } } } } }
}"""
READER = "story-reader"
SERVICE = "story-service"
_PEOPLE = (
    {"account": {"externalRef": READER, "name": "Reader", "roles": ["SUPPORT"]}},
    {"account": {"externalRef": SERVICE, "name": "Marketplace", "roles": ["SERVICE"]}},
)


class StoryError(ValueError):
    """A story that cannot be read; the message names the file and what to mend."""


class StoryApplication(Protocol):
    """What a story needs of a freshly wired application."""

    async def seed(self, records: list[dict[str, Any]]) -> None:
        """Import the first accounts."""
        ...

    async def execute(self, as_ref: str | None, document: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Run one operation as the account with that reference, or as nobody."""
        ...

    async def send(self, address: str, content: bytes) -> None:
        """Send a file to the address that its announcement was answered with."""
        ...

    async def sweep(self) -> None:
        """Act on every due clock once."""
        ...

    def set_time(self, at: datetime) -> None:
        """Set the domain's clock."""
        ...

    def set_policy(self, overrides: dict[str, Any]) -> None:
        """Put other rules in force, as a new start would (D28)."""
        ...


@dataclass
class Difference:
    """Something that was not as the story says."""

    step: str
    what: str


@dataclass
class Story:
    """One story as read from its file; `people` are there before it, of whom one reads and one feeds records in."""

    path: Path
    name: str
    rules: list[str]
    at: datetime
    given: list[dict[str, Any]]
    steps: list[dict[str, Any]]
    people: list[dict[str, Any]] = field(default_factory=lambda: list(_PEOPLE))
    reader: str = READER
    service: str = SERVICE


@dataclass
class _Telling:
    desk: StoryApplication
    reader: str
    service: str
    names: dict[str, str] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    keys: int = 0


def find_stories(path: Path) -> list[Path]:
    """Return the story itself, or every story below a folder by name, without the lists that stories include."""
    if not path.is_dir():
        return [path]
    return [found for found in sorted(path.rglob("*.yaml")) if "\nstory:" in "\n" + found.read_text(encoding="utf-8")]


def read_story(path: Path) -> Story:
    """Read one story file (YAML).

    Refuses: StoryError when a part is missing or a step is none of the known ones.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        given: list[dict[str, Any]] = []
        for name in raw.get("include", []):
            given += yaml.safe_load((path.parent / name).read_text(encoding="utf-8"))
        given += raw.get("given") or []
        return Story(path, raw["story"], list(raw["rules"]), _instant(raw["at"]), given, list(raw["steps"]))
    except (KeyError, TypeError, AttributeError, ValueError, yaml.YAMLError, OSError) as error:
        raise StoryError(
            f"{path}: cannot be read as a story ({error}); it needs story, rules, at and steps."
        ) from error


async def tell(story: Story, desk: StoryApplication) -> list[Difference]:
    """Run the story against a fresh desk and return what differs; stops after the first step that does."""
    telling = _Telling(desk, story.reader, story.service)
    desk.set_time(story.at)
    await desk.seed(story.people)
    if story.given:
        await _sync(telling, {"sync": story.given}, "given")
    for number, step in enumerate(story.steps, 1):
        if telling.differences:
            break
        await _run(telling, step, f"step {number}" + (f" ({step['title']})" if "title" in step else ""))
    return telling.differences


async def _run(telling: _Telling, step: dict[str, Any], name: str) -> None:
    if "at" in step:
        telling.desk.set_time(_instant(step["at"]))
    if "policy" in step:
        telling.desk.set_policy(step["policy"])
    if step.get("sweep"):
        await telling.desk.sweep()
    if "sync" in step:
        await _sync(telling, step, name)
    elif "send" in step:
        await _send(telling, step, name)
    elif "do" in step:
        await _do(telling, step, name)
    elif "ask" in step:
        await _ask(telling, step, name)


async def _sync(telling: _Telling, step: dict[str, Any], name: str) -> None:
    records = await _resolve(telling, _plain(step["sync"]), name)
    payload = await _mutate(telling, telling.service, "syncRecords", {"records": records}, name)
    if payload is not None:
        _judge(telling, step, payload, name)


async def _send(telling: _Telling, step: dict[str, Any], name: str) -> None:
    content: bytes = step["send"]
    facts = {"sizeBytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    announced = await _do(telling, {**step, "do": "createEvidenceUpload", "input": {**step["input"], **facts}}, name)
    if announced is not None and announced["uploadUrl"] is not None:
        await telling.desk.send(announced["uploadUrl"], content)


async def _do(telling: _Telling, step: dict[str, Any], name: str) -> dict[str, Any] | None:
    given = await _resolve(telling, _plain(step.get("input") or {}), name)
    if "idempotencyKey" not in given and step["do"] != "syncRecords":
        telling.keys += 1
        given["idempotencyKey"] = f"story-{telling.keys}"
    payload = await _mutate(telling, step.get("as"), step["do"], given, name, step.get("errors"))
    if payload is None:
        return None
    _judge(telling, step, payload, name)
    _save(telling, step, payload, payload.get("refundCase") or payload.get("review") or payload.get("withdrawal"))
    return payload


async def _mutate(
    telling: _Telling, who: str | None, action: str, given: dict[str, Any], name: str, errors: list[str] | None = None
) -> dict[str, Any] | None:
    selection = _SELECTIONS.get(action, f"{_CASE} replayed")
    document = (
        f"mutation($input: {action[0].upper()}{action[1:]}Input!) "
        f"{{ {action}(input: $input) {{ {selection} {_REFUSALS} }} }}"
    )
    answer = await telling.desk.execute(who, document, {"input": given})
    if not _errors_match(telling, answer, errors, name):
        return None
    data = answer.get("data")
    payload: dict[str, Any] | None = data.get(action) if data else None
    return payload


async def _ask(telling: _Telling, step: dict[str, Any], name: str) -> None:
    variables = await _resolve(telling, _plain(step.get("variables") or {}), name)
    answer = await telling.desk.execute(step.get("as"), step["ask"], variables)
    if not _errors_match(telling, answer, step.get("errors"), name):
        return
    data = answer.get("data") or {}
    if "expect" in step:
        _compare(telling, _plain(step["expect"]), data, name, "data")
    _save(telling, step, data, None)


def _judge(telling: _Telling, step: dict[str, Any], payload: dict[str, Any], name: str) -> None:
    wanted = step.get("refused", [])
    refusals = payload["refusals"]
    if len(wanted) != len(refusals):
        said = [f"{refusal['code']} {refusal['rule']}: {refusal['message']}" for refusal in refusals]
        telling.differences.append(Difference(name, f"expected {len(wanted)} refusals, got {said}"))
        return
    for index, (want, got) in enumerate(zip(wanted, refusals, strict=True)):
        _compare(telling, _plain(want), got, name, f"refusals.{index}")
    if "expect" in step:
        _compare(telling, _plain(step["expect"]), payload, name, "payload")


def _errors_match(telling: _Telling, answer: dict[str, Any], wanted: list[str] | None, name: str) -> bool:
    codes = [(error.get("extensions") or {}).get("code") for error in answer.get("errors") or []]
    if codes != (wanted or []):
        messages = [error.get("message") for error in answer.get("errors") or []]
        telling.differences.append(Difference(name, f"expected errors {wanted or []}, got {codes} {messages}"))
        return False
    return not codes


def _save(telling: _Telling, step: dict[str, Any], data: dict[str, Any], node: dict[str, Any] | None) -> None:
    saves = step.get("save")
    if isinstance(saves, str) and node is not None:
        telling.names["=" + saves] = node["id"]
    elif isinstance(saves, dict):
        for label, path in saves.items():
            telling.names["=" + label] = _at(data, path)


def _at(data: Any, path: str) -> Any:
    for part in path.split("."):
        data = data[int(part)] if isinstance(data, list) else data[part]
    return data


def _compare(telling: _Telling, want: Any, got: Any, step: str, path: str) -> None:
    """Compare what the story names; what it does not name may be anything. Lists must have the same length."""
    if isinstance(want, dict) and isinstance(got, dict):
        for key, value in want.items():
            if key not in got:
                telling.differences.append(Difference(step, f"{path}.{key} is missing"))
            else:
                _compare(telling, value, got[key], step, f"{path}.{key}")
    elif isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        for index, (value, other) in enumerate(zip(want, got, strict=True)):
            _compare(telling, value, other, step, f"{path}.{index}")
    elif isinstance(want, str) and want.startswith("$"):
        known = telling.names.get("=" + want[1:]) or telling.names.get(want[1:])
        if known != got:
            telling.differences.append(Difference(step, f"{path}: expected {want} ({known}), got {got!r}"))
    elif want != got:
        telling.differences.append(Difference(step, f"{path}: expected {want!r}, got {got!r}"))


async def _resolve(telling: _Telling, value: Any, name: str) -> Any:
    """Replace every "$name" by the global id saved under it or of the record with that externalRef."""
    if isinstance(value, dict):
        return {key: await _resolve(telling, part, name) for key, part in value.items()}
    if isinstance(value, list):
        return [await _resolve(telling, part, name) for part in value]
    if not (isinstance(value, str) and value.startswith("$")):
        return value
    label = value[1:]
    if "=" + label in telling.names:
        return telling.names["=" + label]
    if label not in telling.names:
        await _read_references(telling)
    if label not in telling.names:
        telling.differences.append(Difference(name, f"nothing is called {value}"))
    return telling.names.get(label)


async def _read_references(telling: _Telling) -> None:
    leads, contracts = await _all(telling, _LEADS, "leads"), await _all(telling, _CONTRACTS, "contracts")
    for lead in leads:
        telling.names[lead["externalRef"]] = lead["id"]
        for index, message in enumerate(_nodes(lead["conversation"]["messages"]), 1):
            telling.names[f"{lead['externalRef']}/message-{index}"] = message["id"]
    for contract in contracts:
        telling.names[contract["externalRef"]] = contract["id"]
        parts = [*contract["milestones"], *_nodes(contract["invoices"]), *_nodes(contract["billingWeeks"])]
        telling.names.update({part["externalRef"]: part["id"] for part in parts})
        for review in contract["reviews"]:
            telling.names[f"{contract['externalRef']}/review-{review['author']['externalRef']}"] = review["id"]


async def _all(telling: _Telling, document: str, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = None
    while True:
        answer = await telling.desk.execute(telling.reader, document, {"after": after})
        connection = (answer.get("data") or {})[name]
        found += _nodes(connection)
        if not connection["pageInfo"]["hasNextPage"]:
            return found
        after = connection["pageInfo"]["endCursor"]


def _nodes(connection: dict[str, Any]) -> Iterable[dict[str, Any]]:
    return (edge["node"] for edge in connection["edges"])


def _plain(value: Any) -> Any:
    """Turn YAML's dates and instants back into the texts the API takes."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, datetime):
        return _instant(value).isoformat().replace("+00:00", "Z")
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value


def _instant(value: Any) -> datetime:
    at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


async def replay(
    paths: Iterable[Path],
    open_desk: Callable[[], Awaitable[StoryApplication]],
    report: Callable[[Story, list[Difference]], None],
) -> int:
    """Tell each story to a fresh desk, report it, and return how many differed."""
    failed = 0
    for path in paths:
        story = read_story(path)
        differences = await tell(story, await open_desk())
        failed += bool(differences)
        report(story, differences)
    return failed
