"""What transport calls: prepare a document, execute it, subscribe to it.

It must not know HTTP or WebSocket, and it decides nothing about who may see what.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any

import strawberry
from graphql import GraphQLError

from refundgql.gql.bounds import TooManyItems
from refundgql.gql.compiled.plan import Run
from refundgql.gql.compiled.plans import Plans
from refundgql.gql.core import reference
from refundgql.gql.core.adapter import adapt
from refundgql.gql.deadline import Deadline
from refundgql.gql.documents import CheckDocument, CheckSource, Documents, Prepared, RequestErrors
from refundgql.gql.errors import ErrorCode
from refundgql.gql.given import unusable_variables
from refundgql.gql.ports import VariableValues, core_schema, get_variable_values
from refundgql.gql.responses import ErrorFormat, OnFault, Translate, log_fault, request_errors
from refundgql.gql.wording import say_values_as_json

Response = dict[str, Any]

NO_VARIABLES = VariableValues({}, {})


class StreamAnswer(dict[str, Any]):
    """One answer of a stream; `cursor` is that of its event, whatever the client selected."""

    cursor: str | None = None


class GraphQLEngine:
    """Executes operations against one schema; one engine for a process.

    check_source, check_document: the limits, see `documents`; max_tokens goes to the parser.
    translate: turns an exception of a lower layer into an `ApiError`, or None to mask it.
    on_fault: is told every masked exception with the id the client got.
    max_errors: errors shown in one answer. deadline_s: seconds one operation or event may take.
    concurrent: whether fields of one level that wait do so at the same time, each with a connection of its own.
    max_documents, max_source_chars: documents kept; a document takes about 110 bytes of memory for each character.
    max_plans, max_plan_chars: compiled operations kept; about 27 bytes for each character of generated code.
    compile_after: executions before an operation is compiled.
    """

    def __init__(
        self,
        schema: strawberry.Schema,
        *,
        check_source: CheckSource | None = None,
        check_document: CheckDocument | None = None,
        max_tokens: int | None = None,
        translate: Translate | None = None,
        on_fault: OnFault = log_fault,
        max_errors: int = 5,
        deadline_s: float = 5.0,
        max_documents: int = 1_000,
        max_source_chars: int = 400_000,
        max_plans: int = 300,
        max_plan_chars: int = 1_500_000,
        compile_after: int = 1,
        concurrent: bool = False,
        introspection: bool = True,
        suggestions: bool = False,
    ) -> None:
        adapt(schema)
        say_values_as_json()
        self.schema = schema
        self._core = core_schema(schema)
        self._deadline = Deadline(deadline_s)
        self._max_errors = max_errors
        self._hide_suggestions = not suggestions
        self._format = ErrorFormat(translate, on_fault, max_errors)
        self.documents = Documents(
            schema,
            check_source=check_source,
            check_document=check_document,
            max_tokens=max_tokens,
            max_documents=max_documents,
            max_source_chars=max_source_chars,
            max_errors=max_errors,
            introspection=introspection,
            suggestions=suggestions,
        )

        self.plans = Plans(
            schema,
            max_plans=max_plans,
            max_source_chars=max_plan_chars,
            compile_after=compile_after,
            concurrent=concurrent,
        )

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

    async def subscribe(
        self,
        prepared: Prepared,
        variables: dict[str, Any] | None,
        context: Any,
        renew: Callable[[], Any] | None = None,
    ) -> AsyncIterator[Response] | Response:
        """Open a subscription: answers one by one, or `{"errors": ...}` when refused before it began.

        renew: gives the context of each event, when it must not be that of the subscription.
        An answer without `data` is the last one: the source of events itself failed.
        """
        rows = await self.open(prepared, variables, context)
        if isinstance(rows, dict):
            return rows
        push = getattr(rows, "pushed", None)
        if push is not None:
            handed = push(prepared, variables, lambda given, row: self.encode_event(prepared, variables, given, row))
            if handed is not None:
                return handed  # type: ignore[no-any-return]  # it hands answers over, see gql/pushing.py
        return self._answers(prepared, variables, renew or (lambda: context), rows)

    async def open(
        self, prepared: Prepared, variables: dict[str, Any] | None, context: Any
    ) -> AsyncIterator[Any] | Response:
        """Call the root resolver of a subscription and give its raw events, for `encode_event`."""
        if prepared.operation_type != "subscription":
            return self._refused(
                [GraphQLError("Only a subscription is a stream.")], ErrorCode.OPERATION_RESOLUTION_FAILURE
            )
        coerced = self._coerce(prepared, variables)
        if isinstance(coerced, list):
            return self._refused(coerced, ErrorCode.BAD_USER_INPUT)
        executor = self._executor(prepared, coerced, context, None)
        try:
            with self._deadline.watch():
                stream = await reference.open_stream(executor)
        except TimeoutError:
            return {"errors": [self._late(prepared)]}
        if isinstance(stream, list):
            return {"errors": self._format.describe(stream, None)}
        return aiter(stream)

    async def encode_event(
        self, prepared: Prepared, variables: dict[str, Any] | None, context: Any, row: Any
    ) -> Response:
        """Execute a subscription's selection for one event; the answer may be sent to many subscribers.

        Two subscribers may share it when document, variables, event and what they may see are the same.
        """
        coerced = self._coerce(prepared, variables)
        if isinstance(coerced, list):
            return self._refused(coerced, ErrorCode.BAD_USER_INPUT)
        return await self._answer(prepared, coerced, context, row)

    async def _answers(
        self,
        prepared: Prepared,
        variables: dict[str, Any] | None,
        context: Callable[[], Any],
        rows: AsyncIterator[Any],
    ) -> AsyncIterator[Response]:
        try:
            async for row in rows:
                answer = StreamAnswer(await self.encode_event(prepared, variables, context(), row))
                answer.cursor = getattr(row, "cursor", None)
                yield answer
        except Exception as error:
            yield {"errors": [self._format.describe_one(GraphQLError(str(error), original_error=error))]}
        finally:
            close = getattr(rows, "aclose", None)
            if close is not None:
                await close()

    async def _answer(self, prepared: Prepared, variables: VariableValues, context: Any, root: Any) -> Response:
        try:
            with self._deadline.watch():
                data, errors = await self._run(prepared, variables, context, root)
        except TimeoutError:
            return {"data": None, "errors": [self._late(prepared)]}
        except TooManyItems as too_many:
            return {"data": None, "errors": request_errors([GraphQLError(too_many.message)], ErrorCode.LIMIT_EXCEEDED)}
        response: Response = {"data": data}
        if errors:
            response["errors"] = self._format.describe(errors, data)
        if prepared.extensions:
            response["extensions"] = dict(prepared.extensions)
        return response

    async def _run(self, prepared: Prepared, variables: VariableValues, context: Any, root: Any) -> reference.Outcome:
        plan = self.plans.find(prepared, variables)
        if plan is None:
            return await reference.run(self._executor(prepared, variables, context, root))
        run = Run(context, variables, lambda: self._executor(prepared, variables, context, root))
        data = await plan.run(run, root)
        return data, run.errors

    def _executor(self, prepared: Prepared, variables: VariableValues, context: Any, root: Any) -> Any:
        return reference.executor_for(self._core, prepared, variables, context, root, self._hide_suggestions)

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
            max_errors=self._max_errors,
            hide_suggestions=self._hide_suggestions,
        )

    def _refused(self, errors: list[GraphQLError], code: ErrorCode) -> Response:
        return {"errors": request_errors(errors[: self._max_errors], code)}

    def _late(self, prepared: Prepared) -> dict[str, Any]:
        message = f"The {prepared.operation_type} took longer than {self._deadline.seconds:g} seconds."
        (entry,) = request_errors([GraphQLError(message)], ErrorCode.LIMIT_EXCEEDED)
        return entry
