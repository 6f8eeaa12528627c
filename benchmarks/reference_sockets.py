"""The limit for subscriptions: graphql-transport-ws by hand on bare ASGI, each event encoded once and sent by one loop.

It must not become useful: whoever posts names a case in its variables, and all who follow that case are told. Run under
one server after the other it tells what a server's sockets cost.
"""

from __future__ import annotations

from typing import Any

import orjson

HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"2")]
EVENT = {"id": "RefundEvent_00070000-0000-7000-8000-0000000493e1", "sequence": 4, "name": "ASSIGN"}

_followers: dict[str, dict[int, Any]] = {}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Follow a case on a socket, or tell its followers by a POST."""
    if scope["type"] == "websocket":
        await _follow(receive, send)
    elif scope["type"] == "http":
        await _tell(receive, send)
    else:
        while (await receive())["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})


def _next(case: str) -> str:
    update = {
        "cursor": "4711.300001",
        "refundCase": {"id": case, "state": "REQUESTED", "version": 4},
        "event": {**EVENT, "toState": "REQUESTED", "at": "2026-01-01T00:00:00Z"},
    }
    return orjson.dumps({"id": "1", "type": "next", "payload": {"data": {"refundCaseUpdates": update}}}).decode()


async def _tell(receive: Any, send: Any) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    case = orjson.loads(body)["variables"]["input"]["refundCaseId"]
    told = {"type": "websocket.send", "text": _next(case)}
    for follower in list(_followers.get(case, {}).values()):
        await follower(told)
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b"{}"})


async def _follow(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept", "subprotocol": "graphql-transport-ws"})
    case = ""
    while (message := await receive())["type"] != "websocket.disconnect":
        said = orjson.loads(message.get("text") or message["bytes"])
        if said["type"] == "connection_init":
            await send({"type": "websocket.send", "text": '{"type":"connection_ack"}'})
        elif said["type"] == "subscribe":
            case = said["payload"]["variables"]["id"]
            _followers.setdefault(case, {})[id(send)] = send
            await send({"type": "websocket.send", "text": _next(case)})
    _followers.get(case, {}).pop(id(send), None)
