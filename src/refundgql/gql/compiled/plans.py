"""Decides which operations are compiled, and keeps the plans within bounds."""

import logging
from collections import OrderedDict

import strawberry

from refundgql.gql.compiled.plan import NotCompiled
from refundgql.gql.compiled.writer import Plan, compile_plan
from refundgql.gql.documents import Flags, Prepared
from refundgql.gql.ports import VariableValues

log = logging.getLogger(__name__)

MAX_PLANS = 300
MAX_SOURCE_CHARS = 1_500_000
"""Of generated code in all plans that are kept; a plan takes about 27 bytes of memory for each character."""

MAX_COUNTED = 64
"""Sets of flags counted for one operation; a client that varies more of them starts over."""


class Plans:
    """The plans of one schema: one for each operation and set of flags, the least recently used forgotten first.

    compile_after: executions left to graphql-core before an operation is worth compiling. Compiling takes a third
    to the whole of the time for parsing and validating; documents that never come again should not pay it.
    """

    compile_after = 1

    def __init__(self, schema: strawberry.Schema) -> None:
        self._schema = schema
        self._known: OrderedDict[tuple[Prepared, Flags], Plan] = OrderedDict()
        self._source_chars = 0

    def __len__(self) -> int:
        return len(self._known)

    def find(self, prepared: Prepared, variables: VariableValues) -> Plan | None:
        """Give the plan to execute with, or None when graphql-core is to do it."""
        flags = tuple(variables.coerced.get(name) for name in prepared.flags)
        if None in flags:  # @include and @skip refuse null where they stand, and graphql-core says so at its path
            return None
        key = (prepared, flags)
        plan = self._known.get(key)
        if plan is not None:
            self._known.move_to_end(key)
            return plan
        return self._grow(prepared, flags, variables)

    def _grow(self, prepared: Prepared, flags: Flags, variables: VariableValues) -> Plan | None:
        if not prepared.compilable:
            return None
        uses = prepared.uses.get(flags, 0)
        if uses < self.compile_after:
            if len(prepared.uses) >= MAX_COUNTED:
                prepared.uses.clear()
            prepared.uses[flags] = uses + 1
            return None
        try:
            plan = compile_plan(self._schema, prepared, variables)
        except NotCompiled:
            prepared.compilable = False
            return None
        except Exception:  # a defect here must not reach a client whom graphql-core can answer
            log.exception("an operation cannot be compiled: %s", prepared.operation_name)
            prepared.compilable = False
            return None
        self._keep((prepared, flags), plan)
        return plan

    def _keep(self, key: tuple[Prepared, Flags], plan: Plan) -> None:
        if len(plan.source) > MAX_SOURCE_CHARS:
            return
        self._known[key] = plan
        self._source_chars += len(plan.source)
        while len(self._known) > MAX_PLANS or self._source_chars > MAX_SOURCE_CHARS:
            _, forgotten = self._known.popitem(last=False)
            self._source_chars -= len(forgotten.source)
