"""Evidence for a case: statements, chat messages frozen as they were, files (L16)."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from uuid_utils.compat import uuid7

from refundgql.commands.checks import EXPLANATION_CHARS, FILE_NAME_CHARS, MESSAGE_IDS, Checks, is_uuid
from refundgql.commands.deciding import act_on_case, case_of, visible_case_facts
from refundgql.commands.idempotency import Made, once
from refundgql.commands.messages import refuse_outsider
from refundgql.commands.results import CaseResult, UploadResult
from refundgql.commands.unit_of_work import Unit, UnitOfWork
from refundgql.commands.uploads import Upload, check_file, no_files
from refundgql.domain.calendar import to_micros
from refundgql.domain.cases import decide
from refundgql.domain.decisions import Act, Decision
from refundgql.domain.facts import Case, Facts
from refundgql.domain.refusals import Refused, not_found, refusal
from refundgql.domain.sentences import phrase, sentence
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import Audience, RefundActionName, RefusalCode
from refundgql.storage.cases import SavedDecision
from refundgql.storage.evidence import (
    ChatMessage,
    EvidenceKind,
    NewEvidence,
    count_evidence,
    freeze_chat,
    insert_evidence,
    list_chat,
)
from refundgql.storage.evidence_uploads import AnnouncedFile, insert_upload


@dataclass(frozen=True, slots=True, kw_only=True)
class AddStatement:
    """Add a statement in one's own words."""

    refund_case_id: str
    text: str
    audience: Audience | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddConversationEvidence:
    """Add chat messages, as they read now."""

    refund_case_id: str
    message_ids: tuple[str, ...]
    audience: Audience | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddFileEvidence:
    """Add a file that has arrived in the evidence store, already checked and hashed there."""

    refund_case_id: str
    file_name: str
    content_type: str
    size_bytes: int
    sha256: str
    storage_key: str
    audience: Audience | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateEvidenceUpload:
    """Announce a file: its name, media type, exact size in bytes and SHA-256 in hexadecimal."""

    refund_case_id: str
    file_name: str
    content_type: str
    size_bytes: int
    sha256: str
    audience: Audience | None = None
    idempotency_key: str | None = None


async def add_statement(uow: UnitOfWork, viewer: Viewer, given: AddStatement) -> CaseResult:
    """Add a statement to a case (L16)."""

    def fill(act: Act, checks: Checks) -> Act:
        if checks.text(given.text, "text", EXPLANATION_CHARS) is None and not checks.refusals:
            checks.refuse(sentence("STATEMENT_MISSING", "Write the statement."), "text")
        return for_audience(act, given.audience)

    async def keep(unit: Unit, decision: Decision, saved: SavedDecision) -> None:
        text = given.text.strip()
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        _keep(unit, viewer, decision, EvidenceKind.STATEMENT, sha256=sha256, content=text)

    return await act_on_case(
        uow,
        viewer,
        given,
        RefundActionName.ADD_EVIDENCE,
        fill,
        prepare=_bounded(viewer, given.audience),
        after=keep,
    )


async def add_conversation_evidence(uow: UnitOfWork, viewer: Viewer, given: AddConversationEvidence) -> CaseResult:
    """Add selected chat messages to a lead's case, frozen as they read now (L16)."""
    chosen = tuple(dict.fromkeys(given.message_ids))
    chat: list[ChatMessage] = []

    async def with_chat(unit: Unit, facts: Facts) -> Facts:
        await _bounded(viewer, given.audience)(unit, facts)
        lead = facts.lead
        chat[:] = [] if lead is None else await read_chat(unit, lead.id, chosen)
        return with_messages(facts, chat, chosen)

    def fill(act: Act, checks: Checks) -> Act:
        check_selection(chosen, checks)
        if not chosen:
            checks.refuse(sentence("MESSAGES_MISSING", "Select at least one chat message."), "messageIds")
        return for_audience(replace(act, message_ids=chosen), given.audience)

    async def keep(unit: Unit, decision: Decision, saved: SavedDecision) -> None:
        freeze_conversation(unit, viewer, decision, chat)

    return await act_on_case(
        uow,
        viewer,
        given,
        RefundActionName.ADD_EVIDENCE,
        fill,
        prepare=with_chat,
        after=keep,
    )


