"""Every code that a client may meet is one of the list, and the list says what it means."""

from __future__ import annotations

import ast
from pathlib import Path

import refundgql
from refundgql.gql.answers import RequestRefused, error_entry, errors_body
from refundgql.gql.errors import MEANINGS, ApiError, ErrorCode

SOURCE = Path(refundgql.__file__).parent
TELLERS = {one.__name__ for one in (RequestRefused, error_entry, errors_body, ApiError)} | {"refuse_handshake"}
"""What is given a code to tell a client."""


def test_every_code_has_a_meaning() -> None:
    """Each code says what it means in a sentence, and whether the same request may be sent again."""
    assert set(MEANINGS) == set(ErrorCode)
    for code, meaning in MEANINGS.items():
        assert meaning.says.endswith("."), code
        assert meaning.again, code


def test_no_code_is_written_as_a_text() -> None:
    """Whoever tells a client a code takes it from the list."""
    told = {str(code) for code in ErrorCode}
    written = []
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in TELLERS:
                texts = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
                capitals = [text for text in texts if text in told or (text.isupper() and "_" in text)]
                written += [f"{path.name}:{node.lineno}: {text}" for text in capitals]
    assert written == []
