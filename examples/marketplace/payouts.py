"""Send the withdrawals that people asked for to their payment methods: payouts.py URL FOLDER

Run it as often as you like, from one machine at a time. Each withdrawal is claimed with SENT before any money moves:
one that its owner cancelled meanwhile is refused with STALE, and nothing is paid. The bank is told the withdrawal's id
as its reference, so that a payout that was interrupted is not made twice. Here the bank is a folder; put yours there.
"""

import json
import sys
from pathlib import Path
from typing import Any

from desk import Desk

WAITING = """query Waiting($statuses: [WithdrawalStatus!]!, $after: String) {
  withdrawals(statuses: $statuses, first: 100, after: $after) { pageInfo { hasNextPage endCursor }
    edges { node { id status amount { amount currencyCode } account { externalRef } refundCase { number } } } } }"""
REPORT = """mutation Report($input: SyncRecordsInput!) {
  syncRecords(input: $input) { updated unchanged refusals { code message } } }"""


class Bank:
    """A bank that knows each payout by our reference and makes it once."""

    def __init__(self, folder: Path) -> None:
        """Keep a file for each payout."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def pay(self, reference: str, payee: str, amount: dict[str, str]) -> str | None:
        """Pay, unless that was done already; return why not, or nothing."""
        if payee.startswith("closed-"):
            return "The payment method is closed."
        done = self._folder / f"{reference}.json"
        if not done.exists():
            done.write_text(json.dumps({"payee": payee, **amount}), encoding="utf-8")
        return None


def waiting(desk: Desk) -> list[dict[str, Any]]:
    """Return everything that is asked for, or was claimed by a run that was interrupted, oldest first."""
    found: list[dict[str, Any]] = []
    after = None
    while True:
        page = desk.ask(WAITING, statuses=["REQUESTED", "SENT"], after=after)["withdrawals"]
        found += [edge["node"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found[::-1]


def report(desk: Desk, withdrawal: dict[str, Any], status: str, **more: str) -> str | None:
    """Tell the desk how far a withdrawal has come; return the code of its refusal, or nothing."""
    record = {"withdrawal": {"id": withdrawal["id"], "status": status, **more}}
    refusals = desk.ask(REPORT, input={"records": [record]})["syncRecords"]["refusals"]
    return refusals[0]["code"] if refusals else None


def main() -> int:
    """Send everything that waits, one after the other."""
    desk, bank = Desk(sys.argv[1]), Bank(Path(sys.argv[2]))
    paid = 0
    for one in waiting(desk):
        refused = report(desk, one, "SENT")
        if refused is not None:
            print(f"{one['id']}: left out ({refused})")
            continue
        why_not = bank.pay(one["id"], one["account"]["externalRef"], one["amount"])
        if why_not is None:
            report(desk, one, "PAID")
            paid += 1
        else:
            report(desk, one, "FAILED", failureReason=why_not)
            print(f"{one['id']}: {why_not}")
    print(f"{paid} paid.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
