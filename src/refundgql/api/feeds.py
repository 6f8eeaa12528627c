"""What one subscription asks for, and what makes two of them get the very same text.

It must not read or send: subscriptions.py pulls a feed, fanout.py pushes it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson
from graphql import FieldNode, OperationDefinitionNode, VariableNode, Visitor, visit

from refundgql.domain.viewers import Viewer
from refundgql.queries.case_filters import CaseFilter, case_has_text, matches
from refundgql.queries.streams import Cursor, Source, StreamEvent

Encode = Callable[[Any, "UpdateRow"], Awaitable[dict[str, Any]]]
"""Executes a subscription's selection for one update, in a context."""

PERSONAL = frozenset({"actions", "disputeAction", "refundAction", "unread", "url"})
"""Fields that differ between members of staff; everything else that staff read is the same for all of them."""


@dataclass(slots=True)
class UpdateRow:
    """One update of one case; no event when it is the present state."""

    case_id: str
    event_id: str | None
    cursor: str
    matches_filter: bool = True


@dataclass(frozen=True, slots=True)
class Feed:
    """One subscription: the topic it follows, from where on, and what of it is told."""

    topic: str
    start: Cursor | None
    case_id: str | None = None
    given: CaseFilter | None = None
    for_staff: bool = False

    def fits(self, event: StreamEvent) -> bool | None:
        """Tell whether a case fits the filter after an event; None when it did not before it either."""
        if self.given is None or matches(self.given, event.snapshot):
            return True
        return False if matches(self.given, event.before) else None

    async def has_text(self, source: Source, case_id: str) -> bool:
        """Tell whether a case has the filter's text in it, which snapshots of events do not hold."""
        text = None if self.given is None else self.given.text
        return text is None or await case_has_text(source, case_id, text)


@dataclass(frozen=True, slots=True)
class Reading:
    """What of a document matters for sharing an answer."""

    resumption: str | None
    """The variable that says where to go on, when it says nothing else."""
    personal: bool

    def same(self, operation: OperationDefinitionNode, variables: dict[str, Any] | None) -> str:
        """Return the variables that an answer depends on: those that are declared, without where to go on."""
        given = variables or {}
        declared = (one.variable.name.value for one in operation.variable_definitions or ())
        kept = {name: given[name] for name in declared if name in given and name != self.resumption}
        # A text, because it is kept: the encoder's bytes hold on to the room it began with, four kilobytes.
        return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode()

    def visibility_class(self, viewer: Viewer) -> str:
        """Name those who read the same in this document."""
        if not viewer.is_staff or self.personal:
            return viewer.account_id
        return ",".join(sorted(viewer.roles))


class _Names(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.fields: set[str] = set()
        self.variables: list[str] = []

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        """Note a field."""
        self.fields.add(node.name.value)

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        """Note a use of a variable; its definition is one as well."""
        self.variables.append(node.name.value)


def read_document(operation: OperationDefinitionNode, fragments: dict[str, Any]) -> Reading:
    """Return what matters of a subscription's document."""
    names = _Names()
    for node in (operation, *fragments.values()):
        visit(node, names)
    resumption = None
    for root in operation.selection_set.selections:
        for argument in (root.arguments or ()) if isinstance(root, FieldNode) else ():
            if argument.name.value == "after" and isinstance(argument.value, VariableNode):
                resumption = argument.value.name.value
    if names.variables.count(resumption or "") != 2:  # its definition and this one use
        resumption = None
    return Reading(resumption, not PERSONAL.isdisjoint(names.fields))
