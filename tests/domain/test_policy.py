"""The policy: its version, its catalogue, its overrides."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path

import pytest
from domain_world import CLIENT, NOW, PRO, A, K, day, good_act, invoice_facts, lead_facts
from hypothesis import given
from hypothesis import strategies as st

import refundgql.domain
from refundgql.domain.cases import decide
from refundgql.domain.deadlines import (
    CONTRACT_TARGET,
    CUT_OFF,
    DIRECT_WINDOW,
    DISPUTE_WINDOW,
    LEAD_TARGET,
    REVIEW_WINDOW,
    SUPPORT_WINDOW,
)
from refundgql.domain.policy import Policy, PolicyError
from refundgql.domain.refusals import Refused

LEAD_NUMBERS = (1, 5, 6, 8, 9, 10, 12, 14, 15, 16, 17, 18)
CONTRACT_NUMBERS = (2, 4, 5, 6, 7, *range(10, 32))
RULES = [
    *(f"L{number:02d}" for number in LEAD_NUMBERS),
    *(f"C{number:02d}" for number in CONTRACT_NUMBERS),
    *(f"D{number}" for number in range(1, 31)),
]


def test_the_catalogue_has_every_rule_once() -> None:
    """Each numbered rule has one row, in order, with words and a value; D rules are product decisions."""
    rules = Policy().rules()
    assert [rule.rule for rule in rules] == RULES
    assert all(rule.name and rule.value and rule.text.endswith(".") for rule in rules)
    assert {rule.rule[0] for rule in rules if not rule.from_source} == {"D"}


def test_the_catalogue_tells_present_values() -> None:
    """Values come from the policy, not from the text."""
    changed = Policy().with_overrides({"lead_window_days": "45", "review_threshold_minor": "EUR:20 JPY:3000"})
    values = {rule.rule: rule.value for rule in changed.rules()}
    assert values["L15"] == "45 days"
    assert values["C21"] == "20.00 EUR, 3000 JPY, 25.00 USD"
    assert {rule.rule: rule.value for rule in Policy().rules()}["D14"] == "3 requests"


def test_the_version_changes_with_the_values_alone() -> None:
    """Equal values make an equal version, in every process; any change makes another."""
    assert Policy().version == Policy().with_overrides({}).version == Policy(lead_window_days=30).version
    assert Policy().version == "rules-f117b0279230"
    others = {
        Policy().with_overrides({name: value}).version
        for name, value in (
            ("lead_window_days", 31),
            ("second_look_window_days", 31),
            ("holidays", "2026-12-25"),
            ("review_threshold_minor", {"USD": "25.01"}),
        )
    }
    assert len(others | {Policy().version}) == 5


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("lead_days", 3, "There is no policy setting 'lead_days'"),
        ("lead_window_days", "soon", "lead_window_days must be a whole number"),
        ("lead_window_days", 1.5, "lead_window_days must be a whole number"),
        ("lead_window_days", True, "lead_window_days must be a whole number"),
        ("lead_window_days", 0, "lead_window_days must lie between 1 and 3660"),
        ("lead_window_days", 3_661, "lead_window_days must lie between 1 and 3660"),
        ("information_days", 15, "information_days must not be larger than information_most_days"),
        ("direct_window_days", 366, "direct_window_days must not be larger than support_window_days"),
        ("withdrawal_days_from", 6, "withdrawal_days_from must not be larger than withdrawal_days_until"),
        ("review_threshold_minor", "USD", "review_threshold_minor needs a currency and an amount each"),
        ("review_threshold_minor", 25, "review_threshold_minor needs a currency and an amount each"),
        ("review_threshold_minor", "USD:25.001", "review_threshold_minor: USD:25.001 is not money"),
        ("review_threshold_minor", "XXX:25", "review_threshold_minor: XXX:25 is not money"),
        ("review_threshold_minor", "USD:-1", "review_threshold_minor: USD:-1 must not be negative"),
        ("holidays", "2026-13-01", "holidays must be dates such as 2026-12-25"),
        ("holidays", 7, "holidays must be dates such as 2026-12-25"),
    ],
)
def test_overrides_are_checked(name: str, value: object, words: str) -> None:
    """A setting that cannot be is refused in one sentence that names it."""
    with pytest.raises(PolicyError) as caught:
        Policy().with_overrides({name: value})
    message = str(caught.value)
    assert message.startswith(words)
    assert message.endswith(".")
    assert ". " not in message


def test_overrides_take_text_and_values() -> None:
    """Settings come from the environment as text, from code as values."""
    policy = Policy().with_overrides({"holidays": "2026-12-25, 2026-12-26", "review_edits": "0"})
    assert policy.holidays == {date(2026, 12, 25), date(2026, 12, 26)}
    assert policy.review_edits == 0
    assert Policy().with_overrides({"holidays": [date(2026, 1, 1)]}).holidays == {date(2026, 1, 1)}
    assert hash(policy) != hash(Policy())


def test_rules_follow_the_policy() -> None:
    """A longer window opens what was closed, a lower limit closes what was open."""
    late = lead_facts(charged_at=NOW - timedelta(days=31))
    longer = Policy().with_overrides({"lead_window_days": 31})
    case = decide(good_act(A.REQUEST, K.LEAD, PRO), late, longer).case
    assert case.policy_version == longer.version
    shorter = Policy().with_overrides({"requests_per_payment": 1})
    with pytest.raises(Refused) as caught:
        decide(good_act(A.REQUEST, K.INVOICE, CLIENT), invoice_facts(requests_made=1), shorter)
    assert caught.value.refusals[0].rule == "D14"


def test_ends_of_windows() -> None:
    """The instants that people are shown: exclusive, 00:00 UTC; the decision target is exact hours."""
    policy = Policy()
    paid = day("2025-05-01T23:30")
    assert DIRECT_WINDOW.end(paid, policy) == day("2025-10-29")
    assert SUPPORT_WINDOW.end(paid, policy) == day("2026-05-02")
    assert CUT_OFF.end(day("2026-03-02"), policy) == day("2026-03-07")
    assert DISPUTE_WINDOW.end(paid, policy) == day("2025-06-01")
    assert REVIEW_WINDOW.end(day("2026-02-15T10:00"), policy) == day("2026-03-02")
    assert LEAD_TARGET.end(day("2026-03-28T13:37"), policy) == day("2026-03-30T13:37")
    assert CONTRACT_TARGET.end(day("2026-03-28T13:37"), policy) == day("2026-03-31T13:37")


def test_the_core_has_no_floats() -> None:
    """No file of the domain names or writes a floating-point number, but for the seconds that webhooks wait."""
    root = Path(refundgql.domain.__file__).parent
    for path in set(root.rglob("*.py")) - {root / "webhooks.py"}:
        code = re.sub(r'"""[\s\S]*?"""|"[^"\n]*"|#.*', "", path.read_text(encoding="utf-8"))
        assert not re.search(r"\bfloat\b|(?<![\w.])\d+\.\d+(?!\w)", code), path.name


@given(
    days=st.integers(1, 3_660),
    holidays=st.frozensets(st.dates(), max_size=3),
    thresholds=st.dictionaries(st.sampled_from(["USD", "JPY", "BHD"]), st.integers(0, 10**12)),
    limits=st.dictionaries(st.sampled_from(["USD", "EUR"]), st.integers(0, 10**12)),
)
def test_a_kept_policy_reads_as_it_did(
    days: int, holidays: frozenset[date], thresholds: dict[str, int], limits: dict[str, int]
) -> None:
    """A policy put together again from its settings as text is the same, thresholds it did not have included."""
    policy = Policy(
        lead_window_days=days, holidays=holidays, review_threshold_minor=thresholds, decision_limit_minor=limits
    )
    kept = Policy.kept(policy.version, policy.settings())
    assert kept == policy
    assert kept.rules() == policy.rules()


def test_a_kept_policy_of_another_release_is_read() -> None:
    """Settings that are gone are left out, later ones have their defaults, and the version stays what cases name."""
    kept = Policy.kept("rules-0123456789ab", {"lead_window_days": "9000", "gone": "x"})
    assert (kept.version, kept.lead_window_days) == ("rules-0123456789ab", 9000)
    assert kept.review_window_days == Policy().review_window_days
