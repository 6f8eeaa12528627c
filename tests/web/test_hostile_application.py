"""Whatever is sent to the whole application, it answers in the protocol's terms, at once, and stays well.

`REFUNDGQL_FUZZ_EXAMPLES=20000 python -m pytest -m slow tests/web/test_hostile_application.py` tries that many of
each kind; `--hypothesis-seed=N` and `REFUNDGQL_FUZZ_SEED=N` repeat a run, and a failure says what to send again.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import random
import re
import threading
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from generated_documents import documents, filled
from graphql import get_named_type
from hostile_values import HOSTILE, SCHEMA, Place, places
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from real_desk import MARKETPLACE, RealDesk, real_desk
from test_hostile_input import CLOSE_CODES, mutated
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol
from wire import Wire

from databases import drop_database, new_database_url
from patience import PATIENCE_SECONDS, until_now

EXAMPLES = int(os.environ.get("REFUNDGQL_FUZZ_EXAMPLES", "0"))
SEED = int(os.environ.get("REFUNDGQL_FUZZ_SEED", "1"))
PYTHON = re.compile(r"\b(None|True|False)\b|\b[a-z]+_(days|hours|minor|window)\b|<class|object at 0x")
BUDGET_SECONDS = 10.0
"""Processor time of one answer, client and server together, on the slowest machine: they share the process."""


def few(count: int) -> Any:
    """Return how many examples to try: so many, or as many as the environment says."""
    return settings(
        max_examples=EXAMPLES or count,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDesk]:
    """Return the server of this file; at its end it must still be well."""
    with real_desk(tmp_path_factory.mktemp("hostile"), max_body_bytes=4_000_000) as desk:
        yield desk
        desk.is_well()


@pytest.fixture(scope="module")
def client() -> Iterator[Wire]:
    """Return the one client of this file."""
    wire = Wire()
    yield wire
    wire.close()


def check(desk: RealDesk, client: Wire, ref: str | None, content: bytes, note: Any = "") -> dict[str, Any]:
    """Send a body and judge the answer: below 500, shaped as the protocol says, nothing of the inside, at once."""
    started_at = time.process_time()
    answer = client.post(desk.port, content, headers_of(desk, ref))
    spent = time.process_time() - started_at
    told = (note, ref, content[:2000], answer.status_code, answer.text[:2000], spent)
    assert answer.status_code < 500, told
    assert spent < BUDGET_SECONDS, told
    body: dict[str, Any] = answer.json()
    assert set(body) <= {"data", "errors", "extensions"}, told
    assert "data" in body or body.get("errors"), told
    for error in body.get("errors", []):
        assert isinstance(error["message"], str), told
        assert error["extensions"]["code"] != "INTERNAL_SERVER_ERROR", told
        assert not any(word in error["message"] for word in ("Traceback", "SELECT ", "sqlite", "codec", ".py")), told
        assert not PYTHON.search(error["message"]), told
    assert len(body.get("errors", [])) <= 5, told
    return body


_HEADERS: dict[tuple[int, str | None], dict[str, str]] = {}


def headers_of(desk: RealDesk, ref: str | None) -> dict[str, str]:
    """Return a person's headers, signed once."""
    if (desk.port, ref) not in _HEADERS:
        _HEADERS[desk.port, ref] = desk.headers(ref)
    return _HEADERS[desk.port, ref]


def everybody(desk: RealDesk) -> list[str]:
    """Return one person for each role."""
    return [desk.with_role(role) for role in ("PRO", "CLIENT", "EXPERT", "SUPPORT", "ADMIN")] + [MARKETPLACE]


