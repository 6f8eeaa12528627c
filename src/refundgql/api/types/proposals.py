"""A decision above its decider's limit, until a colleague signs it or gives it back (D23); for staff alone."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import strawberry

from refundgql.api.context import LevelInfo
from refundgql.api.types.lazy import LazyAccount
from refundgql.api.types.money import Money, MoneyRow, money
from refundgql.api.types.relations import accounts_of
from refundgql.domain.vocabulary import RefundDecision
from refundgql.gql.declare import Level, level
from refundgql.queries.case_rows import CaseRow


@dataclass(slots=True)
class ProposalRow:
    """A proposed decision as a client sees it."""

    decision: str
    amount: MoneyRow | None
    proposed_by_id: str | None
    proposed_at: Any
    message: str | None


@strawberry.type(description="A decision that waits for a second signature (D23).")
class RefundProposal:
    decision: RefundDecision = strawberry.field(description="What is proposed.")
    amount: Money | None = strawberry.field(description="How much would be approved; none for a decline.")

    @level(description="Who proposed it, and does not confirm it.")
    @staticmethod
    async def proposed_by(rows: list[ProposalRow], info: LevelInfo) -> Level[LazyAccount]:
        return await accounts_of(info, [row.proposed_by_id for row in rows])

    proposed_at: datetime = strawberry.field(description="When it was proposed.")
    message: str | None = strawberry.field(description="What the parties would read with the decision.")


def proposal_of(row: CaseRow) -> ProposalRow | None:
    """Return the proposed decision of a case, if one is proposed."""
    if row.proposed_decision is None:
        return None
    amount = money(row.proposed_minor, row.currency)
    return ProposalRow(row.proposed_decision, amount, row.proposed_by_id, row.proposed_at, row.proposed_text)
