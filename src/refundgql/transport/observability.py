"""Count and log what was served: Prometheus metrics and one JSON line for each request.

It must not log tokens, bodies, variables or file contents, nor use labels that clients can invent.
"""

import json
import logging
import time
from typing import Any, Final

import orjson
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from refundgql.transport.exchange import Exchange

access_log: Final = logging.getLogger("refundgql.access")

# From a cached document on a local database up to the longest an operation may take.
_SECONDS_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

# Names are a client's choice: enough of one to recognise it, not a hundred kilobytes a line.
MAX_NAME_LENGTH: Final = 100
# The stack of a fault has some 10,000 characters; what is longer repeats itself, or quotes what somebody sent.
MAX_TEXT_LENGTH: Final = 20_000


class Metrics:
    """The counters of one process; pass a registry to keep two applications of one process apart."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._requests = Counter(
            "refundgql_requests_total",
            "Requests answered, by transport, kind of operation and status.",
            ("transport", "operation", "status"),
            registry=self.registry,
        )
        self._refusals = Counter(
            "refundgql_refusals_total",
            "Requests and operations refused, by code.",
            ("code",),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "refundgql_operation_seconds",
            "Time from the first byte read to the last byte handed over.",
            ("operation",),
            buckets=_SECONDS_BUCKETS,
            registry=self.registry,
        )
        self._streams = Gauge(
            "refundgql_stream_subscribers", "Streams open now.", ("transport",), registry=self.registry
        )
        self._sockets = Gauge("refundgql_sockets", "WebSockets open now.", registry=self.registry)
        self._cut_off = Counter(
            "refundgql_streams_ended_total",
            "Streams the server ended, by reason.",
            ("reason",),
            registry=self.registry,
        )
        self._children: dict[tuple[str, ...], Any] = {}

    def request_served(self, transport: str, exchange: Exchange, status: int, seconds: float) -> None:
        """Count one served request or operation and the time it took."""
        operation = exchange.operation_type or "none"
        key = (transport, operation, str(status))
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = (self._requests.labels(*key), self._seconds.labels(operation))
        child[0].inc()
        child[1].observe(seconds)
        if exchange.code is not None:
            self.refused(exchange.code)

    def refused(self, code: str) -> None:
        """Count one refusal; the codes are this server's own."""
        self._refusals.labels(code).inc()

    def stream_opened(self, transport: str) -> None:
        """Count a stream in."""
        self._streams.labels(transport).inc()

    def stream_closed(self, transport: str) -> None:
        """Count a stream out."""
        self._streams.labels(transport).dec()

    def stream_ended(self, reason: str) -> None:
        """Count a stream that the server ended."""
        self._cut_off.labels(reason).inc()

    def socket_opened(self) -> None:
        """Count a WebSocket in."""
        self._sockets.inc()

    def socket_closed(self) -> None:
        """Count a WebSocket out."""
        self._sockets.dec()

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self.registry)


def log_access(transport: str, exchange: Exchange, status: int, seconds: float) -> None:
    """Log one served request; a client's mistake is no error of ours, so only a 5xx is logged as one."""
    level = logging.ERROR if 500 <= status < 600 else logging.INFO
    if not access_log.isEnabledFor(level):
        return
    # Made by hand: looking up where it was called from would cost more than the rest of the line.
    record = logging.LogRecord(access_log.name, level, "", 0, "served", None, None)
    record.fields = {
        "transport": transport,
        "requestId": exchange.request_id,
        "operation": exchange.operation_type,
        "operationName": _cut(exchange.operation_name, MAX_NAME_LENGTH),
        "viewer": _cut(exchange.viewer_ref, MAX_NAME_LENGTH),
        "status": status,
        "code": exchange.code,
        "ms": round(seconds * 1000, 2),
    }
    access_log.handle(record)


class JsonLines(logging.Formatter):
    """Format each record as one JSON object on one line of printable text, with the time in UTC."""

    def __init__(self) -> None:
        super().__init__()
        self._second = (-1, "")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; fields given with `extra={"fields": …}` stand beside time, level and message."""
        second = int(record.created)
        if self._second[0] != second:
            self._second = (second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)))
        line: dict[str, Any] = {
            "at": f"{self._second[1]}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _cut(record.getMessage(), MAX_TEXT_LENGTH),
        }
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["exception"] = _cut(self.formatException(record.exc_info), MAX_TEXT_LENGTH)
        try:
            text = orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        except TypeError:
            # Half of a character pair, which is no text; json writes it as an escape.
            text = json.dumps(line, default=str)
        # A terminal that shows the log must not obey it, nor show its parts in another order.
        return text if text.isprintable() else "".join(one if one.isprintable() else _escaped(one) for one in text)


def _cut(text: str | None, most: int) -> str | None:
    # Of a stack both ends tell most.
    return text if text is None or len(text) <= most else f"{text[: most // 2]}…{text[-(most // 2) :]}"


def _escaped(character: str) -> str:
    # As JSON writes a character outside ASCII: in two halves beyond the first 65,536.
    return json.dumps(character)[1:-1] if ord(character) > 127 else f"\\u{ord(character):04x}"
