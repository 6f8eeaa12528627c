"""The demo does what a newcomer is told it does, over real sockets."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from command_line import Running, ask, running

LEADS = "{ leads(first: 50) { edges { node { id title refundAction { enabled } } } } }"
REPORT = """mutation($input: RequestLeadRefundInput!) { requestLeadRefund(input: $input) {
  refundCase { id number state } replayed refusals { code rule } } }"""
APPROVE = """mutation($input: ApproveRefundInput!) { approveRefund(input: $input) {
  refundCase { state creditedAmount { amount } } event { name } refusals { code rule } } }"""
RULES = "{ refundPolicy { rules { rule value } } }"
BALANCE = "{ viewer { balances { purpose available { amount } } } }"


def token_of(demo: Running, ref: str) -> str:
    """Return the token that the demo printed for a person."""
    found = re.search(rf"\({ref}\) +(\S+)$", demo.output, re.MULTILINE)
    assert found is not None
    return found.group(1)


def leads_purse(answer: dict[str, Any]) -> float:
    """Return what a viewer has for leads."""
    return sum(
        float(one["available"]["amount"]) for one in answer["data"]["viewer"]["balances"] if one["purpose"] == "LEADS"
    )


@pytest.mark.slow
def test_a_newcomer_takes_a_lead_refund_through_its_states(tmp_path: Path) -> None:
    """Requested, approved, credited, the balance up at once; the same key again changes nothing; Ctrl-C ends it."""
    with running(tmp_path, "demo", "--port", "0") as demo:
        url = demo.wait_for(r"refundgql demo at (\S+)/graphql").group(1)
        demo.wait_for("Stop with Ctrl-C")
        pro, support = token_of(demo, "pro-ada"), token_of(demo, "support-ivy")
        before = leads_purse(ask(url, pro, BALANCE))
        leads = [edge["node"] for edge in ask(url, pro, LEADS)["data"]["leads"]["edges"]]
        lead = next(one for one in leads if one["refundAction"]["enabled"])
        given = {"leadId": lead["id"], "reason": "OTHER", "explanation": "Wrong number.", "idempotencyKey": "tap-1"}
        first = ask(url, pro, REPORT, {"input": given})["data"]["requestLeadRefund"]
        again = ask(url, pro, REPORT, {"input": given})["data"]["requestLeadRefund"]
        assert (first["refusals"], first["refundCase"]["state"], first["replayed"]) == ([], "REQUESTED", False)
        assert (again["refundCase"], again["replayed"]) == (first["refundCase"], True)
        decided = {"refundCaseId": first["refundCase"]["id"], "idempotencyKey": "yes-1"}
        approved = ask(url, support, APPROVE, {"input": decided})["data"]["approveRefund"]
        assert (approved["refundCase"]["state"], approved["event"]["name"]) == ("CREDITED", "APPROVE")
        credited = float(approved["refundCase"]["creditedAmount"]["amount"])
        assert leads_purse(ask(url, pro, BALANCE)) == pytest.approx(before + credited)
        assert len(pro) < 30
        assert ask(url, pro[:-1], BALANCE)["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert ask(url, None, BALANCE)["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert demo.interrupt() == 0
        assert "The demo has ended." in demo.output


@pytest.mark.slow
def test_two_demos_run_beside_each_other(tmp_path: Path) -> None:
    """A port that is taken is no reason to fail, nor are rules by which the stories could not have happened."""
    policy = {"lead_window_days": 1, "timesheet_dispute_days": 1, "direct_window_days": 1, "support_window_days": 1}
    policy |= {"second_look_window_days": 1, "requests_per_payment": 1}
    with running(tmp_path, "demo", "--port", "0") as first:
        port = first.wait_for(r"refundgql demo at http://localhost:(\d+)/graphql").group(1)
        with running(tmp_path, "demo", "--port", port, REFUNDGQL_POLICY=json.dumps(policy)) as second:
            other = second.wait_for(r"refundgql demo at http://localhost:(\d+)/graphql").group(1)
            assert other != port
            second.wait_for("Stop with Ctrl-C")
            told = ask(f"http://localhost:{other}", token_of(second, "pro-ada"), RULES)["data"]["refundPolicy"]["rules"]
            assert {"rule": "L15", "value": "1 day"} in told
