"""Who should see what, worked out anew from what staff reads: the judge of every road to every field."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from graphql import (
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
)
from test_fields import open_cases

from api_world import DAY, PEOPLE, START, Desk, at, contract, ids, invoice, lead, usd, week
from refundgql.api.schema import build_schema
from refundgql.api.types.ids import uuid_of
from refundgql.commands.evidence import AddFileEvidence, add_file_evidence
from refundgql.commands.webhook_sending import EndpointNeed, find_work, note_attempt
from refundgql.domain.webhooks import RetryPlan
from refundgql.storage.webhook_deliveries import Attempt
from refundgql.storage.webhooks import claim_endpoints

SCHEMA = build_schema()._schema
NODE = SCHEMA.type_map["Node"]
assert isinstance(NODE, GraphQLInterfaceType)
NODE_TYPES = {one.name for one in SCHEMA.get_possible_types(NODE)}

SHARED, STAFF, OWNER, VISIBLE, AUDIENCE, PERSONAL = "shared", "staff", "owner", "visible", "audience", "personal"
WORD = "word"
"""What whoever sees a thing reads of a field: the same as staff; nothing; the owner alone reads it; the things behind
it that they see themselves; the messages that were said to them; an answer of their own; the same as staff, but for the
marketplace, which reads no words."""

WORDS = {"Message", "CaseMessage", "StatementEvidence", "ConversationEvidence", "FileEvidence"}
"""Things that hold words: the marketplace sees none of them."""
INTERNAL = {"ASSIGN", "CONFIRM", "PROPOSE", "RETURN", "STAFF_NOTE"}
UNPOSTED = {"PENDING", "DECLINED", "CANCELLED"}

ROLES = {ref: set(roles) for ref, _, roles in PEOPLE} | {"rita": {"CLIENT", "EXPERT", "PRO"}, "fred": {"CLIENT"}}
"""Everybody of the world: owner, counterparty, stranger of the same role, several roles, a role that was taken away."""

_OF_TYPE: dict[str, dict[str, str]] = {
    "Account": {
        SHARED: "id externalRef name",
        OWNER: "roles balances transactions withdrawals refundCases contracts leads",
        PERSONAL: "summary",
    },
    "Lead": {
        SHARED: "id externalRef title category location price chargedAt customerName customer pro conversation",
        VISIBLE: "refundCase",
        PERSONAL: "refundAction",
    },
    "CustomerSummary": {SHARED: "name", STAFF: "termsReports termsReportsCredited"},
    "Conversation": {SHARED: "id lastMessageAt lead", VISIBLE: "messages"},
    "Message": {SHARED: "id externalRef authorName body sentAt"},
    "Contract": {
        SHARED: "id externalRef title kind status startedAt endedAt paidTotal refundedTotal refundable client expert"
        " invoices milestones billingWeeks reviews reviewDeadline",
    },
    "Invoice": {
        SHARED: "id externalRef number status amount issuedAt paidAt refunded refundable contract billingWeek milestone"
        " route directUntil supportUntil",
        VISIBLE: "refundCases",
        PERSONAL: "refundAction",
    },
    "Milestone": {
        SHARED: "id externalRef title amount held status contract",
        VISIBLE: "refundCases",
        PERSONAL: "refundAction",
    },
    "BillingWeek": {
        SHARED: "id externalRef startsAt endsAt hours rate amount contract disputeUntil invoice",
        VISIBLE: "refundCase",
        PERSONAL: "disputeAction",
    },
    "Review": {SHARED: "id externalRef author subject rating body postedAt editAllowed hidden hiddenBecause wording"},
    "RefundCase": {
        WORD: "explanation",
        SHARED: "id number kind state version route subject requester counterparty filedBy goodwill reason reasonDetail"
        " requestedAmount approvedAmount consentedAmount creditedAmount openedAt updatedAt decidedAt"
        " creditedAt reversedAt whoseMove respondBy targetAt overdue policyVersion isFinal settlement clocks events"
        " openAmount continues continuedBy",
        STAFF: "assignee proposal",
        VISIBLE: "withdrawal evidence",
        AUDIENCE: "messages",
        PERSONAL: "actions unread",
    },
    "RefundProposal": {STAFF: "decision amount proposedBy proposedAt message"},
    "Settlement": {SHARED: "status", PERSONAL: "shortfall"},
    "RefundEvent": {
        SHARED: "id sequence name at actorRole actor fromState toState amount rule",
        WORD: "note wording",
        STAFF: "facts internalNote",
    },
    "StatementEvidence": {SHARED: "id addedAt addedBy sha256 audience withdrawnAt redactedAt text"},
    "ConversationEvidence": {SHARED: "id addedAt addedBy sha256 audience withdrawnAt redactedAt messageCount messages"},
    "FileEvidence": {
        SHARED: "id addedAt addedBy sha256 audience withdrawnAt redactedAt fileName contentType sizeBytes",
        PERSONAL: "url",
    },
    "FrozenMessage": {SHARED: "id authorName body sentAt sha256"},
    "CaseMessage": {SHARED: "id audience body sentAt author"},
    "Transaction": {
        # One movement has two legs, and each side reads its own.
        PERSONAL: "purpose amount balanceAfter description wording",
        SHARED: "id at bookedAt status",
        VISIBLE: "refundCase withdrawal reverses",
    },
    "Withdrawal": {
        VISIBLE: "refundCase",
        SHARED: "id externalRef account purpose cancelledAt status amount requestedAt estimatedFrom estimatedUntil"
        " failureReason wording",
    },
    "Money": {SHARED: "amount currencyCode"},
    "Balance": {SHARED: "purpose available inTransit"},
    "Clock": {SHARED: "name rule startsAt endsAt whoseMove whenItRunsOut wording pausedByRequest"},
    "Fact": {SHARED: "name value"},
    "Wording": {SHARED: "code parameters"},
    "WordingParameter": {SHARED: "name value wording"},
    "WebhookEndpoint": {
        SHARED: "id url description events kinds enabled stopped createdAt cursor failures failingSince nextAttemptAt"
        " formerSecretUntil deliveries",
    },
    "WebhookDelivery": {SHARED: "id state cursor queuedAt settledAt endpoint event refundCase attempts"},
    "WebhookAttempt": {SHARED: "at status error durationMs"},
}

RULES = {
    name: {one: rule for rule, names in by_rule.items() for one in names.split()} for name, by_rule in _OF_TYPE.items()
}
"""Who reads which field; a field that stands here nowhere fails the test that compares this with the schema."""

NOT_OF_THINGS = {
    # Pages, and answers of the moment: rules and previews, what one may do, the payloads of one's own acts.
    *("PageInfo", "ActionAvailability", "BasicRefusal", "WindowRefusal", "AmountRefusal", "ConflictRefusal"),
    *(
        "RefundPreview",
        "DecisionPreview",
        "PostingPreview",
        "RefundPolicy",
        "PolicyRule",
        "RefundWorkflow",
        "WorkflowState",
    ),
    *("WorkflowTransition", "SupportMetrics", "StateCount", "ReasonCount", "Query", "Mutation", "Subscription"),
    *("RefundPreview", "PostingPreview", "RefundPolicy", "PolicyRule", "RefundWorkflow", "WorkflowState"),
    *("WorkflowTransition", "SupportMetrics", "StateCount", "ReasonCount", "KindMetrics", "DeciderMetrics"),
    *("UploadLimits", "ReasonInfo", "AccountSummary", "Query", "Mutation", "Subscription"),
    *(
        "RefundCaseUpdate",
        "WithdrawalUpdate",
        "RefundPolicySimulation",
        "RefundSimulationOutcome",
        "SimulatedCase",
        "SimulationChangeCount",
    ),
}
"""Types that show nothing but what the viewer asked of themselves, or things that are judged by their own rules."""

Selection = dict[str, tuple[str, "Selection"]]
"""Fields with their arguments as text, and what is asked of each; nothing below leaves and whole values."""


class _Anything:
    """Equal to whatever the viewer is told."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, _: object) -> bool:
        return True


