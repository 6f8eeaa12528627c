"""One webhook request: the body made of an event, signed, sent to an address that may be called, and its answer.

It must not follow redirects, nor keep or log what a receiver says; only the status counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

import httpx
import orjson
from standardwebhooks import Webhook

from refundgql import __version__
from refundgql.api.types.ids import encode_id
from refundgql.domain.calendar import from_micros, to_micros
from refundgql.domain.vocabulary import Audience, BalancePurpose
from refundgql.domain.webhooks import is_public
from refundgql.storage.webhook_deliveries import Attempt, QueuedDelivery

READ_AT_MOST_BYTES: Final = 65_536
"""An answer that is read to its end leaves the connection for the next request; a longer one is not worth it."""
READ_SECONDS: Final = 1.0
"""The status has decided; a body that does not come is not waited for."""
KEEP_ALIVE_SECONDS: Final = 30.0


@cache
def trusted() -> ssl.SSLContext:
    """Return whose certificates are accepted; read once, because that takes long enough to delay others."""
    return httpx.create_ssl_context(trust_env=False)


class AddressRefused(Exception):
    """The host has an address that webhooks may not go to."""


def body_of(delivery: QueuedDelivery) -> bytes:
    """Return the body that tells of an event; the same bytes each time, without texts, names and evidence."""
    if delivery.event is not None:
        return orjson.dumps(_of_event(delivery, delivery.event))
    return orjson.dumps(_of_notice(delivery, delivery.notice or {}))


def _of_event(delivery: QueuedDelivery, event: Mapping[str, Any]) -> dict[str, Any]:
    snapshot = event["snapshot"]
    return {
        "type": f"refund_case.{event['name'].lower()}",
        "timestamp": _instant(event["at"]),
        "data": {
            "eventId": encode_id("RefundEvent", delivery.event_id),
            "refundCaseId": encode_id("RefundCase", event["case_id"]),
            "number": f"RC-{snapshot['number']:06d}",
            "kind": snapshot["kind"],
            "route": snapshot["route"],
            "event": event["name"],
            "audience": event["audience"] or Audience.EVERYONE.value,
            "sequence": event["sequence"],
            "version": event["sequence"],
            "cursor": str(delivery.cursor),
            "actorRole": event["actor_role"],
            "rule": event["rule"],
            "fromState": event["from_state"],
            "state": event["to_state"],
            "whoseMove": snapshot["whose_move"],
            "clock": _clock(snapshot),
            "settlement": snapshot.get("settlement"),
            "subject": {"type": event["subject_type"], **_named(event["subject"])},
            "contract": _person(event["contract"]),
            "requester": _person(event["requester"]),
            "counterparty": _person(event["counterparty"]),
            "assignee": _person(event["assignee"]),
            "currencyCode": event["currency"],
            "amountMinor": event["amount_minor"],
            "requestedMinor": snapshot["requested_minor"],
            "approvedMinor": snapshot["approved_minor"],
            "consentedMinor": snapshot["consented_minor"],
            "creditedMinor": snapshot["credited_minor"],
        },
    }


def _of_notice(delivery: QueuedDelivery, notice: Mapping[str, Any]) -> dict[str, Any]:
    thing, _, what = notice["name"].partition("_")
    case_id, withdrawal_id = notice["case_id"], notice["withdrawal_id"]
    data: dict[str, Any] = {
        "eventId": delivery.event_id,
        "event": notice["name"],
        "cursor": str(delivery.cursor),
        "refundCaseId": None if case_id is None else encode_id("RefundCase", case_id),
        "number": None if case_id is None else f"RC-{notice['number']:06d}",
    }
    if withdrawal_id is not None:
        data |= {
            "withdrawal": {"id": encode_id("Withdrawal", withdrawal_id), **_named(notice["withdrawal"])},
            "account": _person(notice["account"]),
            "purpose": BalancePurpose.CONTRACTS.value,
            "currencyCode": notice["currency"],
            "amountMinor": notice["amount_minor"],
            "estimatedUntil": notice["estimated_until"],
        }
    else:
        data |= {name: _person(notice[name]) for name in ("contract", "client", "expert")}
    return {"type": f"{thing.lower()}.{what.lower()}", "timestamp": _instant(notice["at"]), "data": data}


def _named(ref: str | None) -> dict[str, str | None]:
    return {"externalRef": ref}


def _person(ref: str | None) -> dict[str, str | None] | None:
    return None if ref is None else _named(ref)


def _clock(snapshot: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the clock that runs on the case, with its end; none where none does."""
    # Events of former releases have no end of their own.
    name, ends_at = snapshot.get("clock"), snapshot.get("clock_ends_at", snapshot["deadline_at"])
    return None if name is None or ends_at is None else {"name": name, "endsAt": _instant(ends_at)}


