"""Who sees what, by every road: root, node, list, count, filter, nested list, masked field."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from test_fields import open_cases, selection

from api_world import PEOPLE, Desk, usd

EVERYBODY = [ref for ref, _, _ in PEOPLE]
STAFF = {"sam", "sue", "ada"}
ALL_SEEING = {*STAFF, "market"}

OWNERS = {
    "lead-1": {"paula"},
    "lead-2": {"peter"},
    "hourly": {"karl", "erik"},
    "fixed": {"klara", "emma"},
}
"""Who sees what belongs to each of these."""

EVERYTHING = f"""{{
  leads(first: 100) {{ edges {{ node {{ {selection("Lead", 0)} externalRef conversation {{ id
    messages {{ edges {{ node {{ id }} }} }} }} refundCase {{ ...inCase }} }} }} }}
  contracts(first: 100) {{ edges {{ node {{ id externalRef milestones {{ id refundCases {{ ...inCase }} }}
    reviews {{ id }} billingWeeks {{ edges {{ node {{ id refundCase {{ ...inCase }} }} }} }}
    invoices {{ edges {{ node {{ id refundCases {{ ...inCase }} }} }} }} }} }} }}
}}
fragment inCase on RefundCase {{ id number events {{ edges {{ node {{ id }} }} }} evidence {{ id }}
  messages {{ edges {{ node {{ id }} }} }} withdrawal {{ id }} }}