ANYTHING = _Anything()


def kind_of(type_: GraphQLNamedType) -> str:
    """Tell whether a type is a leaf, a thing with an id, a list of such in pages, or a plain value."""
    if is_leaf_type(type_):
        return "leaf"
    if type_.name.endswith("Connection"):
        return "page"
    if type_.name in NODE_TYPES or isinstance(type_, GraphQLInterfaceType | GraphQLUnionType):
        return "refusal" if type_.name == "Refusal" else "thing"
    return "value"


def whole(type_name: str, within: tuple[str, ...] = ()) -> str:
    """Return the selection of everything of a value, and of the ids of the things that it holds or leads to.

    A value within one of its own type is not looked into once more.
    """
    type_ = SCHEMA.type_map[type_name]
    assert isinstance(type_, GraphQLObjectType)
    parts = []
    for name, declared in type_.fields.items():
        inner = get_named_type(declared.type)
        match kind_of(inner):
            case "leaf":
                parts.append(name)
            case "thing":
                parts.append(f"{name} {{ __typename ... on Node {{ id }} }}")
            case "page":
                parts.append(f"{name}(first: 100) {{ totalCount edges {{ node {{ id }} }} }}")
            case "value" if inner.name not in within:
                parts.append(f"{name} {{ {whole(inner.name, (*within, inner.name))} }}")
            case "value":
                pass
            case _:
                parts.append(f"{name} {{ __typename code message rule }}")
    return " ".join(parts)


