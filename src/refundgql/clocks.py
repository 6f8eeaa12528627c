"""Where the time of the rules comes from: the machine's clock, or a file for tests and demos."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from refundgql.domain.calendar import parse_instant


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present instant, aware and in UTC."""
        return datetime.now(UTC)


class LateClock:
    """The machine's clock, so and so far behind: time passes as ever."""

    def __init__(self, behind: timedelta) -> None:
        """Keep how far."""
        self._behind = behind

    def now(self) -> datetime:
        """Return the earlier instant, aware and in UTC."""
        return datetime.now(UTC) - self._behind


class FileClock:
    """The instant that a file holds, read at each act; tokens keep real time."""

    def __init__(self, path: Path) -> None:
        """Keep the path.

        Refuses: ValueError when the file does not hold an instant now.
        """
        self._path = path
        self._last = self._read()

    def now(self) -> datetime:
        """Return the file's instant; one that is being rewritten and cannot be read keeps the last."""
        with contextlib.suppress(OSError, ValueError):
            self._last = self._read()
        return self._last

    def _read(self) -> datetime:
        text = self._path.read_text(encoding="utf-8").strip()
        return parse_instant(text)


class SetClock:
    """A clock that is set by hand, for stories."""

    def __init__(self, at: datetime) -> None:
        """Start at an instant."""
        self.at = at

    def now(self) -> datetime:
        """Return the instant it was set to."""
        return self.at
