"""Files on their way in: what is announced, which are taken, who signs their addresses and who keeps their bytes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Protocol

from refundgql.commands.checks import FILE_NAME_CHARS, Checks
from refundgql.domain.refusals import BasicRefusal, refusal
from refundgql.domain.sentences import Sentence, sentence
from refundgql.domain.vocabulary import RefusalCode

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f/\\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One announced file; the address that is signed for it takes nothing else."""

    id: str
    case_id: str
    account_ref: str
    file_name: str
    content_type: str
    size_bytes: int
    sha256: str


class Uploads(Protocol):
    """Where files may be sent."""

    @property
    def max_bytes(self) -> int:
        """Return the size of the largest file that is taken."""
        ...

    @property
    def content_types(self) -> frozenset[str]:
        """Return the media types that are taken."""
        ...

    @property
    def valid_seconds(self) -> int:
        """Return how long an address works."""
        ...

    def upload_url(self, upload: Upload, expires_at: datetime) -> str:
        """Return an address that takes this file until an instant."""
        ...


class FileStore(Protocol):
    """Where the bytes of files are kept."""

    async def put(self, key: str, file: IO[bytes], size_bytes: int) -> None:
        """Keep a file's content under a key, whole or not at all."""
        ...

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """Return the content of a file in pieces."""
        ...

    async def discard(self, key: str) -> None:
        """Remove a file, if it is there."""
        ...

    async def tidy(self) -> None:
        """Remove what killed processes left half written."""
        ...


def storage_key(upload_id: str) -> str:
    """Return what an announced file is stored under; spread over folders by the id's random end."""
    return f"{upload_id[-2:]}/{upload_id}"


def check_file(
    checks: Checks, uploads: Uploads, *, file_name: str, content_type: str, size_bytes: int, sha256: str
) -> str | None:
    """Return the file's name trimmed; what cannot be taken is refused by its field (L16)."""
    name = checks.text(file_name, "fileName", FILE_NAME_CHARS)
    if name is not None and _NOT_IN_NAMES.search(name):
        message = sentence("FILE_NAME_UNUSABLE", "A file name has no slashes or control characters: rename the file.")
        checks.refuse(message, "fileName")
    if not _SHA256.fullmatch(sha256):
        checks.refuse(sentence("NOT_A_SHA256", "Give the SHA-256 of the content as 64 hexadecimal digits."), "sha256")
    if size_bytes < 1:
        checks.refuse(sentence("FILE_EMPTY", "A file has at least one byte."), "sizeBytes")
    elif size_bytes > uploads.max_bytes:
        _reject(
            checks,
            sentence(
                "FILE_TOO_LARGE", "A file has at most {limit} bytes: send a smaller one.", limit=uploads.max_bytes
            ),
            "sizeBytes",
        )
    if content_type not in uploads.content_types:
        _reject(
            checks,
            sentence("FILE_TYPE_NOT_TAKEN", "Send one of {types}.", types=", ".join(sorted(uploads.content_types))),
            "contentType",
        )
    return name


def no_files() -> BasicRefusal:
    """Say that there is nowhere to keep a file."""
    message = sentence("NO_FILES_TAKEN", "This server takes no files: add a statement or chat messages instead.")
    return refusal(RefusalCode.EVIDENCE_REJECTED, message, "L16")


def _reject(checks: Checks, message: Sentence, field: str) -> None:
    checks.refusals.append(refusal(RefusalCode.EVIDENCE_REJECTED, message, "L16", field=(field,)))
