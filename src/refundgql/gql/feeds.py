"""What a subscription follows, where its events come from, and who decides what of them reaches whom.

The application implements `Log` and `Readership`, and its root resolvers return `Feed`s; `streams` does the rest.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from graphql import FieldNode, OperationDefinitionNode, VariableNode, Visitor, visit

if TYPE_CHECKING:
    from refundgql.gql.streams import Fanout

RESUMING_ARGUMENT = "after"
"""The argument of a subscription that says which cursor to go on after."""

Cursor = Any
"""A place in the log: cursors are compared, and `str` gives what clients send back."""


Listener = Callable[[Sequence[Any]], None]
"""Takes events of a topic, in order, without waiting."""


class Log(Protocol):
    """Where events come from, in the order of their cursors."""

    async def join(self, topic: str, listener: Listener) -> Cursor:
        """Hand a topic's events to a listener from now on and return the cursor after which they begin."""

    async def leave(self, topic: str, listener: Listener) -> None:
        """Hand it no more; also for a listener that is not there."""


@dataclass(frozen=True, slots=True)
class Told:
    """A row to encode for a stream; `readers` are equal for those whose answers are the same text.

    enter: called in the task that encodes the row, right before it does, such as to choose a language.
    """

    context: Any
    row: Any
    readers: Hashable
    enter: Callable[[], None] | None = None


class Verdict(Enum):
    """What an event is to a stream, when it is not told."""

    SKIP = 0
    END = 1


Judgement = Told | Verdict | Exception
"""What an event is to a stream; an exception ends that stream alone."""


class Readership(Protocol):
    """Decides what of the log reaches whom, at the moment it is told."""

    async def begin(self, feed: Any, after: Cursor) -> tuple[Judgement, Cursor]:
        """Say what a stream begins with, if anything, and after which cursor events follow."""

    def missed(self, feed: Any, after: Cursor, until: Cursor) -> AsyncGenerator[Any, None]:
        """Yield the events after a cursor up to and including another one, as far as they may concern a stream."""

    async def judge(self, event: Any, feeds: Sequence[Any]) -> Sequence[Judgement]:
        """Say what an event is to each of some streams, in order."""


@dataclass(slots=True, eq=False)
class Feed:
    """What the root resolver of a subscription returns; subclasses hold what the readership wants to know.

    start: the cursor after which it goes on; from now on when there is none. fields: what the document asks for of the
    fields that are declared personal, by name, as the engine finds it.
    """

    fanout: "Fanout"
    topic: str
    start: Cursor | None
    fields: frozenset[str] = field(default=frozenset(), kw_only=True)

    def __aiter__(self) -> AsyncIterator[Any]:
        """Satisfy graphql-core, which wants something iterable. Refuses: to be iterated."""
        raise TypeError("a feed is followed by a stream; it has no other way out")


@dataclass(frozen=True, slots=True)
class Reading:
    """What of a document matters for sharing an answer."""

    resumption: str | None
    """The variable that says where to go on, when it says nothing else."""
    variables: tuple[str, ...]
    """All others that the document declares, in order."""
    fields: frozenset[str]

    def same(self, variables: dict[str, Any] | None) -> str:
        """Return the variables that an answer depends on."""
        given = variables or {}
        kept = {name: given[name] for name in self.variables if name in given}
        # A text, because it is kept: the encoder's bytes hold on to the room it began with, four kilobytes.
        return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode()


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
        for argument in _arguments(root):
            if argument.name.value == RESUMING_ARGUMENT and isinstance(argument.value, VariableNode):
                resumption = argument.value.name.value
    if names.variables.count(resumption or "") != 2:  # its definition and this one use
        resumption = None
    declared = (one.variable.name.value for one in operation.variable_definitions or ())
    return Reading(resumption, tuple(name for name in declared if name != resumption), frozenset(names.fields))


def _arguments(selection: Any) -> Iterable[Any]:
    return (selection.arguments or ()) if isinstance(selection, FieldNode) else ()
