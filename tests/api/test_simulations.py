"""The policy simulator: past cases are decided again, only what the change touches differs, and nothing is written."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from api_world import DAY, HOUR, START, Desk, at, engine, lead, usd
from refundgql import bootstrap
from refundgql.cli.replaying import StoryDesk
from refundgql.clocks import SetClock
from refundgql.commands.sweep import sweep_due
from refundgql.domain.policy import Policy
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import Role
from refundgql.queries.pages import Page
from refundgql.queries.simulations import examine
from refundgql.scenarios import find_stories, read_story, tell
from refundgql.settings import Settings
from refundgql.storage.statements import counted_statements

SIMULATE = """query($o: RefundPolicyOverridesInput!, $f: RefundCaseFilter, $first: Int, $after: String) {
  refundPolicySimulation(overrides: $o, filter: $f, first: $first, after: $after) {
    policyVersion simulatedVersion examined notReproduced changes { change count }
    edges { cursor node { changes event at refundCase { id number state } recorded { state route goodwill targetMissed
      reviewsHidden rule refusals { code } } simulated { state route goodwill targetMissed reviewsHidden rule
      refusals { code rule } } } }
    pageInfo { hasNextPage endCursor } } }"""
STORIES = find_stories(Path(__file__).parents[2] / "fixtures" / "scenarios")
STAFF = Viewer(
    account_id="00000000-0000-7000-8000-000000000000", external_ref="", name="", roles=frozenset({Role.SUPPORT})
)


async def simulated(desk: Desk, more: dict[str, Any] | None = None, **overrides: Any) -> dict[str, Any]:
    """Return what the simulator says to a member of staff."""
    found = await desk.run("sam", SIMULATE, o=overrides, **(more or {}))
    answer: dict[str, Any] = found["refundPolicySimulation"]
    return answer


async def leads_reported_on_days(desk: Desk, *days: int) -> list[str]:
    """Report a lead on each of these days from its charge and return the cases' ids."""
    await desk.seed(*[lead(f"day-{number}", chargedAt=at(START - number * DAY)) for number in days])
    found = await desk.run("sam", "{ leads(first: 100) { edges { node { id externalRef } } } }")
    ids = {edge["node"]["externalRef"]: edge["node"]["id"] for edge in found["leads"]["edges"]}
    cases = []
    for number in days:
        case = await desk.done(
            "paula", "requestLeadRefund", leadId=ids[f"day-{number}"], reason="OTHER", explanation="Not it."
        )
        cases.append(case["id"])
        desk.clock.at += timedelta(microseconds=1)
    return cases


async def test_a_shorter_window_refuses_exactly_what_came_later(desk: Desk) -> None:
    """With 20 days for leads, those reported on day 21 and later are refused, citing L15, and no other differs."""
    cases = await leads_reported_on_days(desk, 5, 20, 21, 29)
    answer = await simulated(desk, leadWindowDays=20)
    assert [edge["node"]["refundCase"]["id"] for edge in answer["edges"]] == [cases[3], cases[2]]
    assert (answer["examined"], answer["notReproduced"]) == (4, 0)
    assert answer["changes"] == [{"change": "REFUSED", "count": 2}]
    node = answer["edges"][0]["node"]
    assert (node["event"], node["changes"]) == ("REQUEST", ["REFUSED"])
    assert node["recorded"]["state"] == "REQUESTED"
    assert node["simulated"]["state"] is None
    assert node["simulated"]["refusals"] == [{"code": "WINDOW_CLOSED", "rule": "L15"}]
    assert answer["policyVersion"] == Policy().version
    assert answer["simulatedVersion"] == Policy(lead_window_days=20).version


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"leadWindowDays": 0}, "overrides: leadWindowDays must lie between 1 and "),
        (
            {"directWindowDays": 300, "supportWindowDays": 200},
            "directWindowDays must not be larger than supportWindowDays",
        ),
        ({"reviewThresholds": [{"amount": "-1.00", "currencyCode": "USD"}]}, "reviewThresholds"),
    ],
)
async def test_refused_parameters_are_named_as_clients_write_them(
    desk: Desk, things: dict[str, str], overrides: dict[str, Any], message: str
) -> None:
    """A parameter that cannot be is refused by the name the input has for it."""
    answer = await desk.answer("sam", SIMULATE, o=overrides)
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert message in error["message"]
    assert "_" not in error["message"]


