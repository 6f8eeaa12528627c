"""The command that prints the state machines."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from refundgql.bootstrap import CannotRun
from refundgql.domain.vocabulary import RefundCaseKind
from refundgql.domain.workflow import workflow as workflow_of
from refundgql.domain.workflow import workflow_page

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
    print(workflow_text(kind, output_format.value))


def workflow_text(kind: str | None, output_format: str) -> str:
    """Return the machines as tables, as Mermaid diagrams or as a page with both, one kind or all.

    Refuses: CannotRun for a kind that does not exist.
    """
    try:
        kinds = [RefundCaseKind(kind.upper())] if kind else list(RefundCaseKind)
    except ValueError as error:
        raise CannotRun(f"There is no kind {kind}; give {', '.join(RefundCaseKind)}.") from error
    if output_format == "page":
        return workflow_page(kinds)
    machines = [workflow_of(one) for one in kinds]
    return "\n\n".join(machine.mermaid if output_format == "mermaid" else machine.table for machine in machines)
