"""Files that are withdrawn or redacted, over real sockets and in both kinds of store: gone is gone, for everybody."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from evidence_desk import PNG, EvidenceDesk, code_of, open_desk

from buckets import bucket_url, use_bucket
from databases import new_database_url
from refundgql import bootstrap
from refundgql.commands.evidence_files import clear_abandoned
from refundgql.storage.evidence_files import BucketFiles, FolderFiles

__all__ = ["bucket_url"]

OTHER = PNG + b"another"
PAYLOAD = "{ replayed event { name note } refundCase { evidence { id sha256 } } refusals { code rule } }"
WITHDRAW = f"mutation($input: WithdrawEvidenceInput!) {{ withdrawEvidence(input: $input) {PAYLOAD} }}"
REDACT = f"mutation($input: RedactEvidenceInput!) {{ redactEvidence(input: $input) {PAYLOAD} }}"
STATE = """query($id: ID!) { refundCase(id: $id) { evidence { id sha256 withdrawnAt redactedAt
  ... on FileEvidence { fileName url } } } }"""
PEOPLE = ("paula", "sam", "ada")


class Stored:
    """A server whose evidence store is a folder or a bucket, and what is in the store."""

    def __init__(self, desk: EvidenceDesk, bucket: tuple[str, str] | None) -> None:
        """Keep the server, and the bucket's URL and folder where it has one."""
        self.desk = desk
        self.bucket = bucket

    def count(self) -> int:
        """Return how many files the store has, asked without the application."""
        if self.bucket is None:
            return len(self.desk.stored())
        url, prefix = self.bucket
        return httpx.get(f"{url}/evidence?list-type=2&prefix={prefix}").text.count("<Contents>")

    def files(self, ref: str = "paula") -> dict[str, dict[str, Any]]:
        """Return the case's files by id, as somebody reads them."""
        found = self.desk.run(ref, STATE, id=self.desk.case_id)["refundCase"]["evidence"]
        return {one["id"]: one for one in found if "url" in one}

    def act(self, ref: str, document: str, **given: Any) -> Any:
        """Do something to evidence and return the payload."""
        (payload,) = self.desk.run(ref, document, input=given).values()
        return payload

    def fetched(self, url: str) -> bytes | str:
        """Return what an address answers: the file, or the code of a 410."""
        answer = self.desk.http.get(url)
        if answer.status_code == 200:
            return answer.content
        assert answer.status_code == 410
        return code_of(answer)


@pytest.fixture(params=["folder", "bucket"])
def stored(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stored]:
    """Give a server with two files of Paula's, in a store of each kind."""
    bucket, more = None, {}
    if request.param == "bucket":
        bucket = (request.getfixturevalue("bucket_url"), tmp_path.name)
        use_bucket(bucket[0], monkeypatch)
        more = {"evidence_store": f"s3://evidence/{tmp_path.name}"}
    with open_desk(new_database_url("sqlite", tmp_path), tmp_path, **more) as desk:
        for content in (PNG, OTHER):
            assert desk.send(desk.address(content), content) == (201, None)
        yield Stored(desk, bucket)


def test_a_redacted_file_is_gone_for_everybody(stored: Stored) -> None:
    """Every address of it answers 410, the store has it no more, its hash stays, and the other file is untouched."""
    gone, kept = stored.files().values()
    urls = [stored.files(ref)[gone["id"]]["url"] for ref in PEOPLE]
    assert [stored.fetched(url) for url in urls] == [PNG] * 3
    refused = stored.act("paula", REDACT, evidenceId=gone["id"], reason="Mine.")
    assert refused["refusals"] == [{"code": "FORBIDDEN", "rule": "D26"}]
    assert stored.count() == 2
    given = {"evidenceId": gone["id"], "reason": "Somebody's passport.", "idempotencyKey": "redact"}
    done = stored.act("ada", REDACT, **given)
    assert (done["refusals"], done["event"]["name"]) == ([], "EVIDENCE_REDACTED")
    assert stored.count() == 1
    urls += [stored.files(ref)[gone["id"]]["url"] for ref in PEOPLE]
    assert [stored.fetched(url) for url in urls] == ["GONE"] * 6
    for ref in PEOPLE:
        now = stored.files(ref)[gone["id"]]
        assert (now["fileName"], now["sha256"], now["redactedAt"] is None) == ("", gone["sha256"], False)
        assert stored.fetched(stored.files(ref)[kept["id"]]["url"]) == OTHER
    assert stored.act("ada", REDACT, **given) == {**done, "replayed": True}
    again = stored.act("ada", REDACT, evidenceId=gone["id"], reason="Once more.")
    assert [one["code"] for one in again["refusals"]] == ["TRANSITION_NOT_ALLOWED"]


