"""The command that prints the sentences that clients are told, for those who say them in words of their own."""

from __future__ import annotations

from typing import Annotated

import orjson
import typer

from refundgql.api.languages import ENGLISH, LANGUAGES, catalogue
from refundgql.settings import SettingsError

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def texts(language: Annotated[str, typer.Option(help="en, de or es.")] = ENGLISH) -> None:
    """Print all sentences by their code, parameters in braces, as JSON."""
    print(orjson.dumps(texts_by_code(language), option=orjson.OPT_INDENT_2).decode())


def texts_by_code(language: str) -> dict[str, str]:
    """Return the sentences of a language. Refuses: SettingsError for languages that there are not."""
    if language not in LANGUAGES:
        raise SettingsError(f"There are texts in {', '.join(LANGUAGES)}, not in {language}.")
    translated = catalogue(LANGUAGES[1] if language == ENGLISH else language)
    return {code: english if language == ENGLISH else text for code, (english, text) in sorted(translated.items())}
