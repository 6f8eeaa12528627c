"""What can go wrong in the database, as a handful of typed errors; no driver's exception leaves the storage layer."""

from __future__ import annotations

from collections.abc import Iterator


class StorageError(Exception):
    """The database could not do what it was asked."""


class TransientFault(StorageError):
    """The transaction lost a race, a lock or its connection and changed nothing: run the whole of it again."""


class CommitUnknown(TransientFault):
    """The connection was lost while committing: it may have happened, so only a repeat that can tell is safe."""


class BalanceRace(TransientFault):
    """A balance was spent between looking and posting: decide again."""


class NeedsTransaction(TransientFault):
    """What was begun without a transaction cannot be done without one, and nothing was: run it again in one."""


class Unwritable(StorageError):
    """The database takes nothing: it is read-only, full, broken or lets nobody in; somebody has to look after it."""


class StatementTimeout(StorageError):
    """One statement took longer than it may."""


class ConstraintViolated(StorageError):
    """A constraint of the database refused a row; `name` is the constraint's, the same on both databases."""

    def __init__(self, name: str) -> None:
        """Keep the constraint's name."""
        super().__init__(f"The database refuses a row: {name}.")
        self.name = name


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and, one after another, what it was raised for."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


class UnknownSchema(StorageError):
    """The database holds a schema that this version does not know; the message says what to do."""


ONE_OPEN_CASE = "one_open_case_per_payment"
"""A payment already has an open case (D14)."""

ONE_LIVE_CASE_PER_LEAD = "one_live_case_per_lead"
"""A lead already has a case that was not cancelled (D6)."""

ONE_CREDIT_PER_CASE = "one_credit_per_case"
"""A case was already credited from that account."""

LOST_RACES: dict[str, type[TransientFault]] = {
    "ledger_balance_not_negative": BalanceRace,
    "ledger_account(key)": TransientFault,
    "event_sequence_without_gap": TransientFault,
    "refund_event.commit_order": TransientFault,  # the same: there is no event before it
    "refund_event(case_id,sequence)": TransientFault,
    "idempotent_result(account_id,key)": TransientFault,
}
"""Rules that a decision made under lock can break only by losing a race: the repeat sees what the other one did."""

UNIQUE_NAMES = {
    "refund_case(payment_id)": ONE_OPEN_CASE,
    "refund_case(lead_id)": ONE_LIVE_CASE_PER_LEAD,
    "posting(case_id,from_key)": ONE_CREDIT_PER_CASE,
}
"""Unique indexes with a meaning of their own; any other is named by its table and columns, as `table(column,…)`."""


def unique_violation(table: str, columns: str) -> ConstraintViolated:
    """Return the violation of a unique index over comma-separated columns, named the same on both databases."""
    name = f"{table}({columns.replace(' ', '')})"
    return ConstraintViolated(UNIQUE_NAMES.get(name, name))
