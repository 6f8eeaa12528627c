"""UTC calendar arithmetic: day numbers, windows, billing weeks (D1)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from refundgql.domain.sentences import Unfit, sentence

DAY_MICROS = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A window that would end after the calendar does ends with it, instead of failing on dates near the year 9999.
_LAST_ORDINAL = date.max.toordinal()
LAST_INSTANT = datetime.max.replace(tzinfo=UTC)
_INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:(\d\d))(\.\d{1,9})?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
).fullmatch
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII).fullmatch


class CalendarError(Unfit):
    """A text that is not an instant or a date; the message says what to give."""


def parse_instant(text: str) -> datetime:
    """Return the aware UTC instant of an RFC 3339 text, to the microsecond; up to nine decimals are taken (D1).

    Refuses: CalendarError for any other form, a day, hour or second (:60) that does not exist.
    """
    found = _INSTANT(text)
    if found is None:
        raise CalendarError(sentence("NOT_AN_INSTANT", "Give an RFC 3339 instant such as 2026-03-06T23:59:59Z."))
    day, second_of_day, seconds, fraction, sign, hours, minutes = found.groups()
    if second_of_day >= "24":
        raise CalendarError(sentence("NO_SUCH_HOUR", "There is no such instant: hours end at 23."))
    if seconds == "60":
        raise CalendarError(
            sentence("LEAP_SECOND", "A leap second cannot be kept: give the second before or after it.")
        )
    if sign is not None and (int(hours) > 23 or int(minutes) > 59):
        raise CalendarError(
            sentence("OFFSET_TOO_LARGE", "The offset is not one of the day: give the instant in UTC with Z.")
        )
    try:
        local = datetime.fromisoformat(f"{day}T{second_of_day}{(fraction or '')[:7]}+00:00")
        if sign is None:
            return local
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        return local - offset if sign == "+" else local + offset
    except (ValueError, OverflowError) as error:
        message = sentence(
            "NO_SUCH_INSTANT",
            "There is no such instant: days follow the calendar, hours end at 23, minutes and seconds at 59.",
        )
        raise CalendarError(message) from error


def parse_date(text: str) -> date:
    """Return the date of an ISO 8601 text, as 2026-03-02.

    Refuses: CalendarError for any other form, or a day that does not exist.
    """
    if _DATE(text) is None:
        raise CalendarError(sentence("NOT_A_DATE", "Give a date such as 2026-03-02."))
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise CalendarError(sentence("NO_SUCH_DAY", "There is no such day in the calendar.")) from error


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
    ordinal = start_at.astimezone(UTC).toordinal() + window_days + 1
    return midnight(date.fromordinal(ordinal)) if ordinal <= _LAST_ORDINAL else LAST_INSTANT


def hours_after(start_at: datetime, hours: int) -> datetime:
    """Return the instant so many exact hours later."""
    left = (LAST_INSTANT - start_at) // timedelta(hours=1)
    return start_at + timedelta(hours=hours) if hours <= left else LAST_INSTANT


def midnight(day: date) -> datetime:
    """Return 00:00 UTC of a date."""
    return datetime.combine(day, time(), tzinfo=UTC)
