"""People: all accounts and the staff, what each account has, and a summary; filters by whose and by when."""

from __future__ import annotations

from typing import Any

import pytest

from api_world import DAY, HOUR, START, Desk, at, usd

ACCOUNTS = """query($filter: AccountFilter, $first: Int, $after: String) {
  accounts(filter: $filter, first: $first, after: $after) { totalCount pageInfo { hasNextPage endCursor }
    edges { node { externalRef name roles } } } }"""
WHAT_IS_THEIRS = """query($id: ID!) { node(id: $id) { ... on Account { externalRef
  summary { openCases requests90Days approvedShare waitingForFunds { amount currencyCode } }
  refundCases { totalCount asOf edges { node { number events(first: 1) { edges { node { name } } } } } }
  contracts { totalCount edges { node { externalRef refundable { amount } } } }
  leads { totalCount edges { node { externalRef } } } } } }"""
FILTERED = "query($filter: RefundCaseFilter) { refundCases(filter: $filter) { totalCount edges { node { number } } } }"


async def refs(desk: Desk, **given: Any) -> set[str]:
    """Return the references of the accounts that a filter leaves, from every page."""
    found: list[str] = []
    after = None
    while True:
        page = (await desk.run("sam", ACCOUNTS, filter=given, first=3, after=after))["accounts"]
        found += [edge["node"]["externalRef"] for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            assert page["totalCount"] == len(found) == len(set(found))
            return set(found)
        after = page["pageInfo"]["endCursor"]


async def account_id(desk: Desk, ref: str) -> str:
    """Return the id of an account."""
    return str((await desk.run(ref, "{ viewer { id } }"))["viewer"]["id"])


async def test_accounts_are_found(desk: Desk) -> None:
    """By part of a name or a reference, by references and by roles; every page of them once; for staff alone."""
    everybody = await refs(desk)
    assert {"paula", "karl", "sam", "market", "carla"} <= everybody
    assert await refs(desk, text="KLARA") == {"klara"}
    assert await refs(desk, text="client") == {"karl", "klara"}
    assert await refs(desk, externalRefs=["erik", "nobody", "sam"]) == {"erik", "sam"}
    assert await refs(desk, roles=["PRO"]) == {"paula", "peter"}
    assert await refs(desk, roles=["PRO", "SERVICE"], text="p") == {"paula", "peter", "market"}
    assert await refs(desk, roles=[]) == set()
    staff = await desk.run("sue", "{ staff { totalCount edges { node { externalRef roles } } } }")
    assert {edge["node"]["externalRef"] for edge in staff["staff"]["edges"]} == {"sam", "sue", "ada"}
    assert staff["staff"]["totalCount"] == 3
    for ref in ("karl", "erik", "paula"):
        for root in ("accounts", "staff"):
            assert await desk.code(ref, f"{{ {root} {{ totalCount }} }}") == "FORBIDDEN"
    assert await desk.code(None, "{ accounts { totalCount } }") == "UNAUTHENTICATED"


async def test_what_an_account_has(desk: Desk, things: dict[str, str]) -> None:
    """Staff read anybody's cases, contracts, leads and summary; people their own; of others nothing."""
    old = await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("30.00"))
    desk.clock.at += HOUR
    await desk.done("erik", "approveRefund", refundCaseId=old["id"], amount=usd("30.00"))
    again = await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-1"], amount=usd("90.00"))
    await desk.done("erik", "declineRefund", refundCaseId=again["id"], message="No.")
    open_case = await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("5.00"))
    karl, erik = await account_id(desk, "karl"), await account_id(desk, "erik")
    for ref in ("sam", "karl"):
        found = (await desk.run(ref, WHAT_IS_THEIRS, id=karl))["node"]
        assert found["summary"] == {
            "openCases": 1,
            "requests90Days": 3,
            "approvedShare": 0.5,
            "waitingForFunds": None,
        }
        numbers = [edge["node"]["number"] for edge in found["refundCases"]["edges"]]
        assert numbers == [open_case["number"], again["number"], old["number"]]
        assert found["refundCases"]["edges"][0]["node"]["events"]["edges"] == [{"node": {"name": "REQUEST"}}]
        assert found["refundCases"]["asOf"]
        assert [edge["node"]["externalRef"] for edge in found["contracts"]["edges"]] == ["hourly"]
        assert found["leads"]["totalCount"] == 0
    other = (await desk.run("karl", WHAT_IS_THEIRS, id=erik))["node"]
    assert other["summary"] is None
    assert [other[name]["totalCount"] for name in ("refundCases", "contracts", "leads")] == [0, 0, 0]
    whose = """query($a: ID!, $b: ID!, $c: ID!) { nodes(ids: [$a, $b, $c]) { ... on Account { externalRef
      refundCases(first: 1, orderBy: OLDEST) { totalCount edges { node { number } } }
      leads(filter: { externalRefs: ["lead-1"] }) { edges { node { externalRef } } } } } }"""
    given = {"a": karl, "b": erik, "c": await account_id(desk, "carla")}
    first, second, third = (await desk.run("sam", whose, **given))["nodes"]
    assert (
        first["refundCases"]
        == second["refundCases"]
        == {
            "totalCount": 3,
            "edges": [{"node": {"number": old["number"]}}],
        }
    )
    assert third["refundCases"]["totalCount"] == 0
    assert third["leads"]["edges"] == [{"node": {"externalRef": "lead-1"}}]
    carla = (await desk.run("carla", WHAT_IS_THEIRS, id=given["c"]))["node"]
    assert carla["leads"]["totalCount"] == 0


