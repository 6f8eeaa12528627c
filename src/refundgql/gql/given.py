"""Refuse values that no operation can take, whatever type is declared for them: U+0000 in a text, bottomless nesting.

PostgreSQL keeps no text with U+0000, and C programs end a text there, so that two readers could see different ones.
"""

from collections.abc import Mapping
from typing import Any, Final

from graphql import DocumentNode, GraphQLError, Visitor, visit

NUL: Final = "\0"
MAX_DEPTH: Final = 64
"""Levels of lists and objects in a variable. JSON encoders stop at 254, and no input type goes deeper than ten."""

NUL_MESSAGE: Final = "A text must not contain the character U+0000."


def unusable_variables(variables: Mapping[str, Any]) -> list[GraphQLError]:
    """Return why the variables cannot be taken, declared ones or not; an empty list when they can."""
    stack: list[tuple[str, Any, int]] = [(name, value, 0) for name, value in variables.items()]
    # By hand: the interpreter's own stack is not as deep as a hostile value.
    while stack:
        name, value, depth = stack.pop()
        if isinstance(value, str):
            if NUL in value:
                return [GraphQLError(f"Variable '${name}' has an invalid value: {NUL_MESSAGE}")]
        elif isinstance(value, dict | list):
            if depth == MAX_DEPTH:
                return [GraphQLError(f"Variable '${name}' is nested deeper than {MAX_DEPTH} levels.")]
            items = value.values() if isinstance(value, dict) else value
            stack += [(name, item, depth + 1) for item in items]
    return []


class _Literals(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.errors: list[GraphQLError] = []

    def enter_string_value(self, node: Any, *_: Any) -> None:
        """Look at one text."""
        if NUL in node.value:
            self.errors.append(GraphQLError(NUL_MESSAGE, node))


def unusable_literals(query: str, document: DocumentNode) -> list[GraphQLError]:
    """Return the texts of a document that cannot be taken."""
    if "\\u" not in query and NUL not in query:  # there is no other way to write one
        return []
    literals = _Literals()
    visit(document, literals)
    return literals.errors
