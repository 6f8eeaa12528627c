"""Sign addresses of evidence files for one purpose, one account and a short time, and read them again."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import jwt

from refundgql.api.languages import said
from refundgql.commands.uploads import Upload
from refundgql.domain.calendar import to_micros
from refundgql.domain.file_types import FILE_TYPES
from refundgql.domain.sentences import Sentence, sentence
from refundgql.domain.viewers import Viewer
from refundgql.gql.answers import Header, RequestRefused
from refundgql.gql.bodies import CLOSE
from refundgql.gql.errors import ErrorCode

PURPOSE: Final = "refundgql evidence addresses"
UPLOADS: Final = "/evidence/uploads"
FILES: Final = "/evidence/files"
_ALGORITHM: Final = "HS256"
# Long enough to pick the file up on a slow phone, short enough that a leaked address is soon worth nothing.
UPLOAD_SECONDS: Final = 900
DOWNLOAD_SECONDS: Final = 300
_LONGEST_TICKET: Final = 2_000


@dataclass(frozen=True, slots=True)
class Ticket:
    """What an address was signed for: an announced or stored file, and the account by its externalRef."""

    id: str
    account_ref: str


class EvidenceTickets:
    """Every process with the same secret reads every other's tickets."""

    valid_seconds = UPLOAD_SECONDS
    content_types = FILE_TYPES

    def __init__(self, secret: bytes, public_url: str, max_bytes: int) -> None:
        """Keep the secret, and the URL that clients reach the server under."""
        self.max_bytes = max_bytes
        self._secret = secret
        self._url = public_url.rstrip("/")

    def upload_url(self, upload: Upload, expires_at: datetime) -> str:
        """Return an address that takes this file until an instant."""
        return self._url + f"{UPLOADS}/{self._sign(UPLOADS, upload.id, upload.account_ref, expires_at)}"

    def download_url(self, viewer: Viewer, evidence_id: str, now: datetime) -> str:
        """Return an address that gives this file to a viewer for a short time."""
        expires_at = now + timedelta(seconds=DOWNLOAD_SECONDS)
        return self._url + f"{FILES}/{self._sign(FILES, evidence_id, viewer.external_ref, expires_at)}"

    def read(self, purpose: str, ticket: str, now: datetime) -> Ticket:
        """Return what a ticket of this purpose was signed for.

        Refuses: 404 for what was never signed here, 410 for what has expired.
        """
        claims = self._claims(purpose, ticket)
        if to_micros(now) >= claims["until"]:
            raise denied(
                410,
                ErrorCode.GONE,
                sentence("UPLOAD_ADDRESS_EXPIRED", "This address has expired: ask for a new one."),
                CLOSE,
            )
        return Ticket(claims["id"], claims["sub"])

    def _sign(self, purpose: str, file_id: str, account_ref: str, expires_at: datetime) -> str:
        # `until` and not `exp`: it is an instant of the rules' clock, as `expiresAt` is, and no whole second.
        claims = {"aud": purpose, "sub": account_ref, "id": file_id, "until": to_micros(expires_at)}
        return jwt.encode(claims, self._secret, algorithm=_ALGORITHM)

    def _claims(self, purpose: str, ticket: str) -> dict[str, Any]:
        if len(ticket) > _LONGEST_TICKET:
            raise nothing_here()
        options: Any = {"require": ["aud", "sub", "id", "until"]}
        try:
            claims: dict[str, Any] = jwt.decode(
                ticket, self._secret, algorithms=[_ALGORITHM], audience=purpose, options=options
            )
        except jwt.PyJWTError:
            raise nothing_here() from None
        return claims


def denied(status: int, code: str, why: Sentence, headers: Iterable[Header] = ()) -> RequestRefused:
    """Return the refusal of a request, said in its sender's language."""
    return RequestRefused(status, code, said(why), headers)


def nothing_here() -> RequestRefused:
    """Say that there is nothing: the same words for what does not exist and what somebody may not see."""
    return denied(404, ErrorCode.NOT_FOUND, sentence("NOTHING_AT_ADDRESS", "There is nothing at this address."), CLOSE)
