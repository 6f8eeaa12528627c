"""A billing week's money at the dispute cut-off: undisputed, it goes to the expert.

It must not decide a dispute: while one is open the money stays held, and its decision releases the rest.
"""

from __future__ import annotations

from refundgql.domain.decisions import Posting
from refundgql.domain.facts import Facts
from refundgql.domain.ledger import balance, held
from refundgql.domain.money import Money
from refundgql.domain.vocabulary import BalancePurpose, RefundCaseKind


def is_held_by_dispute(facts: Facts) -> bool:
    """Tell whether an open timesheet dispute holds the week's money (C25)."""
    return facts.payment.open_case_kind is RefundCaseKind.TIMESHEET


def release_week(facts: Facts) -> Posting | None:
    """Return the posting that gives the expert what is left of a week's held money; nothing when there is none."""
    payment, contract = facts.payment, facts.contract
    if contract is None or facts.funds.held_minor <= 0:
        return None
    return Posting(
        fact="RELEASE",
        from_key=held(payment.id, payment.currency),
        to_key=balance(contract.expert_id, BalancePurpose.CONTRACTS, payment.currency),
        amount=Money(facts.funds.held_minor, payment.currency),
        description="Week released: the dispute deadline has passed",
        payment_id=payment.id,
    )
