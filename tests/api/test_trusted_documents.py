"""Trusted documents: only what a server was given runs."""

import hashlib
import json
from pathlib import Path

import pytest

from refundgql.gql.trusted_documents import TrustedDocuments, TrustedDocumentsRefused

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
    assert trusted.find(TEXT + " ", None, None) is None
    assert trusted.find("by-name", None, None) is None
    assert trusted.find(TEXT + " ", DIGEST, {"persistedQuery": {"sha256Hash": DIGEST}}) is None
    assert trusted.find(None, "x", None) is None
    for extensions in ({}, {"persistedQuery": 1}, {"persistedQuery": {"sha256Hash": ["x"]}}):
        assert trusted.find(None, None, extensions) is None


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', "nonsense"])
def test_file_of_another_kind_is_refused(tmp_path: Path, content: str) -> None:
    """A file that is not one object of texts is refused when it is read."""
    path = tmp_path / "documents.json"
    path.write_text(content)
    with pytest.raises(TrustedDocumentsRefused):
        TrustedDocuments.load(path)
    with pytest.raises(TrustedDocumentsRefused):
        TrustedDocuments.load(tmp_path / "missing.json")
