"""Log what was served: one JSON line for each request.

It must not log tokens, bodies, variables or file contents; counting is metrics.py's.
"""

import json
import logging
import time
from typing import Any, Final

import orjson

from refundgql.gql.exchange import Exchange

access_log: Final = logging.getLogger("refundgql.access")

# Names are a client's choice: enough of one to recognise it, not a hundred kilobytes a line.
MAX_NAME_LENGTH: Final = 100
# The stack of a fault has some 10,000 characters; what is longer repeats itself, or quotes what somebody sent.
MAX_TEXT_LENGTH: Final = 20_000


def log_access(transport: str, exchange: Exchange, status: int, seconds: float) -> None:
    """Log one served request; a client's mistake is no error of ours, so only a 5xx is logged as one."""
    level = logging.ERROR if 500 <= status < 600 else logging.INFO
    if not access_log.isEnabledFor(level):
        return
    # Made by hand: looking up where it was called from would cost more than the rest of the line.
    record = logging.LogRecord(access_log.name, level, "", 0, "served", None, None)
    record.fields = {
        "transport": transport,
        "requestId": exchange.request_id,
        "operation": exchange.operation_type,
        "operationName": _cut(exchange.operation_name, MAX_NAME_LENGTH),
        "viewer": _cut(exchange.viewer_ref, MAX_NAME_LENGTH),
        "status": status,
        "code": exchange.code,
        "ms": round(seconds * 1000, 2),
    }
    access_log.handle(record)


class JsonLines(logging.Formatter):
    """Format each record as one JSON object on one line of printable text, with the time in UTC."""

    def __init__(self) -> None:
        super().__init__()
        self._second = (-1, "")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; fields given with `extra={"fields": …}` stand beside time, level and message."""
        second = int(record.created)
        if self._second[0] != second:
            self._second = (second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)))
        line: dict[str, Any] = {
            "at": f"{self._second[1]}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _cut(record.getMessage(), MAX_TEXT_LENGTH),
        }
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["exception"] = _cut(self.formatException(record.exc_info), MAX_TEXT_LENGTH)
        try:
            text = orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        except TypeError:
            # Half of a character pair, which is no text; json writes it as an escape.
            text = json.dumps(line, default=str)
        # A terminal that shows the log must not obey it, nor show its parts in another order.
        return text if text.isprintable() else "".join(one if one.isprintable() else _escaped(one) for one in text)


def _cut(text: str | None, most: int) -> str | None:
    # Of a stack both ends tell most.
    return text if text is None or len(text) <= most else f"{text[: most // 2]}…{text[-(most // 2) :]}"


def _escaped(character: str) -> str:
    # As JSON writes a character outside ASCII: in two halves beyond the first 65,536.
    return json.dumps(character)[1:-1] if ord(character) > 127 else f"\\u{ord(character):04x}"
