"""Answer an operation as a stream of server-sent events: graphql-sse's distinct connections mode.

It must not know what the events are about; it numbers them by the cursor they carry.
"""

from starlette.types import Receive, Scope, Send

from refundgql.transport.authentication import Caller
from refundgql.transport.bodies import GraphQLRequest


class EventStreams:
    """All open event streams of this process."""

    async def serve(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        request: GraphQLRequest,
        caller: Caller,
        last_event_id: bytes | None,
    ) -> None:
        """Stream the results of one operation until it completes or somebody leaves."""
        raise NotImplementedError
