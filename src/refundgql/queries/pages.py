"""Keyset paging: which page is asked for, the condition that finds it, and the opaque cursors of its items."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from refundgql.domain.sentences import Unfit, sentence

# A page has to be answered at once; a client that wants everything follows the cursors.
MAXIMUM_ITEMS = 100
DEFAULT_ITEMS = 20
# The longest cursor holds an order's name and a few numbers.
CURSOR_CHARS = 400

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
Condition = tuple[str, Sequence[Any]]
"""A condition in SQL and its parameters."""


class BadPage(Unfit):
    """The page that is asked for cannot be; the message says what to give instead."""


@dataclass(frozen=True, slots=True)
class Key:
    """One column or expression that an order compares; it is never NULL."""

    sql: str
    kind: Literal["int", "float", "text", "uuid"]
    descending: bool = False

    def accepts(self, value: Any) -> bool:
        """Tell whether a cursor's value can be one of this key's."""
        if self.kind == "uuid":
            return isinstance(value, str) and _UUID.match(value) is not None
        if self.kind == "text":
            return isinstance(value, str) and "\0" not in value
        if self.kind == "int":
            return type(value) is int and -(2**63) <= value < 2**63
        return type(value) in (int, float)


@dataclass(frozen=True, slots=True)
class Order:
    """A total order of a list; the last key is unique, so that no two items share a place."""

    name: str
    keys: tuple[Key, ...]

    def by(self, backward: bool) -> str:
        """Return the ORDER BY expressions, reversed for reading from the end."""
        return ", ".join(f"{key.sql} DESC" if key.descending != backward else f"{key.sql} ASC" for key in self.keys)

    @property
    def columns(self) -> str:
        """Return the select list of the keys."""
        return ", ".join(key.sql for key in self.keys)

    def cursor(self, values: Sequence[Any]) -> str:
        """Return the opaque cursor of an item with these key values."""
        return base64.urlsafe_b64encode(orjson.dumps([self.name, *values])).rstrip(b"=").decode()

    def values(self, cursor: str) -> tuple[Any, ...]:
        """Return the key values of a cursor.

        Refuses: BadPage for a text that is not a cursor of this order.
        """
        try:
            if len(cursor) > CURSOR_CHARS:
                raise ValueError
            text = cursor.encode("ascii")
            name, *values = orjson.loads(
                base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
            )
        except (ValueError, TypeError, binascii.Error):
            raise BadPage(sentence("NOT_A_CURSOR", "Not a cursor: give one that this list gave you.")) from None
        if name != self.name or len(values) != len(self.keys):
            message = sentence(
                "CURSOR_OF_ANOTHER_LIST",
                "This cursor belongs to another list or another order: start again without it.",
            )
            raise BadPage(message)
        if not all(key.accepts(value) for key, value in zip(self.keys, values, strict=True)):
            raise BadPage(sentence("NOT_A_CURSOR", "Not a cursor: give one that this list gave you."))
        return tuple(float(v) if k.kind == "float" else v for k, v in zip(self.keys, values, strict=True))

    def beyond(
        self, values: Sequence[Any], *, later: bool, inclusive: bool = False, by_first: bool = False
    ) -> Condition:
        """Return the condition for items after (`later`) or before a place, or at it as well.

        With `by_first` the first key is compared by itself too: SQLite does not find expressions by rows.
        """
        first = self.keys[0]
        sign = ">" if later != first.descending else "<"
        start = f"{first.sql} {sign}= ?"
        if len({key.descending for key in self.keys}) == 1:
            places = ", ".join("?" for _ in self.keys)
            found = f"({self.columns}) {sign}{'=' if inclusive else ''} ({places})"
            return (f"{start} AND {found}", (values[0], *values)) if by_first else (found, tuple(values))
        alternatives: list[str] = []
        parameters: list[Any] = []
        for position, key in enumerate(self.keys):
            sign = ">" if later != key.descending else "<"
            equal = [f"{earlier.sql} = ?" for earlier in self.keys[:position]]
            alternatives.append(" AND ".join([*equal, f"{key.sql} {sign} ?"]))
            parameters.extend(values[: position + 1])
        if inclusive:
            alternatives.append(" AND ".join(f"{key.sql} = ?" for key in self.keys))
            parameters.extend(values)
        # No comparison of rows says this, so the first key says where on an index a walk begins.
        joined = " OR ".join(f"({alternative})" for alternative in alternatives)
        return f"{start} AND ({joined})", (values[0], *parameters)


@dataclass(frozen=True, slots=True)
class Page:
    """The page that is asked for: `size` items from the start or, `backward`, from the end of what lies between."""

    size: int = DEFAULT_ITEMS
    backward: bool = False
    after: str | None = None
    before: str | None = None


def page_request(*, first: int | None, after: str | None, last: int | None, before: str | None) -> Page:
    """Return the page for the four arguments of a connection.

    Refuses: BadPage for first with last, and for sizes that are negative or over 100.
    """
    if first is not None and last is not None:
        raise BadPage(sentence("FIRST_AND_LAST", "Give first or last, not both."))
    for name, size in (("first", first), ("last", last)):
        if size is not None and not 0 <= size <= MAXIMUM_ITEMS:
            raise BadPage(
                sentence("PAGE_OUT_OF_RANGE", "{argument} is from 0 to {limit}.", argument=name, limit=MAXIMUM_ITEMS)
            )
    size = first if first is not None else last if last is not None else DEFAULT_ITEMS
    return Page(size, last is not None, after, before)


@dataclass(slots=True)
class EdgeRow:
    """One item of a page."""

    node: Any
    record: Any
    order: Order
    places: slice
    """Where the record holds the keys of its place in the order."""

    @property
    def cursor(self) -> str:
        """Return the opaque cursor of the item."""
        return self.order.cursor(self.record[self.places])


class BareEdge:
    """One item of a page whose place nobody asks for."""

    __slots__ = ("node",)

    def __init__(self, node: Any) -> None:
        """Keep the item."""
        self.node = node


@dataclass(frozen=True, slots=True)
class PageInfoRow:
    """Where a page stands in its list; `first` and `last` are what its outermost items have for their places."""

    has_next_page: bool
    has_previous_page: bool
    first: EdgeRow | None = None
    last: EdgeRow | None = None

    @property
    def start_cursor(self) -> str | None:
        """Return the cursor of the first item."""
        return None if self.first is None else self.first.cursor

    @property
    def end_cursor(self) -> str | None:
        """Return the cursor of the last item."""
        return None if self.last is None else self.last.cursor


NOT_ASKED = PageInfoRow(False, False)


@dataclass(slots=True)
class ConnectionRow:
    """One page of a list; what was not asked for is empty."""

    edges: Sequence[EdgeRow | BareEdge]
    page_info: PageInfoRow = NOT_ASKED
    total_count: int = 0
    as_of: str = ""

    @staticmethod
    def empty() -> ConnectionRow:
        """Return a page of a list that has nothing in it for the viewer."""
        return ConnectionRow([])
