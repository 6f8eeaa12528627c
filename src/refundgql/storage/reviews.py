"""Reviews of contracts: rows to domain objects and back."""

from __future__ import annotations

from refundgql.domain.calendar import from_micros, to_micros
from refundgql.domain.facts import ContractFacts
from refundgql.domain.reviews import Review
from refundgql.domain.vocabulary import ContractKind, ContractStatus
from refundgql.storage.database import Dialect, Row, Transaction


async def lock_contract(tx: Transaction, contract_id: str) -> ContractFacts | None:
    """Return a contract without its totals, locked until the transaction ends."""
    row = await tx.fetch_row(f"SELECT * FROM contract WHERE id = ?{_for_update(tx)}", (contract_id,))
    if row is None:
        return None
    return ContractFacts(
        id=str(row["id"]),
        kind=ContractKind(row["kind"]),
        status=ContractStatus(row["status"]),
        client_id=str(row["client_id"]),
        expert_id=str(row["expert_id"]),
        currency=row["currency"],
        started_at=from_micros(row["started_at"]),
        ended_at=None if row["ended_at"] is None else from_micros(row["ended_at"]),
        reviews_hidden=bool(row["reviews_hidden"]),
    )


async def lock_review(tx: Transaction, review_id: str) -> Review | None:
    """Return a review, locked until the transaction ends."""
    row = await tx.fetch_row(f"SELECT * FROM review WHERE id = ?{_for_update(tx)}", (review_id,))
    return None if row is None else _review(row)


async def find_review_by(tx: Transaction, contract_id: str, author_id: str) -> Review | None:
    """Return the review that one party posted of a contract."""
    row = await tx.fetch_row("SELECT * FROM review WHERE contract_id = ? AND author_id = ?", (contract_id, author_id))
    return None if row is None else _review(row)


async def insert_review(tx: Transaction, review: Review, external_ref: str | None = None) -> None:
    """Keep a new review; what was decided on the contract without it is decided again."""
    await tx.execute("UPDATE contract SET version = version + 1 WHERE id = ?", (review.contract_id,))
    await tx.execute(
        "INSERT INTO review (id, external_ref, contract_id, author_id, subject_id, rating, body, posted_at, edited_at,"
        " edit_allowed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            review.id,
            external_ref,
            review.contract_id,
            review.author_id,
            review.subject_id,
            review.rating,
            review.body,
            to_micros(review.posted_at),
            None if review.edited_at is None else to_micros(review.edited_at),
            review.edit_allowed,
        ),
    )


async def update_review(tx: Transaction, review: Review) -> None:
    """Keep a review as it stands now."""
    await tx.execute(
        "UPDATE review SET rating = ?, body = ?, edited_at = ?, edit_allowed = ? WHERE id = ?",
        (
            review.rating,
            review.body,
            None if review.edited_at is None else to_micros(review.edited_at),
            review.edit_allowed,
            review.id,
        ),
    )


def _for_update(tx: Transaction) -> str:
    return " FOR UPDATE" if tx.dialect is Dialect.POSTGRES else ""


def _review(row: Row) -> Review:
    return Review(
        id=str(row["id"]),
        contract_id=str(row["contract_id"]),
        author_id=str(row["author_id"]),
        subject_id=str(row["subject_id"]),
        rating=row["rating"],
        body=row["body"],
        posted_at=from_micros(row["posted_at"]),
        edited_at=None if row["edited_at"] is None else from_micros(row["edited_at"]),
        edit_allowed=bool(row["edit_allowed"]),
    )
