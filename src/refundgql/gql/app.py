"""Put the roads together: what an application's ASGI app is made of beside pages of its own."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from starlette.middleware import Middleware
from starlette.types import ASGIApp

from refundgql.gql.callers import Authentication, LostAccess
from refundgql.gql.connections import Changes, Presence
from refundgql.gql.engine import GraphQLEngine
from refundgql.gql.front import FrontDoor
from refundgql.gql.hardening import DRAIN
from refundgql.gql.http import OperationsEndpoint
from refundgql.gql.limits import Limits
from refundgql.gql.metrics import Metrics
from refundgql.gql.operations import MakeContext, Operations
from refundgql.gql.outbox import STALL_SECONDS
from refundgql.gql.persisted_documents import TrustedDocuments
from refundgql.gql.rate import RequestRate
from refundgql.gql.sse import KEEP_ALIVE_SECONDS, EventStreams
from refundgql.gql.ws import SocketEndpoint


@dataclass(frozen=True, kw_only=True)
class Roads:
    """`/graphql` and `/graphql/stream` over HTTP and sockets, from explicit parts; what has a default may be left out.

    stall_seconds: how long a subscriber may take nothing before it is cut off. greeted: is told the payload of each
    connection_init, in the task of its socket.
    """

    engine: GraphQLEngine
    make_context: MakeContext
    authentication: Authentication
    lost_access: LostAccess
    account_changes: Changes
    metrics: Metrics
    limits: Limits = field(default_factory=Limits)
    trusted_documents: TrustedDocuments | None = None
    allowed_origins: tuple[str, ...] = ()
    stall_seconds: float = STALL_SECONDS
    keep_alive_seconds: float = KEEP_ALIVE_SECONDS
    greeted: Callable[[Mapping[str, Any]], None] | None = None

    @cached_property
    def presence(self) -> Presence:
        """Return who is connected."""
        most = self.limits.max_sockets_per_account
        return Presence(self.lost_access, max_per_account=most, changes=self.account_changes)

    def front_door(self, page: Callable[[ASGIApp], ASGIApp] | None = None) -> Middleware:
        """Return the middleware that serves the roads; `page` wraps what answers at `/graphql`, for browsers."""
        operations = Operations(self.engine, self.make_context, self.trusted_documents)
        rate = RequestRate(self.limits.requests_per_minute)
        streams = EventStreams(
            operations,
            self.presence,
            self.metrics,
            keep_alive_seconds=self.keep_alive_seconds,
            stall_seconds=self.stall_seconds,
        )

        def endpoint(*, always_stream: bool) -> OperationsEndpoint:
            return OperationsEndpoint(
                operations, self.authentication, rate, streams, self.limits, always_stream=always_stream
            )

        sockets = SocketEndpoint(
            operations,
            self.authentication,
            rate,
            self.presence,
            self.metrics,
            self.limits,
            allowed_origins=self.allowed_origins,
            stall_seconds=self.stall_seconds,
            greeted=self.greeted,
        )
        root: ASGIApp = endpoint(always_stream=False)
        direct: dict[str, ASGIApp] = {
            "/graphql": page(root) if page else root,
            "/graphql/stream": endpoint(always_stream=True),
        }
        return Middleware(FrontDoor, direct=direct, sockets=sockets, metrics=self.metrics)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[dict[str, Any]]:
        """Look who still has access until the block ends; give the lifespan's state, which a server drains by."""
        async with self.presence.watched():
            yield {DRAIN: self.presence.drain}
