"""Refund cases: what was asked, where it stands, what can be done, and the lists of them."""

from datetime import datetime
from typing import Annotated, Any

import strawberry

from refundgql.api.context import LevelInfo
from refundgql.api.types.availability import case_actions, clocks_of_cases, finality, open_amounts
from refundgql.api.types.billing_weeks import BillingWeek
from refundgql.api.types.case_filters import CaseFilterArgument, CaseOrderArgument, case_filter
from refundgql.api.types.case_messages import CaseMessage
from refundgql.api.types.clocks import Clock
from refundgql.api.types.connections import Connection, Followed, page_below, paged
from refundgql.api.types.evidence import Evidence
from refundgql.api.types.ids import uuid_of
from refundgql.api.types.invoices import Invoice
from refundgql.api.types.lazy import LazyAccount, LazyRefundCase, LazyWithdrawal
from refundgql.api.types.leads import Lead
from refundgql.api.types.milestones import Milestone
from refundgql.api.types.money import Money, money
from refundgql.api.types.nodes import Node
from refundgql.api.types.proposals import RefundProposal, proposal_of
from refundgql.api.types.refund_events import RefundEvent
from refundgql.api.types.refusals import ActionAvailability
from refundgql.api.types.relations import cases_of, withdrawals_of
from refundgql.api.types.settlements import Settlement, settlements
from refundgql.domain.calendar import to_micros
from refundgql.domain.vocabulary import (
    RefundCaseKind,
    RefundCaseState,
    RefundReason,
    RefundReasonDetail,
    RefundRoute,
    WhoseMove,
)
from refundgql.gql.declare import Level, leaf, level
from refundgql.queries import refund_cases as queries
from refundgql.queries.case_messages import list_case_messages
from refundgql.queries.case_reads import unread_cases
from refundgql.queries.case_rows import CaseRow
from refundgql.queries.events import list_events
from refundgql.queries.evidence import evidence_of_cases
from refundgql.queries.pages import Page

_OVER = (RefundCaseState.CREDITED, RefundCaseState.CANCELLED)


def _may_go_on(row: CaseRow) -> bool:
    """Tell whether the rules have to be asked if anything can come of a case that nobody has to decide."""
    if row.state == RefundCaseState.CREDITED:
        return row.requested_minor is not None and row.requested_minor != row.credited_minor
    return row.state == RefundCaseState.DECLINED


RefundSubject = Annotated[
    Lead | Invoice | Milestone | BillingWeek,
    strawberry.union(name="RefundSubject", description="What a case is about."),
]


