"""Compress answers and files of a kilobyte and more with zstd, Brotli or gzip, as the client takes it; never streams.

A stream's messages are small, are written once for thousands of readers, and must not wait in a compressor.
"""

from typing import Final

from starlette.types import ASGIApp
from starlette_compress import CompressMiddleware, add_compress_type, remove_compress_type

LEAST_BYTES: Final = 1_024
"""An answer of less fits into one packet as it is."""

# For the whole process, as the library keeps its list.
add_compress_type("application/graphql-response+json")
for _stream in "text/event-stream", "multipart/mixed":
    remove_compress_type(_stream)


class Compression(CompressMiddleware):
    """The library's middleware, with levels that cost less time than the line takes for what they save."""

    __slots__ = ()

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app, minimum_size=LEAST_BYTES, zstd_level=3, brotli_quality=4, gzip_level=4)
