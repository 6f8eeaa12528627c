"""Filters and orders of every list mean what they say."""

from __future__ import annotations

from typing import Any

import pytest

from api_world import DAY, HOUR, START, Desk, at, contract, lead, message, usd
from refundgql.queries.case_filters import case_number


async def names(desk: Desk, root: str, given: Any, ref: str = "sam") -> list[str]:
    """Return the references of a filtered list of leads, chats or contracts, in its order."""
    type_name = "ContractFilter" if root == "contracts" else "LeadFilter"
    node = "lead { externalRef }" if root == "conversations" else "externalRef"
    found = await desk.run(
        ref,
        f"query($filter: {type_name}) {{ {root}(filter: $filter) {{ totalCount edges {{ node {{ {node} }} }} }} }}",
        filter=given,
    )
    listed = [(edge["node"].get("lead") or edge["node"])["externalRef"] for edge in found[root]["edges"]]
    assert found[root]["totalCount"] == len(listed)
    return listed


@pytest.fixture
async def leads(desk: Desk, things: dict[str, str]) -> Desk:
    """Give leads of several customers, kinds, days and states."""
    await desk.seed(
        {"account": {"externalRef": "carl", "name": "Carl 100%_Cust", "roles": ["CUSTOMER"]}},
        lead("old", customer="carl", category="painting", chargedAt=at(START - 9 * DAY)),
        lead("new", customer="carl", chargedAt=at(START - HOUR)),
        message("m-old", "old", "carl", "Hi", START - HOUR / 2),
    )
    case = await desk.done("paula", "requestLeadRefund", leadId=things["lead-1"], reason="OTHER", explanation="Not it.")
    await desk.done("sam", "declineRefund", refundCaseId=case["id"], message="It is.")
    await desk.done("peter", "requestLeadRefund", leadId=things["lead-2"], reason="OTHER", explanation="Not it.")
    return desk


LEAD_FILTERS: list[tuple[Any, list[str]]] = [
    (None, ["new", "lead-2", "lead-1", "old"]),
    ({}, ["new", "lead-2", "lead-1", "old"]),
    ({"customerName": "CARL 1"}, ["new", "old"]),
    ({"customerName": "100%_"}, ["new", "old"]),
    ({"customerName": "%"}, ["new", "old"]),
    ({"customerName": "1_0"}, []),
    ({"category": "PAINTING"}, ["lead-2", "old"]),
    ({"category": "paint"}, []),
    ({"hasOpenCase": True}, ["lead-2"]),
    ({"hasOpenCase": False}, ["new", "lead-1", "old"]),
    ({"caseStates": ["DECLINED", "CREDITED"]}, ["lead-1"]),
    ({"caseStates": []}, []),
    ({"externalRefs": ["old", "lead-1", "none"]}, ["lead-1", "old"]),
    ({"chargedAfter": at(START - DAY)}, ["new", "lead-2", "lead-1"]),
    ({"chargedBefore": at(START - DAY)}, ["old"]),
    ({"customerName": "carl 1", "chargedAfter": at(START - 2 * DAY)}, ["new"]),
]


async def test_leads(leads: Desk) -> None:
    """Leads are narrowed by customer, kind, state, reference and day, newest first."""
    for given, expected in LEAD_FILTERS:
        listed = await names(leads, "leads", given)
        assert sorted(listed) == sorted(expected), given
        ordered = [one for one in expected if not one.startswith("lead")]  # the two leads were charged at once
        assert [one for one in listed if not one.startswith("lead")] == ordered, given
        assert sorted(await names(leads, "conversations", given)) == sorted(expected), given


async def test_chats_are_in_the_order_of_their_messages(leads: Desk) -> None:
    """The chat with the latest message comes first; one without stands where its lead would."""
    assert await names(leads, "conversations", None) == ["old", "new", "lead-2", "lead-1"]
    assert await names(leads, "conversations", None, "paula") == ["old", "new", "lead-1"]


CONTRACT_FILTERS: list[tuple[Any, list[str]]] = [
    (None, ["late", "fixed", "hourly"]),
    ({"kind": "FIXED_PRICE"}, ["fixed"]),
    ({"status": "CLOSED"}, ["late"]),
    ({"externalRefs": ["hourly"]}, ["hourly"]),
    ({"hasOpenCase": True}, ["hourly"]),
    ({"hasOpenCase": False, "kind": "HOURLY"}, ["late"]),
]


async def test_contracts(desk: Desk, things: dict[str, str]) -> None:
    """Contracts are narrowed by reference, kind, status and open cases."""
    started = {"startedAt": at(START - DAY), "status": "CLOSED", "endedAt": at(START - HOUR)}
    await desk.seed(contract("late", **started))
    await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("10.00"))
    for given, expected in CONTRACT_FILTERS:
        assert sorted(await names(desk, "contracts", given)) == sorted(expected), given


