"""Every sentence that people read is in the catalogues, and each request hears its own language."""

from __future__ import annotations

import ast
import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
from graphql import build_schema

import refundgql
from api_world import Desk, usd
from refundgql.api.languages import ENGLISH, LANGUAGES, catalogue, preferred, said, speak, translated
from refundgql.cli.texts import texts_by_code
from refundgql.commands.sweep import sweep_due
from refundgql.domain import kept_texts
from refundgql.domain.calendar import parse_instant
from refundgql.domain.sentences import Kept, phrase, sentence
from refundgql.domain.vocabulary import RefundCaseState
from refundgql.settings import SettingsError

SOURCE = Path(refundgql.__file__).parent
FOR_PROGRAMS = (
    # The rules' own texts, what is made up, and what only whoever runs the server reads.
    *("domain/business_days.py", "domain/policy_rules.py", "domain/workflow.py"),
    *("commands/generate_records.py", "commands/import_reading.py", "commands/import_records.py"),
    *("commands/sweep.py", "commands/unit_of_work.py", "commands/webhook_sending.py", "commands/demo_dataset.py"),
)
SPOKEN = ("domain", "commands", "queries", "api", "web/evidence_files.py", "web/evidence_tickets.py", "storage/tail.py")
SCHEMA = build_schema((SOURCE.parents[1] / "schema.graphql").read_text(encoding="utf-8"))
SAYING = {"sentence", "phrase", "Kept"}


def schema_descriptions() -> Iterator[str | None]:
    """Yield what the schema says of its types, fields, arguments and values."""
    for one in SCHEMA.type_map.values():
        yield one.description
        for part in (*getattr(one, "fields", {}).values(), *getattr(one, "values", {}).values()):
            yield part.description
            yield from (argument.description for argument in getattr(part, "args", {}).values())


MADE_BY_FAULTS = {"RuntimeError", "ValueError", "TypeError", "LookupError", "KeyError", "TransientFault"}
DESCRIPTIONS = "\n".join(text for text in schema_descriptions() if text)


def name_of(node: ast.AST) -> str:
    """Return the name of what is called."""
    return getattr(node, "id", getattr(node, "attr", ""))


def template(node: ast.AST) -> str | None:
    """Return a text of the source, with braces in the places of values."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return None
    return "".join(str(one.value) if isinstance(one, ast.Constant) else "{}" for one in node.values)


def is_for_programmers(node: ast.AST) -> bool:
    """Tell whether a node raises a fault, or writes to the log."""
    if isinstance(node, ast.Raise):
        return name_of(getattr(node.exc, "func", node)) in MADE_BY_FAULTS
    function = node.func if isinstance(node, ast.Call) else None
    return isinstance(function, ast.Attribute) and name_of(function.value) in ("log", "_log")


def outside(source: str) -> set[str]:
    """Return the texts of a module that read as sentences for people and are said without a code."""
    tree, left_out = ast.parse(source), set[ast.AST]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            left_out.add(node.value)
        elif isinstance(node, ast.JoinedStr):
            left_out.update(inner for inner in ast.walk(node) if inner is not node)
        elif is_for_programmers(node) or (isinstance(node, ast.Call) and name_of(node.func) in SAYING):
            left_out.update(ast.walk(node))
    found = {template(node) for node in ast.walk(tree) if node not in left_out}
    found = {one for one in found if one and re.match(r"([A-Za-z][A-Za-z']*|\{\}) .*\.\Z", one, re.DOTALL)}
    return {one for one in found if one not in DESCRIPTIONS}


def coded(source: str) -> set[tuple[str, str]]:
    """Return the sentences and phrases of a module, by code and template."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or name_of(node.func) not in SAYING:
            continue
        texts = [template(one) for one in node.args]
        if name_of(node.func) == "phrase" and texts[0]:
            said = phrase(texts[0])
            found.add((said.code, said.template))
        elif len(texts) == 2 and texts[0] and texts[1]:
            found.add((texts[0], texts[1]))
    return found


