"""Generates the Python functions of one operation; the package docstring explains what they look like.

It must not put text of the client into the source but by `repr`, and it executes nothing but definitions.
"""

import inspect
import keyword
from collections.abc import Callable
from typing import Any

import strawberry
from graphql import OperationType, is_leaf_type, is_list_type, is_non_null_type, is_object_type
from graphql.execution.collect_fields import collect_fields
from graphql.execution.values import VariableValues

from refundgql.api.execution import runtime
from refundgql.api.execution.completion import (
    Odd,
    event_values,
    kill,
    odd,
    read_all,
    redo,
    resolve_rows,
    slowly,
    slowly_awaiting,
)
from refundgql.api.execution.documents import Prepared
from refundgql.api.execution.fields import LevelInfo
from refundgql.api.execution.leaves import leaf_expression, unknown_object
from refundgql.api.execution.plan import (
    Field,
    NotCompiled,
    Planner,
    Run,
    Selected,
    Source,
    list_depth,
    nullable,
)
from refundgql.api.execution.selection import Document

Start = Callable[[list[Any], Run, Any], Any]

HELPERS: dict[str, Any] = {
    "LISTS": frozenset({list, tuple}),
    "LevelInfo": LevelInfo,
    "NoneType": type(None),
    "Odd": Odd,
    "harmless": runtime.harmless,
    "by_type": runtime.by_type,
    "event_values": event_values,
    "group": runtime.group,
    "by_type_awaiting": runtime.by_type_awaiting,
    "kill": kill,
    "lost_items": runtime.lost_items,
    "odd": odd,
    "path_in_lists": runtime.path_in_lists,
    "read_all": read_all,
    "redo": redo,
    "resolve_rows": resolve_rows,
    "same_length": runtime.same_length,
    "slowly": slowly,
    "slowly_awaiting": slowly_awaiting,
    "together": runtime.together,
}
"""All that generated code may use beside what is bound for it and the builtins."""


class Plan:
    """One operation, compiled for one set of values of the variables in @include and @skip."""

    __slots__ = ("awaits", "source", "start")

    def __init__(self, start: Start, source: str) -> None:
        self.start = start
        self.awaits = inspect.iscoroutinefunction(start)
        self.source = source

    async def run(self, run: Run, root: Any) -> dict[str, Any] | None:
        """Execute with a root value; the errors are in `run`."""
        outs = self.start([root], run, _root_path)
        data: dict[str, Any] | None = (await outs if self.awaits else outs)[0]
        return data


def _root_path(_: int) -> list[str | int]:
    return []


def compile_plan(schema: strawberry.Schema, prepared: Prepared, variables: VariableValues, concurrent: bool) -> Plan:
    """Compile an operation. Refuses: what only graphql-core can execute (NotCompiled).

    concurrent: sibling fields that wait run at the same time, but for a mutation's.
    """
    core = schema._schema
    operation = prepared.operation
    document = Document(core, prepared.fragments, operation, variables)
    root_type = core.get_root_type(operation.operation)
    if root_type is None:
        raise NotCompiled(operation.operation.value)
    collected = collect_fields(core, document.fragments, variables, root_type, operation)
    try:
        root = Planner(schema, document).select(root_type, collected.grouped_field_set)
        writer = _Writer(concurrent)
        name = writer.selection(root, serial=operation.operation is OperationType.MUTATION)
    except RecursionError:
        raise NotCompiled("nested too deeply") from None
    return writer.finish(name)


