"""Turn a bearer token into the account it speaks for, or refuse it, by the practice of RFC 8725."""

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import jwt

from refundgql.web.keys import KeySource, LocalKey

# Only algorithms whose verification key is public: a mix-up can then never turn a public key into a secret.
ALLOWED_ALGORITHMS: Final = ("EdDSA", "ES256", "RS256", "PS256")
# Ours are under 400 bytes, issuers' under 3 KiB; the limit keeps anybody from making us decode more.
MAX_TOKEN_BYTES: Final = 8 * 1024
LEEWAY_SECONDS: Final = 10
TOKEN_TYPES: Final = frozenset(("at+jwt", "jwt"))
# Checking a signature costs 0.1 ms; the same token comes back with every request of a client.
MAX_REMEMBERED_TOKENS: Final = 10_000
MAX_SUBJECT_LENGTH: Final = 255
# Decoders skip padding and what is no letter of base64; a token is one text, not any of the many that decode to it.
_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
OWN_TOKEN_TYPE: Final = "at+jwt"  # noqa: S105 - a media type, no secret


class TokenRefused(Exception):
    """The token is not accepted; the message is safe to show to whoever sent it."""


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What a token must say: issuer, audience, type and algorithm; the algorithms are never the token's choice.

    Refuses: an empty or foreign list of algorithms.
    """

    issuer: str
    audience: str
    algorithms: tuple[str, ...] = ("EdDSA",)

    def __post_init__(self) -> None:
        foreign = sorted(set(self.algorithms) - set(ALLOWED_ALGORITHMS))
        if foreign or not self.algorithms:
            raise ValueError(f"Token algorithms must be among {', '.join(ALLOWED_ALGORITHMS)}.")


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """Who the token speaks for (an account's externalRef) and until when, in seconds since the epoch."""

    subject: str
    expires_at: float
    not_before: float


class TokenVerifier:
    """Verify tokens against a key source, remembering those whose signature was already checked."""

    def __init__(self, keys: KeySource, rules: TokenRules, now: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._rules = rules
        self._now = now
        self._remembered: dict[str, VerifiedToken] = {}
        self._generation = keys.generation

    async def verify(self, token: str) -> VerifiedToken:
        """Return what the token says. Refuses: `TokenRefused` for anything not signed, meant and timed for us."""
        # Also a token that is remembered has to hear of a key that was withdrawn.
        self._keys.keep_fresh()
        if self._generation != self._keys.generation:
            self._remembered.clear()
            self._generation = self._keys.generation
        verified = self._remembered.get(token)
        if verified is None:
            verified = await self._check(token)
            if len(self._remembered) >= MAX_REMEMBERED_TOKENS:
                self._remembered.clear()
            self._remembered[token] = verified
        self._check_time(verified)
        return verified

    async def _check(self, token: str) -> VerifiedToken:
        rules = self._rules
        if len(token) > MAX_TOKEN_BYTES:
            raise TokenRefused(f"The token is longer than {MAX_TOKEN_BYTES} bytes.")
        if not _COMPACT.fullmatch(token):
            raise TokenRefused("This is not a signed token.")
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise TokenRefused("This is not a signed token.") from error
        key = await self._keys.find(self._checked_key_id(header))
        # The key's own algorithm decides; a token that names another one was made to confuse the two.
        if key is None or key.algorithm_name != header["alg"]:
            raise TokenRefused("The token was not signed with a key of this server's issuer.")
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[header["alg"]],
                issuer=rules.issuer,
                audience=rules.audience,
                # Times are checked at every use, also of a remembered token.
                options={
                    "require": ["exp", "iss", "aud", "sub"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise TokenRefused("The token is not valid for this server.") from error
        return _verified(claims)

    def _checked_key_id(self, header: dict[str, Any]) -> str:
        if header.get("alg") not in self._rules.algorithms:
            raise TokenRefused("The token's algorithm is not accepted.")
        token_type = header.get("typ")
        if not isinstance(token_type, str) or (token_type.lower().removeprefix("application/") not in TOKEN_TYPES):
            raise TokenRefused("The token's type is not accepted.")
        # RFC 7515: an extension that is critical and not understood makes the token invalid.
        if "crit" in header or "b64" in header or "zip" in header:
            raise TokenRefused("The token uses an extension that is not supported.")
        key_id = header.get("kid")
        if not isinstance(key_id, str) or not key_id:
            raise TokenRefused("The token does not name its key.")
        return key_id

    def _check_time(self, verified: VerifiedToken) -> None:
        now = self._now()
        if now >= verified.expires_at + LEEWAY_SECONDS:
            raise TokenRefused("The token has expired.")
        if now < verified.not_before - LEEWAY_SECONDS:
            raise TokenRefused("The token is not valid yet.")


class TokenIssuer:
    """Sign tokens with the local key, for demos, scripts and tests."""

    def __init__(self, key: LocalKey, rules: TokenRules, now: Callable[[], float] = time.time) -> None:
        self._key = key
        self._rules = rules
        self._now = now

    def issue_token(self, external_ref: str, *, lifetime_seconds: int = 3600) -> str:
        """Return a token that speaks for the account with that externalRef."""
        now = int(self._now())
        claims = {
            "iss": self._rules.issuer,
            "aud": self._rules.audience,
            "sub": external_ref,
            "iat": now,
            "nbf": now,
            "exp": now + lifetime_seconds,
        }
        return self._key.sign(claims, token_type=OWN_TOKEN_TYPE)


def _verified(claims: dict[str, Any]) -> VerifiedToken:
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT_LENGTH or "\0" in subject:
        raise TokenRefused("The token names no account.")
    expires_at = _instant(claims, "exp")
    not_before = max(_instant(claims, "nbf"), _instant(claims, "iat"))
    return VerifiedToken(subject, expires_at, not_before)


def _instant(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenRefused("The token's times are not numbers.")
    # Years beyond 9999 stand in no honest token, and would not fit a timer.
    if not math.isfinite(value) or not 0 <= value < 253_402_300_800:
        raise TokenRefused("The token's times are not instants.")
    return float(value)
