"""The compiled executor and graphql-core give the same answers to generated documents over odd data.

Both are fed by the same level functions. Data must be the same to the byte, key order included. Errors must be
the same in message, path, locations and order, but for one choice the specification leaves: when an error nulls
a parent, several errors below that null may each be the one reported. There, only the null they explain is compared.
"""

import asyncio
import json
import os
import re
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from graphql import (
    GraphQLError,
    NoFragmentCyclesRule,
    OverlappingFieldsCanBeMergedRule,
    Undefined,
    VariablesInAllowedPositionRule,
    get_named_type,
    is_leaf_type,
    parse,
    validate,
)
from graphql.execution.values import VariableValues, get_variable_values
from odd_schema import build_schema
from odd_world import Color, Row, World
from random_documents import DocumentMaker

from refundgql.gql.compiled.plan import MAX_FIELDS, NotCompiled, Run
from refundgql.gql.compiled.plans import Plans
from refundgql.gql.compiled.variables import PlainVariables
from refundgql.gql.compiled.writer import Plan, compile_plan
from refundgql.gql.core import reference
from refundgql.gql.core.adapter import adapt
from refundgql.gql.documents import Prepared, flag_names
from refundgql.gql.errors import ApiError
from refundgql.gql.responses import in_response_order, one_for_each_null

