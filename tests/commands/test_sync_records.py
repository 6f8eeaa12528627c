"""Batches of records: all or nothing, upsert by reference, replays without effect, refusals that name the record."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from command_world import World
from marketplace import (
    SERVICE,
    Shape,
    account,
    contract,
    counted,
    everything,
    having,
    invoice,
    lead,
    message,
    milestone,
    money,
    people,
    refused,
    review,
    sync,
    told_fields,
    week,
)

from refundgql.commands.sync_records import BATCH_AT_MOST, sync_records
from refundgql.domain.topics import ACCOUNTS
from refundgql.domain.vocabulary import Role
from refundgql.storage.statements import counted_statements


async def test_everything_is_created_and_a_replay_changes_nothing(world: World) -> None:
    """The second time all records are unchanged, and not a single row differs."""
    records = everything()
    assert await sync(world, *records) == (len(records), 0, 0)
    before = await world.dump()
    assert await sync(world, *records) == (0, 0, len(records))
    assert await world.dump() == before


async def test_only_the_service_account_may_sync(world: World) -> None:
    """An admin is refused like everybody else, before the records are looked at."""
    admin = dataclasses.replace(SERVICE, roles=frozenset(set(Role) - {Role.SERVICE}))
    refusals = await world.refused(lambda: sync_records(world.uow, admin, [{"nonsense": {}}]))
    assert [(it.code.value, it.field) for it in refusals] == [("FORBIDDEN", None)]


async def test_a_batch_is_bounded(world: World) -> None:
    """More records than one transaction should hold are refused as a whole."""
    shapes = [account(f"a-{number}") for number in range(BATCH_AT_MOST + 1)]
    assert told_fields(await refused(world, *shapes)) == [("INVALID_INPUT", None, "records")]


async def test_one_bad_record_refuses_the_whole_batch_and_names_its_index(world: World) -> None:
    """Every record that is wrong is named, those that merely refer to one are not; nothing of the batch is kept."""
    assert told_fields(
        await refused(
            world,
            account("pro", "PRO"),
            lead("orphan"),
            account("customer", "PRO"),
            lead("wrong-role"),
            lead("blameless", pro="orphan"),
        )
    ) == [
        ("NOT_FOUND", None, "records.1.lead.customer"),
        ("INVALID_INPUT", None, "records.3.lead.customer"),
        ("NOT_FOUND", None, "records.4.lead.pro"),
    ]
    assert told_fields(
        await refused(
            world,
            account("client", "CLIENT"),
            account("expert", "EXPERT"),
            contract("hourly", "HOURLY", currencyCode="XXX"),
            week("week"),
        )
    ) == [("INVALID_INPUT", "D2", "records.2.contract.currencyCode")]
    assert told_fields(
        await refused(world, *people(), contract("hourly", "HOURLY", client="expert"), week("week"), week("next"))
    ) == [("INVALID_INPUT", None, "records.5.contract.client")]


async def test_references_may_stand_earlier_in_the_batch_but_not_later(world: World) -> None:
    """The same two records the other way round are refused."""
    accounts = people()
    assert told_fields(await refused(world, *accounts, week("week"), contract("hourly", "HOURLY"))) == [
        ("NOT_FOUND", None, "records.5.billingWeek.contract")
    ]
    assert await sync(world, *accounts, contract("hourly", "HOURLY"), week("week")) == (7, 0, 0)


async def test_what_may_change_is_updated(world: World) -> None:
    """Names, titles, texts and unposted amounts follow the marketplace; each counts as updated once."""
    await sync(world, *everything())
    changed = [
        having(account("customer", "CUSTOMER"), name="Cleo Marsh"),
        having(lead(), title="Garden fence"),
        having(message("hello", "customer", "2026-02-20T08:01:00Z"), body="Good morning"),
        having(contract("fixed", "FIXED_PRICE"), title="Housing", status="CLOSED", endedAt="2026-03-01T00:00:00Z"),
        milestone("later", "UNFUNDED", "310.00"),
        invoice("open", "fixed", "26.00"),
        having(review("praise", "fixed", "client"), rating=5),
    ]
    assert await sync(world, *changed) == (0, 7, 0)
    assert await sync(world, *changed) == (0, 0, 7)
    (row,) = await world.rows("SELECT title, customer_name FROM lead")
    assert row == {"title": "Garden fence", "customer_name": "Cleo Marsh"}
    (row,) = await world.rows("SELECT amount_minor FROM milestone WHERE external_ref = 'later'")
    assert row == {"amount_minor": 31_000}


FIXED: list[tuple[Shape, str]] = [
    (account("client", "CLIENT", openingBalance=money("101.00")), "account.openingBalance"),
    (
        account("client", "CLIENT", openingBalance=money("100.00"), openingAt="2026-01-01T00:00:00Z"),
        "account.openingAt",
    ),
    (lead(pro="client"), "lead.pro"),
    (lead(customer="client"), "lead.customer"),
    (lead(price=money("19.00")), "lead.price"),
    (lead(price=money("18.00", "EUR")), "lead.price"),
    (lead(chargedAt="2026-02-20T08:00:01Z"), "lead.chargedAt"),
    (message("hello", "pro", "2026-02-20T08:01:00Z"), "message.author"),
    (contract("fixed", "FIXED_PRICE", client="both"), "contract.client"),
    (contract("fixed", "FIXED_PRICE", expert="both"), "contract.expert"),
    (contract("fixed", "HOURLY"), "contract.kind"),
    (contract("fixed", "FIXED_PRICE", currencyCode="EUR"), "contract.currencyCode"),
    (week("week-8", hours="11"), "billingWeek.hours"),
    (week("week-8", rate="21.00"), "billingWeek.rate"),
    (week("week-8", starts_on="2026-03-02"), "billingWeek.startsOn"),
    (milestone("escrow", amount="301.00"), "milestone.amount"),
    (milestone("escrow", fromBalance=money("1.00")), "milestone.fromBalance"),
    (invoice("extra", "fixed", "41.00", "2026-02-01T00:00:00Z"), "invoice.amount"),
    (invoice("extra", "fixed", "40.00", "2026-02-01T00:00:01Z"), "invoice.paidAt"),
    (invoice("extra", "fixed", "40.00", "2026-02-01T00:00:00Z", milestone="later"), "invoice.milestone"),
    (
        invoice(
            "invoice-8", "hourly", "210.00", "2026-03-02T01:00:00Z", billingWeek="week-8", fromBalance=money("61.00")
        ),
        "invoice.fromBalance",
    ),
    (review("praise", "fixed", "expert"), "review.author"),
]


async def test_a_new_name_reaches_leads_of_the_same_batch(world: World) -> None:
    """Where a stream is cut makes no difference to a customer who is created, has a lead and is renamed."""
    await sync(world, *people(), lead(), account("customer", "CUSTOMER", name="New Name"))
    (row,) = await world.rows("SELECT customer_name FROM lead")
    assert row == {"customer_name": "New Name"}


async def test_what_is_posted_is_fixed(world: World) -> None:
    """Parties, currency, posted amounts and the instants of charges and payments are refused another value."""
    await sync(world, *everything())
    shapes = [shape for shape, _ in FIXED]
    refusals = await refused(world, *shapes)
    assert [it[2].split(".", 2)[2] for it in told_fields(refusals)] == [path for _, path in FIXED]
    assert {it.code.value for it in refusals} == {"INVALID_INPUT"}
    for refusal in refusals:
        assert "cannot change any more" in refusal.message


BEHIND: list[Shape] = [
    having(contract("closed", "FIXED_PRICE"), title="As it was"),
    milestone("escrow", "UNFUNDED", "299.00"),
    milestone("done", "FUNDED"),
    milestone("done", "UNFUNDED"),
    invoice("extra", "fixed", "39.00"),
    message("answer", "pro", "2026-02-20T08:05:00Z"),
]


async def test_a_record_that_says_less_than_has_happened_changes_nothing(world: World) -> None:
    """Whatever a state has advanced to, the record that told an earlier one is told again without effect."""
    closed = contract("closed", "FIXED_PRICE", status="CLOSED", endedAt="2026-03-01T00:00:00Z")
    gone = message("answer", "pro", "2026-02-20T08:05:00Z", deletedAt="2026-02-21T00:00:00Z")
    await sync(world, *everything(), closed, gone)
    before = await world.dump()
    assert await sync(world, *BEHIND) == (0, 0, len(BEHIND))
    assert await world.dump() == before


async def test_what_did_not_happen_here_is_refused(world: World) -> None:
    """Only a refund case returns a milestone; a newer revision that steps back contradicts itself."""
    await sync(world, *everything(), having(milestone("turned", "RELEASED"), revision="2"))
    for shape in (milestone("done", "RETURNED"), milestone("escrow", "RETURNED"), milestone("new", "RETURNED")):
        assert told_fields(await refused(world, shape)) == [
            ("TRANSITION_NOT_ALLOWED", None, "records.0.milestone.status")
        ]
    for revision, expected in (("1", (0, 0, 0, 1)), ("2", (0, 0, 1, 0))):
        assert await counted(world, having(milestone("turned", "FUNDED"), revision=revision)) == expected
    assert told_fields(await refused(world, having(milestone("turned", "FUNDED"), revision="3"))) == [
        ("TRANSITION_NOT_ALLOWED", None, "records.0.milestone.status")
    ]


async def test_several_states_of_one_milestone_in_a_batch_replay_as_well(world: World) -> None:
    """A batch may tell a history; told again, in any order, its early states are history and not steps back."""
    history = [
        having(account("client", "CLIENT"), name="Before"),
        account("client", "CLIENT"),
        milestone("step", "UNFUNDED"),
        milestone("step", "FUNDED", fromBalance=money("30.00")),
        milestone("step", "RELEASED"),
    ]
    await sync(world, *people(), contract("fixed", "FIXED_PRICE"))
    assert (await sync(world, *history))[0] == 1
    before = await world.dump()
    assert await sync(world, *history) == (0, 0, 5)
    assert await sync(world, history[4], history[3]) == (0, 0, 2)
    assert await world.dump() == before


async def test_an_older_revision_changes_nothing_and_a_newer_one_counts(world: World) -> None:
    """Numbers compare as numbers, instants as instants, to the nanosecond; the same one again is unchanged."""
    support = account("ivy", "SUPPORT", revision="9")
    taken = account("ivy", revision="10")
    assert await counted(world, support) == (1, 0, 0, 0)
    assert await counted(world, taken, support, taken) == (0, 1, 1, 1)
    assert await world.rows("SELECT roles FROM account WHERE external_ref = 'ivy'") == [{"roles": ""}]
    assert await counted(world, taken, account("ivy", "SUPPORT", revision="11")) == (0, 1, 1, 0)
    first = account("ada", "ADMIN", revision="2026-03-01T10:00:00.000000002+01:00")
    assert await counted(world, first) == (1, 0, 0, 0)
    assert await counted(world, account("ada", revision="2026-03-01T09:00:00.000000001Z")) == (0, 0, 0, 1)
    assert await counted(world, account("ada", revision="2026-03-01T09:00:00.000000003Z")) == (0, 1, 0, 0)
    assert told_fields(await refused(world, account("ada", revision="7"))) == [
        ("INVALID_INPUT", None, "records.0.account.revision")
    ]


async def test_a_stale_record_is_not_looked_at(world: World) -> None:
    """What an older revision says may contradict what is fixed, or refer to what is not there: it refuses nothing."""
    await sync(
        world, *everything(), having(lead(), revision="5"), having(invoice("open", "fixed", "25.00"), revision="5")
    )
    stale = [
        having(lead(pro="nobody", price=money("99.00")), revision="4"),
        having(invoice("open", "nowhere", "99.00", "2026-02-01T00:00:00Z"), revision="4"),
    ]
    before = await world.dump()
    assert await counted(world, *stale) == (0, 0, 0, 2)
    assert await world.dump() == before


async def test_a_review_that_was_changed_here_is_not_changed_back_by_a_repeat(world: World) -> None:
    """The marketplace's record of the former text is an old one (C23)."""
    await sync(world, *everything())
    async with world.database.transaction() as tx:
        await tx.execute("UPDATE review SET body = 'Better.', edited_at = posted_at + 1 WHERE external_ref = 'praise'")
    assert await sync(world, review("praise", "fixed", "client")) == (0, 0, 1)
    assert await world.rows("SELECT body FROM review") == [{"body": "Better."}]
    assert await counted(world, having(review("praise", "fixed", "client"), revision="1")) == (0, 1, 0, 0)


