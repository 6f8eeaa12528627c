"""The demo's dataset: whole on any day, with every telling age kept."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from command_world import World

from refundgql import bootstrap
from refundgql.cli.demo import POLICY, days_behind, prepare
from refundgql.cli.replaying import StoryDesk
from refundgql.clocks import LateClock, SetClock
from refundgql.commands.demo_dataset import demo_records, demo_steps
from refundgql.commands.import_records import import_files
from refundgql.domain.calendar import parse_date, parse_instant
from refundgql.domain.vocabulary import RefundCaseKind, RefundCaseState, Role
from refundgql.settings import Settings
from refundgql.storage.ledger_checks import verify

FOLDER = Path(__file__).parents[2] / "fixtures" / "datasets" / "demo"
LIST = FOLDER / "desk" / "list.png"
ABOUT: dict[str, Any] = orjson.loads((FOLDER / "dataset.json").read_bytes())
FIXED = parse_instant(ABOUT["at"])
DAYS = [FIXED.date() + timedelta(days=offset) for offset in range(7)] + [date(2028, 2, 29), date(2026, 12, 31)]

MONDAY = date(2026, 3, 9)


def named(today: date) -> dict[str, dict[str, Any]]:
    """Return the demo's records of a day by reference."""
    return {values["externalRef"]: values for shape in demo_records(today) for values in shape.values()}


@pytest.mark.parametrize("today", DAYS, ids=str)
def test_ages_hold_on_any_day(today: date) -> None:
    """Whatever a reference or the dataset's own words say of days is so, and weeks start on Mondays around today."""
    records = named(today)
    for ref, values in records.items():
        if "-day-" in ref:
            paid_on = parse_instant(values["paidAt"]).date()
            assert (today - paid_on).days == int(ref.rpartition("-")[2])
    ages = {
        ref: (today - parse_instant(records[ref]["chargedAt"]).date()).days for ref in records if "pro" in records[ref]
    }
    assert (ages["lead-hallway"], ages["lead-ceiling"], ages["lead-door"]) == (29, 30, 31)
    assert (today - parse_instant(records["leaflet"]["endedAt"]).date()).days == 14
    for values in records.values():
        if "billingWeek" in values and "paidAt" in values:
            ended_on = parse_date(records[values["billingWeek"]]["startsOn"]) + timedelta(weeks=1)
            assert parse_instant(values["paidAt"]).date() == ended_on
    running = parse_date(records["week-gearbox-running"]["startsOn"])
    assert running.weekday() == 0
    assert running <= today < running + timedelta(weeks=1)
    assert parse_date(records["week-gearbox-prior"]["startsOn"]) == running - timedelta(weeks=1)


@pytest.mark.parametrize("today", DAYS, ids=str)
@pytest.mark.parametrize("hour", [0, 9, 23], ids="{} h".format)
def test_nothing_is_told_before_it_happened(today: date, hour: int) -> None:
    """Steps come in order, none later than now, each record after what it refers to and what it tells."""
    now = datetime(today.year, today.month, today.day, hour, 10, tzinfo=UTC)
    accounts, steps = demo_steps(now)
    assert [step["at"] for step in steps] == sorted(step["at"] for step in steps)
    assert max(step["at"] for step in steps) <= now
    known = {shape["account"]["externalRef"] for shape in accounts}
    for step in steps:
        for shape in step.get("sync", []):
            (values,) = shape.values()
            named = {values[name] for name in ("lead", "contract", "milestone", "billingWeek") if name in values}
            assert named <= known
            known.add(values["externalRef"])
    assert len(known) == len(demo_records(today, with_desk=True))


_MONEY = """{ viewer { balances { purpose available { amount currencyCode } }
  transactions(first: 100) { edges { node { purpose status balanceAfter { amount currencyCode } } } } } }"""


def check_newest_lines(viewer: dict[str, Any]) -> None:
    """Assert that each balance is what the newest line booked on it says (C20)."""
    newest: dict[tuple[str, str], str] = {}
    for line in (edge["node"] for edge in viewer["transactions"]["edges"]):
        if (after := line["balanceAfter"]) is not None:
            newest.setdefault((line["purpose"], after["currencyCode"]), after["amount"])
    balances = {
        (one["purpose"], one["available"]["currencyCode"]): one["available"]["amount"] for one in viewer["balances"]
    }
    assert newest
    assert {key: balances[key] for key in newest} == newest


