"""What the documents tell people to type is run: every operation, every command, or it says here why not."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from command_line import environment, wait_until_ready
from docs_blocks import DOCS, block, blocks_of, done, tools
from graphql import OperationDefinitionNode, parse
from test_walkthrough import Walk, walk

from databases import new_database_url
from patience import PATIENCE_SECONDS
from ports import free_port
from refundgql.commands.demo_dataset import demo_records
from toy_streams import Answers

__all__ = ["walk"]

ROOT = DOCS.parent
FIXTURES = ROOT / "fixtures" / "operations"
ELSEWHERE = {
    "walkthrough.md": "tests/cli/test_walkthrough.py runs it",
    "workflow.md": "tests/cli/test_workflow_page.py prints it",
    "clients.md": "tests/clients runs it",
    "webhooks.md": "tests/webhooks runs it",
    "moving-in.md": "tests/cli/test_moving_in_page.py runs it",
    "api.md": "its operations are those of fixtures/operations, which are run here",
}
HERE = {
    "README.md": [
        "mutation Report($input: RequestLeadRefundInput!) {",
        "subscription Follow($id: ID!, $after: String) {",
    ],
    "operations.md": [
        "export REFUNDGQL_KEY_FILE=key.pem",
        "refundgql ledger verify",
        "refundgql export --format jsonl > everything.jsonl",
        "refundgql account create --role ADMIN kim",
        "refundgql person export pro-ada --out pro-ada.zip",
    ],
}
TEST_BACKUP = "tests/cli/test_backup.py runs it"
# By what they begin with.
WHY_NOT = {
    "python scripts/mutations.py": "it takes hours",
    "stateDiagram-v2": "a diagram",
    "python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/refundgql demo": "tests/cli/test_demo.py: demo",
    "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/python scripts/check.py": "CI runs it",
    '{"refundCase": null, "event": null, "refusals": [': "an answer",
    "pip install 'refundgql[postgres]'": "names machines; tests/web/test_metrics.py serves with several workers",
    "map $http_upgrade $connection_upgrade {": "tests/clients/test_nginx.py runs it",
    "pip install 'refundgql[otel]'": "names a machine; tests/web/test_tracing.py sends to a collector",
    "refundgql backup copy.sqlite3": TEST_BACKUP,
    "rm -f refundgql.sqlite3 refundgql.sqlite3-wal refundgql.sqlite3-shm": TEST_BACKUP,
    'pg_dump --format=custom --file=copy.dump "$REFUNDGQL_DATABASE_URL"': TEST_BACKUP,
    'pg_restore --no-owner --exit-on-error --dbname="$RESTORED_URL" copy.dump': TEST_BACKUP,
    "pg_basebackup --checkpoint=fast": "tests/faults/test_point_in_time.py runs it",
    "cat >> base/postgresql.auto.conf <<EOF": "tests/faults/test_point_in_time.py runs it",
    "refundgql migrate": "tests/faults/test_upgrade.py runs both",
    "python scripts/faults.py": "takes an hour; tests/faults are its parts",
    "REFUNDGQL_FUZZ_EXAMPLES=20000": "takes minutes; CI runs the test with fewer examples",
    "$ python -m benchmarks": "takes minutes; tests/cli/test_benchmarks.py runs the short form",
}


def test_every_block_is_run_or_says_why_not() -> None:
    """A block that is added to a document without a test is found here, and so is an excuse for one that has gone."""
    used = set()
    for path in [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]:
        if path.name in ELSEWHERE:
            continue
        for one in blocks_of(path):
            if one.first_line in HERE.get(path.name, []):
                continue
            excuses = [begins for begins in WHY_NOT if one.first_line.startswith(begins)]
            assert excuses, f"{path.name}, {one.heading}: {one.first_line}"
            used |= set(excuses)
    assert set(WHY_NOT) == used


def test_the_proxy_adds_the_address_that_it_sees() -> None:
    """In nginx a location that sets any header takes over none of the server's: each says it anew, or sets none."""
    text = block("operations.md", "map $http_upgrade $connection_upgrade {").text
    said = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
    server, *locations = re.split(r"^  location ", text, flags=re.MULTILINE)
    assert said in server
    assert locations
    assert all(said in one for one in locations if "proxy_set_header" in one)


def test_the_api_page_shows_the_operations_that_are_run() -> None:
    """Each example of docs/api.md stands in fixtures/operations word for word."""
    texts = "\n".join(path.read_text(encoding="utf-8") for path in FIXTURES.glob("*.graphql"))
    assert [one.first_line for one in blocks_of(DOCS / "api.md") if one.text.strip() not in texts] == []


