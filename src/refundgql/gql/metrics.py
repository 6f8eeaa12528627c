"""Count what is served and what is done: Prometheus metrics, of one process or of all workers together.

It must not use labels that clients can invent.

Several workers share one port, so a scrape reaches any of them: their numbers lie in files of a folder that the parent
names (PROMETHEUS_MULTIPROC_DIR, prometheus_client's own way), and whoever is asked adds them up.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from refundgql.gql.exchange import Exchange

WORKERS_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable that makes processes count together."""

# From a cached document on a local database up to the longest an operation may take.
SECONDS_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

# A ring takes milliseconds, a look without one up to a second, an open transaction as long as it likes.
_LAG_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.5, 5.0, 30.0)


class Metrics:
    """The counters of one process, whose names begin with `prefix`."""

    def __init__(self, prefix: str) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            f"{prefix}_requests_total",
            "Requests answered, by transport, kind of operation and status.",
            ("transport", "operation", "status"),
            registry=self.registry,
        )
        self._refusals = Counter(
            f"{prefix}_refusals_total",
            "Requests and operations refused, by code.",
            ("code",),
            registry=self.registry,
        )
        self._seconds = Histogram(
            f"{prefix}_operation_seconds",
            "Time from the first byte read to the last byte handed over.",
            ("operation",),
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        self._streams = Gauge(
            f"{prefix}_stream_subscribers",
            "Streams open now.",
            ("transport",),
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self._sockets = Gauge(
            f"{prefix}_sockets", "WebSockets open now.", registry=self.registry, multiprocess_mode="livesum"
        )
        self._cut_off = Counter(
            f"{prefix}_streams_ended_total",
            "Streams the server ended, by reason.",
            ("reason",),
            registry=self.registry,
        )
        self._event_lag = Histogram(
            f"{prefix}_event_lag_seconds",
            "Time from writing an event to having handed it to all of a topic's streams in this process.",
            buckets=_LAG_BUCKETS,
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

    def delivered(self, lag_seconds: float) -> None:
        """Count an event that reached this process's streams so long after it was written."""
        self._event_lag.observe(lag_seconds)

    def exposition(self, gauges: Mapping[str, tuple[str, float]] | None = None) -> bytes:
        """Return all metrics in Prometheus's text format, with gauges of the moment read elsewhere: help and value."""
        folder = os.environ.get(WORKERS_FOLDER)
        registry = self.registry
        if folder:
            _forget_ended(folder)
            registry = CollectorRegistry()
            MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
        moment = CollectorRegistry()
        moment.register(_Readings(gauges or {}))
        return generate_latest(registry) + generate_latest(moment)


def _forget_ended(folder: str) -> None:
    """Take the gauges of processes that have ended out of the sums; what they counted stays."""
    for path in Path(folder).glob("gauge_live*_*.db"):
        pid = int(path.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]


class _Readings(Collector):
    """Gauges whose values were read for one scrape."""

    def __init__(self, values: Mapping[str, tuple[str, float]]) -> None:
        self._values = values

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield each gauge."""
        for name, (about, value) in self._values.items():
            yield GaugeMetricFamily(name, about, value=value)
