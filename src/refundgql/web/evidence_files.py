"""Take and give evidence files: bytes that fit their announcement in, files that their viewer may see out."""

import asyncio
import contextlib
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable, Iterator
from tempfile import TemporaryFile
from typing import IO, Final, Protocol
from urllib.parse import quote

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from refundgql.api.types.ids import encode_id
from refundgql.commands.evidence_files import UploadUsed, find_announced, receive_file
from refundgql.commands.unit_of_work import UnitOfWork
from refundgql.domain.file_types import ContentCheck
from refundgql.domain.refusals import Refused
from refundgql.domain.sentences import Sentence, sentence
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import RefusalCode
from refundgql.gql.answers import RequestRefused
from refundgql.gql.bodies import CLOSE
from refundgql.gql.errors import ErrorCode
from refundgql.queries.evidence import find_file
from refundgql.storage.evidence_uploads import AnnouncedFile
from refundgql.web.evidence_tickets import FILES, UPLOADS, EvidenceTickets, denied, nothing_here

# A phone on a bad line sends 20 MiB in this time; a client that says nothing for the shorter one has gone.
WHOLE_SECONDS: Final = 300.0
SILENT_SECONDS: Final = 15.0
# Each may hold one file of the largest size on the local disk.
UPLOADS_AT_ONCE: Final = 32
_WRITE_BYTES: Final = 262_144


class EvidenceDesk(Protocol):
    """What files are taken and given with."""

    @property
    def uow(self) -> UnitOfWork:
        """Return what commands need."""

    async def load_viewer(self, external_ref: str) -> Viewer | None:
        """Return an account with the roles it has now."""


