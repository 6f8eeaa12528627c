"""Business days of D10: Monday to Friday in UTC, minus a configured holiday calendar."""

from __future__ import annotations

from collections.abc import Container
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from refundgql.domain.policy import Policy

_SATURDAY = 5


class UnknownHolidayCalendar(ValueError):
    """The holiday calendar is neither a financial market (FED, ECB, NYSE) nor a country code (US, DE)."""

    def __init__(self, name: str) -> None:
        """Say which name is unknown and what would be a good one."""
        super().__init__(f"{name!r} is no holiday calendar: give a market such as FED or ECB, or a country such as US.")


@lru_cache(maxsize=32)
def holiday_calendar(name: str) -> Container[date]:
    """Return the holidays of a financial market or country, any year; the empty name has none.

    Refuses: UnknownHolidayCalendar.
    """
    if not name:
        return frozenset()
    import holidays  # half a second that only a configured calendar costs

    try:
        return holidays.financial_holidays(name)
    except NotImplementedError:
        pass
    try:
        return holidays.country_holidays(name)
    except NotImplementedError as error:
        raise UnknownHolidayCalendar(name) from error


def is_business_day(day: date, *off: Container[date]) -> bool:
    """Tell whether banks work on this UTC date."""
    return day.weekday() < _SATURDAY and not any(day in days for days in off)


def business_day_after(start: date, count: int, *off: Container[date]) -> date:
    """Return the count-th business day after a date, the date itself never counted (D18)."""
    day = start
    while count:
        day += timedelta(days=1)
        count -= is_business_day(day, *off)
    return day


def withdrawal_estimate(requested_at: datetime, policy: Policy, calendar: str = "") -> tuple[date, date]:
    """Return the first and last UTC date on which a withdrawal is expected to arrive (D10).

    Days off are the policy's own and those of a holiday calendar by name.
    """
    off = (policy.holidays, holiday_calendar(calendar))
    start = requested_at.astimezone(UTC).date()
    return (
        business_day_after(start, policy.withdrawal_days_from, *off),
        business_day_after(start, policy.withdrawal_days_until, *off),
    )
