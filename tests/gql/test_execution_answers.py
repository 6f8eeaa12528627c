"""What the engine answers: data, errors, and what it hides."""

import pytest
from box_world import EXECUTORS, SHARED_FAULT, codes, make_engine, refused, run

from refundgql.gql.engine import GraphQLEngine
from refundgql.gql.errors import ApiError


@pytest.fixture(params=EXECUTORS.values(), ids=EXECUTORS.keys())
def engine(request: pytest.FixtureRequest) -> GraphQLEngine:
    """Give an engine for each executor."""
    return make_engine(compile_after=request.param)


async def test_bad_variables_are_the_clients_fault(engine: GraphQLEngine) -> None:
    """Variables that do not fit are BAD_USER_INPUT without data, before anything runs."""
    text, number = "query ($t: String!) { echo(text: $t) }", "query ($n: Int!) { boxes(n: $n) { id } }"
    for document, given in ((text, {"t": 3}), (number, {"n": 2**31}), (number, {"n": -(2**31) - 1})):
        response = await run(engine, document, given)
        assert "data" not in response
        assert codes(response["errors"]) == ["BAD_USER_INPUT"]


async def test_bad_arguments_are_the_clients_fault(engine: GraphQLEngine) -> None:
    """A null for a non-null argument that only shows at execution is BAD_USER_INPUT at its field."""
    response = await run(engine, "query ($n: Int = 2) { boxes(n: $n) { id } }", {"n": None})
    assert response["data"] is None
    assert codes(response["errors"]) == ["BAD_USER_INPUT"]
    assert response["errors"][0]["path"] == ["boxes"]


async def test_api_errors_reach_the_client(engine: GraphQLEngine) -> None:
    """An ApiError is told with its message, code and extensions, at its position."""
    response = await run(engine, "{ boxes(n: 2) { size forbidden } }")
    assert response["data"] == {"boxes": [{"size": 0, "forbidden": None}, {"size": 1, "forbidden": None}]}
    assert response["errors"][1] == {
        "message": "Not yours.",
        "locations": [{"line": 1, "column": 22}],
        "path": ["boxes", 1, "forbidden"],
        "extensions": {"code": "FORBIDDEN", "box": "1"},
    }


@pytest.mark.parametrize("compile_after", EXECUTORS.values(), ids=EXECUTORS.keys())
async def test_faults_are_masked_and_logged(compile_after: int, caplog: pytest.LogCaptureFixture) -> None:
    """Any other exception is INTERNAL_SERVER_ERROR with an id, and logged once under that id."""
    engine = make_engine(compile_after=compile_after)
    response = await run(engine, "{ boxes(n: 3) { secret } ownFault }")
    assert {error["message"] for error in response["errors"]} == {"Something went wrong on our side."}
    assert codes(response["errors"]) == ["INTERNAL_SERVER_ERROR"] * 4
    told = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert told[0] is SHARED_FAULT
    assert isinstance(told[1], KeyError)
    ids = dict.fromkeys(error["extensions"]["id"] for error in response["errors"])
    assert [record.getMessage() for record in caplog.records] == [f"fault {one}" for one in ids]
    assert "secret said" not in str(response)
    assert "password" not in str(response)


async def test_an_error_of_the_library_is_masked_as_any_other(engine: GraphQLEngine) -> None:
    """Whoever raises graphql-core's own error for something inside does not tell a client of it."""
    response = await run(engine, "{ libraryFault }")
    assert codes(response["errors"]) == ["INTERNAL_SERVER_ERROR"]
    assert "password" not in str(response)


async def test_fields_beside_a_broken_one_are_told_as_they_are(engine: GraphQLEngine) -> None:
    """A row lacks what one field reads: that one is null with its error, the others hold their own values."""
    response = await run(engine, "{ boxes(n: 2) { label size id __typename } }")
    assert response["data"]["boxes"] == [
        {"label": None, "size": size, "id": f"Box_{size}", "__typename": "Box"} for size in (0, 1)
    ]
    assert [error["path"] for error in response["errors"]] == [["boxes", 0, "label"], ["boxes", 1, "label"]]


async def test_a_level_of_the_wrong_length_is_a_fault(engine: GraphQLEngine) -> None:
    """A level function that loses rows is a masked fault, never a shifted answer."""
    response = await run(engine, "{ boxes(n: 2) { short } }")
    assert response["data"] == {"boxes": [{"short": None}, {"short": None}]}
    assert codes(response["errors"]) == ["INTERNAL_SERVER_ERROR"] * 2


async def test_errors_of_lower_layers_can_be_translated() -> None:
    """The translate hook turns an exception into what the client sees."""
    engine = make_engine(translate=lambda e: ApiError("Later.", "RATE_LIMITED") if e is SHARED_FAULT else None)
    response = await run(engine, "{ boxes(n: 1) { secret } }")
    assert (response["errors"][0]["message"], codes(response["errors"])) == ("Later.", ["RATE_LIMITED"])


async def test_errors_are_cut(engine: GraphQLEngine) -> None:
    """An answer shows the first five errors in the order of the response."""
    response = await run(engine, "{ boxes(n: 50) { forbidden } }")
    assert [error["path"][1] for error in response["errors"]] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("compile_after", EXECUTORS.values(), ids=EXECUTORS.keys())
async def test_an_operation_has_a_deadline(compile_after: int) -> None:
    """What takes too long is cancelled and answered."""
    engine = make_engine(compile_after=compile_after, operation_seconds=0.05)
    response = await run(engine, "{ sleep }")
    assert response["data"] is None
    assert codes(response["errors"]) == ["LIMIT_EXCEEDED"]


async def test_introspection_can_be_switched_off() -> None:
    """Introspection works, however often, unless the engine is told otherwise."""
    engine = make_engine(compile_after=0)
    for _ in range(3):
        response = await run(engine, "{ __schema { queryType { name } } boxes(n: 1) { id } }")
        assert response["data"] == {"__schema": {"queryType": {"name": "Query"}}, "boxes": [{"id": "Box_0"}]}
    closed = make_engine(introspection=False)
    assert set(codes(refused(closed, "{ __schema { queryType { name } } }"))) == {"GRAPHQL_VALIDATION_FAILED"}
