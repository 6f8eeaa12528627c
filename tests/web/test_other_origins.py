"""What pages of other sites and clients of every kind find: CORS, compression, and one way to say “sign in again”."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from real_desk import RealDesk, real_desk

SITE = "https://desk.test"
LARGE = "{ refundWorkflow(kind: INVOICE) { mermaid transitions { action guards rules roles } } }"
SMALL = "{ refundPolicy { version } }"
STREAM = "subscription { viewerRefundUpdates { cursor } }"
USUAL_HEADERS = [
    *("authorization", "content-type", "Last-Event-ID", "X-Request-Id", "Range", "X-Requested-With", "b3"),
    *("traceparent", "tracestate", "baggage", "sentry-trace", "x-datadog-trace-id", "newrelic"),
    *(
        "apollographql-client-name",
        "apollographql-client-version",
        "x-apollo-operation-name",
        "apollo-require-preflight",
    ),
    *("graphql-client-name", "graphql-client-version"),
]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDesk]:
    """Return the server of this file, which pages of one other site may call."""
    with real_desk(tmp_path_factory.mktemp("origins"), allowed_origins=(SITE,)) as desk:
        yield desk


def allowed(desk: RealDesk, *names: str) -> bool:
    """Tell whether a page of the site may send a request with these headers, as a browser would read the answer."""
    headers = {
        "origin": SITE, "access-control-request-method": "POST", "access-control-request-headers": ",".join(names)
    }  # fmt: skip
    answer = httpx.options(f"{desk.url}/graphql", headers=headers)
    granted = {one.strip().lower() for one in answer.headers.get("access-control-allow-headers", "").split(",")}
    return answer.status_code == 200 and all(name.lower() in granted for name in names)


def exposed(desk: RealDesk) -> set[str]:
    """Return the headers of an answer that a page of the site may read."""
    headers = {**desk.headers(None), "origin": SITE}
    answer = httpx.post(f"{desk.url}/graphql", json={"query": SMALL}, headers=headers)
    assert answer.headers["access-control-allow-origin"] == SITE
    return {one.strip().lower() for one in answer.headers["access-control-expose-headers"].split(",")}


def test_headers_that_pages_send_by_themselves_are_allowed(desk: RealDesk) -> None:
    """Tracing, error reporting and GraphQL clients add headers; none of them stops a page of an allowed site."""
    assert allowed(desk, *USUAL_HEADERS)
    assert not allowed(desk, "x-own")
    assert exposed(desk) >= {"x-request-id", "retry-after", "www-authenticate"}


@pytest.mark.parametrize(("given", "any_header"), [(("X-Own",), False), (("*",), True)])
def test_further_headers_are_a_setting(
    tmp_path_factory: pytest.TempPathFactory, given: tuple[str, ...], any_header: bool
) -> None:
    """A deployment allows headers of its own beside the usual ones, or any at all."""
    folder = tmp_path_factory.mktemp("more")
    with real_desk(folder, allowed_origins=(SITE,), allowed_headers=given, exposed_headers=("X-Shown",)) as desk:
        assert allowed(desk, "x-own", "traceparent")
        assert allowed(desk, "x-other") is any_header
        assert "x-shown" in exposed(desk)


@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json"])
@pytest.mark.parametrize(
    ("encodings", "chosen"),
    [
        *(("gzip", "gzip"), ("gzip, deflate, br", "br"), ("gzip, deflate, br, zstd", "zstd"), ("*", "zstd")),
        *(("gzip;q=0, br;q=0.5", "br"), ("identity", None), ("", None), ("deflate", None)),
    ],
)
def test_large_answers_are_compressed(accept: str, encodings: str, chosen: str | None, desk: RealDesk) -> None:
    """An answer over a kilobyte is compressed as the client takes it, a small one is not."""
    headers = {**desk.headers(None), "accept": accept, "accept-encoding": encodings}
    with httpx.stream("POST", f"{desk.url}/graphql", json={"query": LARGE}, headers=headers) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers.get("content-encoding") == chosen
    assert int(answer.headers["content-length"]) == len(raw)
    assert "accept-encoding" in answer.headers["vary"].lower()
    assert answer.headers["x-content-type-options"] == "nosniff"
    whole = httpx.post(f"{desk.url}/graphql", json={"query": LARGE}, headers={**headers, "accept-encoding": "identity"})
    if chosen is None:
        assert raw == whole.content
    else:
        assert len(raw) < len(whole.content) / 2
    small = httpx.post(f"{desk.url}/graphql", json={"query": SMALL}, headers=headers)
    assert "content-encoding" not in small.headers
    assert "version" in small.json()["data"]["refundPolicy"]


def test_compressed_answers_say_the_same(desk: RealDesk) -> None:
    """What a client unpacks is what would have been sent plain; files of GraphiQL are compressed as well."""
    plain, packed = (
        httpx.post(
            f"{desk.url}/graphql", json={"query": LARGE}, headers={**desk.headers(None), "accept-encoding": encoding}
        )
        for encoding in ("identity", "gzip")
    )
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.json() == plain.json()
    page = httpx.get(f"{desk.url}/graphql", headers={"accept": "text/html", "accept-encoding": "gzip"})
    script = page.text.partition('src="')[2].partition('"')[0]
    file = httpx.get(httpx.URL(f"{desk.url}/graphql").join(script), headers={"accept-encoding": "gzip"})
    assert (file.status_code, file.headers["content-encoding"]) == (200, "gzip")


def test_streams_are_not_compressed(desk: RealDesk) -> None:
    """Events leave as they are, whatever the client takes."""
    ref = desk.with_role("PRO")
    headers = {**desk.headers(ref), "accept": "text/event-stream", "accept-encoding": "gzip, br, zstd"}
    with httpx.stream("POST", f"{desk.url}/graphql", json={"query": STREAM}, headers=headers) as answer:
        assert answer.status_code == 200
        assert "content-encoding" not in answer.headers
        assert next(answer.iter_raw()).startswith(b"retry: ")


def test_compression_may_be_left_to_a_proxy(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Switched off, answers leave as they are."""
    with real_desk(tmp_path_factory.mktemp("plain"), compression=False) as desk:
        headers = {**desk.headers(None), "accept-encoding": "gzip"}
        answer = httpx.post(f"{desk.url}/graphql", json={"query": LARGE}, headers=headers)
        assert "content-encoding" not in answer.headers
        assert len(answer.content) > 1_024


