"""A batch of records over HTTP: as many as a call may have fit in one request, of the marketplace alone."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from real_desk import MARKETPLACE, real_desk

from databases import DIALECTS, drop_database, new_database_url
from refundgql.commands.generate_records import Size, generate
from refundgql.commands.sync_records import BATCH_AT_MOST

LARGE = Path(__file__).parents[2] / "fixtures" / "datasets" / "large.json"
SYNC = """mutation($input: SyncRecordsInput!) {
  syncRecords(input: $input) { created unchanged stale refusals { message field } } }"""


def real_records() -> list[dict[str, Any]]:
    """Return as many records as a call may have, with texts as people write them, and a revision each."""
    values = orjson.loads(LARGE.read_bytes())
    few = {"pros": 5, "customers": 9, "clients": 4, "experts": 4, "hourlyContracts": 6, "fixedContracts": 6}
    records = list(islice(generate(Size.from_json(values | few | {"leads": 400})), BATCH_AT_MOST))
    for number, record in enumerate(records):
        ((_, fields),) = record.items()
        fields["revision"] = str(number)
        if "body" in fields:
            fields["body"] = f"{fields['body']} " * 40
    assert len(records) == BATCH_AT_MOST
    return records


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_whole_batch_fits_in_one_request_of_the_marketplace(tmp_path: Path, dialect: str) -> None:
    """All limits of a request let it through, twice; the same body of somebody else is too large."""
    url = new_database_url(dialect, tmp_path)
    bus = "postgres" if dialect == "postgres" else "memory"
    body = orjson.dumps({"query": SYNC, "variables": {"input": {"records": real_records()}}})
    assert len(body) > 1_000_000
    with real_desk(tmp_path, database_url=url, bus=bus) as desk:

        def send(ref: str) -> httpx.Response:
            return httpx.post(f"{desk.url}/graphql", content=body, headers=desk.headers(ref))

        assert send(desk.with_role("ADMIN")).status_code == 413
        for created, unchanged in ((BATCH_AT_MOST, 0), (0, BATCH_AT_MOST)):
            answer = send(MARKETPLACE).json()
            expected = {"created": created, "unchanged": unchanged, "stale": 0, "refusals": []}
            assert answer["data"] == {"syncRecords": expected}
        desk.is_well()
    drop_database(url)
