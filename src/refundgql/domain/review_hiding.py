"""When a refunded contract's reviews are hidden (C21)."""

from __future__ import annotations

from refundgql.domain.policy import Policy


def reviews_hidden(paid_minor: int, refunded_minor: int, currency: str, policy: Policy) -> bool:
    """Tell whether a contract worth so little after refunds hides its reviews (C21); amounts in minor units.

    A contract without refunds keeps them however small it is; the threshold itself keeps them, too.
    """
    threshold = policy.review_threshold_minor.get(currency)
    return threshold is not None and refunded_minor > 0 and paid_minor - refunded_minor < threshold
