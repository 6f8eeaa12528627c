"""Business days of withdrawals (D10, D18)."""

from datetime import UTC, date, datetime

import pytest

from refundgql.domain.business_days import (
    UnknownHolidayCalendar,
    business_day_after,
    holiday_calendar,
    withdrawal_estimate,
)
from refundgql.domain.policy import Policy


@pytest.mark.parametrize(
    ("requested", "first", "last"),
    [
        ("2026-03-02T10:00", "2026-03-05", "2026-03-09"),  # Monday
        ("2026-03-05T23:59", "2026-03-10", "2026-03-12"),  # Thursday
        ("2026-03-07T00:00", "2026-03-11", "2026-03-13"),  # Saturday
        ("2026-03-08T23:59", "2026-03-11", "2026-03-13"),  # Sunday
        ("2028-02-28T12:00", "2028-03-02", "2028-03-06"),  # across 29 February
        ("2025-12-31T23:59", "2026-01-05", "2026-01-07"),  # across the year's end
    ],
)
def test_the_estimate_counts_business_days_from_the_day_after(requested: str, first: str, last: str) -> None:
    """Three to five business days are counted from the day after the request, weekends left out."""
    at = datetime.fromisoformat(requested).replace(tzinfo=UTC)
    assert withdrawal_estimate(at, Policy()) == (date.fromisoformat(first), date.fromisoformat(last))


def test_holidays_of_a_calendar_and_of_the_policy_are_left_out() -> None:
    """A market's holidays and the policy's own days both postpone the estimate."""
    at = datetime(2026, 4, 2, 9, tzinfo=UTC)  # the Thursday before Good Friday
    assert withdrawal_estimate(at, Policy()) == (date(2026, 4, 7), date(2026, 4, 9))
    assert withdrawal_estimate(at, Policy(), "ECB") == (date(2026, 4, 9), date(2026, 4, 13))
    policy = Policy(holidays=frozenset({date(2026, 4, 8)}))
    assert withdrawal_estimate(at, policy, "ECB") == (date(2026, 4, 10), date(2026, 4, 14))


def test_a_country_is_a_calendar_too_and_any_other_name_is_refused() -> None:
    """Markets and countries are found by name in every year; an unknown name says what would be a good one."""
    assert date(2031, 7, 4) in holiday_calendar("US")
    assert business_day_after(date(2031, 7, 3), 1, holiday_calendar("US")) == date(2031, 7, 7)
    with pytest.raises(UnknownHolidayCalendar, match="ECB"):
        holiday_calendar("ATLANTIS")
