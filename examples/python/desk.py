"""What every client of the desk needs around the generated one: a token, streams that go on, acts that are repeated."""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
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
# The token is not good any more: come back with another one.
TOKEN_NOT_GOOD = 4403
# The client made a mistake: connecting again as before would end the same way.
FOR_GOOD = {4400, 4401, 4406, 4409, 4429}

Renew = Callable[[], Awaitable[str]]
"""Ask whoever signs people in for a token that is good from now on. Refuses: SignedOutError."""


class SignedOutError(Exception):
    """There is no other token: a person has to sign in again."""


class Token(httpx.Auth):
    """The token that HTTP and the socket share: whichever is refused first has it replaced for both, once."""

    def __init__(self, renew: Renew) -> None:
        """Ask for a token when there is none yet, and whenever the desk does not take the one held."""
        self.payload: dict[str, str] = {}  # of `connection_init`; the generated client sends what stands in it then
        self._renew = renew
        self._asking = asyncio.Lock()

    async def get(self, refused: str | None = None) -> str:
        """Return what to send as `Authorization`; another one when it is the refused one that is held."""
        async with self._asking:
            if self.payload.get("Authorization") == refused:
                self.payload["Authorization"] = f"Bearer {await self._renew()}"
            return self.payload["Authorization"]

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Send a request; where its token is refused, send the same once more with another."""
        sent = request.headers["Authorization"] = self.payload.get("Authorization") or await self.get()
        response = yield request
        await response.aread()
        if says_unauthenticated(response):
            request.headers["Authorization"] = await self.get(refused=sent)
            yield request


class Desk(Client):
    """The generated client, for whoever the tokens are for."""

    def __init__(self, url: str, renew: Renew, http: httpx.AsyncClient | None = None) -> None:
        """Talk to the desk at `url`."""
        self.token = Token(renew)
        http = http or httpx.AsyncClient(timeout=30)
        http.auth = self.token
        super().__init__(
            url=f"{url}/graphql",
            http_client=cast(Any, http),  # the generated protocol names fewer of its arguments than it has
            ws_url=f"{url.replace('http', 'ws', 1)}/graphql",
            ws_connection_init_payload=self.token.payload,
        )


def one_after_another(tokens: str) -> Renew:
    """Stand for your identity provider: the next token each time one has run out."""
    left = iter(tokens.split())

    async def renew() -> str:
        try:
            return next(left)
        except StopIteration:
            raise SignedOutError("Sign in again.") from None

    return renew


async def follow(desk: Desk, case_id: str, **line: Any) -> AsyncIterator[Update]:
    """Yield a case's updates, each event once and in order, over any number of connections and tokens.

    The first update of each connection is the case as it is now, without an event.
    """
    cursor: str | None = None
    sent: str | None = None
    refused: str | None = None
    wait = 0.0
    while True:
        try:
            sent, refused = await desk.token.get(refused), None
            async for answer in desk.follow_case(case_id, after=cursor, **line):
                update = answer.refund_case_updates
                cursor, wait = update.cursor, 0.0
                yield update
            return  # completed: the case is out of sight
        except ConnectionClosedError as closed:
            code = closed.rcvd.code if closed.rcvd is not None else None
            if code in FOR_GOOD:
                raise
            if code == TOKEN_NOT_GOOD:
                refused = sent
        except GraphQLClientGraphQLMultiError as failed:
            codes = codes_of(failed)
            if cursor is not None and "BAD_USER_INPUT" in codes:
                cursor = None  # the desk was restored from before it: the present state is what is left
            elif "LIMIT_EXCEEDED" not in codes:
                raise
        except (OSError, TimeoutError, WebSocketException, httpx.TransportError):
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


def says_unauthenticated(response: httpx.Response) -> bool:
    """Tell whether an answer asks for another token; it may hold a part that needs none."""
    try:
        errors = response.json().get("errors") or []
    except ValueError:
        return False
    return any((error.get("extensions") or {}).get("code") == "UNAUTHENTICATED" for error in errors)
