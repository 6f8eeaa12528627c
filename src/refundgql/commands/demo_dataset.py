"""The demo's people and stories: the dataset's records and acts, moved so that the day they tell of is today."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson
import yaml

from refundgql.domain.calendar import parse_date, parse_instant

Shape = dict[str, dict[str, Any]]

Step = dict[str, Any]

# Which record stands for what another one names.
_PARENTS = ("lead", "contract", "milestone", "billingWeek")
_AGO = re.compile(r"(?:(\d+)d)? ?(?:(\d+)h)? ?(?:(\d+)m)?")

_INSTANTS = frozenset(
    (
        *("chargedAt", "sentAt", "deletedAt", "startedAt", "endedAt"),
        *("fundedAt", "releasedAt", "issuedAt", "paidAt", "postedAt"),
    )
)


def demo_records(today: date, *, with_desk: bool = False) -> list[Shape]:
    """Return the demo's records as if its fixed day were today; with those that the desk's stories are about, too.

    Ages count in whole days (D1), so everything moves by whole days; billing weeks and their invoices move by whole
    weeks, since those start on Mondays and a week that runs on the fixed day has to run today.
    """
    folder = _folder()
    about = orjson.loads((folder / "dataset.json").read_bytes())
    fixed = parse_instant(about["at"]).date()
    days = today - fixed
    weeks = _monday(today) - _monday(fixed)
    return [
        _moved(orjson.loads(line), days, weeks)
        for name in about["files"] + (about["desk"] if with_desk else [])
        for line in folder.joinpath(*name.split("/")).read_bytes().splitlines()
    ]


def demo_steps(now: datetime) -> tuple[list[Shape], list[Step]]:
    """Return the demo's accounts, and what has happened since, oldest first, as the steps of a story.

    Records come when what they tell has happened, and due clocks are acted on in between, so that events and ledger
    are as if the desk had been open all along.
    """
    shapes = demo_records(now.date(), with_desk=True)
    accounts = [shape for shape in shapes if "account" in shape]
    records = [shape for shape in shapes if "account" not in shape]
    told = sorted(zip(_told_at(records, now), records, strict=True), key=lambda one: one[0])
    acts = sorted(_acts(now), key=lambda step: step["at"])
    acted_at = [step["at"] for step in acts]
    # A batch a day, cut where somebody acts.
    batches = groupby(told, key=lambda one: (one[0].date(), bisect_left(acted_at, one[0])))
    feeding = []
    for _, group in batches:
        instants, batch = zip(*group, strict=True)
        feeding.append({"at": max(instants), "sweep": True, "sync": list(batch)})
    # Records first where both happened at one instant: an act is about something that is known.
    return accounts, sorted([*feeding, *acts], key=lambda step: step["at"])


def _told_at(records: list[Shape], now: datetime) -> Iterator[datetime]:
    """Say when each record came: when the last thing it tells had happened, and not before what it refers to."""
    known: dict[str, datetime] = {}
    for shape in records:
        (values,) = shape.values()
        instants = [parse_instant(values[name]) for name in _INSTANTS & values.keys() if values[name] is not None]
        if "startsOn" in values:
            instants.append(datetime.combine(parse_date(values["startsOn"]), datetime.min.time(), UTC))
        instants += [known[values[name]] for name in _PARENTS if values.get(name) in known]
        at = min(max(instants), now)
        known[values["externalRef"]] = at
        yield at


def _acts(now: datetime) -> Iterator[Step]:
    """Return the stories' steps at their instants; a story that would begin later than now is left out."""
    about = orjson.loads((_folder() / "dataset.json").read_bytes())
    weeks = _monday(now.date()) - _monday(parse_instant(about["at"]).date())
    for story in yaml.safe_load((_folder() / "desk" / "stories.yaml").read_text(encoding="utf-8")):
        steps = [{**step, "at": _acted_at(step, now, weeks), "title": story["story"]} for step in story["steps"]]
        for step in steps:
            if "send" in step:
                step["send"] = (_folder() / "desk" / step["send"]).read_bytes()
        if all(step["at"] <= now for step in steps):
            yield from ({**step, "sweep": True} for step in steps)


def _acted_at(step: Step, now: datetime, weeks: timedelta) -> datetime:
    if "week" in step:
        at: datetime = step["week"]
        return at + weeks
    days, hours, minutes = (int(part or 0) for part in _AGO.fullmatch(step["ago"]).groups())  # type: ignore[union-attr]  # the dataset's own words
    return now - timedelta(days=days, hours=hours, minutes=minutes)


def _folder() -> Traversable:
    installed = files("refundgql") / "datasets" / "demo"
    if installed.is_dir():
        return installed
    return Path(__file__).parents[3] / "fixtures" / "datasets" / "demo"


def _moved(shape: Shape, days: timedelta, weeks: timedelta) -> Shape:
    ((kind, values),) = shape.items()
    by = weeks if "billingWeek" in values else days
    for name in _INSTANTS & values.keys():
        if values[name] is not None:
            values[name] = _text(parse_instant(values[name]) + by)
    if "startsOn" in values:
        values["startsOn"] = (parse_date(values["startsOn"]) + weeks).isoformat()
    return {kind: values}


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
