"""What is said and shown on a case: messages and their audiences, evidence, who takes care of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from command_world import START, World, told
from contract_desk import ContractDesk

from refundgql.commands.assignments import AssignCase, assign_case
from refundgql.commands.evidence import (
    AddConversationEvidence,
    AddFileEvidence,
    AddStatement,
    CreateEvidenceUpload,
    add_conversation_evidence,
    add_file_evidence,
    add_statement,
    create_evidence_upload,
)
from refundgql.commands.messages import SendCaseMessage, send_case_message
from refundgql.commands.requests import RequestLeadRefund, request_lead_refund
from refundgql.commands.unit_of_work import UnitOfWork
from refundgql.commands.uploads import Upload
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import Audience, RefundReason, RefundReasonDetail, Role

NOBODY = "0192f0c4-0000-7000-8000-000000000000"


@pytest.fixture
async def desk(world: World) -> ContractDesk:
    """The people around contracts."""
    return await ContractDesk.open(world)


async def _say(desk: ContractDesk, viewer: Viewer, case_id: str, **given: Any) -> str:
    good = SendCaseMessage(refund_case_id=case_id, body="Hello.")
    return (await send_case_message(desk.world.uow, viewer, replace(good, **given))).message_id


async def test_a_message_is_for_everyone_unless_told_otherwise(desk: ContractDesk) -> None:
    """The message, its event and its instant are written together; the event does not repeat the words."""
    world = desk.world
    case_id = await desk.ask(await desk.paid_invoice(), "10")
    message_id = await _say(desk, desk.client, case_id, body="  When?  ")
    (message,) = await world.rows("SELECT * FROM case_message")
    assert (message["id"], message["audience"], message["body"], message["author_id"]) == (
        message_id,
        "EVERYONE",
        "When?",
        desk.client.account_id,
    )
    (event,) = await world.rows("SELECT * FROM refund_event WHERE name = 'SEND_MESSAGE'")
    assert (event["note"], event["internal_note"], event["at"]) == (None, None, message["sent_at"])
    assert (await world.case(case_id))["version"] == 2


async def test_nobody_writes_to_an_audience_they_are_not_in(desk: ContractDesk) -> None:
    """Each party writes to everyone or to support on their own side; staff to all; strangers to nothing."""
    world = desk.world
    case_id = await desk.ask(await desk.paid_invoice(), "10")
    allowed = {
        desk.client.external_ref: {Audience.EVERYONE, Audience.REQUESTER_AND_SUPPORT},
        desk.expert.external_ref: {Audience.EVERYONE, Audience.COUNTERPARTY_AND_SUPPORT},
        desk.ivy.external_ref: set(Audience),
    }
    for viewer in (desk.client, desk.expert, desk.ivy):
        for audience in Audience:
            if audience in allowed[viewer.external_ref]:
                await _say(desk, viewer, case_id, audience=audience)
            else:
                refusals = await world.refused(lambda: _say(desk, viewer, case_id, audience=audience))  # noqa: B023
                assert [(it.code.value, it.field) for it in refusals] == [("FORBIDDEN", ("audience",))]
    assert told(await world.refused(lambda: _say(desk, desk.stranger, case_id))) == [("NOT_FOUND", None)]
    for body in (" ", "x" * 10_001, "\0"):
        refusals = await world.refused(lambda: _say(desk, desk.client, case_id, body=body))  # noqa: B023
        assert [(it.code.value, it.field) for it in refusals] == [("INVALID_INPUT", ("body",))]


async def test_a_message_with_a_key_is_sent_once(desk: ContractDesk) -> None:
    """The optional key replays the message; without one each call is a message of its own."""
    world = desk.world
    case_id = await desk.ask(await desk.paid_invoice(), "10")
    given = SendCaseMessage(refund_case_id=case_id, body="Hello.", idempotency_key="once")
    first = await send_case_message(world.uow, desk.client, given)
    again = await send_case_message(world.uow, desk.client, given)
    assert (again.message_id, again.replayed) == (first.message_id, True)
    await _say(desk, desk.client, case_id)
    assert len(await world.rows("SELECT id FROM case_message")) == 2


async def test_a_statement_is_kept_with_its_hash(desk: ContractDesk) -> None:
    """The words are kept trimmed with their SHA-256, by whom and when; blank ones and strangers' are refused."""
    world = desk.world
    case_id = await desk.ask(await desk.paid_invoice(), "10")

    async def state(viewer: Viewer, text: str) -> Any:
        return await add_statement(world.uow, viewer, AddStatement(refund_case_id=case_id, text=text))

    result = await state(desk.expert, " I delivered on time. ")
    (piece,) = await world.rows("SELECT * FROM evidence")
    assert (piece["kind"], piece["content"], piece["added_by_id"]) == (
        "STATEMENT",
        "I delivered on time.",
        desk.expert.account_id,
    )
    assert piece["sha256"] == hashlib.sha256(b"I delivered on time.").hexdigest()
    (event,) = await world.rows("SELECT * FROM refund_event WHERE name = 'ADD_EVIDENCE'")
    assert (event["id"], event["note"]) == (result.event_id, None)
    assert [it.field for it in await world.refused(lambda: state(desk.client, ""))] == [("text",)]
    assert told(await world.refused(lambda: state(desk.stranger, "Me too."))) == [("NOT_FOUND", None)]


