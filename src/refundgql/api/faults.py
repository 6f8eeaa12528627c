"""Which exceptions of the layers below clients are told about, and how; all others are masked.

It must not turn a refusal into an error: those are data.
"""

from refundgql.api.execution import ApiError, ErrorCode
from refundgql.queries.pages import BadPage


def translate(error: BaseException) -> ApiError | None:
    """Return what a client is told of an exception, or nothing when it is nobody's business."""
    if isinstance(error, BadPage):
        return ApiError(str(error), ErrorCode.BAD_USER_INPUT)
    return None
