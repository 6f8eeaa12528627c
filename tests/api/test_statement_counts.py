"""The number of statements depends on what is asked for, never on how many rows there are."""

from __future__ import annotations

import pytest

from api_world import DAY, HOUR, START, Desk, invoice, lead, message
from refundgql.storage.database import Dialect
from refundgql.storage.statements import counted_statements

PAGES = {
    "one case with people, subject and last events": (
        "sam",
        """query($id: ID!) { refundCase(id: $id) { number state requester { name } subject { ... on Lead { title } }
           events(last: 5) { edges { node { sequence name at note } } } } }""",
        1,
    ),
    "newest cases with people and events": (
        "sam",
        """{ refundCases(first: 100) { edges { node { number state requester { name }
             events(last: 3) { edges { node { name at } } } } } } }""",
        1,
    ),
    "a page of support": (
        "sam",
        """{ supportQueue(first: 100, filter: { states: [REQUESTED, DECLINED] }) { edges { node {
             number kind state version route reason openedAt updatedAt whoseMove overdue requestedAmount { amount }
             requester { name } subject { ... on Lead { title } ... on Invoice { number } ... on Milestone { title } }
             events(last: 5) { edges { node { sequence name at } } } } } } }""",
        1,
    ),
    "cases with everything that rules compute": (
        "sam",
        """{ refundCases(first: 100) { totalCount asOf pageInfo { hasNextPage }
             edges { cursor node { isFinal actions { name enabled blockers { code } } clocks { name endsAt }
             settlement { status shortfall { amount } } } } } }""",
        7,
    ),
    "cases with evidence and messages": (
        "sam",
        """{ refundCases(first: 100) { edges { node { evidence { __typename addedBy { name } }
             messages { totalCount edges { node { body author { name } } } }
             assignee { name } filedBy { name } withdrawal { status } } } } }""",
        6,
    ),
    "leads of a professional": (
        "paula",
        """{ leads(first: 100) { edges { node { title refundCase { state } refundAction { enabled blockers { code } }
             conversation { messages(last: 2) { edges { node { body authorName } } } } customer { termsReports }
             pro { name } } } } }""",
        7,
    ),
    "contracts of a client": (
        "karl",
        """{ contracts { edges { node { paidTotal { amount } refundable { amount } client { name } expert { name }
             invoices { edges { node { refundable { amount } refundAction { enabled } refundCases { state }
             billingWeek { hours invoice { number } } } } }
             milestones { held { amount } } billingWeeks { edges { node { disputeAction { enabled } } } }
             reviews { rating } } } } }""",
        20,
    ),
}


LISTS_WITH_EVENTS = {"newest cases with people and events", "a page of support"}


async def more_of_everything(desk: Desk, things: dict[str, str], count: int) -> str:
    """Add leads, invoices and cases, and return the id of one case."""
    first = ""
    for number in range(count):
        ref = f"more-{count}-{number}"
        await desk.seed(
            lead(ref),
            message(f"chat-{ref}", ref, "carla", "Hello", START - HOUR),
            invoice(f"invoice-{ref}", "hourly", "10.00", START - 3 * DAY),
        )
        found = await desk.run(
            "sam",
            "query($refs: [String!]) { leads(filter: { externalRefs: $refs }) { edges { node { id } } } }",
            refs=[ref],
        )
        lead_id = found["leads"]["edges"][0]["node"]["id"]
        case = await desk.done(
            "paula", "requestLeadRefund", leadId=lead_id, reason="OTHER", explanation="It is a different job."
        )
        if number % 2:
            await desk.done("sam", "declineRefund", refundCaseId=case["id"], message="It is the same.")
        first = first or case["id"]
    return first


@pytest.mark.parametrize("page", PAGES)
async def test_statements_do_not_grow_with_rows(desk: Desk, things: dict[str, str], page: str) -> None:
    """The same page costs the same statements with three times the rows, and no more than it may."""
    ref, document, most = PAGES[page]
    if desk.app.database.dialect is Dialect.SQLITE and page in LISTS_WITH_EVENTS:
        most += 1  # the events of a list of cases are a statement of their own there
    counts = []
    for count in (2, 6):
        case_id = await more_of_everything(desk, things, count)
        variables = {"id": case_id} if "$id" in document else {}
        await desk.run(ref, document, **variables)
        await desk.run(ref, document, **variables)  # from its second use on an operation is compiled
        with counted_statements() as statements:
            await desk.run(ref, document, **variables)
        counts.append(len(statements) - 1)  # whoever asks is looked up first
    assert counts[0] == counts[1]
    assert counts[1] <= most, "\n".join(statements)
