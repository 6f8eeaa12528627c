"""Read a client's messages of the graphql-transport-ws protocol, every one checked, and write the server's."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import orjson

from refundgql.gql.answers import RequestRefused
from refundgql.gql.bodies import GraphQLRequest, refuse_duplicate_names, request_of

SUBPROTOCOL: Final = "graphql-transport-ws"
# A close frame has 125 bytes, two of which are the code.
_MAX_REASON_BYTES: Final = 123
_MAX_ID_LENGTH: Final = 256


class CloseCode(IntEnum):
    """Why the server closes a socket.

    Clients come back after 1012, 1013, 4403 and 4408. graphql-ws takes the others as final, as it does 1002, 1007 and
    1011, so they are only for what another attempt would not change.
    """

    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    MESSAGE_TOO_BIG = 1009
    BAD_REQUEST = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    SUBPROTOCOL_NOT_ACCEPTABLE = 4406
    INIT_TIMEOUT = 4408
    SUBSCRIBER_ALREADY_EXISTS = 4409
    TOO_MANY_INIT_REQUESTS = 4429


class InvalidMessage(Exception):
    """The message is not one the protocol knows; the text goes into the close frame."""


@dataclass(frozen=True, slots=True)
class ConnectionInit:
    """The first message, with whatever the client says of itself."""

    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ping:
    """Asks for a pong."""


@dataclass(frozen=True, slots=True)
class Pong:
    """Answers a ping, or comes unasked as a heartbeat."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Asks for an operation under an id of the client's choice."""

    id: str
    request: GraphQLRequest


@dataclass(frozen=True, slots=True)
class Complete:
    """The client is done with an operation."""

    id: str


ClientMessage = ConnectionInit | Ping | Pong | Subscribe | Complete


def read_message(text: str | None, max_bytes: int) -> ClientMessage:
    """Return what the client said. Refuses: `InvalidMessage` for anything the protocol does not specify."""
    if text is None:
        raise InvalidMessage("Only text messages are accepted")
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) > max_bytes:
        raise InvalidMessage("Message is too large")
    try:
        message = orjson.loads(raw)
        refuse_duplicate_names(raw, message)
    except (orjson.JSONDecodeError, RequestRefused):
        raise InvalidMessage("Message is not valid JSON") from None
    if not isinstance(message, dict):
        raise InvalidMessage("Message is not an object")
    kind = message.get("type")
    if kind == "subscribe":
        return _subscribe(message)
    if kind == "complete":
        return Complete(_id(message))
    if kind == "ping":
        _payload(message)
        return Ping()
    if kind == "pong":
        _payload(message)
        return Pong()
    if kind == "connection_init":
        return ConnectionInit(_payload(message))
    raise InvalidMessage("Message has no type a client may send")


def _id(message: dict[str, Any]) -> str:
    value = message.get("id")
    if not isinstance(value, str) or not value:
        raise InvalidMessage("Message needs an id that is a non-empty string")
    if len(value) > _MAX_ID_LENGTH:
        raise InvalidMessage("Message has an id that is too long")
    return value


def _payload(message: dict[str, Any]) -> dict[str, Any]:
    payload = message.get("payload")
    if payload is None:
        return {}
    if not isinstance(payload, dict):
        raise InvalidMessage("Message has a payload that is not an object")
    return payload


def _subscribe(message: dict[str, Any]) -> Subscribe:
    operation_id = _id(message)
    payload = message.get("payload")
    if not isinstance(payload, dict):
        raise InvalidMessage("Message needs a payload that is an object")
    try:
        return Subscribe(operation_id, request_of(payload))
    except RequestRefused as refused:
        raise InvalidMessage(refused.message) from None


ACK: Final = '{"type":"connection_ack"}'
PONG: Final = '{"type":"pong"}'


def next_message(operation_id: str, result: dict[str, Any]) -> str:
    """Return one result of an operation."""
    return orjson.dumps({"id": operation_id, "type": "next", "payload": result}).decode()


def next_message_before(operation_id: str) -> str:
    """Return what stands before a result that is JSON already; behind it stands a brace."""
    return f'{{"id":{orjson.dumps(operation_id).decode()},"type":"next","payload":'


def error_message(operation_id: str, errors: list[dict[str, Any]]) -> str:
    """Return the errors that end an operation."""
    return orjson.dumps({"id": operation_id, "type": "error", "payload": errors}).decode()


def complete_message(operation_id: str) -> str:
    """Return the end of an operation."""
    return orjson.dumps({"id": operation_id, "type": "complete"}).decode()


def close_reason(text: str) -> str:
    """Return the text cut to what fits a close frame, at a character's border."""
    return text.encode()[:_MAX_REASON_BYTES].decode("utf-8", "ignore")
