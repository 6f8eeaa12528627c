"""Hold the public keys that tokens are verified with: a local key file, or an issuer's published key set."""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import jwt
import orjson
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from jwt.utils import base64url_encode

if TYPE_CHECKING:
    import httpx  # only for an issuer's keys, and a tenth of what a server imports

log = logging.getLogger("refundgql.keys")

# A key set of an issuer holds a handful of keys; more than this is not a key set.
KEY_SET_MAX_BYTES = 256 * 1024
KEY_SET_MAX_KEYS = 64
# Shorter ones have been factored, or soon will be.
RSA_LEAST_BITS = 2048
# An attacker who invents key ids must not make us hammer the issuer.
MIN_SECONDS_BETWEEN_FETCHES = 30.0
# While there are no keys nobody can sign in, whoever asks: then it is looked for more often.
SECONDS_WITHOUT_KEYS = 3.0
# A withdrawn key stops working at the latest after this long.
KEY_SET_MAX_AGE_SECONDS = 600.0
FETCH_TIMEOUT_SECONDS = 5.0


class KeysUnavailable(Exception):
    """The issuer's keys could not be fetched, so no token can be checked now."""


class KeyFileRefused(Exception):
    """The local key file cannot be used; the message says what to do."""


class KeySource(Protocol):
    """Where a verifier finds keys; `generation` changes whenever the set of keys does."""

    generation: int

    def keep_fresh(self) -> None:
        """Look for new keys in the background when those known are old; called with every token."""
        ...

    async def find(self, key_id: str | None) -> jwt.PyJWK | None:
        """Return the key of that id, or nothing when the issuer does not have it."""
        ...


class LocalKey:
    """One Ed25519 key from a private file of this machine: it signs and verifies."""

    generation = 0

    def __init__(self, private_key: Ed25519PrivateKey) -> None:
        self._private_key = private_key
        public = private_key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        members = {"crv": "Ed25519", "kty": "OKP", "x": base64url_encode(public).decode()}
        # RFC 7638: the id is a digest of the key itself, so two files never share one.
        self.key_id = _thumbprint(members)
        self._public = jwt.PyJWK({**members, "kid": self.key_id, "alg": "EdDSA", "use": "sig"})

    @classmethod
    def load_or_create(cls, path: Path) -> "LocalKey":
        """Read the key file, or create it readable by its owner alone.

        Refuses: a file others may read, and one that holds no Ed25519 key.
        """
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return cls._load(path)
        private_key = Ed25519PrivateKey.generate()
        with os.fdopen(descriptor, "wb") as file:
            file.write(
                private_key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                )
            )
        return cls(private_key)

    @classmethod
    def _load(cls, path: Path) -> "LocalKey":
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise KeyFileRefused(f"Others may read the key file {path}; run: chmod 600 {path}")
        try:
            private_key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (ValueError, TypeError) as error:
            raise KeyFileRefused(f"{path} holds no private key in PEM form; remove it or name another.") from error
        if not isinstance(private_key, Ed25519PrivateKey):
            raise KeyFileRefused(f"{path} holds another kind of key; an Ed25519 key is needed.")
        return cls(private_key)

    def keep_fresh(self) -> None:
        """Do nothing: the key is what it is."""

    def sign(self, claims: dict[str, Any], *, token_type: str) -> str:
        """Return the claims as a signed compact token."""
        headers = {"kid": self.key_id, "typ": token_type}
        return jwt.encode(claims, self._private_key, algorithm="EdDSA", headers=headers)

    def derive(self, purpose: str) -> bytes:
        """Return a secret of 32 bytes for another purpose, which tells nothing of the key or of other secrets."""
        private = self._private_key.private_bytes_raw()
        return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=purpose.encode()).derive(private)

    async def find(self, key_id: str | None) -> jwt.PyJWK | None:
        """Return the key when its id is asked for."""
        return self._public if key_id == self.key_id else None


