"""The checks of typed input that need no facts."""

from decimal import Decimal

import pytest

from refundgql.commands.checks import Amount, Checks, is_uuid
from refundgql.commands.decisions import ApproveRefund, CancelRefund
from refundgql.commands.idempotency import input_sha256
from refundgql.domain.money import Money
from refundgql.domain.vocabulary import RefusalCode


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "x" * 11, "a\0b", "half a pair \ud83d"])
def test_texts_that_cannot_be_kept_are_refused(text: str) -> None:
    """Blank, overlong and unstorable texts are refused with their field; what was given counts as given."""
    checks = Checks()
    assert checks.text(text, "note", 10) == (text.strip() or None)
    assert [(it.code, it.field) for it in checks.refusals] == [(RefusalCode.INVALID_INPUT, ("note",))]


def test_texts_are_trimmed_and_absent_ones_stay_absent() -> None:
    """A text is kept without the spaces around it, to exactly its limit; nothing given is nothing refused."""
    checks = Checks()
    assert checks.text("  über 🙂 ", "note") == "über 🙂"
    assert checks.text(" " + "x" * 10 + " ", "note", 10) == "x" * 10
    assert checks.text(None, "note") is None
    assert checks.refusals == []


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("12.50", "USD", 1250),
        ("12.5", "USD", 1250),
        ("7", "JPY", 7),
        ("0.001", "KWD", 1),
        ("12.505", "USD", None),
        ("0.5", "JPY", None),
        ("3000.00", "JPY", None),
        ("12.500", "USD", None),
        ("12.500", "KWD", 12500),
        ("0", "USD", None),
        ("-1", "USD", None),
        ("90071992547409.93", "USD", None),
        ("1E+1000000", "USD", None),
        ("NaN", "USD", None),
        ("1", "ABC", None),
        ("1", "XAU", None),
    ],
)
def test_amounts_are_exact_and_positive(amount: str, currency: str, minor: int | None) -> None:
    """An amount has at most its currency's decimals, is more than zero and at most 2^53 minor units (D2)."""
    checks = Checks()
    money = checks.money(Amount(Decimal(amount), currency))
    assert money == (None if minor is None else Money(minor, currency))
    assert [(it.code, it.rule, it.field) for it in checks.refusals] == (
        [] if minor is not None else [(RefusalCode.INVALID_INPUT, "D2", ("amount",))]
    )


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("0192f0c4-0000-7000-8000-000000000000", True),
        ("0192F0C4-0000-7000-8000-000000000000", False),
        ("0192f0c4-0000-7000-8000-000000000000\n", False),
        ("", False),
        (None, False),
        ("RefundCase_1", False),
    ],
)
def test_only_a_uuid_can_name_anything(text: str | None, good: bool) -> None:
    """Any other text is treated as the id of nothing, before it reaches a database."""
    assert is_uuid(text) is good


def test_the_hash_of_an_input_tells_inputs_apart_and_forgets_the_key() -> None:
    """The key, absent values and trailing zeros do not count; every given value and the operation do."""

    def approve(amount: str, **more: str) -> str:
        given = ApproveRefund(
            refund_case_id="c", amount=Amount(Decimal(amount), "USD"), **{"idempotency_key": "k", **more}
        )
        return input_sha256("approve_refund", given)

    same = approve("12.50")
    assert approve("12.5") == same
    assert approve("12.50", idempotency_key="other") == same
    assert len({same, approve("12.51"), approve("125"), approve("12.50", note="n")}) == 4
    cancel = CancelRefund(refund_case_id="c", idempotency_key="k")
    assert input_sha256("cancel_refund", cancel) != input_sha256("approve_refund", cancel)
    assert input_sha256("cancel_refund", CancelRefund(refund_case_id="c", note="\ud83d", idempotency_key="k"))
    for odd in ("NaN", "sNaN", "-Infinity", "0E+999999", "1E+999999"):
        assert approve(odd) != same
