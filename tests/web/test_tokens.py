"""Tokens: what is accepted, and everything somebody may forge that is not."""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import stat
import time
import warnings
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from patience import until
from refundgql.web.keys import SECONDS_WITHOUT_KEYS, IssuerKeys, KeyFileRefused, KeysUnavailable, LocalKey
from refundgql.web.tokens import TokenIssuer, TokenRefused, TokenRules, TokenVerifier

RULES = TokenRules(issuer="https://issuer.test", audience="refundgql")


def key_set(key: LocalKey) -> dict[str, Any]:
    """Return the public half of a key as a JSON Web Key Set."""
    return {"keys": [key._public._jwk_data]}


@pytest.fixture
def key(tmp_path: Path) -> LocalKey:
    return LocalKey.load_or_create(tmp_path / "key.pem")


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(header: dict[str, Any], claims: Any, signature: bytes = b"x" * 64) -> str:
    return ".".join((b64(json.dumps(header).encode()), b64(json.dumps(claims).encode()), b64(signature)))


class Forge:
    """Make tokens that differ from a good one in one thing."""

    def __init__(self, key: LocalKey) -> None:
        self.key = key
        now = int(time.time())
        self.claims: dict[str, Any] = {
            "iss": RULES.issuer,
            "aud": RULES.audience,
            "sub": "ada",
            "iat": now,
            "nbf": now,
            "exp": now + 3_600,
        }

    def signed(self, claims: dict[str, Any] | None = None, **headers: Any) -> str:
        header = {"kid": self.key.key_id, "typ": "at+jwt", **headers}
        header = {name: value for name, value in header.items() if value is not None}
        unsigned = {"alg": "EdDSA", **header}
        encoded = f"{b64(json.dumps(unsigned).encode())}.{b64(json.dumps(claims or self.claims).encode())}"
        return f"{encoded}.{b64(self.key._private_key.sign(encoded.encode()))}"

    def without(self, name: str) -> str:
        return self.signed({k: v for k, v in self.claims.items() if k != name})

    def changed(self, **claims: Any) -> str:
        return self.signed({**self.claims, **claims})

    def by_hmac(self, secret: bytes, alg: str = "HS256") -> str:
        header = {"alg": alg, "kid": self.key.key_id, "typ": "at+jwt"}
        encoded = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(self.claims).encode())}"
        return f"{encoded}.{b64(hmac.digest(secret, encoded.encode(), hashlib.sha256))}"


def public_raw(key: LocalKey) -> bytes:
    return base64.urlsafe_b64decode(key_set(key)["keys"][0]["x"] + "==")


def other_signer(forge: Forge, alg: str, private: Any) -> str:
    headers = {"kid": forge.key.key_id, "typ": "at+jwt"}
    return jwt.encode(forge.claims, private, algorithm=alg, headers=headers)


def flipped(token: str) -> str:
    head, _, signature = token.rpartition(".")
    return f"{head}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


def payload_swapped(token: str) -> str:
    header, _, signature = token.split(".")
    return f"{header}.{b64(json.dumps({'sub': 'root'}).encode())}.{signature}"