def real_ids(desk: RealDesk) -> dict[str, str]:
    """Return an id for each place that takes one, so that what is around a hostile value gets far inside."""
    admin = desk.with_role("ADMIN")
    pro = desk.with_role("PRO")
    lead = desk.ask(pro, "{ leads { edges { node { id } } } }")["data"]["leads"]["edges"][0]["node"]["id"]
    document = "mutation($input: RequestLeadRefundInput!) { requestLeadRefund(input: $input) { refundCase { id } } }"
    given = {"leadId": lead, "reason": "OTHER", "explanation": "No.", "idempotencyKey": "fuzz"}
    desk.ask(pro, document, input=given)
    found = desk.ask(
        admin,
        """{ refundCases { edges { node { id } } } leads { edges { node { id conversation { messages { edges { node {
             id } } } } } } } contracts { edges { node { id invoices { edges { node { id } } } milestones { id }
             reviews { id } billingWeeks { edges { node { id } } } } } } viewer { id } }""",
    )["data"]
    ids: dict[str, str] = {}

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            if "id" in value:
                ids.setdefault(value["id"].split("_")[0], value["id"])
            for inner in value.values():
                collect(inner)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)

    collect(found)
    case = ids["RefundCase"]
    names = {name[0].lower() + name[1:] + "Id": one for name, one in ids.items()}
    return {
        **ids,
        **names,
        "id": case,
        "refundCaseId": case,
        "assigneeId": ids["Account"],
        "messageIds": ids["Message"],
    }


@pytest.fixture(scope="module")
def ids(desk: RealDesk) -> dict[str, str]:
    """Return the ids of the server of this file."""
    return real_ids(desk)


@pytest.fixture(scope="module")
def postgres_ids(postgres_desk: RealDesk) -> dict[str, str]:
    """Return the ids of the server over PostgreSQL."""
    return real_ids(postgres_desk)


@pytest.fixture(scope="module")
def every_place(ids: dict[str, str]) -> list[Place]:
    """Return every place of the schema that takes a value."""
    return list(places(ids))


@pytest.mark.slow
def test_every_place_is_known(every_place: list[Place]) -> None:
    """Every argument of every root and act, and every field of every input, has its place here."""
    names = {place.name for place in every_place}
    for type_ in (SCHEMA.query_type, SCHEMA.mutation_type):
        assert type_
        for root, declared in type_.fields.items():
            for argument, its in declared.args.items():
                inner = get_named_type(its.type)
                for field in getattr(inner, "fields", {}):
                    assert f"{root}.{argument}.{field}" in names
                assert f"{root}.{argument}" in names
    assert len(every_place) > 250


def hostile_requests(
    desk: RealDesk, every_place: list[Place], count: int | None
) -> Iterator[tuple[str, str | None, bytes]]:
    """Yield hostile values in their places, sent by people in turn; all of them, or so many at random."""
    chance, people = random.Random(SEED), everybody(desk)
    pairs = [(place, raw) for place in every_place for raw in HOSTILE]
    if count is not None:
        pairs = chance.choices(pairs, k=count)
    for place, raw in pairs:
        ref = MARKETPLACE if place.name.startswith("syncRecords") else chance.choice(people)
        # Some keys are new each time: an act that was refused as a replay would look at nothing else.
        content = place.body(raw).replace(
            b'"idempotencyKey": "Something."', b'"idempotencyKey": "k%d"' % chance.getrandbits(64)
        )
        yield f"seed {SEED}: {place.name} = {raw[:60]}", ref, content


def test_some_hostile_values(desk: RealDesk, client: Wire, every_place: list[Place]) -> None:
    """A hostile value anywhere is answered at once, never with a fault."""
    for note, ref, content in hostile_requests(desk, every_place, 300):
        check(desk, client, ref, content, note)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_hostile_value_everywhere(desk: RealDesk, client: Wire, every_place: list[Place]) -> None:
    """Every hostile value in every place of every root and act is answered at once, never with a fault."""
    for note, ref, content in hostile_requests(desk, every_place, EXAMPLES or None):
        check(desk, client, ref, content, note)
    desk.is_well()


@pytest.mark.slow
@pytest.mark.timeout(3600)
@few(2_000)
@given(document=documents, who=st.integers(0, 5))
def test_generated_documents(document: str, who: int, desk: RealDesk, client: Wire, ids: dict[str, str]) -> None:
    """Documents made from the schema, right ones and wrong ones, are answered at once, never with a fault."""
    check(desk, client, everybody(desk)[who], json.dumps({"query": filled(document, ids)}).encode(), document)


@pytest.fixture(scope="module")
def postgres_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDesk]:
    """Return a server over PostgreSQL; at its end it must still be well."""
    folder = tmp_path_factory.mktemp("postgres")
    url = new_database_url("postgres", folder)
    with real_desk(folder, database_url=url, bus="postgres", max_body_bytes=4_000_000) as desk:
        yield desk
        desk.is_well()
    drop_database(url)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@few(300)