class _Writer:
    """Writes the functions of a plan, the innermost first."""

    def __init__(self, concurrent: bool) -> None:
        self._concurrent = concurrent
        self._lines: list[str] = []
        self._bound = dict(HELPERS)
        self._selected: list[Selected] = []
        self._awaiting: set[str] = set()
        self._count = 0

    def bind(self, prefix: str, value: Any) -> str:
        """Make a value available under a fresh name."""
        name = self._fresh(prefix)
        self._bound[name] = value
        return name

    def finish(self, start: str) -> Plan:
        """Define the functions, and give the one that starts."""
        source = "\n".join(self._lines)
        exec(compile(source, "<plan>", "exec"), self._bound)  # noqa: S102 - names are ours, client text is quoted
        for selected in self._selected:
            selected.run = self._bound[selected.source_name]
        return Plan(self._bound[start], source)

    def _fresh(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}{self._count}"

    def selection(self, selected: Selected, serial: bool = False) -> str:
        """Write the function that completes all rows of one selection; give its name."""
        if selected.source_name:
            return selected.source_name
        composed = [(self._composed(field), field) for field in selected.fields if field in selected.composed]
        name = selected.source_name = self._fresh("S")
        self._selected.append(selected)
        awaits = any(f in self._awaiting for f, _ in composed)
        if awaits:
            self._awaiting.add(name)
        again = f"{self.bind('R', selected)}, s, X, P(len(outs))"
        display = self._display(selected, "s")  # before the first line: it may write functions of its own
        write = self._lines.append
        write(f"{'async ' if awaits else ''}def {name}(rows, X, P):")
        write(" outs = []; add = outs.append; odd_row = False")
        write(f" for s in rows:\n  try: add({display})")
        write(f"  except Exception: odd_row = True; add(redo({again}))")
        if composed:
            self._calls(composed, serial)
        write(" return outs")
        return name

    def _calls(self, composed: list[tuple[str, Field]], serial: bool) -> None:
        """Write the calls of a selection's composed fields, for the rows that are still alive."""
        write = self._lines.append
        write(" live, rws, Q = outs, rows, P")
        write(" if odd_row:")
        write("  ix = [i for i, d in enumerate(outs) if d is not None]")
        write("  if not ix: return outs")
        write("  live = [outs[i] for i in ix]; rws = [rows[i] for i in ix]; Q = lambda i: P(ix[i])")
        write(" dead = None")
        together = [name for name, field in composed if field.awaits and not serial and self._concurrent]
        for name, _ in composed:
            if len(together) > 1 and name in together:
                continue
            wait = "await " if name in self._awaiting else ""
            write(f" x = {wait}{name}(rws, live, X, Q)")
            write(" if x: return [None]" if serial else " if x: dead = dead | x if dead else x")
        if len(together) > 1:
            calls = ", ".join(f"{name}(rws, live, X, Q)" for name in together)
            write(f" for x in await together({calls}):\n  if x: dead = dead | x if dead else x")
        if not serial:
            write(" if dead: outs = kill(outs, live, dead)")

    def _display(self, selected: Selected, row: str) -> str:
        items = (f"{field.key!r}: {self._read(field, row) if field.inline else None}" for field in selected.fields)
        return f"{{{', '.join(items)}}}"

    def _read(self, field: Field, row: str) -> str:
        """Write the expression for a field that is read from the row."""
        if field.source is Source.TYPENAME:
            return repr(field.parent.name)
        return self._value(field, field.type, self._get(field, row))

    def _get(self, field: Field, row: str) -> str:
        if field.source is Source.COMPUTED:
            return f"{self.bind('c', field.function)}({row})"
        attribute: str = field.function
        if attribute.isidentifier() and not keyword.iskeyword(attribute):
            return f"{row}.{attribute}"
        return f"getattr({row}, {attribute!r})"

    def _value(self, field: Field, type_: Any, read: str) -> str:
        non_null, bare = is_non_null_type(type_), nullable(type_)
        if is_leaf_type(bare):
            return leaf_expression(self.bind, bare, non_null, read)
        name = read if read.isidentifier() else self._fresh("w")
        first = name if name is read else f"{name} := {read}"
        if is_list_type(bare):
            done = f"{self._list(field, bare.of_type)}({name})"
            return f"({done} if ({first}) is not None else {'odd()' if non_null else None})"
        known: set[type] = set()
        unknown = f"{self.bind('U', unknown_object(known, non_null))}({name})"
        done = self._display(field.subs[bare.name], name)
        return f"({done} if type({first}) in {self.bind('K', known)} else {unknown})"

    def _list(self, field: Field, item_type: Any) -> str:
        """Write the function that completes a list of leaves, or of objects read from their rows."""
        item = self._value(field, item_type, "s")
        name = self._fresh("A")
        write = self._lines.append
        write(f"def {name}(a):\n if type(a) is not list and type(a) is not tuple: raise Odd")
        if ":=" in item:  # an assignment in a comprehension makes a slower variable
            write(f" out = []; add = out.append\n for s in a: add({item})\n return out")
        else:
            write(f" return [{item} for s in a]")
        return name

    def _composed(self, field: Field) -> str:
        """Write the function of one field with a resolver, or above one, for all rows; give its name."""
        subs = {name: self.selection(selected) for name, selected in field.subs.items()}
        below = any(name in self._awaiting for name in subs.values())
        name = self._fresh("F")
        awaits = field.awaits or below
        if awaits:
            self._awaiting.add(name)
        me = self.bind("f", field)
        item = self._value(field, field.type, "y") if is_leaf_type(field.named) else ""
        write = self._lines.append
        write(f"{'async ' if awaits else ''}def {name}(rows, outs, X, P):")
        self._values(field, me)
        slow = f"await slowly_awaiting({me}, vals, outs, X, P)" if below else f"slowly({me}, vals, outs, X, P)"
        bare = nullable(field.type)
        if is_leaf_type(field.named):
            write(f" try:\n  for d, y in zip(outs, vals): d[{field.key!r}] = {item}\n  return None")
            write(f" except Exception: return {slow}")
            return name
        run = self._below(field, me, subs, below)
        if not is_list_type(bare):
            self._objects(field, run)
        elif list_depth(field.type) == 1:
            self._lists(field, me, run)
        write(f" return {slow}")
        return name

    def _values(self, field: Field, me: str) -> None:
        """Write how the values of all rows are got; `vals` holds an exception where there is none."""
        write = self._lines.append
        if field.source is Source.EVENT:
            checked = "" if field.args.constant else f"event_values({me}, rows, X)"
            write(f" vals = {checked or 'rows'}")
        elif field.source is Source.RESOLVER:
            write(f" vals = await resolve_rows({me}, rows, X, P)")
        elif field.source is Source.LEVEL:
            function, wait = self.bind("l", field.function), "await " if field.awaits else ""
            info = f"LevelInfo(X.context, {self.bind('s', field.selection)})"
            write(f" try:\n  vals = {wait}{function}(rows, {info}, **{self.bind('k', field.keywords)}(X.variables))")
            write("  if type(vals) is not list or len(vals) != len(rows):")
            write(f"   vals = same_length(vals, rows, {function})")
            write(" except Exception as error: vals = [error] * len(rows)")
        else:
            write(f" try: vals = [{self._get(field, 's')} for s in rows]")
            write(f" except Exception: vals = read_all({me}, rows)")

    def _below(self, field: Field, me: str, subs: dict[str, str], awaits: bool) -> Callable[[str], str]:
        """Give how the objects in a list of rows are completed; interfaces and unions by type."""
        if is_object_type(field.named):
            function = subs[field.named.name]
            return lambda rows: f"{'await ' if awaits else ''}{function}({rows}, X, Q)"
        function = f"await by_type_awaiting({me}" if awaits else f"by_type({me}"
        return lambda rows: f"{function}, groups, {rows}, X, Q)"

    def _fit(self, field: Field, rows: str) -> str:
        """Write the test that rows can go on together: no null, no exception, types known."""
        known: set[type] = set()
        test = f"harmless({self.bind('G', known)}, {rows})"
        if is_object_type(field.named):
            return test
        return f"{test} and (groups := group({rows}, {self.bind('T', frozenset(field.subs))}))"

    def _objects(self, field: Field, run: Callable[[str], str]) -> None:
        write, key = self._lines.append, repr(field.key)
        write(f" if {self._fit(field, 'vals')}:")
        write(f"  n = len(X.errors); Q = lambda i: P(i) + [{key}]")
        write(f"  got = {run('vals')}")
        write(f"  for d, g in zip(outs, got): d[{key}] = g")
        if field.non_null:
            write("  if len(X.errors) != n: return {i for i, g in enumerate(got) if g is None}")
            write("  return None")
            return
        write("  return None")
        write(" some = [y for y in vals if y is not None]")
        write(" if not some: return None")
        write(f" if {self._fit(field, 'some')}:")
        write(f"  Q = lambda i: P([k for k, y in enumerate(vals) if y is not None][i]) + [{key}]")
        write(f"  got = iter({run('some')})")
        write(f"  for d, y in zip(outs, vals):\n   if y is not None: d[{key}] = next(got)")
        write("  return None")

    def _lists(self, field: Field, me: str, run: Callable[[str], str]) -> None:
        write, key = self._lines.append, repr(field.key)
        write(" if {*map(type, vals)} <= LISTS:")
        write("  flat = [y for l in vals for y in l]")
        write(f"  if not flat:\n   for d in outs: d[{key}] = []\n   return None")
        write(f"  if {self._fit(field, 'flat')}:")
        write(f"   n = len(X.errors); Q = path_in_lists(vals, P, {key})")
        write(f"   got = {run('flat')}")
        write("   i = 0")
        write(f"   for d, l in zip(outs, vals): j = i + len(l); d[{key}] = got[i:j]; i = j")
        write(f"   return None if len(X.errors) == n else lost_items({me}, outs)")