LISTED = "query($f: RefundCaseFilter, $o: RefundCaseOrder) { refundCases(filter: $f, orderBy: $o) { %s } }"


@pytest.fixture
async def cases(desk: Desk, things: dict[str, str]) -> dict[str, str]:
    """Give five cases an hour apart, and their names by number."""
    await desk.seed(
        lead("tiles", title="Tiles in KREUZBERG", price=usd("35.00")),
        contract("yen", currencyCode="JPY", client="karl", expert="emma", title="Ein GÄRTNER"),
        {
            "invoice": {
                "externalRef": "yen-1",
                "contract": "yen",
                "number": "Y1",
                "amount": {"amount": "9000", "currencyCode": "JPY"},
                "issuedAt": at(START - DAY),
                "paidAt": at(START - DAY),
            }
        },
    )
    tiles = await desk.run("paula", '{ leads(filter: { externalRefs: ["tiles"] }) { edges { node { id } } } }')
    yen = await desk.run(
        "karl",
        """{ contracts(filter: { externalRefs: ["yen"] }) { edges { node {
             invoices { edges { node { id } } } } } } }""",
    )
    yen_id = yen["contracts"]["edges"][0]["node"]["invoices"]["edges"][0]["node"]["id"]
    given: dict[str, tuple[str, str, dict[str, Any]]] = {
        "lead": ("paula", "requestLeadRefund", {"leadId": things["lead-1"], "reason": "OTHER", "explanation": "No."}),
        "tiles": (
            "paula",
            "requestLeadRefund",
            {
                "leadId": tiles["leads"]["edges"][0]["node"]["id"],
                "reason": "JOB_CHANGED",
                "reasonDetail": "OTHER_CHANGE",
            },
        ),
        "invoice": (
            "karl",
            "requestInvoiceRefund",
            {"invoiceId": things["invoice-2"], "amount": usd("30.00"), "reason": "QUALITY"},
        ),
        "escrow": ("emma", "issueRefund", {"milestoneId": things["step-1"], "decision": "FULL"}),
        "yen": (
            "karl",
            "requestInvoiceRefund",
            {"invoiceId": yen_id, "amount": {"amount": "4000", "currencyCode": "JPY"}},
        ),
    }
    numbers = {}
    for name, (ref, mutation, values) in given.items():
        numbers[(await desk.done(ref, mutation, **values))["number"]] = name
        desk.clock.at += HOUR
    sam = (await desk.run("sam", "{ viewer { id } }"))["viewer"]["id"]
    lead_case = await desk.run(
        "sam", "query($n: String!) { refundCaseByNumber(number: $n) { id } }", n=next(iter(numbers))
    )
    await desk.done("sue", "assignCase", refundCaseId=lead_case["refundCaseByNumber"]["id"], assigneeId=sam)
    return numbers


CASE_FILTERS: list[tuple[Any, set[str]]] = [
    (None, {"lead", "tiles", "invoice", "escrow", "yen"}),
    ({"kinds": ["LEAD", "ESCROW"]}, {"lead", "tiles", "escrow"}),
    ({"kinds": []}, set()),
    ({"states": ["CREDITED"]}, {"escrow"}),
    ({"text": "kreuzberg"}, {"tiles"}),
    ({"text": "PLUMBER"}, {"lead", "tiles"}),
    ({"text": "step"}, {"escrow"}),
    ({"text": "gärt"}, {"yen"}),
    ({"text": "EIN GÄRT"}, {"yen"}),
    ({"text": "%"}, set()),
    ({"text": "_"}, set()),
    ({"text": "\\"}, set()),
    ({"text": " "}, {"lead", "tiles", "invoice", "escrow", "yen"}),
    ({"openedAfter": at(START + HOUR), "openedBefore": at(START + 3 * HOUR)}, {"tiles", "invoice"}),
    ({"overdue": True}, set()),
    ({"overdue": False, "kinds": ["LEAD"]}, {"lead", "tiles"}),
    ({"whoseMove": "SUPPORT"}, {"lead", "tiles"}),
    ({"whoseMove": "COUNTERPARTY"}, {"invoice", "yen"}),
    ({"unassigned": True}, {"tiles", "invoice", "escrow", "yen"}),
    ({"unassigned": False}, {"lead"}),
    ({"amountAtLeast": usd("30.00")}, {"tiles", "invoice", "escrow"}),
    ({"amountAtMost": usd("30.00")}, {"lead", "invoice"}),
    ({"amountAtLeast": usd("30.00"), "amountAtMost": usd("35.00")}, {"tiles", "invoice"}),
    ({"amountAtLeast": {"amount": "1", "currencyCode": "JPY"}}, {"yen"}),
    ({"amountAtLeast": usd("1.00"), "amountAtMost": {"amount": "9", "currencyCode": "JPY"}}, set()),
    ({"reasons": ["QUALITY", "JOB_CHANGED"]}, {"invoice", "tiles"}),
    ({"numbers": []}, set()),
    ({"numbers": ["nonsense", ""]}, set()),
]


