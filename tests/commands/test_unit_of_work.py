"""One command is one transaction: repeated whole on faults, undone whole on refusals, announced after commit."""

from __future__ import annotations

import asyncio

import pytest
from command_world import World

from refundgql.commands.unit_of_work import Unit
from refundgql.domain.refusals import Refused, not_found
from refundgql.storage.faults import CommitUnknown, StorageError, TransientFault


async def _note(unit: Unit, ref: str) -> None:
    await unit.tx.execute(
        "INSERT INTO account (id, external_ref, name, roles, created_at) VALUES (?, ?, ?, ?, ?)",
        (f"00000000-0000-7000-8000-{ord(ref):012d}", ref, ref, "PRO", 0),
    )


async def _refs(world: World) -> list[str]:
    return [row["external_ref"] for row in await world.rows("SELECT external_ref FROM account ORDER BY external_ref")]


async def test_a_transient_fault_runs_the_whole_command_again(world: World) -> None:
    """What a failed attempt wrote and wanted to announce is forgotten; the repeat counts alone."""
    attempts = 0

    async def work(unit: Unit) -> str:
        nonlocal attempts
        attempts += 1
        await _note(unit, "ab"[attempts - 1])
        unit.ring_people([f"attempt-{attempts}"])
        if attempts == 1:
            raise TransientFault("lost a race")
        return "done"

    assert await world.uow.run(work) == "done"
    assert await _refs(world) == ["b"]
    assert world.bus.rung == ["viewer:attempt-2"]


async def test_a_refusal_changes_nothing_and_wakes_nobody(world: World) -> None:
    """A refusal after a write undoes it, is not repeated and rings no bell."""
    attempts = 0

    async def work(unit: Unit) -> None:
        nonlocal attempts
        attempts += 1
        await _note(unit, "a")
        unit.ring_case("c", "p", None)
        raise Refused(not_found("case"))

    with pytest.raises(Refused):
        await world.uow.run(work)
    assert (attempts, await _refs(world), world.bus.rung) == (1, [], [])


async def test_an_uncertain_commit_is_repeated_only_when_a_repeat_can_tell(world: World) -> None:
    """With a key the repeat finds what happened; without one the fault is shown rather than done twice."""
    attempts = 0

    async def work(unit: Unit) -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise CommitUnknown("gone")

    with pytest.raises(CommitUnknown):
        await world.uow.run(work, repeatable=False)
    attempts = 0
    await world.uow.run(work, repeatable=True)
    assert attempts == 2


async def test_faults_end_at_a_bound_and_others_at_once(world: World) -> None:
    """A fault that does not pass is shown in the end; a fault of another kind is never repeated."""
    attempts = 0

    async def always(unit: Unit) -> None:
        nonlocal attempts
        attempts += 1
        raise TransientFault("again")

    async def broken(unit: Unit) -> None:
        nonlocal attempts
        attempts += 1
        raise StorageError("broken")

    with pytest.raises(TransientFault):
        await world.uow.run(always)
    assert 2 < attempts <= 13
    attempts = 0
    with pytest.raises(StorageError, match="broken"):
        await world.uow.run(broken)
    assert attempts == 1


async def test_a_bus_that_cannot_be_rung_does_not_undo_anything(world: World) -> None:
    """What is committed stays and is answered as done, also when nobody can be woken."""

    class DeadBus:
        async def publish(self, topics: object) -> None:
            raise ConnectionError

    world.bus = DeadBus()  # type: ignore[assignment]

    async def work(unit: Unit) -> str:
        await _note(unit, "a")
        unit.ring_people(["x"])
        return "done"

    assert await world.uow.run(work) == "done"
    assert await _refs(world) == ["a"]


async def test_a_cancelled_command_leaves_nothing(world: World) -> None:
    """A command whose caller goes away in the middle is undone whole, and the database goes on."""
    begun = asyncio.Event()

    async def work(unit: Unit) -> None:
        await _note(unit, "a")
        begun.set()
        await asyncio.sleep(30)

    task = asyncio.create_task(world.uow.run(work))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await _refs(world) == []
