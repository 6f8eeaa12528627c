"""Sentences for people: in English, with the code and the parameters by which they are said in other languages.

They are written where they are decided, and say themselves in English; it must not know other languages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache, reduce
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TypeAlias

    from refundgql.domain.money import Money

    Parameter: TypeAlias = str | int | date | Money


class Sentence(str):
    """A sentence in English that knows its code, its template and what stands in the template's places."""

    __slots__ = ("code", "parameters", "template")

    code: str
    template: str
    parameters: Mapping[str, Parameter]


class Unfit(ValueError):
    """A value is not what it has to be; `why` says so to whoever gave it."""

    def __init__(self, why: Sentence) -> None:
        """Keep the sentence."""
        super().__init__(why)
        self.why = why


_NO_WORD = re.compile(r"[^A-Za-z0-9]+")


def sentence(code: str, template: str, /, **parameters: Parameter) -> Sentence:
    """Return a sentence by its code; a template has the names of its parameters in braces."""
    if not parameters:
        return _plain(code, template)
    said = Sentence(filled(template, parameters))
    said.code, said.template, said.parameters = code, template, parameters
    return said


@cache
def _plain(code: str, template: str) -> Sentence:
    said = Sentence(template)
    said.code, said.template, said.parameters = code, template, {}
    return said


@cache
def phrase(words: str) -> Sentence:
    """Return words that stand in sentences; their code is the words themselves."""
    return sentence(_NO_WORD.sub("_", words).strip("_").upper(), words)


def either(phrases: Sequence[Sentence]) -> Sentence:
    """Return phrases as alternatives."""
    return reduce(lambda one, other: sentence("EITHER", "{one} or {other}", one=one, other=other), phrases)


def filled(template: str, parameters: Mapping[str, Parameter]) -> str:
    """Return a template with the parameters in their places, as people read them: instants to the minute."""
    instants = {name: f"{it:%Y-%m-%d %H:%M} UTC" for name, it in parameters.items() if isinstance(it, datetime)}
    return template.format_map({**parameters, **instants} if instants else parameters)


def plain(value: Parameter) -> str:
    """Return a parameter as programs read it; instants as RFC 3339 has them, in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value)


class Kept:
    """A sentence that is kept as text, and is recognised by its template when it is read again."""

    def __init__(self, code: str, template: str) -> None:
        """Name the code and the template."""
        self.code, self.template = code, template
        self._text = re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.*)", re.escape(template)), re.DOTALL)

    def of(self, **parameters: Parameter) -> Sentence:
        """Return the sentence with its parameters."""
        return sentence(self.code, self.template, **parameters)

    def read(self, text: str) -> Sentence | None:
        """Return the sentence that a kept text is; None when it is another one."""
        found = self._text.fullmatch(text)
        return None if found is None else self.of(**found.groupdict())
