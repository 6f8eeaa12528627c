"""A case and its row, in both directions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from refundgql.domain.facts import Case
from refundgql.storage.rows import kept, readers

COLUMNS: tuple[str, ...] = tuple(Case.__dataclass_fields__)
"""The columns of refund_case, named as the fields of a case."""

_READERS = tuple((name, readers(Case)[name]) for name in COLUMNS)


def case_from(values: Iterable[Any]) -> Case:
    """Return the case whose columns hold these values, in the order of COLUMNS."""
    return Case(
        **{
            name: value if read is None or value is None else read(value)
            for (name, read), value in zip(_READERS, values, strict=True)
        }
    )


def column_value(case: Case, name: str) -> Any:
    """Return one field of a case as its column keeps it."""
    return kept(getattr(case, name))


def changed_columns(before: Case, after: Case) -> list[str]:
    """Return the names of the columns in which two states of one case differ."""
    was, now = vars(before), vars(after)
    return [name for name in COLUMNS if was[name] is not now[name] and was[name] != now[name]]
