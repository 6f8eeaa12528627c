"""A record that is not exactly one thing is refused by its place in the batch."""

from __future__ import annotations

from typing import Any

import pytest

from api_world import Desk, engine

SYNC = "mutation($input: SyncRecordsInput!) { syncRecords(input: $input) { created refusals { message field } } }"
GOOD = {"account": {"externalRef": "new", "name": "New", "roles": ["PRO"]}}


@pytest.mark.parametrize(
    "record",
    [{}, {"account": None}, {**GOOD, "lead": None}, {**GOOD, "account": None, "lead": None}, {"lead": None}],
)
async def test_a_record_of_none_or_several_kinds_is_refused_by_its_index(desk: Desk, record: dict[str, Any]) -> None:
    """Which of the records it is stands in the message, at every use of the document, and nothing is written."""
    for _ in range(3):
        answer = await desk.answer("market", SYNC, input={"records": [GOOD, GOOD, record]})
        (error,) = [one for one in answer["errors"] if "exactly one field" in one["message"]][:1]
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert error["message"].startswith("Variable '$input' has invalid value at .records[2]")
        assert "'SyncRecord'" in error["message"]
        assert "data" not in answer


def test_the_same_in_a_literal_is_refused_where_it_stands() -> None:
    """In a document the place is the location of the record."""
    for record in "{}", "{ account: null }", "{ lead: null, account: null }":
        prepared: Any = engine().prepare(
            f"mutation {{\n syncRecords(input: {{ records: [\n  {record} ] }}) {{ created }} }}"
        )
        assert {error["extensions"]["code"] for error in prepared.errors} == {"GRAPHQL_VALIDATION_FAILED"}
        assert all(error["locations"][0]["line"] == 3 for error in prepared.errors)
        assert any("exactly one field" in error["message"] for error in prepared.errors)
