"""What transport calls: prepare a document, execute it, subscribe to it."""

import asyncio
from dataclasses import dataclass
from typing import Any

import strawberry
from graphql import GraphQLError

from refundgql.gql.bounds import TooManyItems
from refundgql.gql.compiled.plan import Run
from refundgql.gql.compiled.plans import Plans
from refundgql.gql.core import reference
from refundgql.gql.core.adapter import adapt
from refundgql.gql.declare import personal_fields
from refundgql.gql.documents import Documents, Prepared, RequestErrors
from refundgql.gql.errors import ErrorCode
from refundgql.gql.given import unusable_variables
from refundgql.gql.limits import Limits
from refundgql.gql.ports import VariableValues, core_schema, get_variable_values
from refundgql.gql.responses import ErrorFormat, Translate, request_errors
from refundgql.gql.streams import Stream
from refundgql.gql.wording import say_values_as_json

Response = dict[str, Any]

NO_VARIABLES = VariableValues({}, {})


@dataclass(frozen=True, slots=True)
class SubscribedDocument:
    """One subscription's document and variables, to be executed for each event."""

    engine: "GraphQLEngine"
    prepared: Prepared
    variables: dict[str, Any] | None

    @property
    def personal(self) -> frozenset[str]:
        """Return the fields of the schema that are declared personal."""
        return self.engine.personal

    async def encode(self, context: Any, row: Any) -> Response:
        """Execute the selection for one row."""
        return await self.engine.encode_event(self.prepared, self.variables, context, row)

    def describe(self, error: Exception) -> dict[str, Any]:
        """Return the error a client is told of an exception."""
        return self.engine.describe(error)


class GraphQLEngine:
    """Executes operations against one schema; one engine for a process.

    translate: turns an exception of a lower layer into an `ApiError`, or None to mask it.
    """

    def __init__(
        self,
        schema: strawberry.Schema,
        *,
        limits: Limits,
        translate: Translate | None = None,
        introspection: bool = True,
    ) -> None:
        adapt(schema)
        say_values_as_json()
        self.schema = schema
        self._core = core_schema(schema)
        self.personal = personal_fields(self._core)
        self._limits = limits
        self._format = ErrorFormat(translate, limits.max_errors)
        self.documents = Documents(self._core, limits, introspection=introspection)
        self.plans = Plans(schema)

    def prepare(self, query: str, operation_name: str | None = None) -> Prepared | RequestErrors:
        """Parse, check and validate a document, or remember it, and pick its operation."""
        return self.documents.prepare(query, operation_name)

    async def execute(self, prepared: Prepared, variables: dict[str, Any] | None, context: Any) -> Response:
        """Run a query or mutation to the end; the answer is ready for a JSON encoder.

        Refuses: a subscription (OPERATION_RESOLUTION_FAILURE), variables that do not fit (BAD_USER_INPUT,
        no `data`). What takes longer than the deadline is cancelled and answered by an error.
        """
        if prepared.operation_type == "subscription":
            return self._refused(
                [GraphQLError("A subscription needs a stream.")], ErrorCode.OPERATION_RESOLUTION_FAILURE
            )
        coerced = self._coerce(prepared, variables)
        if isinstance(coerced, list):
            return self._refused(coerced, ErrorCode.BAD_USER_INPUT)
        return await self._answer(prepared, coerced, context, None)

    async def subscribe(self, prepared: Prepared, variables: dict[str, Any] | None, context: Any) -> Stream | Response:
        """Return the stream of a subscription, or `{"errors": ...}` when it is refused before it began."""
        if prepared.operation_type != "subscription":
            return self._refused(
                [GraphQLError("Only a subscription is a stream.")], ErrorCode.OPERATION_RESOLUTION_FAILURE
            )
        coerced = self._coerce(prepared, variables)
        if isinstance(coerced, list):
            return self._refused(coerced, ErrorCode.BAD_USER_INPUT)
        executor = self._executor(prepared, coerced, context, None)
        try:
            async with asyncio.timeout(self._limits.operation_seconds):
                feed = await reference.open_feed(executor)
        except TimeoutError:
            return {"errors": [self._late(prepared)]}
        if isinstance(feed, list):
            return {"errors": self._format.describe(feed, None)}
        return feed.fanout.stream(feed, prepared, variables, SubscribedDocument(self, prepared, variables))

    async def encode_event(
        self, prepared: Prepared, variables: dict[str, Any] | None, context: Any, row: Any
    ) -> Response:
        """Execute a subscription's selection for one event; `streams` says who gets the same answer."""
        coerced = self._coerce(prepared, variables)
        if isinstance(coerced, list):
            return self._refused(coerced, ErrorCode.BAD_USER_INPUT)
        return await self._answer(prepared, coerced, context, row)

    def describe(self, error: Exception) -> dict[str, Any]:
        """Return what a client is told of an exception that ended its stream."""
        if isinstance(error, GraphQLError) and error.original_error is None:  # the document's or variables' own fault
            return request_errors([error], ErrorCode.BAD_USER_INPUT)[0]
        return self._format.describe_one(GraphQLError(str(error), original_error=error))

    async def _answer(self, prepared: Prepared, variables: VariableValues, context: Any, root: Any) -> Response:
        try:
            async with asyncio.timeout(self._limits.operation_seconds):
                data, errors = await self._run(prepared, variables, context, root)
        except TimeoutError:
            return {"data": None, "errors": [self._late(prepared)]}
        except TooManyItems as too_many:
            return {"data": None, "errors": request_errors([GraphQLError(too_many.message)], ErrorCode.LIMIT_EXCEEDED)}
        response: Response = {"data": data}
        if errors:
            response["errors"] = self._format.describe(errors, data)
        return response

    async def _run(self, prepared: Prepared, variables: VariableValues, context: Any, root: Any) -> reference.Executed:
        plan = self.plans.find(prepared, variables)
        if plan is None:
            return await reference.run(self._executor(prepared, variables, context, root))
        run = Run(context, variables, lambda: self._executor(prepared, variables, context, root))
        data = await plan.run(run, root)
        return data, run.errors

    def _executor(self, prepared: Prepared, variables: VariableValues, context: Any, root: Any) -> Any:
        return reference.executor_for(self._core, prepared, variables, context, root)

    def _coerce(self, prepared: Prepared, variables: dict[str, Any] | None) -> VariableValues | list[GraphQLError]:
        if variables and (unusable := unusable_variables(variables)):
            return unusable
        definitions = prepared.operation.variable_definitions
        if not definitions:
            return NO_VARIABLES
        given = variables or {}
        plain = prepared.variables.coerce(given)
        if plain is not None:
            return plain
        return get_variable_values(
            self._core,
            definitions,
            given,
            max_errors=self._limits.max_errors,
            hide_suggestions=True,
        )

    def _refused(self, errors: list[GraphQLError], code: ErrorCode) -> Response:
        return {"errors": request_errors(errors[: self._limits.max_errors], code)}

    def _late(self, prepared: Prepared) -> dict[str, Any]:
        message = f"The {prepared.operation_type} took longer than {self._limits.operation_seconds:g} seconds."
        (entry,) = request_errors([GraphQLError(message)], ErrorCode.LIMIT_EXCEEDED)
        return entry
