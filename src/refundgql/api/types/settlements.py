"""Where the money of a case stands, and to some what is missing (D13)."""

from dataclasses import dataclass

import strawberry

from refundgql.api.context import LevelInfo
from refundgql.api.types.money import Money
from refundgql.domain.cases import shortfall
from refundgql.domain.facts import Facts
from refundgql.domain.money import Money as DomainMoney
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import SettlementStatus
from refundgql.gql.rows import row
from refundgql.queries.case_rows import CaseRow


@row("SettlementRow")
@strawberry.type(description="Where the money of a case stands.")
class Settlement:
    status: SettlementStatus = strawberry.field(description="Whether it is due, awaited, credited or taken back.")
    shortfall: Money | None = strawberry.field(
        description="What the expert's balance lacks while funds are awaited; for the expert and staff."
    )


@dataclass(slots=True)
class SettlementRow:
    """Where the money of one case stands, for one viewer."""

    status: str
    shortfall: DomainMoney | None = None


async def settlements(info: LevelInfo, rows: list[CaseRow]) -> list[SettlementRow]:
    """Return the settlement of each case; facts are loaded only for cases that wait for funds."""
    viewer: Viewer = info.context.signed_in()
    answers = [SettlementRow(row.settlement) for row in rows]
    waiting = [at for at, row in enumerate(rows) if row.settlement == SettlementStatus.AWAITING_FUNDS]
    if waiting and "shortfall" in info.selection:
        found = await info.context.case_facts([rows[at].id for at in waiting])
        for at, facts in zip(waiting, found, strict=True):
            if facts is not None and _may_know(facts, viewer):
                missing = shortfall(facts, info.context.app.policy, info.context.now)
                answers[at].shortfall = DomainMoney(missing, facts.payment.currency)
    return answers


def _may_know(facts: Facts, viewer: Viewer) -> bool:
    return viewer.is_staff or (facts.contract is not None and facts.contract.expert_id == viewer.account_id)
