"""Which exceptions of the layers below clients are told about, and how; all others are masked."""

from refundgql.gql.errors import ApiError, ErrorCode
from refundgql.queries.outages import is_outage, is_overlong, is_uncertain
from refundgql.queries.pages import BadPage

AWAY = "The database cannot be reached at the moment; try again."
UNCERTAIN = "The database went away while this was kept: try again with the same key, and the answer tells what holds."
OVERLONG = "The database took longer than an operation may; ask for less, or try again."


def translate(error: BaseException) -> ApiError | None:
    """Return what a client is told of an exception, or nothing when it is nobody's business."""
    if isinstance(error, BadPage):
        return ApiError(str(error), ErrorCode.BAD_USER_INPUT)
    if is_outage(error):
        return ApiError(UNCERTAIN if is_uncertain(error) else AWAY, ErrorCode.SERVICE_UNAVAILABLE)
    if is_overlong(error):
        return ApiError(OVERLONG, ErrorCode.LIMIT_EXCEEDED)
    return None
