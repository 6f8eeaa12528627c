"""The policy: every number that a refund rule uses, as typed settings with their defaults."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from refundgql.domain.money import Money, MoneyError, format_minor
from refundgql.domain.sentences import Unfit, sentence

if TYPE_CHECKING:
    from refundgql.domain.policy_rules import PolicyRule

MAXIMUM_DAYS = 3_660
"""Ten years: a longer window is a typing mistake, and keeps dates far from the calendar's end."""


class PolicyError(Unfit):
    """A setting that cannot be policy; the message says which one and what to do."""


def _default_thresholds() -> Mapping[str, int]:
    return MappingProxyType({"USD": 2500})


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The numbers of the refund rules; days are whole UTC calendar days (D1), amounts minor units."""

    lead_window_days: int = 30  # L15
    decision_target_hours: int = 48  # L14
    contract_target_hours: int = 72  # D20
    reminder_hours: int = 24  # D21
    information_days: int = 3  # D24, where support names none
    information_most_days: int = 14  # D24
    second_look_window_days: int = 30  # D6
    direct_window_days: int = 180  # C06, D7
    support_window_days: int = 365  # C07, C24
    respond_within_days: int = 7  # D8
    timesheet_dispute_days: int = 5  # C25-C27
    dispute_resolution_days: int = 30  # C31
    funds_wait_days: int = 14  # D13
    requests_per_payment: int = 3  # D14
    review_window_days: int = 14  # C22
    review_edits: int = 1  # C23
    withdrawal_days_from: int = 3  # D10, business days
    withdrawal_days_until: int = 5  # D10, business days
    holidays: frozenset[date] = frozenset()  # D10, days that are no business days beside Saturday and Sunday
    review_threshold_minor: Mapping[str, int] = field(
        default_factory=_default_thresholds, hash=False
    )  # C21, per currency
    reopen_window_days: int = 30  # D22
    # D23, per currency: above it a decision of support, or of an administrator, is a proposal; without one, never.
    decision_limit_minor: Mapping[str, int] = field(default_factory=dict, hash=False)
    admin_decision_limit_minor: Mapping[str, int] = field(default_factory=dict, hash=False)
    version: str = field(init=False, default="")

    def __post_init__(self) -> None:
        """Freeze the version, which is a text over all values: equal values, equal version."""
        for name in _PER_CURRENCY:
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        told = "\n".join(f"{name}={value}" for name, value in self.settings().items())
        object.__setattr__(self, "version", f"rules-{hashlib.sha256(told.encode()).hexdigest()[:12]}")

    def settings(self) -> dict[str, str]:
        """Return every setting as text, in the order of the fields."""
        return {item.name: _as_text(getattr(self, item.name)) for item in fields(self) if item.init}

    @classmethod
    def kept(cls, version: str, settings: Mapping[str, str]) -> Policy:
        """Return the policy that once had this version, from its settings as text.

        What has become of settings since is no reason to refuse it: those that are gone are left out, those that came
        later have their defaults, and bounds are not looked at again.
        """
        known = {item.name for item in fields(cls) if item.init}
        nothing = cls(review_threshold_minor={})
        values: dict[str, Any] = {
            name: _PARSERS[name](name, told, nothing) if name in _PARSERS else int(told)
            for name, told in settings.items()
            if name in known
        }
        policy = cls(**values)
        object.__setattr__(policy, "version", version)
        return policy

    def rules(self) -> tuple[PolicyRule, ...]:
        """Return every rule with its number, name, present value, text and origin."""
        from refundgql.domain.policy_rules import policy_rules

        return policy_rules(self)

    def with_overrides(self, overrides: Mapping[str, object]) -> Policy:
        """Return this policy with some settings replaced, each given as text or as its own type.

        Refuses: PolicyError for an unknown setting, a value that is not a number in range, a threshold that is not
        money, or a date that is not one.
        """
        known = {item.name for item in fields(self) if item.init}
        values: dict[str, Any] = {}
        for name, given in overrides.items():
            if name not in known:
                message = sentence(
                    "UNKNOWN_SETTING",
                    "There is no policy setting '{setting}': use one of {known}.",
                    setting=name,
                    known=", ".join(sorted(known)),
                )
                raise PolicyError(message)
            values[name] = _PARSERS.get(name, _number)(name, given, self)
        changed = replace(self, **values)
        for smaller, larger in _ORDERED:
            if getattr(changed, smaller) > getattr(changed, larger):
                message = sentence(
                    "SETTING_TOO_LARGE",
                    "{setting} must not be larger than {other}: lower it.",
                    setting=smaller,
                    other=larger,
                )
                raise PolicyError(message)
        return changed


def _as_text(value: object) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{code}:{format_minor(minor, code)}" for code, minor in sorted(value.items()))
    if isinstance(value, frozenset):
        return " ".join(sorted(day.isoformat() for day in value))
    return str(value)


def _number(name: str, given: object, _base: Policy) -> int:
    try:
        if isinstance(given, bool) or not isinstance(given, int | str):
            raise ValueError
        number = int(given)
    except ValueError:
        message = sentence(
            "SETTING_NOT_A_NUMBER", "{setting} must be a whole number: {given} is not.", setting=name, given=repr(given)
        )
        raise PolicyError(message) from None
    least = 0 if name == "review_edits" else 1
    if not least <= number <= MAXIMUM_DAYS:
        message = sentence(
            "SETTING_OUT_OF_RANGE",
            "{setting} must lie between {least} and {most}: {given} does not.",
            setting=name,
            least=least,
            most=MAXIMUM_DAYS,
            given=number,
        )
        raise PolicyError(message)
    return number


def _thresholds(name: str, given: object, base: Policy) -> Mapping[str, int]:
    """Read "USD:25.00 EUR:20" or a mapping of currency to major units; currencies not named keep theirs (C21, D23)."""
    if isinstance(given, str):
        pairs = [tuple(part.split(":", 1)) for part in given.replace(",", " ").split()]
    elif isinstance(given, Mapping):
        pairs = [(str(code), str(amount)) for code, amount in given.items()]
    else:
        pairs = [()]
    found = dict(getattr(base, name))
    for pair in pairs:
        if len(pair) != 2:
            message = sentence(
                "SETTING_NEEDS_CURRENCY",
                "{setting} needs a currency and an amount each, as in USD:25.00: {given} has not.",
                setting=name,
                given=repr(given),
            )
            raise PolicyError(message)
        code, amount = pair
        try:
            money = Money.parse(Decimal(amount), code)
        except (MoneyError, InvalidOperation):
            message = sentence(
                "SETTING_NOT_MONEY",
                "{setting}: {given} is not money; write it as USD:25.00.",
                setting=name,
                given=f"{code}:{amount}",
            )
            raise PolicyError(message) from None
        if money.minor < 0:
            message = sentence(
                "SETTING_NEGATIVE", "{setting}: {given} must not be negative.", setting=name, given=f"{code}:{amount}"
            )
            raise PolicyError(message)
        found[code] = money.minor
    return found


def _dates(name: str, given: object, _base: Policy) -> frozenset[date]:
    parts = given.replace(",", " ").split() if isinstance(given, str) else given
    try:
        if not isinstance(parts, list | tuple | set | frozenset):
            raise ValueError
        return frozenset(part if isinstance(part, date) else date.fromisoformat(str(part)) for part in parts)
    except ValueError:
        message = sentence(
            "SETTING_NOT_DATES",
            "{setting} must be dates such as 2026-12-25, separated by spaces: {given} is not.",
            setting=name,
            given=repr(given),
        )
        raise PolicyError(message) from None


_ORDERED = (
    ("direct_window_days", "support_window_days"),
    ("information_days", "information_most_days"),
    ("withdrawal_days_from", "withdrawal_days_until"),
)
_PER_CURRENCY = ("review_threshold_minor", "decision_limit_minor", "admin_decision_limit_minor")
_PARSERS = {**dict.fromkeys(_PER_CURRENCY, _thresholds), "holidays": _dates}
