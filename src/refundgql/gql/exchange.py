"""What is noted of one request or socket message while it is served, for the access log and the metrics."""

import itertools
import os
import re
from dataclasses import dataclass
from typing import Final

from starlette.types import Scope

_ACCEPTED_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_numbers = itertools.count(1)


@dataclass(slots=True)
class Exchange:
    """The facts of one request that are logged and counted."""

    request_id: str
    operation_type: str | None = None
    operation_name: str | None = None
    viewer_ref: str | None = None
    code: str | None = None


def new_request_id(offered: bytes | None = None) -> str:
    """Return the caller's own id when it is a plain word of at most 64 characters, else one that is new."""
    if offered is not None and _ACCEPTED_ID.fullmatch(offered):
        return offered.decode("ascii")
    return f"{_process_mark()}-{next(_numbers):x}"


def address_of(scope: Scope) -> str:
    """Return the address the connection comes from, as far as the server knows it."""
    client = scope.get("client")
    return client[0] if client else "unknown"


_marks: dict[int, str] = {}


def _process_mark() -> str:
    # Asked for by process id, so that a process forked from this one does not repeat its ids.
    pid = os.getpid()
    mark = _marks.get(pid)
    if mark is None:
        mark = _marks[pid] = os.urandom(5).hex()
    return mark
