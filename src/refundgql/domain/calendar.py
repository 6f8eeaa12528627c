"""UTC calendar arithmetic: day numbers, windows, billing weeks (D1).

It must not read a clock or know a local time: every instant comes in, aware and in UTC.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

DAY_MICROS = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_micros(at: datetime) -> int:
    """Return an aware instant as whole microseconds since the epoch, the form that storage keeps."""
    delta = at - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def from_micros(micros: int) -> datetime:
    """Return the aware UTC instant for microseconds since the epoch."""
    return _EPOCH + timedelta(microseconds=micros)


def day_number(start_at: datetime, at: datetime) -> int:
    """Return the number of UTC dates between the start and the act (D1); negative when the act is earlier."""
    return (at.astimezone(UTC).date() - start_at.astimezone(UTC).date()).days


def window_end_at(start_at: datetime, window_days: int) -> datetime:
    """Return the exclusive closing instant of a window of whole UTC days: 00:00 of start date + days + 1 (D1)."""
    return midnight(start_at.astimezone(UTC).date() + timedelta(days=window_days + 1))


def midnight(day: date) -> datetime:
    """Return 00:00 UTC of a date."""
    return datetime.combine(day, time(), tzinfo=UTC)
