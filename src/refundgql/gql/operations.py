"""Run one operation for one caller, the same way for every road it came by."""

from typing import Any, Protocol

from refundgql.gql.answers import error_entry
from refundgql.gql.bodies import GraphQLRequest
from refundgql.gql.documents import Prepared, RequestErrors
from refundgql.gql.engine import GraphQLEngine
from refundgql.gql.errors import ErrorCode
from refundgql.gql.limits import LimitExceeded
from refundgql.gql.persisted_documents import PersistedRefused, RememberedDocuments, TrustedDocuments
from refundgql.gql.streams import Stream

Result = dict[str, Any]


class OperationRefused(Exception):
    """The operation was not begun; `errors` is what the client is told."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(errors[0]["message"] if errors else "refused")
        self.errors = errors

    @property
    def code(self) -> str:
        """The code of the first error."""
        return str(self.errors[0].get("extensions", {}).get("code", "")) if self.errors else ""


class MakeContext(Protocol):
    """Return the context of one operation; a stream resumes after the cursor when one is given."""

    def __call__(self, account: Any, /, *, resume_after: str | None = None) -> Any: ...


class Operations:
    """Prepare, execute and subscribe, with the limits of an operation kept and faults masked."""

    def __init__(
        self,
        engine: GraphQLEngine,
        make_context: MakeContext,
        trusted_documents: TrustedDocuments | None = None,
    ) -> None:
        self._engine = engine
        self._make_context = make_context
        self._documents = trusted_documents or RememberedDocuments()

    def prepare(self, request: GraphQLRequest) -> Prepared:
        """Return the prepared operation. Refuses: `OperationRefused` for a document or operation that cannot run."""
        try:
            query = self._documents.find(request.query, request.document_id, request.extensions)
        except PersistedRefused as refused:
            raise OperationRefused([error_entry(refused.code, refused.message)]) from None
        try:
            prepared = self._engine.prepare(query, request.operation_name)
        except Exception as fault:
            raise OperationRefused([self.masked(fault)]) from fault
        if isinstance(prepared, RequestErrors):
            raise OperationRefused(prepared.errors)
        if request.extensions:
            self._documents.keep(query, request.extensions)
        return prepared

    async def execute(self, prepared: Prepared, variables: dict[str, Any] | None, account: Any) -> Result:
        """Return the result of a query or mutation; a fault is an error in it. The engine keeps the time limit.

        Refuses: `OperationRefused` for one that costs too much with these variables.
        """
        cost = self._cost_of(prepared, variables)
        try:
            result = await self._engine.execute(prepared, variables, self._make_context(account))
        except Exception as fault:
            return {"data": None, "errors": [self.masked(fault)]}
        errors = result.get("errors")
        if errors and _only(ErrorCode.UNAUTHENTICATED, result):
            raise OperationRefused([error_entry(ErrorCode.UNAUTHENTICATED, errors[0]["message"])])
        if "data" in result:
            result["extensions"] = {"cost": cost}
        return result

    async def subscribe(
        self,
        prepared: Prepared,
        variables: dict[str, Any] | None,
        account: Any,
        resume_after: str | None = None,
    ) -> Stream:
        """Return the stream of results, which begins when a sink is attached.

        Refuses: `OperationRefused` when the subscription does not begin.
        """
        self._cost_of(prepared, variables)
        context = self._make_context(account, resume_after=resume_after)
        try:
            stream = await self._engine.subscribe(prepared, variables, context)
        except Exception as fault:
            raise OperationRefused([self.masked(fault)]) from fault
        if isinstance(stream, dict):
            raise OperationRefused(stream["errors"])
        return stream

    @staticmethod
    def _cost_of(prepared: Prepared, variables: dict[str, Any] | None) -> int:
        try:
            return prepared.measure.check_cost(variables)
        except LimitExceeded as exceeded:
            raise OperationRefused([error_entry(exceeded.code, exceeded.message)]) from None

    def masked(self, fault: Exception) -> dict[str, Any]:
        """Return what a client is told of a fault, which the engine logs."""
        return self._engine.describe(fault)


def _only(code: str, result: Result) -> bool:
    """Tell whether there is nothing in a result but errors of this code."""
    data = result.get("data")
    nothing = data is None or all(value is None for value in data.values())
    return nothing and all(error.get("extensions", {}).get("code") == code for error in result["errors"])
