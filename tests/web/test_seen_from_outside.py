"""What operators see: health, readiness, metrics, one log line a request and nothing secret in it."""

import asyncio
import hashlib
import json
import logging
from typing import Any

import httpx
import pytest
from transport_desk import Desk, MakeDesk

from patience import until
from refundgql.gql.observability import JsonLines
from refundgql.gql.persisted_documents import TrustedDocuments
from refundgql.web.graphiql import FOLDER, DemoPerson

JSON = {"content-type": "application/json"}


def body(query: str, **rest: Any) -> bytes:
    return json.dumps({"query": query, **rest}).encode()


async def test_alive_and_ready(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """A process that serves says that it lives and that every check passes, to anybody."""

    async def fine() -> bool:
        return True

    desk = serve(readiness_checks={"database": fine, "bus": fine})
    assert (await http.get(f"{desk.url}/healthz")).json() == {"status": "ok"}
    ready = await http.get(f"{desk.url}/readyz")
    assert ready.json() == {"status": "ok", "checks": {"database": "ok", "bus": "ok"}}


async def test_not_ready(
    serve: MakeDesk, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A check that fails, raises or never ends makes the process unready, without telling why; it still lives."""
    monkeypatch.setattr("refundgql.web.health.CHECK_SECONDS", 0.1)

    async def fine() -> bool:
        return True

    async def fails() -> bool:
        return False

    async def raises() -> bool:
        raise OSError("password=secret")

    async def hangs() -> bool:
        await asyncio.sleep(60)
        return True

    desk = serve(readiness_checks={"a": fine, "b": fails, "c": raises, "d": hangs})
    answer = await http.get(f"{desk.url}/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"a": "ok", "b": "failed", "c": "failed", "d": "failed"}
    assert "readiness check d failed: no answer within 0.1 s" in caplog.text
    assert "secret" not in answer.text
    assert (await http.get(f"{desk.url}/healthz")).status_code == 200


async def test_degraded(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """A part that the desk works without is shown when it fails, and takes nobody out of service."""

    async def fine() -> bool:
        return True

    async def fails() -> bool:
        return False

    desk = serve(readiness_checks={"database": fine}, watched_parts={"bus": fails})
    answer = await http.get(f"{desk.url}/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "degraded", "checks": {"database": "ok", "bus": "failed"}}


async def test_metrics_count_requests_refusals_and_streams(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """Requests by status, refusals by code and open streams stand in the metrics."""
    desk = serve()
    url = f"{desk.url}/graphql"
    await http.post(url, content=body("{ hello }"), headers=JSON)
    await http.post(url, content=b"", headers=JSON)
    await http.post(url, content=body("{"), headers=JSON)
    await http.post(url, content=body("{ hello }"), headers={**JSON, "authorization": "Bearer x"})
    stream = http.stream(
        "POST",
        f"{url}/stream",
        content=body("subscription { quiet { number } }"),
        headers={**JSON, "accept": "text/event-stream"},
    )
    async with stream as answer:
        lines = answer.aiter_lines()
        await anext(lines)
        await until(lambda: counted(http, desk, 'refundgql_stream_subscribers{transport="sse"} 1.0'))
        text = (await http.get(f"{desk.url}/metrics")).text
    assert 'refundgql_requests_total{operation="query",status="200",transport="http"} 1.0' in text
    assert 'refundgql_requests_total{operation="none",status="400",transport="http"} 1.0' in text
    assert 'refundgql_refusals_total{code="GRAPHQL_PARSE_FAILED"} 1.0' in text
    assert 'refundgql_refusals_total{code="UNAUTHENTICATED"} 1.0' in text
    assert 'refundgql_operation_seconds_count{operation="query"} 1.0' in text
    await until(lambda: counted(http, desk, 'refundgql_stream_subscribers{transport="sse"} 0.0'))


async def counted(http: httpx.AsyncClient, desk: Desk, line: str) -> bool:
    """Tell whether a line stands in the metrics."""
    return line in (await http.get(f"{desk.url}/metrics")).text


async def test_one_line_a_request(serve: MakeDesk, http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    """Each request leaves one line with id, operation, viewer, time and status; never a token, text or variable."""
    desk = serve()
    caplog.set_level(logging.INFO, "refundgql.access")
    headers = {**JSON, **desk.bearer("sam"), "x-request-id": "my-request"}
    content = body("query Find($t: String) { echo(text: $t) }", variables={"t": "a private word"})
    await http.post(f"{desk.url}/graphql", content=content, headers=headers)
    await http.get(f"{desk.url}/healthz")
    await until(lambda: [r for r in caplog.records if r.name == "refundgql.access"])
    (record,) = [r for r in caplog.records if r.name == "refundgql.access"]
    line = JsonLines().format(record)
    fields = json.loads(line)
    assert fields.pop("ms") >= 0
    assert fields.pop("at").endswith("Z")
    assert fields == {
        "level": "info",
        "logger": "refundgql.access",
        "message": "served",
        "transport": "http",
        "requestId": "my-request",
        "operation": "query",
        "operationName": "Find",
        "viewer": "sam",
        "status": 200,
        "code": None,
    }
    for secret in ("private", desk.token("sam")[:20], "Bearer", "echo"):
        assert secret not in line


async def test_a_long_name_is_cut(serve: MakeDesk, http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    """Of an operation's name a line holds enough to recognise it, however long a client made it."""
    caplog.set_level(logging.INFO, "refundgql.access")
    name = "Begin" + "x" * 50_000 + "End"
    answer = await http.post(f"{serve().url}/graphql", content=body(f"query {name} {{ hello }}"), headers=JSON)
    assert answer.json()["data"] == {"hello": "world"}
    # The line is written once the answer has been sent.
    await until(lambda: [r for r in caplog.records if r.name == "refundgql.access"])
    (record,) = [r for r in caplog.records if r.name == "refundgql.access"]
    line = JsonLines().format(record)
    assert len(line) < 500
    shown = json.loads(line)["operationName"]
    assert (shown[:6], shown[-4:], len(shown)) == ("Beginx", "xEnd", 101)


@pytest.mark.parametrize(
    "text",
    ["a\r\n{}", "\x1b[2J", "\x9b2J", "\x7f", "\u2028", "\u202egnp.exe", "\ud800 half", "\U000e0041", "für 𝔘", "\0"],
)
def test_lines_are_printable(text: str) -> None:
    """Whatever a record holds is one printable line that reads back as it was, and no terminal obeys it."""
    try:
        raise ValueError(text)
    except ValueError as error:
        given = (type(error), error, None)
    record = logging.LogRecord("a", logging.INFO, "", 0, text, None, given)
    record.fields = {"named": text}
    line = JsonLines().format(record)
    assert line.isprintable()
    read = json.loads(line)
    assert (read["message"], read["named"], read["exception"]) == (text, text, f"ValueError: {text}")


def test_long_records_are_cut() -> None:
    """A record of any length leaves a line of bounded length with both its ends."""
    record = logging.LogRecord("a", logging.INFO, "", 0, "begin" + "x" * 1_000_000 + "end", None, None)
    line = json.loads(JsonLines().format(record))
    assert line["message"].startswith("begin")
    assert line["message"].endswith("end")
    assert len(line["message"]) < 21_000


async def test_clients_mistakes_are_no_errors_of_ours(
    serve: MakeDesk, http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing a client does wrong is logged above info; a fault is, once, under the id the client was given."""
    desk = serve()
    caplog.set_level(logging.INFO)
    url = f"{desk.url}/graphql"
    for content in (b"", b"[1", body("{"), body("{ nothing }"), body("query($a: Int!) { hello }")):
        await http.post(url, content=content, headers=JSON)
    await http.post(url, content=body("{ hello }"), headers={**JSON, "authorization": "Bearer x"})
    await http.get(f"{desk.url}/nothing")
    assert [r.getMessage() for r in caplog.records if r.levelno > logging.INFO] == []

    async def fails(*_: Any) -> Any:
        raise RuntimeError("the secret inside")

    desk.toy.engine.execute, original = fails, desk.toy.engine.execute  # type: ignore[method-assign]
    try:
        answer = await http.post(url, content=body("{ hello }"), headers=JSON)
    finally:
        desk.toy.engine.execute = original  # type: ignore[method-assign]
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert "secret" not in answer.text
    (record,) = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert error["extensions"]["id"] in record.getMessage()


async def test_fault_outside_operations_is_500_in_json(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """A fault anywhere is a masked 500 in JSON that still carries safe headers and a request id."""

    async def broken(external_ref: str) -> Any:
        raise OSError("the secret inside")

    desk = serve(load_viewer=broken)
    answer = await http.post(f"{desk.url}/graphql", content=body("{ hello }"), headers={**JSON, **desk.bearer()})
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (500, "INTERNAL_SERVER_ERROR")
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-request-id"]


async def test_trusted_documents_only(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """With a file of trusted documents every other document is refused, and trusted ones run by id or text."""
    desk = serve(trusted_documents=TrustedDocuments({"greeting": "{ hello }"}))
    url = f"{desk.url}/graphql"
    headers = {**JSON, "accept": "application/graphql-response+json"}
    for content in (body("{ hello }"), b'{"documentId":"greeting"}'):
        assert (await http.post(url, content=content, headers=headers)).json()["data"] == {"hello": "world"}
    for content in (body("{ me }"), b'{"documentId":"other"}', body("{ __schema { types { name } } }")):
        answer = await http.post(url, content=content, headers=headers)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"


async def test_automatic_persisted_queries_take_one_request(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """A digest that is not known is told so once; when text and digest have come together, the digest is enough."""
    desk = serve()
    for accept in "application/json", "application/graphql-response+json", "text/event-stream":
        text = f"{{ hello }} # {accept}"
        named = {"persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(text.encode()).hexdigest()}}
        alone, together = json.dumps({"extensions": named}), json.dumps({"query": text, "extensions": named})
        answers = [
            (await http.post(f"{desk.url}/graphql", content=content, headers={**JSON, "accept": accept})).text
            for content in (alone, together, alone, alone)
        ]
        assert "PersistedQueryNotFound" in answers[0]
        assert all('"hello":"world"' in answer for answer in answers[1:])
    wrong = json.dumps({"query": "{ me }", "extensions": named})
    answer = await http.post(f"{desk.url}/graphql", content=wrong, headers=JSON)
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_documents_that_cannot_run_are_not_remembered(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """Only what was parsed, validated and found within the limits is kept."""
    desk = serve()
    text = "{ nothing }"
    named = {"persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(text.encode()).hexdigest()}}
    await http.post(f"{desk.url}/graphql", json={"query": text, "extensions": named}, headers=JSON)
    answer = await http.post(f"{desk.url}/graphql", json={"extensions": named}, headers=JSON)
    assert answer.json()["errors"][0]["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"


async def test_document_ids_without_trusted_documents(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """A server that keeps no documents says so to a client that sends only an id or a digest."""
    desk = serve()
    for content in (b'{"documentId":"x"}', b'{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"x"}}}'):
        answer = await http.post(f"{desk.url}/graphql", content=content, headers=JSON)
        assert answer.json()["errors"][0]["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"


BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


async def test_graphiql_is_for_browsers(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """A browser gets GraphiQL's page under a policy that runs no inline script; programs get what they got."""
    desk = serve(graphiql=True)
    page = await http.get(f"{desk.url}/graphql", headers=BROWSER)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = page.headers["content-security-policy"]
    script = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert script == "script-src 'self'"
    assert page.headers["x-frame-options"] == "DENY"
    assert (await http.get(f"{desk.url}/graphql", headers={"accept": "*/*"})).status_code == 405
    assert (await http.get(f"{desk.url}/graphql", headers={"accept": "application/json"})).status_code == 405
    assert (await http.post(f"{desk.url}/graphql", content=body("{ hello }"), headers=JSON)).status_code == 200


async def test_graphiqls_own_files(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """Every file the page names is served by this server, and nothing outside its folder is."""
    desk = serve(graphiql=True)
    page = (await http.get(f"{desk.url}/graphql", headers=BROWSER)).text
    names = [part.split('"')[0] for part in page.replace("'", '"').split('"graphiql/')[1:]]
    assert names
    for name in names:
        answer = await http.get(f"{desk.url}/graphiql/{name}")
        assert answer.status_code == 200
        assert answer.headers["x-content-type-options"] == "nosniff"
        kept = "public, max-age=31536000, immutable" if name.startswith("assets/") else "no-cache"
        assert answer.headers["cache-control"] == kept
    for address, headers in ((f"{desk.url}/graphql", BROWSER), (f"{desk.url}/graphiql/index.html", {})):
        for wish in ({}, {"range": "bytes=0-1,4-5"}, {"range": "nonsense"}):
            answer = await http.get(address, headers={**headers, **wish})
            assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
            assert answer.text == page
    for path in ("..%2f..%2fapp.py", "../../app.py", "%2e%2e/%2e%2e/app.py", "nothing.js", ""):
        assert (await http.get(f"{desk.url}/graphiql/{path}")).status_code == 404


async def test_graphiql_can_be_switched_off(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """Switched off there is no page and no file of it."""
    desk = serve()
    assert (await http.get(f"{desk.url}/graphql", headers=BROWSER)).status_code == 405
    assert (await http.get(f"{desk.url}/graphiql/index.html")).status_code == 404


async def test_the_root_leads_browsers_to_graphiql(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """A browser at the root is led to the page, relative to where it is; others find nothing, as without GraphiQL."""
    desk = serve(graphiql=True)
    led = await http.get(f"{desk.url}/", headers=BROWSER)
    assert (led.status_code, led.headers["location"]) == (307, "graphql")
    assert (await http.get(f"{desk.url}/")).status_code == 404
    assert (await http.get(f"{serve().url}/", headers=BROWSER)).status_code == 404


async def test_files_come_compressed_as_the_client_takes_them(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """Brotli where it is taken, else gzip, else as it is; the same file each time, and caches keep them apart."""
    url, name = serve(graphiql=True).url, next((FOLDER / "assets").glob("index-*.js")).name
    plain = (FOLDER / "assets" / name).read_bytes()
    for taken, coding in (
        ("gzip, deflate, br, zstd", "br"),
        ("gzip;q=0.5, br;q=0", "gzip"),
        ("deflate", None),
        ("br;q=0.000, gzip;q=0", None),
    ):
        answer = await http.get(f"{url}/graphiql/assets/{name}", headers={"accept-encoding": taken})
        assert answer.headers.get("content-encoding") == coding
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert "accept-encoding" in answer.headers["vary"]
        assert answer.content == plain


async def test_demo_people_only_in_a_demo(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """People with tokens are listed only where a demo has put them, and only there a short token is one."""
    people = [DemoPerson(name="Ada", role="PRO", external_ref="ada", token="t", short_token="ada.short")]
    demo = serve(graphiql=True, demo_people=people)
    listed = {"name": "Ada", "role": "PRO", "externalRef": "ada", "token": "t", "shortToken": "ada.short"}
    assert (await http.get(f"{demo.url}/graphiql/people.json")).json() == [listed]
    assert (await http.get(f"{serve(graphiql=True).url}/graphiql/people.json")).status_code == 404
    assert (await http.get(f"{serve(demo_people=people).url}/graphiql/people.json")).status_code == 404
