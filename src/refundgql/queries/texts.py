"""Conditions on texts that do not care about the case of letters.

It must not let a client's text become a pattern: what it contains is looked for as it is.
"""

from __future__ import annotations

from refundgql.queries.pages import Condition


def contains(expression: str, text: str) -> Condition:
    """Return the condition that an expression contains a text, in any case of letters."""
    escaped = text.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"LOWER({expression}) LIKE ? ESCAPE '\\'", (f"%{escaped}%",)


def equals(expression: str, text: str) -> Condition:
    """Return the condition that an expression is a text, in any case of letters."""
    return f"LOWER({expression}) = ?", (text.lower(),)