async def add_file_evidence(
    uow: UnitOfWork, viewer: Viewer, given: AddFileEvidence, claim: Callable[[Unit], Awaitable[None]] | None = None
) -> CaseResult:
    """Add a stored file to a case (L16); `claim` uses its announcement up in the same transaction."""

    def fill(act: Act, checks: Checks) -> Act:
        checks.text(given.file_name, "fileName", FILE_NAME_CHARS)
        return for_audience(act, given.audience)

    async def keep(unit: Unit, decision: Decision, saved: SavedDecision) -> None:
        if claim is not None:
            await claim(unit)
        _keep(
            unit,
            viewer,
            decision,
            EvidenceKind.FILE,
            sha256=given.sha256,
            file_name=given.file_name.strip(),
            content_type=given.content_type,
            size_bytes=given.size_bytes,
            storage_key=given.storage_key,
        )

    return await act_on_case(
        uow,
        viewer,
        given,
        RefundActionName.ADD_EVIDENCE,
        fill,
        prepare=_bounded(viewer, given.audience),
        after=keep,
    )


async def create_evidence_upload(uow: UnitOfWork, viewer: Viewer, given: CreateEvidenceUpload) -> UploadResult:
    """Return a signed address that takes exactly the announced file, once and for a short time (L16).

    Nothing is recorded on the case: the file becomes evidence when it has arrived.

    Refuses: as adding evidence does;
    EVIDENCE_REJECTED for a size or a media type that is not taken.
    """
    upload_id = str(uuid7())

    async def work(unit: Unit) -> Made:
        facts = await visible_case_facts(unit, viewer, given.refund_case_id)
        at, uploads = unit.now(), uow.uploads
        if uploads is None:
            raise Refused(no_files())
        checks = Checks()
        name = check_file(
            checks,
            uploads,
            file_name=given.file_name,
            content_type=given.content_type,
            size_bytes=given.size_bytes,
            sha256=given.sha256,
        )
        await _bounded(viewer, given.audience)(unit, facts)
        act = Act(action=RefundActionName.ADD_EVIDENCE, at=at, viewer=viewer, case_id=given.refund_case_id)
        decide(replace(act, faults=tuple(checks.refusals)), facts, unit.policy)
        upload = Upload(
            id=upload_id,
            case_id=given.refund_case_id,
            account_ref=viewer.external_ref,
            file_name=name or "",
            content_type=given.content_type,
            size_bytes=given.size_bytes,
            sha256=given.sha256.lower(),
        )
        expires_at = at + timedelta(seconds=uploads.valid_seconds)
        announced = AnnouncedFile(
            id=upload.id,
            case_id=upload.case_id,
            account_id=viewer.account_id,
            file_name=upload.file_name,
            content_type=upload.content_type,
            size_bytes=upload.size_bytes,
            sha256=upload.sha256,
            expires_at=to_micros(expires_at),
            audience=given.audience or Audience.EVERYONE,
        )
        insert_upload(unit.tx, announced)
        return {"upload_url": uploads.upload_url(upload, expires_at), "expires_at": expires_at.isoformat()}

    made, replayed = await once(uow, viewer, given, work)
    return UploadResult(made["upload_url"], datetime.fromisoformat(made["expires_at"]), replayed)


async def read_chat(unit: Unit, lead_id: str, chosen: Sequence[str], *, latest: int = 0) -> list[ChatMessage]:
    """Return the chosen and the latest messages of a lead's chat, oldest first; a text that is no id finds none."""
    return await list_chat(unit.tx, lead_id, chosen=[one for one in chosen if is_uuid(one)], latest=latest)