def modules() -> Iterator[tuple[str, str]]:
    """Yield the name and the source of each module of the product."""
    for path in sorted(SOURCE.rglob("*.py")):
        name = str(path.relative_to(SOURCE))
        if not name.startswith("web/static"):
            yield name, path.read_text(encoding="utf-8")


@cache
def in_source() -> set[tuple[str, str]]:
    """Return the sentences and phrases of the product, by code and template."""
    return {one for _, source in modules() for one in coded(source)}


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_sentence_is_in_every_catalogue(language: str) -> None:
    """The catalogues hold the sentences of the source, all of them in the same words, and no others."""
    assert {(code, template) for code, (template, _) in catalogue(language).items()} == in_source()


def test_a_code_is_one_sentence() -> None:
    """No code stands for two sentences."""
    codes = Counter(code for code, _ in in_source())
    assert [code for code, count in codes.items() if count > 1] == []
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]*", code) for code in codes)


def test_no_sentence_is_said_without_a_code() -> None:
    """A sentence that a client can be sent and that has no code is found, wherever in the product it is written."""
    found = {
        name: outside(source)
        for name, source in modules()
        if name.startswith(SPOKEN) and not name.startswith(FOR_PROGRAMS)
    }
    assert {name: sentences for name, sentences in found.items() if sentences} == {}


def test_a_sentence_without_a_code_is_found() -> None:
    """The search finds plain sentences and those with values, and leaves docstrings, descriptions and faults alone."""
    source = '''"""A docstring is no sentence."""
class T:
    f: str = leaf(lambda row: "This one has no code.", description="The kind of refusal; branch on this.")
def f(n):
    log.warning("Nobody is sent this.")
    raise ValueError("Nobody reads this one.")
    return g("This one is read."), h(f"At most {n} of {n + 1} are."), sentence("CODE", "This one has a code.")
'''
    assert outside(source) == {"This one has no code.", "This one is read.", "At most {} of {} are."}
    assert coded(source) == {("CODE", "This one has a code.")}


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_translations_keep_the_values(language: str) -> None:
    """Each translation has the places of its sentence, and is another text unless the word is the same in both."""
    same = set()
    for code, (template, translation) in catalogue(language).items():
        places = set(re.findall(r"\{\w+\}", template))
        assert set(re.findall(r"\{\w+\}", translation)) == places, code
        values = {place[1:-1]: f"<{place}>" for place in places}
        told = translated(sentence(code, template, **values), language)
        assert all(value in told for value in values.values()), code
        same |= {template} if template == translation else set()
    assert same <= {"upload", "Lead: {title}"}


def test_words_that_have_changed_since_they_were_translated_stay_english() -> None:
    """A translation belongs to the words that were translated, values and phrases in it included."""
    known = sentence("ASK_AGAIN", "Ask {whom}.", whom=phrase("the other side"))
    assert translated(known, "de") == "Ask the other side."
    assert translated(sentence("AMOUNT_MISSING", "Give an amount."), "de") == "Give an amount."
    either = sentence("EITHER", "{one} or {other}", one=phrase("an administrator"), other=phrase("the system itself"))
    assert translated(either, "de") == "ein Administrator oder das System selbst"


@pytest.mark.parametrize(
    "kept", [one for one in vars(kept_texts).values() if isinstance(one, Kept)], ids=lambda one: one.code
)
def test_what_is_kept_is_read_again(kept: Kept) -> None:
    """A text that the ledger or a history keeps is known again by its code, with what stood in it."""
    names = re.findall(r"\{(\w+)\}", kept.template)
    values = {name: f"Roof, {name}: 3.5" for name in names}
    read = kept.read(str(kept.of(**values)))
    assert read is not None
    assert (read.code, dict(read.parameters)) == (kept.code, values)


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
        return said(sentence("AMOUNT_MISSING", "Give the amount.")), said(sentence("LATER", "A sentence of tomorrow."))

    german, spanish = await asyncio.gather(speaking("de"), speaking("es"))
    assert german == ("Gib den Betrag an.", "A sentence of tomorrow.")
    assert spanish == ("Indica el importe.", "A sentence of tomorrow.")
    assert said(sentence("AMOUNT_MISSING", "Give the amount.")) == "Give the amount."


