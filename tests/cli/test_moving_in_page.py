"""The page about moving in, run as it stands: the example reconciles to the cent, and payouts go out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import ask, running, wait_until_ready
from docs_blocks import DOCS, blocks_of, done, run_block

from ports import free_port

WITHDRAW = """mutation($input: RequestWithdrawalInput!) { requestWithdrawal(input: $input) {
  withdrawal { id } refusals { code } } }"""


@pytest.mark.slow
def test_the_page_leads_from_an_empty_desk_to_equal_balances_and_payouts(tmp_path: Path) -> None:
    """Commands as they stand, again where one may; a difference is told; the bank is told of each payout once."""
    (tmp_path / "examples").symlink_to(DOCS.parent / "examples")
    steps = {one.heading: one.text for one in blocks_of(DOCS / "moving-in.md") if one.language == "sh"}
    assert list(steps) == ["The first accounts", "The history", "To the cent", "Payouts from then on"]
    done(steps["The first accounts"], tmp_path)
    assert "16 created, 0 updated, 0 unchanged, 1 stale" in done(steps["The history"], tmp_path)
    assert "0 created, 0 updated, 16 unchanged, 1 stale" in done(steps["The history"], tmp_path)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running(tmp_path, "serve", REFUNDGQL_PORT=str(port)) as server:
        wait_until_ready(url)
        steps = {heading: text.replace("http://127.0.0.1:8000", url) for heading, text in steps.items()}
        assert done(steps["To the cent"], tmp_path) == "4 balances compared, 0 differ.\n"
        expert = done("refundgql token --as expert-1", tmp_path).strip()

        def withdraw(amount: str) -> dict[str, Any]:
            given = {"amount": {"amount": amount, "currencyCode": "USD"}, "idempotencyKey": f"withdraw-{amount}"}
            found: dict[str, Any] = ask(url, expert, WITHDRAW, {"input": given})["data"]["requestWithdrawal"]
            return found

        assert [one["code"] for one in withdraw("30.01")["refusals"]] == ["BALANCE_INSUFFICIENT"]
        asked = withdraw("30.00")["withdrawal"]["id"]
        assert done(steps["Payouts from then on"], tmp_path) == "2 paid.\n"  # the one under way, and this one
        paid = json.loads((tmp_path / "payouts" / f"{asked}.json").read_text(encoding="utf-8"))
        assert paid == {"payee": "expert-1", "amount": "30.00", "currencyCode": "USD"}
        assert done(steps["Payouts from then on"], tmp_path) == "0 paid.\n"
        differs = run_block(steps["To the cent"], tmp_path)
        assert (differs.returncode, differs.stdout.splitlines()) == (
            1,
            [
                "expert-1 CONTRACTS USD: 30.00 and 20.00 in transit before, 0.00 and 0.00 now",
                "4 balances compared, 1 differ.",
            ],
        )
        assert server.interrupt() == 0
