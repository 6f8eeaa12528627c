"""Generates the Python functions of one operation; the package docstring explains what they look like.

It must not put text of the client into the source but by `repr`, and it executes nothing but definitions.
"""

import keyword
from collections.abc import Callable
from functools import partial
from typing import Any

import strawberry
from graphql import OperationType, is_leaf_type, is_list_type, is_non_null_type

from refundgql.gql.compiled.completion import Odd, odd, redo
from refundgql.gql.compiled.leaves import leaf_expression, unknown_object
from refundgql.gql.compiled.levels import (
    complete_rows,
    complete_rows_awaiting,
    complete_serially,
)
from refundgql.gql.compiled.plan import Field, FieldKind, NotCompiled, Planner, Run, Selected, nullable
from refundgql.gql.documents import Prepared
from refundgql.gql.ports import VariableValues, collect_fields, core_schema
from refundgql.gql.selection import Document

HELPERS: dict[str, Any] = {"Odd": Odd, "odd": odd, "redo": redo}
"""All that generated code may use beside what is bound for it and the builtins."""


class Plan:
    """One operation, compiled for one set of values of the variables in @include and @skip."""

    __slots__ = ("_root", "source")

    def __init__(self, root: Selected, source: str) -> None:
        self._root = root
        self.source = source

    async def run(self, run: Run, root: Any) -> dict[str, Any] | None:
        """Execute with a root value; the errors are in `run`."""
        outs = self._root.run([root], run, _root_path)
        data: dict[str, Any] | None = (await outs if self._root.awaits else outs)[0]
        return data


def _root_path(_: int) -> list[str | int]:
    return []


def compile_plan(schema: strawberry.Schema, prepared: Prepared, variables: VariableValues) -> Plan:
    """Compile an operation. Refuses: what only graphql-core can execute (NotCompiled)."""
    core = core_schema(schema)
    operation = prepared.operation
    document = Document(core, prepared.fragments, operation, variables)
    root_type = core.get_root_type(operation.operation)
    if root_type is None:
        raise NotCompiled(operation.operation.value)
    collected = collect_fields(core, document.fragments, variables, root_type, operation)
    try:
        root = Planner(schema, document).select(root_type, collected.grouped_field_set)
        source = _Writer().write(root)
    except RecursionError:
        raise NotCompiled("nested too deeply") from None
    if operation.operation is OperationType.MUTATION:
        root.awaits = True
        root.run = partial(complete_serially, root)
    return Plan(root, source)


class _Writer:
    """Writes the functions of a plan, the innermost first, and gives every selection its own."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._bound = dict(HELPERS)
        self._selected: list[Selected] = []
        self._leaves: list[tuple[Field, str]] = []
        self._count = 0

    def write(self, root: Selected) -> str:
        """Define the functions of a plan; give their source."""
        self._selection(root)
        source = "\n".join(self._lines)
        exec(compile(source, "<plan>", "exec"), self._bound)  # noqa: S102 - names are ours, client text is quoted
        for selected in self._selected:
            selected.read = self._bound[selected.written]
            selected.run = self._runner(selected)
        for field, name in self._leaves:
            field.leaves = self._bound[name]
        return source

    def _runner(self, selected: Selected) -> Callable[..., Any]:
        if not selected.composed:
            read: Callable[..., Any] = selected.read
            return read
        if not selected.awaits:
            return partial(complete_rows, selected)
        return partial(complete_rows_awaiting, selected)

    def _bind(self, prefix: str, value: Any) -> str:
        """Make a value available under a fresh name."""
        name = self._fresh(prefix)
        self._bound[name] = value
        return name

    def _fresh(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}{self._count}"

    def _selection(self, selected: Selected) -> None:
        """Write the function that reads all rows of a selection, and those of the selections below."""
        if selected.written:
            return
        for field in selected.composed:
            if is_leaf_type(field.named):
                self._leaves.append((field, self._items(field, field.type)))
            for below in field.subs.values():
                self._selection(below)
        display = self._display(selected, "s")
        selected.written = self._fresh("S")
        self._selected.append(selected)
        self._lines.append(f"def {selected.written}(rows, X, P):")
        if not any(field.inline for field in selected.fields):
            self._lines.append(f" return [{display} for _ in rows]")
            return
        again = f"redo({self._bind('R', selected)}, s, X, P(len(outs)))"
        self._lines.append(
            f" outs = []; add = outs.append\n for s in rows:\n  try: add({display})\n"
            f"  except Exception: add({again})\n return outs"
        )

    def _display(self, selected: Selected, row: str) -> str:
        items = (f"{field.key!r}: {self._read(field, row) if field.inline else None}" for field in selected.fields)
        return f"{{{', '.join(items)}}}"

    def _read(self, field: Field, row: str) -> str:
        """Write the expression for a field that is read from the row."""
        if field.kind is FieldKind.TYPENAME:
            return repr(field.parent.name)
        if field.kind is FieldKind.COMPUTED:
            return self._value(field, field.type, f"{self._bind('c', field.function)}({row})")
        attribute: str = field.function
        if not attribute.isidentifier() or keyword.iskeyword(attribute):
            raise NotCompiled(attribute)
        return self._value(field, field.type, f"{row}.{attribute}")

    def _value(self, field: Field, type_: Any, read: str) -> str:
        """Write the expression that completes a value, which must not come to anything awaited."""
        non_null, bare = is_non_null_type(type_), nullable(type_)
        if is_leaf_type(bare):
            return leaf_expression(self._bind, bare, non_null, read)
        name = read if read.isidentifier() else self._fresh("w")
        first = name if name is read else f"{name} := {read}"
        if is_list_type(bare):
            done = f"{self._items(field, bare.of_type)}({name})"
            return f"({done} if ({first}) is not None else {'odd()' if non_null else None})"
        known: set[type] = set()
        unknown = f"{self._bind('U', unknown_object(known, non_null))}({name})"
        done = self._display(field.only, name)
        return f"({done} if type({first}) in {self._bind('K', known)} else {unknown})"

    def _items(self, field: Field, type_: Any) -> str:
        """Write the function that completes a list of values of a type; give its name."""
        item = self._value(field, type_, "s")
        name = self._fresh("A")
        self._lines.append(f"def {name}(a):\n if type(a) is not list and type(a) is not tuple: raise Odd")
        if ":=" in item:  # an assignment in a comprehension makes a slower variable
            self._lines.append(f" out = []; add = out.append\n for s in a: add({item})\n return out")
        else:
            self._lines.append(f" return [{item} for s in a]")
        return name
