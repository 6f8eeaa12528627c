"""Every field of every type can be read, alone and together, by staff and by the parties."""

from __future__ import annotations

from graphql import GraphQLObjectType, get_named_type, is_abstract_type, is_leaf_type, is_object_type

from api_world import START, Desk, at, engine, usd
from refundgql.api.schema import build_schema

SCHEMA = build_schema()._schema


def selection(type_name: str, depth: int) -> str:
    """Return a selection of every field of a type that needs no argument, nested some levels deep."""
    type_ = SCHEMA.type_map[type_name]
    if is_abstract_type(type_):
        parts = [f"... on {one.name} {{ {selection(one.name, depth)} }}" for one in SCHEMA.get_possible_types(type_)]
        return "__typename " + " ".join(f"{part}" for part in parts)
    assert isinstance(type_, GraphQLObjectType)
    parts = ["__typename"]
    for name, field in type_.fields.items():
        inner = get_named_type(field.type)
        if is_leaf_type(inner):
            parts.append(f"{alias(type_name, name)}: {name}")
        elif depth > 0:
            parts.append(f"{alias(type_name, name)}: {name} {{ {selection(inner.name, depth - 1)} }}")
    return " ".join(parts)


def alias(type_name: str, name: str) -> str:
    """Return an alias that keeps fields of the same name and different types apart."""
    return f"{type_name}_{name}"


async def open_cases(desk: Desk, things: dict[str, str]) -> list[str]:
    """Open a case of every kind, with evidence, messages and a decision, and return their ids."""
    lead = await desk.done(
        "paula",
        "requestLeadRefund",
        leadId=things["lead-1"],
        reason="TERMS_VIOLATION",
        reasonDetail="MINOR",
        explanation="She is twelve.",
    )
    week = await desk.done(
        "karl",
        "openTimesheetDispute",
        billingWeekId=things["week-1"],
        amount=usd("30.00"),
        explanation="Two hours too many.",
    )
    invoice = await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("10.00"))
    escrow = await desk.done(
        "klara", "requestEscrowRefund", milestoneId=things["step-1"], amount=usd("20.00"), sendToPaymentMethod=True
    )
    await desk.done("emma", "approveRefund", refundCaseId=escrow["id"])
    await desk.done("karl", "addStatement", refundCaseId=invoice["id"], text="Nothing was done.")
    await desk.done("sam", "assignCase", refundCaseId=lead["id"])
    await desk.run(
        "sam",
        "mutation($input: SendCaseMessageInput!) { sendCaseMessage(input: $input) { message { id } } }",
        input={"refundCaseId": lead["id"], "body": "Looking at it.", "audience": "EVERYONE"},
    )
    return [case["id"] for case in (lead, week, invoice, escrow)]


async def test_everything_can_be_read_together(desk: Desk, things: dict[str, str]) -> None:
    """Staff read every field of every case and everything around it without an error."""
    cases = await open_cases(desk, things)
    for depth in range(3):
        inner = selection("RefundCase", depth)
        document = f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ __typename ... on RefundCase {{ {inner} }} }} }}"
        found = await desk.run("sam", document, ids=cases)
        assert [case["__typename"] for case in found["nodes"]] == ["RefundCase"] * 4


ROADS = [
    ("RefundCase", "sam", "refundCases"),
    ("RefundCase", "karl", "refundCases"),
    ("RefundCase", "erik", "refundCases"),
    ("RefundCase", "paula", "refundCases"),
    ("RefundCase", "sue", "supportQueue"),
    ("Lead", "paula", "leads"),
    ("Lead", "sam", "leads"),
    ("Conversation", "paula", "conversations"),
    ("Contract", "karl", "contracts"),
    ("Contract", "emma", "contracts"),
    ("Withdrawal", "ada", "withdrawals"),
    ("Withdrawal", "market", "withdrawals"),
]


async def test_each_field_can_be_read_alone(desk: Desk, things: dict[str, str]) -> None:
    """Each field brings the columns that it needs itself, by every road."""
    await open_cases(desk, things)
    for type_name, ref, root in ROADS:
        type_ = SCHEMA.type_map[type_name]
        assert isinstance(type_, GraphQLObjectType)
        for name, field in type_.fields.items():
            inner = get_named_type(field.type)
            asked = name if is_leaf_type(inner) else f"{name} {{ {selection(inner.name, 1)} }}"
            found = await desk.run(ref, f"{{ {root} {{ edges {{ node {{ {asked} }} }} }} }}")
            assert found[root]["edges"], (ref, root, name)


async def test_own_account(desk: Desk, things: dict[str, str]) -> None:
    """Everybody reads the whole of their own account."""
    await open_cases(desk, things)
    for ref in ("paula", "karl", "erik", "klara", "emma", "sam"):
        found = await desk.run(ref, f"{{ viewer {{ externalRef {selection('Account', 3)} }} }}")
        assert found["viewer"]["externalRef"] == ref


def test_types_are_reached() -> None:
    """The engine knows every type that the tests go through."""
    assert engine().schema._schema is SCHEMA
    assert is_object_type(SCHEMA.type_map["RefundCase"])
    assert at(START).endswith("Z")