class EvidenceFiles:
    """The two endpoints of evidence files; a ticket in the address stands for the bearer token."""

    def __init__(self, tickets: EvidenceTickets, desk: Callable[[], EvidenceDesk]) -> None:
        self._tickets = tickets
        self._desk = desk
        self._under_way: set[str] = set()

    def routes(self) -> tuple[Route, ...]:
        """Return where files are sent to and fetched from."""
        return (
            Route(UPLOADS + "/{ticket}", self.take, methods=["PUT"]),
            Route(FILES + "/{ticket}", self.give, methods=["GET"]),
        )

    async def take(self, request: Request) -> Response:
        """Take the announced file and answer with the case it is evidence of.

        Refuses: 404 for an address that was not signed for anything this account may do now, 410 for one that has
        expired or was used, 409 while the same file is coming, 413, 422 for content that was not announced, 408, 503.
        """
        desk = self._desk()
        ticket, viewer = await self._bearer(request, UPLOADS, desk)
        try:
            announced = await find_announced(desk.uow, viewer, ticket)
            _check_length(request, announced)
            # The file has no name yet: when this process is killed nothing is left of it.
            with self._turn(ticket), TemporaryFile() as file:
                await self._receive(request, announced, file)
                result = await receive_file(desk.uow, viewer, announced, file)
        except Refused as refused:
            raise _refusal(refused) from None
        except UploadUsed:
            raise denied(
                410, ErrorCode.GONE, sentence("UPLOAD_ADDRESS_USED", "This address was used: ask for a new one."), CLOSE
            ) from None
        made = {
            "refundCaseId": encode_id("RefundCase", result.case_id),
            "eventId": encode_id("RefundEvent", result.event_id),
        }
        return Response(orjson.dumps(made), 201, media_type="application/json")

    async def give(self, request: Request) -> Response:
        """Give a file to whom the address was signed for, when they still see its case; never shown in a page.

        Refuses: 404 for everything they do not see, 410 for an address that has expired, and for what is withdrawn.
        """
        desk = self._desk()
        evidence_id, viewer = await self._bearer(request, FILES, desk)
        file = await find_file(desk.uow.database, viewer, evidence_id)
        if file is None or desk.uow.files is None:
            raise nothing_here()
        if file.is_gone:
            raise denied(410, ErrorCode.GONE, sentence("FILE_REMOVED", "This file was withdrawn or redacted."), CLOSE)
        headers = {
            "content-disposition": f"attachment; filename*=UTF-8''{quote(file.file_name, safe='')}",
            "content-length": str(file.size_bytes),
            # Set here and not by Starlette, which would add a charset to texts.
            "content-type": file.content_type,
        }
        pieces: AsyncIterator[bytes] = await desk.uow.files.read(file.storage_key)
        return StreamingResponse(pieces, headers=headers)

    async def _bearer(self, request: Request, purpose: str, desk: EvidenceDesk) -> tuple[str, Viewer]:
        ticket = self._tickets.read(purpose, request.path_params["ticket"], desk.uow.clock.now())
        viewer = await desk.load_viewer(ticket.account_ref)
        if viewer is None:
            raise nothing_here()
        request.scope["refundgql.exchange"].viewer_ref = viewer.external_ref
        return ticket.id, viewer

    @contextlib.contextmanager
    def _turn(self, upload_id: str) -> Iterator[None]:
        """Take one copy of a file at a time, and so many files."""
        if upload_id in self._under_way:
            raise denied(
                409,
                ErrorCode.CONFLICT,
                sentence("UPLOAD_RUNNING", "This file is being sent already: wait for its answer."),
                CLOSE,
            )
        if len(self._under_way) >= UPLOADS_AT_ONCE:
            headers = [*CLOSE, (b"retry-after", b"5")]
            raise denied(
                503,
                ErrorCode.SERVICE_UNAVAILABLE,
                sentence("TOO_MANY_UPLOADS", "Too many files are coming: try again soon."),
                headers,
            )
        self._under_way.add(upload_id)
        try:
            yield
        finally:
            self._under_way.discard(upload_id)

    async def _receive(self, request: Request, announced: AnnouncedFile, file: IO[bytes]) -> None:
        """Write the body to a file, counted, hashed and looked at while it arrives."""
        hashed, content, size = hashlib.sha256(), ContentCheck(announced.content_type), 0
        waiting = bytearray()

        def write() -> None:
            file.write(waiting)
            hashed.update(waiting)
            content.look(bytes(waiting))
            waiting.clear()

        async for chunk in self._chunks(request):
            size += len(chunk)
            if size > announced.size_bytes:
                raise _too_large(announced)
            waiting += chunk
            if len(waiting) >= _WRITE_BYTES:
                await asyncio.to_thread(write)
        await asyncio.to_thread(write)
        if size < announced.size_bytes:
            raise _rejected(
                sentence(
                    "UPLOAD_TOO_SHORT",
                    "The file ended after {size} bytes; {announced} were announced.",
                    size=size,
                    announced=announced.size_bytes,
                )
            )
        if not hmac.compare_digest(hashed.hexdigest(), announced.sha256):
            raise _rejected(
                sentence("UPLOAD_OTHER_DIGEST", "The content does not have the SHA-256 that was announced.")
            )
        if not content.fits():
            raise _rejected(
                sentence(
                    "UPLOAD_OTHER_TYPE",
                    "The content is not {type}: announce the file as what it is.",
                    type=announced.content_type,
                )
            )

    async def _chunks(self, request: Request) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + WHOLE_SECONDS
        body = request.stream()
        while True:
            try:
                async with asyncio.timeout_at(min(ends_at, loop.time() + SILENT_SECONDS)):
                    chunk = await anext(body)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise denied(
                    408,
                    ErrorCode.REQUEST_TIMEOUT,
                    sentence("UPLOAD_TOO_SLOW", "The file did not arrive in time."),
                    CLOSE,
                ) from None
            yield chunk


def _check_length(request: Request, announced: AnnouncedFile) -> None:
    """Refuse a wrong length before its bytes are sent."""
    declared = request.headers.get("content-length")
    if declared is None:
        return
    if not declared.isdigit() or len(declared) > 18:
        raise denied(
            400,
            ErrorCode.BAD_REQUEST,
            sentence("UPLOAD_LENGTH_UNREADABLE", "The Content-Length header is not a number."),
            CLOSE,
        )
    if int(declared) > announced.size_bytes:
        raise _too_large(announced)
    if int(declared) < announced.size_bytes:
        raise _rejected(
            sentence(
                "UPLOAD_OTHER_SIZE",
                "{size} bytes are to come; {announced} were announced.",
                size=declared,
                announced=announced.size_bytes,
            )
        )


def _too_large(announced: AnnouncedFile) -> RequestRefused:
    return denied(
        413,
        ErrorCode.EVIDENCE_REJECTED,
        sentence(
            "UPLOAD_TOO_LARGE",
            "The file is larger than the {announced} bytes announced.",
            announced=announced.size_bytes,
        ),
        CLOSE,
    )


def _rejected(message: Sentence) -> RequestRefused:
    return denied(422, ErrorCode.EVIDENCE_REJECTED, message, CLOSE)


def _refusal(refused: Refused) -> RequestRefused:
    first = refused.refusals[0]
    if first.code is RefusalCode.NOT_FOUND:
        return nothing_here()
    return denied(422, first.code.value, first.message, CLOSE)
