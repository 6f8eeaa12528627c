"""Conditions on folded columns: what people look for is folded by the code that folded what is kept.

It must not let a client's text become a pattern: what it contains is looked for as it is.
"""

from __future__ import annotations

from refundgql.domain.texts import fold
from refundgql.queries.pages import Condition


def contains(column: str, text: str) -> Condition:
    """Return the condition that a folded column contains a text."""
    escaped = fold(text).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"{column} LIKE ? ESCAPE '\\'", (f"%{escaped}%",)


def equals(column: str, text: str) -> Condition:
    """Return the condition that a folded column is a text."""
    return f"{column} = ?", (fold(text),)
