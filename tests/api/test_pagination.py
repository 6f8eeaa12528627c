"""Pages of every list: walking them gives the list, forwards and backwards, and what a page says of itself is true."""

from __future__ import annotations

from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from api_world import DAY, HOUR, START, Desk, at, contract, invoice, lead, message, usd, week

LISTS = {
    "leads": ("paula", "", "node { externalRef }"),
    "all leads": ("sam", "", "node { externalRef }"),
    "conversations": ("paula", "", "node { lead { externalRef } }"),
    "contracts": ("karl", "", "node { externalRef }"),
    **{
        f"cases {order}": ("sam", f"orderBy: {order}", "node { number }")
        for order in ("NEWEST", "OLDEST", "RECENTLY_CHANGED", "SOONEST_DEADLINE", "LARGEST_AMOUNT")
    },
    "queue": ("sam", "filter: { whoseMove: SUPPORT }", "node { number }"),
}
ROOTS = {"leads": "leads", "all leads": "leads", "queue": "supportQueue"}
PAGE = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount"

Page = dict[str, Any]


def root_of(name: str) -> str:
    """Return the root field of a list."""
    return ROOTS.get(name) or ("refundCases" if name.startswith("cases") else name)


async def fill(desk: Desk) -> None:
    """Add leads, chats, contracts and cases, many of them at the same instant and for the same amount."""
    records = []
    for number in range(9):
        ref = f"page-{number}"
        records += [
            lead(ref, chargedAt=at(START - (1 + number // 4) * DAY), price=usd(f"{10 + number % 3}.00")),
            contract(f"contract-{number}", startedAt=at(START - (number // 3) * DAY)),
        ]
        if number % 2:
            records.append(message(f"chat-{number}", ref, "paula", "Hello", START - number // 4 * HOUR))
    for number in range(4):
        records.append(invoice(f"paged-{number}", "hourly", f"{20 + number}.00", START - 3 * DAY))
        records.append(week(f"paged-week-{number}", "hourly", f"2026-01-{5 + 7 * number:02d}"))
    await desk.seed(*records)
    found = await desk.run("sam", "{ leads(first: 100) { edges { node { id externalRef } } } }")
    for place, edge in enumerate(found["leads"]["edges"]):
        if edge["node"]["externalRef"].startswith("page-"):
            case = await desk.done(
                "paula", "requestLeadRefund", leadId=edge["node"]["id"], reason="OTHER", explanation="Not the job."
            )
            if place % 3 == 0:
                await desk.done("sam", "declineRefund", refundCaseId=case["id"], message="No.")
            if place % 3 == 1:
                desk.clock.at += HOUR


async def page(desk: Desk, name: str, **arguments: Any) -> Page:
    """Return one page of a list; its items stand for themselves as texts."""
    ref, fixed, node = LISTS[name]
    declared = {"first": "Int", "last": "Int", "after": "String", "before": "String"}
    variables = ", ".join(f"${one}: {declared[one]}" for one in arguments)
    passed = " ".join([fixed, *(f"{one}: ${one}" for one in arguments)])
    head = f"query({variables})" if variables else "query"
    call = f"{root_of(name)}({passed})" if passed.strip() else root_of(name)
    found = await desk.run(ref, f"{head} {{ {call} {{ edges {{ cursor {node} }} {PAGE} }} }}", **arguments)
    connection: Page = found[root_of(name)]
    connection["items"] = [str(edge["node"]) for edge in connection["edges"]]
    return connection


@settings(max_examples=60)
@given(
    name=st.sampled_from(sorted(LISTS)),
    sizes=st.lists(st.integers(1, 7), min_size=1, max_size=12),
    backward=st.booleans(),
)
async def test_walking_gives_the_list(filled: Desk, name: str, sizes: list[int], backward: bool) -> None:
    """Whatever the sizes of the pages, together they are the whole list, and only the last one has nothing beyond."""
    whole = await page(filled, name, first=100)
    assert len(whole["items"]) == whole["totalCount"] == len(set(whole["items"])) > 4
    walked: list[str] = []
    cursor = None
    for step in range(200):
        size = sizes[step % len(sizes)]
        if backward:
            found = await page(filled, name, last=size, before=cursor)
            walked = found["items"] + walked
            more, behind = "hasPreviousPage", "hasNextPage"
            cursor = found["pageInfo"]["startCursor"]
        else:
            found = await page(filled, name, first=size, after=cursor)
            walked += found["items"]
            more, behind = "hasNextPage", "hasPreviousPage"
            cursor = found["pageInfo"]["endCursor"]
        assert found["pageInfo"][behind] is (step > 0)
        assert found["pageInfo"][more] is (len(walked) < len(whole["items"]))
        assert found["totalCount"] == whole["totalCount"]
        if not found["pageInfo"][more]:
            break
    assert walked == whole["items"]


@settings(max_examples=60)
@given(data=st.data())
async def test_pages_are_slices(filled: Desk, data: st.DataObject) -> None:
    """A page between two cursors is the slice of the list between them, and knows what lies outside."""
    name = data.draw(st.sampled_from(sorted(LISTS)))
    whole = await page(filled, name, first=100)
    cursors = [edge["cursor"] for edge in whole["edges"]]
    count = len(cursors)
    after, before = data.draw(st.integers(-1, count - 1)), data.draw(st.integers(0, count))
    size, backward = data.draw(st.integers(0, count + 1)), data.draw(st.booleans())
    arguments = {
        "last" if backward else "first": size,
        "after": cursors[after] if after >= 0 else None,
        "before": cursors[before] if before < count else None,
    }
    between = list(range(after + 1, before))
    expected = between[len(between) - min(size, len(between)) :] if backward else between[:size]
    found = await page(filled, name, **arguments)
    assert found["items"] == [whole["items"][place] for place in expected]
    if expected:
        assert found["pageInfo"]["hasPreviousPage"] is (expected[0] > 0)
        assert found["pageInfo"]["hasNextPage"] is (expected[-1] < count - 1)
        assert found["pageInfo"]["startCursor"] == cursors[expected[0]]
        assert found["pageInfo"]["endCursor"] == cursors[expected[-1]]
    else:
        assert found["pageInfo"]["startCursor"] is found["pageInfo"]["endCursor"] is None


async def test_new_items_do_not_move_a_page(filled: Desk) -> None:
    """Somebody who walks a list meets every item that was there once, whatever is added meanwhile."""
    whole = await page(filled, "leads", first=100)
    walked: list[str] = []
    cursor = None
    for step in range(30):
        found = await page(filled, "leads", first=2, after=cursor)
        walked += found["items"]
        cursor = found["pageInfo"]["endCursor"]
        if not found["pageInfo"]["hasNextPage"]:
            break
        await filled.seed(lead(f"new-{step}", chargedAt=at(START)))
    assert walked == whole["items"]


BAD = [
    "first: 1, last: 1",
    "first: 101",
    "last: 101",
    "first: -1",
    "last: -5",
    'first: 5, after: "nonsense"',
    'first: 5, after: ""',
    'first: 5, before: "WyJsZWFkcyJd"',
    'first: 5, after: "WzFd"',
    'first: 5, after: "bnVsbA"',
]


async def test_bad_pages(small_desk: Desk) -> None:
    """A page that cannot be is BAD_USER_INPUT in errors, and nothing else."""
    roots = ("leads", "refundCases", "supportQueue", "contracts", "conversations")
    for root, arguments in product(roots, BAD):
        answer = await small_desk.answer("sam", f"{{ {root}({arguments}) {{ totalCount edges {{ cursor }} }} }}")
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"], (root, arguments)
        assert answer["data"] is None


async def test_a_cursor_belongs_to_its_order(filled: Desk) -> None:
    """A cursor of one order is refused by another one, and by another list."""
    cursor = (await page(filled, "cases NEWEST", first=1))["pageInfo"]["endCursor"]
    for call in ("refundCases(orderBy: OLDEST, after: $after)", "supportQueue(after: $after)", "leads(after: $after)"):
        document = f"query($after: String) {{ {call} {{ edges {{ cursor }} }} }}"
        assert await filled.code("sam", document, after=cursor) == "BAD_USER_INPUT"


NESTED = """query($first: Int, $last: Int, $after: String, $before: String) {
  contracts(first: 20) { edges { node { externalRef
    invoices(first: $first, last: $last, after: $after, before: $before) {
      totalCount pageInfo { hasNextPage hasPreviousPage } edges { cursor node { externalRef } } } } } } }"""


@settings(max_examples=30)
@given(data=st.data())
async def test_nested_pages_are_slices(filled: Desk, data: st.DataObject) -> None:
    """The same laws hold for the lists of many parents at once."""

    async def invoices(**arguments: Any) -> list[Page]:
        found = await filled.run("sam", NESTED, **arguments)
        return [edge["node"]["invoices"] for edge in found["contracts"]["edges"]]

    whole = await invoices(first=100)
    longest = max(range(len(whole)), key=lambda place: len(whole[place]["edges"]))
    cursors = [edge["cursor"] for edge in whole[longest]["edges"]]
    size, backward = data.draw(st.integers(0, len(cursors))), data.draw(st.booleans())
    cursor = data.draw(st.sampled_from([None, *cursors]))
    arguments = {"last" if backward else "first": size, "before" if backward else "after": cursor}
    found = (await invoices(**arguments))[longest]
    between = [edge["cursor"] for edge in whole[longest]["edges"]]
    if cursor is not None:
        place = between.index(cursor)
        between = between[:place] if backward else between[place + 1 :]
    expected = between[len(between) - min(size, len(between)) :] if backward else between[:size]
    assert [edge["cursor"] for edge in found["edges"]] == expected
    assert found["totalCount"] == len(cursors)
    side, other = ("hasPreviousPage", "hasNextPage") if backward else ("hasNextPage", "hasPreviousPage")
    assert found["pageInfo"][side] is (len(expected) < len(between))
    assert found["pageInfo"][other] is (cursor is not None)


async def test_pages_whose_parts_are_only_named(filled: Desk) -> None:
    """Edges and page info of which nothing but their type is asked for are there all the same."""
    document = "{ refundCases(first: 1) { edges { __typename } pageInfo { __typename } } }"
    for _ in range(2):  # interpreted, then compiled
        found = await filled.run("sam", document)
        assert found["refundCases"] == {
            "edges": [{"__typename": "RefundCaseEdge"}],
            "pageInfo": {"__typename": "PageInfo"},
        }