def _instant(micros: int) -> str:
    text = from_micros(micros).isoformat()
    return text.replace("+00:00", "Z")


def headers_of(delivery_id: str, body: bytes, secrets: Sequence[str], at: datetime) -> dict[str, str]:
    """Return the headers of Standard Webhooks, with a signature by each secret; the id is the delivery's, always."""
    message_id = encode_id("WebhookDelivery", delivery_id)
    text = body.decode()
    return {
        "content-type": "application/json",
        "user-agent": f"refundgql/{__version__}",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(message_id, at, text) for secret in secrets),
    }


class ReceiverConnection:
    """A connection to one endpoint's receiver, kept between requests.

    Each endpoint has its own: two hosts behind one address must not share a connection that was verified for one.
    """

    def __init__(self, *, private_allowed: bool, timeout_seconds: float) -> None:
        """Prepare; nothing is opened before the first request."""
        self._private_allowed = private_allowed
        self._timeout_seconds = timeout_seconds
        self._client: httpx.AsyncClient | None = None
        self._host = ""

    async def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def send(self, url: str, delivery: QueuedDelivery, secrets: Sequence[str], at: datetime) -> Attempt:
        """Send a delivery once and return what came of it; nothing that a receiver does raises."""
        body = body_of(delivery)
        headers = headers_of(delivery.id, body, secrets, at)
        began = time.monotonic()
        status, error = await self._post(url, body, headers)
        return Attempt(
            at=to_micros(at), status=status, error=error, duration_ms=int((time.monotonic() - began) * 1_000)
        )

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> tuple[int | None, str | None]:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                status = await self._status(httpx.URL(url), body, headers)
        except TimeoutError:
            return None, f"No answer within {self._timeout_seconds:g} s."
        except AddressRefused as refused:
            return None, str(refused)
        except socket.gaierror:
            return None, "The host's name cannot be resolved."
        except ssl.SSLError:
            return None, "The receiver's certificate is not accepted."
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            return None, _told(error)
        return status, None if 200 <= status < 300 else _refusal(status)

    async def _status(self, url: httpx.URL, body: bytes, headers: dict[str, str]) -> int:
        """Post to an address of the host that was checked just now, and return the status."""
        client = await self._client_for(url.host)
        address = await self._address(url)
        request = client.build_request(
            "POST",
            url.copy_with(host=address),
            content=body,
            # The address is called, the name is meant: by the Host header, the handshake and the certificate.
            headers={**headers, "host": url.netloc.decode("ascii")},
            extensions={"sni_hostname": url.host},
        )
        response = await client.send(request, stream=True)
        try:
            with contextlib.suppress(TimeoutError, httpx.HTTPError):
                async with asyncio.timeout(READ_SECONDS):
                    await _read(response)
        finally:
            await response.aclose()
        return response.status_code

    async def _client_for(self, host: str) -> httpx.AsyncClient:
        if self._client is None or self._host != host:
            await self.close()
            self._host = host
            limits = httpx.Limits(max_connections=1, keepalive_expiry=KEEP_ALIVE_SECONDS)
            # The timeout of the whole request is ours; a proxy of the environment would resolve names by itself.
            self._client = httpx.AsyncClient(
                verify=trusted(),
                limits=limits,
                timeout=None,  # noqa: S113  # see above
                follow_redirects=False,
                trust_env=False,
            )
        return self._client

    async def _address(self, url: httpx.URL) -> str:
        """Return an address of the host.

        Refuses: AddressRefused when any of them is private, unless that is allowed.
        """
        port = url.port or (443 if url.scheme == "https" else 80)
        found = await asyncio.get_running_loop().getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
        addresses: list[Any] = [one[4][0] for one in found]
        if not self._private_allowed and not (addresses and all(is_public(str(one)) for one in addresses)):
            raise AddressRefused("The host has an address that is not reached over the internet.")
        return str(addresses[0])


async def _read(response: httpx.Response) -> None:
    size = 0
    async for chunk in response.aiter_raw():
        size += len(chunk)
        if size > READ_AT_MOST_BYTES:
            return


def _refusal(status: int) -> str:
    return f"Answered {status}; redirects are not followed." if 300 <= status < 400 else f"Answered {status}."


def _told(error: Exception) -> str:
    """Return what went wrong without anything that a receiver or its address says."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return "The receiver's certificate is not accepted."
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.ConnectError | OSError):
        return "The receiver cannot be connected to."
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | UnicodeError):
        return "The URL cannot be called."
    return "The connection ended before there was an answer."
