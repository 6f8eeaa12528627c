"""Tells a database that is away for a moment from everything else that can go wrong in it."""

from __future__ import annotations

from refundgql.storage.faults import CommitUnknown, StatementTimeout, TransientFault, Unwritable


def is_outage(error: BaseException) -> bool:
    """Tell whether the database was away, gave up for now, or takes nothing: the same may work later."""
    return isinstance(error, TransientFault | Unwritable)


def is_uncertain(error: BaseException) -> bool:
    """Tell whether the database went away while it was told to keep something, so that nobody knows whether it did."""
    return isinstance(error, CommitUnknown)


def is_overlong(error: BaseException) -> bool:
    """Tell whether the database ended a statement that took longer than an operation may; it changed nothing."""
    return isinstance(error, StatementTimeout)
