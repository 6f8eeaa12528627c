"""Documents by name: only those a server was given, or those that clients sent before."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from refundgql.gql import persisted_documents
from refundgql.gql.persisted_documents import (
    PersistedRefused,
    RememberedDocuments,
    TrustedDocuments,
    TrustedDocumentsRefused,
)

TEXT = "query Hello { hello }"
DIGEST = hashlib.sha256(TEXT.encode()).hexdigest()


@pytest.fixture
def trusted(tmp_path: Path) -> TrustedDocuments:
    path = tmp_path / "documents.json"
    path.write_text(json.dumps({f"sha256:{DIGEST}": TEXT, "by-name": "{ other }"}))
    return TrustedDocuments.load(path)


def test_every_way_to_name_a_document(trusted: TrustedDocuments) -> None:
    """A document is found by its text, its id with or without prefix, and its digest."""
    assert trusted.find(TEXT, None, None) == TEXT
    assert trusted.find(None, f"sha256:{DIGEST}", None) == TEXT
    assert trusted.find(None, DIGEST, None) == TEXT
    assert trusted.find(None, "by-name", None) == "{ other }"
    assert trusted.find(None, None, {"persistedQuery": {"version": 1, "sha256Hash": DIGEST}}) == TEXT


def test_nothing_else_is_found(trusted: TrustedDocuments) -> None:
    """A text that differs in one space, an unknown id and nonsense name nothing."""
    for query, document_id, extensions in (
        *((TEXT + " ", None, None), ("by-name", None, None), (None, "x", None), (None, None, {})),
        (TEXT + " ", DIGEST, {"persistedQuery": {"sha256Hash": DIGEST}}),
        *((None, None, {"persistedQuery": one}) for one in (1, {"sha256Hash": ["x"]}, {"sha256Hash": "x"})),
    ):
        assert refusal(trusted, query, document_id, extensions) == "PERSISTED_QUERY_NOT_FOUND"
    trusted.keep("{ other }", apq("{ other }"))
    assert refusal(trusted, None, None, apq(TEXT + " ")) == "PERSISTED_QUERY_NOT_FOUND"


def apq(text: str, version: int = 1) -> dict[str, Any]:
    """Return the extensions by which a client names a text."""
    return {"persistedQuery": {"version": version, "sha256Hash": hashlib.sha256(text.encode()).hexdigest()}}


def refusal(documents: TrustedDocuments | RememberedDocuments, *named: Any) -> str:
    """Return the code with which a document is not found."""
    with pytest.raises(PersistedRefused) as caught:
        documents.find(*named)
    return str(caught.value.code)


MANIFEST = {
    "format": "apollo-persisted-query-manifest",
    "version": 1,
    "operations": [
        {"id": DIGEST, "name": "Hello", "type": "query", "body": TEXT},
        {"id": "other", "name": "Other", "type": "query", "body": "query Other { other }"},
    ],
}


def test_the_manifest_of_apollo_is_taken(tmp_path: Path) -> None:
    """The file that Apollo's generator writes names the same documents, by id and by digest."""
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(MANIFEST))
    trusted = TrustedDocuments.load(path)
    assert trusted.find(None, None, apq(TEXT)) == TEXT
    assert trusted.find(None, "other", None) == "query Other { other }"
    assert (
        trusted.find(None, None, {"persistedQuery": {"version": 1, "sha256Hash": "other"}}) == "query Other { other }"
    )
    assert trusted.find(TEXT, None, None) == TEXT
    for damage in (
        *({"version": 2}, {"operations": None}, {"operations": [1]}, {"operations": [{"id": "x"}]}),
        {"operations": [{"body": TEXT}]},
    ):
        path.write_text(json.dumps({**MANIFEST, **damage}))
        with pytest.raises(TrustedDocumentsRefused):
            TrustedDocuments.load(path)


def test_what_was_sent_once_is_remembered() -> None:
    """From the second request on the digest is enough; a text without one is nobody's to keep."""
    remembered = RememberedDocuments()
    assert refusal(remembered, None, None, apq(TEXT)) == "PERSISTED_QUERY_NOT_FOUND"
    assert remembered.find(TEXT, None, apq(TEXT)) == TEXT
    remembered.keep(TEXT, apq(TEXT))
    assert remembered.find(None, None, apq(TEXT)) == TEXT
    remembered.keep("{ plain }", None)
    assert len(remembered) == 1
    assert remembered.find("{ plain }", None, None) == "{ plain }"


def test_a_digest_of_another_text_is_refused() -> None:
    """Nobody can have a text kept under another one's digest; other versions of the protocol are not spoken."""
    remembered = RememberedDocuments()
    assert refusal(remembered, "{ evil }", None, apq(TEXT)) == "BAD_USER_INPUT"
    assert refusal(remembered, None, None, apq(TEXT, version=2)) == "PERSISTED_QUERY_NOT_SUPPORTED"
    assert refusal(remembered, None, "some-id", None) == "PERSISTED_QUERY_NOT_FOUND"
    assert remembered.find("{ any }", None, apq(TEXT, version=2)) == "{ any }"
    assert remembered.find("{ any }", None, {"persistedQuery": 7}) == "{ any }"
    assert len(remembered) == 0


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least recently used documents make room, by number and by length."""
    monkeypatch.setattr(persisted_documents, "MAX_REMEMBERED", 3)
    monkeypatch.setattr(persisted_documents, "MAX_REMEMBERED_CHARS", 50)
    remembered = RememberedDocuments()
    texts = [f"{{ a{n} }}" for n in range(5)]
    for text in texts:
        remembered.keep(text, apq(text))
        assert remembered.find(None, None, apq(text)) == text
        assert len(remembered) <= 3
    remembered.find(None, None, apq(texts[2]))
    remembered.keep("{ b }", apq("{ b }"))
    assert remembered.find(None, None, apq(texts[2])) == texts[2]
    assert refusal(remembered, None, None, apq(texts[3])) == "PERSISTED_QUERY_NOT_FOUND"
    long = "{ " + "x" * 40 + " }"
    remembered.keep(long, apq(long))
    assert remembered._chars <= 50
    remembered.keep(long * 2, apq(long * 2))
    assert remembered.find(None, None, apq(long)) == long


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', "nonsense"])
def test_file_of_another_kind_is_refused(tmp_path: Path, content: str) -> None:
    """A file that is not one object of texts is refused when it is read."""
    path = tmp_path / "documents.json"
    path.write_text(content)
    with pytest.raises(TrustedDocumentsRefused):
        TrustedDocuments.load(path)
    with pytest.raises(TrustedDocumentsRefused):
        TrustedDocuments.load(tmp_path / "missing.json")