"""


def ids_below(value: Any) -> set[str]:
    """Return every id below a value."""
    if isinstance(value, dict):
        found = {value["id"]} if isinstance(value.get("id"), str) else set()
        return found.union(*(ids_below(inner) for inner in value.values()))
    if isinstance(value, list):
        return set().union(*(ids_below(inner) for inner in value))
    return set()


async def owned_ids(desk: Desk) -> dict[str, set[str]]:
    """Return, as staff reads it, every id that belongs to each of the four, by reference."""
    found = await desk.run("sam", EVERYTHING)
    things: dict[str, set[str]] = {}
    for root in ("leads", "contracts"):
        for edge in found[root]["edges"]:
            things[edge["node"]["externalRef"]] = ids_below(edge["node"])
    return things


@pytest.fixture
async def cases(desk: Desk, things: dict[str, str]) -> list[str]:
    """Give a case of every kind, with messages for each audience."""
    opened = await open_cases(desk, things)
    for ref, audience in (("sam", "INTERNAL"), ("karl", "REQUESTER_AND_SUPPORT"), ("erik", "COUNTERPARTY_AND_SUPPORT")):
        await desk.run(
            ref,
            "mutation($input: SendCaseMessageInput!) { sendCaseMessage(input: $input) { refusals { code } } }",
            input={"refundCaseId": opened[2], "body": f"For {audience}", "audience": audience},
        )
    return opened


async def test_nodes(desk: Desk, cases: list[str]) -> None:
    """By its id everybody finds what is theirs, staff everything, and nobody anything else."""
    everything = (await owned_ids(desk)).items()
    for ref, (thing, owned) in product(EVERYBODY, everything):
        listed = sorted(owned)
        found = await desk.run(ref, "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=listed)
        seen = {one for one, node in zip(listed, found["nodes"], strict=True) if node is not None}
        if ref in STAFF:
            assert seen == owned
        elif ref in OWNERS[thing]:
            hidden = owned - seen  # the other side's withdrawal, and what was not said to this side
            assert {one.split("_")[0] for one in hidden} <= {"CaseMessage", "Withdrawal"}
        elif ref == "market":  # everything but what people wrote
            words = {"Message", "CaseMessage", "StatementEvidence", "ConversationEvidence", "FileEvidence"}
            assert seen == {one for one in owned if one.split("_")[0] not in words}
        else:
            assert seen == set()


async def test_lists_and_counts(desk: Desk, cases: list[str]) -> None:
    """Lists hold what is theirs, and so do counts and filters."""
    for ref in EVERYBODY:
        found = await desk.run(
            ref,
            """{ leads { totalCount edges { node { externalRef } } } conversations { totalCount }
                 contracts { totalCount edges { node { externalRef } } }
                 refundCases { totalCount edges { node { id } } }
                 late: refundCases(filter: { text: "plumber" }) { totalCount } }""",
        )
        leads = {edge["node"]["externalRef"] for edge in found["leads"]["edges"]}
        contracts = {edge["node"]["externalRef"] for edge in found["contracts"]["edges"]}
        expected = {thing for thing, owners in OWNERS.items() if ref in owners or ref in ALL_SEEING}
        assert leads | contracts == expected
        assert found["leads"]["totalCount"] == found["conversations"]["totalCount"] == len(leads)
        assert found["contracts"]["totalCount"] == len(contracts)
        mine = {"lead-1": 1, "hourly": 2, "fixed": 1, "lead-2": 0}
        assert (
            found["refundCases"]["totalCount"]
            == len(found["refundCases"]["edges"])
            == sum(mine[one] for one in expected)
        )
        assert found["late"]["totalCount"] == ("lead-1" in expected)


async def test_unknown_and_forbidden_look_the_same(desk: Desk, things: dict[str, str], cases: list[str]) -> None:
    """What somebody may not see is answered exactly like what does not exist."""
    for ref in ("peter", "carla", "klara"):
        foreign = {"lead": things["lead-1"], "contract": things["hourly"], "refundCase": cases[0], "node": cases[2]}
        for root, global_id in foreign.items():
            document = f"query($id: ID!) {{ {root}(id: $id) {{ id }} }}"
            unknown = global_id[:-12] + "000000000000"
            answers = [await desk.answer(ref, document, id=one) for one in (global_id, unknown, "x", "", "Lead_1")]
            assert answers == [{"data": {root: None}}] * 5
        refused = [
            await desk.act(ref, "cancelRefund", refundCaseId=one)
            for one in (cases[0], cases[0][:-4] + "0000", "nonsense")
        ]
        assert [payload["refusals"] for payload in refused] == [refused[0]["refusals"]] * 3
        assert refused[0]["refusals"][0]["code"] == "NOT_FOUND"


async def test_numbers(desk: Desk, cases: list[str]) -> None:
    """A short number finds a case for those who see it alone."""
    number = (await desk.run("sam", "query($id: ID!) { refundCase(id: $id) { number } }", id=cases[0]))["refundCase"]
    document = "query($number: String!) { refundCaseByNumber(number: $number) { id } }"
    for ref, sees in (("paula", True), ("sue", True), ("karl", False), ("carla", False)):
        found = await desk.run(ref, document, number=number["number"])
        assert (found["refundCaseByNumber"] is not None) is sees
    for text in (number["number"].lower(), number["number"].removeprefix("RC-").lstrip("0")):
        assert (await desk.run("sam", document, number=text))["refundCaseByNumber"]["id"] == cases[0]
    for text in ("RC-", "", "RC-999999", "RC-99999999999999999999999", "١٢٣"):
        assert (await desk.run("sam", document, number=text))["refundCaseByNumber"] is None


async def test_messages_reach_their_audience(desk: Desk, cases: list[str]) -> None:
    """Each message is read by its audience and its writer, and counted for nobody else."""
    document = "query($id: ID!) { refundCase(id: $id) { messages { totalCount edges { node { audience } } } } }"
    expected = {
        "sam": {"INTERNAL", "REQUESTER_AND_SUPPORT", "COUNTERPARTY_AND_SUPPORT"},
        "karl": {"REQUESTER_AND_SUPPORT"},
        "erik": {"COUNTERPARTY_AND_SUPPORT"},
    }
    for ref, audiences in expected.items():
        found = (await desk.run(ref, document, id=cases[2]))["refundCase"]["messages"]
        assert {edge["node"]["audience"] for edge in found["edges"]} == audiences
        assert found["totalCount"] == len(audiences)


async def test_events_have_no_gaps_and_masked_fields(desk: Desk, things: dict[str, str], cases: list[str]) -> None:
    """Parties see every event; notes for staff, facts and who has the case are for staff."""
    await desk.done("ada", "assignCase", refundCaseId=cases[0])
    sue = (await desk.run("sue", "{ viewer { id } }"))["viewer"]["id"]
    await desk.done("sam", "assignCase", refundCaseId=cases[0], assigneeId=sue)
    await desk.done("sue", "declineRefund", refundCaseId=cases[0], message="No.", internalNote="Known trick.")
    document = """query($id: ID!) { refundCase(id: $id) { assignee { name } events { edges { node {
        sequence name note internalNote facts { name } actorRole actor { name roles } } } } } }"""
    seen = {ref: (await desk.run(ref, document, id=cases[0]))["refundCase"] for ref in ("sam", "paula")}
    events = {ref: [edge["node"] for edge in case["events"]["edges"]] for ref, case in seen.items()}
    for ref in events:
        assert [event["sequence"] for event in events[ref]] == list(range(1, len(events["sam"]) + 1))
    assert [event["name"] for event in events["paula"]] == [event["name"] for event in events["sam"]]
    assert (events["sam"][-1]["note"], events["sam"][-1]["internalNote"]) == ("No.", "Known trick.")
    assert (events["paula"][-1]["note"], events["paula"][-1]["internalNote"]) == ("No.", None)
    assert all(event["facts"] == [] for event in events["paula"])
    assert any(event["facts"] for event in events["sam"])
    assert (seen["sam"]["assignee"], seen["paula"]["assignee"]) == ({"name": "Sue Support"}, None)
    own = [event["actor"]["roles"] for event in events["paula"] if event["actor"]]
    assert own[0] == ["PRO"]
    assert own[-1] == []


async def test_filters_on_the_desk_do_not_leak(desk: Desk, cases: list[str]) -> None:
    """To others than staff nobody has any case, so filters on it tell nothing."""
    sue = (await desk.run("sue", "{ viewer { id } }"))["viewer"]["id"]
    await desk.done("sam", "assignCase", refundCaseId=cases[0], assigneeId=sue)
    document = "query($filter: RefundCaseFilter!) { refundCases(filter: $filter) { totalCount } }"
    expected = [
        ("sam", {"assigneeId": sue}, 1),
        ("paula", {"assigneeId": sue}, 0),
        ("sam", {"unassigned": False}, 1),
        ("paula", {"unassigned": False}, 0),
        ("paula", {"unassigned": True}, 1),
        ("sam", {"assigneeId": "Account_x"}, 0),
    ]
    for ref, given, count in expected:
        assert (await desk.run(ref, document, filter=given))["refundCases"]["totalCount"] == count, (ref, given)


async def test_other_peoples_accounts(desk: Desk, things: dict[str, str], cases: list[str]) -> None:
    """Of the other party one sees name and reference; staff see all of it; strangers do not exist."""
    fields = """id name externalRef roles balances { available { amount } } transactions { totalCount edges { cursor } }
                withdrawals { totalCount edges { cursor } }"""
    document = f"query($id: ID!) {{ contract(id: $id) {{ client {{ {fields} }} }} }}"
    client = {
        ref: (await desk.run(ref, document, id=things["fixed"]))["contract"]["client"]
        for ref in ("klara", "emma", "sam")
    }
    assert client["klara"] == client["sam"]
    assert client["klara"]["transactions"]["totalCount"] > 0
    assert client["klara"]["withdrawals"]["totalCount"] == 1
    empty = {"totalCount": 0, "edges": []}
    assert client["emma"] == {
        **{key: client["sam"][key] for key in ("id", "name", "externalRef")},
        "roles": [],
        "balances": [],
        "transactions": empty,
        "withdrawals": empty,
    }
    node = f"query($id: ID!) {{ node(id: $id) {{ ... on Account {{ {fields} }} }} }}"
    assert (await desk.run("karl", node, id=client["sam"]["id"]))["node"] is None
    assert (await desk.run("emma", node, id=client["sam"]["id"]))["node"] == client["emma"]


async def test_history_is_its_owners(desk: Desk, things: dict[str, str], cases: list[str]) -> None:
    """Both sides see their own leg of one movement, and nobody finds another one's by its id."""
    document = "{ viewer { transactions { edges { node { id amount { amount } status } } } } }"
    klara = (await desk.run("klara", document))["viewer"]["transactions"]["edges"]
    assert {edge["node"]["status"] for edge in klara} == {"POSTED"}
    for edge in klara:
        for ref, sees in (("klara", True), ("sam", True), ("karl", False), ("paula", False)):
            found = await desk.run(ref, "query($id: ID!) { node(id: $id) { id } }", id=edge["node"]["id"])
            assert (found["node"] is not None) is sees, ref


