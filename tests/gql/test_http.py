"""Operations over HTTP: what is answered to good, odd and hostile requests, on a real socket."""

import asyncio
import json
import socket
from typing import Any

import httpx
import pytest

from patience import PATIENCE_SECONDS
from toy_server import MakeDesk, begun, finished_by_itself, slow_acts
from wide_limits import patient

JSON = {"content-type": "application/json"}
LEGACY = {**JSON, "accept": "application/json"}
MODERN = {**JSON, "accept": "application/graphql-response+json"}


def body(query: str, **rest: Any) -> bytes:
    return json.dumps({"query": query, **rest}).encode()


def raw(port: int, data: bytes, *, seconds: float = PATIENCE_SECONDS) -> bytes:
    """Send bytes as they are and return everything that comes back."""
    with socket.create_connection(("127.0.0.1", port), seconds) as connection:
        connection.sendall(data)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/json", "application/json"),
        ("application/graphql-response+json", "application/graphql-response+json"),
        ("application/graphql-response+json, application/json;q=0.9", "application/graphql-response+json"),
        ("application/json, application/graphql-response+json", "application/json"),
        ("application/json;q=0.5, application/graphql-response+json;q=0.6", "application/graphql-response+json"),
        ("application/graphql-response+json; charset=UTF-8", "application/graphql-response+json"),
        ("text/html, application/json;q=0.1", "application/json"),
        ("*/*;q=0.1, application/graphql-response+json", "application/graphql-response+json"),
        ("application/json;q=0, */*", "application/graphql-response+json"),
    ],
)
async def test_answer_is_of_the_type_asked_for(
    accept: str | None, media: str, serve: MakeDesk, http: httpx.AsyncClient
) -> None:
    """The answer has the best media type of Accept, in UTF-8."""
    desk = serve()
    headers = dict(JSON) if accept is None else {**JSON, "accept": accept}
    request = http.build_request("POST", f"{desk.url}/graphql", content=body("{ hello }"), headers=headers)
    if accept is None:
        del request.headers["accept"]
    answer = await http.send(request)
    assert (answer.status_code, answer.json()["data"]) == (200, {"hello": "world"})
    assert answer.headers["content-type"] == f"{media}; charset=utf-8"


@pytest.mark.parametrize(
    "accept", ["text/html", "image/png", "application/json;q=0", "application/json;charset=utf-16"]
)
async def test_unacceptable_type_is_406(accept: str, serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """A client that takes nothing we can send is told so before anything runs."""
    desk = serve()
    answer = await http.post(f"{desk.url}/graphql", content=body("{ hello }"), headers={**JSON, "accept": accept})
    assert (answer.status_code, code_of(answer)) == (406, "NOT_ACCEPTABLE")


def code_of(answer: httpx.Response) -> str:
    content = answer.json()
    assert set(content) == {"errors"}
    assert answer.headers["content-type"].startswith("application/")
    return str(content["errors"][0]["extensions"]["code"])


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ('APPLICATION/JSON; Charset="UTF-8"', 200),
        ("application/json; charset=latin-1", 415),
        ("text/plain", 415),
        ("application/graphql", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("", 415),
        (None, 415),
    ],
)
async def test_only_json_bodies(
    content_type: str | None, status: int, serve: MakeDesk, http: httpx.AsyncClient
) -> None:
    """Bodies of a type that a page of another site could send without asking are refused."""
    desk = serve()
    headers = {} if content_type is None else {"content-type": content_type}
    answer = await http.post(f"{desk.url}/graphql", content=body("{ hello }"), headers=headers)
    assert answer.status_code == status
    assert status == 200 or code_of(answer) == "UNSUPPORTED_MEDIA_TYPE"


