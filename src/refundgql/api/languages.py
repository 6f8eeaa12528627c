"""Say sentences in the language that was asked for: gettext catalogues, by the sentence's code.

English is written where a sentence is decided. What a catalogue does not have stays English.
"""

from __future__ import annotations

from contextvars import ContextVar
from functools import cache
from importlib.resources import files
from typing import Final

from babel.core import negotiate_locale
from babel.messages.pofile import read_po

from refundgql.domain.sentences import Sentence, filled

ENGLISH: Final = "en"
LANGUAGES: Final = (ENGLISH, "de", "es")
_MOST_RANGES: Final = 20

_asked: ContextVar[str] = ContextVar("language", default=ENGLISH)


@cache
def catalogue(language: str) -> dict[str, tuple[str, str]]:
    """Return the catalogue of a language: by a sentence's code its English template and the translated one."""
    with (files("refundgql") / "locale" / f"{language}.po").open("rb") as file:
        messages = read_po(file, locale=language)
    return {str(one.context): (str(one.id), str(one.string)) for one in messages if one.id and one.string}


def preferred(accept_language: str | None) -> str:
    """Return the best language for an Accept-Language header; English when it names none that there is."""
    ranked: list[tuple[float, int, str]] = []
    for position, item in enumerate((accept_language or "").split(",")[:_MOST_RANGES]):
        tag, _, quality = item.strip().partition(";")
        try:
            weight = float(quality.strip().removeprefix("q=")) if quality.strip() else 1.0
        except ValueError:
            continue
        if 0 < weight <= 1:
            ranked.append((-weight, position, tag.strip().lower()))
    return negotiate_locale([tag for _, _, tag in sorted(ranked)], LANGUAGES, sep="-") or ENGLISH


def speak(language: str) -> None:
    """Set the language of all sentences that this task writes from now on."""
    _asked.set(language)


def spoken() -> str:
    """Return the language of the sentences that this task writes."""
    return _asked.get()


def said(sentence: Sentence) -> str:
    """Return a sentence in the language that was asked for, or in English."""
    language = _asked.get()
    return str(sentence) if language == ENGLISH else translated(sentence, language)


def translated(sentence: Sentence, language: str) -> str:
    """Return a sentence in a language, and so the phrases in it; in English when nobody has put it so."""
    template, translation = catalogue(language).get(sentence.code, (None, ""))
    if template != sentence.template:  # the words have changed since they were translated
        return str(sentence)
    parameters = sentence.parameters
    return filled(
        translation,
        {name: translated(it, language) if isinstance(it, Sentence) else it for name, it in parameters.items()},
    )
