"""What an old decision rested on stays readable after the rules have changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from api_world import START, Desk, people
from refundgql.commands.sweep import sweep_due
from refundgql.domain.calendar import to_micros
from refundgql.domain.policy import Policy

READ = "query($v: String) { refundPolicy(version: $v) { version rules { rule name value text fromSource } } }"


async def start(desk: Desk, policy: Policy) -> Desk:
    """Return the desk as a process that starts with a policy, which arms what runs by it."""
    uow = replace(desk.app.uow, policy=policy)
    await sweep_due(uow)
    return replace(desk, app=replace(desk.app, policy=policy, uow=uow))


async def test_earlier_rules_are_told_as_they_were(desk: Desk) -> None:
    """After two changes each version that was in force is read by anybody, exactly as when it was in force."""
    await desk.seed(*people())
    told = []
    for day, policy in enumerate(
        (Policy(), Policy().with_overrides({"lead_window_days": 20}), Policy(review_threshold_minor={"EUR": 100}))
    ):
        desk.clock.at = START + timedelta(days=day)
        desk = await start(desk, policy)
        told.append((await desk.run(None, READ))["refundPolicy"])
    assert len({one["version"] for one in told}) == 3
    for one in told:
        assert (await desk.run(None, READ, v=one["version"]))["refundPolicy"] == one
        assert (await desk.run("sam", READ, v=one["version"]))["refundPolicy"] == one


async def test_a_version_is_kept_once(desk: Desk) -> None:
    """Starting again, and going back to former rules, keeps what was first seen when it was."""
    changed = Policy().with_overrides({"lead_window_days": 20})
    for hours, policy in enumerate((Policy(), Policy(), changed, Policy())):
        desk.clock.at = START + timedelta(hours=hours)
        desk = await start(desk, policy)
    rows = await desk.app.database.fetch("SELECT version, first_seen_at FROM known_policy ORDER BY first_seen_at")
    assert [(row["version"], row["first_seen_at"]) for row in rows] == [
        (Policy().version, to_micros(START)),
        (changed.version, to_micros(START + timedelta(hours=2))),
    ]


async def test_rules_armed_before_versions_were_kept_are_kept(desk: Desk) -> None:
    """A database whose clocks an earlier release has set by the same rules keeps them at the next start, too."""
    desk = await start(desk, Policy())
    async with desk.app.database.transaction() as tx:
        await tx.execute("DELETE FROM known_policy")
    desk = await start(desk, Policy())
    assert await desk.app.database.fetch_value("SELECT version FROM known_policy") == Policy().version


async def test_the_rules_in_force_need_no_version(desk: Desk) -> None:
    """Nothing, null and the present version tell the rules in force, before any process has kept them."""
    version = desk.app.policy.version
    for variables in ({}, {"v": None}, {"v": version}):
        assert (await desk.run(None, READ, **variables))["refundPolicy"]["version"] == version


async def test_an_unknown_version_is_refused(desk: Desk) -> None:
    """A version that was never in force is BAD_USER_INPUT, in one sentence that says what to do."""
    for version in ("rules-000000000000", "", "' OR 1 = 1 --", "x" * 5_000):
        (error,) = (await desk.answer(None, READ, v=version))["errors"]
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert error["message"] == "No policy of this version is known: use one that a case names."
