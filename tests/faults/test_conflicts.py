"""Copies and conflicts through the sockets of three servers: one effect a key, one winner a case, no fault."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from command_world import START
from desk_load import Act, Load, check_kept, conflicting, look, prepare_cases, signing, tokens_of, usd
from fleet import Fleet, running, show, size
from follow_ups import check_ends

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]

KEYS = size("KEYS", 60)
CASES = size("CASES", 60)
COPIES = 10
AT_ONCE = 48
TYPED = {
    "DONE",
    "TRANSITION_NOT_ALLOWED",
    "FORBIDDEN",
    "DISPUTE_NOT_AVAILABLE",
    "ESCALATION_NOT_AVAILABLE",
    "CASE_ALREADY_OPEN",
    "FINAL_DECISION",
    "TOLD",
    "SAME_DECIDER",
    "CHARGED_BACK",
    "AMOUNT_EXCEEDS_REFUNDABLE",
}


async def test_a_key_has_one_effect(postgres_url: str, tmp_path: Path) -> None:
    """Ten copies of each approval at once over three servers: one does it and nine replay it."""
    prepared = await prepare_cases(postgres_url, KEYS)
    fleet = Fleet.prepare(tmp_path, postgres_url, "postgres", START, 3)
    load = Load(fleet, tokens_of(fleet))
    more = (("amount", usd("1")),)
    copies = [
        Act("expert", "approveRefund", case, f"copy-{case}", more) for case in prepared.cases for _ in range(COPIES)
    ]
    # Copies of a key stand close together, so that they are under way at once.
    order = sorted(range(len(copies)), key=lambda n: n // COPIES + load.rng.uniform(0, 4))
    async with running(fleet):
        await load.do([copies[n] for n in order], AT_ONCE)
        found = await look(postgres_url, prepared.cursor)
    show("copies of keys", keys=KEYS, copies=COPIES, outcomes=dict(load.outcomes), repeats=dict(load.repeats))
    check_kept(load, found)
    assert load.outcomes == {"DONE": KEYS, "REPLAYED": KEYS * (COPIES - 1)}
    assert {case["credited_minor"] for case in found.cases} == {100}


async def test_conflicting_acts_have_one_winner(postgres_url: str, tmp_path: Path) -> None:
    """Sixteen conflicting acts a case at once over three servers: one end each, every other act a typed refusal.

    Half as many cases again are proposed, signed, returned, reopened and charged back.
    """
    prepared = await prepare_cases(postgres_url, CASES, signed=CASES // 2)
    fleet = Fleet.prepare(tmp_path, postgres_url, "postgres", START, 3)
    load = Load(fleet, tokens_of(fleet))
    acts = [act for case in prepared.cases for act in conflicting(case)]
    acts += [act for case, invoice in prepared.signed.items() for act in signing(case, invoice)]
    order = sorted(range(len(acts)), key=lambda n: n // 16 + random.Random(n).uniform(0, 3))
    async with running(fleet):
        await load.do([acts[n] for n in order], AT_ONCE)
        found = await look(postgres_url, prepared.cursor)
    show("conflicting acts", cases=CASES, acts=len(acts), outcomes=dict(load.outcomes), repeats=dict(load.repeats))
    check_kept(load, found)
    assert set(load.outcomes) <= TYPED
    credits = Counter(row["case_id"] for row in found.events if row["name"] == "CREDIT")
    assert set(credits.values()) <= {1}
    winners = Counter(row["case_id"] for row in found.events if row["name"] in {"APPROVE", "CANCEL"})
    assert set(winners.values()) == {1}
    _check_signed([row for row in found.events if row["case_id"] in prepared.signed])
    asked = [case for case in found.cases if case["continues_id"] is None and case["id"] not in prepared.signed]
    assert sorted(case["id"] for case in asked) == sorted(prepared.cases)
    check_ends(asked, found.events, {"CREDITED", "CANCELLED", "DECLINED"})
    # Nobody acts on a follow-up case here: it stays as it was opened.
    follow_ups = [case for case in found.cases if case["continues_id"] is not None]
    assert {case["state"] for case in follow_ups} <= {"DISPUTED", "ESCALATED"}
    # Only who comes after a follow-up hears of an open case, and only who comes after support of its last word.
    assert load.refused.get("CASE_ALREADY_OPEN", set()) <= {case["continues_id"] for case in follow_ups}
    decided = {case["id"] for case in asked if case["support_decided"]}
    assert load.refused.get("FINAL_DECISION", set()) <= decided | set(prepared.signed)
    assert "ERROR" not in fleet.logged()


def _check_signed(events: list[dict[str, Any]]) -> None:
    """A proposal is answered once, a signature followed by its decision, a case reopened once; all of it happened."""
    times: Counter[str] = Counter()
    for case in {row["case_id"] for row in events}:
        names = [row["name"] for row in sorted(events, key=lambda row: row["sequence"]) if row["case_id"] == case]
        times.update(names)
        assert all(after in {"APPROVE", "DECLINE"} for name, after in pairwise(names) if name == "CONFIRM")
        assert names.count("REOPEN") <= 1
        assert 0 <= names.count("PROPOSE") - names.count("CONFIRM") - names.count("RETURN") <= 1
    assert min(times[name] for name in ("PROPOSE", "CONFIRM", "RETURN", "REOPEN", "CHARGEBACK")) > 0, times