class Clients:
    """Somebody who runs the documents of real clients on a desk, each as the person it is for."""

    def __init__(self, walk: Walk) -> None:
        """Keep the desk, and read every operation by name."""
        self.walk = walk
        self.left: dict[str, str] = {}
        for path in FIXTURES.glob("*.graphql"):
            text = path.read_text(encoding="utf-8")
            for one in parse(text).definitions:
                assert isinstance(one, OperationDefinitionNode)
                assert one.name is not None
                assert one.loc is not None
                self.left[one.name.value] = text[one.loc.start : one.loc.end]

    async def run(self, who: str | None, name: str, **variables: Any) -> Any:
        """Run an operation by name, which must have no errors."""
        document = self.left.pop(name)
        if document.startswith("subscription"):
            return await first_of(self.walk, who, document, self.walk.resolve(variables))
        answer = await self.walk.desk.execute(who, document, self.walk.resolve(variables))
        assert "errors" not in answer, (name, answer["errors"])
        return answer["data"]


async def first_of(walk: Walk, who: str | None, document: str, variables: dict[str, Any]) -> Any:
    """Return the first update of a subscription; None when it opens and has nothing to tell yet."""
    desk: Any = walk.desk
    viewer = None if who is None else await desk._application.load_viewer(who)
    prepared = desk._engine.prepare(document, None)
    stream = await desk._engine.subscribe(prepared, variables, desk._application.context(viewer))
    assert not isinstance(stream, dict), stream
    if "refundCaseUpdates" not in document:
        await stream.aclose()
        return None
    answers = Answers(stream)
    first = await anext(answers)
    await answers.aclose()
    assert "errors" not in first, first
    return first["data"]


async def evidence_is_taken_back_and_redacted(them: Clients, case: dict[str, Any]) -> None:
    """Take back a statement as the one who gave it, and redact another as an administrator: the hashes stay."""
    gives = "mutation($input: AddStatementInput!) { addStatement(input: $input) { refundCase { evidence { id } } } }"
    for act, who, more, mark in (
        ("WithdrawEvidence", "pro-ada", {}, "withdrawnAt"),
        ("RedactEvidence", "admin-kim", {"reason": "It names somebody."}, "redactedAt"),
    ):
        given = {"input": {**case, "text": f"Seen before {act}."}}
        answer = await them.walk.desk.execute("pro-ada", gives, given)
        one = answer["data"]["addStatement"]["refundCase"]["evidence"][-1]["id"]
        (payload,) = (await them.run(who, act, input={**more, "evidenceId": one})).values()
        assert payload["refusals"] == []
        (it,) = [it for it in payload["refundCase"]["evidence"] if it["id"] == one]
        assert it["sha256"]
        assert it[mark]


async def payouts_are_followed_and_a_person_forgotten(them: Clients) -> None:
    """Take money out, cancel that, list and follow payouts; then an administrator erases somebody who has none."""
    await them.run("expert-gus", "FollowPayouts")
    amount = {"amount": "0.01", "currencyCode": "USD"}
    made = (await them.run("expert-gus", "TakeOut", input={"amount": amount, "idempotencyKey": "out"}))[
        "requestWithdrawal"
    ]
    assert made["refusals"] == []
    given = {"withdrawalId": made["withdrawal"]["id"], "idempotencyKey": "back"}
    assert (await them.run("expert-gus", "CancelPayout", input=given))["cancelWithdrawal"]["withdrawal"]["cancelledAt"]
    assert (await them.run("expert-gus", "Payouts"))["viewer"]["withdrawals"]["edges"]
    jon = (await them.walk.desk.execute("support-jon", "{ viewer { id } }", {}))["data"]["viewer"]["id"]
    given = {"accountId": jon, "reason": "Asked for.", "idempotencyKey": "erase"}
    erased = (await them.run("admin-kim", "EraseAccount", input=given))["eraseAccount"]
    assert (erased["refusals"], erased["account"]["name"]) == ([], "[erased]")