def printed(type_name: str, selection: Selection) -> str:
    """Return a selection as a document holds it."""
    parts = ["__typename", "id"]
    type_ = SCHEMA.type_map[type_name]
    assert isinstance(type_, GraphQLObjectType)
    for name, (given, below) in selection.items():
        inner = get_named_type(type_.fields[name].type)
        match kind_of(inner):
            case "leaf":
                parts.append(name)
            case "value":
                parts.append(f"{name} {{ {whole(inner.name)} }}")
            case "page":
                node = inner.name.removesuffix("Connection")
                parts.append(f"{name}{given} {{ totalCount edges {{ node {{ {printed(node, below)} }} }} }}")
            case "thing" if inner.name in NODE_TYPES:
                parts.append(f"{name} {{ {printed(inner.name, below)} }}")
            case "thing":
                parts.append(f"{name} {{ __typename ... on Node {{ id }} }}")
            case _:
                raise AssertionError(f"{type_name}.{name} cannot be asked for here")
    return " ".join(parts)


def type_of(global_id: str) -> str:
    """Return the type that an id names."""
    return global_id.split("_")[0]


@dataclass
class Oracle:
    """Everything as staff reads it, by id, and the rules of who sees it."""

    things: dict[str, dict[str, Any]] = field(default_factory=dict)
    home: dict[str, str] = field(default_factory=dict)
    """The lead, contract, case or account that a thing belongs to."""
    account: dict[str, str] = field(default_factory=dict)
    """Each account's id by its reference."""

    @classmethod
    async def of(cls, desk: Desk) -> Oracle:
        """Read everything as an administrator, by following every field of every thing."""
        found = await desk.run(
            "ada",
            "{ leads(first: 100) { edges { node { id } } } contracts(first: 100) { edges { node { id } } }"
            " refundCases(first: 100) { edges { node { id } } } withdrawals(first: 100) { edges { node { id } } }"
            " webhookEndpoints { edges { node { id } } } }",
        )
        oracle, waiting = cls(), list(_ids_in(found))
        for ref in ROLES:
            me = (await desk.run(ref, "{ viewer { id } }"))["viewer"]["id"]
            oracle.account[ref] = me
            waiting.append(me)
        while waiting:
            one = waiting.pop()
            if one in oracle.things:
                continue
            document = f"query($id: ID!) {{ node(id: $id) {{ ... on {type_of(one)} {{ {whole(type_of(one))} }} }} }}"
            oracle.things[one] = (await desk.run("ada", document, id=one))["node"]
            for below in _ids_in(oracle.things[one]):
                oracle.home.setdefault(below, one)
                waiting.append(below)
        return oracle

    def sees(self, ref: str | None, thing: str) -> bool:
        """Tell whether somebody sees a thing, by its id."""
        if ref is None:
            return False
        roles, me, own = ROLES[ref], self.account[ref], self.things[thing]
        if type_of(thing).startswith("Webhook"):
            return "ADMIN" in roles
        if roles & {"SUPPORT", "ADMIN"}:
            return True
        if "SERVICE" in roles:
            return type_of(thing) not in WORDS

        def is_me(name: str) -> bool:
            return bool(own[name]) and own[name]["id"] == me

        match type_of(thing):
            case "Lead":
                return "PRO" in roles and is_me("pro")
            case "Conversation":
                return self.sees(ref, own["lead"]["id"])
            case "Contract":
                return ("CLIENT" in roles and is_me("client")) or ("EXPERT" in roles and is_me("expert"))
            case "Invoice" | "Milestone" | "BillingWeek":
                return self.sees(ref, own["contract"]["id"])
            case "RefundCase":
                return self.sees(ref, own["subject"]["id"])
            case "Withdrawal":
                return self.owner_of(thing) == me
            case "Transaction":
                asked = own["status"] in UNPOSTED  # the request of a case, which may not be theirs any more
                is_mine = thing in _ids_in(self.things[me]["transactions"])
                return is_mine and (not asked or self.sees(ref, own["refundCase"]["id"]))
            case "CaseMessage" | "StatementEvidence" | "ConversationEvidence" | "FileEvidence":
                case = self.things[self.home[thing]]
                said_to = {"REQUESTER_AND_SUPPORT": "requester", "COUNTERPARTY_AND_SUPPORT": "counterparty"}
                writer = own.get("author") or own["addedBy"]
                party = case.get(said_to.get(own["audience"], "")) or {}
                heard = own["audience"] == "EVERYONE" or me in (writer["id"], party.get("id"))
                return heard and self.sees(ref, self.home[thing])
            case "Account":
                return thing == me or self._comes_across(ref, thing)
            case _:  # messages of a chat, reviews, events, evidence
                return self.sees(ref, self.home[thing])

    def owner_of(self, withdrawal: str) -> str:
        """Return whose a withdrawal is."""
        return next(
            one
            for one, own in self.things.items()
            if type_of(one) == "Account" and withdrawal in _ids_in(own["withdrawals"])
        )

    def _comes_across(self, ref: str, account: str) -> bool:
        """Tell whether an account is of the people of a contract or case that somebody sees."""
        for one, own in self.things.items():
            if type_of(one) not in {"Contract", "RefundCase", "RefundEvent"} or not self.sees(ref, one):
                continue
            names = ("client", "expert", "requester", "counterparty", "filedBy")
            names += ("actor",) if own.get("name") not in INTERNAL else ()
            if any(own.get(name) and own[name]["id"] == account for name in names):
                return True
        return False

    def visible(self, ref: str | None, type_name: str) -> set[str]:
        """Return the ids of all things of a type that somebody sees."""
        return {one for one in self.things if type_of(one) == type_name and self.sees(ref, one)}

    def read(self, ref: str, thing: str, selection: Selection) -> dict[str, Any]:
        """Return what somebody who sees a thing is told of it."""
        type_name, own = type_of(thing), self.things[thing]
        told: dict[str, Any] = {"__typename": type_name, "id": thing}
        for name, (given, below) in selection.items():
            rule, value = RULES[type_name][name], own[name]
            if rule == PERSONAL:
                told[name] = ANYTHING
                continue
            if not self._reads(ref, thing, rule):
                value = _nothing(value)
            if name == "actor" and own["name"] in INTERNAL and not ROLES[ref] & {"SUPPORT", "ADMIN"}:
                value = None  # who among the staff did what is theirs alone (D29)
            if name == "clocks" and own["withdrawal"] and not self.sees(ref, own["withdrawal"]["id"]):
                value = [one for one in value if one["name"] != "WITHDRAWAL_ESTIMATE"]  # a clock of the owner's alone
            told[name] = self._told(ref, rule, type_name, name, value, given, below)
        return told

    def _reads(self, ref: str, thing: str, rule: str) -> bool:
        staff = bool(ROLES[ref] & {"SUPPORT", "ADMIN"})
        if "SERVICE" in ROLES[ref] and rule in (OWNER, WORD):
            return rule == OWNER
        return staff or (rule != STAFF and (rule != OWNER or thing == self.account[ref]))

    def _told(self, ref: str, rule: str, type_name: str, name: str, value: Any, given: str, below: Selection) -> Any:
        type_ = SCHEMA.type_map[type_name]
        assert isinstance(type_, GraphQLObjectType)
        inner = get_named_type(type_.fields[name].type)

        def shown(one: dict[str, Any]) -> bool:
            return rule not in (VISIBLE, AUDIENCE, OWNER) or self.sees(ref, one["id"])

        def thing(one: dict[str, Any]) -> Any:
            if inner.name not in NODE_TYPES and kind_of(inner) == "thing":
                return one
            return self.read(ref, one["id"], below)

        match kind_of(inner):
            case "leaf":
                return value
            case "value":
                return self._masked(ref, inner.name, value)
            case "page":
                nodes = [edge["node"] for edge in value["edges"] if shown(edge["node"])]
                kept = paged([one["id"] for one in nodes], given)
                return {"totalCount": len(nodes), "edges": [{"node": self.read(ref, one, below)} for one in kept]}
            case _ if isinstance(value, list):
                return [thing(one) for one in value if shown(one)]
            case _:
                return thing(value) if value is not None and shown(value) else None

    def _masked(self, ref: str, type_name: str, value: Any) -> Any:
        if isinstance(value, list):
            return [self._masked(ref, type_name, one) for one in value]
        if value is None:
            return None
        staff, told = bool(ROLES[ref] & {"SUPPORT", "ADMIN"}), {}
        for name, inner in value.items():
            rule = RULES[type_name][name]
            told[name] = ANYTHING if rule == PERSONAL else inner if staff or rule == SHARED else _nothing(inner)
        return told


