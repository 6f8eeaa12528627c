"""What operators scrape: acts, refusals by rule, the queue's age, lags; from one process and from several."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from command_line import running, wait_until_ready
from real_desk import real_desk
from test_tracing import a_lead, report

from databases import LIMITS, new_database_url
from patience import PATIENCE_SECONDS, until_now
from ports import free_port
from refundgql.queries.operating import operating_figures
from refundgql.storage.database import Database
from refundgql.web.metrics import DeskMetrics


def scraped(url: str, **headers: str) -> dict[str, float]:
    """Return every sample of a scrape by its name and labels."""
    answer = httpx.get(f"{url}/metrics", headers=headers)
    assert answer.status_code == 200
    lines = [line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def test_acts_and_refusals_are_counted(tmp_path: Path) -> None:
    """A transition is counted by kind and event once it holds, a refusal by code and rule."""
    with real_desk(tmp_path) as desk:
        before = scraped(desk.url).get('refundgql_transitions_total{event="REQUEST",kind="LEAD"}', 0.0)
        assert report(desk, "one")["data"]["requestLeadRefund"]["refusals"] == []
        assert report(desk, "one")["data"]["requestLeadRefund"]["refusals"], "another lead under the same key"
        given = {"leadId": a_lead(desk), "reason": "NOT_HIRED", "idempotencyKey": "no"}
        mutation = """mutation($input: RequestLeadRefundInput!) {
          requestLeadRefund(input: $input) { refusals { code } } }"""
        desk.ask("pro-ada", mutation, input=given)
        found = scraped(desk.url)
    assert found['refundgql_transitions_total{event="REQUEST",kind="LEAD"}'] == before + 1
    assert found['refundgql_act_refusals_total{code="REASON_NOT_REFUNDABLE",rule="L08"}'] == 1
    assert found['refundgql_act_refusals_total{code="IDEMPOTENCY_KEY_REUSED",rule=""}'] == 1


def test_the_queue_grows_old(tmp_path: Path) -> None:
    """The age is that of the case which waits longest for support, and the bus is connected."""
    with real_desk(tmp_path) as desk:
        report(desk, "one")
        time.sleep(2.2)  # gauges are kept for two seconds
        found = scraped(desk.url)
    assert found["refundgql_queue_cases"] >= 1
    assert found["refundgql_queue_age_seconds"] >= 2
    assert found["refundgql_sweeper_lag_seconds"] >= 0
    assert found["refundgql_bus_connected"] == 1


def test_events_are_timed_on_their_way_to_streams(tmp_path: Path) -> None:
    """Whoever follows gets an event after it was written; the histogram says how soon."""
    with real_desk(tmp_path) as desk:
        followed = {**desk.headers("pro-ada"), "accept": "text/event-stream"}
        query = {"query": "subscription { viewerRefundUpdates { cursor } }"}
        with httpx.stream("POST", f"{desk.url}/graphql/stream", json=query, headers=followed) as stream:
            lines = stream.iter_lines()
            next(lines)
            until_now(lambda: scraped(desk.url).get('refundgql_stream_subscribers{transport="sse"}'))
            report(desk, "one")
            assert any("cursor" in line for line in lines if line.startswith("data"))
            until_now(lambda: scraped(desk.url)["refundgql_event_lag_seconds_count"] == 1)
            assert scraped(desk.url)["refundgql_event_lag_seconds_sum"] > 0


async def test_a_sweeper_that_does_not_keep_up_is_seen(tmp_path: Path) -> None:
    """The lag is that of the clock which has been due longest."""
    database = await Database.open(new_database_url("sqlite", tmp_path), LIMITS)
    try:
        now = datetime.now(UTC)
        due_at = int((now - timedelta(seconds=90)).timestamp() * 1_000_000)
        async with database.transaction() as tx:
            await tx.execute(
                "INSERT INTO clock (id, case_id, billing_week_id, name, due_at) VALUES (?, ?, ?, ?, ?)",
                ("00000000-0000-7000-8000-000000000001", None, None, "WEEK_RELEASE", due_at),
            )
        figures = await operating_figures(database, now)
        assert figures["sweeper_lag_seconds"] == pytest.approx(90)
        assert figures["queue_age_seconds"] == 0
    finally:
        await database.close()


def test_a_scraper_brings_its_token(tmp_path: Path) -> None:
    """With a token set, nobody else reads the metrics, and the refusal is JSON as all are."""
    with real_desk(tmp_path, metrics_token="s3cret-of-the-scraper") as desk:
        refused = httpx.get(f"{desk.url}/metrics")
        assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")
        assert httpx.get(f"{desk.url}/metrics", headers={"authorization": "Bearer wrong"}).status_code == 401
        assert scraped(desk.url, authorization="Bearer s3cret-of-the-scraper")


def test_webhooks_are_counted_by_outcome() -> None:
    """Attempts and the time that receivers take."""
    metrics = DeskMetrics()
    metrics.webhook_attempted("delivered", 0.03)
    text = metrics.exposition().decode()
    assert re.search(r'refundgql_webhook_attempts_total\{outcome="delivered"\} 1\.0', text)
    assert "refundgql_webhook_seconds_count 1.0" in text


@pytest.mark.slow
def test_workers_count_together(tmp_path: Path, postgres_url: str) -> None:
    """Whichever worker is asked, it tells what all of them have served."""
    settings = {
        "REFUNDGQL_DATABASE_URL": postgres_url,
        "REFUNDGQL_OPERATION_TIMEOUT_SECONDS": str(PATIENCE_SECONDS),
    }
    port = free_port()
    with running(tmp_path, "serve", "--port", str(port), "--workers", "2", **settings) as server:
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(url)
        for _ in range(40):  # each on a connection of its own
            assert httpx.post(f"{url}/graphql", json={"query": "{ __typename }"}).status_code == 200
        served = 'refundgql_requests_total{operation="query",status="200",transport="http"}'
        # Whoever has answered counts a moment later.
        until_now(lambda: scraped(url).get(served) == 40)
        assert {scraped(url)[served] for _ in range(10)} == {40.0}
        assert server.interrupt() == 0
