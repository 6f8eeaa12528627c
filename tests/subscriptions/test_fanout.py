"""One event for many: read, checked and encoded once for all who get the same text, and told to each exactly once."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from typing import Any

from stream_world import CASE, MINE, QUEUE, opened, subscribed

from api_world import Desk, usd
from patience import PATIENCE_SECONDS
from refundgql.api.feeds import CaseFeed
from refundgql.storage.statements import counted_statements
from toy_streams import Answers

ACTIONS = CASE.replace("refundCase { number state version }", "refundCase { number actions { name enabled } }")


async def requested(desk: Desk, things: dict[str, str]) -> str:
    """Return the id of a new request about the second invoice."""
    case = await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("10.00"))
    return str(case["id"])


async def follow(desk: Desk, stack: AsyncExitStack, ref: str, document: str, **variables: Any) -> Any:
    """Open a stream, take the present state of a case, and return its texts."""
    subscriber = await stack.enter_async_context(subscribed(desk, ref, document, **variables))
    if "id" in variables:
        await subscriber.take()
    assert isinstance(subscriber.answers, Answers)
    return subscriber


async def test_the_same_text_for_the_same_readers(desk: Desk, things: dict[str, str]) -> None:
    """Staff share one text unless it tells what they themselves can do; a party's own is made for the party."""
    case = await requested(desk, things)
    async with AsyncExitStack() as stack:
        readers = [
            await follow(desk, stack, ref, document, id=case)
            for document in (CASE, ACTIONS)
            for ref in ("sam", "sue", "sam", "karl", "karl")
        ]
        await desk.done("karl", "addStatement", refundCaseId=case, text="Look.")
        for reader in readers:
            assert (await reader.take())["event"]["name"] == "ADD_EVIDENCE"
        texts = [reader.answers.texts[-1] for reader in readers]
        assert texts[0] is texts[1] is texts[2]
        assert texts[3] is texts[4]
        assert texts[0] is not texts[3]
        assert texts[5] is texts[7]
        assert texts[5] is not texts[6]


async def test_statements_do_not_grow_with_followers(desk: Desk, things: dict[str, str]) -> None:
    """An event costs as many statements for forty followers as for two."""
    case = await requested(desk, things)
    counts = []
    for followers in (2, 40):
        async with AsyncExitStack() as stack:
            readers = [
                await follow(desk, stack, ref, CASE, id=case, after=None)
                for ref in ("karl", "sam")
                for _ in range(followers // 2)
            ]
            with counted_statements() as act:
                await desk.done("karl", "addStatement", refundCaseId=case, text="Look.")
            del act
            for reader in readers:
                await reader.take()
            fanout = desk.app.fanout
            room = next(iter(fanout._rooms.values()))
            event = (await read_events(desk, case))[-1]
            for stream in room.streams:
                stream.position = type(stream.position)(0, 0)
                assert isinstance(stream.feed, CaseFeed)
                stream.feed.shown = 0
            with counted_statements() as statements:
                await room.tell(list(room.streams), event)
            counts.append(len(statements))
    assert counts[0] == counts[1] <= 2


async def read_events(desk: Desk, case: str) -> list[Any]:
    """Return the events of a case from the log."""
    from refundgql.storage.events import START, read_stream

    page = await read_stream(desk.app.database, START, case_id=case.removeprefix("RefundCase_"))
    return page.events


async def test_nothing_is_kept_for_nobody(desk: Desk, things: dict[str, str]) -> None:
    """When the last follower has gone, also one that never began, nothing listens any more."""
    case = await requested(desk, things)
    fanout, tail = desk.app.fanout, desk.tail
    async with AsyncExitStack() as stack:
        await follow(desk, stack, "karl", CASE, id=case)
        await follow(desk, stack, "karl", MINE)
        await (await opened(desk, "sam", QUEUE)).aclose()
        hasty = Answers(await opened(desk, "sam", QUEUE))
        await hasty.aclose()
        assert "queue" not in fanout._rooms
    assert fanout._rooms == {}
    assert tail._listeners == {}


async def test_reconnecting_at_random(desk: Desk, things: dict[str, str]) -> None:
    """Whoever comes and goes at random while events happen hears each of them once, in order."""
    case = await requested(desk, things)
    total, chance = 40, random.Random(7)  # a test's luck, not a secret
    heard: list[list[int]] = [[] for _ in range(6)]

    async def act() -> None:
        for number in range(total):
            await desk.done("karl", "addStatement", refundCaseId=case, text=f"Statement {number}.")
            await asyncio.sleep(chance.random() / 100)

    async def listen(mine: list[int], document: str, cursor: str | None, variables: dict[str, Any]) -> None:
        while not mine or mine[-1] < total + 1:
            async with subscribed(desk, "karl", document, after=cursor, **variables) as stream:
                for _ in range(chance.randint(1, 8)):
                    update = await stream.take()
                    cursor = update["cursor"]
                    if update["event"] is not None:
                        mine.append(update["event"]["sequence"])
                    elif not mine:
                        mine.append(update["refundCase"]["version"])
                    if mine and mine[-1] == total + 1:
                        return

    # A case's stream begins with its present state, a party's after a cursor: neither misses what happens meanwhile.
    head = (await desk.run("karl", "{ refundCases { asOf } }"))["refundCases"]["asOf"]
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        for mine in heard[::2]:
            group.create_task(listen(mine, MINE, head, {}))
        for mine in heard[1::2]:
            group.create_task(listen(mine, CASE, None, {"id": case}))
        group.create_task(act())
    for mine in heard:
        assert mine == list(range(mine[0], total + 2))
