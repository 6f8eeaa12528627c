"""Hands refund webhooks over to APNs and FCM: verified, once, to whoever has to know, and never what is internal.

    WEBHOOK_SECRET=whsec_… DEVICES=devices.json APNS_URL=https://api.push.apple.com APNS_TOPIC=example.desk \\
    FCM_URL=https://fcm.googleapis.com/v1/projects/example uvicorn hand_over:app

`devices.json` stands for your own table: {"client-eva": [{"platform": "ios", "token": "…"}]}. APNS_TOKEN and FCM_TOKEN
are the providers' bearer tokens; a real service signs them anew every half hour, with the providers' own libraries.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

handled: set[str] = set()  # a table of yours: the sender repeats what was not taken
RINGS = {
    "DECLINE",
    "CREDIT",
    "REVERSE",
    "HAND_OVER",
    "INFORMATION_REQUESTED",
    "DUE_SOON",
    "REOPEN",
    "REQUEST",
    "SEND_MESSAGE",
}
"""What rings a phone; everything else shows when the app is opened."""


def people_to_tell(data: Mapping[str, Any]) -> list[str]:
    """Return the references of the parties that a message concerns: nobody of what is internal."""
    parties = {"REQUESTER_AND_SUPPORT": ("requester",), "COUNTERPARTY_AND_SUPPORT": ("counterparty",)}
    concerned = parties.get(data["audience"], ("requester", "counterparty") if data["audience"] == "EVERYONE" else ())
    return [data[one]["externalRef"] for one in concerned if data.get(one)]


def words(data: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Return the key of a sentence in the app's own catalogue, and what goes into it."""
    clock = data.get("clock") or {}
    return f"refund_{data['event'].lower()}", [data["number"], clock.get("endsAt", "")]


def for_apns(device: str, data: Mapping[str, Any]) -> tuple[str, dict[str, Any], dict[str, str]]:
    """Return the path, body and headers of one notification for an iPhone."""
    key, values = words(data)
    alert = {"title-loc-key": "refund_title", "loc-key": key, "loc-args": values}
    aps = {"alert": alert, "sound": "default", "thread-id": data["refundCaseId"]}
    # A later event of the case takes the place of an earlier one that was not looked at.
    headers = {"apns-topic": os.environ["APNS_TOPIC"], "apns-push-type": "alert", "apns-collapse-id": data["number"]}
    return f"/3/device/{device}", {"aps": aps, "refundCaseId": data["refundCaseId"]}, headers


def for_fcm(device: str, data: Mapping[str, Any]) -> tuple[str, dict[str, Any], dict[str, str]]:
    """Return the path, body and headers of one notification for an Android phone."""
    key, values = words(data)
    shown = {"title_loc_key": "refund_title", "body_loc_key": key, "body_loc_args": values, "tag": data["number"]}
    message = {
        "token": device,
        "data": {"refundCaseId": data["refundCaseId"]},
        "android": {"collapse_key": data["number"], "notification": shown},
    }
    return "/messages:send", {"message": message}, {}


PLATFORMS = {"ios": ("APNS", for_apns), "android": ("FCM", for_fcm)}


async def receive(request: Request) -> Response:
    """Take one webhook; a provider that is away makes the desk send it again later."""
    try:
        message = Webhook(os.environ["WEBHOOK_SECRET"]).verify(await request.body(), dict(request.headers))
    except WebhookVerificationError:
        return Response(status_code=401)
    data = message["data"]
    if request.headers["webhook-id"] in handled or data.get("event") not in RINGS:
        return Response(status_code=204)
    devices = request.state.devices
    for ref in people_to_tell(data):
        for device in devices.get(ref, []):
            provider, written = PLATFORMS[device["platform"]]
            path, body, headers = written(device["token"], data)
            bearer = {"authorization": f"bearer {os.environ[f'{provider}_TOKEN']}"}
            url = os.environ[f"{provider}_URL"] + path
            answer = await request.state.http.post(url, json=body, headers=headers | bearer)
            if answer.status_code >= 500 or answer.status_code == 429:
                return Response(status_code=503)
            # 404, 410: the device has gone; strike it from your table.
    handled.add(request.headers["webhook-id"])
    return Response(status_code=204)


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
    """Keep one client: APNs wants one connection of HTTP/2, `pip install httpx[http2]` where it is real."""
    devices = Path(os.environ["DEVICES"]).read_text(encoding="utf-8")  # noqa: ASYNC240  # once, before anything waits
    async with httpx.AsyncClient(timeout=10, http2=os.environ.get("APNS_URL", "").startswith("https")) as http:
        yield {"http": http, "devices": json.loads(devices)}


app = Starlette(routes=[Route("/refunds", receive, methods=["POST"])], lifespan=lifespan)
