"""Many cases decided with one request: each by itself, each once, and none because of another."""

from __future__ import annotations

from typing import Any

import pytest

from api_world import Desk, lead, usd
from refundgql.commands import bulk_decisions

DECIDE = """mutation($input: DecideRefundsInput!) { decideRefunds(input: $input) { replayed
  results { replayed refundCase { id state version creditedAmount { amount } } event { name note }
    refusals { code field rule } } refusals { code field } } }"""


async def asked(desk: Desk, count: int) -> list[str]:
    """Return the ids of as many leads' cases, just opened."""
    await desk.seed(*[lead(f"bulk-{number}") for number in range(count)])
    found = await desk.run("paula", "{ leads(first: 100) { edges { node { id externalRef } } } }")
    leads = {edge["node"]["externalRef"]: edge["node"]["id"] for edge in found["leads"]["edges"]}
    cases = [
        await desk.done(
            "paula", "requestLeadRefund", leadId=leads[f"bulk-{number}"], reason="OTHER", explanation="Not it."
        )
        for number in range(count)
    ]
    return [case["id"] for case in cases]


async def decide(desk: Desk, decisions: list[Any], ref: str = "sam", key: str = "bulk") -> Any:
    """Decide and return the payload."""
    given = {"decisions": decisions, "idempotencyKey": key}
    return (await desk.run(ref, DECIDE, input=given))["decideRefunds"]


def codes(refusals: list[Any]) -> list[tuple[str, Any]]:
    """Return the codes and fields of refusals."""
    return [(one["code"], one["field"]) for one in refusals]


async def test_each_case_is_decided_by_itself(desk: Desk) -> None:
    """Good decisions are carried out, bad ones between them are refused with their place, and change nothing."""
    first, second, third, fourth, fifth = await asked(desk, 5)
    decisions = [
        {"refundCaseId": first, "decision": "APPROVE", "amount": usd("5.00"), "note": "Half."},
        {"refundCaseId": second, "decision": "DECLINE"},
        {"refundCaseId": "RefundCase_x", "decision": "APPROVE"},
        {"refundCaseId": third, "decision": "APPROVE", "expectedVersion": 7},
        {"refundCaseId": fourth, "decision": "APPROVE", "message": "No."},
        {"refundCaseId": fifth, "decision": "DECLINE", "message": "No.", "expectedVersion": 1},
    ]
    payload = await decide(desk, decisions)
    assert (payload["refusals"], payload["replayed"]) == ([], False)
    results = payload["results"]
    assert [codes(one["refusals"]) for one in results] == [
        [],
        [("INVALID_INPUT", ["decisions", "1", "message"])],
        [("NOT_FOUND", ["decisions", "2", "refundCaseId"])],
        [("VERSION_CONFLICT", None)],
        [("INVALID_INPUT", ["decisions", "4", "message"])],
        [],
    ]
    assert [one["refundCase"] and one["refundCase"]["state"] for one in results] == [
        "CREDITED",
        None,
        None,
        None,
        None,
        "DECLINED",
    ]
    assert results[0]["refundCase"]["creditedAmount"] == {"amount": "5.00"}
    assert [one["event"] and one["event"]["name"] for one in (results[0], results[-1])] == ["APPROVE", "DECLINE"]
    for untouched in (second, third, fourth):
        found = await desk.run("sam", "query($id: ID!) { refundCase(id: $id) { version state } }", id=untouched)
        assert found["refundCase"] == {"version": 1, "state": "REQUESTED"}


async def test_a_repeat_replays_what_was_done_and_does_the_rest(desk: Desk) -> None:
    """The same key replays each decision once made, tries the refused ones again, and takes no other list."""
    first, second = await asked(desk, 2)
    decisions = [
        {"refundCaseId": first, "decision": "APPROVE"},
        {"refundCaseId": second, "decision": "APPROVE", "expectedVersion": 2},
    ]
    before = await decide(desk, decisions)
    assert codes(before["results"][1]["refusals"]) == [("VERSION_CONFLICT", None)]
    await desk.done("paula", "addStatement", refundCaseId=second, text="Please.")
    again = await decide(desk, decisions)
    assert (again["replayed"], [one["replayed"] for one in again["results"]]) == (True, [True, False])
    assert [one["refundCase"]["version"] for one in again["results"]] == [3, 4]
    other = await decide(desk, decisions[:1])
    assert (codes(other["refusals"]), other["results"]) == ([("IDEMPOTENCY_KEY_REUSED", ["idempotencyKey"])], [])


async def test_a_fault_does_not_stop_the_others(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the server fails at one case the others are decided, and the same request then tells of all of them."""
    ids = await asked(desk, 3)
    decisions = [{"refundCaseId": one, "decision": "APPROVE"} for one in ids]
    real, calls = bulk_decisions.approve_refund, 0

    async def failing(*given: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError("the disk is full")
        return await real(*given)

    with monkeypatch.context() as broken:
        broken.setattr(bulk_decisions, "approve_refund", failing)
        code = await desk.code("sam", DECIDE, input={"decisions": decisions, "idempotencyKey": "bulk"})
        assert code == "INTERNAL_SERVER_ERROR"
    again = await decide(desk, decisions)
    assert [one["replayed"] for one in again["results"]] == [True, False, True]
    assert {one["refundCase"]["state"] for one in again["results"]} == {"CREDITED"}


async def test_whole_lists_are_refused(desk: Desk) -> None:
    """Nobody but staff decides many; none, more than fifty and two about one case are refused, and change nothing."""
    (case_id,) = await asked(desk, 1)
    one = {"refundCaseId": case_id, "decision": "APPROVE"}
    many = [{**one, "refundCaseId": f"RefundCase_{number:08x}-0000-7000-8000-000000000000"} for number in range(51)]
    for ref in ("paula", "erik", "market"):
        assert codes((await decide(desk, [one], ref))["refusals"]) == [("FORBIDDEN", None)]
    for decisions in ([], [one, one], many):
        payload = await decide(desk, decisions)
        assert (codes(payload["refusals"]), payload["results"]) == ([("INVALID_INPUT", ["decisions"])], [])
    assert await desk.code(None, DECIDE, input={"decisions": [one], "idempotencyKey": "k"}) == "UNAUTHENTICATED"
    assert len((await decide(desk, many[:50]))["results"]) == 50
