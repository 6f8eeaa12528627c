"""docs/workflow.md is what the machines print."""

from __future__ import annotations

from pathlib import Path

from refundgql.cli.workflow import workflow_text
from refundgql.domain.vocabulary import RefundCaseKind

PAGE = Path(__file__).parents[2] / "docs" / "workflow.md"


def test_the_page_is_printed_from_the_machines() -> None:
    """A transition, guard or rule that changes without the page is found."""
    printed = workflow_text(None, "page") + "\n"
    assert PAGE.read_text(encoding="utf-8") == printed, "run: refundgql workflow --format page > docs/workflow.md"


def test_the_page_has_a_table_and_a_diagram_for_each_kind() -> None:
    """Nobody has to look elsewhere for one of the kinds."""
    page = PAGE.read_text(encoding="utf-8")
    for kind in RefundCaseKind:
        section = page.split(f"\n## {kind}\n", 1)[1].split("\n## ", 1)[0]
        assert "```mermaid\nstateDiagram-v2\n" in section
        assert "| event | from → to | who | guards | rules |" in section
