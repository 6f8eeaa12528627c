"""Which exceptions of the layers below clients are told about, and how; all others are masked."""

from refundgql.api.languages import said
from refundgql.domain.sentences import Sentence, sentence
from refundgql.gql.errors import ApiError, ErrorCode
from refundgql.queries.outages import is_outage, is_overlong, is_uncertain
from refundgql.queries.pages import BadPage

AWAY = sentence("DATABASE_AWAY", "The database cannot be reached at the moment; try again.")
UNCERTAIN = sentence(
    "DATABASE_WENT_AWAY",
    "The database went away while this was kept: try again with the same key, and the answer tells what holds.",
)
OVERLONG = sentence("TOOK_TOO_LONG", "The database took longer than an operation may; ask for less, or try again.")


def told(why: Sentence, code: ErrorCode = ErrorCode.BAD_USER_INPUT, argument: str | None = None) -> ApiError:
    """Return the error that says a sentence in the reader's language, after the name of the argument it is about."""
    return ApiError(said(why) if argument is None else f"{argument}: {said(why)}", code)


def too_many(argument: str, limit: int) -> ApiError:
    """Return the error of a list that is too long."""
    return told(sentence("AT_MOST_ITEMS", "at most {limit}.", limit=limit), argument=argument)


def translate(error: BaseException) -> ApiError | None:
    """Return what a client is told of an exception, or nothing when it is nobody's business."""
    if isinstance(error, BadPage):
        return told(error.why)
    if is_outage(error):
        return told(UNCERTAIN if is_uncertain(error) else AWAY, ErrorCode.SERVICE_UNAVAILABLE)
    if is_overlong(error):
        return told(OVERLONG, ErrorCode.LIMIT_EXCEEDED)
    return None