@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json", "text/event-stream"])
@pytest.mark.parametrize(
    "query", ["{ leads { totalCount } }", "{ viewer { id } }", "{ a: viewer { id } b: viewer { id } }"]
)
def test_sign_in_again_has_one_shape(accept: str, query: str, desk: RealDesk) -> None:
    """No token, a forged one and an expired one are answered alike, in the type that was asked for."""
    expired = desk.token(desk.with_role("PRO"), lifetime_seconds=-3600)
    shapes = set()
    for token in None, "x.y.z", expired, f"{expired}x":
        headers = {**desk.headers(None), "accept": accept} | ({"authorization": f"Bearer {token}"} if token else {})
        answer = httpx.post(f"{desk.url}/graphql", json={"query": query}, headers=headers)
        assert answer.headers["content-type"] == f"{accept}; charset=utf-8"
        text = answer.text
        if accept == "text/event-stream":
            lines = text.splitlines()
            assert (lines.count("event: next"), lines.count("event: complete")) == (1, 1)
            text = next(line for line in lines if line.startswith("data: {")).removeprefix("data: ")
        else:
            assert answer.headers["www-authenticate"].startswith("Bearer")
        content = json.loads(text)
        (error,) = content["errors"]
        assert isinstance(error.pop("message"), str)
        shapes.add((answer.status_code, json.dumps(content)))
    status = 200 if accept == "text/event-stream" else 401
    assert shapes == {(status, json.dumps({"errors": [{"extensions": {"code": "UNAUTHENTICATED"}}]}))}


def test_each_request_hears_its_own_language(desk: RealDesk) -> None:
    """Accept-Language decides in which language the sentences of an answer are; a stream's are in English for all."""
    ref = desk.with_role("PRO")
    ask = {
        "query": "mutation($i: RequestWithdrawalInput!) { requestWithdrawal(input: $i) { refusals { code message } } }"
    }
    given = {"i": {"amount": {"amount": "-1.00", "currencyCode": "USD"}, "idempotencyKey": "language"}}
    heard = {}
    for language in "de-CH, en;q=0.5", "es", "en", "fr":
        headers = {**desk.headers(ref), "accept-language": language}
        answer = httpx.post(f"{desk.url}/graphql", json={**ask, "variables": given}, headers=headers).json()
        heard[language] = answer["data"]["requestWithdrawal"]["refusals"]
    assert {tuple(one["code"] for one in refusals) for refusals in heard.values()} == {("INVALID_INPUT",)}
    assert [refusals[0]["message"] for refusals in heard.values()] == [
        "Gib einen Betrag über null an.",
        "Indica un importe mayor que cero.",
        "Give an amount above zero.",
        "Give an amount above zero.",
    ]


def test_what_is_for_everybody_is_told_beside_what_is_not(desk: RealDesk) -> None:
    """An operation that could do a part of what was asked keeps its data, and says at which field to sign in."""
    answer = desk.ask(None, "{ refundPolicy { version } viewer { id } }")
    assert answer["data"]["refundPolicy"]["version"]
    assert [(one["path"], one["extensions"]["code"]) for one in answer["errors"]] == [(["viewer"], "UNAUTHENTICATED")]
