"""Put the transport together: one Starlette app from explicit parts."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from refundgql.gql.app import Roads
from refundgql.gql.compression import Compression
from refundgql.gql.connections import Changes
from refundgql.gql.engine import GraphQLEngine
from refundgql.gql.front import answer_router
from refundgql.gql.limits import Limits
from refundgql.gql.metrics import Metrics
from refundgql.gql.operations import MakeContext
from refundgql.gql.origins import Cors
from refundgql.gql.persisted_documents import TrustedDocuments
from refundgql.web import graphiql, health
from refundgql.web.authentication import LoadViewer, LoadViewers, TokenAuthentication, lost_access
from refundgql.web.graphiql import DemoPeople
from refundgql.web.languages import Languages, hear
from refundgql.web.metrics import DeskMetrics
from refundgql.web.scraping import Readings, scraping
from refundgql.web.tokens import TokenVerifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """Everything the app is made of; what has a default may be left out."""

    engine: GraphQLEngine
    make_context: MakeContext
    verifier: TokenVerifier
    load_viewer: LoadViewer
    load_viewers: LoadViewers
    account_changes: Changes
    limits: Limits = field(default_factory=Limits)
    metrics: Metrics = field(default_factory=DeskMetrics)
    trusted_documents: TrustedDocuments | None = None
    allowed_origins: tuple[str, ...] = ()
    # Headers that pages of those origins may send and read, beside the usual ones.
    allowed_headers: tuple[str, ...] = ()
    exposed_headers: tuple[str, ...] = ()
    compression: bool = True
    graphiql: bool = False
    demo_people: DemoPeople | None = None
    readiness_checks: Mapping[str, health.Check] = field(default_factory=dict)
    watched_parts: Mapping[str, health.Check] = field(default_factory=dict)
    extra_routes: tuple[BaseRoute, ...] = ()
    # Outside everything else, such as what traces requests.
    outermost: tuple[Middleware, ...] = ()
    # Gauges read for each scrape, and the token that a scraper must bring.
    readings: Readings | None = None
    metrics_token: str | None = None
    lifespan: Callable[[], AbstractAsyncContextManager[None]] | None = None


def build_app(transport: Transport) -> Starlette:
    """Return the ASGI app: `/graphql`, `/graphql/stream`, health, metrics and, when asked for, GraphiQL."""
    roads = _roads_of(transport)
    return Starlette(
        routes=_routes(transport),
        middleware=[
            *transport.outermost,
            *_cors(transport),
            *_compression(transport),
            Middleware(Languages),
            roads.front_door(_PageForBrowsers if transport.graphiql else None),
        ],
        exception_handlers={HTTPException: answer_router},
        lifespan=_lifespan(transport, roads),
    )


def _roads_of(transport: Transport) -> Roads:
    short_tokens = {person.short_token: person.token for person in transport.demo_people or ()}
    return Roads(
        engine=transport.engine,
        make_context=transport.make_context,
        authentication=TokenAuthentication(transport.verifier, transport.load_viewer, short_tokens=short_tokens),
        lost_access=lost_access(transport.load_viewers),
        metrics=transport.metrics,
        limits=transport.limits,
        trusted_documents=transport.trusted_documents,
        allowed_origins=transport.allowed_origins,
        account_changes=transport.account_changes,
        greeted=hear,
    )


def _cors(transport: Transport) -> list[Middleware]:
    if not transport.allowed_origins:
        return []
    # Outside the front door, so that refusals too can be read by the pages that are allowed to ask.
    return [
        Middleware(
            Cors,
            allowed_origins=transport.allowed_origins,
            more_request_headers=transport.allowed_headers,
            more_response_headers=transport.exposed_headers,
        )
    ]


def _compression(transport: Transport) -> list[Middleware]:
    return [Middleware(Compression)] if transport.compression else []


def _routes(transport: Transport) -> list[BaseRoute]:
    routes: list[BaseRoute] = [
        Route("/healthz", health.alive, methods=["GET"]),
        Route("/readyz", health.readiness(transport.readiness_checks, transport.watched_parts), methods=["GET"]),
        Route("/metrics", scraping(transport.metrics, transport.readings, transport.metrics_token), methods=["GET"]),
        *transport.extra_routes,
    ]
    if transport.graphiql:
        if transport.demo_people is not None:
            people = graphiql.people_endpoint(transport.demo_people)
            routes.append(Route("/graphiql/people.json", people, methods=["GET"]))
        routes += [Route("/", graphiql.lead_to_page, methods=["GET"]), Mount("/graphiql", graphiql.assets())]
    return routes


class _PageForBrowsers:
    """Give GraphiQL to a browser that asks for a page, and hand everything else on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] in ("GET", "HEAD") and graphiql.asks_for_html(scope):
            await graphiql.page()(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _lifespan(transport: Transport, roads: Roads) -> Callable[[Starlette], AbstractAsyncContextManager[dict[str, Any]]]:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
        async with AsyncExitStack() as stack:
            if transport.lifespan is not None:
                await stack.enter_async_context(transport.lifespan())
            yield await stack.enter_async_context(roads.watched())

    return lifespan
