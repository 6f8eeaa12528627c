"""Who sees which rows: the one place that turns a viewer into a condition, as SQL for statements and as a predicate.

It must not be worked around: every statement that shows rows to somebody carries one of these conditions. Conditions
name columns of a table's alias, given by the caller; a viewer's roles count as they are now, so a role that was taken
away takes its rows with it. What is not visible does not exist for its viewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from refundgql.domain.facts import Case, ContractFacts, Facts, LeadFacts
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import RefundActionName, RefundCaseKind, Role

Condition = tuple[str, Sequence[Any]]
"""An SQL condition and its parameters."""

EVERYTHING: Condition = ("TRUE", ())
NOTHING: Condition = ("FALSE", ())


def sees_all(viewer: Viewer) -> bool:
    """Tell whether a viewer sees every lead, contract and case with its money: staff, and the marketplace's systems.

    The marketplace acts on what has happened. What people wrote for a decision (chats, evidence, messages, their own
    words and notes) is not for it: see `reads_words`.
    """
    return viewer.is_staff or viewer.is_service


def reads_words(viewer: Viewer) -> bool:
    """Tell whether a viewer reads what was written with a case that they see: everybody but the marketplace."""
    return viewer.is_staff or not viewer.is_service


def leads(viewer: Viewer, alias: str = "l") -> Condition:
    """Return which leads a viewer sees: a PRO their own, staff and SERVICE all, customers none (L02)."""
    return EVERYTHING if sees_all(viewer) else _own_leads(viewer, alias)


def _own_leads(viewer: Viewer, alias: str) -> Condition:
    if viewer.is_staff:
        return EVERYTHING
    if Role.PRO in viewer.roles:
        return f"{alias}.pro_id = ?", (viewer.account_id,)
    return NOTHING


def messages(viewer: Viewer, alias: str = "m") -> Condition:
    """Return which chat messages a viewer sees: those of their own leads, staff all, SERVICE none for being that."""
    return _through("lead_id", "lead", _own_leads(viewer, "lead"), alias)


def contracts(viewer: Viewer, alias: str = "k") -> Condition:
    """Return which contracts a viewer sees: as client with CLIENT, as expert with EXPERT, staff and SERVICE all."""
    if sees_all(viewer):
        return EVERYTHING
    sides = [
        f"{alias}.{column} = ?"
        for role, column in ((Role.CLIENT, "client_id"), (Role.EXPERT, "expert_id"))
        if role in viewer.roles
    ]
    return _any_of(sides, viewer)


def of_contracts(viewer: Viewer, alias: str) -> Condition:
    """Return which invoices, milestones, weeks and reviews a viewer sees: those of the contracts they see.

    The contract's two parties read its reviews, hidden or not (C21).
    """
    return _through("contract_id", "contract", contracts(viewer, "contract"), alias)


def cases(viewer: Viewer, alias: str = "c") -> Condition:
    """Return which refund cases a viewer sees: their own in the role that makes them theirs, staff and SERVICE all."""
    return EVERYTHING if sees_all(viewer) else _own_cases(viewer, alias)


def _own_cases(viewer: Viewer, alias: str) -> Condition:
    if viewer.is_staff:
        return EVERYTHING
    # The client asks and the expert answers, except where the expert issued a refund by himself. Not unequal is how
    # SQLite is kept from looking a kind up instead of a person: half of all cases are of one kind.
    lead, issued = f"NOT {alias}.kind <> 'LEAD'", f"{alias}.opened_by = 'ISSUE'"
    asked = f"({alias}.kind <> 'LEAD' AND {alias}.opened_by <> 'ISSUE')"
    pro, client, expert = (role in viewer.roles for role in (Role.PRO, Role.CLIENT, Role.EXPERT))
    sides = []
    for column, seen in (
        ("requester_id", [how for how, has in ((lead, pro), (asked, client), (issued, expert)) if has]),
        ("counterparty_id", [how for how, has in ((issued, client), (asked, expert)) if has]),
    ):
        if seen:
            sides.append(f"({alias}.{column} = ? AND ({' OR '.join(seen)}))")
    return _any_of(sides, viewer)


def events(viewer: Viewer, alias: str = "e") -> Condition:
    """Return which events a viewer sees: every one of a case they see."""
    return _through("case_id", "refund_case", cases(viewer, "refund_case"), alias)


def evidence(viewer: Viewer, alias: str = "e") -> Condition:
    """Return which evidence a viewer sees: of their own cases, by audience (D26); staff all, SERVICE none."""
    return _by_audience(viewer, alias, "added_by_id")


def case_messages(viewer: Viewer, alias: str = "m") -> Condition:
    """Return which case messages a viewer sees: by audience, and what they wrote."""
    return _by_audience(viewer, alias, "author_id")


def _by_audience(viewer: Viewer, alias: str, writer: str) -> Condition:
    if viewer.is_staff:
        return EVERYTHING
    condition, parameters = _own_cases(viewer, "refund_case")
    audience = (
        f"{alias}.audience = 'EVERYONE' OR {alias}.{writer} = ?"
        f" OR ({alias}.audience = 'REQUESTER_AND_SUPPORT' AND refund_case.requester_id = ?)"
        f" OR ({alias}.audience = 'COUNTERPARTY_AND_SUPPORT' AND refund_case.counterparty_id = ?)"
    )
    return (
        f"EXISTS (SELECT 1 FROM refund_case WHERE refund_case.id = {alias}.case_id AND {condition} AND ({audience}))",
        (*parameters, *[viewer.account_id] * 3),
    )


def accounts(viewer: Viewer, alias: str = "a") -> Condition:
    """Return which accounts a viewer may come across: their own, and the people of what they see; `sees_all` all.

    Of another person's account such a viewer sees the name and the reference only: see `owns`.
    """
    if sees_all(viewer):
        return EVERYTHING
    contract, contract_parameters = contracts(viewer, "k")
    case, case_parameters = cases(viewer, "c")
    return (
        f"({alias}.id = ?"
        f" OR EXISTS (SELECT 1 FROM contract k WHERE {alias}.id IN (k.client_id, k.expert_id) AND {contract})"
        f" OR EXISTS (SELECT 1 FROM refund_case c"
        f" WHERE {alias}.id IN (c.requester_id, c.counterparty_id, c.filed_by_id) AND {case})"
        f" OR EXISTS (SELECT 1 FROM refund_event e JOIN refund_case c ON c.id = e.case_id"
        f" WHERE e.actor_id = {alias}.id AND COALESCE(e.audience, '') <> 'INTERNAL' AND {case}))",
        (viewer.account_id, *contract_parameters, *case_parameters, *case_parameters),
    )


def owned(viewer: Viewer, column: str) -> Condition:
    """Return whose balances and lists a viewer sees, as `owns` says; `column` holds the account's id."""
    if sees_all(viewer):
        return EVERYTHING
    return f"{column} = ?", (viewer.account_id,)


