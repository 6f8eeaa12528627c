"""What commands give back: the ids of what they changed, for whoever asked to read it as the viewer of that moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from refundgql.domain.decisions import Event
from refundgql.domain.facts import Case


@dataclass(frozen=True, slots=True)
class CaseResult:
    """The case acted on and the act's own event; `replayed` when the key had done it before.

    `case` and `event` are both as they were saved, where nothing but the decision itself has written them.
    """

    case_id: str
    event_id: str
    replayed: bool = False
    case: Case | None = None
    event: Event | None = None


@dataclass(frozen=True, slots=True)
class MessageResult:
    """The case message that was sent."""

    message_id: str
    case_id: str
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class ReviewResult:
    """The review that was posted, edited or opened for an edit."""

    review_id: str
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class AccountResult:
    """The account that was acted on."""

    account_id: str
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class WithdrawalResult:
    """The withdrawal that was requested."""

    withdrawal_id: str
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class UploadResult:
    """The address to send an announced file to, and until when (exclusive) it works."""

    upload_url: str
    expires_at: datetime
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class CaseReadResult:
    """The case that was read; reading writes no event."""

    case_id: str
    event_id: None = None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class WebhookEndpointResult:
    """The webhook endpoint that was changed; one that was deleted is not there any more."""

    endpoint_id: str
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class WebhookSecretResult:
    """The webhook endpoint that got a secret; a replay does not know the secret any more."""

    endpoint_id: str
    secret: str | None = field(repr=False)
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class WebhookDeliveryResult:
    """The delivery that goes out again, or that was left out."""

    delivery_id: str
    replayed: bool = False
