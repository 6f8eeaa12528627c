"""What webhooks promise: who gets what, when again, under which id, and where they never go."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from refundgql.domain.vocabulary import RefundCaseKind, RefundEventName, WebhookVerdict
from refundgql.domain.webhooks import (
    RetryPlan,
    delivery_id,
    is_public,
    url_problem,
    verdict_of,
    wants,
)

NAMES = st.sampled_from(sorted(RefundEventName))
KINDS = st.sampled_from([kind.value for kind in RefundCaseKind])


@given(st.sets(NAMES), st.sets(KINDS), NAMES, KINDS)
def test_filters(names: set[str], kinds: set[str], name: str, kind: str) -> None:
    """An event goes out when each filter is empty or names it; order and repeats do not matter."""
    expected = (name in names or not names) and (kind in kinds or not kinds)
    assert wants(sorted(names), sorted(kinds), name, kind) is expected
    assert wants(sorted(names, reverse=True) * 2, sorted(kinds) * 2, name, kind) is expected


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        *[(status, WebhookVerdict.TAKEN) for status in (200, 201, 202, 204, 299)],
        *[(status, WebhookVerdict.AGAIN) for status in (None, 100, 199, 300, 301, 308, 400, 404, 409, 411, 429, 500)],
        (410, WebhookVerdict.GONE),
    ],
)
def test_verdicts(status: int | None, verdict: WebhookVerdict) -> None:
    """Only 2xx is a success, only 410 the end; everything else, silence included, is tried again."""
    assert verdict_of(status) is verdict


@given(st.lists(st.integers(1, 100_000), min_size=1, max_size=8), st.floats(0, 1), st.integers(1, 12))
def test_waits(waits: list[int], chance: float, failures: int) -> None:
    """The n-th failure waits the n-th time, spread by at most the jitter and never shorter; then it is over."""
    wait = RetryPlan(waits_seconds=waits).wait_seconds(failures, chance)
    if failures > len(waits):
        assert wait is None
    else:
        assert wait is not None
        assert waits[failures - 1] <= wait <= waits[failures - 1] * 1.2 + 1e-6


def test_ids_are_the_same_each_time_and_no_two_alike() -> None:
    """One event to one endpoint has one id, ordered by the event's time; any other pair has another."""
    endpoints, events = [str(uuid7()) for _ in range(20)], [str(uuid7()) for _ in range(20)]
    made = {delivery_id(endpoint, event) for endpoint in endpoints for event in events}
    assert len(made) == 400
    assert made == {delivery_id(endpoint, event) for endpoint in endpoints for event in events}
    assert all(UUID(one).version == 7 for one in made)
    assert delivery_id(endpoints[0], events[0])[:13] == events[0][:13]


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1"),
        *("224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::"),
    ],
)
def test_private_addresses(address: str) -> None:
    """None of these is the internet, whichever way it is written or wrapped."""
    assert is_public(address) is False


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses(address: str) -> None:
    """The internet is reached."""
    assert is_public(address) is True


@pytest.mark.parametrize(
    ("url", "public", "private"),
    [
        ("https://example.com/hook?a=1", True, True),
        ("https://example.com:8443/", True, True),
        ("https://8.8.8.8/", True, True),
        ("https://[2606:4700::1111]/", True, True),
        ("http://example.com/", False, True),
        ("https://127.0.0.1/", False, True),
        ("https://[::ffff:10.0.0.1]/", False, True),
        ("https://localhost:8000/", False, True),
        ("https://metadata.google.internal/", False, True),
        ("https://user@example.com/", False, False),
        ("https://example.com/#", False, False),
        ("https://example.com:0/", False, False),
        ("https://example.com/\n", False, False),
        ("//example.com/", False, False),
        ("file:///etc/passwd", False, False),
        ("", False, False),
    ],
)
def test_urls(url: str, public: bool, private: bool) -> None:
    """What can be given as an endpoint, in production and where private addresses are allowed."""
    assert (url_problem(url, private_allowed=False) is None) is public
    assert (url_problem(url, private_allowed=True) is None) is private


HOSTS = {
    **dict.fromkeys(["example.com", "hooks.example.co.uk", "8.8.8.8", "[2606:4700::1111]", "[64:ff9b::808:808]"], True),
    **dict.fromkeys(["127.0.0.1", "10.1.2.3", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]", "localhost"], False),
    **dict.fromkeys(["db.internal", "printer.local", "[64:ff9b::7f00:1]", "a.localhost"], False),
}


@given(
    scheme=st.sampled_from(["https", "HTTPS", "http", "ftp", "file", "javascript"]),
    user=st.sampled_from(["", "", "", "somebody@", "somebody:secret@", ":@"]),
    host=st.sampled_from(sorted(HOSTS)),
    port=st.sampled_from(["", ":443", ":8443", ":0", ":65535", ":65536", ":x"]),
    tail=st.text(st.sampled_from("/ab?=&%20.-_"), max_size=20).map(lambda rest: "/" + rest),
    spoilt=st.sampled_from(["", "", "", " ", "#", "\n", "\x7f", "é", "x" * 2_000]),
)
def test_a_url_is_judged_by_its_parts(scheme: str, user: str, host: str, port: str, tail: str, spoilt: str) -> None:
    """A URL is taken exactly when each of its parts may be there, and in production from the internet alone."""
    url = f"{scheme}://{user}{host}{port}{tail}{spoilt}"
    formed = scheme.lower() in ("https", "http") and not user and port not in (":0", ":65536", ":x") and not spoilt
    assert (url_problem(url, private_allowed=True) is None) is formed
    assert (url_problem(url, private_allowed=False) is None) is (formed and scheme.lower() == "https" and HOSTS[host])


@given(st.text(max_size=60))
def test_any_text_is_judged(text: str) -> None:
    """Whatever somebody gives, the answer is nothing or a sentence that says what to give."""
    for given_text in (text, "https://" + text):
        for private_allowed in (True, False):
            problem = url_problem(given_text, private_allowed=private_allowed)
            assert problem is None or problem.endswith(".")
