"""Every field by every road, for everybody: what is not theirs cannot be told from what does not exist."""

from __future__ import annotations

import json
import os
import random
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLInputObjectType,
    GraphQLObjectType,
    get_named_type,
    is_enum_type,
    is_required_argument,
    is_required_input_field,
)
from visibility_oracle import (
    NODE_TYPES,
    NOT_OF_THINGS,
    PERSONAL,
    ROLES,
    RULES,
    SCHEMA,
    Oracle,
    Selection,
    kind_of,
    make_world,
    paged,
    printed,
    type_of,
    whole,
)

from api_world import START, Desk, at, engine, marketplace, usd
from databases import LIMITS, drop_database, new_database_url
from refundgql.gql.declare import personal_fields
from refundgql.storage.database import Database
from refundgql.web.evidence_tickets import EvidenceTickets
from toy_streams import Answers

STAFF = {"sam", "sue", "ada"}
STAFF_ONLY = {
    "supportQueue": STAFF,
    "withdrawals": {"ada", "market"},
    "webhookEndpoints": {"ada"},
    "accounts": STAFF | {"market"},
    "staff": STAFF,
}
LISTS = {
    "leads": "Lead",
    "conversations": "Conversation",
    "contracts": "Contract",
    "refundCases": "RefundCase",
    "supportQueue": "RefundCase",
    "withdrawals": "Withdrawal",
    "webhookEndpoints": "WebhookEndpoint",
    "accounts": "Account",
    "staff": "Account",
}
PAIRS = int(os.environ.get("REFUNDGQL_VISIBILITY_PAIRS", "400"))
MANY_PAIRS = int(os.environ.get("REFUNDGQL_VISIBILITY_PAIRS", "10000"))
SEED = int(os.environ.get("REFUNDGQL_VISIBILITY_SEED", "1"))


on_both = pytest.mark.parametrize("dialect", ["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
"""Statements are the same for both kinds of database, but what compares, sorts and counts is not."""


@pytest.fixture
def dialect() -> str:
    """Return the kind of database that most of these tests run on."""
    return "sqlite"


@pytest.fixture
async def world(dialect: str, tmp_path: Path) -> AsyncIterator[tuple[Desk, Oracle]]:
    """Give the filled marketplace and the judge of it."""
    url = new_database_url(dialect, tmp_path)
    database = await Database.open(url, LIMITS)
    desk = await Desk.open(database)
    tickets = EvidenceTickets(b"x" * 32, "https://desk.test", 1_000_000)
    desk.app = replace(desk.app, download_url=tickets.download_url)
    await desk.seed(*marketplace())
    await make_world(desk)
    yield desk, await Oracle.of(desk)
    await desk.close()
    await database.close()
    drop_database(url)


def test_every_field_has_a_rule() -> None:
    """Each field of each type has a rule of who reads it: one that is added without is a hole in these tests."""
    for name, type_ in SCHEMA.type_map.items():
        if name.startswith("__") or not isinstance(type_, GraphQLObjectType):
            continue
        if name in NOT_OF_THINGS or name.endswith("Payload"):
            continue
        if name.endswith(("Connection", "Edge")):
            assert set(type_.fields) <= {"edges", "pageInfo", "totalCount", "asOf", "cursor", "node"}, name
        else:
            assert set(type_.fields) == set(RULES.get(name, ())), name
    known = {*LISTS, "viewer", "node", "nodes", "byExternalRef", "lead", "contract", "refundCase", "refundCaseByNumber"}
    assert SCHEMA.query_type
    assert set(SCHEMA.query_type.fields) == known | {
        *("refundPreview", "refundPolicy", "refundWorkflow", "supportMetrics", "refundPolicySimulation"),
        *("refundReasons", "uploadLimits", "decisionPreview"),
        "webhookEndpoint",
    }


async def test_the_world_has_everything(world: tuple[Desk, Oracle]) -> None:
    """The world holds things of every type, and for each somebody who sees it and somebody who does not."""
    _, oracle = world
    for name in NODE_TYPES:
        own = [one for one in oracle.things if type_of(one) == name]
        assert own, name
        everybody = ROLES.keys() if name.startswith("Webhook") else ROLES.keys() - STAFF
        seen = {oracle.sees(ref, one) for ref in everybody for one in own}
        assert seen == {True, False}, name


def everything_of(type_name: str) -> Selection:
    """Return the selection of every field of a type, with nothing but ids below."""
    return {name: ("(first: 100)" if _is_page(type_name, name) else "", {}) for name in RULES[type_name]}


def _is_page(type_name: str, name: str) -> bool:
    type_ = SCHEMA.type_map[type_name]
    assert isinstance(type_, GraphQLObjectType)
    return kind_of(get_named_type(type_.fields[name].type)) == "page"


async def test_every_field_of_every_thing_by_its_id(world: tuple[Desk, Oracle]) -> None:
    """By node(id) everybody reads every field of what is theirs as its rule says, and nothing of anything else."""
    desk, oracle = world
    for ref in ROLES:
        for thing in oracle.things:
            name = type_of(thing)
            document = (
                f"query($id: ID!) {{ node(id: $id) {{ ... on {name} {{ {printed(name, everything_of(name))} }} }} }}"
            )
            told = (await desk.run(ref, document, id=thing))["node"]
            expected = oracle.read(ref, thing, everything_of(name)) if oracle.sees(ref, thing) else None
            assert told == expected, (ref, thing)


async def test_the_marketplace_s_references_lead_where_ids_do(world: tuple[Desk, Oracle]) -> None:
    """By reference everybody finds what they see, in the order of the references, and nothing else."""
    desk, oracle = world
    document = (
        "query($kind: ExternalKind!, $refs: [String!]!) { byExternalRef(kind: $kind, externalRefs: $refs) { id } }"
    )
    kinds = SCHEMA.type_map["ExternalKind"]
    assert is_enum_type(kinds)
    for kind in kinds.values:
        name = kind.title().replace("_", "")
        known = {own["externalRef"]: one for one, own in oracle.things.items() if type_of(one) == name}
        refs = [ref for ref in known if ref is not None] + ["nothing"]
        for ref in ROLES:
            told = (await desk.run(ref, document, kind=kind, refs=refs))["byExternalRef"]
            seen = [known[one] if one in known and oracle.sees(ref, known[one]) else None for one in refs]
            assert [one and one["id"] for one in told] == seen, (ref, kind)


async def listed(desk: Desk, ref: str, root: str, type_name: str = "", **variables: Any) -> tuple[list[str], int]:
    """Return the ids that a list shows to somebody, and what it says to be their number."""
    declared = type_name and f"query($given: {type_name}) "
    asked = "filter: $given, " if type_name.endswith("Filter") else "orderBy: $given, " if type_name else ""
    document = f"{declared}{{ {root}({asked}first: 100) {{ totalCount edges {{ node {{ id }} }} }} }}"
    found = (await desk.run(ref, document, **variables))[root]
    return [edge["node"]["id"] for edge in found["edges"]], found["totalCount"]


@on_both
async def test_lists_orders_and_counts(world: tuple[Desk, Oracle]) -> None:
    """Each list, in each order, is staff's without what the viewer does not see, and counts as many."""
    desk, oracle = world
    orders = SCHEMA.type_map["RefundCaseOrder"]
    assert is_enum_type(orders)
    for root, name in LISTS.items():
        for order in orders.values if name == "RefundCase" else [None]:
            order_type = "RefundCaseOrder" if order else ""
            everything, _ = await listed(desk, "ada", root, order_type, given=order)
            for ref in ROLES:
                if ref not in STAFF_ONLY.get(root, ROLES):
                    assert await desk.code(ref, f"{{ {root} {{ totalCount }} }}") == "FORBIDDEN"
                    continue
                own = [one for one in everything if oracle.sees(ref, one)]
                assert await listed(desk, ref, root, order_type, given=order) == (own, len(own)), (ref, root, order)
                if root not in STAFF_ONLY:
                    assert set(own) == oracle.visible(ref, name)


def filters_of(name: str, oracle: Oracle) -> list[dict[str, Any]]:
    """Return filters of one field each, for every field of a filter, with values of real things and of none."""
    of_case = [own for one, own in oracle.things.items() if type_of(one) == "RefundCase"]
    of_lead = [own for one, own in oracle.things.items() if type_of(one) == "Lead"]
    amounts = [usd("0.01"), usd("10.00"), usd("20.00"), usd("50000.00")]
    days = [at(START.replace(day=day)) for day in (1, 3, 4, 5)]
    values: dict[str, list[Any]] = {
        "customerName": ["Carla", "nobody"],
        "category": [*sorted({own["category"] for own in of_lead}), "none"],
        "externalRefs": [[own["externalRef"]] for own in oracle.things.values() if own.get("externalRef")],
        "numbers": [[own["number"]] for own in of_case] + [["RC-999999"]],
        "text": ["plumber", "Nothing was done", "twelve", "known trick", "INTERNAL", "Karl", "roof", "RC-00", "Sam"],
        "assigneeId": [*oracle.account.values(), "Account_x"],
        "accountId": [*oracle.account.values(), "Account_x"],
        "contractId": [one for one in oracle.things if type_of(one) == "Contract"],
        **dict.fromkeys(("openedAfter", "openedBefore", "chargedAfter", "chargedBefore", "dueBefore"), days),
        **dict.fromkeys(("decidedAfter", "decidedBefore", "creditedAfter", "creditedBefore"), days),
        **dict.fromkeys(("amountAtLeast", "amountAtMost"), amounts),
    }
    type_, made = SCHEMA.type_map[name], []
    assert isinstance(type_, GraphQLInputObjectType)
    for field, declared in type_.fields.items():
        inner = get_named_type(declared.type)
        if is_enum_type(inner):
            many = str(declared.type).startswith("[")
            choices: list[Any] = [[one] if many else one for one in inner.values]
        else:
            choices = [True, False] if inner.name == "Boolean" else values[field]  # a new field needs values here
        made += [{field: one} for one in choices]
    return made


@on_both
async def test_filters(world: tuple[Desk, Oracle]) -> None:
    """Each field of each filter keeps of what the viewer sees what it keeps for staff, and tells nothing else."""
    desk, oracle = world
    for root, name, type_name in (
        ("leads", "LeadFilter", "Lead"),
        ("conversations", "LeadFilter", "Conversation"),
        ("contracts", "ContractFilter", "Contract"),
        ("refundCases", "RefundCaseFilter", "RefundCase"),
    ):
        for given in filters_of(name, oracle):
            for_staff, _ = await listed(desk, "ada", root, name, given=given)
            for ref in ROLES.keys() - STAFF:
                own = [one for one in for_staff if oracle.sees(ref, one)]
                if "unread" in given:
                    # What is new is everybody's own; here it matters only that it is theirs.
                    shown, count = await listed(desk, ref, root, name, given=given)
                    assert len(shown) == count
                    assert oracle.visible(ref, type_name) >= set(shown)
                    continue
                if "assigneeId" in given or "unassigned" in given:
                    # Who takes care of a case is for staff: to others nobody does.
                    all_own, _ = await listed(desk, ref, root)
                    own = all_own if given.get("unassigned") else []
                if "proposed" in given:
                    # What waits for a second signature is for staff too.
                    all_own, _ = await listed(desk, ref, root)
                    own = [] if given["proposed"] else all_own
                assert await listed(desk, ref, root, name, given=given) == (own, len(own)), (ref, root, given)
            assert all(type_of(one) == type_name for one in for_staff)


def unknown(global_id: str) -> str:
    """Return an id of the same type and time that nothing has."""
    return global_id[:-8] + "00000000"


def same_but_for(answers: list[Any], given: list[str]) -> bool:
    """Tell whether answers are the same bytes once the ids that were given are taken out."""
    texts = {json.dumps(one).replace(id_, "?") for one, id_ in zip(answers, given, strict=True)}
    return len(texts) == 1


Make = Callable[[str], Any]


def inputs_of(type_: GraphQLInputObjectType) -> Iterator[tuple[str, Make]]:
    """Yield for each id that an input takes, however deep, what makes a minimal input around an id there."""
    filled = {
        name: _argument(one.type, {"RefundCase": "x"})
        for name, one in type_.fields.items()
        if is_required_input_field(one)
    }
    for field, declared in type_.fields.items():
        inner, many = get_named_type(declared.type), str(declared.type).startswith("[")
        makers: list[tuple[str, Make]] = [(field, lambda one: one)] if inner.name == "ID" else []
        if isinstance(inner, GraphQLInputObjectType):
            makers = [(f"{field}.{path}", make) for path, make in inputs_of(inner)]
        for path, make in makers:
            yield path, _around(filled, field, make, many)


def _around(filled: dict[str, Any], field: str, make: Make, many: bool) -> Make:
    return lambda one: {**filled, field: [make(one)] if many else make(one)}


def _value(type_: Any) -> Any:
    if is_enum_type(type_):
        return {"RefundReason": "OTHER", "IssueDecision": "FULL"}.get(type_.name) or next(iter(type_.values))
    values = {"String": "Something.", "Int": 5, "MoneyInput": usd("1.00"), "Boolean": False, "DateTime": at(START)}
    values |= {"Decimal": "1.00", "CurrencyCode": "USD"}
    return values[type_.name]


@pytest.mark.slow
async def test_acts_and_roots_on_what_one_does_not_see(world: tuple[Desk, Oracle]) -> None:
    """Every id that a mutation or a root takes: somebody else's is answered with the same bytes as nobody's."""
    desk, oracle = world
    one_of_each: dict[str, list[str]] = {}
    for thing in oracle.things:
        one_of_each.setdefault(type_of(thing), []).append(thing)
    tried = 0
    for document, variables_of, field in roads_by_id():
        for ref in ROLES.keys() - STAFF:
            for name, things in one_of_each.items():
                hidden = [one for one in things if not oracle.sees(ref, one)][-1:]
                for thing in hidden:
                    given = [thing, unknown(thing)]
                    answers = [await desk.answer(ref, document, **variables_of(one, desk.key())) for one in given]
                    assert same_but_for(answers, given), (ref, document, field, name, answers)
                    tried += 1
    assert tried > 1000


Road = tuple[str, Callable[[str, str], dict[str, Any]], str]


def roads_by_id() -> list[Road]:
    """Return every document that takes an id: mutations and their inputs' ids, roots and the preview's."""
    roads: list[Road] = []
    for operation, type_ in (("query", SCHEMA.query_type), ("mutation", SCHEMA.mutation_type)):
        assert type_
        for root, declared in type_.fields.items():
            for argument, its in declared.args.items():
                named, given = (
                    get_named_type(its.type),
                    f"{operation}($given: {its.type}) {{ {root}({argument}: $given)",
                )
                if named.name == "ID":
                    many = str(its.type).startswith("[")
                    roads.append((f"{given} {{ __typename }} }}", _id_variables(many), argument))
                elif isinstance(named, GraphQLInputObjectType) and argument == "input" and root != "syncRecords":
                    shown = f"{given} {{ {answer_of(get_named_type(declared.type))} }} }}"
                    roads += [(shown, _input_variables(make, named), path) for path, make in inputs_of(named)]
    return roads


def answer_of(type_: Any, depth: int = 1) -> str:
    """Return the selection of every reason that an answer gives, and of what it says beside."""
    reasons = "{ __typename code message rule field alternatives }"
    parts = ["__typename"]
    for name, declared in type_.fields.items():
        inner = get_named_type(declared.type)
        if inner.name == "Refusal":
            parts.append(f"{name} {reasons}")
        elif kind_of(inner) == "leaf":
            parts.append(name)
        elif kind_of(inner) == "value" and depth:
            parts.append(f"{name} {{ {answer_of(inner, depth - 1)} }}")
    return " ".join(parts)


def _id_variables(many: bool) -> Callable[[str, str], dict[str, Any]]:
    return lambda one, _: {"given": [one] if many else one}


def _input_variables(make: Make, type_: GraphQLInputObjectType) -> Callable[[str, str], dict[str, Any]]:
    def variables(one: str, key: str) -> dict[str, Any]:
        keyed = {"idempotencyKey": key} if "idempotencyKey" in type_.fields else {}
        return {"given": {**make(one), **keyed}}

    return variables


async def test_numbers_of_cases(world: tuple[Desk, Oracle]) -> None:
    """The short number of somebody else's case is answered with the same bytes as one that nobody has."""
    desk, oracle = world
    document = "query($number: String!) { refundCaseByNumber(number: $number) { id state } }"
    for ref in ROLES.keys() - STAFF:
        for one, own in oracle.things.items():
            if type_of(one) == "RefundCase":
                found = (await desk.run(ref, document, number=own["number"]))["refundCaseByNumber"]
                expected = {"id": one, "state": own["state"]} if oracle.sees(ref, one) else None
                assert found == expected


async def test_only_the_marketplace_feeds_records_in(world: tuple[Desk, Oracle]) -> None:
    """To everybody but the marketplace syncRecords says the same, whatever the records are about."""
    desk, _ = world
    document = "mutation($input: SyncRecordsInput!) { syncRecords(input: $input) { created refusals { code } } }"
    account = {"externalRef": "karl", "name": "Karl", "roles": ["ADMIN"]}
    for ref in ROLES.keys() - {"market"}:
        answers = [
            await desk.answer(ref, document, input={"records": [{"account": {**account, "externalRef": one}}]})
            for one in ("karl", "nobody")
        ]
        assert answers[0] == answers[1]
        assert "FORBIDDEN" in json.dumps(answers[0]), ref


async def test_subscriptions(world: tuple[Desk, Oracle]) -> None:
    """Streams tell of the cases that the viewer sees and of no other; somebody else's case is refused like nobody's."""
    desk, oracle = world
    assert SCHEMA.subscription_type
    streams = set(SCHEMA.subscription_type.fields)
    assert streams == {
        "refundCaseUpdates",
        "viewerRefundUpdates",
        "supportQueueUpdates",
        "viewerWithdrawalUpdates",
    }
    of_case = "subscription($id: ID!) { refundCaseUpdates(refundCaseId: $id) { refundCase { id } event { id } } }"
    of_viewer = 'subscription { viewerRefundUpdates(after: "0.0") { refundCase { id } event { id } } }'
    of_queue = "subscription { supportQueueUpdates { cursor } }"

    async def follow(ref: str, document: str, **variables: Any) -> Any:
        context = desk.app.context(await desk.app.load_viewer(ref))
        return await engine().subscribe(engine().prepare(document), variables, context)

    events = {one: oracle.home[one] for one in oracle.things if type_of(one) == "RefundEvent"}
    for ref in ROLES.keys() - STAFF:
        for case in (one for one in oracle.things if type_of(one) == "RefundCase"):
            answers = [await follow(ref, of_case, id=one) for one in (case, unknown(case))]
            if oracle.sees(ref, case):
                await answers[0].aclose()
                assert "errors" in answers[1]
            else:
                assert same_but_for(answers, [case, unknown(case)])
        refused = await follow(ref, of_queue)
        assert refused["errors"][0]["extensions"]["code"] == "FORBIDDEN"
        own = {event for event, case in events.items() if oracle.sees(ref, case)}
        stream, told = Answers(await follow(ref, of_viewer)), set()
        for _ in own:
            update = (await anext(stream))["data"]["viewerRefundUpdates"]
            assert oracle.sees(ref, update["refundCase"]["id"])
            told.add(update["event"]["id"])
        await stream.aclose()
        assert told == own, ref


PUBLIC = {"refundPolicy", "refundWorkflow"}


async def test_nobody_is_told_anything(world: tuple[Desk, Oracle]) -> None:
    """Without a token every root, act and stream is UNAUTHENTICATED, whatever ids it is given; but for the rules."""
    desk, oracle = world
    some = {type_of(thing): thing for thing in oracle.things}
    for operation in ("query", "mutation", "subscription"):
        type_ = {"query": SCHEMA.query_type, "mutation": SCHEMA.mutation_type}.get(operation, SCHEMA.subscription_type)
        assert type_
        for root, declared in type_.fields.items():
            for ids in (some, {name: unknown(one) for name, one in some.items()}):
                needed = {name: one for name, one in declared.args.items() if is_required_argument(one)}
                variables = {name: _argument(one.type, ids) for name, one in needed.items()}
                declares = ", ".join(f"${name}: {one.type}" for name, one in needed.items())
                passes = ", ".join(f"{name}: ${name}" for name in needed)
                shown = "{ __typename }"
                document = (
                    f"{operation}{f'({declares})' * bool(needed)} {{ {root}{f'({passes})' * bool(needed)} {shown} }}"
                )
                if operation == "subscription":
                    answer = await engine().subscribe(engine().prepare(document), variables, desk.app.context(None))
                else:
                    answer = await desk.answer(None, document, **variables)
                if root in PUBLIC:
                    assert "errors" not in answer
                    continue
                assert [one["extensions"]["code"] for one in answer["errors"]] == ["UNAUTHENTICATED"], (root, answer)
                assert not any((answer.get("data") or {}).values())


def _argument(type_: Any, ids: dict[str, str]) -> Any:
    """Return a value for a required argument or field."""
    named = get_named_type(type_)
    if isinstance(named, GraphQLInputObjectType):
        if named.name == "SyncRecord":
            value: Any = {"account": {"externalRef": "karl", "name": "Karl", "roles": ["ADMIN"]}}
        elif named.name == "MoneyInput":
            value = usd("1.00")
        else:
            value = {
                name: _argument(one.type, ids) for name, one in named.fields.items() if is_required_input_field(one)
            }
    else:
        value = ids["RefundCase"] if named.name == "ID" else _value(named)
    return [value] if "[" in str(type_) else value


def random_selection(chance: random.Random, type_name: str, depth: int) -> Selection:
    """Return a few fields of a type, some levels deep."""
    type_ = SCHEMA.type_map[type_name]
    assert isinstance(type_, GraphQLObjectType)
    selection: Selection = {}
    for name in chance.sample(sorted(RULES[type_name]), min(len(RULES[type_name]), chance.randint(1, 4))):
        inner = get_named_type(type_.fields[name].type)
        kind = kind_of(inner)
        if RULES[type_name][name] == PERSONAL or name == "id":
            continue
        below: Selection = {}
        if depth and kind in ("thing", "page"):
            target = inner.name.removesuffix("Connection")
            below = random_selection(chance, target, depth - 1) if target in NODE_TYPES else {}
        given = chance.choice(["", "(first: 1)", "(last: 1)", "(first: 100)", "(last: 2)"]) if kind == "page" else ""
        selection[name] = (given, below)
    return selection


ASKERS = 4
"""So many people in turn ask each question: what is kept of it for one must say nothing to another."""


@dataclass(frozen=True)
class Question:
    """A document with what it is given, and what the rules say to somebody who asks it."""

    document: str
    given: dict[str, Any]
    expected: Callable[[str], Any]
    """The answer to somebody; None when they may not ask."""


def random_question(chance: random.Random, oracle: Oracle, things: list[str], orders: dict[str, list[str]]) -> Question:
    """Make up a question about a thing by its id, or about a list."""
    if chance.random() < 0.6:
        thing = chance.choice(things)
        name = type_of(thing)
        selection = random_selection(chance, name, 3)
        asked = thing if chance.random() < 0.9 else unknown(thing)

        def of_thing(ref: str) -> Any:
            seen = asked == thing and oracle.sees(ref, thing)
            return {"data": {"node": oracle.read(ref, thing, selection) if seen else None}}

        document = f"query($id: ID!) {{ node(id: $id) {{ ... on {name} {{ {printed(name, selection)} }} }} }}"
        return Question(document, {"id": asked}, of_thing)
    root = chance.choice(sorted(LISTS))
    of_each = random_selection(chance, LISTS[root], 2)
    page = chance.choice(["", "(first: 2)", "(last: 1)", "(first: 100)"])

    def of_list(ref: str) -> Any:
        if ref not in STAFF_ONLY.get(root, ROLES):
            return None
        own = [one for one in orders[root] if oracle.sees(ref, one)]
        nodes = [{"node": oracle.read(ref, one, of_each)} for one in paged(own, page)]
        return {"data": {root: {"totalCount": len(own), "edges": nodes}}}

    document = f"{{ {root}{page} {{ totalCount edges {{ node {{ {printed(LISTS[root], of_each)} }} }} }} }}"
    return Question(document, {}, of_list)


async def check_random_pairs(desk: Desk, oracle: Oracle, count: int) -> None:
    """Ask random questions as random people and compare each answer with the judge's."""
    chance = random.Random(SEED)
    things, everybody = sorted(oracle.things), sorted(ROLES)
    orders = {root: (await listed(desk, "ada", root))[0] for root in LISTS}
    for number in range(count // ASKERS):
        question = random_question(chance, oracle, things, orders)
        for ref in chance.sample(everybody, ASKERS):
            expected, said = question.expected(ref), (SEED, number, ref, question.document, question.given)
            if expected is None:
                assert await desk.code(ref, question.document) == "FORBIDDEN", said
            else:
                assert await desk.answer(ref, question.document, **question.given) == expected, said


@pytest.mark.slow
@on_both
async def test_random_pairs(world: tuple[Desk, Oracle]) -> None:
    """Whoever asks whatever is told what the rules say, by a judge of its own."""
    await check_random_pairs(*world, PAIRS)


@pytest.mark.slow
async def test_many_random_pairs(world: tuple[Desk, Oracle]) -> None:
    """Ten thousand times whoever asks whatever is told what the rules say."""
    await check_random_pairs(*world, MANY_PAIRS)


@on_both
async def test_what_differs_between_staff_is_declared(world: tuple[Desk, Oracle]) -> None:
    """Two members of staff with the same roles read the same of everything but what is declared personal."""
    desk, oracle = world
    declared = personal_fields(SCHEMA)
    assert declared <= {name for fields in RULES.values() for name, rule in fields.items() if rule == PERSONAL}
    differing: set[str] = set()
    for thing in sorted(oracle.things):
        name = type_of(thing)
        document = f"query($id: ID!) {{ node(id: $id) {{ ... on {name} {{ {whole(name)} }} }} }}"
        one, other = [(await desk.run(ref, document, id=thing))["node"] for ref in ("sam", "sue")]
        differing |= {field for field in one or () if one[field] != other[field]}
    assert differing <= declared
    assert differing
