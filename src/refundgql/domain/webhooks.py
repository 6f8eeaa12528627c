"""What webhooks promise their receivers: which events go out, under which id, when again, and to which addresses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit
from uuid import UUID

from refundgql.domain.sentences import Sentence, sentence
from refundgql.domain.vocabulary import WITHDRAWAL_CHANGED, NoticeName, WebhookVerdict

URL_CHARS = 2_000
MOST_ENDPOINTS = 50
"""Each endpoint costs a look at the event log and a connection; whoever needs more fans out behind one."""

_HTTP_OK = range(200, 300)
_HTTP_GONE = 410

_TRANSLATED = IPv6Network("64:ff9b::/96")
"""NAT64: the last four bytes are an IPv4 address, which is where it leads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPlan:
    """How long to wait after each failed attempt at one event, and how long an endpoint may take nothing at all."""

    waits_seconds: Sequence[float] = (5, 30, 120, 900, 3_600, 21_600, 86_400)
    disable_after_seconds: float = 5 * 86_400
    jitter_share: float = 0.2
    """Receivers that come back must not be met by everybody at the same instant."""

    def wait_seconds(self, failures: int, chance: float) -> float | None:
        """Return how long to wait after so many failures in a row, or nothing when that was the last attempt.

        `chance` from 0 to 1 spreads the waits.
        """
        if failures > len(self.waits_seconds):
            return None
        return self.waits_seconds[failures - 1] * (1 + self.jitter_share * chance)


def verdict_of(status: int | None) -> WebhookVerdict:
    """Return what an answer means; no answer is None, and a redirect is not followed, so it is none of a success."""
    if status is None:
        return WebhookVerdict.AGAIN
    if status in _HTTP_OK:
        return WebhookVerdict.TAKEN
    return WebhookVerdict.GONE if status == _HTTP_GONE else WebhookVerdict.AGAIN


def wants(event_names: Sequence[str], kinds: Sequence[str], name: str, kind: str) -> bool:
    """Tell whether an endpoint that asked for these names and kinds, all when empty, gets an event."""
    return (not event_names or name in event_names) and (not kinds or kind in kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that is told beside the events of cases, to webhooks and to its account; ids are uuid texts."""

    name: NoticeName
    at: datetime
    account_id: str | None = None
    withdrawal_id: str | None = None
    contract_id: str | None = None
    case_id: str | None = None


def reviews_told(hidden: bool, contract_id: str, at: datetime, case_id: str | None = None) -> Notice:
    """Return what webhooks tell when a contract's reviews are hidden or shown again (C21)."""
    name = NoticeName.REVIEWS_HIDDEN if hidden else NoticeName.REVIEWS_SHOWN
    return Notice(name=name, at=at, contract_id=contract_id, case_id=case_id)


def wants_notice(event_names: Sequence[str], kinds: Sequence[str], name: str) -> bool:
    """Tell whether an endpoint gets a notice: all when it asked for nothing in particular.

    One that asked for WITHDRAWAL_CHANGED gets every withdrawal, also those that no case asked for.
    """
    if not event_names:
        return not kinds
    return WITHDRAWAL_CHANGED in event_names and name.startswith("WITHDRAWAL_")


def delivery_id(endpoint_id: str, event_id: str) -> str:
    """Return the id of an event's delivery to an endpoint: always the same, so that receivers know a repeat.

    It begins with the event's time, as all ids do.
    """
    digest = sha256(f"{endpoint_id} {event_id}".encode()).digest()
    made = bytearray(UUID(event_id).bytes[:6] + digest[:10])
    made[6] = 0x70 | made[6] & 0x0F
    made[8] = 0x80 | made[8] & 0x3F
    return str(UUID(bytes=bytes(made)))


def url_problem(url: str, *, private_allowed: bool) -> Sentence | None:
    """Return what is wrong with an endpoint's URL in one sentence that says what to give, or nothing."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return sentence("NOT_A_URL", "This is not a URL: give one such as https://example.com/refunds.")
    schemes = ("https", "http") if private_allowed else ("https",)
    if parts.scheme not in schemes or not parts.hostname or port == 0:
        return sentence("URL_NOT_HTTPS", "Give a URL that begins with https:// and names a host.")
    if len(url) > URL_CHARS or not url.isascii() or any(one <= " " or one == "\x7f" for one in url):
        return sentence(
            "URL_TOO_LONG",
            "Give a URL of at most {limit} characters, without spaces, other scripts percent-encoded.",
            limit=URL_CHARS,
        )
    if parts.username is not None or parts.password is not None or "#" in url:
        return sentence(
            "URL_WITH_CREDENTIALS", "Give a URL without user, password and fragment; the signature proves who calls."
        )
    if not private_allowed and not _may_be_public(parts.hostname):
        return sentence("URL_NOT_PUBLIC", "Give an address that can be reached from the internet.")
    return None


def _may_be_public(host: str) -> bool:
    """Tell whether a host is no address that is private; names are looked at when they are resolved."""
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return False
    try:
        return is_public(host)
    except ValueError:
        return True


def is_public(address: str) -> bool:
    """Tell whether an IP address belongs to the internet, however it is wrapped.

    Refuses: ValueError for a text that is no address.
    """
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        inner = _inner(found)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast and not found.is_reserved


def _inner(address: IPv6Address) -> IPv4Address | None:
    if address in _TRANSLATED:
        return IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour
