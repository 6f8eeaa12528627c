"""One effect per key: the same key with the same input gives back what it did, whatever happened in between.

It must not store refusals: a retry of a refused act is decided anew.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields
from decimal import Decimal
from functools import cache
from typing import Any, Protocol

from refundgql.commands.checks import KEY_CHARS, Checks
from refundgql.commands.unit_of_work import Unit, UnitOfWork
from refundgql.domain.calendar import to_micros
from refundgql.domain.refusals import Refused, refusal
from refundgql.domain.sentences import sentence
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import RefusalCode
from refundgql.storage.idempotency import StoredResult, find_result, store_result

Made = Mapping[str, str]
"""The names and ids of what a command made."""


class Given(Protocol):
    """A command's input."""

    @property
    def idempotency_key(self) -> str | None:
        """Return the key that its sender chose."""
        ...


async def once(
    uow: UnitOfWork,
    viewer: Viewer,
    given: Given,
    work: Callable[[Unit], Awaitable[Made]],
    *,
    one_write: bool = False,
) -> tuple[Made, bool]:
    """Do the work in one transaction unless this account's key has done it; return what it made, and whether it had.

    Refuses, in this order: INVALID_INPUT for a key that cannot be one, before anything is looked at;
    IDEMPOTENCY_KEY_REUSED when the key did something else; whatever the work refuses.
    """
    key, operation = given.idempotency_key, operation_of(type(given))
    if key is None:
        return await uow.run(work, repeatable=False, one_write=one_write, name=operation), False
    checks = Checks()
    checks.text(key, "idempotencyKey", KEY_CHARS)
    checks.raise_if_any()
    digest = input_sha256(operation, given)

    # Most keys are new: the first attempt goes without a look, and is undone by the key's constraint when it is wrong.
    repeated = False

    async def attempt(unit: Unit) -> tuple[Made, bool]:
        nonlocal repeated
        if repeated and (done := _replay(await find_result(unit.tx, viewer.account_id, key), digest)) is not None:
            return done, True
        repeated = True
        made = await work(unit)
        await store_result(
            unit.tx,
            account_id=viewer.account_id,
            key=key,
            operation=operation,
            input_sha256=digest,
            result=dict(made),
            at=to_micros(unit.now()),
        )
        return made, False

    try:
        return await uow.run(attempt, one_write=one_write, name=operation)
    except Refused:
        # What the key has done stands in the way of doing it again: then it is a replay, not a refusal.
        done = _replay(await find_result(uow.database, viewer.account_id, key), digest)
        if done is None:
            raise
        return done, True


@cache
def operation_of(command: type[Given]) -> str:
    """Return what keys, hashes and traces call a command: its input's class with underscores. It must not change."""
    return re.sub(r"\B(?=[A-Z])", "_", command.__name__).lower()


def input_sha256(operation: str, given: Given) -> str:
    """Return the hash that tells one input from another; the key itself is left out, and so is what is not given."""
    values = {field.name: getattr(given, field.name) for field in fields(given)}  # type: ignore[arg-type]
    values = {name: value for name, value in values.items() if value is not None and name != "idempotency_key"}
    text = json.dumps([operation, values], sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        sign, digits, exponent = value.as_tuple()
        while isinstance(exponent, int) and len(digits) > 1 and digits[-1] == 0:
            digits, exponent = digits[:-1], exponent + 1
        return [sign, digits, exponent]  # 12.50 and 12.5 are one amount
    return [getattr(value, field.name) for field in fields(value)]


def _replay(stored: StoredResult | None, digest: str) -> Made | None:
    if stored is None:
        return None
    if stored.input_sha256 != digest:
        message = sentence(
            "KEY_REUSED", "This idempotency key was used with another input: use a new key for a new act."
        )
        raise Refused(refusal(RefusalCode.IDEMPOTENCY_KEY_REUSED, message, field=("idempotencyKey",)))
    return stored.result
