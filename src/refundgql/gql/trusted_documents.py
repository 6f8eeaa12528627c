"""Know the documents of trusted clients, so that a production server can refuse all others.

It must not parse them; a document in the file passes the same checks as any other.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

_PREFIX: Final = "sha256:"


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
        """Read a JSON object of id to document, as client build tools write it. Refuses: any other file."""
        try:
            content = orjson.loads(path.read_bytes())
        except (OSError, orjson.JSONDecodeError) as error:
            raise TrustedDocumentsRefused(f"{path} cannot be read as JSON: {error}") from error
        if not isinstance(content, dict) or not all(isinstance(text, str) for text in content.values()):
            raise TrustedDocumentsRefused(f"{path} must hold one object of id to document text.")
        return cls({key.removeprefix(_PREFIX): text for key, text in content.items()})

    def find(self, query: str | None, document_id: str | None, extensions: Mapping[str, Any] | None) -> str | None:
        """Return the trusted text a request names by id, by digest or by the text itself, or nothing."""
        if query is not None:
            return self._by_id.get(_digest(query))
        if document_id is not None:
            return self._by_id.get(document_id.removeprefix(_PREFIX))
        persisted = (extensions or {}).get("persistedQuery")
        digest = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
        return self._by_id.get(digest) if isinstance(digest, str) else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