def paged(listed: list[str], given: str) -> list[str]:
    """Return the page of a list that arguments such as `(last: 2)` ask for."""
    if not given:
        return listed[:20]
    which, count = given.strip("()").split(": ")
    return listed[: int(count)] if which == "first" else listed[-int(count) :]


def _nothing(value: Any) -> Any:
    if isinstance(value, list):
        return []
    return {"totalCount": 0, "edges": []} if isinstance(value, dict) and "edges" in value else None


def _ids_in(value: Any) -> list[str]:
    """Return the ids of the things below a value, not of what evidence holds frozen."""
    if isinstance(value, dict):
        one = value.get("id")
        own = [one] if isinstance(one, str) and not one.startswith("FrozenMessage_") else []
        return own + [below for inner in value.values() for below in _ids_in(inner)]
    return [one for inner in value for one in _ids_in(inner)] if isinstance(value, list) else []


async def add_file(desk: Desk, ref: str, case: str) -> None:
    """Add a file to somebody's case, as if it had just arrived."""
    viewer, case_id = await desk.app.load_viewer(ref), uuid_of("RefundCase", case)
    assert viewer
    assert case_id
    given = AddFileEvidence(
        refund_case_id=case_id,
        file_name="Fence.png",
        content_type="image/png",
        size_bytes=5,
        sha256="0" * 64,
        storage_key=f"of-{case_id}",
        idempotency_key=desk.key(),
    )
    await add_file_evidence(desk.app.uow, viewer, given)


