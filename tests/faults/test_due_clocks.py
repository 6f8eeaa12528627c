"""Three servers sweep the same due clocks while domain time jumps: each clock acts once, in order."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from command_world import START, World
from desk_load import look, prepare_cases
from fleet import Fleet, running, show, size

from databases import LIMITS
from patience import until
from refundgql.domain.calendar import to_micros
from refundgql.storage.database import Database

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]

CLOCKS = size("CLOCKS", 40)
STEPS_DAYS = (1, -2, 6, -5, 8, -30, 45, 1)
"""Forward a little, back, over half of the deadlines, back, over the rest, far back, and far ahead."""


async def _none_due(database: Database, at: int) -> bool:
    return not await database.fetch_value("SELECT count(*) FROM clock WHERE due_at <= ?", (at,))


async def test_due_clocks_act_once_in_order(postgres_url: str, tmp_path: Path) -> None:
    """Unanswered requests are handed over once each, in the order they fell due, however time was stepped."""
    apart = timedelta(days=3) / CLOCKS
    prepared = await prepare_cases(postgres_url, CLOCKS, opened_apart=apart)
    database = await Database.open(postgres_url, LIMITS)
    respond_by = {
        row["case_id"]: row["due_at"]
        for row in await World(database).rows("SELECT case_id, due_at FROM clock WHERE name = 'RESPOND_BY'")
    }
    assert set(respond_by) == set(prepared.cases)
    fleet = Fleet.prepare(tmp_path, postgres_url, "postgres", START, 3)
    at = START
    async with running(fleet):
        for days in STEPS_DAYS:
            at += timedelta(days=days)
            fleet.set_time(at)
            await until(partial(_none_due, database, to_micros(at)))
            await asyncio.sleep(1.2)  # every process looks once more
    await database.close()
    found = await look(postgres_url, prepared.cursor)
    names = Counter((row["case_id"], row["name"]) for row in found.events)
    show("due clocks", clocks=CLOCKS, processes=3, steps=len(STEPS_DAYS), acted=len(found.events))
    assert set(names.values()) == {1}, "each clock acted once"
    handed = [respond_by[row["case_id"]] for row in found.events if row["name"] == "HAND_OVER"]
    assert len(handed) == CLOCKS
    assert handed == sorted(handed), "in the order they fell due"
    assert "ERROR" not in fleet.logged()
