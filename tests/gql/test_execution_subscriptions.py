"""How subscriptions are executed event by event."""

from typing import Any

import pytest
from box_world import EXECUTORS, Log, codes, collect, make_engine, ready

from refundgql.gql.engine import GraphQLEngine


@pytest.fixture(params=EXECUTORS.values(), ids=EXECUTORS.keys())
def engine(request: pytest.FixtureRequest) -> GraphQLEngine:
    """Give an engine for each executor."""
    return make_engine(compile_after=request.param, on_fault=lambda error, fault_id: None)


async def test_subscriptions_execute_each_event(engine: GraphQLEngine) -> None:
    """Each row of the source becomes an answer, levels included, and the source is closed at the end."""
    log = Log()
    prepared = ready(engine, "subscription ($n: Int!) { ticks(n: $n) { id inside(first: 1) { id } } }")
    answers = await collect(await engine.subscribe(prepared, {"n": 2}, log))
    assert answers == [{"data": {"ticks": {"id": f"Box_{i}", "inside": [{"id": f"Box_{i}0"}]}}} for i in range(2)]
    assert log.notes[-1] == "closed"


async def test_a_subscription_refused_before_it_began(engine: GraphQLEngine) -> None:
    """A root resolver that raises, or variables that do not fit, give errors instead of a stream."""
    answer = await engine.subscribe(ready(engine, "subscription { guarded { id } }"), None, Log())
    assert isinstance(answer, dict)
    assert codes(answer["errors"]) == ["UNAUTHENTICATED"]
    assert "data" not in answer
    prepared = ready(engine, "subscription ($n: Int!) { ticks(n: $n) { id } }")
    answer = await engine.subscribe(prepared, {}, Log())
    assert isinstance(answer, dict)
    assert codes(answer["errors"]) == ["BAD_USER_INPUT"]


async def test_a_source_that_fails_ends_the_stream(engine: GraphQLEngine) -> None:
    """An exception of the source is a last answer without data."""
    prepared = ready(engine, "subscription { ticks(n: 1, fail: true) { id } }")
    answers = await collect(await engine.subscribe(prepared, None, Log()))
    assert answers[0] == {"data": {"ticks": {"id": "Box_0"}}}
    assert [sorted(answer) for answer in answers] == [["data"], ["errors"]]
    assert codes(answers[1]["errors"]) == ["UNAUTHENTICATED"]


async def test_leaving_a_stream_closes_its_source(engine: GraphQLEngine) -> None:
    """Whoever stops reading closes the source at once."""
    log = Log()
    stream: Any = await engine.subscribe(ready(engine, "subscription { ticks(n: 9) { id } }"), None, log)
    assert await anext(stream) == {"data": {"ticks": {"id": "Box_0"}}}
    await stream.aclose()
    assert log.notes == ["closed"]


async def test_each_event_may_have_its_own_context(engine: GraphQLEngine) -> None:
    """`renew` gives the context an event is executed with."""
    first, contexts = Log(), [Log(), Log()]
    remaining = iter(contexts)
    prepared = ready(engine, "subscription { ticks { inside { id } } }")
    await collect(await engine.subscribe(prepared, None, first, renew=lambda: next(remaining)))
    assert [len(context.notes) for context in contexts] == [1, 1]


async def test_an_event_can_be_encoded_once_for_many(engine: GraphQLEngine) -> None:
    """encode_event gives what the stream would, and open gives the raw rows."""
    prepared = ready(engine, "subscription { t: ticks { size } }")
    rows: Any = await engine.open(prepared, None, Log())
    answers = [await engine.encode_event(prepared, None, Log(), row) async for row in rows]
    assert answers == [{"data": {"t": {"size": 0}}}, {"data": {"t": {"size": 1}}}]


async def test_each_operation_has_its_own_road(engine: GraphQLEngine) -> None:
    """A subscription cannot be executed and a query cannot be subscribed to."""
    answer = await engine.execute(ready(engine, "subscription { ticks { id } }"), None, Log())
    assert codes(answer["errors"]) == ["OPERATION_RESOLUTION_FAILURE"]
    other = await engine.subscribe(ready(engine, "{ boxes { id } }"), None, Log())
    assert isinstance(other, dict)
    assert codes(other["errors"]) == ["OPERATION_RESOLUTION_FAILURE"]
