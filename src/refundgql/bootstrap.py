"""The composition root: settings become a wired application.

It wires and decides nothing; every part is made here once and handed to whoever needs it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refundgql.api.context import Application
from refundgql.api.feeds import case_fanout, notice_fanout
from refundgql.clocks import FileClock, SystemClock
from refundgql.commands.sweep import Sweeper, sweep_due
from refundgql.commands.unit_of_work import TimeSource, UnitOfWork
from refundgql.commands.uploads import FileStore
from refundgql.domain.business_days import UnknownHolidayCalendar, holiday_calendar
from refundgql.domain.policy import Policy, PolicyError
from refundgql.messaging.bus import Bus, Doorbell
from refundgql.messaging.memory import MemoryBus
from refundgql.queries.onlookers import Onlookers
from refundgql.settings import Settings
from refundgql.storage import schema as storage_schema
from refundgql.storage.database import Database, DatabaseLimits
from refundgql.storage.evidence_files import BucketFiles, FolderFiles
from refundgql.storage.faults import StorageError, TransientFault, UnknownSchema
from refundgql.storage.notices import notice_topics, read_notices
from refundgql.storage.retention import Retention
from refundgql.storage.tail import Tail
from refundgql.storage.writable import Writability

if TYPE_CHECKING:
    from refundgql.gql.engine import GraphQLEngine
    from refundgql.gql.limits import Limits
    from refundgql.tracing import Tracing
    from refundgql.web.evidence_tickets import EvidenceTickets
    from refundgql.web.metrics import DeskMetrics
    from refundgql.workers.webhooks import WebhookSender

log = logging.getLogger("refundgql.bootstrap")


class CannotRun(Exception):
    """The command cannot be carried out as things are; the message is one sentence that says what to do."""


def policy_of(settings: Settings) -> Policy:
    """Return the policy in force.

    Refuses: CannotRun naming the override that cannot be.
    """
    try:
        return Policy().with_overrides(settings.policy)
    except PolicyError as error:
        raise CannotRun(f"REFUNDGQL_POLICY: {error}") from error


def holiday_calendar_of(settings: Settings) -> str:
    """Return the name of the holiday calendar, empty for none.

    Refuses: CannotRun for a name that is none.
    """
    try:
        holiday_calendar(settings.holiday_calendar)
    except UnknownHolidayCalendar as error:
        raise CannotRun(f"REFUNDGQL_HOLIDAY_CALENDAR: {error}") from error
    return settings.holiday_calendar


def clock_of(settings: Settings) -> TimeSource:
    """Return the clock of the rules: the machine's, or the test clock's file."""
    if settings.test_clock is None:
        return SystemClock()
    try:
        return FileClock(settings.test_clock)
    except (OSError, ValueError) as error:
        raise CannotRun(
            f"REFUNDGQL_TEST_CLOCK: {settings.test_clock} holds no instant such as 2026-03-01T12:00:00Z."
        ) from error


async def open_database(settings: Settings) -> Database:
    """Open the database.

    Refuses: CannotRun when it cannot be reached.
    """
    # The bus may have one, and half of the others read: a slow list never delays a decision.
    connections = settings.database_pool_size - (settings.bus_url == "postgres")
    # Nothing waits for the database longer than a request has.
    longest_ms = round(settings.operation_timeout_seconds * 1_000)
    limits = DatabaseLimits(
        read_connections=connections - connections // 2,
        write_connections=connections // 2,
        statement_timeout_ms=longest_ms,
        acquire_timeout_ms=longest_ms,
        busy_timeout_ms=longest_ms,
    )
    try:
        return await Database.open(settings.database_address, limits)
    except ImportError as error:
        raise CannotRun("PostgreSQL needs the extra: pip install 'refundgql[postgres]'.") from error
    except (OSError, StorageError, ValueError) as error:
        raise CannotRun(f"REFUNDGQL_DATABASE_URL: the database cannot be opened ({_first_line(error)}).") from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0].rstrip(".")


@asynccontextmanager
async def database_of(settings: Settings, *, known: bool = True) -> AsyncIterator[Database]:
    """Open the database for one command.

    Refuses: CannotRun when `known` and the schema is outside the range that this version serves on.
    """
    database = await open_database(settings)
    try:
        if known:
            await _check_served(database)
        yield database
    finally:
        await database.close()


async def _check_served(database: Database) -> None:
    try:
        await storage_schema.check_served(database)
    except UnknownSchema as error:
        raise CannotRun(str(error)) from error


@asynccontextmanager
async def open_application(
    settings: Settings,
    *,
    clock: TimeSource | None = None,
    tickets: EvidenceTickets | None = None,
    metrics: DeskMetrics | None = None,
    tracing: Tracing | None = None,
) -> AsyncIterator[Application]:
    """Open database and bus and wire the application; everything is closed again at the end.

    Without tickets nobody is given addresses of files; without metrics and tracing nothing is counted or traced.
    """
    policy, clock = policy_of(settings), clock or clock_of(settings)
    async with database_of(settings) as database:
        bus = bus_of(settings)
        await bus.start()
        tail = Tail(database, bus, Doorbell())
        notices = Tail(database, bus, Doorbell(), read_notices, notice_topics)
        await tail.start()
        await notices.start()
        seen = tracing.database(database) if tracing else database
        writability = Writability(database)
        uow = UnitOfWork(
            database=seen,
            clock=clock,
            policy=policy,
            bus=bus,
            holiday_calendar=holiday_calendar_of(settings),
            uploads=tickets,
            files=files_of(settings),
            private_webhooks=settings.webhook_private_addresses,
            watch=metrics,
            unwritable=writability.note,
            retention=Retention(
                idempotency_days=settings.idempotency_days,
                delivery_days=settings.delivery_days,
                upload_days=settings.upload_days,
                read_mark_days=settings.read_mark_days,
            ),
        )
        onlookers, delivered = Onlookers(database), metrics.delivered if metrics else None
        try:
            yield Application(
                database=seen,
                clock=clock,
                policy=policy,
                bus=bus,
                fanout=case_fanout(tail, onlookers, delivered),
                notices=notice_fanout(notices, onlookers, delivered),
                uow=tracing.unit_of_work(uow) if tracing else uow,
                download_url=tickets.download_url if tickets else None,
                check_writable=writability.check,
            )
        finally:
            await writability.close()
            await tail.stop()
            await notices.stop()
            await bus.close()


def files_of(settings: Settings) -> FileStore:
    """Return where evidence files are kept.

    Refuses: CannotRun when the store's driver is not installed.
    """
    scheme, _, place = settings.evidence_store.partition("://")
    if scheme == "file":
        return FolderFiles(Path(place))
    bucket, _, prefix = place.partition("/")
    try:
        return BucketFiles(bucket, prefix)
    except ImportError as error:
        raise CannotRun("REFUNDGQL_EVIDENCE_STORE: s3 needs the extra: pip install 'refundgql[s3]'.") from error


def bus_of(settings: Settings) -> Bus:
    """Return the doorbell that the settings name, not yet connected.

    Refuses: CannotRun when its driver is not installed.
    """
    url = settings.bus_url
    try:
        if url == "postgres":
            from refundgql.messaging.postgres import PostgresBus

            return PostgresBus(settings.database_address)
        if url != "memory":
            from refundgql.messaging.nats import NatsBus

            return NatsBus(url)
    except ImportError as error:
        extra = "postgres" if url == "postgres" else "nats"
        raise CannotRun(f"REFUNDGQL_BUS: this bus needs the extra: pip install 'refundgql[{extra}]'.") from error
    return MemoryBus()


def tracing_of(settings: Settings) -> Tracing | None:
    """Return what traces this process, or nothing when no collector is set.

    Refuses: CannotRun when OpenTelemetry is not installed.
    """
    if not settings.otlp_endpoint:
        return None
    try:
        from refundgql.tracing import Tracing
    except ImportError as error:
        raise CannotRun("REFUNDGQL_OTLP_ENDPOINT: traces need the extra: pip install 'refundgql[otel]'.") from error
    return Tracing(settings.otlp_endpoint)


async def operating_gauges(application: Application) -> dict[str, float]:
    """Return what operators look at, by the name of its gauge."""
    from refundgql.queries.operating import operating_figures
    from refundgql.storage.time import measure_skew

    figures = await operating_figures(application.database, application.clock.now())
    return {
        **figures,
        "bus_connected": float(application.bus.connected),
        "database_connections_in_use": float(application.database.connections_in_use),
        "clock_skew_seconds": await measure_skew(application.database),
    }


async def check_ready(application: Application) -> None:
    """Ask the database whether it answers with a schema that this version serves on, and keeps what it is given.

    Refuses: the database's own fault, for the log.
    """
    await storage_schema.check_served(application.database)
    if application.check_writable is not None:
        await application.check_writable()


def make_engine(settings: Settings) -> GraphQLEngine:
    """Build the schema and the engine that executes operations against it, with the limits of the settings."""
    from refundgql.api.faults import translate
    from refundgql.api.schema import build_schema
    from refundgql.gql.engine import GraphQLEngine

    limits = limits_of(settings)
    return GraphQLEngine(build_schema(), limits=limits, translate=translate, introspection=settings.introspection)


def limits_of(settings: Settings) -> Limits:
    """Return the limits of transport and documents."""
    from refundgql.gql.limits import Limits
    from refundgql.queries.pages import DEFAULT_ITEMS, MAXIMUM_ITEMS

    return Limits(
        max_body_bytes=settings.max_body_bytes,
        max_batch_bytes=settings.max_batch_bytes,
        body_seconds=settings.body_timeout_seconds,
        max_message_bytes=settings.max_message_bytes,
        max_tokens=settings.max_tokens,
        max_depth=settings.max_depth,
        max_introspection_depth=settings.max_depth + 4,
        max_fields=settings.max_fields,
        max_aliases=settings.max_aliases,
        max_operations=settings.max_operations,
        max_cost=settings.max_cost,
        max_errors=settings.max_errors,
        max_page=MAXIMUM_ITEMS,
        default_page=DEFAULT_ITEMS,
        operation_seconds=settings.operation_timeout_seconds,
        init_seconds=settings.connection_init_timeout_seconds,
        max_operations_per_socket=settings.max_operations_per_socket,
        max_sockets_per_account=settings.max_sockets_per_account,
        requests_per_minute=settings.requests_per_minute,
    )


async def pending_migrations(settings: Settings, *, contract: bool = False) -> list[str]:
    """Name the migrations that would run."""
    async with database_of(settings, known=False) as database:
        return await storage_schema.pending(database, contract=contract)


async def migrate(
    settings: Settings, *, contract: bool = False, tell: Callable[[str], object] = lambda _: None
) -> list[str]:
    """Expand the schema, with `contract` also remove what this version does not use, and return what was run.

    Refuses: CannotRun when a lock or the database cannot be had for long.
    """
    from refundgql.storage.migrating import migrate as run_migrations

    async with database_of(settings, known=False) as database:
        try:
            return await run_migrations(database, contract=contract, tell=tell)
        except TransientFault as fault:
            raise CannotRun(
                f"The schema could not be changed ({_first_line(fault)}): run `refundgql migrate` again, it goes on."
            ) from fault


async def sweep(settings: Settings) -> int:
    """Act on every due clock once and return how many there were."""
    async with open_application(settings) as application:
        return await sweep_due(application.uow)


async def verify_ledger(settings: Settings) -> list[dict[str, Any]]:
    """Return every row that breaks an invariant of the ledger."""
    from refundgql.storage.ledger_checks import verify

    async with database_of(settings) as database:
        return [{"invariant": one.invariant, "detail": one.detail} async for one in verify(database)]


def webhook_sender_of(
    settings: Settings,
    application: Application,
    attempted: Callable[[str, float], None] = lambda outcome, seconds: None,
) -> WebhookSender:
    """Return who sends webhooks, in real time, whatever clock the rules have; `attempted` is told of each attempt."""
    from refundgql.domain.webhooks import RetryPlan
    from refundgql.workers.webhooks import Sending, WebhookSender

    plan = RetryPlan(
        waits_seconds=settings.webhook_retry_seconds,
        disable_after_seconds=settings.webhook_disable_after_days * 86_400,
    )
    sending = Sending(
        now=SystemClock().now,
        plan=plan,
        timeout_seconds=settings.webhook_timeout_seconds,
        private_allowed=settings.webhook_private_addresses,
        attempted=attempted,
    )
    return WebhookSender(application.uow, application.bus, sending)


async def deliver(settings: Settings) -> int:
    """Send the webhooks that are due once and return how many attempts that were."""
    async with open_application(settings) as application:
        return await webhook_sender_of(settings, application).deliver_due()


async def keep_sweeping(application: Application, stop: asyncio.Event) -> None:
    """Act on due clocks until told to stop."""
    await Sweeper(application.uow).run(stop)