WORDING = "code parameters { name value wording { code parameters { name value } } }"


async def test_refusals_clocks_and_transactions_are_said_in_it(desk: Desk, things: dict[str, str]) -> None:
    """Refusals, deadlines and lines of the history come in the language that was asked for; codes and values stay."""
    ask = f"""mutation($i: RequestInvoiceRefundInput!) {{
      requestInvoiceRefund(input: $i) {{ refusals {{ code message wording {{ {WORDING} }} }} }} }}"""
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
    maximum = re.findall(r"[0-9.]+ USD", told["en"]["message"])[0]
    for one in told.values():
        assert one["wording"] == {
            "code": "AT_MOST", "parameters": [{"name": "maximum", "value": maximum, "wording": None}]
        }  # fmt: skip
    case = await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("10.00"))
    await desk.done("erik", "approveRefund", refundCaseId=case["id"])
    read = f"""query($id: ID!) {{ refundCase(id: $id) {{ clocks {{ whenItRunsOut wording {{ {WORDING} }} }}
        actions {{ name blockers {{ message wording {{ {WORDING} }} }} }} }}
      viewer {{ transactions {{ edges {{ node {{ description wording {{ {WORDING} }} }} }} }} }} }}"""
    speak("de")
    found = await desk.run("karl", read, id=case["id"])
    speak(ENGLISH)
    lines = [edge["node"] for edge in found["viewer"]["transactions"]["edges"]]
    assert {
        "description": "Erstattung einer Rechnung",
        "wording": {"code": "REFUND_OF_INVOICE", "parameters": []},
    } in lines
    assert {"name": "number", "value": "R-2", "wording": None} in [
        parameter for one in lines for parameter in one["wording"]["parameters"]
    ] or all(one["wording"] for one in lines)
    refused = [blocker["message"] for action in found["refundCase"]["actions"] for blocker in action["blockers"]]
    assert any("Im Stand „gutgeschrieben“ nicht möglich" in message for message in refused)
    assert not [message for message in refused if any(state.lower() in message for state in RefundCaseState)]
    english = await desk.run("karl", read, id=case["id"])
    for one, other in zip(found["refundCase"]["clocks"], english["refundCase"]["clocks"], strict=True):
        assert one["whenItRunsOut"] != other["whenItRunsOut"]
        assert one["wording"] == other["wording"]
        assert one["wording"]["code"].endswith("_RUNS_OUT")
    blockers = {one["name"]: one["blockers"] for one in found["refundCase"]["actions"]}
    (refused,) = [one for one in blockers["DECLINE"] if one["wording"]["code"] == "NOT_YOUR_ACT"]
    (whose,) = refused["wording"]["parameters"]
    assert whose["value"] in refused["message"]
    assert whose["wording"]["code"] == "EITHER"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_command_prints_all_of_them(language: str) -> None:
    """`refundgql texts` prints each sentence by its code, in the language that is asked for and in no other."""
    printed = texts_by_code(language)
    assert printed.keys() == {code for code, _ in in_source()}
    assert printed["AMOUNT_MISSING"] == {
        "en": "Give the amount.", "de": "Gib den Betrag an.", "es": "Indica el importe."
    }[language]  # fmt: skip


def test_languages_that_there_are_not_have_no_texts() -> None:
    """`refundgql texts` names the languages that it has."""
    with pytest.raises(SettingsError, match="en, de, es, not in fr"):
        texts_by_code("fr")


WORDED = "wording { code parameters { name value } }"


