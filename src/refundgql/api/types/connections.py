"""Connections: bounded pages of a list with cursors, after the Relay specification."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, Generic, TypeVar

import strawberry

from refundgql.api.context import LevelInfo
from refundgql.api.faults import told
from refundgql.gql.declare import leaf, level
from refundgql.gql.rows import row
from refundgql.queries.pages import BadPage, ConnectionRow, EdgeRow, Page, PageInfoRow, page_request

T = TypeVar("T")

First = Annotated[
    int | None,
    strawberry.argument(
        description="How many items from the start, at most 100; 20 when neither first nor last is given."
    ),
]
After = Annotated[str | None, strawberry.argument(description="Only items after this cursor.")]
Last = Annotated[
    int | None, strawberry.argument(description="How many items from the end, at most 100; not together with first.")
]
Before = Annotated[str | None, strawberry.argument(description="Only items before this cursor.")]


@row(PageInfoRow)
@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether the list goes on after this page.")
    has_previous_page: bool = strawberry.field(description="Whether the list begins before this page.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first item; none on an empty page.")
    end_cursor: str | None = strawberry.field(description="The cursor of the last item; none on an empty page.")


@row(EdgeRow)
@strawberry.type(description="One item of a page.")
class Edge(Generic[T]):
    cursor: str = leaf(
        lambda edge: edge.cursor,
        description="The opaque place of the item in this order of the list, for after and before.",
    )
    node: T = strawberry.field(description="The item.")


@row(ConnectionRow)
@strawberry.type(description="One page of a list.")
class Connection(Generic[T]):
    edges: list[Edge[T]] = strawberry.field(description="The items of the page, in the order of the list.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")
    total_count: int = strawberry.field(
        description="How many items the whole list has for you; counted only when it is asked for."
    )


@strawberry.type
class Followed:
    """The part of a page by which whoever shows it goes on with the stream of events."""

    as_of: str = strawberry.field(
        description="The event cursor at which this page was read: subscribing after it misses nothing."
    )


def asked_page(first: int | None, after: str | None, last: int | None, before: str | None) -> Page:
    """Return the page that is asked for.

    Refuses: BAD_USER_INPUT for first with last, sizes that are negative or over 100, and texts that are no cursor.
    """
    try:
        return page_request(first=first, after=after, last=last, before=before)
    except BadPage as error:
        raise told(error.why) from None


_PAGE = [
    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
    for name, annotation in (("first", First), ("after", After), ("last", Last), ("before", Before))
]


def paged(*, description: str) -> Callable[[Callable[..., Any]], Any]:
    """Declare a level that answers with a page of a list: `async def f(rows, info, page: Page, <its own arguments>)`.

    The arguments of a connection follow its own in the schema. Refuses: UNAUTHENTICATED; as `asked_page` does.
    """

    def declare(function: Callable[..., Any]) -> Any:
        plain: Callable[..., Any] = getattr(function, "__func__", function)

        @wraps(plain)
        async def answer(
            rows: list[Any],
            info: LevelInfo,
            *,
            first: int | None = None,
            after: str | None = None,
            last: int | None = None,
            before: str | None = None,
            **own: Any,
        ) -> Any:
            info.context.signed_in()
            return await plain(rows, info, asked_page(first, after, last, before), **own)

        signature = inspect.signature(plain)
        rows, info, _, *own = signature.parameters.values()
        declared = signature.replace(parameters=[rows, info, *(p.replace(kind=p.KEYWORD_ONLY) for p in own), *_PAGE])
        answer.__signature__ = declared  # type: ignore[attr-defined]  # functions carry one
        return level(description=description)(answer)

    return declare


def page_below(info: LevelInfo, *names: str) -> Page | None:
    """Return the page that is asked for of the one connection at a path of Python names below a level.

    Nothing where there is none, or several, or one that cannot be: that level tells what is wrong with it.
    """
    given = info.arguments(*names)
    if given is None:
        return None
    try:
        return page_request(
            first=given.get("first"), after=given.get("after"), last=given.get("last"), before=given.get("before")
        )
    except BadPage:
        return None
