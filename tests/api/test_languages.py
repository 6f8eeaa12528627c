"""Every sentence that people read is in the catalogues, and each request hears its own language."""

from __future__ import annotations

import ast
import asyncio
import re
from pathlib import Path

import pytest

import refundgql
from api_world import Desk, usd
from refundgql.api.languages import ENGLISH, LANGUAGES, catalogue, preferred, said, speak, translated

SOURCE = Path(refundgql.__file__).parent
FOR_PROGRAMS = [
    # Read by whoever runs the server or feeds it, beside codes, fields and indexes; or texts of the rules themselves.
    *(
        "domain/business_days.py",
        "domain/calendar.py",
        "domain/policy.py",
        "domain/policy_rules.py",
        "domain/workflow.py",
    ),
    *("domain/record_", "domain/records.py", "domain/webhooks.py", "domain/advancing.py", "domain/money.py"),
    *("commands/sync_", "commands/import_", "commands/webhook", "commands/generate_records.py", "commands/sweep.py"),
    *("commands/unit_of_work.py", "commands/demo_", "commands/moving", "commands/story"),
]
MADE_BY_FAULTS = {"RuntimeError", "ValueError", "TypeError", "PolicyError", "MoneyError", "LookupError", "KeyError"}


def template(node: ast.AST) -> str | None:
    """Return a text of the source as the catalogues have it, values as `{0}`, `{1}` …"""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return None
    parts, places = [], 0
    for value in node.values:
        if isinstance(value, ast.Constant):
            parts.append(str(value.value))
        else:
            parts.append(f"{{{places}}}")
            places += 1
    return "".join(parts)


def _is_for_programmers(node: ast.AST) -> bool:
    """Tell whether a node is a fault that is raised, or a line of the log."""
    if isinstance(node, ast.Raise):
        return getattr(getattr(node.exc, "func", None), "id", "") in MADE_BY_FAULTS
    return isinstance(node, ast.Call) and ast.unparse(node.func).startswith("_log.")


def sentences(source: str) -> set[str]:
    """Return the sentences of a module that are neither docstrings nor told to programmers."""
    tree, left_out = ast.parse(source), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            left_out.add(node.value)
        elif isinstance(node, ast.JoinedStr):
            left_out.update(inner for inner in ast.walk(node) if inner is not node)
        elif _is_for_programmers(node):
            left_out.update(ast.walk(node))
    found = {template(node) for node in ast.walk(tree) if node not in left_out}
    return {one for one in found if one and re.match(r"([A-Z][a-z]*|\{0\}) .*\.\Z", one, re.DOTALL)}


def missing() -> dict[str, list[str]]:
    """Return the sentences of each language that its catalogue does not have."""
    wanted = set()
    for folder in "domain", "commands":
        for path in (SOURCE / folder).rglob("*.py"):
            if not str(path.relative_to(SOURCE)).startswith(tuple(FOR_PROGRAMS)):
                wanted |= sentences(path.read_text(encoding="utf-8"))
    found = {}
    for language in LANGUAGES[1:]:
        whole, patterns = catalogue(language)
        known = set(whole) | {one.template for one in patterns}
        found[language] = sorted(wanted - known)
    return found


def test_every_sentence_is_in_every_catalogue() -> None:
    """A sentence that people read and that a catalogue lacks is found, with the words to put into it."""
    assert missing() == {language: [] for language in LANGUAGES[1:]}


def test_a_sentence_outside_the_catalogues_is_found() -> None:
    """The search finds plain sentences and those with values, and leaves docstrings and faults alone."""
    source = '''"""A docstring is no sentence."""
def f(n):
    raise ValueError("Nobody reads this one.")
    return g("This one is read."), h(f"At most {n} of {n + 1} are.")
'''
    assert sentences(source) == {"This one is read.", "At most {0} of {1} are."}


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_translations_keep_the_values(language: str) -> None:
    """Each translation has the places of its sentence, and differs from it."""
    whole, patterns = catalogue(language)
    for one in patterns:
        assert set(re.findall(r"\{\d\}", one.translation)) == set(re.findall(r"\{\d\}", one.template)), one.template
        values = [f"<{place}>" for place in one.places]
        sentence = one.template
        for place, value in zip(one.places, values, strict=True):
            sentence = sentence.replace(f"{{{place}}}", value)
        assert all(value in translated(sentence, language) for value in values), one.template
    assert all(sentence != text for sentence, text in whole.items())


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"), ("", "en"), ("de", "de"), ("de-AT", "de"), ("es-MX,es;q=0.9,en;q=0.8", "es"),
        ("fr,de;q=0.5", "de"),
        ("en-GB,de;q=0.9", "en"), ("fr", "en"), ("de;q=0,es;q=0.1", "es"), ("de;q=0.2,es;q=0.7", "es"), ("*", "en"),
        ("de;q=nonsense", "en"), (",;,=;q", "en"), ("x" * 10_000, "en"), ("DE", "de"),
    ],
)  # fmt: skip
def test_the_language_that_is_liked_best(header: str | None, language: str) -> None:
    """Of the languages a header names the one liked best that there is, else English."""
    assert preferred(header) == language


async def test_each_task_speaks_its_own_language() -> None:
    """What one request asks for does not reach another; a sentence that no catalogue has stays as it is."""

    async def speaking(language: str) -> tuple[str, str]:
        speak(language)
        await asyncio.sleep(0)
        return said("Give the amount."), said("A sentence of tomorrow.")

    german, spanish = await asyncio.gather(speaking("de"), speaking("es"))
    assert german == ("Gib den Betrag an.", "A sentence of tomorrow.")
    assert spanish == ("Indica el importe.", "A sentence of tomorrow.")
    assert said("Give the amount.") == "Give the amount."


async def test_refusals_clocks_and_transactions_are_said_in_it(desk: Desk, things: dict[str, str]) -> None:
    """Refusals, deadlines and lines of the history come in the language that was asked for; codes stay."""
    ask = "mutation($i: RequestInvoiceRefundInput!) { requestInvoiceRefund(input: $i) { refusals { code message } } }"
    given = {"invoiceId": things["invoice-2"], "amount": usd("999.00"), "idempotencyKey": "k"}
    told = {}
    for language in LANGUAGES:
        speak(language)
        told[language] = (await desk.run("karl", ask, i=given))["requestInvoiceRefund"]["refusals"][0]
    speak(ENGLISH)
    assert {one["code"] for one in told.values()} == {"AMOUNT_EXCEEDS_REFUNDABLE"}
    assert told["en"]["message"].startswith("At most ")
    assert told["de"]["message"].startswith("Hier können höchstens ")
    assert told["es"]["message"].startswith("Aquí se pueden reembolsar como máximo ")
    case = await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("10.00"))
    await desk.done("erik", "approveRefund", refundCaseId=case["id"])
    read = """query($id: ID!) { refundCase(id: $id) { clocks { whenItRunsOut } }
      viewer { transactions { edges { node { description } } } } }"""
    speak("de")
    found = await desk.run("karl", read, id=case["id"])
    speak(ENGLISH)
    descriptions = [edge["node"]["description"] for edge in found["viewer"]["transactions"]["edges"]]
    assert "Erstattung einer Rechnung" in descriptions
    english = await desk.run("karl", read, id=case["id"])
    for one, other in zip(found["refundCase"]["clocks"], english["refundCase"]["clocks"], strict=True):
        assert one["whenItRunsOut"] != other["whenItRunsOut"]
