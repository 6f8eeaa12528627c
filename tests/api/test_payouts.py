"""Payouts as the marketplace's own system makes them, with nothing but its SERVICE account."""

from __future__ import annotations

from typing import Any

from graphql import GraphQLInputObjectType, GraphQLObjectType

from api_world import Desk, usd
from refundgql.api.schema import build_schema
from refundgql.queries.external_refs import ExternalKind

WAITING = """{ withdrawals(statuses: [REQUESTED]) { edges { node {
  id amount { amount currencyCode } purpose externalRef account { externalRef name } refundCase { number } } } } }"""
REPORT = """mutation($input: SyncRecordsInput!) { syncRecords(input: $input) {
  created updated unchanged refusals { code rule field } } }"""
CANCEL = """mutation($input: CancelWithdrawalInput!) { cancelWithdrawal(input: $input) {
  replayed withdrawal { status cancelledAt failureReason } refusals { code rule message } } }"""


async def withdraw(desk: Desk, ref: str, amount: str) -> str:
    """Ask for a withdrawal by hand and return its id."""
    document = """mutation($input: RequestWithdrawalInput!) { requestWithdrawal(input: $input) {
      withdrawal { id } refusals { message } } }"""
    given = {"amount": usd(amount), "idempotencyKey": desk.key()}
    done = (await desk.run(ref, document, input=given))["requestWithdrawal"]
    assert done["refusals"] == []
    return str(done["withdrawal"]["id"])


async def report(desk: Desk, withdrawal: str, status: str, **more: Any) -> dict[str, Any]:
    """Tell how far a withdrawal has come."""
    record = {"withdrawal": {"id": withdrawal, "status": status, **more}}
    found: dict[str, Any] = (await desk.run("market", REPORT, input={"records": [record]}))["syncRecords"]
    return found


async def cancel(desk: Desk, ref: str, withdrawal: str, key: str | None = None) -> dict[str, Any]:
    """Cancel a withdrawal."""
    given = {"withdrawalId": withdrawal, "idempotencyKey": key or desk.key()}
    found: dict[str, Any] = (await desk.run(ref, CANCEL, input=given))["cancelWithdrawal"]
    return found


async def test_a_withdrawal_names_its_payee(desk: Desk) -> None:
    """The marketplace reads whom to pay, how much, of which money, and for which case, in one list."""
    first = await withdraw(desk, "erik", "10.00")
    (edge,) = (await desk.run("market", WAITING))["withdrawals"]["edges"]
    assert edge["node"] == {
        "id": first,
        "amount": usd("10.00"),
        "purpose": "CONTRACTS",
        "externalRef": None,
        "account": {"externalRef": "erik", "name": "Erik Expert"},
        "refundCase": None,
    }


async def test_an_owner_cancels_until_it_is_sent(desk: Desk) -> None:
    """The money is back at once, once; what was sent is not called back; nobody else cancels."""
    document = "{ viewer { balances { available { amount } inTransit { amount } } } }"
    before = await desk.run("erik", document)
    first, second = await withdraw(desk, "erik", "10.00"), await withdraw(desk, "erik", "20.00")
    for other, code in (("emma", "NOT_FOUND"), ("ada", "FORBIDDEN"), ("market", "FORBIDDEN")):
        assert [one["code"] for one in (await cancel(desk, other, first))["refusals"]] == [code]
    done = await cancel(desk, "erik", first, "key")
    assert (done["withdrawal"]["status"], done["refusals"], done["replayed"]) == ("FAILED", [], False)
    assert done["withdrawal"]["cancelledAt"] is not None
    assert await cancel(desk, "erik", first, "key") == {**done, "replayed": True}
    assert [one["code"] for one in (await cancel(desk, "erik", first))["refusals"]] == ["TRANSITION_NOT_ALLOWED"]
    assert (await report(desk, second, "SENT"))["updated"] == 1
    assert [one["code"] for one in (await cancel(desk, "erik", second))["refusals"]] == ["TRANSITION_NOT_ALLOWED"]
    assert (await report(desk, second, "FAILED", failureReason="No such bank."))["updated"] == 1
    assert await desk.run("erik", document) == before


async def test_a_payout_that_was_cancelled_meanwhile_is_not_claimed(desk: Desk) -> None:
    """Whoever claims it with SENT before paying is told, and pays nothing."""
    first = await withdraw(desk, "erik", "10.00")
    await cancel(desk, "erik", first)
    for status in ("SENT", "PAID"):
        told = await report(desk, first, status)
        field = ["records", "0", "withdrawal", "status"]
        assert (told["refusals"], told["updated"]) == ([{"code": "STALE", "rule": "D10", "field": field}], 0)
    assert (await report(desk, first, "FAILED", failureReason="Cancelled."))["unchanged"] == 1


async def test_the_marketplace_finds_things_by_its_own_references(desk: Desk, things: dict[str, str]) -> None:
    """In the order it asks in, with nothing where nothing is; too many at once are refused."""
    document = """query($kind: ExternalKind!, $refs: [String!]!) { byExternalRef(kind: $kind, externalRefs: $refs) {
      id ... on Account { balances { purpose } } ... on Lead { title pro { externalRef } } } }"""
    found = (await desk.run("market", document, kind="LEAD", refs=["lead-2", "nothing", "lead-1"]))["byExternalRef"]
    assert [one and one["id"] for one in found] == [things["lead-2"], None, things["lead-1"]]
    answer = await desk.answer("market", document, kind="LEAD", refs=["x"] * 101)
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert (await desk.run("peter", document, kind="LEAD", refs=["lead-1"]))["byExternalRef"] == [None]


def test_whatever_records_tell_is_named_by_its_reference_and_found_by_it() -> None:
    """Each kind of record has a type that answers with externalRef, and a kind to look it up by.

    Refunds and chargebacks of a payment are told of the payment, whose reference is there.
    """
    types = build_schema()._schema.type_map
    records, told = types["SyncRecord"], {kind.type_name for kind in ExternalKind}
    assert isinstance(records, GraphQLInputObjectType)
    names = {name[0].upper() + name[1:] for name in records.fields} - {"Refund", "Chargeback"}
    assert names == told
    for name in names:
        answered = types[name]
        assert isinstance(answered, GraphQLObjectType)
        assert "externalRef" in answered.fields, name


async def test_the_marketplace_decides_nothing(desk: Desk, things: dict[str, str]) -> None:
    """It sees a case and what became of it, and may do nothing to it; what people wrote it does not read."""
    case = await desk.done(
        "paula", "requestLeadRefund", leadId=things["lead-1"], reason="OTHER", explanation="A secret."
    )
    document = """query($id: ID!) { refundCase(id: $id) { state explanation evidence { id }
      actions { enabled } messages { totalCount } events { edges { node { name note } } }
      requester { externalRef } subject { ... on Lead { externalRef conversation { messages { totalCount } } } } } }"""
    told = (await desk.run("market", document, id=case["id"]))["refundCase"]
    assert "secret" not in str(told)
    assert (told["state"], told["explanation"], told["evidence"]) == ("REQUESTED", None, [])
    assert not any(one["enabled"] for one in told["actions"])
    assert told["messages"] == {"totalCount": 0}
    assert told["subject"] == {"externalRef": "lead-1", "conversation": {"messages": {"totalCount": 0}}}
    for act in ("approveRefund", "cancelRefund"):
        refused = await desk.act("market", act, refundCaseId=case["id"])
        assert [one["code"] for one in refused["refusals"]] == ["FORBIDDEN"]