FORGERIES: dict[str, Any] = {
    "no algorithm": lambda f: compact({"alg": "none", "typ": "at+jwt", "kid": f.key.key_id}, f.claims, b""),
    "no algorithm in capitals": lambda f: compact({"alg": "NONE", "typ": "at+jwt", "kid": f.key.key_id}, f.claims),
    "algorithm left out": lambda f: compact({"typ": "at+jwt", "kid": f.key.key_id}, f.claims),
    "algorithm not text": lambda f: compact({"alg": ["EdDSA"], "typ": "at+jwt", "kid": f.key.key_id}, f.claims),
    "public key as secret": lambda f: f.by_hmac(public_raw(f.key)),
    "public key set as secret": lambda f: f.by_hmac(json.dumps(key_set(f.key)["keys"][0]).encode()),
    "empty secret": lambda f: f.by_hmac(b""),
    "EdDSA said, hmac done": lambda f: f.by_hmac(public_raw(f.key), "EdDSA"),
    "another key with our id": lambda f: other_signer(f, "EdDSA", Ed25519PrivateKey.generate()),
    "elliptic curve key with our id": lambda f: other_signer(f, "ES256", ec.generate_private_key(ec.SECP256R1())),
    "RSA key with our id": lambda f: other_signer(f, "RS256", rsa.generate_private_key(65537, 2048)),
    "padded": lambda f: f.signed() + "==",
    "with other characters in it": lambda f: f"{f.signed()[:-9]}!*{f.signed()[-9:]}",
    "with a line's end": lambda f: f.signed() + "%0a",
    "signature changed": lambda f: flipped(f.signed()),
    "signature left out": lambda f: f.signed().rpartition(".")[0] + ".",
    "payload swapped": lambda f: payload_swapped(f.signed()),
    "key id unknown": lambda f: f.signed(kid="other"),
    "key id left out": lambda f: f.signed(kid=None),
    "key id not text": lambda f: f.signed(kid=7),
    "key id a path": lambda f: f.signed(kid="../../dev/null"),
    "own key embedded": lambda f: other_signer_embedding(f),
    "key set address embedded": lambda f: f.signed(kid="mine", jku="https://evil.test/keys"),
    "type left out": lambda f: f.signed(typ=None),
    "type of an id token": lambda f: f.signed(typ="id_token+jwt"),
    "type of a logout token": lambda f: f.signed(typ="logout+jwt"),
    "critical extension": lambda f: f.signed(crit=["exp"]),
    "unencoded payload": lambda f: f.signed(b64=False),
    "compressed payload": lambda f: f.signed(zip="DEF"),
    "expired": lambda f: f.changed(exp=int(time.time()) - 11),
    "expired long ago": lambda f: f.changed(exp=1),
    "expiry left out": lambda f: f.without("exp"),
    "expiry as text": lambda f: f.changed(exp="99999999999"),
    "expiry true": lambda f: f.changed(exp=True),
    "expiry infinite": lambda f: f.changed(exp=float("inf")),
    "expiry beyond calendars": lambda f: f.changed(exp=10**30),
    "expiry negative": lambda f: f.changed(exp=-5),
    "not valid yet": lambda f: f.changed(nbf=int(time.time()) + 3_600),
    "issued in the future": lambda f: f.changed(iat=int(time.time()) + 3_600),
    "not-before as text": lambda f: f.changed(nbf="0"),
    "other issuer": lambda f: f.changed(iss="https://evil.test"),
    "issuer left out": lambda f: f.without("iss"),
    "issuer a list": lambda f: f.changed(iss=[RULES.issuer]),
    "issuer with a slash more": lambda f: f.changed(iss=RULES.issuer + "/"),
    "other audience": lambda f: f.changed(aud="somebody-else"),
    "audience left out": lambda f: f.without("aud"),
    "audience null": lambda f: f.changed(aud=None),
    "subject left out": lambda f: f.without("sub"),
    "subject with NUL": lambda f: f.changed(sub="a\0da"),
    "subject a number": lambda f: f.changed(sub=1),
    "subject empty": lambda f: f.changed(sub=""),
    "subject endless": lambda f: f.changed(sub="a" * 256),
    "payload an array": lambda f: f.signed([f.claims]),
    "too long": lambda f: f.changed(padding="x" * 9000),
    "nested without end": lambda f: compact({"alg": "EdDSA", "typ": "at+jwt", "kid": f.key.key_id}, nested(2000)),
    "two parts": lambda f: f.signed().rpartition(".")[0],
    "four parts": lambda f: f.signed() + ".x",
    "five parts": lambda f: f.signed() + ".x.y",
    "not base64": lambda _: "a.b.c",
    "not text of a token": lambda _: "\x00\udcff.é.ü",
    "empty": lambda _: "",
}


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(min(levels, 400)):
        value = [value]
    return value


def other_signer_embedding(forge: Forge) -> str:
    private = Ed25519PrivateKey.generate()
    jwk = json.loads(OKPAlgorithm.to_jwk(private.public_key()))
    return jwt.encode(
        forge.claims, private, algorithm="EdDSA", headers={"typ": "at+jwt", "kid": forge.key.key_id, "jwk": jwk}
    )


@pytest.mark.parametrize("name", FORGERIES)
async def test_forged_token_is_refused(name: str, key: LocalKey) -> None:
    """A token that is wrong in this one thing is refused, though a right one beside it is not."""
    forge = Forge(key)
    verifier = TokenVerifier(key, RULES)
    with pytest.raises(TokenRefused):
        await verifier.verify(FORGERIES[name](forge))
    assert (await verifier.verify(forge.signed())).subject == "ada"