async def test_money_that_waits_for_a_balance(desk: Desk, things: dict[str, str]) -> None:
    """What an expert approved and cannot cover yet is in his summary, for him and staff."""
    out = "mutation($input: RequestWithdrawalInput!) { requestWithdrawal(input: $input) { refusals { code } } }"
    await desk.run("erik", out, input={"amount": usd("75.00"), "idempotencyKey": "out"})
    await desk.done("erik", "issueRefund", invoiceId=things["invoice-2"], decision="FULL")
    for ref in ("erik", "sam"):
        found = (await desk.run(ref, WHAT_IS_THEIRS, id=await account_id(desk, "erik")))["node"]
        assert found["summary"]["waitingForFunds"] == {"amount": "80.00", "currencyCode": "USD"}


@pytest.fixture
async def cases(desk: Desk, things: dict[str, str]) -> dict[str, str]:
    """Give the numbers of four cases: declined, credited, waiting for funds, goodwill."""
    declined = await desk.done("karl", "requestInvoiceRefund", billingWeekId=things["week-1"], amount=usd("5.00"))
    await desk.done("erik", "declineRefund", refundCaseId=declined["id"], message="No.")
    desk.clock.at += DAY
    credited = await desk.done("klara", "requestEscrowRefund", milestoneId=things["step-1"], amount=usd("20.00"))
    await desk.done("emma", "approveRefund", refundCaseId=credited["id"])
    desk.clock.at += DAY
    goodwill = await desk.done(
        "paula", "requestLeadRefund", leadId=things["lead-1"], reason="OTHER", explanation="Not it."
    )
    return {"declined": declined["number"], "credited": credited["number"], "lead": goodwill["number"]}


async def test_filters_by_whose_and_by_when(desk: Desk, things: dict[str, str], cases: dict[str, str]) -> None:
    """Each member narrows lists as it says, alone and with another."""
    karl, erik = await account_id(desk, "karl"), await account_id(desk, "erik")
    expected: list[tuple[dict[str, Any], set[str]]] = [
        ({"accountId": karl}, {"declined"}),
        ({"accountId": erik}, {"declined"}),
        ({"accountId": "Account_nobody"}, set()),
        ({"contractId": things["fixed"]}, {"credited"}),
        ({"contractId": karl}, set()),
        ({"settlement": "SETTLED"}, {"credited"}),
        ({"settlement": "NOT_DUE"}, {"declined", "lead"}),
        ({"goodwill": True}, set()),
        ({"goodwill": False}, {"declined", "credited", "lead"}),
        ({"decidedAfter": at(START)}, {"declined", "credited"}),
        ({"decidedBefore": at(START + HOUR)}, {"declined"}),
        ({"decidedAfter": at(START + DAY), "decidedBefore": at(START + DAY)}, set()),
        ({"creditedAfter": at(START + DAY)}, {"credited"}),
        ({"creditedBefore": at(START + DAY)}, set()),
        ({"dueBefore": at(START + 5 * DAY)}, {"lead"}),
        ({"dueBefore": at(START)}, set()),
        ({"accountId": karl, "settlement": "SETTLED"}, set()),
    ]
    for given, names in expected:
        page = (await desk.run("sam", FILTERED, filter=given))["refundCases"]
        found = {edge["node"]["number"] for edge in page["edges"]}
        assert found == {cases[name] for name in names}, given
        assert page["totalCount"] == len(found)
    assert (await desk.run("karl", FILTERED, filter={"accountId": erik}))["refundCases"]["totalCount"] == 1
    paula = await account_id(desk, "paula")
    assert (await desk.run("karl", FILTERED, filter={"accountId": paula}))["refundCases"]["totalCount"] == 0
