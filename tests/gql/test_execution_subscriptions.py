"""How subscriptions are executed event by event."""

import pytest
from box_world import EXECUTORS, Log, codes, make_engine, ready

from refundgql.gql.engine import GraphQLEngine
from refundgql.gql.streams import Stream
from toy_streams import Answers, collected


@pytest.fixture(params=EXECUTORS.values(), ids=EXECUTORS.keys())
def engine(request: pytest.FixtureRequest) -> GraphQLEngine:
    """Give an engine for each executor."""
    return make_engine(compile_after=request.param)


async def test_subscriptions_execute_each_event(engine: GraphQLEngine) -> None:
    """Each row of the source becomes an answer, levels included, and the source is closed at the end."""
    log = Log()
    prepared = ready(engine, "subscription ($n: Int!) { ticks(n: $n) { id inside(first: 1) { id } } }")
    answers = await collected(await engine.subscribe(prepared, {"n": 2}, log))
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
    """An exception of the source is a last answer without data, with the cursor to go on after."""
    prepared = ready(engine, "subscription { ticks(n: 1, fail: true) { id } }")
    answers = await collected(await engine.subscribe(prepared, None, Log()))
    assert answers[0] == {"data": {"ticks": {"id": "Box_0"}}}
    assert [sorted(answer) for answer in answers] == [["data"], ["errors"]]
    assert answers[1]["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED", "after": "1"}
    assert answers[1]["errors"][0]["message"] == "Gone. Subscribe again after 1."


async def test_leaving_a_stream_closes_its_source(engine: GraphQLEngine) -> None:
    """Whoever leaves closes the source at once."""
    log = Log()
    stream = await engine.subscribe(ready(engine, "subscription { ticks(n: 9) { id } }"), None, log)
    assert isinstance(stream, Stream)
    answers = Answers(stream)
    assert await anext(answers) == {"data": {"ticks": {"id": "Box_0"}}}
    await answers.aclose()
    assert log.notes == ["closed"]


async def test_what_is_not_what_it_was_taken_for(engine: GraphQLEngine) -> None:
    """A subscription cannot be executed and a query cannot be subscribed to."""
    answer = await engine.execute(ready(engine, "subscription { ticks { id } }"), None, Log())
    assert codes(answer["errors"]) == ["OPERATION_RESOLUTION_FAILURE"]
    other = await engine.subscribe(ready(engine, "{ boxes { id } }"), None, Log())
    assert isinstance(other, dict)
    assert codes(other["errors"]) == ["OPERATION_RESOLUTION_FAILURE"]