pytestmark = [
    # graphql-core drops siblings of a lost non-null field before it has started them, on purpose.
    pytest.mark.filterwarnings("ignore:coroutine 'Executor:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

QUICK, FULL = 500, 20_000
ODDS = (0.0, 0.0, 0.002, 0.01, 0.05, 0.2)

SCHEMA = build_schema()
adapt(SCHEMA)
CORE = SCHEMA._schema

RULES = [OverlappingFieldsCanBeMergedRule, NoFragmentCyclesRule, VariablesInAllowedPositionRule]
"""The rules a generated document may break; the maker keeps the others, and all of them take longer than the runs."""

Told = tuple[str, tuple[Any, ...], tuple[Any, ...]]


def is_valid(source: str) -> bool:
    """Tell whether a generated document keeps the rules that it may break."""
    return not validate(CORE, parse(source), RULES)


def prepare(source: str) -> Prepared:
    """Prepare a document; nobody asks here whether it is valid."""
    document = parse(source)
    operation, *fragments = document.definitions
    named: Any = {f.name.value: f for f in fragments}  # type: ignore[attr-defined]  # fragments have names
    variables = PlainVariables(CORE, operation)  # type: ignore[arg-type]  # the first one is an operation
    measure: Any = None  # nobody asks for it here
    return Prepared(operation, named, flag_names(document), variables, measure)  # type: ignore[arg-type]


def told(errors: list[GraphQLError], data: Any) -> list[tuple[tuple[Any, ...], Told]]:
    """Give the errors a client would see, each with the position of the null it explains."""
    shown = one_for_each_null(in_response_order(errors, data), data)
    result = []
    for error in shown:
        at, null = data, []
        for step in error.path or ():
            if at is None:
                break
            null.append(step)
            at = at[step]
        assert at is None, (error, "explains no null")
        result.append((tuple(null), (error.message, tuple(error.path or ()), tuple(error.locations or ()))))
    return result


class Comparison:
    """Runs documents both ways, as often as it takes to compile them and once more, and counts what was compared."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()
        self.forced: dict[str, Any] = {}

    async def valid(self, source: str, given: dict[str, Any], seed: int, odds: float, root: str = "") -> None:
        """Run one document both ways, and compare, unless it is invalid and nobody need agree about it.

        That is asked only when something differs: asking takes longer than the runs do.
        """
        try:
            await self.both(source, given, seed, odds, root)
        except Exception:
            if is_valid(source):
                raise
            self.count["invalid"] += 1

    async def both(self, source: str, given: dict[str, Any], seed: int, odds: float, root: str = "") -> None:
        """Run one document over one world both ways, and compare."""
        prepared = prepare(source)
        variables = get_variable_values(CORE, prepared.operation.variable_definitions or (), given)
        plain = prepared.variables.coerce(given)
        if isinstance(variables, list):
            assert plain is None, source
            self.count["refused variables"] += 1
            return
        self.count["plain variables"] += plain is not None
        assert plain is None or (plain.coerced, *plain.sources) == (variables.coerced, *variables.sources)
        theirs = self.world(seed, odds)
        root_of = (lambda world: Row(world, root, "Thing")) if root else (lambda world: None)
        executor = self.executors(prepared, variables, theirs, root_of(theirs))()
        expected, their_errors = await reference.run(executor)
        plans = Plans(SCHEMA)
        null_flags = any(variables.coerced.get(name, True) is None for name in prepared.flags)
        for use in range(3):
            plan = plans.find(prepared, plain or variables)
            assert (plan is not None) == (use > 0 and not null_flags), (source, given, use)
            if plan is None:  # the engine leaves it to graphql-core
                continue
            ours = self.world(seed, odds)
            run = Run(ours, plain or variables, self.executors(prepared, variables, ours))
            data, errors = await plan.run(run, root_of(ours)), run.errors
            self.compare(source, data, errors, expected, their_errors)
            if not their_errors and not errors:
                assert ours.calls == theirs.calls, source
        self.count["compared"] += 1
        self.count["null flags"] += null_flags
        self.count["with errors"] += bool(their_errors)
        self.count["with data"] += bool(expected)

    def world(self, seed: int, odds: float) -> World:
        """Make the world of one run, the same each time."""
        world = World(seed, odds)
        world.forced = self.forced
        return world

    def executors(
        self, prepared: Prepared, variables: VariableValues, world: World, row: Any = None
    ) -> Callable[[], Any]:
        """Give what makes graphql-core's executor of one run."""
        return lambda: reference.executor_for(CORE, prepared, variables, world, row)

    def compare(
        self, source: str, data: Any, errors: list[GraphQLError], expected: Any, their_errors: list[GraphQLError]
    ) -> None:
        """Assert that two results cannot be told apart."""
        assert json.dumps(data) == json.dumps(expected), source
        mine, theirs = told(errors, data), told(their_errors, expected)
        assert [null for null, _ in mine] == [null for null, _ in theirs], (source, mine, theirs)
        for (null, ours), (_, other) in zip(mine, theirs, strict=True):
            if ours[1] == null or other[1] == null:
                assert ours == other, source
                self.count["errors at their null"] += 1
            elif ours == other:
                self.count["errors below their null, the same"] += 1
            else:
                self.count["errors below their null, another one"] += 1


async def compare_many(first: int, count: int, *, all_valid: bool) -> Counter[str]:
    """Compare so many generated documents, from a seed on; all_valid leaves out at once what is invalid."""
    comparison = Comparison()
    for seed in range(first, first + count):
        operation = {7: "mutation", 8: "subscription"}.get(seed % 10, "query")
        source, given = DocumentMaker(CORE, seed).document(operation)
        root = "event" if operation == "subscription" else ""
        if all_valid and not is_valid(source):
            comparison.count["invalid"] += 1
            continue
        await comparison.valid(source, given, seed, ODDS[seed % len(ODDS)], root)
    return comparison.count


def check(count: Counter[str]) -> None:
    """Assert that a comparison was worth something."""
    print(dict(count))  # noqa: T201 - shown with -s
    assert count["compared"] > 0.7 * (count["compared"] + count["invalid"])
    assert count["with errors"] > 0.15 * count["compared"]
    assert count["with data"] > 0.6 * count["compared"]
    assert count["null flags"] > 0.01 * count["compared"]
    assert count["refused variables"] > 0


def test_generated_documents_agree() -> None:
    """Answers of both executors to generated documents cannot be told apart."""
    check(asyncio.run(compare_many(0, QUICK, all_valid=True)))


@pytest.mark.slow
def test_many_generated_documents_agree() -> None:
    """The same over as many documents as DIFFERENTIAL_DOCUMENTS says."""
    documents = int(os.environ.get("DIFFERENTIAL_DOCUMENTS", FULL))
    check(asyncio.run(compare_many(1_000_000, documents, all_valid=False)))


class Named(Exception):
    """An exception that could be mistaken for a row."""

    TYPENAME = "Thing"
    name = code = text = "mistaken"
    amount = count = 1


ODD: list[Any] = [
    None, ValueError, ApiError("returned", "FORBIDDEN"), Named("an exception"), GraphQLError("graphql"), Undefined,
    True, 0, 7, -7, 2**31, 2**40, 1.5, 3.0, float("inf"), float("nan"), "", "text", "RED", "red", Color.GREEN, b"x", {},
    {"a": 1}, {"name"}, (), ("a", "b"), [], [None], ["RED", None], [[]], [[1], None], [ValueError("item"), 1], [[None]],
    [Named("an exception")], Decimal("1.5"), object, Row(World(3, 0), "odd", "Thing"),
    [Row(World(3, 0), "odd", "Vase")],
    [[Row(World(3, 0), "odd", "Coin")], []], Row(World(3, 0), "odd", "Nowhere"), [Row(World(3, 0), "odd", "Query")],
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CORE.type_map["Thing"].fields))
async def test_any_value_at_any_field_agrees(name: str) -> None:
    """Whatever a field of any shape holds, alone or beside good rows, both executors say the same."""
    thing: Any = CORE.type_map["Thing"]
    named = get_named_type(thing.fields[name].type)
    below = {"Coin": "{ amount name same { code } }", "Thing": "{ name farCount near { count } }"}.get(
        named.name, "{ __typename ... on Named { name } ... on Coin { amount } ... on Vase { far { name } } }"
    )
    body = "" if is_leaf_type(named) else below
    alone, beside = f"thing {{ name {name} {body} }}", f"things(n: 9) {{ nears {{ {name} {body} }} }}"
    source = f"{{ {alone} direct {{ {name} {body} count }} {beside} }}"
    comparison = Comparison()
    for odd in ODD:
        comparison.forced = {python_name(name): odd} if odd is not object else {python_name(name): object()}
        await comparison.both(source, {}, 1, 0.0)
    assert comparison.count["compared"] == len(ODD)
    assert comparison.count["with data"] == len(ODD)


def python_name(name: str) -> str:
    """Give the attribute of a field."""
    return re.sub("([A-Z])", r"_\1", name).lower()


VARIABLE_TYPES = ["String", "ID", "Int", "Boolean", "Float", "Color", "[Int!]", "Window", "Pick", "[Pick!]"]
VALUES: list[Any] = [
    Undefined, None, "", "x", "RED", 0, 1, True, False, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**80, 1.0, 1.5,
    [1], [], {}, {"size": 1}, ["x"], [None], {"size": "x"}, {"nothing": 1},
    {"number": 1}, {"number": None}, {"number": 1, "word": None}, {"word": "w", "number": 1}, {"window": {"size": 1}},
    {"window": {}}, {"number": "x"}, [{"number": 1}, {"word": ""}], [{"number": 1}, {}], [{"word": None}],
]  # fmt: skip


@pytest.mark.parametrize("type_", [f"{name}{end}" for name in VARIABLE_TYPES for end in ("", "!", " = null")])
def test_plain_variables_are_what_graphql_core_makes_of_them(type_: str) -> None:
    """Whatever is given for a variable of whatever type, the short cut gives graphql-core's result or leaves it."""
    operation: Any = parse(f"query ($v: {type_}) {{ answer }}").definitions[0]
    plain = PlainVariables(CORE, operation)
    taken = 0
    for value in VALUES:
        given = {} if value is Undefined else {"v": value}
        expected = get_variable_values(CORE, operation.variable_definitions, given)
        ours = plain.coerce(given)
        if ours is None:
            continue
        taken += 1
        assert not isinstance(expected, list), value
        assert (ours.coerced, list(ours.sources)) == (expected.coerced, list(expected.sources))
        assert [type(v) for v in ours.coerced.values()] == [type(v) for v in expected.coerced.values()]
    assert taken > 0


async def test_deep_documents_agree() -> None:
    """Objects, lists and levels nested far deeper than Python's parser would take are compiled all the same."""
    comparison = Comparison()
    for step, depth in ("near", 120), ("nearOrNull", 120), ("far", 40):
        nested = "name"
        for _ in range(depth):
            nested = f"name {step} {{ {nested} }}"
        await comparison.both(f"{{ thing {{ {nested} }} }}", {}, 1, 0.0)
    assert comparison.count["with data"] == 3


def test_documents_that_are_too_wide_are_left_to_graphql_core() -> None:
    """A plan larger than any allowed operation is refused, not built."""
    fields = " ".join(f"a{i}: name" for i in range(MAX_FIELDS + 1))
    prepared = prepare(f"{{ thing {{ {fields} }} }}")
    with pytest.raises(NotCompiled):
        compile_plan(SCHEMA, prepared, VariableValues({}, {}))


def test_shared_fragments_are_read_once() -> None:
    """A document whose fragments fan out makes a plan as long as the document, not as its expansion."""
    fragments = [
        f"fragment F{i} on Thing {{ far {{ ...F{i + 1} }} farOrNull {{ ...F{i + 1} }} farNamed {{ ...F{i + 1} }} }}"
        for i in range(12)
    ]
    prepared = prepare("{ thing { ...F0 } } " + " ".join(fragments) + " fragment F12 on Thing { name }")
    plan = compile_plan(SCHEMA, prepared, VariableValues({}, {}))
    assert plan.source.count("def ") < 200


def test_generated_code_is_used() -> None:
    """The comparison compares two executors: a plan has source of its own."""
    prepared = prepare("{ thing { name far { name } } }")
    variables = get_variable_values(CORE, (), {})
    assert not isinstance(variables, list)
    plan = compile_plan(SCHEMA, prepared, variables)
    assert isinstance(plan, Plan)
    assert plan.source.count("def ") == 3