def owns(viewer: Viewer, account_id: str) -> bool:
    """Tell whether a viewer sees all of an account: its roles, balances and lists."""
    return sees_all(viewer) or account_id == viewer.account_id


def transactions(viewer: Viewer, alias: str = "t") -> Condition:
    """Return which lines of histories a viewer sees: their own postings, and the requests of cases they see.

    A line has the `account_id` of its balance and a `position`, which is 0 for requests; their id is the case's.
    """
    if sees_all(viewer):
        return EVERYTHING
    case, parameters = cases(viewer, "refund_case")
    asked = f"EXISTS (SELECT 1 FROM refund_case WHERE refund_case.id = {alias}.id AND {case})"
    mine, me = owned(viewer, f"{alias}.account_id")
    return f"{mine} AND ({alias}.position > 0 OR {asked})", (*me, *parameters)


def withdrawals(viewer: Viewer, alias: str = "w") -> Condition:
    """Return which withdrawals a viewer sees: their own; staff and the marketplace that sends the money, all."""
    return owned(viewer, f"{alias}.account_id")


def webhook_endpoints(viewer: Viewer, alias: str = "x") -> Condition:
    """Return which webhook endpoints a viewer sees: an administrator those that were not deleted, nobody else any."""
    return (f"{alias}.deleted_at IS NULL", ()) if viewer.is_admin else NOTHING


def webhook_deliveries(viewer: Viewer, alias: str = "x") -> Condition:
    """Return which webhook deliveries a viewer sees: those to the endpoints they see."""
    return _through("endpoint_id", "webhook_endpoint", webhook_endpoints(viewer, "webhook_endpoint"), alias)


def sees_lead(viewer: Viewer, lead: LeadFacts) -> bool:
    """Tell whether a viewer sees a lead."""
    return sees_all(viewer) or (Role.PRO in viewer.roles and lead.pro_id == viewer.account_id)


def sees_contract(viewer: Viewer, contract: ContractFacts) -> bool:
    """Tell whether a viewer sees a contract, with its invoices, milestones, weeks and reviews."""
    return (
        sees_all(viewer)
        or (Role.CLIENT in viewer.roles and contract.client_id == viewer.account_id)
        or (Role.EXPERT in viewer.roles and contract.expert_id == viewer.account_id)
    )


def sees_payment(viewer: Viewer, facts: Facts) -> bool:
    """Tell whether a viewer sees what was paid: the lead, or the things of the contract."""
    if facts.lead is not None:
        return sees_lead(viewer, facts.lead)
    return facts.contract is not None and sees_contract(viewer, facts.contract)


def sees_case(viewer: Viewer, case: Case) -> bool:
    """Tell whether a viewer sees a refund case."""
    if sees_all(viewer):
        return True
    me = viewer.account_id
    if case.kind is RefundCaseKind.LEAD:
        return Role.PRO in viewer.roles and case.requester_id == me
    client, expert = case.requester_id, case.counterparty_id
    if case.opened_by is RefundActionName.ISSUE:
        client, expert = expert or "", client
    return (Role.CLIENT in viewer.roles and client == me) or (Role.EXPERT in viewer.roles and expert == me)


def _any_of(sides: Sequence[str], viewer: Viewer) -> Condition:
    """Join conditions of one parameter each, the viewer's id."""
    if not sides:
        return NOTHING
    joined = " OR ".join(sides)
    return (f"({joined})" if len(sides) > 1 else joined), (viewer.account_id,) * len(sides)


def _through(column: str, table: str, condition: Condition, alias: str) -> Condition:
    """Return the condition on rows that belong to a row of another table, which carries the condition itself."""
    if condition in (EVERYTHING, NOTHING):
        return condition
    sql, parameters = condition
    return f"EXISTS (SELECT 1 FROM {table} WHERE {table}.id = {alias}.{column} AND {sql})", parameters
