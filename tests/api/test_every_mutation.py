"""Every mutation of the schema: its key is looked at first, taken once and replays; an older version is a conflict."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

import pytest
from command_world import World
from graphql import GraphQLInputObjectType, GraphQLObjectType, get_named_type
from strawberry.utils.str_converters import to_snake_case
from test_visibility_matrix import SCHEMA, answer_of
from visibility_oracle import send_webhooks

from api_world import DAY, START, Desk, ids, invoice, lead, message, milestone, usd
from refundgql.api.acts.inputs import _TYPES
from refundgql.commands.uploads import Upload

INVOICES = 30
NOWHERE = "01890000-0000-7000-8000-000000000000"
_ID = re.compile(r"[A-Za-z]+_[0-9a-f-]{36}")
_CASE = "refundCase { id state version }"
Given = dict[str, Any]


class Signer:
    """Takes every file and signs nothing."""

    max_bytes = 1_000
    content_types = frozenset({"image/png"})
    valid_seconds = 60

    def upload_url(self, upload: Upload, expires_at: datetime) -> str:
        """Return an address."""
        return f"https://files.example/{upload.id}"


@dataclass
class Scene:
    """The marketplace with many invoices, and short ways to get a case ready for an act."""

    desk: Desk
    things: dict[str, str]
    used: int = 0
    sent: bool = False

    def invoice(self) -> str:
        """Return an invoice that nothing was asked of."""
        self.used += 1
        return self.things[f"more-{self.used}"]

    async def case(self, amount: str = "30.00") -> str:
        """Return a request."""
        given = {"invoiceId": self.invoice(), "amount": usd(amount)}
        return str((await self.desk.done("karl", "requestInvoiceRefund", **given))["id"])

    async def done(self, ref: str, mutation: str, case: str, **given: Any) -> str:
        """Do something to a case and return it."""
        await self.desk.done(ref, mutation, refundCaseId=case, **given)
        return case

    async def disputed(self, amount: str = "30.00") -> str:
        """Return a case in dispute resolution."""
        return await self.done("karl", "disputeRefund", await self.case(amount), explanation="Please decide.")

    async def proposed(self) -> str:
        """Return a case on which a decision waits for a second signature."""
        return await self.done("sam", "approveRefund", await self.disputed("70.00"))

    async def declined(self, ref: str = "erik") -> str:
        """Return a declined case, finally when support says so."""
        case = await (self.case() if ref == "erik" else self.disputed())
        return await self.done(ref, "declineRefund", case, message="Work was done.")

    async def evidence(self) -> str:
        """Return a statement of the client's."""
        case = await self.done("karl", "addStatement", await self.case(), text="So it was.")
        found = await self.desk.run("karl", "query($id: ID!) { refundCase(id: $id) { evidence { id } } }", id=case)
        return str(found["refundCase"]["evidence"][0]["id"])

    async def run(self, ref: str, mutation: str, shown: str, **given: Any) -> Any:
        """Do what is no act on a case, and return what is shown of it."""
        declared = f"{mutation[0].upper()}{mutation[1:]}Input!"
        document = f"mutation($input: {declared}) {{ {mutation}(input: $input) {{ {shown} refusals {{ code }} }} }}"
        given.setdefault("idempotencyKey", self.desk.key())
        payload = (await self.desk.run(ref, document, input=given))[mutation]
        assert payload["refusals"] == [], payload
        return payload

    async def withdrawal(self) -> str:
        """Return a withdrawal that was not sent."""
        found = await self.run("erik", "requestWithdrawal", "withdrawal { id }", amount=usd("1.00"))
        return str(found["withdrawal"]["id"])

    async def endpoint(self) -> str:
        """Return a webhook endpoint."""
        shown = "webhookEndpoint { id }"
        found = await self.run("ada", "createWebhookEndpoint", shown, url="https://example.com/hook")
        return str(found["webhookEndpoint"]["id"])

    async def delivery(self) -> str:
        """Return a delivery that has failed, of the first endpoint."""
        if not self.sent:
            await send_webhooks(self.desk)
        self.sent = True
        shown = "{ webhookEndpoints { edges { node { deliveries { edges { node { id } } } } } } }"
        found = await self.desk.run("ada", shown)
        for edge in found["webhookEndpoints"]["edges"]:
            for one in edge["node"]["deliveries"]["edges"]:
                return str(one["node"]["id"])
        raise AssertionError("nothing was sent")

    async def person(self, ref: str) -> str:
        """Return the id of an account."""
        found = await self.desk.run("ada", "{ accounts(first: 100) { edges { node { id externalRef } } } }")
        return next(one["node"]["id"] for one in found["accounts"]["edges"] if one["node"]["externalRef"] == ref)

    async def chat(self) -> tuple[str, str]:
        """Return a case about a lead, and a message of its chat."""
        asked = {"leadId": self.things["lead-8"], "reason": "OTHER", "explanation": "Not it."}
        case = await self.desk.done(
            "paula", "requestLeadRefund", "subject { ... on Lead { conversation { id } } }", **asked
        )
        document = "query($id: ID!) { node(id: $id) { ... on Conversation { messages { edges { node { id } } } } } }"
        found = await self.desk.run("paula", document, id=case["subject"]["conversation"]["id"])
        return str(case["id"]), str(found["node"]["messages"]["edges"][0]["node"]["id"])