async def test_reports_are_for_staff(desk: Desk, things: dict[str, str], cases: list[str]) -> None:
    """How often a customer was reported is known to staff alone (L10)."""
    document = "query($id: ID!) { lead(id: $id) { customer { name termsReports } } }"
    assert (await desk.run("sam", document, id=things["lead-1"]))["lead"]["customer"]["termsReports"] == 1
    assert (await desk.run("sam", document, id=things["lead-2"]))["lead"]["customer"]["termsReports"] == 1
    found = (await desk.run("paula", document, id=things["lead-1"]))["lead"]["customer"]
    assert found == {"name": "Carla Customer", "termsReports": None}


ANONYMOUS = [
    "{ viewer { id } }",
    '{ node(id: "x") { id } }',
    '{ nodes(ids: ["x"]) { id } }',
    '{ lead(id: "x") { id } }',
    "{ leads { totalCount } }",
    "{ conversations { totalCount } }",
    '{ contract(id: "x") { id } }',
    "{ contracts { totalCount } }",
    '{ refundCase(id: "x") { id } }',
    '{ refundCaseByNumber(number: "RC-1") { id } }',
    "{ refundCases { totalCount } }",
    '{ refundPreview(input: { leadId: "x" }) { allowed } }',
    "{ supportQueue { totalCount } }",
    '{ supportMetrics(from: "2026-01-01T00:00:00Z", until: "2026-02-01T00:00:00Z") { opened } }',
    "{ refundPolicySimulation(overrides: {}) { examined } }",
    "{ withdrawals { totalCount } }",
    'mutation { cancelRefund(input: { refundCaseId: "x", idempotencyKey: "k" }) { replayed } }',
    "mutation { syncRecords(input: { records: [] }) { created } }",
]


