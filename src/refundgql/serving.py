"""Serve: the wired application behind its transport, in one process or several."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import hashlib
import logging
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from functools import partial

from starlette.applications import Starlette
from starlette.middleware import Middleware

from refundgql import __version__, bootstrap
from refundgql.api.context import Application, RequestContext
from refundgql.bootstrap import CannotRun
from refundgql.commands.unit_of_work import TimeSource
from refundgql.domain.topics import ACCOUNTS
from refundgql.domain.viewers import Viewer
from refundgql.gql import server
from refundgql.gql.metrics import WORKERS_FOLDER
from refundgql.gql.observability import JsonLines
from refundgql.gql.persisted_documents import TrustedDocuments, TrustedDocumentsRefused
from refundgql.messaging.bus import Doorbell, subscribe
from refundgql.settings import Settings, in_force, unknown_settings
from refundgql.storage.faults import StorageError
from refundgql.storage.time import measure_skew
from refundgql.web.app import Transport, build_app
from refundgql.web.authentication import AccountsUnavailable
from refundgql.web.evidence_files import EvidenceFiles
from refundgql.web.evidence_tickets import PURPOSE, EvidenceTickets
from refundgql.web.graphiql import DemoPeople
from refundgql.web.health import Check
from refundgql.web.keys import IssuerKeys, KeyFileRefused, KeySource, LocalKey
from refundgql.web.metrics import DeskMetrics
from refundgql.web.prefix import Prefix
from refundgql.web.tokens import TokenIssuer, TokenRules, TokenVerifier

log = logging.getLogger("refundgql.serving")

STOP_SECONDS = 5
"""How long background work may take to end after the last request."""


class _Served:
    """The application of this process, open while the server runs."""

    def __init__(self, settings: Settings, tickets: EvidenceTickets | None, clock: TimeSource | None) -> None:
        self.settings = settings
        self.clock = clock
        self.tickets = tickets
        self.metrics = DeskMetrics()
        self.tracing = bootstrap.tracing_of(settings)
        self._application: Application | None = None

    @property
    def application(self) -> Application:
        """Return the open application; the server answers nothing before its start has opened it."""
        if self._application is None:
            raise RuntimeError("The server answered before its application was open.")
        return self._application

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Keep the application open, the clocks swept and the webhooks sent."""
        async with bootstrap.open_application(
            self.settings, clock=self.clock, tickets=self.tickets, metrics=self.metrics, tracing=self.tracing
        ) as self._application:
            stop = asyncio.Event()
            sender = bootstrap.webhook_sender_of(self.settings, self._application, self.metrics.webhook_attempted)
            work = [
                asyncio.create_task(bootstrap.keep_sweeping(self._application, stop)),
                asyncio.create_task(sender.run(stop)),
            ]
            try:
                yield
            finally:
                stop.set()
                _, late = await asyncio.wait(work, timeout=STOP_SECONDS)
                for task in late:
                    task.cancel()
                if late:
                    await asyncio.wait(late)

    def context(self, viewer: Viewer | None, *, resume_after: str | None = None) -> RequestContext:
        """Return the context of one operation."""
        return self.application.context(viewer, resume_after=resume_after)

    async def load_viewer(self, external_ref: str) -> Viewer | None:
        """Return an account with the roles it has now.

        Refuses: AccountsUnavailable while the database is away.
        """
        try:
            return await self.application.load_viewer(external_ref)
        except StorageError as error:
            log.warning("An account could not be loaded: %s", error)
            raise AccountsUnavailable("The database cannot be reached at the moment; try again.") from error

    async def load_viewers(self, external_refs: Collection[str]) -> dict[str, Viewer]:
        """Return many accounts at once, with the roles they have now."""
        return await self.application.load_viewers(external_refs)

    def account_changes(self) -> AbstractAsyncContextManager[Doorbell]:
        """Return a bell that rings when accounts have changed, while it is held."""
        return subscribe(self.application.bus, [ACCOUNTS])

    async def database_answers(self) -> bool:
        """Tell whether the database answers and has the schema that this version knows."""
        await bootstrap.check_ready(self.application)
        return True

    async def gauges(self) -> dict[str, float]:
        """Return what operators look at, by the name of its gauge."""
        return await bootstrap.operating_gauges(self.application)

    async def bus_connected(self) -> bool:
        """Tell whether rings reach other processes; streams look each second without them."""
        return self.application.bus.connected


