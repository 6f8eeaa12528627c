"""Reviews of contracts: rows to domain objects and back."""

from __future__ import annotations

from refundgql.domain.facts import ContractFacts
from refundgql.domain.reviews import Review
from refundgql.storage.database import Dialect, Transaction
from refundgql.storage.rows import change, insertion, read


async def lock_contract(tx: Transaction, contract_id: str) -> ContractFacts | None:
    """Return a contract without its totals, locked until the transaction ends."""
    row = await tx.fetch_row(f"SELECT * FROM contract WHERE id = ?{_for_update(tx)}", (contract_id,))
    return None if row is None else read(ContractFacts, row)


async def lock_review(tx: Transaction, review_id: str) -> Review | None:
    """Return a review, locked until the transaction ends."""
    row = await tx.fetch_row(f"SELECT * FROM review WHERE id = ?{_for_update(tx)}", (review_id,))
    return None if row is None else read(Review, row)


async def find_review_by(tx: Transaction, contract_id: str, author_id: str) -> Review | None:
    """Return the review that one party posted of a contract."""
    row = await tx.fetch_row("SELECT * FROM review WHERE contract_id = ? AND author_id = ?", (contract_id, author_id))
    return None if row is None else read(Review, row)


async def insert_review(tx: Transaction, review: Review, external_ref: str | None = None) -> None:
    """Keep a new review; what was decided on the contract without it is decided again."""
    await tx.execute("UPDATE contract SET version = version + 1 WHERE id = ?", (review.contract_id,))
    await tx.execute(*insertion("review", review, external_ref=external_ref))


async def update_review(tx: Transaction, review: Review) -> None:
    """Keep a review as it stands now."""
    changed = {"rating": review.rating, "body": review.body, "edited_at": review.edited_at}
    await tx.execute(*change("review", review.id, **changed, edit_allowed=review.edit_allowed))


def _for_update(tx: Transaction) -> str:
    return " FOR UPDATE" if tx.dialect is Dialect.POSTGRES else ""
