"""Streams speak their follower's language, and those who read the same in the same language share one text."""

from __future__ import annotations

from contextlib import AsyncExitStack

from stream_world import subscribed

from api_world import Desk, usd
from refundgql.api.languages import ENGLISH, LANGUAGES, speak

CLOCKS = """subscription($id: ID!) { refundCaseUpdates(refundCaseId: $id) { event { name }
  refundCase { clocks { name whenItRunsOut wording { code } } } } }"""
RESPOND_BY = {
    "en": "The request moves to support by itself, with its history.",
    "de": "Die Anfrage geht mit ihrer Geschichte von selbst an den Support.",
}


async def test_each_follower_hears_its_own_language(desk: Desk, things: dict[str, str]) -> None:
    """What is present and what happens is told in the language of whoever subscribed, encoded once a language."""
    case = (await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("10.00")))["id"]
    async with AsyncExitStack() as stack:
        readers = []
        for language in ("de", "en", "de", "es"):
            speak(language)
            readers.append((language, await stack.enter_async_context(subscribed(desk, "sam", CLOCKS, id=case))))
        speak(ENGLISH)
        for told in (None, "ADD_EVIDENCE"):
            heard: dict[str, str] = {}
            for language, reader in readers:
                update = await reader.take()
                assert (update["event"] and update["event"]["name"]) == told
                (clock,) = [one for one in update["refundCase"]["clocks"] if one["name"] == "RESPOND_BY"]
                assert clock["wording"] == {"code": "ANSWER_TIME_RUNS_OUT"}
                heard[language] = clock["whenItRunsOut"]
            assert heard.keys() == set(LANGUAGES)
            assert len(set(heard.values())) == 3
            assert heard["en"] == RESPOND_BY["en"]
            assert heard["de"] == RESPOND_BY["de"]
            if told is None:
                await desk.done("karl", "addStatement", refundCaseId=case, text="Look.")
        texts = [reader.answers.texts[-1] for _, reader in readers]
        assert texts[0] is texts[2]
        assert len({id(text) for text in texts}) == 3