def keys_of(settings: Settings) -> tuple[KeySource, TokenRules]:
    """Return where tokens are verified with, and what they must say.

    Refuses: CannotRun when neither a key file nor a key set is given, or what is given cannot be used.
    """
    rules = TokenRules(issuer=settings.token_issuer, audience=settings.token_audience)
    try:
        if settings.jwks_url:
            return IssuerKeys(settings.jwks_url), replace(rules, algorithms=("EdDSA", "ES256", "RS256", "PS256"))
        if settings.key_file is not None:
            return LocalKey.load_or_create(settings.key_file), rules
    except (KeyFileRefused, OSError) as error:
        raise CannotRun(f"REFUNDGQL_{'JWKS_URL' if settings.jwks_url else 'KEY_FILE'}: {error}") from error
    raise CannotRun("Set REFUNDGQL_JWKS_URL to the issuer's key set, or REFUNDGQL_KEY_FILE to a local key.")


def tickets_of(settings: Settings, keys: KeySource) -> EvidenceTickets | None:
    """Return who signs the addresses of evidence files; nobody when there is neither a secret nor a key file."""
    if settings.signing_key is not None:
        secret = hashlib.sha256(settings.signing_key.get_secret_value().encode()).digest()
    elif isinstance(keys, LocalKey):
        secret = keys.derive(PURPOSE)
    else:
        log.warning("No evidence files are taken: set REFUNDGQL_SIGNING_KEY.")
        return None
    url = settings.public_url or f"http://{_shown(settings.host)}:{settings.port}{settings.root_path}"
    return EvidenceTickets(secret, url, settings.evidence_max_bytes)


def issuer_of(settings: Settings) -> TokenIssuer:
    """Return who signs local tokens.

    Refuses: CannotRun when the server's keys are somebody else's.
    """
    if settings.jwks_url:
        raise CannotRun("Tokens are signed by the issuer of REFUNDGQL_JWKS_URL; ask it for one.")
    key, rules = keys_of(settings)
    if not isinstance(key, LocalKey):
        raise CannotRun("Only a local key can sign; set REFUNDGQL_KEY_FILE.")
    return TokenIssuer(key, rules)


async def issue_token(settings: Settings, external_ref: str, lifetime_seconds: int) -> str:
    """Return a signed token for an account of the database.

    Refuses: CannotRun when there is no such account, or the server's keys are somebody else's.
    """
    issuer = issuer_of(settings)
    async with bootstrap.open_application(settings) as application:
        if await application.load_viewer(external_ref) is None:
            raise CannotRun(f"No account has the externalRef {external_ref}; import it first.")
    return issuer.issue_token(external_ref, lifetime_seconds=lifetime_seconds)


def make_app(settings: Settings, demo_people: DemoPeople | None = None, clock: TimeSource | None = None) -> Starlette:
    """Return the ASGI app; its database and bus are opened when the server starts. The settings name the clock."""
    keys, rules = keys_of(settings)
    trusted = _trusted_of(settings)
    tickets = tickets_of(settings, keys)
    desk = _Served(settings, tickets, clock)
    files = EvidenceFiles(tickets, lambda: desk.application).routes() if tickets else ()
    engine, tracing = bootstrap.make_engine(settings), desk.tracing
    token = settings.metrics_token
    return build_app(
        Transport(
            engine=tracing.engine(engine, names_are_known=trusted is not None) if tracing else engine,
            metrics=desk.metrics,
            readings=desk.gauges,
            metrics_token=token.get_secret_value() if token else None,
            outermost=(
                Middleware(Prefix, root_path=settings.root_path),
                *((Middleware(tracing.middleware),) if tracing else ()),
            ),
            make_context=desk.context,
            verifier=TokenVerifier(keys, rules),
            load_viewer=desk.load_viewer,
            load_viewers=desk.load_viewers,
            account_changes=desk.account_changes,
            limits=bootstrap.limits_of(settings),
            trusted_documents=trusted,
            allowed_origins=settings.allowed_origins,
            allowed_headers=settings.allowed_headers,
            exposed_headers=settings.exposed_headers,
            compression=settings.compression,
            graphiql=settings.graphiql,
            demo_people=demo_people,
            readiness_checks={"database": desk.database_answers, **_key_checks(keys)},
            watched_parts={"bus": desk.bus_connected, **_key_watch(keys)},
            extra_routes=files,
            lifespan=lambda: _open(desk, keys),
        )
    )


def _trusted_of(settings: Settings) -> TrustedDocuments | None:
    try:
        return TrustedDocuments.load(settings.trusted_documents) if settings.trusted_documents else None
    except TrustedDocumentsRefused as error:
        raise CannotRun(f"REFUNDGQL_TRUSTED_DOCUMENTS: {error}") from error


def _key_checks(keys: KeySource) -> dict[str, Check]:
    return {"keys": keys.check} if isinstance(keys, IssuerKeys) else {}


def _key_watch(keys: KeySource) -> dict[str, Check]:
    """Watch an issuer that does not answer any more: those whose keys are known are served as before."""
    return {"issuer": keys.is_fresh} if isinstance(keys, IssuerKeys) else {}