def _review(it: Scene) -> Given:
    return {"contractId": it.things["hourly"], "rating": 4, "body": "Good."}


def on_case(ref: str, make: Callable[[Scene], Awaitable[str]], **given: Any) -> Callable[[Scene], Awaitable[Any]]:
    """Return what makes a case ready for somebody's act on it."""

    async def ready(it: Scene) -> tuple[str, Given]:
        return ref, {"refundCaseId": await make(it), **given}

    return ready


def on(ref: str, name: str, make: Callable[[Scene], Awaitable[str]], **given: Any) -> Callable[[Scene], Awaitable[Any]]:
    """Return what makes something else ready."""

    async def ready(it: Scene) -> tuple[str, Given]:
        return ref, {name: await make(it), **given}

    return ready


def plain(ref: str, make: Callable[[Scene], Given]) -> Callable[[Scene], Awaitable[Any]]:
    """Return an input that needs nothing made ready."""

    async def ready(it: Scene) -> tuple[str, Given]:
        return ref, make(it)

    return ready


async def add_chat(it: Scene) -> tuple[str, Given]:
    """Add a message of a lead's chat to its case."""
    case, said = await it.chat()
    return "paula", {"refundCaseId": case, "messageIds": [said]}


async def decide_many(it: Scene) -> tuple[str, Given]:
    """Decide two cases."""
    cases = [await it.disputed(), await it.disputed()]
    return "sam", {"decisions": [{"refundCaseId": one, "decision": "APPROVE"} for one in cases]}


async def edit(it: Scene) -> tuple[str, Given]:
    """Edit a review that may be edited."""
    found = await it.desk.run("karl", "{ contracts { edges { node { externalRef reviews { id } } } } }")
    (review,) = (
        one["node"]["reviews"] for one in found["contracts"]["edges"] if one["node"]["externalRef"] == "hourly"
    )
    return "karl", {"reviewId": review[0]["id"], "rating": 5, "body": "Better."}


_FILE = {"fileName": "a.png", "contentType": "image/png", "sizeBytes": 3, "sha256": "0" * 64}
_WHY = {"reason": "Look again."}
READY: dict[str, Callable[[Scene], Awaitable[Any]]] = {
    "requestLeadRefund": plain(
        "paula", lambda it: {"leadId": it.things["lead-1"], "reason": "OTHER", "explanation": "Not it."}
    ),
    "requestInvoiceRefund": plain("karl", lambda it: {"invoiceId": it.invoice(), "amount": usd("5.00")}),
    "requestEscrowRefund": plain("klara", lambda it: {"milestoneId": it.things["step-1"], "amount": usd("5.00")}),
    "openTimesheetDispute": plain(
        "karl", lambda it: {"billingWeekId": it.things["week-1"], "amount": usd("5.00"), "explanation": "Not worked."}
    ),
    "issueRefund": plain("erik", lambda it: {"invoiceId": it.invoice(), "decision": "PARTIAL", "amount": usd("5.00")}),
    "approveRefund": on_case("erik", Scene.case),
    "declineRefund": on_case("erik", Scene.case, message="Work was done."),
    "escalateRefund": on_case("karl", Scene.declined, explanation="Please look."),
    "disputeRefund": on_case("karl", Scene.case, explanation="Please decide."),
    "consentToRefund": on_case("erik", Scene.disputed, amount=usd("5.00")),
    "cancelRefund": on_case("karl", Scene.case),
    "reverseRefund": on_case("ada", lambda it: _approved(it), **_WHY),
    "requestInformation": on_case("sam", Scene.disputed, **{"from": "COUNTERPARTY", "question": "Which log?"}),
    "confirmDecision": on_case("ada", Scene.proposed),
    "returnDecision": on_case("ada", Scene.proposed, **_WHY),
    "reopenRefund": on_case("ada", lambda it: it.declined("sam"), **_WHY),
    "decideRefunds": decide_many,
    "markCaseRead": on_case("karl", Scene.case),
    "addStatement": on_case("karl", Scene.case, text="So it was."),
    "createEvidenceUpload": on_case("karl", Scene.case, **_FILE),
    "withdrawEvidence": on("karl", "evidenceId", Scene.evidence),
    "redactEvidence": on("ada", "evidenceId", Scene.evidence, **_WHY),
    "addConversationEvidence": add_chat,
    "sendCaseMessage": on_case("karl", Scene.case, body="When?"),
    "assignCase": on_case("sam", Scene.disputed),
    "postReview": plain("karl", _review),
    "allowReviewEdit": on("erik", "reviewId", lambda it: _review_of_karl(it)),
    "editReview": edit,
    "requestWithdrawal": plain("erik", lambda _: {"amount": usd("1.00")}),
    "cancelWithdrawal": on("erik", "withdrawalId", Scene.withdrawal),
    "redeliverWebhook": on("ada", "webhookDeliveryId", Scene.delivery),
    "skipWebhookDelivery": on("ada", "webhookDeliveryId", Scene.delivery),
    "createWebhookEndpoint": plain("ada", lambda _: {"url": "https://example.com/other"}),
    "updateWebhookEndpoint": on("ada", "webhookEndpointId", Scene.endpoint, description="The books"),
    "rotateWebhookSecret": on("ada", "webhookEndpointId", Scene.endpoint),
    "rewindWebhookEndpoint": on("ada", "webhookEndpointId", Scene.endpoint, after="0.0"),
    "deleteWebhookEndpoint": on("ada", "webhookEndpointId", Scene.endpoint),
    "eraseAccount": on("ada", "accountId", lambda it: it.person("gone"), **_WHY),
}
"""What makes everything ready for a mutation: who does it, and its input but for key and version."""