def test_a_withdrawn_file_is_read_by_nobody(stored: Stored) -> None:
    """Its addresses answer 410 from then on; who else asks is refused; redacting it still takes it from the store."""
    gone, _ = stored.files().values()
    urls = [stored.files(ref)[gone["id"]]["url"] for ref in PEOPLE]
    refused = stored.act("sam", WITHDRAW, evidenceId=gone["id"])
    assert refused["refusals"] == [{"code": "FORBIDDEN", "rule": "D26"}]
    done = stored.act("paula", WITHDRAW, evidenceId=gone["id"], idempotencyKey="back")
    assert (done["refusals"], done["event"]["name"]) == ([], "EVIDENCE_WITHDRAWN")
    urls += [stored.files(ref)[gone["id"]]["url"] for ref in PEOPLE]
    assert [stored.fetched(url) for url in urls] == ["GONE"] * 6
    now = stored.files()[gone["id"]]
    assert (now["fileName"], now["sha256"], now["withdrawnAt"] is None) == ("", gone["sha256"], False)
    assert stored.act("ada", REDACT, evidenceId=gone["id"], reason="A passport.")["refusals"] == []
    assert stored.count() == 1


def test_a_file_that_was_decided_with_is_not_withdrawn(stored: Stored) -> None:
    """What a decision rested on stays until an administrator redacts it; the decision names its hash all the same."""
    decline = "mutation($input: DeclineRefundInput!) { declineRefund(input: $input) { refusals { code } } }"
    given = {"refundCaseId": stored.desk.case_id, "message": "No.", "idempotencyKey": "no"}
    assert stored.desk.run("sam", decline, input=given)["declineRefund"]["refusals"] == []
    one, _ = stored.files().values()
    refused = stored.act("paula", WITHDRAW, evidenceId=one["id"])
    assert refused["refusals"] == [{"code": "TRANSITION_NOT_ALLOWED", "rule": "D26"}]
    assert stored.fetched(stored.files()[one["id"]]["url"]) == PNG
    assert stored.act("ada", REDACT, evidenceId=one["id"], reason="A passport.")["refusals"] == []
    facts = """query($id: ID!) { refundCase(id: $id) { events(last: 2) {
      edges { node { name facts { name value } } } } } }"""
    declined = stored.desk.run("sam", facts, id=stored.desk.case_id)["refundCase"]["events"]["edges"][0]["node"]
    assert declined["name"] == "DECLINE"
    assert one["sha256"] in [fact["value"] for fact in declined["facts"] if fact["name"] == "evidence"]


def test_a_store_that_is_away_loses_no_redaction(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    """The redaction is answered and holds while the store cannot be reached; the next look removes the file."""
    gone, _ = stored.files().values()
    url = stored.files("sam")[gone["id"]]["url"]
    with monkeypatch.context() as broken:

        async def away(*_: Any) -> None:
            raise OSError("the store is away")

        for store in (FolderFiles, BucketFiles):
            broken.setattr(store, "discard", away)
        assert stored.act("ada", REDACT, evidenceId=gone["id"], reason="A passport.")["refusals"] == []
    assert (stored.count(), stored.fetched(url)) == (2, "GONE")

    async def clear() -> int:
        async with bootstrap.open_application(stored.desk.settings) as application:
            return await clear_abandoned(application.uow)

    assert asyncio.run(clear()) == 0
    assert stored.count() == 1
