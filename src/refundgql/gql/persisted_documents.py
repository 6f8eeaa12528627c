"""Find the documents that requests name instead of sending them: those of a file, or those sent before.

Trusted documents are all that a production server runs; without them, automatic persisted queries (APQ) are remembered.
Neither is parsed here; each document passes the same checks as any other.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from refundgql.gql.errors import ErrorCode

_PREFIX: Final = "sha256:"
_APOLLO_FORMAT: Final = "apollo-persisted-query-manifest"

MAX_REMEMBERED: Final = 1_000
MAX_REMEMBERED_CHARS: Final = 400_000
"""Bounds of what is remembered: any client may have documents remembered, and the oldest ones make room."""


class PersistedRefused(Exception):
    """The document cannot be found by what the request says of it; code and message as APQ clients know them."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class TrustedDocumentsRefused(Exception):
    """The file of trusted documents cannot be used; the message says why."""


class TrustedDocuments:
    """The documents that may run, by the SHA-256 of their text in lower-case hexadecimal digits."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._by_id = dict(texts)
        for text in texts.values():
            self._by_id[_digest(text)] = text

    @classmethod
    def load(cls, path: Path) -> "TrustedDocuments":
        """Read a JSON object of id to document, or Apollo's persisted-query manifest. Refuses: any other file."""
        try:
            content = orjson.loads(path.read_bytes())
        except (OSError, orjson.JSONDecodeError) as error:
            raise TrustedDocumentsRefused(f"{path} cannot be read as JSON: {error}") from error
        if isinstance(content, dict) and content.get("format") == _APOLLO_FORMAT:
            content = _of_manifest(path, content)
        if not isinstance(content, dict) or not all(isinstance(text, str) for text in content.values()):
            raise TrustedDocumentsRefused(f"{path} must hold one object of id to document text.")
        return cls({key.removeprefix(_PREFIX): text for key, text in content.items()})

    def find(self, query: str | None, document_id: str | None, extensions: Mapping[str, Any] | None) -> str:
        """Return the trusted text a request names by id, by digest or by the text itself. Refuses: any other."""
        name = _digest(query) if query is not None else document_id
        if name is None:
            name = _digest_given(extensions)
        found = None if name is None else self._by_id.get(name.removeprefix(_PREFIX))
        if found is None:
            raise PersistedRefused(ErrorCode.PERSISTED_QUERY_NOT_FOUND, "PersistedQueryNotFound")
        return found

    def keep(self, text: str, extensions: Mapping[str, Any] | None) -> None:
        """Remember nothing: the file says what there is."""


class RememberedDocuments:
    """The documents that clients sent together with their digest, the least recently used forgotten first."""

    def __init__(self) -> None:
        self._by_digest: OrderedDict[str, str] = OrderedDict()
        self._chars = 0

    def __len__(self) -> int:
        return len(self._by_digest)

    def find(self, query: str | None, document_id: str | None, extensions: Mapping[str, Any] | None) -> str:
        """Return the text of a request, sent or remembered.

        Refuses: a digest that is another text's, or is not known; versions of APQ other than 1.
        """
        digest = _digest_given(extensions)
        if query is not None:
            if digest is not None and _digest(query) != digest:
                raise PersistedRefused(ErrorCode.BAD_USER_INPUT, "The digest is not that of the query.")
            return query
        if digest is None:
            if document_id is not None:
                raise PersistedRefused(ErrorCode.PERSISTED_QUERY_NOT_FOUND, "PersistedQueryNotFound")
            raise PersistedRefused(ErrorCode.PERSISTED_QUERY_NOT_SUPPORTED, "PersistedQueryNotSupported")
        if digest not in self._by_digest:
            raise PersistedRefused(ErrorCode.PERSISTED_QUERY_NOT_FOUND, "PersistedQueryNotFound")
        self._by_digest.move_to_end(digest)
        return self._by_digest[digest]

    def keep(self, text: str, extensions: Mapping[str, Any] | None) -> None:
        """Remember the text of a document that can run, when its digest came with it."""
        digest = _digest_given(extensions)
        if digest is None or digest in self._by_digest or len(text) > MAX_REMEMBERED_CHARS:
            return
        self._by_digest[digest] = text
        self._chars += len(text)
        while len(self._by_digest) > MAX_REMEMBERED or self._chars > MAX_REMEMBERED_CHARS:
            _, forgotten = self._by_digest.popitem(last=False)
            self._chars -= len(forgotten)


def _of_manifest(path: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return id to text of a manifest that Apollo's generate-persisted-query-manifest wrote."""
    operations = manifest.get("operations")
    if manifest.get("version") != 1 or not isinstance(operations, list):
        raise TrustedDocumentsRefused(f"{path} must be a persisted-query manifest of version 1 with operations.")
    texts = {}
    for one in operations:
        if not isinstance(one, dict) or not isinstance(one.get("id"), str):
            raise TrustedDocumentsRefused(f"{path} has an operation without an id.")
        texts[one["id"]] = one.get("body")
    return texts


def _digest_given(extensions: Mapping[str, Any] | None) -> str | None:
    persisted = (extensions or {}).get("persistedQuery")
    if not isinstance(persisted, dict) or persisted.get("version", 1) != 1:
        return None
    digest = persisted.get("sha256Hash")
    return digest if isinstance(digest, str) else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