WITHOUT_VERSION = {"addStatement", "addConversationEvidence", "createEvidenceUpload", "sendCaseMessage", "markCaseRead"}
"""Acts on a case that change no state: whatever has come in between, they are said all the same."""

MUTATIONS = cast("GraphQLObjectType", SCHEMA.mutation_type).fields


async def _approved(it: Scene) -> str:
    return await it.done("erik", "approveRefund", await it.case())


async def _review_of_karl(it: Scene) -> str:
    found = await it.desk.run("karl", "{ contracts { edges { node { reviews { id } } } } }")
    return next(str(one["id"]) for edge in found["contracts"]["edges"] for one in edge["node"]["reviews"])


def input_of(mutation: str) -> GraphQLInputObjectType:
    """Return the type of a mutation's input."""
    return cast("GraphQLInputObjectType", get_named_type(MUTATIONS[mutation].args["input"].type))


def document_of(mutation: str) -> str:
    """Return a document that shows everything a payload says by itself."""
    payload = cast("GraphQLObjectType", get_named_type(MUTATIONS[mutation].type))
    shown = answer_of(payload) + (f" {_CASE}" if "refundCase" in payload.fields else "")
    shown += " event { id name sequence }" if "event" in payload.fields else ""
    return f"mutation($input: {input_of(mutation).name}!) {{ {mutation}(input: $input) {{ {shown} }} }}"


@pytest.fixture
async def scene(desk: Desk) -> Scene:
    """Give the marketplace, where support decides alone up to 60.00."""
    policy = replace(desk.app.policy, decision_limit_minor={"USD": 6_000})
    uow = replace(desk.app.uow, policy=policy, uploads=Signer())
    desk.app = replace(desk.app, policy=policy, uow=uow)
    await desk.seed(
        {"account": {"externalRef": "gone", "name": "Gina Gone", "roles": ["CLIENT"]}},
        lead("lead-8"),
        message("m-8", "lead-8", "carla", "It is far.", START - DAY / 4),
        milestone("step-8", "fixed", "50.00"),
        *(invoice(f"more-{n}", "hourly", "80.00", START - 10 * DAY) for n in range(1, INVOICES + 1)),
    )
    shown = "{ contracts { edges { node { invoices(first: 100) { edges { node { id externalRef } } } } } } }"
    contracts = (await desk.run("sam", shown))["contracts"]["edges"]
    invoices = [edge["node"] for one in contracts for edge in one["node"]["invoices"]["edges"]]
    return Scene(desk, await ids(desk) | {one["externalRef"]: one["id"] for one in invoices})