@pytest.mark.slow
@pytest.mark.parametrize(
    ("today", "hour"), [(MONDAY, 0), *((day, 14) for day in DAYS if day.weekday() < 5)], ids=lambda one: str(one)
)
async def test_every_story_goes_as_told(tmp_path: Path, today: date, hour: int) -> None:
    """On any working day the desk opens with its cases in every state, a clean ledger, and all of it only once."""
    now = datetime(today.year, today.month, today.day, hour, 5, tzinfo=UTC)
    settings = Settings(
        database_url=f"sqlite:///{tmp_path / 'demo.sqlite3'}",
        bus="memory",
        key_file=tmp_path / "key.pem",
        evidence_store=f"file://{tmp_path / 'evidence'}",
        policy=POLICY,
    )
    people = await prepare(settings, now)
    assert await prepare(settings, now) == people
    async with bootstrap.open_application(settings, clock=SetClock(now)) as application:
        assert [finding async for finding in verify(application.database)] == []
        desk = StoryDesk(application, bootstrap.make_engine(settings), SetClock(now))
        asked = """{ refundCases(first: 50) { edges { node { kind state isFinal overdue unread settlement { status }
          proposal { decision } whoseMove
          evidence { withdrawnAt redactedAt ... on FileEvidence { sizeBytes } } } } } }"""
        answer = await desk.execute("support-ivy", asked, {})
        people_with_money = [await desk.execute(ref, _MONEY, {}) for ref in ("expert-gus", "client-eva", "pro-ada")]
    for told in people_with_money:
        check_newest_lines(told["data"]["viewer"])
    cases = [edge["node"] for edge in answer["data"]["refundCases"]["edges"]]
    assert len(cases) >= 27
    assert {(case["proposal"] or {}).get("decision") for case in cases} == {None, "APPROVE", "DECLINE"}
    assert any(case["state"] == "DECLINED" and case["isFinal"] for case in cases)
    assert any(case["whoseMove"] == "REQUESTER" and case["state"] == "REQUESTED" for case in cases)
    evidence = [item for case in cases for item in case["evidence"]]
    assert sorted(item["sizeBytes"] for item in evidence if "sizeBytes" in item) == [LIST.stat().st_size]
    assert [sum(item[gone] is not None for item in evidence) for gone in ("withdrawnAt", "redactedAt")] == [1, 1]
    assert {case["state"] for case in cases} == {state.value for state in RefundCaseState}
    assert {case["kind"] for case in cases} == {kind.value for kind in RefundCaseKind}
    assert {case["settlement"]["status"] for case in cases} == {"NOT_DUE", "AWAITING_FUNDS", "SETTLED", "REVERSED"}
    assert any(case["overdue"] for case in cases)
    assert any(case["unread"] for case in cases)


@pytest.mark.parametrize("today", DAYS, ids=str)
def test_on_any_day_a_week_can_be_disputed(today: date) -> None:
    """C25: from Monday to Friday as it is, and on weekends because the demo's day is Friday then."""
    day = today - timedelta(days=days_behind(today))
    assert day == today or (today.weekday() > 4 and day.weekday() == 4)
    ended_on = parse_date(named(day)["week-gearbox-prior"]["startsOn"]) + timedelta(weeks=1)
    assert ended_on <= day < ended_on + timedelta(days=5)


def test_a_late_clock_runs() -> None:
    """It is as far behind as it was told, at every look."""
    late, apart = LateClock(timedelta(days=2)), timedelta(days=2)
    before = datetime.now(UTC)
    shown = late.now()
    assert before - apart <= shown <= datetime.now(UTC) - apart
    assert late.now() <= late.now()


def test_everybody_is_there() -> None:
    """Two of each part, the staff, the marketplace, and one who both gives and takes work."""
    accounts, _ = demo_steps(FIXED)
    roles = [{Role(role) for role in shape["account"]["roles"]} for shape in accounts]
    for role in (Role.PRO, Role.CUSTOMER, Role.CLIENT, Role.EXPERT, Role.SUPPORT):
        assert sum(role in held for held in roles) >= 2
    assert {Role.SERVICE} in roles
    assert any(Role.ADMIN in held for held in roles)
    assert any({Role.CLIENT, Role.EXPERT} <= held for held in roles)


async def test_its_files_can_be_imported_as_they_stand(world: World) -> None:
    """On the fixed day itself the files are an ordinary import, and every record the dataset speaks of exists."""
    report = await import_files(world.uow, [str(FOLDER / name) for name in ABOUT["files"]])
    assert report.ok
    assert set(ABOUT["tell"]) <= set(named(FIXED.date()))
