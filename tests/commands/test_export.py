"""Exports: every case, event and posting, as JSON Lines or CSV, in values that others can read."""

from __future__ import annotations

import csv
import io
from typing import Any

import orjson
import pytest
from command_world import World
from contract_desk import ContractDesk
from marketplace import everything, sync

from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import Role
from refundgql.queries.export import Exported, ExportFormat, export_lines


async def _with_a_case(world: World) -> None:
    await sync(world, *everything())
    rows = await world.rows("SELECT id, external_ref FROM account")
    people = {row["external_ref"]: row["id"] for row in rows}
    client = Viewer(people["client"], "client", "Client", frozenset({Role.CLIENT}))
    expert = Viewer(people["expert"], "expert", "Expert", frozenset({Role.EXPERT}))
    desk = ContractDesk(world, client, expert, client, client, client)
    (extra,) = await world.rows("SELECT id FROM invoice WHERE external_ref = 'extra'")
    await desk.approve(expert, await desk.ask(extra["id"], "12.50"), note='Said "yes",\nwith a comma')


async def _export(world: World, what: Exported, output_format: ExportFormat = ExportFormat.JSONL) -> list[str]:
    return [line async for line in export_lines(world.database, what, output_format, world.clock.at)]


async def test_postings_name_people_and_payments_by_reference(world: World) -> None:
    """Whose balance money left and reached, what it paid, and which withdrawal of the marketplace's it was."""
    told = {"id": "po-1", "account": "client", "amount": {"amount": "5.00", "currencyCode": "USD"}, "status": "PAID"}
    await sync(world, *everything(), {"withdrawal": told | {"requestedAt": "2025-07-03T09:00:00Z"}})
    lines = [orjson.loads(line)["posting"] for line in await _export(world, Exported.POSTINGS)]

    def posting(fact: str, **what: str) -> dict[str, Any]:
        (found,) = [one for one in lines if one["fact"] == fact and what.items() <= one.items()]
        return {
            name: found.get(name) for name in ("fromOwner", "toOwner", "lead", "invoice", "milestone", "withdrawal")
        }

    nobody = dict.fromkeys(("fromOwner", "toOwner", "lead", "invoice", "milestone", "withdrawal"))
    assert posting("CHARGE") == nobody | {"fromOwner": "pro", "lead": "lead"}
    assert posting("PAYMENT", invoice="extra") == nobody | {"toOwner": "expert", "invoice": "extra"}
    released = nobody | {"toOwner": "expert", "milestone": "done", "invoice": "invoice-done"}
    assert posting("RELEASE", milestone="done") == released
    assert posting("WITHDRAWAL") == nobody | {"fromOwner": "client", "withdrawal": "po-1"}


async def test_json_lines_hold_every_row(world: World) -> None:
    """One object a line under its kind, instants and amounts as the API writes them, nothing left out but nulls."""
    await _with_a_case(world)
    lines: list[dict[str, Any]] = [orjson.loads(line) for line in await _export(world, Exported.ALL)]
    postings = (await world.rows("SELECT COUNT(*) AS found FROM posting"))[0]["found"]
    kinds = [next(iter(line)) for line in lines]
    assert kinds == ["refundCase", "refundEvent", "refundEvent", "refundEvent", *["posting"] * postings]
    case = lines[0]["refundCase"]
    wanted = {
        "number": "RC-000001",
        "state": "CREDITED",
        "invoice": "extra",
        "requester": "client",
        "counterparty": "expert",
        "requestedAmount": "12.50",
        "creditedAmount": "12.50",
        "currencyCode": "USD",
        "openedAt": "2026-03-04T12:00:00Z",
        "overdue": False,
    }
    assert {name: case[name] for name in wanted} == wanted
    assert case["id"].startswith("RefundCase_")
    assert "lead" not in case
    events = [line["refundEvent"] for line in lines[1:4]]
    assert [(it["refundCase"], it["sequence"], it["name"]) for it in events] == [
        ("RC-000001", 1, "REQUEST"),
        ("RC-000001", 2, "APPROVE"),
        ("RC-000001", 3, "CREDIT"),
    ]
    assert events[1]["note"] == 'Said "yes",\nwith a comma'
    credit = lines[-1]["posting"]
    assert (credit["fact"], credit["amount"], credit["refundCase"]) == ("CREDIT", "12.50", "RC-000001")


@pytest.mark.parametrize("what", [Exported.CASES, Exported.EVENTS, Exported.POSTINGS])
async def test_csv_says_the_same(world: World, what: Exported) -> None:
    """A header once, then a row each that reads back to what the JSON line says."""
    await _with_a_case(world)
    rows = list(csv.DictReader("".join(await _export(world, what, ExportFormat.CSV)).splitlines(keepends=True)))
    lines = [next(iter(orjson.loads(line).values())) for line in await _export(world, what)]
    assert len(rows) == len(lines)
    for row, line in zip(rows, lines, strict=True):
        assert {name for name, value in row.items() if value} == {name for name in line if line[name] != ""}
        for name, value in line.items():
            if not isinstance(value, bool | dict | list):
                assert row[name] == str(value)


async def test_all_of_it_is_no_csv(world: World) -> None:
    """Rows of three shapes do not fit under one header."""
    with pytest.raises(ValueError, match="choose"):
        export_lines(world.database, Exported.ALL, ExportFormat.CSV, world.clock.at)


async def test_an_empty_desk_exports_nothing(world: World) -> None:
    """No rows, no lines."""
    assert await _export(world, Exported.ALL) == []


HOSTILE = ['=HYPERLINK("http://x")', "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "plain = text", "'quoted"]


@pytest.mark.parametrize("text", HOSTILE)
async def test_no_cell_is_a_formula(world: World, text: str) -> None:
    """A spreadsheet shows what somebody wrote and runs none of it; numbers and other texts are as they are."""
    await _with_a_case(world)
    async with world.database.transaction() as tx:
        await tx.execute("UPDATE refund_case SET explanation = ?", (text,))
    lines = "".join(await _export(world, Exported.CASES, ExportFormat.CSV))
    (row,) = csv.DictReader(io.StringIO(lines, newline=""))
    harmless = text.startswith(("plain", "'"))
    assert row["explanation"] == (text if harmless else f"'{text}")
    assert row["requestedAmount"] == "12.50"
