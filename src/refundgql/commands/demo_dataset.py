"""The demo's people and stories: records from the dataset, moved so that the day they tell of is today.

It must not invent records: they stand in fixtures/datasets/demo, which the installed package carries along.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import orjson

from refundgql.commands.sync_records import take_records
from refundgql.commands.unit_of_work import UnitOfWork
from refundgql.domain.calendar import parse_date, parse_instant
from refundgql.domain.viewers import Viewer
from refundgql.storage.accounts import find_viewers_by_ref

Shape = dict[str, dict[str, Any]]

_INSTANTS = frozenset(
    (
        *("chargedAt", "sentAt", "deletedAt", "startedAt", "endedAt"),
        *("fundedAt", "releasedAt", "issuedAt", "paidAt", "postedAt"),
    )
)


async def load_demo(uow: UnitOfWork) -> Sequence[Viewer]:
    """Load the demo's dataset as of today, unless its people are there already, and return those who can sign in."""
    shapes = demo_records(uow.clock.now().date())
    refs = [shape["account"]["externalRef"] for shape in shapes if "account" in shape]
    if not await find_viewers_by_ref(uow.database, refs):
        await take_records(uow, shapes)
    viewers = await find_viewers_by_ref(uow.database, refs)
    return [viewers[ref] for ref in refs if ref in viewers]


def demo_records(today: date) -> list[Shape]:
    """Return the demo's records as if its fixed day were today.

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
        for name in about["files"]
        for line in (folder / name).read_bytes().splitlines()
    ]


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
