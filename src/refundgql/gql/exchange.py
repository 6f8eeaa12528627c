"""What is noted of one request or socket message while it is served, for the access log and the metrics."""

import ipaddress
import itertools
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from starlette.types import Scope

_ACCEPTED_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_numbers = itertools.count(1)
_REMEMBERED_ADDRESSES: Final = 4_096


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
    """Return the address that a caller without an account is counted by, as far as the server knows it."""
    client = scope.get("client")
    return counted_address(client[0]) if client else "unknown"


@lru_cache(_REMEMBERED_ADDRESSES)
def counted_address(text: str) -> str:
    """Return an address as it is counted: of IPv6 its network of 64 bits, of which one machine has every address."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return text
    return text if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))


_marks: dict[int, str] = {}


def _process_mark() -> str:
    # Asked for by process id, so that a process forked from this one does not repeat its ids.
    pid = os.getpid()
    mark = _marks.get(pid)
    if mark is None:
        mark = _marks[pid] = os.urandom(5).hex()
    return mark