async def test_issued_token_is_accepted(key: LocalKey) -> None:
    """A token signed here names its account and its end."""
    issuer = TokenIssuer(key, RULES, now=lambda: 1_000_000.0)
    verifier = TokenVerifier(key, RULES, now=lambda: 1_000_030.0)
    verified = await verifier.verify(issuer.issue_token("ada", lifetime_seconds=60))
    assert (verified.subject, verified.expires_at) == ("ada", 1_000_060.0)


@pytest.mark.parametrize(("late", "accepted"), [(0, True), (69.9, True), (70, False), (-9, True), (-11, False)])
async def test_leeway_is_ten_seconds(key: LocalKey, late: float, accepted: bool) -> None:
    """A token works from ten seconds before its start until ten seconds after its end, remembered or not."""
    clock = [1_000_000.0]
    verifier = TokenVerifier(key, RULES, now=lambda: clock[0])
    token = TokenIssuer(key, RULES, now=lambda: 1_000_000.0).issue_token("ada", lifetime_seconds=60)
    await verifier.verify(token)
    clock[0] += late
    if accepted:
        assert (await verifier.verify(token)).subject == "ada"
    else:
        with pytest.raises(TokenRefused):
            await verifier.verify(token)


@pytest.mark.parametrize("algorithms", [("HS256",), ("none",), (), ("EdDSA", "HS512")])
def test_secret_algorithms_cannot_be_configured(algorithms: tuple[str, ...]) -> None:
    """No setting can allow an algorithm whose verification key is a secret, or none at all."""
    with pytest.raises(ValueError, match="algorithms must be among"):
        TokenRules(issuer="i", audience="a", algorithms=algorithms)


def test_key_file_is_private(tmp_path: Path) -> None:
    """The key file is created for its owner alone, read again as the same key, and refused when others may read."""
    path = tmp_path / "key.pem"
    previous = os.umask(0)
    try:
        first = LocalKey.load_or_create(path)
    finally:
        os.umask(previous)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert LocalKey.load_or_create(path).key_id == first.key_id
    path.chmod(0o644)
    with pytest.raises(KeyFileRefused, match="chmod 600"):
        LocalKey.load_or_create(path)


