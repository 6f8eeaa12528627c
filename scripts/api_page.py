"""Print docs/api.md: the schema as a page to read, with what each mutation may be refused for and operations to paste.

`python scripts/api_page.py > docs/api.md`; a test compares the two. It must not describe anything by itself:
descriptions come from the schema, refusal codes from the rules that give them, examples from fixtures/operations.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLUnionType,
    OperationDefinitionNode,
    get_named_type,
    parse,
    specified_scalar_types,
)

from refundgql.api.schema import build_schema
from refundgql.domain.machines.table import ACTION_ROWS
from refundgql.domain.rules.situation import Rule
from refundgql.domain.vocabulary import RefundActionName as Action
from refundgql.domain.vocabulary import RefundCaseKind as Kind
from refundgql.domain.vocabulary import RefusalCode
from refundgql.gql.errors import MEANINGS

ROOT = Path(__file__).resolve().parent.parent
OPERATIONS = ROOT / "fixtures" / "operations"
ACTS: dict[str, tuple[tuple[Kind, ...], tuple[Action, ...]]] = {
    "requestLeadRefund": ((Kind.LEAD,), (Action.REQUEST,)),
    "requestInvoiceRefund": ((Kind.INVOICE,), (Action.REQUEST,)),
    "requestEscrowRefund": ((Kind.ESCROW,), (Action.REQUEST,)),
    "openTimesheetDispute": ((Kind.TIMESHEET,), (Action.OPEN_TIMESHEET_DISPUTE,)),
    "issueRefund": ((Kind.INVOICE, Kind.ESCROW), (Action.ISSUE,)),
    "approveRefund": (tuple(Kind), (Action.APPROVE,)),
    "declineRefund": (tuple(Kind), (Action.DECLINE,)),
    "decideRefunds": (tuple(Kind), (Action.APPROVE, Action.DECLINE)),
    "escalateRefund": (tuple(Kind), (Action.ESCALATE,)),
    "disputeRefund": (tuple(Kind), (Action.DISPUTE,)),
    "consentToRefund": (tuple(Kind), (Action.CONSENT,)),
    "cancelRefund": (tuple(Kind), (Action.CANCEL,)),
    "reverseRefund": (tuple(Kind), (Action.REVERSE,)),
    "requestInformation": (tuple(Kind), (Action.REQUEST_INFORMATION,)),
}
"""The mutations that are acts of the machines, whose rows say what refuses them."""

OTHERS = {
    "withdrawEvidence": "NOT_FOUND FORBIDDEN TRANSITION_NOT_ALLOWED",
    "redactEvidence": "NOT_FOUND FORBIDDEN INVALID_INPUT TRANSITION_NOT_ALLOWED",
    "addStatement": "NOT_FOUND FORBIDDEN INVALID_INPUT EVIDENCE_REJECTED TOO_MANY_ITEMS",
    "addConversationEvidence": "NOT_FOUND FORBIDDEN INVALID_INPUT EVIDENCE_REJECTED TOO_MANY_ITEMS",
    "createEvidenceUpload": "NOT_FOUND FORBIDDEN INVALID_INPUT EVIDENCE_REJECTED TOO_MANY_ITEMS",
    "postReview": "NOT_FOUND FORBIDDEN INVALID_INPUT REVIEW_WINDOW_CLOSED REVIEW_ALREADY_POSTED",
    "editReview": "NOT_FOUND FORBIDDEN INVALID_INPUT REVIEW_EDIT_NOT_ALLOWED",
    "allowReviewEdit": "NOT_FOUND FORBIDDEN REVIEW_EDIT_NOT_ALLOWED",
    "requestWithdrawal": "FORBIDDEN INVALID_INPUT FUNDS_INSUFFICIENT BALANCE_INSUFFICIENT",
    "cancelWithdrawal": "NOT_FOUND FORBIDDEN INVALID_INPUT TRANSITION_NOT_ALLOWED",
    "eraseAccount": "NOT_FOUND FORBIDDEN INVALID_INPUT CASE_ALREADY_OPEN BALANCE_INSUFFICIENT",
    "syncRecords": "NOT_FOUND FORBIDDEN INVALID_INPUT CURRENCY_MISMATCH TRANSITION_NOT_ALLOWED CASE_ALREADY_OPEN "
    "BALANCE_INSUFFICIENT REVIEW_ALREADY_POSTED AMOUNT_EXCEEDS_REFUNDABLE INVOICE_NOT_PAID MILESTONE_NOT_FUNDED STALE",
}
"""What refuses the other mutations; those not named refuse what they cannot find, read or allow."""

INTRODUCTION = """# API