@given(document=documents, who=st.integers(0, 5))
def test_generated_documents_on_postgres(
    document: str, who: int, postgres_desk: RealDesk, client: Wire, postgres_ids: dict[str, str]
) -> None:
    """Over PostgreSQL such documents are answered at once and without a fault as well."""
    content = json.dumps({"query": filled(document, postgres_ids)}).encode()
    check(postgres_desk, client, everybody(postgres_desk)[who], content, document)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_hostile_values_on_postgres(postgres_desk: RealDesk, client: Wire, postgres_ids: dict[str, str]) -> None:
    """Over PostgreSQL, which refuses other texts and numbers, a hostile value is no fault either."""
    own_places = list(places(postgres_ids))
    for note, ref, content in hostile_requests(postgres_desk, own_places, EXAMPLES or 1_500):
        check(postgres_desk, client, ref, content, note)


STREAM = "subscription($f: RefundCaseFilter) { supportQueueUpdates(filter: $f) { cursor } }"


def check_nul(desk: RealDesk, client: Wire, own_places: list[Place]) -> None:
    """Send U+0000 to every place, as a variable and as a literal, often enough to be compiled, and to a stream."""
    answered = 0
    for place in own_places:
        ref = MARKETPLACE if place.name.startswith("syncRecords") else desk.with_role("ADMIN")
        body = check(desk, client, ref, place.body('"a\\u0000b"'), place.name)
        assert {error["extensions"]["code"] for error in body["errors"]} == {"BAD_USER_INPUT"}, (place.name, body)
        answered += 1
    literals = [
        *(
            '{ leads(filter: {customerName: "%s"}) { totalCount } }',
            '{ refundCases(filter: {text: "%s"}) { totalCount } }',
        ),
        *(
            '{ lead(id: "%s") { id } }',
            '{ leads(after: "%s") { totalCount } }',
            '{ refundCaseByNumber(number: "%s") { id } }',
        ),
        'query($n: String! = "%s") { refundCaseByNumber(number: $n) { id } }',
    ]
    for document in literals:
        for text in ("a\\u0000", "\\u{0}", "\\u{00000}b"):
            for _ in range(3):
                body = check(
                    desk, client, desk.with_role("ADMIN"), json.dumps({"query": document % text}).encode(), text
                )
                assert body["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT", (document, body)
    headers = {**desk.headers(desk.with_role("SUPPORT")), "accept": "text/event-stream"}
    for filters in {"text": "a\0"}, {"text": "\0", "numbers": ["\0"]}:
        given = {"query": STREAM, "variables": {"f": filters}}
        answer = httpx.post(f"{desk.url}/graphql", json=given, headers=headers, timeout=PATIENCE_SECONDS)
        assert '"BAD_USER_INPUT"' in answer.text
        assert "INTERNAL_SERVER_ERROR" not in answer.text
    key = base64.urlsafe_b64encode(b'["cases-amount",1.5,"US\\u0000","%s"]' % uuid4().bytes.hex().encode()).decode()
    document = "query($after: String) { refundCases(orderBy: LARGEST_AMOUNT, after: $after) { totalCount } }"
    body = check(
        desk,
        client,
        desk.with_role("ADMIN"),
        json.dumps({"query": document, "variables": {"after": key}}).encode(),
        key,
    )
    assert body["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert answered > 250


def test_nul_in_every_place(desk: RealDesk, client: Wire, every_place: list[Place]) -> None:
    """A text with U+0000 is refused alike in every place, on every road."""
    check_nul(desk, client, every_place)


@pytest.mark.slow
def test_nul_in_every_place_on_postgres(postgres_desk: RealDesk, client: Wire, postgres_ids: dict[str, str]) -> None:
    """Over PostgreSQL, which keeps no such text, it is the same."""
    check_nul(postgres_desk, client, list(places(postgres_ids)))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_damaged_bodies(desk: RealDesk, client: Wire, every_place: list[Place]) -> None:
    """Right requests with bytes changed, doubled or cut out are answered at once, never with a fault."""
    chance = random.Random(SEED)
    for number in range(EXAMPLES or 2_000):
        place = chance.choice(every_place)
        content = mutated(place.body('"x"'), SEED + number)
        check(desk, client, chance.choice(everybody(desk)), content, f"seed {SEED}, number {number}")


def converse(desk: RealDesk, ref: str, texts: list[str | bytes]) -> None:
    """Say all of it on one socket: each answer is a message of the protocol, or the close code is one of its own."""
    url = f"ws://127.0.0.1:{desk.port}/graphql"
    with connect(url, subprotocols=[Subprotocol("graphql-transport-ws")], compression=None) as ws:
        with contextlib.suppress(ConnectionClosed):
            token = headers_of(desk, ref)["authorization"]
            ws.send(json.dumps({"type": "connection_init", "payload": {"authorization": token}}))
            for text in texts:
                ws.send(text)
            ws.send('{"type":"ping"}')
            while True:
                answer = json.loads(ws.recv(timeout=PATIENCE_SECONDS))
                assert answer["type"] in ("connection_ack", "next", "error", "complete", "pong"), (texts, answer)
                assert "INTERNAL_SERVER_ERROR" not in json.dumps(answer), (texts, answer)
                if answer["type"] == "pong":
                    return
        assert ws.close_code in CLOSE_CODES, (texts, ws.close_code)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_damaged_messages(desk: RealDesk, every_place: list[Place]) -> None:
    """Hostile and damaged messages are answered by the protocol or close the socket by one of its codes."""
    chance = random.Random(SEED)
    for number in range((EXAMPLES or 1_000) // 4 + 1):
        texts: list[str | bytes] = []
        for operation in range(4):
            place, raw = chance.choice(every_place), chance.choice(HOSTILE)
            payload = place.body(raw if len(raw) < 50_000 else '"x"').decode()
            text = f'{{"id":"{operation}","type":"subscribe","payload":{payload}}}'
            if chance.random() < 0.3:
                text = mutated(text.encode(), SEED + number).decode("utf-8", "replace")
            texts.append(text)
        converse(desk, chance.choice(everybody(desk)), texts)
    desk.is_well()


def heavy_documents() -> list[str]:
    """Return documents that are as dear as the limits allow, or far dearer."""
    nested = "{ refundCases(first: 100) " + "{ edges { node { events(first: 100) { totalCount } } } } }"
    wide = "{ " + " ".join(f"a{n}: leads(first: 100) {{ totalCount }}" for n in range(30)) + " }"
    chained = "{ ...f0 } " + " ".join(
        f"fragment f{n} on Query {{ a{n}: viewer {{ id }} ...f{n + 1} ...f{n + 1} }}" for n in range(40)
    )
    return [nested, wide, chained + " fragment f40 on Query { __typename }", "{" * 10_000, "{ x " * 400]


@pytest.mark.slow
def test_an_honest_client_beside_hostile_ones(desk: RealDesk, every_place: list[Place]) -> None:
    """While four hostile clients send as fast as they can, an honest one's requests are answered one after another."""
    stop, sent, faults = threading.Event(), [0] * 4, []

    def hostile(number: int) -> None:
        chance = random.Random(SEED + number)
        with httpx.Client() as client:
            while not stop.is_set():
                place, raw = chance.choice(every_place), chance.choice(HOSTILE)
                content = place.body(raw)
                if chance.random() < 0.5:
                    content = json.dumps({"query": chance.choice(heavy_documents())}).encode()
                ref = chance.choice(everybody(desk))
                answer = client.post(f"{desk.url}/graphql", content=content, headers=headers_of(desk, ref))
                sent[number] += 1
                if answer.status_code >= 500:
                    faults.append((answer.status_code, content[:500]))

    threads = [threading.Thread(target=hostile, args=(number,), daemon=True) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        ref, waits = desk.with_role("PRO"), []
        with httpx.Client() as client:
            for _ in range(60):
                started_at = time.process_time()
                content = b'{"query":"{ viewer { externalRef } }"}'
                answer = client.post(f"{desk.url}/graphql", content=content, headers=headers_of(desk, ref))
                waits.append(time.process_time() - started_at)
                assert answer.json()["data"] == {"viewer": {"externalRef": ref}}
                time.sleep(0.02)
        until_now(lambda: all(sent))
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)
    assert faults == []
    # The four share the processor with the one; each of theirs is bounded, so what is done before the answer is too.
    assert sorted(waits)[len(waits) // 2] < 2 * BUDGET_SECONDS, waits
    desk.is_well()
