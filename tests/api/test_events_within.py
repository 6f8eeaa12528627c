"""Events that are read in the statement of their cases are those that a statement of their own would have read."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from api_world import Desk, usd
from refundgql.storage.statements import counted_statements

EVENT = """id sequence name at actor { name } actorRole fromState toState amount { amount currencyCode } note
  internalNote rule facts { name value }"""
ODD = 'He said "no", twice;\nC:\\new\ttab\u0001, naïve 雪 \U0001f600 </script> -- \' ?'
ARGUMENTS = ("first: 2", "last: 3", "first: 0", "last: 100", "", "first: $n", "last: $n")
SELECTIONS = (
    f"edges {{ node {{ {EVENT} }} }}",
    f"edges {{ cursor node {{ {EVENT} }} }} pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}",
    "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }",
    "edges { cursor }",
    "edges { node { __typename } }",
    "totalCount edges { node { name } }",
    "__typename",
)


@pytest.fixture
async def cases(desk: Desk, things: dict[str, str]) -> list[str]:
    """Give a case with a long history and odd texts, and two with short ones."""
    case = (await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-1"], amount=usd("25.00")))["id"]
    for ref, mutation, given in (
        ("erik", "declineRefund", {"message": ODD}),
        ("karl", "escalateRefund", {"explanation": ODD}),
        ("sam", "assignCase", {"assigneeId": await _account(desk, "sam")}),
        ("erik", "consentToRefund", {"amount": usd("5.00"), "note": ODD}),
        ("sam", "approveRefund", {"amount": usd("12.00"), "note": ODD}),
    ):
        await desk.done(ref, mutation, refundCaseId=case, **given)
    send = "mutation($input: SendCaseMessageInput!) { sendCaseMessage(input: $input) { message { id } } }"
    said = {"refundCaseId": case, "body": ODD, "audience": "REQUESTER_AND_SUPPORT", "idempotencyKey": desk.key()}
    assert (await desk.run("sam", send, input=said))["sendCaseMessage"]["message"]
    other = (await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("80.00")))["id"]
    lead = await desk.done("paula", "requestLeadRefund", leadId=things["lead-1"], reason="OTHER", explanation=ODD)
    return [case, other, lead["id"]]


async def _account(desk: Desk, ref: str) -> str:
    found: str = (await desk.run(ref, "{ viewer { id } }"))["viewer"]["id"]
    return found


async def _twice(desk: Desk, ref: str, document: str, **variables: Any) -> tuple[Any, int]:
    """Run an operation until it is compiled; return its answer and how many statements it took by itself."""
    await desk.run(ref, document, **variables)
    await desk.run(ref, document, **variables)
    with counted_statements() as statements:
        found = await desk.run(ref, document, **variables)
    return found, len(statements) - 1  # whoever asks is looked up first


@pytest.mark.parametrize("ref", ["karl", "erik", "sam"])
async def test_a_cases_events_are_the_same_in_its_statement_and_in_one_of_their_own(
    desk: Desk, cases: list[str], ref: str
) -> None:
    """Every page and every selection, for both parties and for staff: values, order, cursors and odd texts."""
    for given, selection in product(ARGUMENTS, SELECTIONS):
        events = f"events({given}) {{ {selection} }}" if given else f"events {{ {selection} }}"
        alone = f"query($id: ID!{', $n: Int' * ('$n' in given)}) {{ refundCase(id: $id) {{ state %s }} }}"
        n = {"n": 2} if "$n" in given else {}
        within, _ = await _twice(desk, ref, alone % events, id=cases[0], **n)
        # Asked for under a second name as well, the events have a statement of their own.
        apart, _ = await _twice(desk, ref, alone % f"{events} other: {events}", id=cases[0], **n)
        assert within["refundCase"]["events"] == apart["refundCase"]["events"] == apart["refundCase"]["other"]


async def test_odd_texts_come_back_as_they_were_given(desk: Desk, cases: list[str]) -> None:
    """Quotes, backslashes, control characters and letters of all kinds pass through the column unharmed."""
    document = "query($id: ID!) { refundCase(id: $id) { events(first: 100) { edges { node { name note } } } } }"
    found, _ = await _twice(desk, "sam", document, id=cases[0])
    notes = {edge["node"]["name"]: edge["node"]["note"] for edge in found["refundCase"]["events"]["edges"]}
    assert notes["DECLINE"] == notes["ESCALATE"] == notes["CONSENT"] == notes["APPROVE"] == ODD


async def test_a_case_comes_with_its_events_in_one_statement(desk: Desk, cases: list[str]) -> None:
    """By id and by number, with variables for the page, one statement reads the case, its people and its events."""
    fields = f"state requester {{ name }} events(last: $n) {{ edges {{ node {{ {EVENT} }} }} }}"
    fields = fields.replace("actor { name }", "")  # people of events are looked up by themselves
    by_id = f"query($id: ID!, $n: Int) {{ refundCase(id: $id) {{ number {fields} }} }}"
    found, statements = await _twice(desk, "karl", by_id, id=cases[0], n=2)
    assert statements == 1
    assert [edge["node"]["name"] for edge in found["refundCase"]["events"]["edges"]] == ["CREDIT", "SEND_MESSAGE"]
    by_number = f"query($number: String!, $n: Int) {{ refundCaseByNumber(number: $number) {{ number {fields} }} }}"
    again, statements = await _twice(desk, "karl", by_number, number=found["refundCase"]["number"], n=2)
    assert (again["refundCaseByNumber"], statements) == (found["refundCase"], 1)


async def test_lists_of_cases_come_with_the_events_of_each(desk: Desk, cases: list[str]) -> None:
    """Each case of a page has its own events, newest cases first; the queue's too."""
    events = "events(last: 2) { edges { node { sequence name } } }"
    listed, _ = await _twice(desk, "sam", f"{{ refundCases {{ edges {{ node {{ id {events} }} }} }} }}")
    found = {
        edge["node"]["id"]: [(e["node"]["sequence"], e["node"]["name"]) for e in edge["node"]["events"]["edges"]]
        for edge in listed["refundCases"]["edges"]
    }
    assert [name for _, name in found[cases[0]]] == ["CREDIT", "SEND_MESSAGE"]
    assert found[cases[1]] == found[cases[2]] == [(1, "REQUEST")]
    queue, _ = await _twice(desk, "sam", f"{{ supportQueue {{ edges {{ node {{ id {events} }} }} }} }}")
    assert [edge["node"]["id"] for edge in queue["supportQueue"]["edges"]] == [cases[2]]
    assert queue["supportQueue"]["edges"][0]["node"]["events"]["edges"] == [
        {"node": {"sequence": 1, "name": "REQUEST"}}
    ]