async def _propose(desk: Desk, case: str) -> None:
    """Have a decision wait for a second signature while a party is asked, with evidence of both that is gone."""
    for ref in ("karl", "erik"):
        await desk.done(ref, "addStatement", refundCaseId=case, text=f"The log of {ref}", audience="EVERYONE")
    shown = "query($id: ID!) { refundCase(id: $id) { evidence { id addedBy { externalRef } } } }"
    found = (await desk.run("ada", shown, id=case))["refundCase"]["evidence"]
    of = {one["addedBy"]["externalRef"]: one["id"] for one in found}
    await desk.done("erik", "withdrawEvidence", evidenceId=of["erik"])
    await desk.done("ada", "redactEvidence", evidenceId=of["karl"], reason="A card.")
    await desk.done("sam", "requestInformation", refundCaseId=case, question="Whose log?", **{"from": "COUNTERPARTY"})
    app, policy = desk.app, replace(desk.app.policy, decision_limit_minor={"USD": 1_000})
    desk.app = replace(app, policy=policy, uow=replace(app.uow, policy=policy))
    await desk.done("sam", "approveRefund", refundCaseId=case, note="Half of the hours.")
    desk.app = app


async def make_world(desk: Desk) -> None:
    """Fill the marketplace: cases of every kind, messages for every audience, people in several roles and of none."""
    await desk.seed(
        {"account": {"externalRef": "rita", "name": "Rita Both", "roles": ["CLIENT", "EXPERT", "PRO"]}},
        {"account": {"externalRef": "fred", "name": "Fred Former", "roles": ["EXPERT", "PRO", "CLIENT"]}},
        lead("lead-3", pro="rita", title="Mend the roof"),
        lead("lead-4", pro="fred", title="Fell the tree"),
        contract("rita-buys", client="rita", expert="erik"),
        contract("rita-works", client="karl", expert="rita"),
        contract("fred-worked", client="klara", expert="fred"),
        week("week-2", "rita-buys", "2026-02-23"),
        invoice("invoice-3", "rita-buys", "60.00", START - 3 * DAY),
        invoice("invoice-4", "rita-works", "70.00", START - 5 * DAY),
        invoice("invoice-5", "fred-worked", "90.00", START - 6 * DAY),
        {
            "review": {"externalRef": "r-1", "contract": "hourly", "author": "karl", "rating": 4, "body": "Not bad."}
            | {"postedAt": at(START - DAY)}
        },
    )
    things = await ids(desk)
    cases = await open_cases(desk, things)
    await add_file(desk, "karl", cases[2])
    for ref, audience in (("sam", "INTERNAL"), ("karl", "REQUESTER_AND_SUPPORT"), ("erik", "COUNTERPARTY_AND_SUPPORT")):
        document = "mutation($input: SendCaseMessageInput!) { sendCaseMessage(input: $input) { refusals { code } } }"
        given = {"refundCaseId": cases[2], "body": f"For {audience}", "audience": audience}
        await desk.run(ref, document, input=given)
        await desk.done(ref, "addStatement", refundCaseId=cases[2], text=f"For {audience}", audience=audience)
    await _propose(desk, cases[1])
    chat = await desk.run("peter", "{ conversations { edges { node { messages { edges { node { id } } } } } } }")
    said = chat["conversations"]["edges"][0]["node"]["messages"]["edges"][0]["node"]["id"]
    painted = await desk.done("peter", "requestLeadRefund", leadId=things["lead-2"], reason="OTHER", explanation="No.")
    await desk.done("peter", "addConversationEvidence", refundCaseId=painted["id"], messageIds=[said])
    await add_file(desk, "peter", painted["id"])
    await desk.done("ada", "declineRefund", refundCaseId=painted["id"], message="No.", internalNote="A known trick.")
    await desk.done("fred", "requestLeadRefund", leadId=things["lead-4"], reason="OTHER", explanation="Gone.")
    await desk.done("rita", "issueRefund", invoiceId=things["invoice-4"], decision="PARTIAL", amount=usd("5.00"))
    await desk.done("klara", "requestInvoiceRefund", invoiceId=things["invoice-5"], amount=usd("9.00"))
    asked = await desk.done(
        "rita", "requestInvoiceRefund", invoiceId=things["invoice-3"], amount=usd("60.00"), sendToPaymentMethod=True
    )
    await desk.run(
        "erik",
        "mutation($input: RequestWithdrawalInput!) { requestWithdrawal(input: $input) { refusals { code } } }",
        input={"amount": usd("200.00"), "idempotencyKey": desk.key()},
    )
    await desk.done("erik", "approveRefund", refundCaseId=asked["id"])
    # From now on Fred is no professional and no expert any more: what he did as one is out of his sight.
    await desk.seed({"account": {"externalRef": "fred", "name": "Fred Former", "roles": ["CLIENT"]}})
    await send_webhooks(desk)


async def send_webhooks(desk: Desk) -> None:
    """Add an endpoint with a queue, at whose front an attempt has failed."""
    document = "mutation($input: CreateWebhookEndpointInput!) { createWebhookEndpoint(input: $input) { secret } }"
    given = {"url": "https://example.com/hook", "after": "0.0", "kinds": ["LEAD"], "idempotencyKey": desk.key()}
    await desk.run("ada", document, input=given)
    uow, owner = desk.app.uow, "world"
    (endpoint,) = await claim_endpoints(desk.app.database, owner, 10**9, limit=1)
    while (work := await find_work(uow, endpoint, owner, 1)).situation is not EndpointNeed.SEND:
        pass
    await note_attempt(uow, work, owner, Attempt(at=1, status=500, error="No.", duration_ms=1), RetryPlan(), 0)
