"""Evidence on a case: statements, frozen chat messages and files (L16)."""

from datetime import datetime
from typing import Annotated, Any

import orjson
import strawberry

from refundgql.api.acts.inputs import KEY, Input, optional, required
from refundgql.api.acts.payloads import REFUSALS, REPLAYED, PayloadRow, RefundCasePayload, act
from refundgql.api.context import LevelInfo
from refundgql.api.types.connections import asked_page
from refundgql.api.types.ids import uuid_of
from refundgql.api.types.lazy import LazyAccount
from refundgql.api.types.nodes import Node
from refundgql.api.types.refusals import Refusal
from refundgql.api.types.relations import accounts_of
from refundgql.commands import evidence as commands
from refundgql.commands import evidence_changes as changes
from refundgql.domain.vocabulary import Audience
from refundgql.gql.declare import Level, leaf, level
from refundgql.gql.rows import row
from refundgql.queries.evidence import EvidenceRow, FrozenMessageRow, frozen_messages
from refundgql.queries.pages import MAXIMUM_ITEMS


@strawberry.interface(
    description="Something that supports a case; it never changes, and can be withdrawn or redacted whole (D26). Seen "
    "by its audience."
)
class Evidence:
    id: strawberry.ID = leaf(lambda row: f"{row.TYPENAME}_{row.id}", description="The opaque global id.")
    added_at: datetime = strawberry.field(description="When it was added.")

    @level(description="Who added it.")
    @staticmethod
    async def added_by(rows: list[EvidenceRow], info: LevelInfo) -> Level[LazyAccount]:
        return await accounts_of(info, [row.added_by_id for row in rows])

    sha256: str = strawberry.field(
        description="The SHA-256 of its content in hexadecimal; proves that it did not change."
    )
    audience: Audience = strawberry.field(description="Who reads it, and whoever added it.")
    withdrawn_at: datetime | None = strawberry.field(
        description="When whoever added it withdrew it; its content is not read any more."
    )
    redacted_at: datetime | None = strawberry.field(
        description="When an administrator redacted it; its content is gone for everybody."
    )


@strawberry.type(description="What somebody states in their own words.")
class StatementEvidence(Evidence, Node):
    text: str = leaf(lambda row: row.content or "", description="The words.")


@row(FrozenMessageRow)
@strawberry.type(
    description="A chat message as it was when it was frozen: an object of its own, never the live message."
)
class FrozenMessage:
    id: strawberry.ID = leaf(lambda row: f"FrozenMessage_{row.id}", description="The opaque global id.")
    author_name: str = strawberry.field(description="Who wrote it.")
    body: str = strawberry.field(description="What it said.")
    sent_at: datetime = strawberry.field(description="When it was sent.")
    sha256: str = strawberry.field(description="The SHA-256 of what was frozen of it, in hexadecimal.")


@strawberry.type(description="Chat messages as they were when they were added; later edits and deletions do not show.")
class ConversationEvidence(Evidence, Node):
    message_count: int = leaf(
        lambda row: len(orjson.loads(row.content or "[]")),
        description="How many messages were frozen; of a longer chat, a request freezes the latest 1,000.",
    )

    @level(description="The messages, oldest first, a page at a time.")
    @staticmethod
    def messages(
        rows: list[EvidenceRow],
        info: LevelInfo,
        first: Annotated[int, strawberry.argument(description="How many, at most 100.")] = MAXIMUM_ITEMS,
        after: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only those after the message with this id.")
        ] = None,
    ) -> Level[list[FrozenMessage]]:
        size = asked_page(first, None, None, None).size
        seen = None if after is None else uuid_of("FrozenMessage", after) or ""
        return [frozen_messages(row, size, seen) for row in rows]


@strawberry.type(description="A file.")
class FileEvidence(Evidence, Node):
    file_name: str = leaf(lambda row: row.file_name or "", description="Its name when it was added.")
    content_type: str = leaf(lambda row: row.content_type or "", description="Its media type, checked on arrival.")
    size_bytes: int = leaf(lambda row: row.size_bytes or 0, description="Its size in bytes.")

    @level(personal=True, description="An address to fetch it from, for you and for a short time.")
    @staticmethod
    def url(rows: list[EvidenceRow], info: LevelInfo) -> list[str]:
        viewer, context = info.context.signed_in(), info.context
        sign = context.app.download_url
        if sign is None:
            raise LookupError("files are shown by a server that keeps none")
        return [sign(viewer, row.id, context.now) for row in rows]


AUDIENCE = "Who is to read it; EVERYONE when left out. You must be in it yourself."


