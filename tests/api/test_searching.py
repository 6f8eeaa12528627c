"""Finding cases, leads and contracts by what people type: one way of folding texts, the same on both databases."""

from __future__ import annotations

from unicodedata import normalize

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api_world import DAY, START, Desk, contract, invoice, lead, usd
from refundgql.domain.texts import fold

CASES = "query($text: String!) { refundCases(filter: { text: $text }) { totalCount edges { node { number } } } }"
LEADS = """query($name: String, $category: String) {
  leads(filter: { customerName: $name, category: $category }) { totalCount edges { node { externalRef } } } }"""


@pytest.fixture
async def named(desk: Desk) -> dict[str, str]:
    """Give the marketplace with people of all alphabets, and the number of each one's case."""
    numbers = {}
    for number, name in enumerate(["İpek Işık", "ΝΙΚΟΣ Παππάς", normalize("NFD", "Élodie Straße"), "Ｆｕｌｌ Width"]):
        ref = f"customer-{number}"
        await desk.seed(
            {"account": {"externalRef": ref, "name": name, "roles": ["CUSTOMER"]}},
            lead(f"Lead-{ref}", customer=ref, category="Électricité" if number == 2 else "Garden"),
        )
        of_lead = (await desk.run("paula", LEADS, name=name))["leads"]["edges"][0]["node"]
        assert of_lead == {"externalRef": f"Lead-{ref}"}
        found = await desk.run("paula", "{ leads(first: 1) { edges { node { id } } } }")
        given = {"reason": "OTHER", "explanation": "Not it.", "leadId": found["leads"]["edges"][0]["node"]["id"]}
        numbers[name] = (await desk.done("paula", "requestLeadRefund", **given))["number"]
    return numbers


async def found(desk: Desk, ref: str, text: str) -> list[str]:
    """Return the numbers of the cases that somebody finds by a text."""
    page = (await desk.run(ref, CASES, text=text))["refundCases"]
    assert page["totalCount"] == len(page["edges"])
    return [edge["node"]["number"] for edge in page["edges"]]


async def test_names_are_found_however_they_are_typed(desk: Desk, named: dict[str, str]) -> None:
    """A customer's name is found as shown, in any case and any composition of its letters."""
    ipek, nikos, elodie, wide = named
    spellings = {
        ipek: ["İpek", "ipek", "İPEK", normalize("NFD", "İpek")],
        nikos: ["ΝΙΚΟΣ", "νικος", "Νικοσ", "παππάς", "ΠΑΠΠΆΣ", normalize("NFD", "Παππάς")],
        elodie: ["Élodie", "ÉLODIE", normalize("NFD", "élodie"), "strasse", "STRASSE", "élodie  strasse"],
        wide: ["full width", "ＦＵＬＬ"],
    }
    for name, texts in spellings.items():
        for text in texts:
            assert await found(desk, "sam", text) == [named[name]], (name, text)
            listed = (await desk.run("sam", LEADS, name=text))["leads"]
            assert listed["totalCount"] == len(listed["edges"]) == 1, (name, text)
    for text in ("électricité", "ÉLECTRICITÉ", normalize("NFD", "Électricité")):
        assert (await desk.run("sam", LEADS, category=text))["leads"]["totalCount"] == 1
    await desk.seed({"account": {"externalRef": "customer-1", "name": "Ørjan", "roles": ["CUSTOMER"]}})
    assert await found(desk, "sam", "ΝΙΚΟΣ") == []
    assert await found(desk, "sam", "ØRJAN") == [named[nikos]]


async def test_invoice_numbers_and_references_are_found(desk: Desk, things: dict[str, str]) -> None:
    """A case is found by its invoice's number, and by the reference of whoever and whatever it is about."""
    await desk.seed(
        {"account": {"externalRef": "client-Eva", "name": "Eva", "roles": ["CLIENT"]}},
        contract("G-contract", client="client-Eva"),
        invoice("inv-g-30", "G-contract", "70.00", START - DAY, number="G-30"),
    )
    found_ids = await desk.run("client-Eva", "{ contracts { edges { node { invoices { edges { node { id } } } } } } }")
    invoice_id = found_ids["contracts"]["edges"][0]["node"]["invoices"]["edges"][0]["node"]["id"]
    case = await desk.done("client-Eva", "requestInvoiceRefund", invoiceId=invoice_id, amount=usd("5.00"))
    escrow = await desk.done("klara", "requestEscrowRefund", milestoneId=things["step-1"], amount=usd("5.00"))
    week = await desk.done(
        "karl", "openTimesheetDispute", billingWeekId=things["week-1"], amount=usd("5.00"), explanation="No."
    )
    lead_case = await desk.done(
        "paula", "requestLeadRefund", leadId=things["lead-1"], reason="OTHER", explanation="Not it."
    )
    for text in ("G-30", "g-30", "inv-G-30", "client-eva", "G-CONTRACT"):
        assert await found(desk, "sam", text) == [case["number"]], text
    assert await found(desk, "sam", "step-1") == [escrow["number"]]
    assert await found(desk, "sam", "week-1") == [week["number"]]
    assert await found(desk, "sam", "lead-1") == [lead_case["number"]]
    assert await found(desk, "sam", case["number"].lower()) == [case["number"]]
    assert await found(desk, "karl", "G-30") == []
    for text in ("G_30", "G%30", "\\"):
        assert await found(desk, "sam", text) == []


@given(st.text())
@example("ΐ")  # decomposes, and composes to something else after its case is gone
@example("ῼ")
@example("\u1e9e\u0345")
def test_folding_is_caseless_and_blind_to_composition(text: str) -> None:
    """Folding twice is folding once, and every form and case of a text folds to one."""
    once = fold(text)
    assert fold(once) == once
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert fold(normalize(form, text)) == once
    assert fold(text.casefold()) == once
