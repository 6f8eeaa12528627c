"""Records as the marketplace sends them, a small complete set of them, and the account it sends them with."""

from __future__ import annotations

import copy
from dataclasses import astuple
from typing import Any

from command_world import World

from refundgql.commands.sync_records import SyncCounts, sync_records
from refundgql.domain.refusals import Refusal
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import Role
from refundgql.storage.ledger_checks import verify

Shape = dict[str, dict[str, Any]]

SERVICE = Viewer("00000000-0000-7000-8000-000000000000", "marketplace", "Marketplace", frozenset({Role.SERVICE}))


def money(amount: str, currency: str = "USD") -> dict[str, str]:
    """Return money as clients write it."""
    return {"amount": amount, "currencyCode": currency}


def account(ref: str, *roles: str, **more: Any) -> Shape:
    """Return an account."""
    return {"account": {"externalRef": ref, "name": ref.title(), "roles": list(roles), **more}}


def lead(ref: str = "lead", **more: Any) -> Shape:
    """Return a lead for 18.00 USD."""
    values = {
        "externalRef": ref,
        "pro": "pro",
        "customer": "customer",
        "title": "Fence",
        "category": "Painting",
        "location": "Leeds",
        "price": money("18.00"),
        "chargedAt": "2026-02-20T08:00:00Z",
    }
    return {"lead": values | more}


def message(ref: str, author: str, sent_at: str, **more: Any) -> Shape:
    """Return a message of the lead's chat."""
    return {
        "message": {"externalRef": ref, "lead": "lead", "author": author, "body": f"From {author}", "sentAt": sent_at}
        | more
    }


def contract(ref: str, kind: str, **more: Any) -> Shape:
    """Return an open contract in USD between the client and the expert."""
    values = {
        "externalRef": ref,
        "kind": kind,
        "client": "client",
        "expert": "expert",
        "title": "Gearbox drawings",
        "status": "OPEN",
        "currencyCode": "USD",
        "startedAt": "2025-06-01T00:00:00Z",
    }
    return {"contract": values | more}


def milestone(ref: str, status: str = "FUNDED", amount: str = "300.00", **more: Any) -> Shape:
    """Return a milestone of the fixed-price contract, funded and released as its status says."""
    values: dict[str, Any] = {
        "externalRef": ref,
        "contract": "fixed",
        "title": "Drawings",
        "amount": money(amount),
        "status": status,
    }
    if status != "UNFUNDED":
        values["fundedAt"] = "2026-01-10T09:00:00Z"
    if status == "RELEASED":
        values["releasedAt"] = "2026-01-20T09:00:00Z"
    return {"milestone": values | more}


def week(ref: str, starts_on: str = "2026-02-23", hours: str = "10.5", rate: str = "20.00", **more: Any) -> Shape:
    """Return a week of the hourly contract."""
    values = {"externalRef": ref, "contract": "hourly", "startsOn": starts_on, "hours": hours, "rate": money(rate)}
    return {"billingWeek": values | more}


def invoice(ref: str, contract_ref: str, amount: str, paid_at: str | None = None, **more: Any) -> Shape:
    """Return an invoice, paid when an instant is given."""
    values = {
        "externalRef": ref,
        "contract": contract_ref,
        "number": ref.upper(),
        "amount": money(amount),
        "issuedAt": "2026-01-05T00:00:00Z",
    }
    return {"invoice": values | ({} if paid_at is None else {"paidAt": paid_at}) | more}


def review(ref: str, contract_ref: str, author: str, **more: Any) -> Shape:
    """Return a review."""
    values = {
        "externalRef": ref,
        "contract": contract_ref,
        "author": author,
        "rating": 4,
        "body": "Careful work.",
        "postedAt": "2026-02-01T00:00:00Z",
    }
    return {"review": values | more}


def refund(ref: str, amount: str, **about: Any) -> Shape:
    """Return a refund of the past."""
    return {"refund": {"externalRef": ref, "amount": money(amount), "creditedAt": "2026-02-25T00:00:00Z"} | about}


def chargeback(ref: str, amount: str, status: str = "OPEN", **about: Any) -> Shape:
    """Return money that a bank wants back."""
    values = {"externalRef": ref, "amount": money(amount), "status": status, "openedAt": "2026-03-01T00:00:00Z"}
    return {"chargeback": values | about}


def people() -> list[Shape]:
    """Return somebody for every part."""
    return [
        account("pro", "PRO"),
        account("customer", "CUSTOMER"),
        account("client", "CLIENT", openingBalance=money("100.00")),
        account("expert", "EXPERT"),
        account("both", "CLIENT", "EXPERT"),
    ]


def everything() -> list[Shape]:
    """Return a small marketplace: a lead with its chat, and both kinds of contract with all their parts."""
    return [
        *people(),
        lead(),
        message("hello", "customer", "2026-02-20T08:01:00Z"),
        message("answer", "pro", "2026-02-20T08:05:00Z"),
        contract("hourly", "HOURLY"),
        week("week-7", "2026-02-16"),
        week("week-8", "2026-02-23"),
        invoice("invoice-7", "hourly", "210.00", "2026-02-23T01:00:00Z", billingWeek="week-7"),
        invoice(
            "invoice-8", "hourly", "210.00", "2026-03-02T01:00:00Z", billingWeek="week-8", fromBalance=money("60.00")
        ),
        contract("fixed", "FIXED_PRICE"),
        milestone("later", "UNFUNDED"),
        milestone("escrow", "FUNDED"),
        milestone("done", "RELEASED"),
        invoice("invoice-done", "fixed", "300.00", "2026-01-10T09:00:00Z", milestone="done"),
        invoice("extra", "fixed", "40.00", "2026-02-01T00:00:00Z"),
        invoice("open", "fixed", "25.00"),
        review("praise", "fixed", "client"),
    ]


def having(shape: Shape, **more: Any) -> Shape:
    """Return a record with other values; None takes one away."""
    ((kind, values),) = copy.deepcopy(shape).items()
    return {kind: {name: value for name, value in (values | more).items() if value is not None}}


async def sync(world: World, *shapes: Shape) -> tuple[int, int, int]:
    """Take records in and return how many were created, updated and unchanged; the ledger holds afterwards."""
    counts: SyncCounts = await sync_records(world.uow, SERVICE, shapes)
    assert [finding async for finding in verify(world.database)] == []
    return counts.created, counts.updated, counts.unchanged


async def counted(world: World, *shapes: Shape) -> tuple[int, ...]:
    """Take records in and return how many were created, updated, unchanged and stale; the ledger holds afterwards."""
    counts: SyncCounts = await sync_records(world.uow, SERVICE, shapes)
    assert [finding async for finding in verify(world.database)] == []
    return astuple(counts)


async def refused(world: World, *shapes: Shape) -> list[Refusal]:
    """Return why records are refused, after making sure that nothing has changed."""
    return await world.refused(lambda: sync_records(world.uow, SERVICE, shapes))


def told_fields(refusals: list[Refusal]) -> list[tuple[str, str | None, str]]:
    """Return code, rule and field of refusals, the field's path with dots."""
    return [(it.code.value, it.rule, ".".join(it.field or ())) for it in refusals]
