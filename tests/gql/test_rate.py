"""The rate of requests: so many a minute, whenever the minute begins, and an honest time to wait."""

import contextlib
from types import SimpleNamespace

import pytest

from refundgql.gql import rate
from refundgql.gql.answers import RequestRefused
from refundgql.gql.callers import ANONYMOUS, Caller
from refundgql.gql.exchange import address_of
from refundgql.gql.rate import RequestRate


def caller(name: str) -> Caller:
    return Caller(SimpleNamespace(account_id=name), None)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = 6_000_000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clock that the rate looks at."""
    clock = Clock()
    monkeypatch.setattr(rate, "time", SimpleNamespace(monotonic=clock))
    return clock


def waiting_time(limiter: RequestRate, who: Caller) -> int:
    with pytest.raises(RequestRefused) as refused:
        limiter.count(who, "x")
    assert (refused.value.status, refused.value.code) == (429, "RATE_LIMITED")
    return int(dict(refused.value.headers)[b"retry-after"])


@pytest.mark.parametrize("begin", [0.0, 30.0, 59.9])
def test_so_many_in_any_minute(begin: float, clock: Clock) -> None:
    """However the minutes lie, the rate is kept over time and no sixty seconds have twice as many."""
    clock.at += begin
    limiter = RequestRate(10)
    taken: list[float] = []
    for _ in range(4000):
        try:
            limiter.count(caller("ada"), "x")
        except RequestRefused:
            pass
        else:
            taken.append(clock.at)
        clock.at += 0.1
    # The slide takes the minute before for evenly used, so a burst in it is let out a little early.
    assert max(sum(first <= t < first + 60 for t in taken) for first in taken) <= 16
    assert 50 < len(taken) <= 10 * (400 / 60 + 1)


def test_time_to_wait_is_enough_and_not_too_much(clock: Clock) -> None:
    """Whoever waits as long as told is served, and a second earlier is not."""
    for begin in (0.0, 10.0, 55.0):
        for pause in (0.0, 3.0):
            clock.at = 6_000_000.0 + begin
            limiter = RequestRate(5)
            with contextlib.suppress(RequestRefused):
                while True:
                    limiter.count(caller("ada"), "x")
                    clock.at += pause
            wait = waiting_time(limiter, caller("ada"))
            clock.at += wait - 1.01
            assert waiting_time(limiter, caller("ada")) <= 2
            clock.at += 1.01
            limiter.count(caller("ada"), "x")


def test_accounts_and_addresses_are_apart(clock: Clock) -> None:
    """One account's requests are nobody else's; those without account count by their address."""
    limiter = RequestRate(1)
    limiter.count(caller("ada"), "x")
    limiter.count(caller("sam"), "x")
    limiter.count(ANONYMOUS, "x")
    limiter.count(ANONYMOUS, "y")
    waiting_time(limiter, caller("ada"))
    waiting_time(limiter, ANONYMOUS)


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:0DB8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("a name", "a name"),
        ("", ""),
    ],
)
def test_addresses_of_one_network_count_as_one(address: str, counted: str) -> None:
    """A machine with IPv6 has 2^64 addresses, so that its network is what requests and connections count by."""
    assert address_of({"client": (address, 1)}) == counted


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """However many callers come, only those of the last two minutes are kept, and never many more than the bound."""
    monkeypatch.setattr(rate, "_MAX_KEYS", 100)
    limiter = RequestRate(5)

    def kept() -> int:
        return len(limiter._before) + len(limiter._counts)

    for number in range(1000):
        limiter.count(caller(f"caller-{number}"), "x")
        clock.at += 1
        assert kept() <= 120
    for number in range(1000):
        limiter.count(caller(f"caller-{number}"), "x")
        assert kept() <= 200
    clock.at += 180
    limiter.count(caller("ada"), "x")
    assert kept() == 1


def test_rate_can_be_switched_off() -> None:
    """Without a rate nothing is counted."""
    limiter = RequestRate(None)
    for _ in range(1000):
        limiter.count(caller("ada"), "x")