class IssuerKeys:
    """An issuer's key set behind a URL: cached, refreshed in the background, refetched for an unknown id.

    One fetch at a time, none sooner than `min_seconds_between_fetches` after the last; while a fetch fails
    the keys already known go on working.
    """

    def __init__(
        self,
        url: str,
        *,
        client: "httpx.AsyncClient | None" = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        import httpx

        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            raise KeyFileRefused(f"The key set URL {url} must use https.")
        self.generation = 0
        self._url = url
        self._client = client or httpx.AsyncClient(timeout=FETCH_TIMEOUT_SECONDS, follow_redirects=False)
        self._failures = httpx.HTTPError
        self._monotonic = monotonic
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._fetching = asyncio.Lock()
        self._refresh: asyncio.Task[None] | None = None
        self._reason = "it was not asked for yet"

    async def check(self) -> None:
        """Look for keys when there are none. Refuses: KeysUnavailable with the reason, while there are none."""
        if not self._keys:
            await self._fetch()
        if not self._keys:
            raise KeysUnavailable(f"There is no key to check tokens with: {self._reason}.")
        self.keep_fresh()

    async def is_fresh(self) -> bool:
        """Tell whether the last look at the key set went well; those already known go on working."""
        return self._reason == ""

    async def find(self, key_id: str | None) -> jwt.PyJWK | None:
        """Return the key of that id, asking the issuer again once when it is not known.

        Refuses: `KeysUnavailable` when no key set was ever received.
        """
        if key_id is None:
            return None
        if self._fetched_at is None:
            await self._fetch()
            if self._fetched_at is None:
                raise KeysUnavailable("The issuer's keys cannot be fetched at the moment.")
        self.keep_fresh()
        found = self._keys.get(key_id)
        if found is None:
            await self._fetch()
            found = self._keys.get(key_id)
        return found

    async def aclose(self) -> None:
        """Stop refreshing and close the connection to the issuer."""
        if self._refresh is not None:
            self._refresh.cancel()
        await self._client.aclose()

    def keep_fresh(self) -> None:
        """Ask the issuer in the background when the set is older than it may get."""
        if self._fetched_at is None or self._monotonic() - self._fetched_at <= KEY_SET_MAX_AGE_SECONDS:
            return
        if self._refresh is None or self._refresh.done():
            self._refresh = asyncio.create_task(self._fetch())

    async def _fetch(self) -> None:
        async with self._fetching:
            # Whoever waited for the lock has the answer of the one before.
            least = (
                MIN_SECONDS_BETWEEN_FETCHES if self._keys else min(MIN_SECONDS_BETWEEN_FETCHES, SECONDS_WITHOUT_KEYS)
            )
            if self._tried_at is not None and self._monotonic() - self._tried_at < least:
                return
            self._tried_at = self._monotonic()
            try:
                async with asyncio.timeout(2 * FETCH_TIMEOUT_SECONDS):
                    keys = await self._download()
            except (self._failures, ValueError, TimeoutError) as error:
                self._reason = f"the key set cannot be read ({type(error).__name__}: {str(error)[:300]})"
                log.warning("The issuer's keys were not refreshed: %s", self._reason)
                return
            self._reason = "" if keys else "the key set holds none that can be trusted"
            if not keys:
                log.warning("The issuer's keys were not refreshed: %s", self._reason)
            self._fetched_at = self._monotonic()
            if {k: v._jwk_data for k, v in keys.items()} != {k: v._jwk_data for k, v in self._keys.items()}:
                self._keys = keys
                self.generation += 1

    async def _download(self) -> dict[str, jwt.PyJWK]:
        body = b""
        async with self._client.stream("GET", self._url, headers={"accept": "application/json"}) as answer:
            answer.raise_for_status()
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > KEY_SET_MAX_BYTES:
                    raise ValueError("The key set is too large.")
        return _keys_of(orjson.loads(body))


def _keys_of(document: Any) -> dict[str, jwt.PyJWK]:
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("The issuer's answer is not a key set.")
    keys = {}
    for entry in entries[:KEY_SET_MAX_KEYS]:
        # A shared secret in a published set would let anybody sign; an encryption key signs nothing.
        if not isinstance(entry, dict) or entry.get("kty") == "oct" or entry.get("use", "sig") != "sig":
            continue
        key_id = entry.get("kid")
        if not isinstance(key_id, str):
            continue
        try:
            key = jwt.PyJWK(entry)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError):
            # The others are as good as before: one entry that is no key takes nobody's access.
            log.warning("a key of the issuer's set is of a kind not known here")
            continue
        if isinstance(key.key, RSAPublicKey) and key.key.key_size < RSA_LEAST_BITS:
            log.warning("an RSA key of the issuer's set is too short to be trusted")
            continue
        keys[key_id] = key
    return keys


def _thumbprint(members: dict[str, str]) -> str:
    canonical = orjson.dumps(members, option=orjson.OPT_SORT_KEYS)
    return base64url_encode(sha256(canonical).digest()).decode()
