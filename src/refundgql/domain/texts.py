"""One way to compare texts that people type: by what they read as, not by how they are encoded.

It must not be used for what has to stay as it was written.
"""

from __future__ import annotations

from unicodedata import normalize

_DOTTED_I = "i\u0307"
"""What a capital I with a dot (İ) becomes without case; people type it as an i."""


def fold(text: str) -> str:
    """Return a text without case, in one composition of its letters and with single spaces.

    Two texts fold to the same one when Unicode calls them a compatibility caseless match, as “Élodie” however its É is
    composed, “ΝΙΚΟΣ” and “νικος”, “straße” and “STRASSE”.
    """
    if text.isascii():
        return " ".join(text.lower().split())
    decomposed = normalize("NFKD", normalize("NFD", text).casefold())
    return " ".join(normalize("NFKC", decomposed.casefold()).replace(_DOTTED_I, "i").split())
