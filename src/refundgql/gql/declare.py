"""How API modules declare fields: `level` for whole levels at once, `leaf` for values computed from one row.

It must not execute anything: it only marks Strawberry fields so that both executors know what to call.
"""

import ast
import inspect
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ForwardRef, Generic, Protocol, TypeVar, get_args, get_origin, overload

import strawberry
from graphql import GraphQLField, GraphQLSchema

from refundgql.gql.ports import BACKREF, StrawberryAnnotation, StrawberryField, VariableValues
from refundgql.gql.selection import Selection

if TYPE_CHECKING:
    from refundgql.gql.compiled.plan import Field

T_co = TypeVar("T_co", covariant=True)
Context = TypeVar("Context")
Function = TypeVar("Function", bound=Callable[..., Any])

LEVEL = "refundgql.level"
"""Key of a level function in a Strawberry field's metadata."""

IN_LIST = "refundgql.in_list"
"""Key in a Strawberry field's metadata that says that a level is declared by `list[...]`."""

COST = "refundgql.cost"
"""Key in a Strawberry field's metadata of what it costs beside the objects it answers with."""

PERSONAL = "refundgql.personal"
"""Key in a Strawberry field's metadata that says that its value differs from viewer to viewer."""


class Level(Protocol[T_co]):
    """The return annotation of a level function: one item for each row, in order, of GraphQL type `T_co`.

    The items are read-model rows (or leaf values), not instances of the Strawberry type; an item that is an
    exception becomes the error of that one position. A plain list satisfies it.
    """

    def __iter__(self) -> Iterator[Any]: ...
    def __len__(self) -> int: ...


@dataclass(slots=True)  # not frozen: one is made for each level, and freezing triples that
class LevelInfo(Generic[Context]):
    """What a level function may ask about its surroundings; `context` is what the operation was executed with."""

    context: Context
    selection: Selection
    field: "Field | None" = None
    """The field of the compiled plan; nothing where graphql-core executes."""
    variables: VariableValues | None = None

    def arguments(self, *names: str) -> dict[str, Any] | None:
        """Return what is given to the one level further down at a path of Python names: `("edges", "node", "events")`.

        Nothing where it is not asked for, stands there under several names, or is given what it does not take; so
        a level can read what one below it will need, but that one must still be able to read it by itself.
        """
        below = None if self.field is None else self.field.below(names)
        if below is None or self.variables is None:
            return None
        try:
            return below.keywords(self.variables)
        except Exception:  # the level below tells what is wrong, at its own place
            return None


LevelFunction = Callable[..., Awaitable[Sequence[Any]] | Sequence[Any]]


@overload
def level(function: Callable[..., Any], /) -> Any: ...
@overload
def level(
    *,
    description: str | None = None,
    deprecation_reason: str | None = None,
    personal: bool = False,
    cost: int = 0,
) -> Callable[[Callable[..., Any]], Any]: ...
def level(
    function: Callable[..., Any] | None = None,
    /,
    *,
    description: str | None = None,
    deprecation_reason: str | None = None,
    personal: bool = False,
    cost: int = 0,
) -> Any:
    """Turn a function over all rows of a level into a Strawberry field.

    The function is called once for each field and level, never once for each row:
    `async def f(rows: list[Row], info: LevelInfo, <GraphQL arguments>) -> Level[T]`. It may also be a plain
    `def` when it waits for nothing. Inside a class put `@staticmethod` below `@level`. An argument whose
    default is None is shown without a default in the schema, and is None when the client leaves it out.
    `personal` says that viewers who otherwise read the same may read different values here: no stream's answer that
    asks for it is shared between them. `cost` is that of work which the size of its answer does not show.

    A level of leaves returns `list[T]` instead, which type checkers hold it to and `rows.check_rows` asks for.

    Refuses: a function without two leading parameters, or without either of these (TypeError).
    """

    def declare(function: Callable[..., Any]) -> Any:
        plain: Callable[..., Any] = getattr(function, "__func__", function)
        outer, type_ = _annotation(plain)
        field = strawberry.field(
            resolver=_stand_in(plain),
            description=description,
            deprecation_reason=deprecation_reason,
            metadata={LEVEL: plain, PERSONAL: personal, COST: cost, IN_LIST: outer == "list"},
        )
        field.type_annotation = StrawberryAnnotation(type_, namespace=sys.modules[plain.__module__].__dict__)
        return field

    return declare if function is None else declare(function)


