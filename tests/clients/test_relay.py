"""Relay's compiler takes the schema as it is."""

from pathlib import Path

import pytest
from example_projects import node_project, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def project() -> Path:
    """Give the example with Relay's compiler."""
    return node_project("relay")


def test_fragments_pages_refetches_and_mutations_compile(project: Path) -> None:
    """A fragment is refetched through its node, two lists are connections, and an appended edge has its type."""
    run(["npm", "run", "--silent", "compile"], project)
    generated = {path.name.removesuffix(".graphql.ts") for path in (project / "src" / "__generated__").glob("*.ts")}
    assert generated >= {"casePageHistoryQuery", "casePageCasesQuery", "casePageQuery", "casePageApproveMutation"}
    refetch = (project / "src" / "__generated__" / "casePageHistoryQuery.graphql.ts").read_text()
    assert "node(id: $id)" in refetch
