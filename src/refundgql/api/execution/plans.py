"""Decides which operations are compiled, and keeps the plans within bounds.

It must not execute them.
"""

from collections import OrderedDict

import strawberry
from graphql.execution.values import VariableValues

from refundgql.api.execution.compiler import Plan, compile_plan
from refundgql.api.execution.documents import Prepared
from refundgql.api.execution.plan import NotCompiled

Key = tuple[Prepared, tuple[bool | None, ...]]


class Plans:
    """The plans of one schema: one for each operation and set of flags, the least recently used forgotten first.

    compile_after: executions left to graphql-core before an operation is worth compiling.
    """

    def __init__(self, schema: strawberry.Schema, *, max_plans: int, compile_after: int, concurrent: bool) -> None:
        self._schema = schema
        self._max_plans = max_plans
        self._compile_after = compile_after
        self._concurrent = concurrent
        self._known: OrderedDict[Key, Plan | int | None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def find(self, prepared: Prepared, variables: VariableValues) -> Plan | None:
        """Give the plan to execute with, or None when graphql-core is to do it."""
        values = variables.coerced
        flags = tuple(value if (value := values.get(name)) in (True, False) else None for name in prepared.flags)
        key = (prepared, flags)
        known = self._known.get(key, 0)
        if isinstance(known, int):
            plan = self._grow(prepared, variables, known)
            self._known[key] = plan
            if len(self._known) > self._max_plans:
                self._known.popitem(last=False)
            known = plan if not isinstance(plan, int) else None
        else:
            self._known.move_to_end(key)
        return known

    def _grow(self, prepared: Prepared, variables: VariableValues, uses: int) -> Plan | int | None:
        if uses < self._compile_after:
            return uses + 1
        try:
            return compile_plan(self._schema, prepared, variables, self._concurrent)
        except NotCompiled:
            return None
