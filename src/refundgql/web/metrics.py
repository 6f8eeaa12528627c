"""Count what the desk does, beside what its GraphQL server counts: acts, webhooks, and gauges of its queue."""

from collections.abc import Mapping, Sequence
from platform import python_version
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from refundgql import __version__
from refundgql.domain.refusals import Refusal
from refundgql.gql.metrics import SECONDS_BUCKETS, Metrics

PREFIX: Final = "refundgql"

_ABOUT: Final = {
    "queue_cases": "Cases that wait for support.",
    "queue_overdue_cases": "Cases whose decision is late (L14).",
    "queue_age_seconds": "How long the case that waits longest for support has waited.",
    "sweeper_lag_seconds": "How long the clock that is due longest has waited to be acted on.",
    "webhook_backlog_events": "Events that wait to be sent to webhook endpoints, at most 1,000 unqueued ones of each.",
    "webhook_oldest_seconds": "How long the event that waits longest to be sent to an endpoint has waited.",
    "withdrawals_requested": "Withdrawals that the marketplace has not taken up yet.",
    "database_connections_in_use": "Connections to PostgreSQL that are lent, in the process that answered.",
    "clock_skew_seconds": "How far the clock of the machine that answered is ahead of the database's.",
    "bus_connected": "Whether rings reach other processes; without them streams look each second.",
}


class DeskMetrics(Metrics):
    """The counters of one process of the desk."""

    def __init__(self) -> None:
        super().__init__(PREFIX)
        Gauge(
            "refundgql_build_info",
            "The version that runs.",
            ("version", "python"),
            registry=self.registry,
            multiprocess_mode="max",
        ).labels(__version__, python_version()).set(1)
        self._transitions = Counter(
            "refundgql_transitions_total",
            "Events written to cases' histories, by kind of case and event.",
            ("kind", "event"),
            registry=self.registry,
        )
        self._act_refusals = Counter(
            "refundgql_act_refusals_total",
            "Acts refused as data in a payload, by code and rule.",
            ("code", "rule"),
            registry=self.registry,
        )
        self._webhooks = Counter(
            "refundgql_webhook_attempts_total",
            "Attempts at webhooks, by outcome.",
            ("outcome",),
            registry=self.registry,
        )
        self._webhook_seconds = Histogram(
            "refundgql_webhook_seconds",
            "Time that receivers of webhooks took to answer.",
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )

    def committed(self, transitions: Sequence[tuple[str, str]]) -> None:
        """Count events that hold now, each given as its case's kind and its name."""
        for kind, event in transitions:
            self._transitions.labels(kind, event).inc()

    def act_refused(self, refusals: Sequence[Refusal]) -> None:
        """Count why an act was refused, as data in a payload."""
        for refusal in refusals:
            self._act_refusals.labels(refusal.code.value, refusal.rule or "").inc()

    def webhook_attempted(self, outcome: str, seconds: float) -> None:
        """Count one attempt at a webhook; `outcome` is one of a few words of the sender's own."""
        self._webhooks.labels(outcome).inc()
        self._webhook_seconds.observe(seconds)


def gauges_of(readings: Mapping[str, float]) -> dict[str, tuple[str, float]]:
    """Return gauges that were read, under their whole names and with what they tell."""
    return {f"{PREFIX}_{name}": (_ABOUT[name], value) for name, value in readings.items()}
