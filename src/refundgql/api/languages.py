"""Say sentences in the language that was asked for: gettext catalogues, looked up by the English sentence's template.

Sentences are written once, in English, where they are decided, and some are kept (descriptions of postings). A
catalogue has their templates with `{0}`, `{1}` … in the places of values; what it does not have stays English.
"""

import re
from contextvars import ContextVar
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, NamedTuple

from babel.core import negotiate_locale
from babel.messages.pofile import read_po

ENGLISH: Final = "en"
LANGUAGES: Final = (ENGLISH, "de", "es")
_MOST_RANGES: Final = 20
_SENTENCES_KEPT: Final = 4_096

_asked: ContextVar[str] = ContextVar("language", default=ENGLISH)

_PLACE = re.compile(r"\\\{(\d)\\\}")


class _Pattern(NamedTuple):
    """A template with values in it: how its sentences look, and what they are in a language."""

    template: str
    sentence: re.Pattern[str]
    places: tuple[int, ...]
    translation: str


class Catalogue(NamedTuple):
    """The sentences of one language: those without values by text, the others by pattern."""

    whole: dict[str, str]
    patterns: list[_Pattern]


@cache
def catalogue(language: str) -> Catalogue:
    """Read the catalogue of a language."""
    with (files("refundgql") / "locale" / f"{language}.po").open("rb") as file:
        messages = {str(one.id): str(one.string) for one in read_po(file, locale=language) if one.id and one.string}
    whole = {sentence: said for sentence, said in messages.items() if "{0}" not in sentence}
    # The template with most words of its own is tried first: one that is nearly all places fits too much.
    templates = sorted(set(messages) - set(whole), key=lambda one: -len(_PLACE.sub("", re.escape(one))))
    return Catalogue(whole, [_pattern(one, messages[one]) for one in templates])


def _pattern(template: str, translation: str) -> _Pattern:
    escaped = re.escape(template)
    places = tuple(int(found) for found in _PLACE.findall(escaped))
    return _Pattern(template, re.compile(_PLACE.sub("(.*?)", escaped), re.DOTALL), places, translation)


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
    """Say what this task says from now on in a language."""
    _asked.set(language)


def said(sentence: str) -> str:
    """Return a sentence in the language that was asked for, or as it is."""
    language = _asked.get()
    return sentence if language == ENGLISH else translated(sentence, language)


def said_or_none(sentence: str | None) -> str | None:
    """Return a sentence that may be missing."""
    return None if sentence is None else said(sentence)


@lru_cache(_SENTENCES_KEPT)
def translated(sentence: str, language: str) -> str:
    """Return a sentence in a language, its values put where they belong there; as it is when nobody has put it so."""
    whole, patterns = catalogue(language)
    if sentence in whole:
        return whole[sentence]
    for pattern in patterns:
        found = pattern.sentence.fullmatch(sentence)
        if found is not None:
            return _filled(pattern, [whole.get(value, value) for value in found.groups()])
    return sentence


def _filled(pattern: _Pattern, values: list[str]) -> str:
    """Return the translation with the values in their places; a word that has a translation of its own is put so."""
    by_place = {str(place): value for place, value in zip(pattern.places, values, strict=True)}
    return re.sub(r"\{(\d)\}", lambda place: by_place.get(place[1], ""), pattern.translation)
