"""Find out who is calling: bearer token, then the account as the database holds it now."""

import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from types import MappingProxyType

from refundgql.domain.viewers import Viewer
from refundgql.gql.answers import RequestRefused
from refundgql.gql.callers import ANONYMOUS, Caller, LostAccess
from refundgql.gql.errors import ErrorCode
from refundgql.web.keys import KeysUnavailable
from refundgql.web.tokens import TokenRefused, TokenVerifier

LoadViewer = Callable[[str], Awaitable[Viewer | None]]

LoadViewers = Callable[[Collection[str]], Awaitable[Mapping[str, Viewer]]]
"""Load many viewers by externalRef at once; who is missing has no access."""


class AccountsUnavailable(Exception):
    """Whoever loads accounts cannot reach them at the moment; the caller may be known or not."""


class TokenAuthentication:
    """Turn an Authorization header, or a token on its own, into a caller."""

    def __init__(
        self,
        verifier: TokenVerifier,
        load_viewer: LoadViewer,
        now: Callable[[], float] = time.time,
        *,
        short_tokens: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._verifier = verifier
        # A demo's, each for a signed token; empty everywhere else.
        self._short_tokens = short_tokens
        self._load_viewer = load_viewer
        self._now = now

    async def by_header(self, authorization: str | None) -> Caller:
        """Return who the header speaks for; nobody without one. Refuses: 401 for any other scheme or a bad token."""
        if authorization is None:
            return ANONYMOUS
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise _unauthenticated("Only Bearer tokens are accepted.")
        return await self.by_token(token)

    async def by_token(self, token: str) -> Caller:
        """Return who the token speaks for.

        Refuses: 401 for a bad token or an account that is not known here, 503 while neither can be told.
        """
        try:
            verified = await self._verifier.verify(self._short_tokens.get(token, token))
        except TokenRefused as refused:
            raise _unauthenticated(str(refused)) from refused
        except KeysUnavailable as unavailable:
            retry = [(b"retry-after", b"5")]
            raise RequestRefused(503, ErrorCode.SERVICE_UNAVAILABLE, str(unavailable), retry) from unavailable
        try:
            viewer = await self._load_viewer(verified.subject)
        except AccountsUnavailable as unavailable:
            retry = [(b"retry-after", b"1")]
            raise RequestRefused(503, ErrorCode.SERVICE_UNAVAILABLE, str(unavailable), retry) from unavailable
        if viewer is None:
            raise _unauthenticated("The token speaks for no account of this server.")
        return Caller(viewer, verified.expires_at, viewer.is_service)

    async def reload(self, account: Viewer) -> Viewer | None:
        """Return the viewer as the database holds it now, or nothing when the account has lost access."""
        return await self._load_viewer(account.external_ref)

    def has_expired(self, caller: Caller) -> bool:
        """Tell whether the caller's token has run out; open streams are given no leeway."""
        return caller.expires_at is not None and self._now() >= caller.expires_at


def lost_access(load_viewers: LoadViewers) -> LostAccess:
    """Return what finds out who is gone or has lost a role: what was opened with a role must not outlive it."""

    async def lost(viewers: Collection[Viewer]) -> dict[Viewer, str]:
        present = await load_viewers({viewer.external_ref for viewer in viewers})
        reasons = {}
        for viewer in viewers:
            now = present.get(viewer.external_ref)
            if now is None:
                reasons[viewer] = "The account has no access any more."
            elif viewer.roles - now.roles:
                reasons[viewer] = "The account has lost a role."
        return reasons

    return lost


def _unauthenticated(message: str) -> RequestRefused:
    challenge = [(b"www-authenticate", b'Bearer error="invalid_token"')]
    return RequestRefused(401, ErrorCode.UNAUTHENTICATED, message, challenge)