@pytest.mark.parametrize("document", ANONYMOUS)
async def test_nobody_sees_anything(small_desk: Desk, document: str) -> None:
    """Without a token everything but the policy and the workflow is UNAUTHENTICATED."""
    assert await small_desk.code(None, document) == "UNAUTHENTICATED"


async def test_policy_and_workflow_are_public(small_desk: Desk) -> None:
    """Everybody may read the rules."""
    found = await small_desk.run(
        None,
        """{ __typename refundPolicy { version rules { rule name value text fromSource } }
             refundWorkflow(kind: LEAD) { kind mermaid states { state description final }
               transitions { action fromState toState roles guards rules } } }""",
    )
    assert {"L15", "C15", "D13"} <= {rule["rule"] for rule in found["refundPolicy"]["rules"]}
    assert found["refundWorkflow"]["states"]


@pytest.mark.parametrize(
    ("document", "allowed"),
    [
        ("{ supportQueue { totalCount } }", STAFF),
        ('{ supportMetrics(from: "2026-01-01T00:00:00Z", until: "2026-04-01T00:00:00Z") { opened } }', STAFF),
        ("{ refundPolicySimulation(overrides: {}) { examined } }", STAFF),
        ("{ withdrawals { totalCount } }", {"ada", "market"}),
    ],
)
async def test_staff_only_roots(small_desk: Desk, document: str, allowed: set[str]) -> None:
    """Roots of the desk answer FORBIDDEN in errors to everybody else."""
    for ref in EVERYBODY:
        answer = await small_desk.answer(ref, document)
        codes = [error["extensions"]["code"] for error in answer.get("errors", [])]
        assert codes == ([] if ref in allowed else ["FORBIDDEN"]), ref


async def test_shortfall_is_for_the_expert_and_staff(desk: Desk, things: dict[str, str]) -> None:
    """What the expert's balance lacks is not told to the client (D13)."""
    case = await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("70.00"))
    await desk.run(
        "erik",
        "mutation($input: RequestWithdrawalInput!) { requestWithdrawal(input: $input) { refusals { code } } }",
        input={"amount": usd("75.00"), "idempotencyKey": "out"},
    )
    await desk.done("erik", "approveRefund", refundCaseId=case["id"])
    document = "query($id: ID!) { refundCase(id: $id) { settlement { status shortfall { amount } } } }"
    for ref, shortfall in (("karl", None), ("erik", {"amount": "65.00"}), ("sam", {"amount": "65.00"})):
        found = (await desk.run(ref, document, id=case["id"]))["refundCase"]["settlement"]
        assert found == {"status": "AWAITING_FUNDS", "shortfall": shortfall}
