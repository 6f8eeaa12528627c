"""The documents that real clients send are valid, keep the limits, and the schema file is the schema."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from graphql import GraphQLSchema, OperationDefinitionNode, build_schema, parse, validate

from refundgql import bootstrap
from refundgql.gql.documents import Prepared
from refundgql.gql.engine import GraphQLEngine
from refundgql.settings import Settings

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted((ROOT / "fixtures" / "operations").glob("*.graphql"))


@cache
def schema_file() -> GraphQLSchema:
    """Return the schema as clients read it."""
    return build_schema((ROOT / "schema.graphql").read_text(encoding="utf-8"))


@cache
def engine() -> GraphQLEngine:
    """Return the engine with the default limits."""
    return bootstrap.make_engine(Settings())


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_document_is_valid_against_the_schema_file(path: Path) -> None:
    """A client that was built from schema.graphql may send it."""
    assert validate(schema_file(), parse(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_document_keeps_the_default_limits(path: Path) -> None:
    """The server's default limits accept each of its operations."""
    text = path.read_text(encoding="utf-8")
    names = [one.name.value for one in parse(text).definitions if isinstance(one, OperationDefinitionNode) and one.name]
    assert names
    for name in names:
        assert isinstance(engine().prepare(text, name), Prepared)