async def test_reviews_that_are_hidden_and_withdrawals_that_were_cancelled_say_why(
    desk: Desk, things: dict[str, str]
) -> None:
    """Why a review is hidden, and that its owner cancelled a withdrawal, is said in the reader's language, by code."""
    post = f"""mutation($input: PostReviewInput!) {{ postReview(input: $input) {{
      review {{ id hiddenBecause {WORDED} }} refusals {{ code }} }} }}"""
    given = {"contractId": things["fixed"], "rating": 4, "body": "Good.", "idempotencyKey": "review"}
    review = (await desk.run("klara", post, input=given))["postReview"]["review"]
    assert (review["hiddenBecause"], review["wording"]) == (None, None)
    case = await desk.done("klara", "requestEscrowRefund", milestoneId=things["step-1"], amount=usd("50.00"))
    await desk.done("emma", "approveRefund", refundCaseId=case["id"])
    withdraw = "mutation($input: RequestWithdrawalInput!) { requestWithdrawal(input: $input) { withdrawal { id } } }"
    made = await desk.run("erik", withdraw, input={"amount": usd("1.00"), "idempotencyKey": "w"})
    cancel = f"""mutation($input: CancelWithdrawalInput!) {{ cancelWithdrawal(input: $input) {{
      withdrawal {{ failureReason {WORDED} }} }} }}"""
    read = f"query($id: ID!) {{ node(id: $id) {{ ... on Review {{ {WORDED} }} }} }}"
    speak("de")
    hidden = (await desk.run("klara", read.replace("{ wording", "{ hiddenBecause wording"), id=review["id"]))["node"]
    alone = (await desk.run("klara", read, id=review["id"]))["node"]
    given = {"withdrawalId": made["requestWithdrawal"]["withdrawal"]["id"], "idempotencyKey": "c"}
    cancelled = (await desk.run("erik", cancel, input=given))["cancelWithdrawal"]["withdrawal"]
    speak(ENGLISH)
    assert hidden["hiddenBecause"].startswith("Erstattungen haben den bezahlten Betrag dieses Vertrags")
    assert hidden["wording"] == alone["wording"] == {"code": "REVIEWS_HIDDEN", "parameters": []}
    assert cancelled["failureReason"] == "Du hast sie storniert, bevor sie gesendet wurde."
    assert cancelled["wording"]["code"] == "WITHDRAWAL_CANCELLED_BY_OWNER"


async def test_reasons_are_named_in_it(desk: Desk) -> None:
    """What a form for asking is drawn from is named in the reader's language."""
    speak("es")
    found = (await desk.run("karl", "{ refundReasons(kind: INVOICE) { reason name description } }"))["refundReasons"]
    speak(ENGLISH)
    assert found[0] == {
        "reason": "WORK_NOT_DELIVERED", "name": "El trabajo no se entregó", "description": "Lo que se pagó no llegó."
    }  # fmt: skip


async def test_what_the_desk_notes_itself_is_said_in_it(desk: Desk, things: dict[str, str]) -> None:
    """A reminder in a history is said in the reader's language; what people wrote stays as it is, whatever it says."""
    case = await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-1"], amount=usd("10.00"))
    note = "RESPOND_BY ends on 2026-01-01 00:00 UTC."
    await desk.done("karl", "addStatement", refundCaseId=case["id"], text=note)
    until = (await desk.run("karl", "query($id: ID!) { refundCase(id: $id) { respondBy } }", id=case["id"]))[
        "refundCase"
    ]
    desk.clock.at = parse_instant(until["respondBy"]) - timedelta(hours=1)
    await sweep_due(desk.app.uow)
    read = f"query($id: ID!) {{ refundCase(id: $id) {{ events {{ edges {{ node {{ name note {WORDED} }} }} }} }} }}"
    speak("de")
    edges = (await desk.run("karl", read, id=case["id"]))["refundCase"]["events"]["edges"]
    speak(ENGLISH)
    events = {edge["node"]["name"]: edge["node"] for edge in edges}
    assert events["DUE_SOON"]["note"].startswith("RESPOND_BY endet am ")
    assert events["DUE_SOON"]["wording"]["code"] == "DUE_SOON"
    assert {one["name"]: one["value"] for one in events["DUE_SOON"]["wording"]["parameters"]}["clock"] == "RESPOND_BY"
    assert events["REQUEST"]["wording"] is None
    assert events["ADD_EVIDENCE"]["wording"] is None