async def test_an_answer_after_a_shorter_answer_time_is_refused(desk: Desk, things: dict[str, str]) -> None:
    """An expert who answered on day 5 would have been too late with 3 days; who answered on day 2 would not."""
    late = await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("30.00"))
    early = await desk.done("klara", "requestEscrowRefund", milestoneId=things["step-1"], amount=usd("20.00"))
    desk.clock.at = START + 2 * DAY
    await desk.done("emma", "approveRefund", refundCaseId=early["id"])
    desk.clock.at = START + 5 * DAY
    await desk.done("erik", "declineRefund", refundCaseId=late["id"], message="The work was done.")
    answer = await simulated(desk, respondWithinDays=3)
    assert [edge["node"]["refundCase"]["id"] for edge in answer["edges"]] == [late["id"]]
    node = answer["edges"][0]["node"]
    assert (node["event"], node["simulated"]["state"]) == ("DECLINE", "ESCALATED")
    assert node["simulated"]["refusals"][0]["code"] == "FORBIDDEN"


async def test_a_hand_over_that_only_comes_earlier_is_the_same(desk: Desk, things: dict[str, str]) -> None:
    """After 7 days or 3, an unanswered request is with support in the end; it alone is later than its target, then."""
    case = await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("30.00"))
    desk.clock.at = START + 9 * DAY
    await sweep_due(desk.app.uow)
    await desk.done("sam", "declineRefund", refundCaseId=case["id"], message="No.")
    earlier = await simulated(desk, respondWithinDays=3)
    assert [edge["node"]["changes"] for edge in earlier["edges"]] == [["TARGET"]]
    longer = await simulated(desk, respondWithinDays=12)
    assert [edge["node"]["event"] for edge in longer["edges"]] == ["DECLINE"]


async def test_a_request_that_still_waits_is_with_support_by_now(desk: Desk, things: dict[str, str]) -> None:
    """The passing of time alone makes a difference: an unanswered request would have moved on."""
    await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("30.00"))
    desk.clock.at = START + 5 * DAY
    node = (await simulated(desk, respondWithinDays=3))["edges"][0]["node"]
    assert (node["event"], node["changes"]) == (None, ["OTHER_STATE"])
    assert (node["recorded"]["state"], node["simulated"]["state"]) == ("REQUESTED", "ESCALATED")


async def test_an_earlier_end_of_the_direct_window_changes_the_route(desk: Desk, things: dict[str, str]) -> None:
    """An invoice paid 40 days ago goes straight to support when experts decide for 30 days only."""
    await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("30.00"))
    node = (await simulated(desk, directWindowDays=30))["edges"][0]["node"]
    assert (node["changes"], node["event"]) == (["OTHER_ROUTE"], "REQUEST")
    assert (node["recorded"]["route"], node["simulated"]["route"]) == ("DIRECT", "SUPPORT")


async def test_targets_goodwill_and_reviews(desk: Desk, things: dict[str, str]) -> None:
    """What changes without another state is told too: a missed target, goodwill, and hidden reviews."""
    (mine,) = await leads_reported_on_days(desk, 5)
    filed = await desk.done(
        "sue",
        "requestLeadRefund",
        leadId=things["lead-1"],
        reason="OTHER",
        explanation="Not it.",
        onBehalfReason="Mail.",
    )
    invoice = await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("80.00"))
    desk.clock.at = START + 30 * HOUR
    await desk.done("sam", "approveRefund", refundCaseId=mine)
    await desk.done("sam", "approveRefund", refundCaseId=filed["id"])
    await desk.done("erik", "approveRefund", refundCaseId=invoice["id"])
    assert (await simulated(desk))["edges"] == []
    missed = await simulated(desk, decisionTargetHours=24)
    assert [edge["node"]["changes"] for edge in missed["edges"]] == [["TARGET"], ["TARGET"]]
    # invoice-1 pays 100.00 and invoice-2 80.00, all of it refunded: 100.00 is left
    hidden = await simulated(desk, reviewThresholds=[usd("100.01")])
    assert [edge["node"]["changes"] for edge in hidden["edges"]] == [["REVIEWS"]]
    assert hidden["edges"][0]["node"]["simulated"]["reviewsHidden"] is True
    assert (await simulated(desk, reviewThresholds=[usd("100.00")]))["edges"] == []


async def test_goodwill_depends_on_the_window(desk: Desk) -> None:
    """What staff filed in time counts as goodwill when the window would have been over."""
    await desk.seed(lead("old", chargedAt=at(START - 25 * DAY)))
    found = await desk.run("sam", '{ leads(filter: { externalRefs: ["old"] }) { edges { node { id } } } }')
    lead_id = found["leads"]["edges"][0]["node"]["id"]
    await desk.done(
        "sue", "requestLeadRefund", leadId=lead_id, reason="OTHER", explanation="Not it.", onBehalfReason="Mail."
    )
    node = (await simulated(desk, leadWindowDays=20))["edges"][0]["node"]
    assert (node["changes"], node["simulated"]["goodwill"]) == (["GOODWILL"], True)


