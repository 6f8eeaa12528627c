"""The command that prints the state machines."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from refundgql import bootstrap

app = typer.Typer(rich_markup_mode=None, add_completion=False)


class WorkflowFormat(StrEnum):
    """How the machines are printed."""

    TABLE = "table"
    MERMAID = "mermaid"
    PAGE = "page"


@app.command()
def workflow(
    kind: Annotated[str | None, typer.Option(help="LEAD, INVOICE, ESCROW or TIMESHEET; all by default.")] = None,
    output_format: Annotated[
        WorkflowFormat, typer.Option("--format", help="table, mermaid or page.")
    ] = WorkflowFormat.TABLE,
) -> None:
    """Print the state machines; all of them as a page is docs/workflow.md."""
    print(bootstrap.workflow_text(kind, output_format.value))