async def test_pages_that_differ_in_two_places_are_not_mixed_up(desk: Desk, cases: list[str]) -> None:
    """The same list under two names, each with other events, gives each its own."""
    document = """query($id: ID!) { refundCases(filter: { states: [CREDITED] }) {
      edges { node { events(first: 1) { edges { node { name } } } } }
      others: edges { node { events(last: 2) { edges { node { name } } } } } }
      nodes(ids: [$id]) { ... on RefundCase { events(first: 1) { edges { node { name } } } } } }"""
    found, _ = await _twice(desk, "sam", document, id=cases[0])
    (first,), (other,) = found["refundCases"]["edges"], found["refundCases"]["others"]
    assert first["node"]["events"]["edges"] == [{"node": {"name": "REQUEST"}}]
    assert [edge["node"]["name"] for edge in other["node"]["events"]["edges"]] == ["CREDIT", "SEND_MESSAGE"]
    assert found["nodes"][0]["events"]["edges"] == [{"node": {"name": "REQUEST"}}]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("first: 1, last: 1", "Give first or last, not both."),
        ("first: 101", "first is from 0 to 100."),
        ("first: $n", "first is from 0 to 100."),
        ('after: "nonsense"', "Not a cursor: give one that this list gave you."),
    ],
)
async def test_a_page_that_cannot_be_is_refused_at_its_place(
    desk: Desk, cases: list[str], given: str, message: str
) -> None:
    """The events are refused where they stand, also when their case is read already."""
    declared = "$id: ID!, $n: Int" if "$n" in given else "$id: ID!"
    document = f"query({declared}) {{ refundCase(id: $id) {{ state events({given}) {{ totalCount }} }} }}"
    for _ in range(3):
        answer = await desk.answer("karl", document, id=cases[0], **({"n": -1} if "$n" in given else {}))
        assert [(one["message"], one["path"]) for one in answer["errors"]] == [(message, ["refundCase", "events"])]
