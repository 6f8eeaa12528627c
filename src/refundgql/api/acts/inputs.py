"""From GraphQL inputs to the typed inputs of commands: ids decoded, amounts named, absent values None."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any, Final, TypeVar

import strawberry
from strawberry.utils.str_converters import to_camel_case

from refundgql.api.faults import told, too_many
from refundgql.api.types.ids import uuid_of
from refundgql.api.types.money import MoneyInput, given_amount
from refundgql.domain.sentences import sentence
from refundgql.queries.evidence import TYPES

Command = TypeVar("Command")

KEY = "A text of your choice, at most 200 characters, that makes a repeat harmless: the same key with the same input "
KEY += "replays what it did."
VERSION = "The version of the case you decided on; anything newer refuses with VERSION_CONFLICT."


LIST_ITEMS = 100
"""What a page shows; more cannot be looked at anyway."""
TEXT_CHARS = 200
"""As long as the names and references that are looked for."""


class Input:
    """An input whose absent values read as None."""

    def __post_init__(self) -> None:
        """Put None in the place of what the client left out."""
        for one in fields(self):  # type: ignore[arg-type]  # subclasses are dataclasses
            if getattr(self, one.name) is strawberry.UNSET:
                setattr(self, one.name, None)


def optional(description: str) -> Any:
    """Declare a value that clients may leave out."""
    return strawberry.field(default=strawberry.UNSET, description=description)


def required(description: str) -> Any:
    """Declare a value that clients must give."""
    return strawberry.field(description=description)


def check_length(items: Sequence[Any] | None, name: str) -> None:
    """Check a list, whose items become parameters of a statement. Refuses: BAD_USER_INPUT over 100."""
    if items is not None and len(items) > LIST_ITEMS:
        raise too_many(name, LIST_ITEMS)


def check_filter(given: Input | None) -> None:
    """Check the texts of a filter, which become parameters of a statement.

    Refuses: BAD_USER_INPUT for lists over 100 and texts over 200 characters.
    """
    for one in () if given is None else fields(given):  # type: ignore[arg-type]  # filters are dataclasses
        value, name = getattr(given, one.name), f"filter.{to_camel_case(one.name)}"
        texts = [it for it in (value if isinstance(value, list) else [value]) if type(it) is str]
        check_length(texts, name)
        if any(len(text) > TEXT_CHARS for text in texts):
            raise told(sentence("AT_MOST_CHARACTERS", "at most {limit} characters.", limit=TEXT_CHARS), argument=name)


_TYPES: Final[dict[str, tuple[str, ...]]] = {
    "refund_case_id": ("RefundCase",),
    "lead_id": ("Lead",),
    "invoice_id": ("Invoice",),
    "billing_week_id": ("BillingWeek",),
    "milestone_id": ("Milestone",),
    "message_ids": ("Message",),
    "evidence_id": tuple(TYPES.values()),
    "contract_id": ("Contract",),
    "review_id": ("Review",),
    "withdrawal_id": ("Withdrawal",),
    "account_id": ("Account",),
    "assignee_id": ("Account",),
    "webhook_endpoint_id": ("WebhookEndpoint",),
    "webhook_delivery_id": ("WebhookDelivery",),
}
"""What the ids of inputs name, by their fields; one of several types where the field says so."""


def command(cls: type[Command], given: Input) -> Command:
    """Return a command's input made from a GraphQL input of the same field names.

    An id of another type than its field names, or no id at all, becomes a text that names nothing, so that the command
    answers as it does for what does not exist.
    """
    values: dict[str, Any] = {}
    for one in fields(cls):  # type: ignore[arg-type]  # commands are dataclasses
        value, types = getattr(given, one.name), _TYPES.get(one.name)
        if isinstance(value, MoneyInput):
            value = given_amount(value)
        elif types is not None and value is not None:
            value = tuple(_uuid(types, it) for it in value) if isinstance(value, list) else _uuid(types, value)
        values[one.name] = value
    return cls(**values)


def _uuid(types: Iterable[str], global_id: str) -> str:
    return next(filter(None, (uuid_of(name, global_id) for name in types)), "")