@pytest.mark.slow
async def test_documents_of_real_clients_run(walk: Walk) -> None:
    """Every operation of fixtures/operations does what it is for, on the demo's desk."""
    them = Clients(walk)
    given = {"leadId": "$lead:lead-kitchen", "reason": "OTHER", "explanation": "Not it.", "idempotencyKey": "a"}
    made = (await them.run("pro-ada", "ReportLead", input=given))["requestLeadRefund"]
    assert made["refusals"] == []
    case_id = made["refundCase"]["id"]
    case: dict[str, Any] = {"refundCaseId": case_id}
    number = made["refundCase"]["number"]
    assert (await them.run("pro-ada", "PhoneCase", id=case_id))["refundCase"]["number"] == number
    assert (await them.run("pro-ada", "FollowCase", id=case_id))["refundCaseUpdates"]
    await them.run("pro-ada", "FollowMine")
    file = {"fileName": "a.png", "contentType": "image/png", "sizeBytes": 10, "sha256": "0" * 64}
    await them.run("pro-ada", "SendFile", input={**case, **file})
    form = await them.run("pro-ada", "RequestForm", kind="LEAD")
    assert given["reason"] in [one["reason"] for one in form["refundReasons"]]
    assert form["uploadLimits"]["contentTypes"] == []  # this desk has no place for files
    for name in ("MyLeads", "Conversations", "BalanceAndHistory"):
        assert await them.run("pro-ada", name)
    ivy = (await walk.desk.execute("support-ivy", "{ viewer { id } }", {}))["data"]["viewer"]["id"]
    assert (await them.run("support-ivy", "SupportQueue"))["supportQueue"]["edges"]
    await them.run("support-ivy", "FollowQueue")
    assert (await them.run("support-ivy", "CaseByNumber", number=number))["refundCaseByNumber"]["id"] == case_id
    await them.run("support-ivy", "TakeCase", input={**case, "assigneeId": ivy})
    await them.run("support-ivy", "NoteOnCase", input={**case, "body": "Looks right.", "audience": "INTERNAL"})
    await them.run("support-ivy", "UnreadOfMine", me=ivy)
    assert (await them.run("support-ivy", "Me"))["viewer"]["id"] == ivy
    assert (await them.run("support-ivy", "DeskQueue"))["supportQueue"]["edges"]
    assert (await them.run("support-ivy", "DeskCases", filter={"assigneeId": ivy}))["refundCases"]["totalCount"] == 1
    assert (await them.run("support-ivy", "DeskCase", id=case_id))["refundCase"]["number"] == number
    await them.run("support-ivy", "DeskFollow")
    assert (await them.run("support-ivy", "DeskFollowCase", **case))["refundCaseUpdates"]
    stated = await them.run("support-ivy", "StatementOnCase", input={**case, "text": "Seen in the chat."})
    assert stated["addStatement"]["refusals"] == []
    await evidence_is_taken_back_and_redacted(them, case)
    people = (await them.run("support-ivy", "FindPeople", text="ada BRANDT"))["accounts"]["edges"]
    assert [edge["node"]["externalRef"] for edge in people] == ["pro-ada"]
    found = (await them.run("support-ivy", "Person", refs=["pro-ada"]))["accounts"]["edges"][0]["node"]
    assert [edge["node"]["number"] for edge in found["refundCases"]["edges"]] == [number]
    assert found["summary"]["openCases"] == 1
    assert {edge["node"]["externalRef"] for edge in (await them.run("support-ivy", "Staff"))["staff"]["edges"]} >= {
        "support-ivy",
        "admin-kim",
    }
    await them.run("support-ivy", "MarkRead", input=case)
    looked = await them.run("support-ivy", "LookAtDecision", input={**case, "decision": "APPROVE"})
    assert (looked["decisionPreview"]["allowed"], looked["decisionPreview"]["needsConfirmation"]) == (True, False)
    assert (await them.run("support-ivy", "ProposedDecisions"))["supportQueue"]["edges"] == []
    for act, more in (("ConfirmDecision", {}), ("ReturnDecision", {"reason": "No."})):
        unsigned = await them.run("admin-kim", act, input={**case, **more, "idempotencyKey": act})
        (payload,) = unsigned.values()
        assert [one["code"] for one in payload["refusals"]] == ["TRANSITION_NOT_ALLOWED"]
    question = {**case, "from": "REQUESTER", "question": "Which hours?", "idempotencyKey": "q"}
    assert (await them.run("support-ivy", "SupportAsks", input=question))["requestInformation"]["refusals"] == []
    approved = await them.run("support-ivy", "ApproveCase", input={**case, "idempotencyKey": "b"})
    assert approved["approveRefund"]["refusals"] == []
    await them.run("support-ivy", "DeclineCase", input={**case, "message": "No.", "idempotencyKey": "c"})
    await them.run("admin-kim", "ReopenCase", input={**case, "reason": "Look again.", "idempotencyKey": "o"})
    reversed_ = await them.run("admin-kim", "ReverseCredit", input={**case, "reason": "Oops.", "idempotencyKey": "r"})
    assert reversed_["reverseRefund"]["refusals"] == []
    many = {"decisions": [{**case, "decision": "APPROVE"}], "idempotencyKey": "d"}
    await them.run("support-ivy", "DecideMany", input=many)
    await them.run("support-ivy", "Metrics", **{"from": "2026-03-01T00:00:00Z", "until": "2026-04-01T00:00:00Z"})
    assert (await them.run("support-ivy", "Simulate", overrides={"leadWindowDays": 1}))["refundPolicySimulation"]
    assert (await them.run("client-eva", "MyContracts"))["contracts"]["edges"]
    invoice = next(name for name in walk.names if name.startswith("$invoice:"))
    await them.run("client-eva", "PreviewRefund", input={"invoiceId": invoice})
    amount = {"amount": "1.00", "currencyCode": "USD"}
    await them.run("client-eva", "AskForRefund", input={"invoiceId": invoice, "amount": amount, "idempotencyKey": "e"})
    await them.run("expert-gus", "ExpertApproves", input={**case, "idempotencyKey": "f"})
    await them.run("expert-gus", "ExpertDeclines", input={**case, "message": "No.", "idempotencyKey": "g"})
    await them.run(None, "PolicyAndWorkflow", kind="LEAD")
    await them.run("marketplace", "Sync", input={"records": []})
    await them.run("admin-kim", "WebhookLog", endpoint="none")
    await payouts_are_followed_and_a_person_forgotten(them)
    assert them.left == {}, "an operation of fixtures/operations is run here, as somebody whom it is for"


