"""The deadline behaves as asyncio.timeout does, whatever is cancelled when."""

import asyncio

import pytest

from refundgql.gql.deadline import Deadline


async def work(deadline: Deadline, seconds: float) -> str:
    """Do something that takes a while, within a deadline."""
    with deadline.watch():
        await asyncio.sleep(seconds)
        return "done"


async def test_work_in_time_is_left_alone() -> None:
    """Blocks that end in time give their result, also long after others began."""
    deadline = Deadline(0.1)
    for _ in range(4):
        assert await work(deadline, 0.04) == "done"


async def test_each_block_has_its_own_time() -> None:
    """Of blocks begun at different times only those that take too long are ended, each in its time."""
    deadline = Deadline(0.1)
    loop = asyncio.get_running_loop()
    began = loop.time()
    long = asyncio.create_task(work(deadline, 5))
    await asyncio.sleep(0.06)
    short, late = asyncio.create_task(work(deadline, 0.01)), asyncio.create_task(work(deadline, 5))
    with pytest.raises(TimeoutError):
        await long
    assert loop.time() - began < 0.15
    assert not late.done()
    with pytest.raises(TimeoutError):
        await late
    assert await short == "done"
    assert loop.time() - began >= 0.16


async def test_a_task_goes_on_after_its_deadline() -> None:
    """Whoever catches the TimeoutError is not cancelled any more."""
    deadline = Deadline(0.01)
    with pytest.raises(TimeoutError):
        await work(deadline, 5)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    assert await work(Deadline(1), 0.001) == "done"


async def test_cancellation_from_elsewhere_passes_through() -> None:
    """A task that is cancelled by others ends as cancelled, not as late."""
    task = asyncio.create_task(work(Deadline(1), 5))
    await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancelled_and_late_at_once_is_cancelled() -> None:
    """When both happen in the same turn the cancellation from elsewhere wins."""
    deadline = Deadline(0.01)

    async def both() -> None:
        task = asyncio.current_task()
        assert task is not None
        with deadline.watch() as watch:
            task.cancel()
            watch.expire()
            await asyncio.sleep(5)

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(both())


def test_a_deadline_serves_one_loop_after_another() -> None:
    """A loop that was closed with work in it does not disturb the next one."""
    deadline = Deadline(0.02)

    async def abandon() -> None:
        deadline.watch().__enter__()

    async def late() -> None:
        with pytest.raises(TimeoutError):
            await work(deadline, 5)

    asyncio.run(abandon())
    asyncio.run(late())
