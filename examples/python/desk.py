"""What every client of the desk needs around the generated one: a token, streams that go on, acts that are repeated.

It must not know what a client wants to do with either.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar, cast

import httpx
import stamina
from refund_client import Client
from refund_client.exceptions import GraphQLClientGraphQLMultiError, GraphQLClientHttpError
from refund_client.follow_case import FollowCaseRefundCaseUpdates as Update
from websockets.exceptions import ConnectionClosedError, WebSocketException

Answer = TypeVar("Answer")

LONGEST_WAIT_SECONDS = 5.0
TRY_AGAIN = {"INTERNAL_SERVER_ERROR", "RATE_LIMITED", "SERVICE_UNAVAILABLE"}
# The token is not good any more, or the client made a mistake: connecting again as before would end the same way.
FOR_GOOD = {4400, 4401, 4403, 4406, 4409, 4429}


def client_of(url: str, token: str, http: httpx.AsyncClient | None = None) -> Client:
    """Return the generated client of the desk at `url` for whoever the token is for."""
    authorization = {"Authorization": f"Bearer {token}"}
    http = http or httpx.AsyncClient(timeout=30)
    http.headers.update(authorization)
    return Client(
        url=f"{url}/graphql",
        http_client=cast(Any, http),  # the generated protocol names fewer of its arguments than it has
        ws_url=f"{url.replace('http', 'ws', 1)}/graphql",
        ws_connection_init_payload=authorization,
    )


async def follow(client: Client, case_id: str, **line: Any) -> AsyncIterator[Update]:
    """Yield a case's updates, each event once and in order, over any number of connections.

    The first update of each connection is the case as it is now, without an event.
    """
    cursor: str | None = None
    wait = 0.0
    while True:
        try:
            async for answer in client.follow_case(case_id, after=cursor, **line):
                update = answer.refund_case_updates
                cursor, wait = update.cursor, 0.0
                yield update
            return  # completed: the case is out of sight
        except ConnectionClosedError as closed:
            if closed.rcvd is not None and closed.rcvd.code in FOR_GOOD:
                raise
        except GraphQLClientGraphQLMultiError as refused:
            codes = codes_of(refused)
            if cursor is not None and "BAD_USER_INPUT" in codes:
                cursor = None  # the desk was restored from before it: the present state is what is left
            elif "LIMIT_EXCEEDED" not in codes:
                raise
        except (OSError, TimeoutError, WebSocketException):
            pass  # nobody there at the moment
        wait = min(LONGEST_WAIT_SECONDS, wait * 2 or 0.1)
        await asyncio.sleep(wait * random.uniform(0.5, 1.5))


async def keep_trying(act: Callable[[], Awaitable[Answer]]) -> Answer:
    """Send the same act until it is answered; its idempotency key sees to it that it is done once."""
    async for attempt in stamina.retry_context(on=is_worth_repeating, attempts=None, timeout=120):
        with attempt:
            return await act()
    raise AssertionError("stamina gives an answer or raises")


def is_worth_repeating(error: Exception) -> bool:
    """Tell whether the same request may be answered otherwise in a moment."""
    if isinstance(error, GraphQLClientHttpError):
        return error.status_code == httpx.codes.TOO_MANY_REQUESTS or error.status_code >= httpx.codes.BAD_GATEWAY
    if isinstance(error, GraphQLClientGraphQLMultiError):
        return bool(codes_of(error) & TRY_AGAIN)
    return isinstance(error, httpx.TransportError)


def codes_of(refused: GraphQLClientGraphQLMultiError) -> set[str]:
    """Return the codes of an answer's errors."""
    return {str((error.extensions or {}).get("code")) for error in refused.errors}
