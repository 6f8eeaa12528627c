"""What one client asks never disturbs another: only the stream that raised ends, and says where to go on."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from stream_world import CASE, MINE, QUEUE, QUIET_SECONDS, Subscriber, opened, subscribed

from api_world import Desk
from patience import PATIENCE_SECONDS
from refundgql.api.feeds import case_fanout
from refundgql.queries.onlookers import Onlookers, Present
from refundgql.storage.events import Cursor
from toy_streams import Answers


@asynccontextmanager
async def bystanders(desk: Desk, case: str) -> AsyncIterator[list[Subscriber]]:
    """Follow the same topics as anybody else does, each of the three ways."""
    followed = (("karl", CASE, {"id": case}), ("sam", CASE, {"id": case}), ("karl", MINE, {}), ("sam", QUEUE, {}))
    async with AsyncExitStack() as stack:
        streams = []
        for ref, document, variables in followed:
            stream = await stack.enter_async_context(subscribed(desk, ref, document, **variables))
            if document is CASE:
                await stream.take()
            streams.append(stream)
        yield streams


async def waiting_for_support(desk: Desk, things: dict[str, str]) -> str:
    """Return the id of a case that the desk decides, whose party is karl."""
    case = await desk.done(
        "karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount={"amount": "10.00", "currencyCode": "USD"}
    )
    await desk.done("erik", "declineRefund", refundCaseId=case["id"], message="The work was done as agreed.")
    await desk.done("karl", "escalateRefund", refundCaseId=case["id"], explanation="It was not.")
    return str(case["id"])


async def codes_of(stream: Any) -> set[str]:
    """Return the codes of the first errors that a stream tells, with its end or with an update."""
    if isinstance(stream, dict):
        return {error["extensions"]["code"] for error in stream["errors"]}
    async with asyncio.timeout(PATIENCE_SECONDS):
        async for answer in stream:
            if "errors" in answer:
                return {error["extensions"]["code"] for error in answer["errors"]}
    return set()


def flagged(document: str) -> str:
    """Return a document with a flag that has a default and can still be null."""
    return document.replace("subscription(", "subscription($a: Boolean = true, ").replace(
        "sequence", "sequence @include(if: $a)"
    )


HOSTILE = {
    "null flag of a case": ("karl", flagged(CASE), {"a": None}),
    "null flag of a party's cases": ("karl", flagged(MINE), {"a": None}),
    "null flag of the queue": ("sam", flagged(QUEUE), {"a": None}),
    "NUL in a filter": ("sue", QUEUE, {"filter": {"text": "\0"}}),
}


@pytest.mark.parametrize("way", HOSTILE)
async def test_only_the_stream_that_raises_ends(desk: Desk, things: dict[str, str], way: str) -> None:
    """A document or filter that cannot be answered is told BAD_USER_INPUT; who follows the same topic hears on."""
    case = await waiting_for_support(desk, things)
    ref, document, variables = HOSTILE[way]
    if "$id" in document:
        variables = {**variables, "id": case}
    async with bystanders(desk, case) as others:
        streams = [await opened(desk, ref, document, **variables) for _ in range(2)]
        hostile = [one if isinstance(one, dict) else Answers(one) for one in streams]
        for number in range(3):
            await desk.done("karl", "addStatement", refundCaseId=case, text=f"Statement {number}.")
            for other in others:
                assert (await other.take())["event"]["name"] == "ADD_EVIDENCE"
        for stream in hostile:
            assert await codes_of(stream) == {"BAD_USER_INPUT"}
            if isinstance(stream, Answers):
                await stream.aclose()


def nested(depth: int) -> Any:
    """Return lists in lists."""
    return json.loads("[" * depth + "]" * depth)


async def test_variables_that_are_not_declared_do_not_count(desk: Desk, things: dict[str, str]) -> None:
    """Undeclared variables, however deep, neither refuse a stream nor keep it from sharing its text."""
    case = await waiting_for_support(desk, things)
    async with AsyncExitStack() as stack:
        readers = [
            await stack.enter_async_context(subscribed(desk, "sam", CASE, id=case, **more))
            for more in ({}, {"unasked": nested(60)}, {"unasked": 1})
        ]
        for reader in readers:
            await reader.take()
        await desk.done("karl", "addStatement", refundCaseId=case, text="Look.")
        texts = []
        for reader in readers:
            await reader.take()
            assert isinstance(reader.answers, Answers)
            texts.append(reader.answers.texts[-1])
        assert texts[0] is texts[1] is texts[2]


class GatedOnlookers(Onlookers):
    """Looks only while its gate is open, as behind a slow database."""

    gate: asyncio.Event

    async def look(
        self, external_refs: Collection[str], case_id: str | None = None, sequence: int | None = None
    ) -> Present:
        """Wait for the gate, then look."""
        await self.gate.wait()
        return await super().look(external_refs, case_id, sequence)


class Lags(list[float]):
    """How long events took, and when there is one more."""

    def __init__(self) -> None:
        """Start with none."""
        self.more = asyncio.Event()

    def add(self, seconds: float) -> None:
        """Note one."""
        self.append(seconds)
        self.more.set()


def gated(desk: Desk) -> tuple[Desk, asyncio.Event, Lags]:
    """Return the desk with a gate before its fan-out, and the lags that are measured."""
    onlookers, lags = GatedOnlookers(desk.app.database), Lags()
    onlookers.gate = asyncio.Event()
    onlookers.gate.set()
    fanout = case_fanout(desk.tail, onlookers, lags.add)
    return dataclasses.replace(desk, app=dataclasses.replace(desk.app, fanout=fanout)), onlookers.gate, lags


async def test_a_bus_faster_than_its_followers(
    desk: Desk, things: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More events than a room holds let its followers go with their own cursor, after which nothing is missing."""
    monkeypatch.setattr("refundgql.gql.streams.ROOM_EVENTS", 5)
    desk, gate, _ = gated(desk)
    case = await waiting_for_support(desk, things)
    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(subscribed(desk, ref, QUEUE)) for ref in ("sam", "sue")]
        await desk.done("karl", "addStatement", refundCaseId=case, text="Before.")
        last = [(await stream.take())["cursor"] for stream in streams]
        gate.clear()
        for number in range(12):
            await desk.done("karl", "addStatement", refundCaseId=case, text=f"Statement {number}.")
        ends = [await anext(stream.answers) for stream in streams]
        gate.set()
    told = [end["errors"][0]["extensions"] for end in ends]
    assert {one["code"] for one in told} == {"LIMIT_EXCEEDED"}
    for end, one, cursor in zip(ends, told, last, strict=True):
        # A stream that had just begun may be further than its last update: there was nothing in between.
        assert Cursor.parse(one["after"]) >= Cursor.parse(cursor)
        assert one["after"] in end["errors"][0]["message"]
    async with subscribed(desk, "sam", QUEUE, after=told[0]["after"]) as again:
        sequences = [(await again.take())["event"]["sequence"] for _ in range(12)]
        assert sequences == list(range(sequences[0], sequences[0] + 12))
        await desk.done("karl", "addStatement", refundCaseId=case, text="After.")
        assert (await again.take())["event"]["sequence"] == sequences[-1] + 1
        assert await again.is_quiet()


async def test_lag_is_measured_when_followers_have_their_update(desk: Desk, things: dict[str, str]) -> None:
    """The lag of an event ends with its delivery, however long it waited in the process."""
    desk, gate, lags = gated(desk)
    case = await waiting_for_support(desk, things)
    async with subscribed(desk, "sam", CASE, id=case) as sam:
        await sam.take()
        gate.clear()
        written_at = time.time()
        await desk.done("karl", "addStatement", refundCaseId=case, text="Look.")
        assert await sam.is_quiet()
        assert lags == []
        gate.set()
        await sam.take()
        await lags.more.wait()
        assert len(lags) == 1
        assert QUIET_SECONDS <= lags[0] <= time.time() - written_at + 0.01