def with_messages(facts: Facts, chat: Sequence[ChatMessage], chosen: Sequence[str]) -> Facts:
    """Return the facts with the ids of the lead's chat.

    Refuses: NOT_FOUND when one of the chosen messages is not in it.
    """
    known = frozenset(message.id for message in chat)
    if not known.issuperset(chosen):
        raise Refused(not_found(phrase("chat message"), "messageIds"))
    return facts if facts.lead is None else replace(facts, lead=replace(facts.lead, message_ids=known))


def check_selection(message_ids: Sequence[str], checks: Checks) -> None:
    """Refuse a selection of more chat messages than one act may name."""
    if len(message_ids) > MESSAGE_IDS:
        checks.refuse(
            sentence("TOO_MANY_MESSAGES", "Select at most {limit} messages at a time.", limit=MESSAGE_IDS), "messageIds"
        )


def freeze_conversation(unit: Unit, viewer: Viewer, decision: Decision, messages: Sequence[ChatMessage]) -> None:
    """Keep what was said, with its hash; later edits and deletions do not reach it. Nothing said is not kept.

    Of more than one piece of evidence may hold, the latest is kept.
    """
    room = FROZEN_CHARS
    for place in range(len(messages) - 1, -1, -1):
        room -= len(messages[place].body)
        if room < 0 or len(messages) - place > FROZEN_MESSAGES:
            messages = messages[place + 1 :]
            break
    if not messages:
        return
    content, sha256 = freeze_chat(messages)
    _keep(unit, viewer, decision, EvidenceKind.CONVERSATION, sha256=sha256, content=content)


FROZEN_MESSAGES = 1_000
"""The latest of a chat that are frozen with a request; older ones can be chosen, 200 at a time."""
FROZEN_CHARS = 4_000_000
"""As much as is said in 200 of the longest messages: what a side chose is always kept whole."""
ITEMS_PER_SIDE = 100
"""As many as anybody reads; the list of a case's evidence is always whole."""


def side_of(viewer: Viewer, case: Case) -> str:
    """Return whose evidence it is that somebody adds to a case."""
    if viewer.account_id == case.requester_id:
        return "REQUESTER"
    return "COUNTERPARTY" if viewer.account_id == case.counterparty_id else "STAFF"


def for_audience(act: Act, audience: Audience | None) -> Act:
    """Return an act that tells of evidence for an audience, everybody on the case unless one is named."""
    return act if audience is None else replace(act, audience=audience)


def _bounded(viewer: Viewer, audience: Audience | None) -> Callable[[Unit, Facts], Awaitable[Facts]]:
    """Return what refuses evidence beyond its side's bound, and for an audience that whoever adds it is not in (D26).

    Refuses: FORBIDDEN; TOO_MANY_ITEMS.
    """

    async def check(unit: Unit, facts: Facts) -> Facts:
        case = case_of(facts)
        refuse_outsider(viewer, case, audience or Audience.EVERYONE)
        count = await count_evidence(unit.tx, case.id, side_of(viewer, case))
        if count >= ITEMS_PER_SIDE:
            message = sentence(
                "TOO_MUCH_EVIDENCE",
                "This side has added {limit} items of evidence, as many as it may: send a message.",
                limit=ITEMS_PER_SIDE,
            )
            raise Refused(refusal(RefusalCode.TOO_MANY_ITEMS, message, "D26"))
        return facts

    return check


def _keep(unit: Unit, viewer: Viewer, decision: Decision, kind: EvidenceKind, **kept: Any) -> None:
    """Keep what was added; a kind has its own of the columns of evidence."""
    event = decision.event
    piece = NewEvidence(
        id=str(uuid7()),
        case_id=decision.case.id,
        kind=kind,
        added_at=to_micros(event.at),
        added_by_id=event.actor_id or decision.case.filed_by_id,
        audience=event.audience,
        side=side_of(viewer, decision.case),
        sequence=event.sequence,
        **kept,
    )
    insert_evidence(unit.tx, piece)
