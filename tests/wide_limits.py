"""Limits that are out of the way of tests about something else."""

from typing import Any

from patience import PATIENCE_SECONDS
from refundgql.gql.limits import Limits

WIDE = Limits(
    max_body_bytes=10**9,
    max_tokens=10**9,
    max_depth=10**9,
    max_introspection_depth=10**9,
    max_fields=10**9,
    max_aliases=10**9,
    max_operations=10**9,
    max_cost=10**9,
    body_seconds=10**6,
    operation_seconds=10**6,
    init_seconds=10**6,
)


def patient(**given: Any) -> Limits:
    """Return the usual limits, but all the time that a busy machine needs, and no rate that a quick one reaches."""
    times = ("body_seconds", "operation_seconds", "init_seconds")
    return Limits(**{"requests_per_minute": None, **dict.fromkeys(times, PATIENCE_SECONDS), **given})