WRONG: list[tuple[Shape, str, str]] = [
    (lead("same", customer="pro"), "lead.customer", "INVALID_INPUT"),
    (lead("role", pro="client"), "lead.pro", "INVALID_INPUT"),
    (message("stranger", "client", "2026-02-20T09:00:00Z"), "message.author", "INVALID_INPUT"),
    (contract("self", "HOURLY", client="both", expert="both"), "contract.expert", "INVALID_INPUT"),
    (week("taken", starts_on="2026-02-16"), "billingWeek.startsOn", "INVALID_INPUT"),
    (week("fixed-week", contract="fixed"), "billingWeek.contract", "INVALID_INPUT"),
    (having(milestone("hourly-step"), contract="hourly"), "milestone.contract", "INVALID_INPUT"),
    (having(milestone("no-instant"), fundedAt=None), "milestone.fundedAt", "INVALID_INPUT"),
    (invoice("other-amount", "fixed", "299.99", milestone="escrow"), "invoice.amount.amount", "INVALID_INPUT"),
    (invoice("second", "hourly", "210.00", billingWeek="week-8"), "invoice.billingWeek", "INVALID_INPUT"),
    (invoice("elsewhere", "fixed", "210.00", billingWeek="week-8"), "invoice.billingWeek", "INVALID_INPUT"),
    (
        having(invoice("euros", "fixed", "9.00"), amount=money("9.00", "EUR")),
        "invoice.amount.currencyCode",
        "CURRENCY_MISMATCH",
    ),
    (having(review("outsider", "fixed", "pro")), "review.author", "INVALID_INPUT"),
    (review("again", "fixed", "client"), "review.author", "REVIEW_ALREADY_POSTED"),
]