@strawberry.type(description="A request for money back, and everything that came of it. Seen by its parties and staff.")
class RefundCase(Node):
    number: str = leaf(
        lambda row: f"RC-{row.number:06d}", description="The short number to read out, such as RC-000123 (D3)."
    )
    kind: RefundCaseKind = strawberry.field(description="What the money was paid for.")
    state: RefundCaseState = strawberry.field(description="Where it stands.")

    @level(description="Whether nothing more can come of it for anybody.")
    @staticmethod
    async def is_final(rows: list[CaseRow], info: LevelInfo) -> list[bool]:
        found = await finality(info, [row.id for row in rows if _may_go_on(row)])
        return [found.get(row.id, row.state in _OVER) for row in rows]

    version: int = strawberry.field(description="The sequence number of its last event; send it as expectedVersion.")
    route: RefundRoute = strawberry.field(description="Who decides first; fixed when it was opened (D7).")
    subject: RefundSubject = strawberry.field(description="What it is about.")
    requester: LazyAccount = strawberry.field(description="Whoever asked; of an issued refund the expert.")
    counterparty: LazyAccount | None = strawberry.field(
        description="The other party of the contract; none for leads, whose customer is not told (L02)."
    )
    filed_by: LazyAccount = strawberry.field(description="Who filed it: the requester, or staff on their behalf (D4).")
    goodwill: bool = leaf(
        lambda row: bool(row.goodwill), description="Whether it was filed after the window, as goodwill (D4)."
    )
    reason: RefundReason | None = strawberry.field(description="Why money is asked back; none when none was given.")
    reason_detail: RefundReasonDetail | None = strawberry.field(
        description="What exactly, for the reasons that need it."
    )
    explanation: str | None = strawberry.field(description="The requester's own words.")
    requested_amount: Money | None = leaf(
        lambda row: money(row.requested_minor, row.currency),
        description="What was asked for; none when issued unasked.",
    )
    approved_amount: Money | None = leaf(
        lambda row: money(row.approved_minor, row.currency), description="What was approved, once it was."
    )
    consented_amount: Money | None = leaf(
        lambda row: money(row.consented_minor, row.currency),
        description="What the expert consents to while support decides (C15).",
    )
    credited_amount: Money | None = leaf(
        lambda row: money(row.credited_minor, row.currency), description="What was credited, once it was."
    )

    @level(
        description="What of it is neither credited nor declined for good, as far as the money is there: undecided, "
        "or still open to be taken to support (D19); none when nothing is."
    )
    @staticmethod
    async def open_amount(rows: list[CaseRow], info: LevelInfo) -> Level[Money | None]:
        return await open_amounts(info, [row.id for row in rows])

    @level(description="The decision that waits for a second signature (D23); for staff, none for others.")
    @staticmethod
    async def proposal(rows: list[CaseRow], info: LevelInfo) -> Level[RefundProposal | None]:
        staff = info.context.signed_in().is_staff
        return [proposal_of(row) if staff else None for row in rows]

    @level(description="The case that an expert approved in part, whose rest this one asks for (D19).")
    @staticmethod
    async def continues(rows: list[CaseRow], info: LevelInfo) -> Level[LazyRefundCase | None]:
        return await cases_of(info, [row.continues_id for row in rows])

    @level(description="The case that asks for the rest of this one, which an expert approved in part (D19).")
    @staticmethod
    async def continued_by(rows: list[CaseRow], info: LevelInfo) -> Level[LazyRefundCase | None]:
        return await cases_of(info, [row.continued_by_id for row in rows])

    opened_at: datetime = strawberry.field(description="When it was opened.")
    updated_at: datetime = strawberry.field(description="When its last event happened.")
    decided_at: datetime | None = strawberry.field(description="When it was last approved or declined.")
    credited_at: datetime | None = strawberry.field(description="When the money was credited.")
    reversed_at: datetime | None = strawberry.field(description="When the credit was reversed (D16).")

    @level(description="Where the money of the case stands (D13).")
    @staticmethod
    async def settlement(rows: list[CaseRow], info: LevelInfo) -> Level[Settlement]:
        return await settlements(info, rows)

    @level(description="Who has to act next, at this instant.")
    @staticmethod
    def whose_move(rows: list[CaseRow], info: LevelInfo) -> list[WhoseMove]:
        now = to_micros(info.context.now)
        return [row.mover(now) for row in rows]

    respond_by: datetime | None = strawberry.field(
        description="When an unanswered request moves to support by itself (D7, D8); none when nothing is asked of "
        "the expert."
    )

    @level(description="When support's decision is due (L14, D20); none while nothing waits for support (D24).")
    @staticmethod
    def target_at(rows: list[CaseRow], info: LevelInfo) -> list[datetime | None]:
        now = to_micros(info.context.now)
        return [row.target_at(now) for row in rows]

    @level(description="Whether support's decision is late (L14, D20).")
    @staticmethod
    def overdue(rows: list[CaseRow], info: LevelInfo) -> list[bool]:
        now = to_micros(info.context.now)
        return [row.is_overdue(now) for row in rows]

    @level(personal=True, description="Everything a person can do to it, for you: open, or with all reasons why not.")
    @staticmethod
    async def actions(rows: list[CaseRow], info: LevelInfo) -> Level[list[ActionAvailability]]:
        return await case_actions(info, [row.id for row in rows])

    @level(description="Every deadline that runs on it now.")
    @staticmethod
    async def clocks(rows: list[CaseRow], info: LevelInfo) -> Level[list[Clock]]:
        return await clocks_of_cases(info, [row.id for row in rows])

    @paged(description="Everything that happened, oldest first.")
    @staticmethod
    async def events(rows: list[CaseRow], info: LevelInfo, page: Page) -> Level[Connection[RefundEvent]]:
        viewer = info.context.signed_in()
        read = [getattr(row, "events", None) for row in rows]
        if None not in read:
            return read
        ids = [row.id for row in rows]
        return await list_events(info.context.app.database, viewer, ids, page, info.selection)

    @level(description="What supports it, oldest first; the first 100.")
    @staticmethod
    async def evidence(rows: list[CaseRow], info: LevelInfo) -> Level[list[Evidence]]:
        viewer = info.context.signed_in()
        ids = [row.id for row in rows]
        return await evidence_of_cases(info.context.app.database, viewer, ids, info.selection)

    @paged(description="What people said on it, as far as it was said to you, oldest first.")
    @staticmethod
    async def messages(rows: list[CaseRow], info: LevelInfo, page: Page) -> Level[Connection[CaseMessage]]:
        viewer = info.context.signed_in()
        ids = [row.id for row in rows]
        return await list_case_messages(info.context.app.database, viewer, ids, page, info.selection)

    assignee: LazyAccount | None = strawberry.field(
        description="The member of staff who takes care of it; for staff, none for others."
    )

    @level(description="The withdrawal that sends the credit on, for its owner and staff (D10).")
    @staticmethod
    async def withdrawal(rows: list[CaseRow], info: LevelInfo) -> Level[LazyWithdrawal | None]:
        return await withdrawals_of(info, [row.withdrawal_id for row in rows])

    @level(
        personal=True,
        description="Whether it holds something new for you: an event of somebody else, or of the desk itself, after "
        "what you have marked as read.",
    )
    @staticmethod
    async def unread(rows: list[CaseRow], info: LevelInfo) -> list[bool]:
        found = await unread_cases(info.context.app.database, info.context.signed_in(), [row.id for row in rows])
        return [row.id in found for row in rows]

    policy_version: str = strawberry.field(description="The version of the rules it was last acted on under.")


