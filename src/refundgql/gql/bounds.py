"""Bounds what one operation may find: lists inside lists that a document's cost cannot foresee."""

from collections.abc import Sequence
from typing import Any, Final

from refundgql.gql.errors import ApiError, ErrorCode

# Twice the most that pages may add up to; a list without pages is as long as it is.
MAX_ITEMS: Final = 10_000


class TooManyItems(ApiError):
    """The operation has found more than it may; it ends as a whole, for there is no part of it to save."""

    def __init__(self) -> None:
        super().__init__(
            f"The operation finds more than {MAX_ITEMS} items; ask for smaller pages, or for fewer lists in lists.",
            ErrorCode.LIMIT_EXCEEDED,
        )


class Found:
    """How many items of lists an operation has found."""

    __slots__ = ("items",)

    def __init__(self) -> None:
        self.items = 0

    def count_lists(self, values: Sequence[Any]) -> None:
        """Count the items of the lists of a level. Refuses: TooManyItems."""
        self._add(sum(len(value) for value in values if isinstance(value, list | tuple)))

    def count_pages(self, values: Sequence[Any]) -> None:
        """Count the items of the pages of a level. Refuses: TooManyItems."""
        self._add(sum(len(getattr(value, "edges", None) or ()) for value in values))

    def _add(self, count: int) -> None:
        self.items += count
        if self.items > MAX_ITEMS:
            raise TooManyItems


def is_page(type_name: str) -> bool:
    """Tell whether a type is a page of a list, by its name."""
    return type_name.endswith("Connection")