async def test_fewer_requests_for_a_payment(desk: Desk, things: dict[str, str]) -> None:
    """The second request on one invoice is refused when there is one in all; the first is not."""
    first = await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("30.00"))
    await desk.done("erik", "declineRefund", refundCaseId=first["id"], message="No.")
    desk.clock.at += HOUR
    second = await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("20.00"))
    answer = await simulated(desk, requestsPerPayment=1)
    assert [edge["node"]["refundCase"]["id"] for edge in answer["edges"]] == [second["id"]]
    assert answer["edges"][0]["node"]["simulated"]["rule"] == "D14"


async def test_pages_look_at_every_case_once(desk: Desk) -> None:
    """A full page ends where it is full, and the next one goes on behind it; a filter narrows what is looked at."""
    cases = await leads_reported_on_days(desk, 21, 22, 5, 23)
    seen, examined, after = [], 0, None
    while True:
        answer = await simulated(desk, {"first": 1, "after": after}, leadWindowDays=20)
        seen += [edge["node"]["refundCase"]["id"] for edge in answer["edges"]]
        examined += answer["examined"]
        after = answer["pageInfo"]["endCursor"]
        if not answer["pageInfo"]["hasNextPage"]:
            break
    assert seen == [cases[3], cases[1], cases[0]]
    assert examined == 4
    only = await simulated(desk, {"f": {"kinds": ["INVOICE"]}}, leadWindowDays=20)
    assert (only["examined"], only["edges"]) == (0, [])


async def test_statements_do_not_grow_and_nothing_is_written(desk: Desk) -> None:
    """One answer takes the same few statements for any number of cases, and leaves the database as it was."""
    counts = []
    for days in ((21, 22), (23, 24, 25, 26, 27)):
        await leads_reported_on_days(desk, *days)
        before = await desk.app.database.fetch_value("SELECT COUNT(*) FROM refund_event")
        await simulated(desk, leadWindowDays=20)
        with counted_statements() as statements:
            await simulated(desk, leadWindowDays=20)
        counts.append(len(statements))
        assert await desk.app.database.fetch_value("SELECT COUNT(*) FROM refund_event") == before
        assert all(statement.lstrip().startswith("SELECT") for statement in statements)
    assert counts[0] == counts[1] <= 7


@pytest.mark.parametrize("who", ["paula", "karl", "erik", "market"])
async def test_others_than_staff_are_refused(small_desk: Desk, who: str) -> None:
    """The simulator is for staff."""
    assert await small_desk.code(who, SIMULATE, o={}) == "FORBIDDEN"
    assert await small_desk.code(None, SIMULATE, o={}) == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    "overrides",
    [
        {"leadWindowDays": 0},
        {"leadWindowDays": 99_999},
        {"directWindowDays": 200, "supportWindowDays": 100},
        {"reviewThresholds": [{"amount": "1.005", "currencyCode": "USD"}]},
    ],
)
async def test_parameters_that_cannot_be_are_refused(small_desk: Desk, overrides: dict[str, Any]) -> None:
    """The same checks as for the policy of the settings."""
    assert await small_desk.code("sam", SIMULATE, o=overrides) == "BAD_USER_INPUT"
    assert await small_desk.code("sam", SIMULATE, o={}, after="nonsense") == "BAD_USER_INPUT"


def test_it_costs_what_it_does() -> None:
    """One operation cannot ask for many simulations at once."""
    limited = bootstrap.make_engine(Settings())
    many = " ".join(f"s{n}: refundPolicySimulation(overrides: {{}}) {{ examined }}" for n in range(5))
    assert limited.prepare(f"{{ {many} }}").measure.cost({}) > 5_000  # type: ignore[union-attr]
    one = limited.prepare("{ refundPolicySimulation(overrides: {}, first: 100) { examined } }")
    assert one.measure.check_cost({}) <= 1_200  # type: ignore[union-attr]


@pytest.mark.slow
def test_no_story_differs_without_overrides(tmp_path: Path) -> None:
    """Every case of every story is decided again as it was: the facts of each act are put together as they were."""
    policy = Policy()

    async def examine_all() -> dict[str, Any]:
        found: dict[str, Any] = {}
        migrated = tmp_path / "migrated.sqlite3"
        await bootstrap.migrate(Settings(database_url=f"sqlite:///{migrated}"))
        for path in STORIES:
            file = tmp_path / f"{path.stem}.sqlite3"
            file.write_bytes(migrated.read_bytes())
            clock = SetClock(datetime.now(UTC))
            settings = Settings(database_url=f"sqlite:///{file}", bus="memory")
            async with bootstrap.open_application(settings, clock=clock) as application:
                await tell(read_story(path), StoryDesk(application, engine(), clock))
                told = await examine(application.database, STAFF, policy, {}, None, Page(100), clock.now())
                found[path.stem] = (told.examined, told.not_reproduced, [one.simulated for one in told.found])
        return found

    found = asyncio.run(examine_all())
    assert {name: rest for name, (_, *rest) in found.items() if rest != [0, []]} == {}
    assert sum(examined for examined, *_ in found.values()) > 50