@asynccontextmanager
async def _open(desk: _Served, keys: KeySource) -> AsyncIterator[None]:
    """Keep the application open, and let go of the issuer of keys at the end."""
    try:
        async with desk.open():
            yield
    finally:
        if isinstance(keys, IssuerKeys):
            await keys.aclose()
        if desk.tracing is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.to_thread(desk.tracing.close), STOP_SECONDS)


def serving_of(settings: Settings) -> server.Serving:
    """Return how it is served: in how many processes, what they read at most and which proxies they believe."""
    return server.Serving(
        workers=settings.workers,
        max_message_bytes=settings.max_message_bytes,
        trusted_proxies=settings.trusted_proxies,
        keep_alive_seconds=settings.keep_alive_seconds,
    )


def run(
    settings: Settings,
    *,
    demo_people: DemoPeople | None = None,
    clock: TimeSource | None = None,
    on_started: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve until told to stop; people and a clock of its own are a demo's, which has one process.

    Refuses: CannotRun before anything listens, when the settings or the database's schema do not fit.
    """
    log_as_json(settings)
    for sentence in unknown_settings(os.environ):
        log.warning(sentence)
    asyncio.run(_check(settings))
    listener = listen(settings.host, settings.port)
    if not settings.public_url:  # port 0 has become a real one
        settings = settings.model_copy(update={"public_url": url_of(listener) + settings.root_path})
    log.info("Starting.", extra={"fields": {"version": __version__, "settings": in_force(settings)}})
    try:
        _serve(settings, listener, demo_people, clock, on_started)
    finally:
        log.info("Stopped.", extra={"fields": {"version": __version__}})


def _serve(
    settings: Settings,
    listener: socket.socket,
    demo_people: DemoPeople | None,
    clock: TimeSource | None,
    on_started: Callable[[str], None],
) -> None:
    serving, address = serving_of(settings), url_of(listener)
    if settings.workers > 1:
        gc.enable()  # this process serves nothing itself, and so does not settle
        with _counting_together():
            server.run(partial(_make_worker, settings), serving, listener, partial(_log_serving, address))
        return

    def started() -> None:
        _log_serving(address)
        on_started(address)

    server.run(partial(make_app, settings, demo_people, clock), serving, listener, started)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that has the port, for the server to listen on.

    Refuses: CannotRun when the port is taken or the host is not this machine's.
    """
    try:
        return server.bind(host, port)
    except OSError as error:
        what = "port" if error.errno in {errno.EADDRINUSE, errno.EACCES} else "host"
        at = f"{_bracketed(host)}:{port} cannot be listened on"
        raise CannotRun(f"{at} ({error.strerror}); choose another {what}.") from error


def url_of(listener: socket.socket) -> str:
    """Return the URL a listener is reached under on this machine."""
    host, port = listener.getsockname()[:2]
    return f"http://{_shown(host)}:{port}"


def _shown(host: str) -> str:
    if host in {"127.0.0.1", "::1", "0.0.0.0", "::"}:  # noqa: S104 - shown, not bound
        return "localhost"
    return _bracketed(host)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def _check(settings: Settings) -> None:
    keys_of(settings)
    _trusted_of(settings)
    bootstrap.policy_of(settings)
    bootstrap.holiday_calendar_of(settings)
    bootstrap.clock_of(settings)
    bootstrap.files_of(settings)
    async with bootstrap.database_of(settings) as database:
        await measure_skew(database)  # which warns of clocks that differ


def log_as_json(settings: Settings) -> None:
    """Write every log line as one JSON object to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    quieten_libraries()


def quieten_libraries() -> None:
    """Keep libraries from logging what they send and store: URLs, texts, secrets."""
    for name in ("tortoise", "aiosqlite", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)


@contextlib.contextmanager
def _counting_together() -> Iterator[None]:
    """Let the processes of one port count in one folder, the environment's own or one that goes with them."""
    with contextlib.ExitStack() as stack:
        if WORKERS_FOLDER not in os.environ:
            os.environ[WORKERS_FOLDER] = stack.enter_context(tempfile.TemporaryDirectory(prefix="refundgql-metrics-"))
            stack.callback(os.environ.pop, WORKERS_FOLDER)
        yield


def _make_worker(settings: Settings) -> Starlette:
    gc.disable()  # until the server has settled
    log_as_json(settings)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    return make_app(settings)


def _end_with_parent() -> None:
    """Stop this process, drained, when its parent is gone: nobody else would, and the port would stay taken."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        log.warning("The process that started this one is gone; stopping.")
        os.kill(os.getpid(), signal.SIGTERM)


def _log_serving(address: str) -> None:
    log.info("Serving.", extra={"fields": {"address": address, "process": os.getpid()}})