async def test_chat_messages_become_evidence_as_they_read(world: World) -> None:
    """Selected messages of the lead's chat are frozen in their order; others' messages do not exist."""
    pro = await world.person("pro", Role.PRO)
    customer = await world.person("customer", Role.CUSTOMER)
    lead_id = await world.lead(pro, customer)
    other = await world.say(await world.lead(pro, customer, ref="lead-2"), customer, "Elsewhere.")
    request = RequestLeadRefund(
        lead_id=lead_id,
        reason=RefundReason.JOB_CHANGED,
        reason_detail=RefundReasonDetail.OTHER_CHANGE,
        idempotency_key="request",
    )
    case_id = (await request_lead_refund(world.uow, pro, request)).case_id
    assert await world.rows("SELECT * FROM evidence") == []  # nothing had been said
    first = await world.say(lead_id, customer, "Never mind.", START)
    second = await world.say(lead_id, pro, "Why?", START.replace(hour=13))

    async def add(*message_ids: str) -> Any:
        given = AddConversationEvidence(refund_case_id=case_id, message_ids=message_ids)
        return await add_conversation_evidence(world.uow, pro, given)

    await add(second, first, first)
    (piece,) = await world.rows("SELECT * FROM evidence")
    assert [it["body"] for it in json.loads(piece["content"])] == ["Never mind.", "Why?"]
    assert piece["sha256"] == hashlib.sha256(piece["content"].encode()).hexdigest()
    assert [it.field for it in await world.refused(add)] == [("messageIds",)]
    for unknown in (other, NOBODY, ""):
        (refusal,) = await world.refused(lambda: add(first, unknown))  # noqa: B023
        assert (refusal.code.value, refusal.field) == ("NOT_FOUND", ("messageIds",))


async def test_a_contract_case_has_no_chat(desk: ContractDesk) -> None:
    """Chat messages exist for leads only."""
    case_id = await desk.ask(await desk.paid_invoice(), "10")
    given = AddConversationEvidence(refund_case_id=case_id, message_ids=(NOBODY,))
    assert told(await desk.world.refused(lambda: add_conversation_evidence(desk.world.uow, desk.client, given))) == [
        ("NOT_FOUND", None)
    ]


class _Signer:
    max_bytes = 1_000
    content_types = frozenset({"image/png", "application/pdf"})
    valid_seconds = 60

    def upload_url(self, upload: Upload, expires_at: datetime) -> str:
        return f"https://files.test/{upload.case_id}/{upload.file_name}?until={expires_at.isoformat()}"