def _annotation(function: Callable[..., Any]) -> tuple[str, Any]:
    """Take `Level` or `list`, and T, out of `-> Level[T]` or `-> list[T]`, also while T is a name defined later."""
    annotation = inspect.signature(function).return_annotation
    outer = inner = None
    if isinstance(annotation, str):
        node = ast.parse(annotation, mode="eval").body
        if isinstance(node, ast.Subscript):
            outer, inner = ast.unparse(node.value).split(".")[-1], ast.unparse(node.slice)
            if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
                inner = node.slice.value
    elif get_origin(annotation) in (Level, list):
        outer, (inner,) = get_origin(annotation).__name__, get_args(annotation)
        inner = inner.__forward_arg__ if isinstance(inner, ForwardRef) else inner
    if outer not in ("Level", "list"):
        raise TypeError(f"{function.__qualname__} must return Level[...] or list[...]")
    return outer, inner


def _stand_in(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make the resolver that tells Strawberry the arguments; an engine puts its own in its place."""
    parameters = list(inspect.signature(function).parameters.values())
    if len(parameters) < 2:
        raise TypeError(f"{function.__qualname__} must take (rows, info, ...)")

    def resolver(**_: Any) -> Any:
        raise RuntimeError(f"{function.__qualname__} is a level: run it with GraphQLEngine")

    shown = [
        p.replace(default=strawberry.UNSET if p.default is None else p.default, kind=p.KEYWORD_ONLY)
        for p in parameters[2:]
    ]
    resolver.__name__ = function.__name__
    resolver.__qualname__ = function.__qualname__
    resolver.__module__ = function.__module__
    resolver.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]  # functions carry one
    resolver.__annotations__ = {p.name: p.annotation for p in shown}
    return resolver


class LeafField(StrawberryField):
    """A Strawberry field that computes its value from the row instead of reading an attribute."""

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: Any) -> Any:
        """Compute the value of one row."""
        return self.metadata[LEAF](source)


LEAF = "refundgql.leaf"
"""Key of a leaf function in a Strawberry field's metadata."""


def leaf(
    function: Callable[[Any], Any],
    *,
    description: str | None = None,
    deprecation_reason: str | None = None,
) -> Any:
    """Declare a field computed from one row by a cheap function that waits for nothing and needs no context.

    `id: strawberry.ID = leaf(lambda row: f"{row.TYPENAME}_{row.id}", description="...")`. The compiled
    executor calls it right inside the row's dictionary display; an attribute that already has the right
    value needs no leaf at all. It may also give an object or a list.
    """
    return LeafField(
        description=description,
        deprecation_reason=deprecation_reason,
        metadata={LEAF: function},
    )


def passes(*classes: type) -> Callable[[Function], Function]:
    """Mark a scalar's `serialize`: instances of exactly these classes are already in wire form.

    `serialize` must return such a value unchanged; the compiled executor then does not call it for them.
    """

    def mark(serialize: Function) -> Function:
        serialize.__dict__["passes"] = classes
        return serialize

    return mark


def gives(class_: type, function: Callable[[Any], Any]) -> Callable[[Function], Function]:
    """Mark a scalar's `serialize`: of instances of exactly this class it gives what the function gives.

    The function gives no null for them; the compiled executor then calls it in the place of `serialize`.
    """

    def mark(serialize: Function) -> Function:
        serialize.__dict__["gives"] = (class_, function)
        return serialize

    return mark


def personal_fields(schema: GraphQLSchema) -> frozenset[str]:
    """Return the names of the fields that are declared personal, of whatever type."""
    return frozenset(
        name
        for type_ in schema.type_map.values()
        for name, field in getattr(type_, "fields", {}).items()
        if _declared(field, PERSONAL)
    )


def declared_cost(field: GraphQLField) -> int:
    """Return what a field is declared to cost beside the objects it answers with."""
    return _declared(field, COST) or 0


def _declared(field: Any, key: str) -> Any:
    return getattr((field.extensions or {}).get(BACKREF), "metadata", {}).get(key)