async def test_compressed_body_is_refused(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """A compressed body is refused with the encoding that would do."""
    desk = serve()
    answer = await http.post(f"{desk.url}/graphql", content=b"\x1f\x8b", headers={**JSON, "content-encoding": "gzip"})
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")
    assert code_of(answer) == "UNSUPPORTED_MEDIA_TYPE"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
@pytest.mark.parametrize("path", ["/graphql", "/graphql/stream"])
async def test_other_methods_are_405(method: str, path: str, serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """Operations are sent with POST alone."""
    desk = serve()
    answer = await http.request(method, f"{desk.url}{path}?query={{hello}}")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_unknown_address_is_404_in_json(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """Also what is not there is said in JSON."""
    desk = serve()
    for path in ("/", "/graphiql", "/graphiql/people.json", "/graphql/", "/nothing"):
        answer = await http.get(desk.url + path)
        assert (path, answer.status_code, code_of(answer)) == (path, 404, "NOT_FOUND")


STRANGE_BODIES: dict[str, bytes] = {
    "nothing": b"",
    "null": b"null",
    "number": b"1",
    "text": b'"x"',
    "true": b"true",
    "array": b"[]",
    "batch": b'[{"query":"{hello}"}]',
    "cut off": b'{"query":"{hello}"',
    "two": b'{"query":"{hello}"}{"query":"{hello}"}',
    "not UTF-8": b'{"query":"\xff"}',
    "UTF-16": '{"query":"{hello}"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"query":"{hello}"}',
    "nested": b'{"query":"{hello}","variables":' + b'{"a":' * 2000 + b"1" + b"}" * 2001,
    "nested lists": b"[" * 100_000,
    "huge integer": b'{"query":"{hello}","variables":{"a":' + b"9" * 5000 + b"}}",
    "huge number": b'{"query":"{hello}","variables":{"a":1e999}}',
    "not a number": b'{"query":"{hello}","variables":{"a":NaN}}',
    "lone surrogate": b'{"query":"{hello}","operationName":"\\ud800"}',
    "name twice": b'{"query":"{hello}","query":"mutation{act}"}',
    "name twice, spaced": b'{"query":"{hello}","query" :"mutation{act}"}',
    "name twice, escaped": b'{"query":"{hello}","qu\\u0065ry":"mutation{act}"}',
    "variable twice": b'{"query":"{hello}","variables":{"a":1,"a":2}}',
    "variable twice in a list": b'{"query":"{hello}","variables":{"b":[{"a":1,"a":2}],"c":":"}}',
    "no query": b'{"qeury":"{hello}"}',
    "query null": b'{"query":null}',
    "query number": b'{"query":1}',
    "operationName list": b'{"query":"{hello}","operationName":["x"]}',
    "variables text": b'{"query":"{hello}","variables":"{}"}',
    "extensions list": b'{"query":"{hello}","extensions":[]}',
    "documentId number": b'{"documentId":1}',
    "form": b"query=%7Bhello%7D",
}


@pytest.mark.parametrize("name", STRANGE_BODIES)
async def test_strange_body_is_400(name: str, serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """A body that is not one well-formed request is a plain 400 without data, for both kinds of client."""
    desk = serve()
    for headers in (LEGACY, MODERN):
        answer = await http.post(f"{desk.url}/graphql", content=STRANGE_BODIES[name], headers=headers)
        assert (answer.status_code, code_of(answer)) == (400, "BAD_REQUEST")


async def test_names_that_are_not_known_are_ignored(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """Strings with colons and quotes, and parameters of the future, disturb nothing."""
    desk = serve()
    query = 'query Q($a: String) { echo(text: $a) b: echo(text: "x\\":") }'
    content = body(query, variables={"a": ':"b":', "unused": '"'}, future={"x": 1}, operationName="Q")
    answer = await http.post(f"{desk.url}/graphql", content=content, headers=MODERN)
    assert answer.json()["data"] == {"echo": ':"b":', "b": 'x":'}


@pytest.mark.parametrize(
    ("query", "rest", "code"),
    [
        ("{", {}, "GRAPHQL_PARSE_FAILED"),
        ("{ }", {}, "GRAPHQL_PARSE_FAILED"),
        ("", {}, "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("query A { hello } mutation B { act }", {}, "OPERATION_RESOLUTION_FAILURE"),
        ("query A { hello }", {"operationName": "C"}, "OPERATION_RESOLUTION_FAILURE"),
        ("query A($id: ID!) { node(id: $id) { id } }", {"variables": {"id": None}}, "BAD_USER_INPUT"),
    ],
)
async def test_request_errors(
    query: str, rest: dict[str, Any], code: str, serve: MakeDesk, http: httpx.AsyncClient
) -> None:
    """What cannot be run is 400 without data; clients from before the draft get it with 200."""
    desk = serve()
    content = body(query, **rest)
    modern = await http.post(f"{desk.url}/graphql", content=content, headers=MODERN)
    legacy = await http.post(f"{desk.url}/graphql", content=content, headers=LEGACY)
    assert (modern.status_code, code_of(modern)) == (400, code)
    assert modern.headers["content-type"].startswith("application/graphql-response+json")
    assert (legacy.status_code, code_of(legacy)) == (200, code)


async def test_execution_errors_are_200(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """An error beside data is no failure of the request, and a fault shows nothing of itself."""
    desk = serve()
    answer = await http.post(f"{desk.url}/graphql", content=body("{ hello broken }"), headers=MODERN)
    assert answer.status_code == 200
    assert answer.json()["data"] == {"hello": "world", "broken": None}
    assert "secret" not in answer.text


@pytest.mark.parametrize("headers", [MODERN, LEGACY], ids=["modern", "legacy"])
async def test_what_cannot_be_done_now_is_503(headers: Any, serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """While the database is away the whole of a request fails with 503 and when to come back; a part of it does not."""
    desk = serve()
    answer = await http.post(f"{desk.url}/graphql", content=body("{ away also: away }"), headers=headers)
    assert (answer.status_code, answer.headers["retry-after"], code_of(answer)) == (503, "1", "SERVICE_UNAVAILABLE")
    assert "data" not in answer.json()
    part = await http.post(f"{desk.url}/graphql", content=body("{ hello away }"), headers=headers)
    assert (part.status_code, part.json()["data"]) == (200, {"hello": "world", "away": None})


async def test_subscription_needs_a_stream(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """A subscription that asked for one JSON answer is told where streams are."""
    desk = serve()
    content = body("subscription { counts(to: 1) { number } }")
    answer = await http.post(f"{desk.url}/graphql", content=content, headers=MODERN)
    assert (answer.status_code, code_of(answer)) == (406, "NOT_ACCEPTABLE")
    for accept in "application/json", "application/json, text/event-stream;q=0", "text/event-stream;q=0, */*":
        answer = await http.post(f"{desk.url}/graphql", content=content, headers={**JSON, "accept": accept})
        assert (answer.status_code, code_of(answer)) == (406, "NOT_ACCEPTABLE"), accept


@pytest.mark.parametrize(
    "accept",
    [
        *("*/*", "text/event-stream", "text/*", "application/json, text/event-stream", "application/json, */*;q=0.1"),
        *("application/graphql-response+json, application/json, text/event-stream", "text/event-stream;q=0.2, */*"),
        *("application/json;q=0.9, text/event-stream;q=0.1", "application/json, text/plain, */*", ""),
    ],
)
async def test_subscriptions_stream_wherever_a_stream_is_accepted(
    accept: str, serve: MakeDesk, http: httpx.AsyncClient
) -> None:
    """A subscription is a stream whenever Accept lets one through; a query of the same client is one JSON answer."""
    desk = serve()
    content = body("subscription { counts(to: 1) { number } }")
    answer = await http.post(f"{desk.url}/graphql", content=content, headers={**JSON, "accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert "event: complete" in answer.text
    if not accept.startswith("text/"):
        once = await http.post(f"{desk.url}/graphql", content=body("{ hello }"), headers={**JSON, "accept": accept})
        assert once.json()["data"] == {"hello": "world"}


async def test_body_limit_counts_what_arrives(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """A body over the limit is refused by its declared length, and by its bytes when it declares none."""
    desk = serve(limits=patient(max_body_bytes=1000))
    large = body("{ hello }", extensions={"x": "y" * 1000})
    declared = await http.post(f"{desk.url}/graphql", content=large, headers=JSON)
    assert (declared.status_code, code_of(declared)) == (413, "LIMIT_EXCEEDED")

    async def chunks() -> Any:
        for at in range(0, len(large), 100):
            yield large[at : at + 100]

    counted = await http.post(f"{desk.url}/graphql", content=chunks(), headers=JSON)
    assert (counted.status_code, counted.headers["connection"]) == (413, "close")
    head = b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 999999999\r\n\r\n"
    assert raw(desk.port, head).startswith(b"HTTP/1.1 413")


async def test_slow_body_is_408(serve: MakeDesk) -> None:
    """A body that does not arrive in time is refused and its connection closed."""
    desk = serve(limits=patient(body_seconds=0.3))
    head = b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n{"
    received = await asyncio.to_thread(raw, desk.port, head)
    assert received.startswith(b"HTTP/1.1 408")
    assert b"REQUEST_TIMEOUT" in received
    assert b"within 0.3 seconds" in received


async def test_client_that_leaves_disturbs_nothing(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """A client that goes away in the middle of its body is no fault of the server."""
    desk = serve()
    head = b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n{"
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", desk.port)) as connection:
            connection.sendall(head)
    answer = await http.post(f"{desk.url}/graphql", content=body("{ hello }"), headers=JSON)
    assert answer.status_code == 200


async def test_mutation_is_finished_when_its_client_leaves(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """Leaving before the answer does not cut a mutation in two."""
    desk = slow_acts(serve())
    content = body("mutation { actWhenTold }")
    head = b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: "
    with socket.create_connection(("127.0.0.1", desk.port)) as connection:
        connection.sendall(b"%s%d\r\n\r\n%s" % (head, len(content), content))
        await begun(desk)
    await finished_by_itself(desk, http)


async def test_bad_length_header(serve: MakeDesk) -> None:
    """A length that is no number never reaches anything that would trust it."""
    desk = serve()
    for length in (b"-1", b"x", b"1e3", b"5, 6"):
        head = b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: "
        received = await asyncio.to_thread(raw, desk.port, head + length + b"\r\nconnection: close\r\n\r\n{}")
        assert received.startswith(b"HTTP/1.1 400")


async def test_token_says_who_is_asking(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """The viewer is the account the token names, read anew for every request; nobody without a token."""
    desk = serve()
    url = f"{desk.url}/graphql"
    assert (await http.post(url, content=body("{ me }"), headers=JSON)).json()["data"] == {"me": None}
    headers = {**JSON, **desk.bearer()}
    for _ in range(2):
        assert (await http.post(url, content=body("{ me }"), headers=headers)).json()["data"] == {"me": "ada"}
    assert desk.loads == ["ada", "ada"]
    del desk.people["ada"]
    gone = await http.post(url, content=body("{ me }"), headers=headers)
    assert (gone.status_code, code_of(gone)) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("value", ["Bearer", "Basic YTpi", "Bearer x.y.z", "x", "", "Bearer \xff\xfe"])
async def test_bad_authorization_is_401(value: str, serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """A header that proves nothing is refused, not taken for nobody."""
    desk = serve()
    headers = [(b"content-type", b"application/json"), (b"authorization", value.encode("latin-1"))]
    answer = await http.post(f"{desk.url}/graphql", content=body("{ hello }"), headers=headers)
    assert (answer.status_code, code_of(answer)) == (401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_good_token_under_another_scheme_is_401(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """Also a good token counts only as a bearer's, whatever the case of the word."""
    desk = serve()
    token = desk.token("ada")
    for value, status in ((f"Basic {token}", 401), (token, 401), (f"bearer {token}", 200), (f"BEARER  {token}", 200)):
        headers = {**JSON, "authorization": value}
        answer = await http.post(f"{desk.url}/graphql", content=body("{ me }"), headers=headers)
        assert (value[:7], answer.status_code) == (value[:7], status)


async def test_repeated_header_is_400(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """Two tokens, or two content types, are no request anybody can read in one way."""
    desk = serve()
    headers = [("content-type", "application/json"), ("authorization", "Bearer a"), ("authorization", "Bearer b")]
    answer = await http.post(f"{desk.url}/graphql", content=body("{ hello }"), headers=headers)
    assert answer.status_code == 400


@pytest.mark.usefixtures("standing_minute")
async def test_rate_is_limited_for_each_account(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """The request after the last one allowed is 429 with the time to wait; other accounts go on."""
    desk = serve(limits=patient(requests_per_minute=3))
    url = f"{desk.url}/graphql"
    ada, sam = {**JSON, **desk.bearer("ada")}, {**JSON, **desk.bearer("sam")}
    for _ in range(3):
        assert (await http.post(url, content=body("{ me }"), headers=ada)).status_code == 200
    refused = await http.post(url, content=body("{ me }"), headers=ada)
    assert (refused.status_code, code_of(refused)) == (429, "RATE_LIMITED")
    assert 1 <= int(refused.headers["retry-after"]) <= 120
    assert (await http.post(url, content=body("{ me }"), headers=sam)).status_code == 200


async def test_at_most_five_errors(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """An answer lists no more than five errors, whether the request or its fields are at fault."""
    desk = serve()
    for query in ("{ a b c d e f g }", "{ a:broken b:broken c:broken d:broken e:broken f:broken }"):
        answer = await http.post(f"{desk.url}/graphql", content=body(query), headers=MODERN)
        assert len(answer.json()["errors"]) == 5


async def test_every_answer_carries_safe_headers(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """Answers, refusals and pages alike cannot be sniffed, framed or cached, and carry their request id."""
    desk = serve()
    for path, headers in (("/graphql", JSON), ("/graphql", {}), ("/nothing", {}), ("/healthz", {})):
        answer = await http.post(desk.url + path, content=body("{ hello }"), headers=headers)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-request-id"]
        assert "server" not in answer.headers


async def test_request_id_is_kept_when_it_is_a_word(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """The caller's own request id comes back; one that could forge log lines does not."""
    desk = serve()
    mine = await http.get(f"{desk.url}/healthz", headers={"x-request-id": "abc-1.2_3"})
    assert mine.headers["x-request-id"] == "abc-1.2_3"
    forged = await http.get(f"{desk.url}/healthz", headers={"x-request-id": "a b" * 30})
    assert forged.headers["x-request-id"] != "a b" * 30


async def test_pages_of_other_sites(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """Only pages of listed origins may read answers, refusals among them."""
    desk = serve(allowed_origins=("https://desk.test",))
    url = f"{desk.url}/graphql"
    ask = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}
    allowed = await http.options(url, headers={**ask, "origin": "https://desk.test"})
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, "https://desk.test")
    refused = await http.options(url, headers={**ask, "origin": "https://evil.test"})
    assert refused.status_code == 400
    assert "access-control-allow-origin" not in refused.headers
    answer = await http.post(url, content=b"", headers={**JSON, "origin": "https://desk.test"})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (400, "https://desk.test")


async def test_refused_preflights_are_json(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """A browser that asks for a page of another site, or for a header that is not taken, is refused as JSON."""
    url = f"{serve(allowed_origins=('https://desk.test',)).url}/graphql"
    asked = {"access-control-request-method": "POST"}
    for headers, allowed in (
        ({"origin": "https://desk.test"}, True),
        ({"origin": "https://evil.test"}, False),
        ({"origin": "https://desk.test", "access-control-request-headers": "x-evil"}, False),
        ({"origin": "https://desk.test", "access-control-request-method": "DELETE"}, False),
    ):
        answer = await http.options(url, headers={**asked, **headers})
        assert (answer.status_code == 200) is allowed
        assert ("access-control-allow-origin" in answer.headers) is (headers["origin"] == "https://desk.test")
        if not allowed:
            assert answer.status_code == 400
            assert answer.headers["content-type"] == "application/json"
            assert answer.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"
