"""What the generators of Apollo Kotlin and Apollo iOS need of the schema and the ready-made operations.

The generators themselves come from registries of their own; their rules for documents are checked here.
"""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLScalarType,
    NameNode,
    OperationDefinitionNode,
    OperationType,
    Visitor,
    build_schema,
    parse,
    specified_scalar_types,
    validate,
    visit,
)

ROOT = Path(__file__).parents[2]
SCHEMA = build_schema((ROOT / "schema.graphql").read_text(encoding="utf-8"))
OPERATIONS = sorted((ROOT / "fixtures" / "operations").glob("*.graphql"))
KOTLIN = (ROOT / "examples" / "kotlin" / "build.gradle.kts").read_text(encoding="utf-8")
SWIFT = json.loads((ROOT / "examples" / "swift" / "apollo-codegen-config.json").read_text(encoding="utf-8"))
SWIFT_RESERVED = {"self", "Self", "Type", "Protocol", "_variables", "fragments", "asRootEntityType"}
"""Response names that Apollo iOS cannot make a property of; `__` is the specification's own."""


def all_documents() -> DocumentNode:
    """Return every ready-made operation in one document, as generators read them."""
    return DocumentNode(
        definitions=tuple(one for path in OPERATIONS for one in parse(path.read_text(encoding="utf-8")).definitions)
    )


def custom_scalars() -> set[str]:
    """Return the scalars that a generator has to be told about."""
    known = set(specified_scalar_types)
    return {name for name, one in SCHEMA.type_map.items() if isinstance(one, GraphQLScalarType) and name not in known}


def test_the_operations_are_valid_together() -> None:
    """A generator reads them as one set: valid, each operation and fragment with a name of its own."""
    document = all_documents()
    assert validate(SCHEMA, document) == []
    names = Counter(
        one.name.value if isinstance(one.name, NameNode) else ""
        for one in document.definitions
        if isinstance(one, OperationDefinitionNode | FragmentDefinitionNode)
    )
    assert "" not in names
    assert [name for name, count in names.items() if count > 1] == []
    assert len({name.lower() for name in names}) == len(names), "files of generated code differ by more than their case"


def test_each_custom_scalar_is_mapped_to_text() -> None:
    """Kotlin's mapping names every scalar of the schema; Swift makes a text of each by itself."""
    assert set(re.findall(r'mapScalarToKotlinString\("(\w+)"\)', KOTLIN)) == custom_scalars()


def test_both_write_manifests_that_the_desk_takes() -> None:
    """Apollo's persisted-query manifest is a form of REFUNDGQL_TRUSTED_DOCUMENTS."""
    assert SWIFT["operationManifest"]["version"] == "persistedQueries"
    assert 'operationManifestFormat.set("persistedQueryManifest")' in KOTLIN


@pytest.mark.parametrize("path", OPERATIONS, ids=lambda path: path.stem)
def test_response_names_can_be_properties(path: Path) -> None:
    """No field or alias is a word that Swift keeps for itself, and `__typename` has no alias."""
    found: list[str] = []

    class Names(Visitor):
        def enter_field(self, node: FieldNode, *_: object) -> None:
            name = (node.alias or node.name).value
            if name in SWIFT_RESERVED or (node.name.value == "__typename" and node.alias is not None):
                found.append(name)

    visit(parse(path.read_text(encoding="utf-8")), Names())
    assert found == []


def test_subscriptions_select_one_root_field() -> None:
    """Apollo's subscription protocols carry one field, without @skip or @include on it."""
    for one in all_documents().definitions:
        if isinstance(one, OperationDefinitionNode) and one.operation is OperationType.SUBSCRIPTION:
            (root,) = one.selection_set.selections
            assert isinstance(root, FieldNode)
            assert not root.directives


def test_one_of_is_declared_in_the_schema() -> None:
    """Apollo Kotlin reads @oneOf only where the schema file declares the directive."""
    text = (ROOT / "schema.graphql").read_text(encoding="utf-8")
    assert "directive @oneOf on INPUT_OBJECT" in text
    assert re.search(r"input \w+ @oneOf", text)


def test_enum_values_can_be_constants() -> None:
    """No value differs from another one of its enum by letter case alone: both generators change the case."""
    for one in SCHEMA.type_map.values():
        values = list(getattr(one, "values", {})) if not one.name.startswith("__") else []
        assert len({value.lower() for value in values}) == len(values), one.name