@pytest.mark.parametrize(
    ("shape", "path", "code"), WRONG, ids=[f"{path}-{next(iter(it.values()))['externalRef']}" for it, path, _ in WRONG]
)
async def test_records_have_to_fit_each_other(world: World, shape: Shape, path: str, code: str) -> None:
    """Parties, roles, currencies, amounts and places that do not fit are refused, each at its field."""
    await sync(world, *everything())
    (found,) = told_fields(await refused(world, shape))
    assert (found[0], found[2]) == (code, f"records.0.{path}")


async def test_a_batch_takes_a_constant_number_of_statements(world: World) -> None:
    """Ten times the records take no statement more."""

    def batch(start: int, count: int) -> list[Shape]:
        shapes: list[Shape] = []
        for number in range(start, start + count):
            shapes += [
                lead(f"lead-{number}"),
                message(f"message-{number}", "pro", "2026-02-20T08:05:00Z", lead=f"lead-{number}"),
                contract(f"fixed-{number}", "FIXED_PRICE"),
                milestone(f"step-{number}", contract=f"fixed-{number}"),
                invoice(
                    f"paid-{number}", f"fixed-{number}", "300.00", "2026-01-10T09:00:00Z", milestone=f"step-{number}"
                ),
                review(f"review-{number}", f"fixed-{number}", "client"),
            ]
        return shapes

    await sync_records(world.uow, SERVICE, people())
    counted: list[int] = []
    for start, count in ((0, 1), (100, 5), (1000, 50), (100, 5), (1000, 50)):
        with counted_statements() as texts:
            await sync_records(world.uow, SERVICE, batch(start, count))
        counted.append(len(texts))
    assert counted[1] == counted[2]
    assert counted[3] == counted[4]


async def test_whoever_changes_is_woken(world: World) -> None:
    """Whoever watches access, and an account's running streams, hear when its roles change, and only then."""
    await sync(world, *people())
    assert world.bus.rung == []
    await sync(world, *people()[1:], account("pro"))
    (row,) = await world.rows("SELECT id, roles FROM account WHERE external_ref = 'pro'")
    assert (row["roles"], world.bus.rung) == ("", [ACCOUNTS, f"viewer:{row['id']}"])


async def test_a_deleted_message_keeps_its_row_and_leaves_the_chat_s_last_instant(world: World) -> None:
    """lastMessageAt falls back to the message before; a deletion stands."""
    await sync(world, *everything())

    async def last() -> Any:
        return (await world.rows("SELECT last_message_at FROM lead"))[0]["last_message_at"]

    answered = await last()
    gone = message("answer", "pro", "2026-02-20T08:05:00Z", deletedAt="2026-02-21T00:00:00Z")
    assert await sync(world, gone) == (0, 1, 0)
    assert await last() == answered - 4 * 60 * 1_000_000
    back = message("answer", "pro", "2026-02-20T08:05:00Z")
    assert await sync(world, back) == (0, 0, 1)
    assert await sync(world, back, gone) == (0, 0, 2)