Printed from the schema, never edited by hand:

    python scripts/api_page.py > docs/api.md

`POST /graphql` takes `{"query": …, "variables": …, "operationName": …}` as JSON, with `Authorization: Bearer …`;
subscriptions run over WebSocket (graphql-transport-ws) on the same address or as server-sent events on
`/graphql/stream`. A type with `!` is never null. Lists are paged by `first`/`after` or `last`/`before`, 20 items unless
asked otherwise, at most 100. Refusals of an act are data in its payload and have changed nothing; `errors` is for what
cannot be answered at all. Rule numbers such as L15 are those of `refundPolicy`."""


def page() -> str:
    """Return the whole page."""
    schema = build_schema()._schema
    examples = _examples()
    parts = [INTRODUCTION]
    roots = (
        ("Queries", schema.query_type),
        ("Mutations", schema.mutation_type),
        ("Subscriptions", schema.subscription_type),
    )
    for title, root in roots:
        parts.append(f"## {title}")
        fields = root.fields if root is not None else {}
        parts += [_root_field(name, fields[name], examples) for name in sorted(fields)]
    hidden = {root.name for _, root in roots if root is not None} | {
        one.name for one in specified_scalar_types.values()
    }
    types = [one for name, one in sorted(schema.type_map.items()) if name not in hidden and not name.startswith("__")]
    for title, kinds in (
        ("Types", (GraphQLObjectType, GraphQLInterfaceType, GraphQLUnionType)),
        ("Inputs", (GraphQLInputObjectType,)),
        ("Enums", (GraphQLEnumType,)),
        ("Scalars", (GraphQLScalarType,)),
    ):
        parts.append(f"## {title}")
        parts += [_type(one) for one in types if isinstance(one, kinds)]
    parts += ["## Error codes", _error_codes()]
    return "\n\n".join(parts) + "\n"


def _examples() -> dict[str, tuple[str, str]]:
    """Return for each root field the file and the text of the first operation that asks for it."""
    found: dict[str, tuple[str, str]] = {}
    for path in sorted(OPERATIONS.glob("*.graphql")):
        text = path.read_text(encoding="utf-8")
        for definition, source in _operations(parse(text), text):
            for one in definition.selection_set.selections:
                if isinstance(one, FieldNode):
                    found.setdefault(one.name.value, (path.name, source))
    return found


def _operations(document: DocumentNode, text: str) -> Iterator[tuple[OperationDefinitionNode, str]]:
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode) and definition.loc is not None:
            yield definition, text[definition.loc.start : definition.loc.end]


def _root_field(name: str, field: GraphQLField, examples: dict[str, tuple[str, str]]) -> str:
    lines = [f"### {name}", "", f"`{name}{_signature(field)}`", "", _plain(field.description)]
    if field.args:
        lines += ["", "| argument | type | what it is |", "|---|---|---|", *_rows(field.args)]
    refusals = _refusals_of(name) if name in build_schema()._schema.mutation_type.fields else ()  # type: ignore[union-attr]
    if refusals:
        lines += ["", f"May be refused with {', '.join(f'`{code}`' for code in refusals)}."]
    if name in examples:
        file, text = examples[name]
        lines += ["", f"As in `fixtures/operations/{file}`:", "", "```graphql", text, "```"]
    return "\n".join(lines)


def _signature(field: GraphQLField) -> str:
    arguments = ", ".join(f"{name}: {one.type}" for name, one in field.args.items())
    return f"({arguments}): {field.type}" if arguments else f": {field.type}"


def _rows(fields: dict[str, GraphQLArgument] | dict[str, GraphQLInputField] | dict[str, GraphQLField]) -> list[str]:
    return [
        f"| `{name}` | {_link(str(one.type), get_named_type(one.type))} | {_cell(one.description)} |"
        for name, one in fields.items()
    ]


def _link(written: str, named: GraphQLNamedType) -> str:
    if named.name in specified_scalar_types:
        return f"`{written}`"
    return f"[`{written}`](#{named.name.lower()})"


def _type(one: GraphQLNamedType) -> str:
    lines = [f"### {one.name}", "", _plain(one.description)]
    if isinstance(one, GraphQLUnionType):
        lines += ["", "One of " + ", ".join(_link(member.name, member) for member in one.types) + "."]
    elif isinstance(one, GraphQLEnumType):
        values = [f"| `{name}` | {_cell(value.description)} |" for name, value in one.values.items()]
        lines += ["", "| value | meaning |", "|---|---|", *values]
    elif isinstance(one, GraphQLInputObjectType):
        lines += ["", "| field | type | what it is |", "|---|---|---|", *_rows(one.fields)]
    elif isinstance(one, GraphQLObjectType | GraphQLInterfaceType):
        if one.interfaces:
            lines += ["", "Is a " + ", ".join(_link(parent.name, parent) for parent in one.interfaces) + "."]
        lines += ["", "| field | type | what it is |", "|---|---|---|"]
        for name, field in one.fields.items():
            arguments = f"({', '.join(field.args)})" if field.args else ""
            link = _link(str(field.type), get_named_type(field.type))
            lines.append(f"| `{name}{arguments}` | {link} | {_cell(field.description)} |")
    return "\n".join(lines)


def _error_codes() -> str:
    lines = [
        "What `extensions.code` of an entry of `errors` may be, over every road. The `id` of",
        "`INTERNAL_SERVER_ERROR` stands in the server's log; its cause is told to nobody else.",
        "",
        "| code | what it says | send it again? |",
        "|---|---|---|",
        *(f"| `{code}` | {meaning.says} | {meaning.again} |" for code, meaning in MEANINGS.items()),
    ]
    return "\n".join(lines)


def _refusals_of(mutation: str) -> list[str]:
    """Return the codes that a mutation may be refused with, in the order of the vocabulary."""
    field = build_schema()._schema.mutation_type.fields[mutation]  # type: ignore[union-attr]
    given = get_named_type(field.args["input"].type)
    names = given.fields if isinstance(given, GraphQLInputObjectType) else {}
    codes: set[str] = set()
    if mutation in ACTS:
        kinds, actions = ACTS[mutation]
        for kind in kinds:
            for action in actions:
                for row in ACTION_ROWS[kind].get(action.value, ()):
                    for rule in row.guards.rules:
                        codes |= _codes_of_rule(type(rule))
        codes |= {"NOT_FOUND", "FORBIDDEN", "INVALID_INPUT"}
        if "refundCaseId" in names or mutation == "decideRefunds":
            codes |= {"TRANSITION_NOT_ALLOWED", "VERSION_CONFLICT"}
        if any(name in names for name in ("amount", "decisions")):
            codes.add("CURRENCY_MISMATCH")
    else:
        codes |= set(OTHERS.get(mutation, "NOT_FOUND FORBIDDEN INVALID_INPUT").split())
    if "idempotencyKey" in names:
        codes.add("IDEMPOTENCY_KEY_REUSED")
    return [code.value for code in RefusalCode if code.value in codes]


def _codes_of_rule(rule: type[Rule]) -> set[str]:
    """Return the codes that a rule's own source names, with those of the functions of its module that it calls."""
    codes: set[str] = set()
    for ancestor in rule.__mro__:
        if issubclass(ancestor, Rule) and ancestor is not Rule:
            source = inspect.getsource(ancestor)
            codes |= _named_in(source)
            module = vars(inspect.getmodule(ancestor))
            called = {
                name for name in re.findall(r"\b(_?[a-z_]+)\(", source) if isinstance(module.get(name), FunctionType)
            }
            codes |= {code for name in called for code in _named_in(inspect.getsource(module[name]))}
    return codes


def _named_in(source: str) -> set[str]:
    return set(re.findall(r"RefusalCode\.([A-Z_]+)", source))


def _plain(text: str | None) -> str:
    return " ".join((text or "").split())


def _cell(text: str | None) -> str:
    return _plain(text).replace("|", "\\|")


if __name__ == "__main__":
    print(page(), end="")