@strawberry.type(description="One page of a list of cases.")
class RefundCaseConnection(Followed, Connection[RefundCase]):
    pass


@strawberry.type
class RefundCaseQueries:
    @level(description="A case by its id; none when there is none that you can see.")
    @staticmethod
    async def refund_case(
        rows: list[Any],
        info: LevelInfo,
        id: Annotated[strawberry.ID, strawberry.argument(description="The case's id.")],
    ) -> Level[RefundCase | None]:
        info.context.signed_in()
        return await cases_of(info, [uuid_of("RefundCase", id)])

    @level(description="A case by its short number; none when there is none that you can see.")
    @staticmethod
    async def refund_case_by_number(
        rows: list[Any],
        info: LevelInfo,
        number: Annotated[
            str, strawberry.argument(description="The number, such as RC-000123, in any case of letters.")
        ],
    ) -> Level[RefundCase | None]:
        viewer = info.context.signed_in()
        events = page_below(info, "events")
        return [await queries.case_by_number(info.context.app.database, viewer, number, info.selection, events)]

    @paged(description="The cases you are a party of, newest first; all cases for staff.")
    @staticmethod
    async def refund_cases(
        rows: list[Any],
        info: LevelInfo,
        page: Page,
        filter: CaseFilterArgument = None,
        order_by: CaseOrderArgument = None,
    ) -> Level[RefundCaseConnection]:
        viewer = info.context.signed_in()
        asked, events = case_filter(filter), page_below(info, "edges", "node", "events")
        database = info.context.app.database
        return [
            await queries.list_cases(
                database, viewer, asked, order_by, page, info.selection, events, now=info.context.now
            )
        ]
