"""Random documents for a schema: fragments, aliases, merging, directives, variables, arguments.

It must only need a seed; what it makes is mostly, not always, valid.
"""

import random
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    is_leaf_type,
    is_required_argument,
)

FLAGS = ("on", "off", "maybe")


class DocumentMaker:
    """Makes one document and the values of its variables."""

    def __init__(self, schema: GraphQLSchema, seed: int) -> None:
        self.schema = schema
        self.random = random.Random(seed)
        self.fragments: list[str] = []
        self.spreadable: list[tuple[str, str]] = []
        self.variables: dict[str, tuple[str, Any]] = {}
        """The declaration of each variable (type and default), and its value; Ellipsis for none."""
        self.budget = self.random.choice([5, 8, 14, 30])

    def document(self, operation: str = "query") -> tuple[str, dict[str, Any]]:
        """Make a document with one operation, and its variables."""
        root: Any = self.schema.query_type if operation == "query" else self.schema.mutation_type
        if operation == "subscription":
            root = self.schema.subscription_type
        single = operation == "subscription"
        body = self.selection(root, self.random.choice([2, 3, 4]), root=True, single=single)
        values = {name: value for name, (_, value) in self.variables.items() if value is not Ellipsis}
        declared = [f"${name}: {declaration}" for name, (declaration, _) in self.variables.items()]
        head = f"({', '.join(declared)})" if declared else ""
        return f"{operation} Q{head} {body}\n" + "\n".join(self.fragments), values

    def variable(self, name: str, type_: str, values: list[Any], defaults: list[str], *, optional: bool) -> str:
        """Declare a variable, in any nullability and with any default, the first time it is used; give its reference.

        optional: its place takes null or has a default, so that it may be declared without the one and the other.
        """
        if name not in self.variables:
            default = self.random.choice(defaults)
            declarations = [f"{type_}!", f"{type_}! = {default}", f"{type_} = {default}"]
            if optional or self.random.random() < 0.02:
                declarations += [type_, f"{type_} = null"]
            declaration = self.random.choice(declarations)
            given = [*values, *values]
            if not declaration.endswith("!") or self.random.random() < 0.02:
                given.append(Ellipsis)
            if "!" not in declaration or self.random.random() < 0.02:
                given.append(None)
            self.variables[name] = (declaration, self.random.choice(given))
        return f"${name}"

    def selection(self, type_: Any, depth: int, *, root: bool = False, single: bool = False) -> str:
        """Make a selection set on a type."""
        parts: list[str] = []
        count = 1 if single else self.random.choice([1, 2, 3, 4, 5])
        for _ in range(count):
            self.budget -= 1
            roll = self.random.random()
            if single or roll < 0.72 or depth <= 0:
                parts.append(self.field(type_, depth, directives=not single))
            elif roll < 0.86:
                parts.append(self.inline_fragment(type_, depth))
            else:
                parts.append(self.spread(type_, depth))
        return f"{{ {' '.join(parts)} }}"

    def field(self, type_: Any, depth: int, *, directives: bool = True) -> str:
        """Make one field with alias, arguments and directives."""
        fields = {} if isinstance(type_, GraphQLUnionType) else type_.fields
        leaves = [n for n, f in fields.items() if is_leaf_type(get_named_type(f.type))]
        names = list(fields) if depth > 0 and self.budget > 0 else leaves
        if directives and (not names or self.random.random() < 0.06):
            return self.alias("__typename") + self.directive(directives)
        name = self.random.choice(names)
        field = fields[name]
        arguments = self.arguments(field)
        named = get_named_type(field.type)
        body = f" {self.selection(named, depth - 1)}" if is_composite_type(named) else ""
        # The same response name must stand for the same field and arguments wherever both could merge.
        shown = self.alias(name, arguments)
        return f"{shown}{arguments}{self.directive(directives)}{body}"

    def alias(self, name: str, arguments: str = "") -> str:
        """Give a field another response name now and then, always one with other arguments."""
        if arguments:
            return f"x{sum(map(ord, arguments)) % 9973}_{name}: {name}"
        return self.random.choice([name, name, name, f"a_{name}: {name}", f"_{name}2: {name}"])

    def arguments(self, field: GraphQLField) -> str:
        """Give some of a field's arguments, as literals or variables."""
        given = []
        for name, argument in field.args.items():
            if not is_required_argument(argument) and self.random.random() < 0.5:
                continue
            given.append(f"{name}: {self.argument(argument)}")
        return f"({', '.join(given)})" if given else ""

    def argument(self, argument: GraphQLArgument) -> str:
        """Give a value for an argument."""
        named: Any = get_named_type(argument.type)
        optional = not is_required_argument(argument)
        if named.name == "Pick":
            value = self.pick()
            if value.startswith("$") or argument.type is named:
                return value
            return self.random.choice([f"[{value}]", f"[{value}, {self.pick_within()}]"])
        if isinstance(named, GraphQLInputObjectType):
            size = self.random.choice(["", "size: 1", "$"])
            if size == "$":
                size = f"size: {self.variable('size', 'Int', [0, 1, 2], ['0', '2'], optional=True)}"
            color = self.random.choice(["", "color: RED", "color: null"])
            return f"{{ {size} {color} }}"
        if isinstance(named, GraphQLEnumType):
            if self.random.random() < 0.3:
                return self.variable("like", "Color", ["GREEN", "BLUE"], ["RED"], optional=True)
            return self.random.choice(["RED", "BLUE"])
        if named.name == "Int":
            if self.random.random() < 0.6:
                return self.variable(f"n{self.random.choice('abc')}", "Int", [0, 1, 3], ["0", "2"], optional=True)
            return str(self.random.choice([0, 1, 2]))
        if self.random.random() < 0.3:
            words = ["w", 'quote"d', "ünï\u2028code", "\\"]
            return self.variable(f"word{optional}", "String", words, ['"d"', '""'], optional=optional)
        return self.random.choice(['"w"', '"say \\"hi\\""', '"""block "text" """', '"\\u00e9\\n"', '"{x}%s"'])

    def pick(self) -> str:
        """Give a value of an input that takes exactly one of several, as a literal, with a variable in it or as one."""
        choice = self.random.random()
        if choice < 0.3:
            values = [{"number": 1}, {"word": ""}, {"window": {}}, {"window": {"size": None}}, {}, {"number": None}]
            return self.variable("pick", "Pick", [*values[:3], *values], ['{word: "d"}'], optional=True)
        return self.pick_within()

    def pick_within(self) -> str:
        """Give one as a literal, which may have a variable in it."""
        choice = self.random.random()
        if choice < 0.3:
            return f"{{ number: {self.variable('picked', 'Int', [0, 7], ['1'], optional=False)} }}"
        if choice < 0.5:
            return f"{{ window: {{ size: {self.variable('size', 'Int', [0, 1, 2], ['0', '2'], optional=True)} }} }}"
        return self.random.choice(['{ word: "w" }', "{ window: { size: 3 } }", "{ number: 0 }"])

    def directive(self, allowed: bool = True) -> str:
        """Give no directive, mostly."""
        if not allowed or self.random.random() < 0.85:
            return ""
        names = self.random.choice([["include"], ["skip"], ["include", "skip"], ["skip", "include"]])
        return "".join(f" @{name}(if: {self.flag()})" for name in names)

    def flag(self) -> str:
        """Give what a directive looks at."""
        if self.random.random() < 0.4:
            return self.random.choice(["true", "false"])
        return self.variable(self.random.choice(FLAGS), "Boolean", [True, False], ["true", "false"], optional=False)

    def conditions(self, type_: Any) -> list[str]:
        """List the types that fragments on a type may name."""
        if is_abstract_type(type_):
            possible = self.schema.get_possible_types(type_)
            return [type_.name, *(t.name for t in possible), "Named"]
        return [type_.name, *(i.name for i in getattr(type_, "interfaces", ()))]

    def inline_fragment(self, type_: Any, depth: int) -> str:
        """Make an inline fragment, with or without a type condition."""
        name = self.random.choice([None, *self.conditions(type_)])
        inner: Any = self.schema.get_type(name) if name else type_
        condition = f" on {name}" if name else ""
        return f"...{condition}{self.directive()} {self.selection(inner, depth)}"

    def spread(self, type_: Any, depth: int) -> str:
        """Spread a fragment, a new one or one that stands already."""
        conditions = self.conditions(type_)
        known = [name for name, on in self.spreadable if on in conditions]
        if known and self.random.random() < 0.5:
            return f"...{self.random.choice(known)}{self.directive()}"
        on = self.random.choice(conditions)
        name = f"F{len(self.fragments) + 1}_{self.random.randrange(10**6)}"
        inner: Any = self.schema.get_type(on)
        self.fragments.append("")
        place = len(self.fragments) - 1
        self.fragments[place] = f"fragment {name} on {on} {self.selection(inner, depth - 1)}"
        self.spreadable.append((name, on))
        return f"...{name}{self.directive()}"