async def test_the_examples_of_the_readme_run(walk: Walk) -> None:
    """The mutation with the variables beside it, its replay, its refusal on day 31, and the subscription."""
    mutation, subscription = (one.text for one in blocks_of(ROOT / "README.md") if one.language == "graphql")
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    variables = re.search(r'^with `(\{"input": .+\})`$', text, re.MULTILINE)
    assert variables is not None
    given = json.loads(variables[1])["input"]
    given["leadId"] = walk.names["$lead:lead-kitchen"]
    answer = await walk.desk.execute("pro-ada", mutation, {"input": given})
    made = answer["data"]["requestLeadRefund"]
    assert (made["refundCase"]["state"], made["event"]["sequence"], made["refusals"]) == ("REQUESTED", 1, [])
    late = {**given, "leadId": walk.names["$lead:lead-door"], "idempotencyKey": "late"}
    refused = (await walk.desk.execute("pro-ada", mutation, {"input": late}))["data"]["requestLeadRefund"]
    assert (refused["refundCase"], refused["event"]) == (None, None)
    assert [(one["code"], one["rule"]) for one in refused["refusals"]] == [("WINDOW_CLOSED", "L15")]
    update = (await first_of(walk, "pro-ada", subscription, {"id": made["refundCase"]["id"]}))["refundCaseUpdates"]
    assert update["cursor"]
    assert update["refundCase"] == {"state": "REQUESTED", "version": 1}


@pytest.mark.slow
def test_one_machine_serves_as_described(tmp_path: Path) -> None:
    """The first block of docs/operations.md, word for word, ends in a server that answers, and in no other error."""
    records = demo_records(datetime.now(UTC).date())
    (tmp_path / "records.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in records))
    port = free_port()
    more = {"PATH": tools(), "REFUNDGQL_PORT": str(port)}
    process = subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", block("operations.md", HERE["operations.md"][0]).text],
        env=environment(tmp_path, **more),
        cwd=tmp_path,
        start_new_session=True,
    )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(PATIENCE_SECONDS)


@pytest.mark.slow
def test_the_other_commands_of_the_page_run(tmp_path: Path) -> None:
    """The ledger is proven and everything is taken out, by the commands of docs/operations.md."""
    settings = {"REFUNDGQL_DATABASE_URL": new_database_url("sqlite", tmp_path)}
    (verify,) = [one for one in blocks_of(DOCS / "operations.md") if one.text == "refundgql ledger verify\n"]
    assert "every invariant holds" in done(verify.text, tmp_path, **settings)
    done(block("operations.md", HERE["operations.md"][2]).text, tmp_path, **settings)
    assert (tmp_path / "cases.csv").exists()


@pytest.mark.slow
def test_people_are_made_told_and_forgotten_as_described(tmp_path: Path) -> None:
    """The commands for first accounts and for one person, word for word: an archive, and then nobody of that name."""
    settings = {"REFUNDGQL_DATABASE_URL": new_database_url("sqlite", tmp_path)}
    made = done(block("operations.md", HERE["operations.md"][3]).text, tmp_path, **settings)
    assert made.splitlines() == ["kim has the role ADMIN now.", "marketplace has the role SERVICE now."]
    record = {"account": {"externalRef": "pro-ada", "name": "Ada Lovelace", "roles": ["PRO"]}}
    (tmp_path / "records.jsonl").write_text(json.dumps(record))
    done("refundgql import records.jsonl", tmp_path, **settings)
    assert "Erased." in done(block("operations.md", HERE["operations.md"][4]).text, tmp_path, **settings)
    with zipfile.ZipFile(tmp_path / "pro-ada.zip") as archive:
        assert json.loads(archive.read("person.json"))["account"][0]["name"] == "Ada Lovelace"
    assert "Ada" not in done("refundgql export; refundgql ledger verify", tmp_path, **settings)