async def test_cases(desk: Desk, cases: dict[str, str]) -> None:
    """Each filter narrows cases by what it says, and the count agrees."""
    for given, expected in CASE_FILTERS:
        found = (await desk.run("sam", LISTED % "totalCount edges { node { number } }", f=given))["refundCases"]
        assert {cases[edge["node"]["number"]] for edge in found["edges"]} == expected, given
        assert found["totalCount"] == len(expected), given


async def test_numbers_find_cases(desk: Desk, cases: dict[str, str]) -> None:
    """Numbers are found in a list of them, and as a part of the text."""
    number = next(iter(cases))
    for given in ({"numbers": [number, "RC-9"]}, {"text": number.lower()}, {"text": number[3:]}):
        found = (await desk.run("sam", LISTED % "edges { node { number } }", f=given))["refundCases"]
        assert [edge["node"]["number"] for edge in found["edges"]] == [number]
    assert [case_number(text) for text in (number, " rc-7 ", "0012", "x", "RC-1-2")] == [
        case_number(number),
        7,
        12,
        None,
        None,
    ]


CASE_ORDERS: list[tuple[str | None, list[str]]] = [
    (None, ["yen", "escrow", "invoice", "tiles", "lead"]),
    ("NEWEST", ["yen", "escrow", "invoice", "tiles", "lead"]),
    ("OLDEST", ["lead", "tiles", "invoice", "escrow", "yen"]),
    ("RECENTLY_CHANGED", ["lead", "yen", "escrow", "invoice", "tiles"]),
    ("SOONEST_DEADLINE", ["lead", "tiles", "invoice", "yen", "escrow"]),
    ("LARGEST_AMOUNT", ["yen", "escrow", "tiles", "invoice", "lead"]),
]


async def test_orders(desk: Desk, cases: dict[str, str]) -> None:
    """Cases come in the order that is asked for; amounts compare in major units."""
    for order, expected in CASE_ORDERS:
        found = (await desk.run("sam", LISTED % "edges { node { number } }", o=order))["refundCases"]
        assert [cases[edge["node"]["number"]] for edge in found["edges"]] == expected, order


async def test_the_queue(desk: Desk, cases: dict[str, str]) -> None:
    """The queue holds what waits for support: late ones first, then the earliest deadline, then the oldest."""
    queue = "query($f: RefundCaseFilter) { supportQueue(filter: $f) { totalCount edges { node { number overdue } } } }"

    async def order(given: Any = None) -> list[str]:
        found = (await desk.run("sam", queue, f=given))["supportQueue"]
        assert found["totalCount"] == len(found["edges"])
        return [cases[edge["node"]["number"]] for edge in found["edges"]]

    assert await order() == ["lead", "tiles"]
    assert await order({"text": "tiles"}) == ["tiles"]
    assert await order({"whoseMove": "COUNTERPARTY"}) == ["invoice", "yen"]
    assert await order({"states": ["REQUESTED", "CREDITED"]}) == ["lead", "tiles"]
    assert await order({"states": ["CREDITED"], "whoseMove": "NOBODY"}) == ["escrow"]


async def test_filters_are_bounded(small_desk: Desk) -> None:
    """Lists and texts of a filter that no page could show are BAD_USER_INPUT."""
    for given in (
        {"numbers": ["1"] * 101},
        {"text": "x" * 201},
        {"amountAtLeast": usd("0.001")},
        {"amountAtMost": usd("99999999999999999999")},
    ):
        assert await small_desk.code("sam", LISTED % "totalCount", f=given) == "BAD_USER_INPUT"
    for root, type_name in (("leads", "LeadFilter"), ("contracts", "ContractFilter"), ("conversations", "LeadFilter")):
        document = f"query($f: {type_name}) {{ {root}(filter: $f) {{ totalCount }} }}"
        assert await small_desk.code("sam", document, f={"externalRefs": ["x"] * 101}) == "BAD_USER_INPUT"
    ids = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    assert await small_desk.code("sam", ids, ids=["x"] * 101) == "BAD_USER_INPUT"
