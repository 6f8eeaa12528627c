"""Who sees which rows: the conditions in SQL, the predicates beside them, and what the roles promise are the same."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from seeds import (
    NOW,
    Contract,
    Lead,
    account,
    contract,
    event_of,
    invoice_case,
    lead,
    lead_case,
    locked_facts,
    open_case,
)

from refundgql.domain.decisions import Decision
from refundgql.domain.facts import Case, Facts
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import RefundRoute, Role
from refundgql.storage import visibility
from refundgql.storage.accounts import find_viewer, find_viewer_by_ref
from refundgql.storage.cases import save_decision
from refundgql.storage.database import Database
from refundgql.storage.facts import load_case_facts
from refundgql.storage.ids import new_id
from refundgql.storage.visibility import Condition

ROLE_SETS = [frozenset(roles) for size in range(3) for roles in itertools.combinations(Role, size)]

CONDITIONS: dict[str, tuple[str, str, Callable[[Viewer, str], Condition]]] = {
    "leads": ("lead", "l", visibility.leads),
    "messages": ("message", "m", visibility.messages),
    "contracts": ("contract", "k", visibility.contracts),
    "invoices": ("invoice", "i", visibility.of_contracts),
    "reviews": ("review", "v", visibility.of_contracts),
    "cases": ("refund_case", "c", visibility.cases),
    "events": ("refund_event", "e", visibility.events),
    "evidence": ("evidence", "e", visibility.evidence),
    "case_messages": ("case_message", "m", visibility.case_messages),
    "withdrawals": ("withdrawal", "w", visibility.withdrawals),
}
WORDS = {"messages", "evidence", "case_messages"}


@dataclass(frozen=True, slots=True)
class World:
    """Two leads and two contracts of different people, with cases, words and money on each."""

    database: Database
    leads: tuple[Lead, Lead]
    contracts: tuple[Contract, Contract]
    support_id: str
    lead_case: Case
    asked: Case
    issued: Case

    def viewer(self, account_id: str, roles: frozenset[Role]) -> Viewer:
        """Return an account as a viewer with roles."""
        return Viewer(account_id, "ref", "Somebody", roles)

    async def count(self, name: str, viewer: Viewer) -> int:
        """Return how many rows of a table the viewer sees."""
        table, alias, condition = CONDITIONS[name]
        sql, parameters = condition(viewer, alias)
        return int(await self.database.fetch_value(f"SELECT count(*) FROM {table} {alias} WHERE {sql}", parameters))


@pytest.fixture
async def world(database: Database) -> World:
    """Give the world, filled."""
    async with database.transaction() as tx:
        leads = await lead(tx), await lead(tx)
        contracts = await contract(tx), await contract(tx)
        support = await account(tx, "SUPPORT")
        for of in leads:
            await tx.execute(
                "INSERT INTO message (id, external_ref, lead_id, author_id, body, sent_at)"
                " VALUES (?, ?, ?, ?, 'Hi', 0)",
                (new_id(), new_id(), of.id, of.customer_id),
            )
        for agreed in contracts:
            await tx.execute(
                "INSERT INTO review (id, contract_id, author_id, subject_id, rating, body, posted_at)"
                " VALUES (?, ?, ?, ?, 5, 'Fine', 0)",
                (new_id(), agreed.id, agreed.client_id, agreed.expert_id),
            )
            await tx.execute(
                "INSERT INTO withdrawal (id, account_id, currency, amount_minor, status, requested_at, updated_at,"
                " estimated_from, estimated_until) VALUES (?, ?, 'USD', 5, 'REQUESTED', 0, 0, 'a', 'b')",
                (new_id(), agreed.client_id),
            )
    cases = lead_case(leads[0]), invoice_case(contracts[0]), invoice_case(contracts[1], issued=True)
    for case in cases:
        await open_case(database, case)
    async with database.transaction() as tx:
        for case in cases:
            await tx.execute(
                "INSERT INTO evidence (id, case_id, kind, added_at, added_by_id, sha256) VALUES (?, ?, 'X', 0, ?, 'x')",
                (new_id(), case.id, case.requester_id),
            )
            for audience in ("EVERYONE", "REQUESTER_AND_SUPPORT", "COUNTERPARTY_AND_SUPPORT", "INTERNAL"):
                await tx.execute(
                    "INSERT INTO case_message (id, case_id, author_id, audience, body, sent_at)"
                    " VALUES (?, ?, ?, ?, 'Words', 0)",
                    (new_id(), case.id, support, audience),
                )
    return World(database, leads, contracts, support, *cases)


async def test_staff_see_everything_and_strangers_nothing(world: World) -> None:
    """Either staff role sees every row of every table; SERVICE what is not words; any other stranger none."""
    stranger = new_id()
    for name, (table, _, _) in CONDITIONS.items():
        everything = await world.database.fetch_value(f"SELECT count(*) FROM {table}")
        assert everything > 0
        for roles in ROLE_SETS:
            viewer = world.viewer(stranger, roles)
            whole = viewer.is_staff or (name not in WORDS and viewer.is_service)
            assert await world.count(name, viewer) == (everything if whole else 0), (name, roles)


@pytest.mark.parametrize(
    ("who", "role", "expected"),
    [
        ("pro", Role.PRO, {"leads": 1, "messages": 1, "cases": 1, "events": 1, "evidence": 1, "case_messages": 2}),
        ("customer", Role.CUSTOMER, {}),
        (
            "client",
            Role.CLIENT,
            {"contracts": 1, "invoices": 1, "reviews": 1, "cases": 1, "events": 1, "evidence": 1, "case_messages": 2},
        ),
        (
            "expert",
            Role.EXPERT,
            {"contracts": 1, "invoices": 1, "reviews": 1, "cases": 1, "events": 1, "evidence": 1, "case_messages": 2},
        ),
    ],
)
async def test_a_party_sees_what_is_theirs_while_the_role_lasts(
    world: World, who: str, role: Role, expected: dict[str, int]
) -> None:
    """Each person sees their own rows in their role; with any other role than it, or none, they are gone."""
    for place in (0, 1):
        of, agreed = world.leads[place], world.contracts[place]
        person = {"pro": of.pro_id, "customer": of.customer_id, "client": agreed.client_id, "expert": agreed.expert_id}
        shown = dict(expected)
        if who == "pro" and place == 1:  # the second lead has no case
            shown = {"leads": 1, "messages": 1}
        for roles in (frozenset({role}), frozenset(Role) - {role, Role.SUPPORT, Role.ADMIN, Role.SERVICE}, frozenset()):
            viewer = world.viewer(person[who], frozenset(roles))
            for name in CONDITIONS:
                if name == "withdrawals":
                    continue
                wanted = shown.get(name, 0) if role in roles else 0
                assert await world.count(name, viewer) == wanted, (who, place, sorted(roles), name)


async def test_money_is_its_owners(world: World) -> None:
    """Withdrawals are seen by whose balance they touch; all of an account by its owner, staff and the marketplace."""
    first, second = world.contracts
    for person, sent in ((first.expert_id, 0), (second.client_id, 1), (world.support_id, 0)):
        viewer = world.viewer(person, frozenset({Role.CLIENT}))
        assert await world.count("withdrawals", viewer) == sent
    for roles in ROLE_SETS:
        viewer = world.viewer(first.client_id, roles)
        assert visibility.owns(viewer, first.client_id)
        assert visibility.owns(viewer, second.client_id) == (viewer.is_staff or viewer.is_service)


async def test_predicates_and_conditions_agree(world: World) -> None:
    """For every person, every set of roles and every case, the predicate says what the statement finds."""
    people = {person for of in world.leads for person in (of.pro_id, of.customer_id)}
    people |= {person for agreed in world.contracts for person in (agreed.client_id, agreed.expert_id)}
    cases = [world.lead_case, world.asked, world.issued]
    facts: dict[str, Facts] = await load_case_facts(world.database, [case.id for case in cases])
    for person, roles in itertools.product(people, ROLE_SETS):
        viewer = world.viewer(person, roles)
        condition, parameters = visibility.cases(viewer, "c")
        rows = await world.database.fetch(f"SELECT c.id FROM refund_case c WHERE {condition}", parameters)
        seen = {row["id"] for row in rows}
        contract_condition, contract_parameters = visibility.contracts(viewer, "k")
        rows = await world.database.fetch(
            f"SELECT k.id FROM contract k WHERE {contract_condition}", contract_parameters
        )
        contracts = {row["id"] for row in rows}
        for case in cases:
            assert visibility.sees_case(viewer, case) == (case.id in seen), (roles, case.kind)
            of = facts[case.id]
            if of.contract is not None:
                assert visibility.sees_payment(viewer, of) == (of.contract.id in contracts)
            elif of.lead is not None:
                mine = visibility.sees_all(viewer) or (Role.PRO in roles and of.lead.pro_id == person)
                assert visibility.sees_payment(viewer, of) == mine


async def test_a_client_who_is_also_an_expert_sees_both_sides(world: World) -> None:
    """One account with two roles sees the cases in which it is either, and each only in its role."""
    first = world.contracts[0]
    async with world.database.transaction() as tx:
        await tx.execute("UPDATE contract SET expert_id = ? WHERE id = ?", (first.client_id, world.contracts[1].id))
        facts = await locked_facts(tx, world.issued.id)
        assert facts.case is not None
        moved = replace(facts.case, requester_id=first.client_id, route=RefundRoute.SUPPORT, version=2, updated_at=NOW)
        decision = Decision(cases=(moved,), events=(event_of(moved, "ASSIGN", facts.case),))
        await save_decision(tx, decision, facts)
    counts = [
        await world.count("cases", world.viewer(first.client_id, frozenset(roles)))
        for roles in ({Role.CLIENT}, {Role.EXPERT}, {Role.CLIENT, Role.EXPERT})
    ]
    assert counts == [1, 1, 2]


async def test_people_are_met_through_what_is_shared(world: World) -> None:
    """An account sees itself and the people of its contracts and cases, and nobody of a lead's (L02)."""
    first = world.contracts[0]

    async def met(person: str, roles: frozenset[Role]) -> set[str]:
        condition, parameters = visibility.accounts(world.viewer(person, roles), "a")
        rows = await world.database.fetch(f"SELECT a.id FROM account a WHERE {condition}", parameters)
        return {row["id"] for row in rows}

    assert await met(first.client_id, frozenset({Role.CLIENT})) == {first.client_id, first.expert_id}
    assert await met(first.client_id, frozenset()) == {first.client_id}
    assert await met(world.leads[0].pro_id, frozenset({Role.PRO})) == {world.leads[0].pro_id}
    assert await met(world.leads[0].customer_id, frozenset({Role.CUSTOMER})) == {world.leads[0].customer_id}
    everybody = await met(world.support_id, frozenset({Role.SUPPORT}))
    assert {world.support_id, world.leads[1].customer_id, first.expert_id} <= everybody


async def test_a_role_taken_away_is_gone_at_the_next_look(database: Database) -> None:
    """Viewers are read from the database each time, by id and by reference alike."""
    async with database.transaction() as tx:
        person = await account(tx, "PRO", "CLIENT")
    viewer = await find_viewer(database, person)
    assert viewer is not None
    assert viewer.roles == {Role.PRO, Role.CLIENT}
    async with database.transaction() as tx:
        await tx.execute("UPDATE account SET roles = 'CLIENT' WHERE id = ?", (person,))
    again = await find_viewer_by_ref(database, viewer.external_ref)
    assert again is not None
    assert again.roles == {Role.CLIENT}
    assert await find_viewer(database, new_id()) is None
    assert await find_viewer_by_ref(database, "nobody") is None
