"""Who is calling, as far as the roads need to know: what to count them by, and until when they may stay.

The application finds out who it is, see `Authentication`, and what they may see or do is its own business.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol


class Principal(Protocol):
    """Somebody who is signed in, as the application knows them; handed on to the contexts of operations."""

    @property
    def account_id(self) -> str:
        """Return what their requests and connections are counted by."""

    @property
    def external_ref(self) -> str:
        """Return what they are named by in logs."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling and until when (seconds since the epoch); nobody when there was no token.

    sends_batches: whether a body may be as large as a batch of records.
    """

    account: Principal | None
    expires_at: float | None
    sends_batches: bool = False

    @property
    def ref(self) -> str | None:
        """Return the account's name in logs."""
        return self.account.external_ref if self.account else None

    def key(self, address: str) -> str:
        """Return what the caller is counted by: the account, or for nobody the address."""
        return f"account {self.account.account_id}" if self.account else f"address {address}"


ANONYMOUS: Final = Caller(None, None)


class Authentication(Protocol):
    """Finds out who is calling."""

    async def by_header(self, authorization: str | None) -> Caller:
        """Return who an Authorization header speaks for; nobody without one. Refuses: RequestRefused, 401 or 503."""

    async def by_token(self, token: str) -> Caller:
        """Return who a token speaks for. Refuses: RequestRefused, 401 or 503."""

    async def reload(self, account: Any) -> Any:
        """Return the account as it is now, or nothing when it has lost access."""

    def has_expired(self, caller: Caller) -> bool:
        """Tell whether the caller's token has run out; open streams are given no leeway."""


LostAccess = Callable[[Collection[Any]], Awaitable[Mapping[Any, str]]]
"""Return the reason for each of some accounts, as they were when they came, that may not stay."""