@pytest.mark.parametrize("content", [b"", b"nonsense"])
def test_key_file_without_key_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file that holds no key is named, not overwritten."""
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileRefused, match="holds no private key"):
        LocalKey.load_or_create(path)
    assert path.read_bytes() == content


class Issuer:
    """An issuer of tokens that publishes its keys, counts who asks, and can fail."""

    def __init__(self) -> None:
        self.private: dict[str, Any] = {}
        self.asked = 0
        self.answer: Any = None

    def rotate(self, key_id: str, *, keep: bool = False) -> None:
        if not keep:
            self.private.clear()
        self.private[key_id] = ec.generate_private_key(ec.SECP256R1())

    def respond(self, _: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.answer is not None:
            return self.answer  # type: ignore[no-any-return]
        keys = [
            {**json.loads(ECAlgorithm.to_jwk(private.public_key())), "kid": key_id, "alg": "ES256", "use": "sig"}
            for key_id, private in self.private.items()
        ]
        return httpx.Response(200, json={"keys": keys})

    def token(self, key_id: str) -> str:
        now = int(time.time())
        claims = {"iss": RULES.issuer, "aud": RULES.audience, "sub": "ada", "exp": now + 3_600}
        return jwt.encode(claims, self.private[key_id], "ES256", headers={"kid": key_id, "typ": "at+jwt"})


@pytest.fixture
def issuer() -> Issuer:
    issuer = Issuer()
    issuer.rotate("one")
    return issuer


def keys_of(issuer: Issuer, clock: list[float]) -> IssuerKeys:
    client = httpx.AsyncClient(transport=httpx.MockTransport(issuer.respond))
    return IssuerKeys("https://issuer.test/keys", client=client, monotonic=lambda: clock[0])


ISSUER_RULES = TokenRules(issuer=RULES.issuer, audience=RULES.audience, algorithms=("ES256", "RS256"))


async def test_issuer_keys_are_fetched_once(issuer: Issuer) -> None:
    """Many tokens cost one fetch."""
    keys = keys_of(issuer, [0.0])
    verifier = TokenVerifier(keys, ISSUER_RULES)
    for _ in range(5):
        assert (await verifier.verify(issuer.token("one"))).subject == "ada"
    assert issuer.asked == 1


async def test_rotated_key_is_found_and_unknown_ids_do_not_hammer(issuer: Issuer) -> None:
    """An unknown key id asks the issuer again, but no more than once in thirty seconds."""
    clock = [0.0]
    keys = keys_of(issuer, clock)
    verifier = TokenVerifier(keys, ISSUER_RULES)
    old = issuer.token("one")
    await verifier.verify(old)
    issuer.rotate("two")
    with pytest.raises(TokenRefused):
        await verifier.verify(issuer.token("two"))
    assert issuer.asked == 1
    clock[0] = 31.0
    await verifier.verify(issuer.token("two"))
    for _ in range(20):
        with pytest.raises(TokenRefused):
            await verifier.verify(jwt.encode({}, issuer.private["two"], "ES256", headers={"kid": "x", "typ": "jwt"}))
    assert issuer.asked == 2
    with pytest.raises(TokenRefused):
        await verifier.verify(old)


async def test_withdrawn_key_stops_working(issuer: Issuer) -> None:
    """A key that left the set is refused once the set is ten minutes old, also for a remembered token."""
    clock = [0.0]
    keys = keys_of(issuer, clock)
    verifier = TokenVerifier(keys, ISSUER_RULES)
    old = issuer.token("one")
    await verifier.verify(old)
    issuer.rotate("two")
    clock[0] = 601.0
    new = issuer.token("two")
    await verifier.verify(new)
    with pytest.raises(TokenRefused):
        await verifier.verify(old)


async def test_withdrawn_key_stops_working_for_remembered_tokens_alone(issuer: Issuer) -> None:
    """Also when nobody brings a new token, the first use of an old set makes a withdrawn key stop working."""
    clock = [0.0]
    verifier = TokenVerifier(keys_of(issuer, clock), ISSUER_RULES)
    old = issuer.token("one")
    await verifier.verify(old)
    issuer.rotate("two")
    clock[0] = 599.0
    await verifier.verify(old)
    assert issuer.asked == 1
    clock[0] = 601.0
    await verifier.verify(old)

    async def refused() -> bool:
        try:
            await verifier.verify(old)
        except TokenRefused:
            return True
        return False

    await until(refused)
    assert issuer.asked == 2


@pytest.mark.parametrize(
    "entry",
    [
        {"kid": "x", "kty": 5},
        {"kid": "x", "kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"},
        {"kid": "x", "kty": "RSA", "n": 1, "e": []},
        {"kid": "x", "kty": "OKP", "crv": "Ed25519", "x": None},
        {"kid": "x", "kty": "EC", "crv": {}, "x": "!", "y": "!"},
        {"kid": "x"},
        {"kid": ["x"], "kty": "EC"},
        None,
    ],
)
async def test_one_broken_key_spoils_no_other(entry: Any, issuer: Issuer) -> None:
    """An entry of the set that is no key is left out; tokens of the others are accepted."""
    whole = json.loads(issuer.respond(httpx.Request("GET", "https://issuer.test/keys")).content)
    issuer.answer = httpx.Response(200, json={"keys": [entry, *whole["keys"]]})
    verifier = TokenVerifier(keys_of(issuer, [0.0]), ISSUER_RULES)
    assert (await verifier.verify(issuer.token("one"))).subject == "ada"


@pytest.mark.parametrize(("bits", "accepted"), [(1024, False), (2048, True)])
async def test_short_rsa_keys_are_not_trusted(bits: int, accepted: bool, issuer: Issuer) -> None:
    """A key that could be factored proves nothing, though the issuer publishes it."""
    private = rsa.generate_private_key(65537, bits)
    entry = {**json.loads(RSAAlgorithm.to_jwk(private.public_key())), "kid": "r", "alg": "RS256", "use": "sig"}
    issuer.answer = httpx.Response(200, json={"keys": [entry]})
    claims = {"iss": RULES.issuer, "aud": RULES.audience, "sub": "ada", "exp": time.time() + 3_600}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        token = jwt.encode(claims, private, "RS256", headers={"kid": "r", "typ": "at+jwt"})
    verifier = TokenVerifier(keys_of(issuer, [0.0]), ISSUER_RULES)
    if accepted:
        assert (await verifier.verify(token)).subject == "ada"
    else:
        with pytest.raises(TokenRefused):
            await verifier.verify(token)


async def test_known_keys_survive_an_outage(issuer: Issuer) -> None:
    """While the issuer is down, known keys go on working and nothing is known without ever having asked."""
    clock = [0.0]
    keys = keys_of(issuer, clock)
    verifier = TokenVerifier(keys, ISSUER_RULES)
    await verifier.verify(issuer.token("one"))
    issuer.answer = httpx.Response(503)
    clock[0] = 700.0
    assert (await verifier.verify(issuer.token("one"))).subject == "ada"
    with pytest.raises(KeysUnavailable):
        await TokenVerifier(keys_of(issuer, clock), ISSUER_RULES).verify(issuer.token("one"))


@pytest.mark.parametrize("answer", [b"[]", b"{}", b'{"keys": 1}', b"\xff", b"x" * 300_000])
async def test_nonsense_from_the_issuer_is_no_key_set(issuer: Issuer, answer: bytes) -> None:
    """An answer that is no key set, or far too large, leaves the server without keys but alive."""
    issuer.answer = httpx.Response(200, content=answer)
    with pytest.raises(KeysUnavailable):
        await TokenVerifier(keys_of(issuer, [0.0]), ISSUER_RULES).verify(issuer.token("one"))


async def test_shared_secret_in_a_key_set_is_ignored(issuer: Issuer) -> None:
    """A symmetric key published by mistake signs nothing here."""
    issuer.answer = httpx.Response(200, json={"keys": [{"kty": "oct", "kid": "one", "k": b64(b"s" * 32)}]})
    headers = {"kid": "one", "typ": "jwt"}
    token = jwt.encode({"sub": "ada"}, b"s" * 32, "HS256", headers=headers)
    verifier = TokenVerifier(keys_of(issuer, [0.0]), ISSUER_RULES)
    with pytest.raises(TokenRefused):
        await verifier.verify(token)
    with pytest.raises(TokenRefused):
        await verifier.verify(issuer.token("one"))


async def test_algorithm_must_be_the_keys_own(issuer: Issuer) -> None:
    """A token whose algorithm is allowed but not that of the named key is refused."""
    private = rsa.generate_private_key(65537, 2048)
    jwk = {**json.loads(RSAAlgorithm.to_jwk(private.public_key())), "kid": "rsa", "alg": "RS512"}
    issuer.answer = httpx.Response(200, json={"keys": [jwk]})
    token = jwt.encode(
        {"iss": RULES.issuer, "aud": RULES.audience, "sub": "ada", "exp": time.time() + 3_600},
        private,
        "RS256",
        headers={"kid": "rsa", "typ": "jwt"},
    )
    with pytest.raises(TokenRefused):
        await TokenVerifier(keys_of(issuer, [0.0]), ISSUER_RULES).verify(token)


def test_key_set_must_be_fetched_over_https() -> None:
    """A key set over plain HTTP is refused, except from this machine."""
    with pytest.raises(KeyFileRefused, match="https"):
        IssuerKeys("http://issuer.test/keys")
    IssuerKeys("http://127.0.0.1:9/keys")


async def test_readiness_needs_a_key_and_tells_why_there_is_none(issuer: Issuer) -> None:
    """Out of reach, no key set or none that is trusted: refused with the reason, and looked for again soon."""
    clock = [0.0]
    keys = keys_of(issuer, clock)
    for status, content, reason in (
        (500, b"{}", "HTTPStatusError"),
        (200, b"<html>", "cannot be read"),
        (200, b'{"keys": [{"kty": "oct", "kid": "a", "k": "AAAA"}]}', "none that can be trusted"),
    ):
        issuer.answer = httpx.Response(status, content=content)
        with pytest.raises(KeysUnavailable, match=reason):
            await keys.check()
        assert not await keys.is_fresh()
        clock[0] += SECONDS_WITHOUT_KEYS
    issuer.answer = None
    await keys.check()
    assert await keys.is_fresh()


async def test_an_issuer_that_goes_away_takes_nobody_out_of_service(issuer: Issuer) -> None:
    """Known keys go on working; only that they are not refreshed is told."""
    clock = [0.0]
    keys = keys_of(issuer, clock)
    await keys.check()
    issuer.answer = httpx.Response(503)
    clock[0] = 601.0
    await keys.check()
    await asyncio.sleep(0)
    assert keys._refresh is not None
    await keys._refresh
    await keys.check()
    assert not await keys.is_fresh()
