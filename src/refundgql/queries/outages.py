"""Tells a database that is away for a moment from everything else that can go wrong in it.

It must not retry or answer anybody.
"""

from __future__ import annotations

from refundgql.storage.faults import CommitUnknown, StatementTimeout, TransientFault


def is_outage(error: BaseException) -> bool:
    """Tell whether an error means that the database was away, or gave up for now: the same may work in a moment."""
    return isinstance(error, TransientFault)


def is_uncertain(error: BaseException) -> bool:
    """Tell whether the database went away while it was told to keep something, so that nobody knows whether it did."""
    return isinstance(error, CommitUnknown)


def is_overlong(error: BaseException) -> bool:
    """Tell whether the database ended a statement that took longer than an operation may; it changed nothing."""
    return isinstance(error, StatementTimeout)
