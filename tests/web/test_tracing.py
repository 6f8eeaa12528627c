"""Traces: what a collector gets of a request, and that nothing is done when there is none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from otlp_receiver import Collected, attributes, otlp_receiver
from real_desk import RealDesk, real_desk

from patience import PATIENCE_SECONDS
from ports import free_port
from refundgql import serving

TRACE = "0af7651916cd43dd8448eb211c80319c"  # pragma: allowlist secret - an id of a trace
PARENT = "b7ad6b7169203331"  # pragma: allowlist secret - an id of a trace
REPORT = """mutation Secretive($input: RequestLeadRefundInput!) { requestLeadRefund(input: $input) {
  refundCase { number } refusals { code rule } } }"""


@pytest.fixture
def all_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a server that ends wait until the collector has what there is, however long a busy machine takes."""
    monkeypatch.setattr(serving, "STOP_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", str(int(PATIENCE_SECONDS)))


def a_lead(desk: RealDesk) -> str:
    """Return a lead that can be reported."""
    found = desk.ask("pro-ada", "{ leads(first: 20) { edges { node { id refundAction { enabled } } } } }")
    edges = found["data"]["leads"]["edges"]
    return str(next(edge["node"]["id"] for edge in edges if edge["node"]["refundAction"]["enabled"]))


def report(desk: RealDesk, key: str, **headers: str) -> dict[str, Any]:
    """Report a lead, and return the answer."""
    given = {"leadId": a_lead(desk), "reason": "OTHER", "explanation": "a private word", "idempotencyKey": key}
    answer = httpx.post(
        f"{desk.url}/graphql",
        json={"query": REPORT, "variables": {"input": given}},
        headers={**desk.headers("pro-ada"), **headers},
    )
    found: dict[str, Any] = answer.json()
    return found


def traced(folder: Path) -> Collected:
    """Serve, act once, and return what the collector got by the time the server has ended."""
    with otlp_receiver() as collected:
        with real_desk(folder, otlp_endpoint=collected.url) as desk:
            token = desk.token("pro-ada")
            assert report(desk, "trace-1", traceparent=f"00-{TRACE}-{PARENT}-01")["data"]["requestLeadRefund"][
                "refundCase"
            ]
            httpx.get(f"{desk.url}/metrics")
        collected.raw.index(b"refundgql")
        assert token.encode() not in collected.raw
        return collected


@pytest.mark.usefixtures("all_told")
def test_one_request_is_one_trace(tmp_path: Path) -> None:
    """Request, operation, command and transaction hang together below the caller's span, by the names the code has."""
    collected = traced(tmp_path)
    assert set(collected.paths) == {"/v1/traces"}
    mine = [span for span in collected.spans if span.trace_id.hex() == TRACE]
    by_name = {span.name: span for span in mine}
    request, operation, act = (by_name[name] for name in ("POST /graphql", "mutation", "request_lead_refund"))
    assert request.parent_span_id.hex() == PARENT
    assert operation.parent_span_id == request.span_id
    assert act.parent_span_id == operation.span_id
    written = by_name.get("one write") or by_name["transaction"]
    assert written.parent_span_id == act.span_id
    assert any(span.name.startswith("SELECT") for span in mine)
    assert attributes(operation)["graphql.fields"] == ["requestLeadRefund"]
    assert attributes(request)["http.response.status_code"] == 200


@pytest.mark.usefixtures("all_told")
def test_nothing_that_clients_wrote_is_traced(tmp_path: Path) -> None:
    """No document, operation name, variable or token leaves the desk; scrapes and idle looks are no traces."""
    collected = traced(tmp_path)
    for secret in (b"Secretive", b"private word", b"trace-1", b"idempotencyKey", b"Bearer"):
        assert secret not in collected.raw
    assert not [span for span in collected.spans if "metrics" in span.name]
    roots = {span.name for span in collected.spans if not span.parent_span_id}
    assert roots <= {"POST /graphql", "arm", "sweep", "settle", "work"}, roots


@pytest.mark.usefixtures("all_told")
def test_a_refusal_is_no_error(tmp_path: Path) -> None:
    """A refused act is told with its codes and leaves its span unmarked."""
    with otlp_receiver() as collected:
        with real_desk(tmp_path, otlp_endpoint=collected.url) as desk:
            query = REPORT.replace("Secretive", "Refused")
            given = {"leadId": a_lead(desk), "reason": "NOT_HIRED", "idempotencyKey": "no"}
            assert desk.ask("pro-ada", query, input=given)["data"]["requestLeadRefund"]["refusals"]
        (act,) = collected.named("request_lead_refund")
        assert attributes(act)["refundgql.refused"] == ["REASON_NOT_REFUNDABLE"]
        assert act.status.code == 0


def test_a_collector_that_is_away_disturbs_nobody(tmp_path: Path) -> None:
    """Requests are served, and the server ends in time, while spans find nobody."""
    with real_desk(tmp_path, otlp_endpoint=f"http://127.0.0.1:{free_port()}") as desk:
        desk.is_well()


@pytest.mark.slow
def test_without_a_collector_opentelemetry_is_not_even_imported(tmp_path: Path) -> None:
    """The application is wired without it, so that it costs nothing."""
    code = (
        "import sys; from pathlib import Path; from refundgql import serving; from refundgql.settings import Settings;"
        f"serving.make_app(Settings(key_file=Path({str(tmp_path / 'key.pem')!r})));"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')], 'imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE_SECONDS)