@strawberry.input(description="A statement to add.")
class AddStatementInput(Input):
    refund_case_id: strawberry.ID = required("The case.")
    text: str = required("The words, at most 10,000 characters.")
    audience: Audience | None = optional(AUDIENCE)
    idempotency_key: str | None = optional(KEY)


@strawberry.input(description="Chat messages to add; they are frozen as they read now.")
class AddConversationEvidenceInput(Input):
    refund_case_id: strawberry.ID = required("The case, about a lead.")
    message_ids: list[strawberry.ID] = required("Messages of that lead's chat, one to 200.")
    audience: Audience | None = optional(AUDIENCE)
    idempotency_key: str | None = optional(KEY)


@strawberry.input(description="A file that is about to be sent.")
class CreateEvidenceUploadInput(Input):
    refund_case_id: strawberry.ID = required("The case.")
    file_name: str = required("The file's name.")
    content_type: str = required("Its media type; what arrives must be of that type.")
    size_bytes: int = required("Its exact size in bytes.")
    sha256: str = required("The SHA-256 of its content in hexadecimal; what arrives must have it.")
    audience: Audience | None = optional(AUDIENCE)
    idempotency_key: str | None = optional(KEY)


@strawberry.input(description="Evidence to take back.")
class WithdrawEvidenceInput(Input):
    evidence_id: strawberry.ID = required("The evidence, added by yourself.")
    idempotency_key: str | None = optional(KEY)


@strawberry.input(description="Evidence to take away from everybody.")
class RedactEvidenceInput(Input):
    evidence_id: strawberry.ID = required("The evidence.")
    reason: str = required("Why, for the record, at most 4,000 characters.")
    idempotency_key: str | None = optional(KEY)


@row("UploadLimitsRow")
@strawberry.type(description="What files are taken as evidence.")
class UploadLimits:
    max_bytes: int = strawberry.field(description="The size of the largest file, in bytes; 0 where no files are taken.")
    content_types: list[str] = strawberry.field(description="The media types, in alphabetical order.")
    per_side: int = strawberry.field(description="How many items of evidence each side, and staff, may add to a case.")


class UploadLimitsRow:
    """What files are taken."""

    __slots__ = ("content_types", "max_bytes", "per_side")

    def __init__(self, max_bytes: int, content_types: list[str]) -> None:
        """Keep them."""
        self.max_bytes = max_bytes
        self.content_types = content_types
        self.per_side = commands.ITEMS_PER_SIDE


@strawberry.type
class EvidenceQueries:
    @level(description="What files are taken as evidence.")
    @staticmethod
    async def upload_limits(rows: list[Any], info: LevelInfo) -> Level[UploadLimits]:
        info.context.signed_in()
        uploads = info.context.app.uow.uploads
        if uploads is None:
            return [UploadLimitsRow(0, [])]
        return [UploadLimitsRow(uploads.max_bytes, sorted(uploads.content_types))]


@row(PayloadRow)
@strawberry.type(description="Where to send a file.")
class EvidenceUploadPayload:
    upload_url: str | None = leaf(
        lambda row: row.id("upload_url"),
        description="The address to PUT the file to, once; it is evidence when it has arrived. None when refused.",
    )
    expires_at: datetime | None = leaf(
        lambda row: row.id("expires_at"), description="Until when the address works, exclusive."
    )
    replayed: bool = strawberry.field(description=REPLAYED)
    refusals: list[Refusal] = strawberry.field(description=REFUSALS)


@strawberry.type
class EvidenceMutations:
    add_statement = act(
        commands.add_statement,
        AddStatementInput,
        RefundCasePayload,
        argument="The statement.",
        description="Add a statement to a case (L16).",
    )
    create_evidence_upload = act(
        commands.create_evidence_upload,
        CreateEvidenceUploadInput,
        EvidenceUploadPayload,
        argument="The file.",
        description="Ask for an address to send a file to (L16).",
    )
    withdraw_evidence = act(
        changes.withdraw_evidence,
        WithdrawEvidenceInput,
        RefundCasePayload,
        argument="The evidence.",
        description="Take back evidence of your own, until a decision was made with it (D26).",
    )

    redact_evidence = act(
        changes.redact_evidence,
        RedactEvidenceInput,
        RefundCasePayload,
        argument="The evidence, and why.",
        description="As an administrator, take evidence away from everybody, its file too (D26).",
    )
    add_conversation_evidence = act(
        commands.add_conversation_evidence,
        AddConversationEvidenceInput,
        RefundCasePayload,
        argument="The messages.",
        description="Add chat messages of a lead to its case (L16).",
    )
