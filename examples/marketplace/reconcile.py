"""Compare the desk's balances with the old system's, to the cent: reconcile.py URL balances.csv"""

import csv
import sys
from typing import Any

from desk import Desk

BALANCES = """query Balances($refs: [String!]!) { byExternalRef(kind: ACCOUNT, externalRefs: $refs) {
  ... on Account { externalRef balances { purpose available { amount currencyCode } inTransit { amount } } } } }"""

Key = tuple[str, str, str]


def expected(path: str) -> dict[Key, tuple[str, str]]:
    """Return what the old system says of each account, purpose and currency."""
    with open(path, encoding="utf-8", newline="") as file:
        return {
            (row["account"], row["purpose"], row["currency"]): (row["available"], row["inTransit"])
            for row in csv.DictReader(file)
        }


def found(desk: Desk, refs: list[str]) -> dict[Key, tuple[str, str]]:
    """Return what the desk says of the same accounts."""
    balances: dict[Key, tuple[str, str]] = {}
    for start in range(0, len(refs), 100):
        some = refs[start : start + 100]
        accounts: list[dict[str, Any] | None] = desk.ask(BALANCES, refs=some)["byExternalRef"]
        for ref, account in zip(some, accounts, strict=True):
            if account is None:
                raise SystemExit(f"The desk does not know the account {ref}.")
            for one in account["balances"]:
                key = (ref, one["purpose"], one["available"]["currencyCode"])
                balances[key] = (one["available"]["amount"], one["inTransit"]["amount"])
    return balances


def main() -> int:
    """Print every difference; 0 when there is none."""
    old = expected(sys.argv[2])
    new = found(Desk(sys.argv[1]), sorted({account for account, _, _ in old}))
    nothing = {"0", "0.00", "0.000"}
    wrong = 0
    for key in sorted(old.keys() | new.keys()):
        was, now = old.get(key, ("0.00", "0.00")), new.get(key, ("0.00", "0.00"))
        if was != now and not (set(was) <= nothing and set(now) <= nothing):
            print(f"{' '.join(key)}: {was[0]} and {was[1]} in transit before, {now[0]} and {now[1]} now")
            wrong += 1
    print(f"{len(old)} balances compared, {wrong} differ.")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