async def test_a_file_is_announced_and_becomes_evidence_when_it_has_arrived(desk: ContractDesk) -> None:
    """An announced file gets a signed address and changes nothing; what arrives is recorded once."""
    world = desk.world
    uow = UnitOfWork(database=world.database, clock=world.clock, policy=world.policy, bus=world.bus, uploads=_Signer())
    case_id = await desk.ask(await desk.paid_invoice(), "10")
    good = CreateEvidenceUpload(
        refund_case_id=case_id, file_name="a.png", content_type="image/png", size_bytes=1_000, sha256="aB" * 32
    )
    result = await create_evidence_upload(uow, desk.client, good)
    assert (result.upload_url.startswith("https://files.test/"), result.expires_at) == (
        True,
        START.replace(minute=1),
    )
    assert await world.rows("SELECT * FROM evidence") == []

    async def why(viewer: Viewer = desk.client, **given: Any) -> list[tuple[str, Any]]:
        refusals = await world.refused(lambda: create_evidence_upload(uow, viewer, replace(good, **given)))
        return [(it.code.value, it.field) for it in refusals]

    assert await why(desk.stranger) == [("NOT_FOUND", ("refundCaseId",))]
    assert await why(size_bytes=1_001) == [("EVIDENCE_REJECTED", ("sizeBytes",))]
    assert await why(content_type="text/html") == [("EVIDENCE_REJECTED", ("contentType",))]
    assert await why(size_bytes=0, sha256="x", file_name="../a") == [
        ("INVALID_INPUT", ("fileName",)),
        ("INVALID_INPUT", ("sha256",)),
        ("INVALID_INPUT", ("sizeBytes",)),
    ]
    arrived = AddFileEvidence(
        refund_case_id=case_id,
        file_name="a.png",
        content_type="image/png",
        size_bytes=1_000,
        sha256="ab" * 32,
        storage_key="k",
        idempotency_key="upload-1",
    )
    await add_file_evidence(uow, desk.client, arrived)
    assert (await add_file_evidence(uow, desk.client, arrived)).replayed
    (piece,) = await world.rows("SELECT * FROM evidence")
    assert (piece["kind"], piece["file_name"], piece["size_bytes"], piece["storage_key"]) == (
        "FILE",
        "a.png",
        1_000,
        "k",
    )
    assert told(await world.refused(lambda: create_evidence_upload(world.uow, desk.client, good))) == [
        ("EVIDENCE_REJECTED", "L16")
    ]


async def test_staff_assign_cases_to_staff(desk: ContractDesk) -> None:
    """Staff give a case to a colleague and take it back; nobody else assigns, and nobody else is assigned."""
    world = desk.world
    case_id = await desk.ask(await desk.paid_invoice(), "10")

    async def assign(viewer: Viewer, assignee_id: str | None) -> None:
        await assign_case(world.uow, viewer, AssignCase(refund_case_id=case_id, assignee_id=assignee_id))

    async def why(viewer: Viewer, assignee_id: str | None) -> list[tuple[str, Any]]:
        return [(it.code.value, it.field) for it in await world.refused(lambda: assign(viewer, assignee_id))]

    await assign(desk.ada, desk.ivy.account_id)
    assert (await world.case(case_id))["assignee_id"] == desk.ivy.account_id
    await assign(desk.ivy, None)
    assert (await world.case(case_id))["assignee_id"] is None
    assert await world.events(case_id) == ["REQUEST", "ASSIGN", "ASSIGN"]
    assert [code for code, _ in await why(desk.client, desk.ivy.account_id)] == ["FORBIDDEN"]
    assert await why(desk.ivy, desk.client.account_id) == [("INVALID_INPUT", ("assigneeId",))]
    assert await why(desk.ivy, NOBODY) == [("NOT_FOUND", ("assigneeId",))]
    assert await why(desk.ivy, "") == [("NOT_FOUND", ("assigneeId",))]
