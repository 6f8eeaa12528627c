"""What is always true of cases that were fought over, and of the follow-up cases for parts (D19)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]

_TAKES_FURTHER = {"ESCALATE", "DISPUTE"}
_SAME = ("name", "actor_role", "at", "commit_order")
"""What the two events of one act agree on; the same commit order says that they came in one transaction."""


def check_ends(cases: Sequence[Row], events: Sequence[Row], closed: set[str]) -> None:
    """Every case has one end; open is only one whose expert declined it first, and which was then taken to support.

    Whoever could have cancelled or decided it had come in between, and was refused.
    """
    for case in cases:
        if case["state"] not in closed:
            names = [row["name"] for row in events if row["case_id"] == case["id"] and row["name"] != "REQUEST"]
            assert case["state"] in {"ESCALATED", "DISPUTED"}
            assert names[0] == "DECLINE"
            assert set(names[1:]) <= _TAKES_FURTHER | {"CONSENT"}


def check_follow_ups(cases: Sequence[Row], events: Sequence[Row]) -> dict[str, str]:
    """Prove every follow-up case, and return the credited case's event of each by the follow-up's own first event.

    One act writes both; it is answered with the follow-up's.
    """
    by_id = {case["id"]: case for case in cases}
    follow_ups = [case for case in cases if case["continues_id"] is not None]
    forth = sorted((case["id"], case["continued_by_id"]) for case in cases if case["continued_by_id"] is not None)
    assert forth == sorted((case["continues_id"], case["id"]) for case in follow_ups), "both cases name each other"
    said = [event for event in events if event["from_state"] == "CREDITED" and event["name"] in _TAKES_FURTHER]
    on_credited = {event["case_id"]: event for event in said}
    assert sorted(event["case_id"] for event in said) == [case_id for case_id, _ in forth], "said once on each"
    firsts = {event["case_id"]: event for event in events if event["sequence"] == 1}
    found: dict[str, str] = {}
    for case in follow_ups:
        before = by_id[case["continues_id"]]
        assert before["state"] == "CREDITED"
        assert 0 < before["credited_minor"] < before["requested_minor"]
        assert case["requested_minor"] == before["requested_minor"] - before["credited_minor"]
        assert before["credited_minor"] + (case["credited_minor"] or 0) <= before["requested_minor"]
        first, other = firsts[case["id"]], on_credited[before["id"]]
        assert first["name"] in _TAKES_FURTHER
        assert [first[name] for name in _SAME] == [other[name] for name in _SAME]
        found[first["id"]] = other["id"]
    return found
