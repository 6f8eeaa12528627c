"""How a sentence is put together, for clients that have texts of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import strawberry

from refundgql.api.languages import said
from refundgql.domain.sentences import Sentence, plain


@strawberry.type(description="What stands in one place of a sentence.")
class WordingParameter:
    name: str = strawberry.field(description="The place, as the sentence's template calls it, such as `maximum`.")
    value: str = strawberry.field(
        description="What stands there: an amount as `12.50 USD`, an instant as RFC 3339 has it, a date, a number, a "
        "name of this API, or words in the language of the answer."
    )
    wording: Annotated[Wording, strawberry.lazy("refundgql.api.types.wording")] | None = strawberry.field(
        description="How words that stand there are put together; none for everything else."
    )


@strawberry.type(
    description="A sentence by its code, for clients that say it in words of their own. `refundgql texts` prints all."
)
class Wording:
    code: str = strawberry.field(description="Which sentence it is; it stays when the words of the sentence change.")
    parameters: list[WordingParameter] = strawberry.field(description="What stands in its places, in their order.")


@dataclass(slots=True)
class ParameterRow:
    """One parameter for a client."""

    name: str
    value: str
    wording: WordingRow | None


@dataclass(slots=True)
class WordingRow:
    """A sentence's code and parameters for a client."""

    code: str
    parameters: list[ParameterRow]


def wording(sentence: Sentence) -> WordingRow:
    """Return how a sentence is put together."""
    return WordingRow(
        sentence.code,
        [
            ParameterRow(name, said(value), wording(value))
            if isinstance(value, Sentence)
            else ParameterRow(name, plain(value), None)
            for name, value in sentence.parameters.items()
        ],
    )
