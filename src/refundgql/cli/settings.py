"""The command that prints what can be set."""

from __future__ import annotations

import typer

from refundgql.settings import Settings

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def settings() -> None:
    """Print every setting with its default, as the README's table."""
    print(settings_table())


def settings_table() -> str:
    """Return the settings as a Markdown table, printed from the fields themselves."""
    lines = ["| variable | default | what it is |", "|---|---|---|"]
    for name, found in Settings.model_fields.items():
        default = found.get_default(call_default_factory=True)
        if isinstance(default, tuple):
            default = ",".join(map(str, default))
        shown = "" if default in (None, "", {}) else f"`{default}`"
        lines.append(f"| `REFUNDGQL_{name.upper()}` | {shown} | {found.description} |")
    return "\n".join(lines)