def test_no_mutation_is_forgotten() -> None:
    """Every mutation but the marketplace's sync is in the table, takes a key, and a version where it moves a case."""
    assert set(READY) == set(MUTATIONS) - {"syncRecords"}
    fields = {name: set(input_of(name).fields) for name in READY}
    assert [name for name in READY if "idempotencyKey" not in fields[name]] == []
    on_cases = {name for name in READY if "refundCaseId" in fields[name]}
    assert {name for name in on_cases if "expectedVersion" not in fields[name]} == WITHOUT_VERSION


def test_every_id_of_an_input_names_a_type() -> None:
    """An id that is given to a mutation is known by its field's name, so that one of another type names nothing."""
    ids = {
        to_snake_case(field)
        for name in READY
        for field, its in input_of(name).fields.items()
        if get_named_type(its.type).name == "ID"
    }
    assert ids == set(_TYPES)


async def test_every_mutation_happens_once_a_key(scene: Scene) -> None:
    """The same key with the same input replays what it did and changes nothing; for anything else it is taken."""
    desk, world = scene.desk, World(scene.desk.app.database)
    withdraw = document_of("requestWithdrawal")
    for mutation, ready in READY.items():
        ref, given = await ready(scene)
        await _refuses_bad_keys(desk, mutation, ref, given)
        document, keyed = document_of(mutation), {**given, "idempotencyKey": f"once {mutation}"}
        if "expectedVersion" in input_of(mutation).fields:
            await _conflicts(scene, mutation, ref, given)
            keyed["expectedVersion"] = await _version(desk, given["refundCaseId"])
        first = (await desk.run(ref, document, input=keyed))[mutation]
        assert (first["refusals"], first["replayed"]) == ([], False), (mutation, first)
        before = await world.dump()
        again = (await desk.run(ref, document, input=keyed))[mutation]
        assert again == _replayed(first), mutation
        other = {"amount": usd("77.00"), "idempotencyKey": keyed["idempotencyKey"]}
        refused = (await desk.run(ref, withdraw, input=other))["requestWithdrawal"]
        assert [one["code"] for one in refused["refusals"]] == ["IDEMPOTENCY_KEY_REUSED"], mutation
        assert await world.dump() == before, mutation
    await world.check_ledger()


async def _refuses_bad_keys(desk: Desk, mutation: str, ref: str, given: Given) -> None:
    """A key that cannot be one is the only reason, whoever asks, and whether what they name exists or not."""
    for who, named in ((ref, given), (ref, _naming_nothing(given)), ("carla", given)):
        for key in ("", " ", "k" * 201):
            refused = (await desk.run(who, document_of(mutation), input={**named, "idempotencyKey": key}))[mutation]
            told = [(one["code"], one["field"]) for one in refused["refusals"]]
            assert told == [("INVALID_INPUT", ["idempotencyKey"])], (mutation, who, key)


def _naming_nothing(given: Any) -> Any:
    """Return an input whose ids are of things that are not there."""
    if isinstance(given, dict):
        return {name: _naming_nothing(one) for name, one in given.items()}
    if isinstance(given, list):
        return [_naming_nothing(one) for one in given]
    return f"{given.partition('_')[0]}_{NOWHERE}" if isinstance(given, str) and _ID.fullmatch(given) else given


def _replayed(payload: Any) -> Any:
    """Return what a replay says of what was done; a secret is told once."""
    if isinstance(payload, list):
        return [_replayed(one) for one in payload]
    if not isinstance(payload, dict):
        return payload
    told = {name: _replayed(one) for name, one in payload.items()}
    return told | {name: value for name, value in (("replayed", True), ("secret", None)) if name in told}


async def _version(desk: Desk, case: str) -> int:
    found = await desk.run("ada", "query($id: ID!) { refundCase(id: $id) { version } }", id=case)
    return int(found["refundCase"]["version"])


async def _conflicts(scene: Scene, mutation: str, ref: str, given: Given) -> None:
    """An act on a case as it was before is a conflict that tells how it is now, and changes nothing."""
    desk, world = scene.desk, World(scene.desk.app.database)
    now = await _version(desk, given["refundCaseId"])
    shown = "refusals { code ... on ConflictRefusal { currentVersion currentState } } refundCase { id }"
    document = f"mutation($input: {input_of(mutation).name}!) {{ {mutation}(input: $input) {{ {shown} }} }}"
    before = await world.dump()
    stale = {**given, "expectedVersion": now - 1, "idempotencyKey": f"stale {mutation}"}
    refused = (await desk.run(ref, document, input=stale))[mutation]
    assert [(one["code"], one["currentVersion"]) for one in refused["refusals"]] == [("VERSION_CONFLICT", now)], (
        mutation
    )
    assert refused["refundCase"] is None
    assert await world.dump() == before, mutation
