"""Which files are taken as evidence, told from their content and not from their name (L16)."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from typing import Final

_TEXT: Final = "text/plain"
# What phones take: the brand itself, or the general one with the brand among those that it is compatible with.
_HEIF: Final = re.compile(
    rb".{4}ftyp(?:hei[cmsx]|hev[cmsx]|(?:mif1|msf1).{4}(?:.{4}){0,10}?(?:hei[cmsx]|hev[cmsx]))", re.DOTALL
)
_AUDIO: Final = re.compile(rb".{4}ftyp(?:M4A |M4B )", re.DOTALL)
_BEGINNINGS: Final[dict[str, re.Pattern[bytes]]] = {
    "application/pdf": re.compile(rb"%PDF-\d"),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    "image/heic": _HEIF,
    "image/heif": _HEIF,
    "audio/mp4": _AUDIO,
    "audio/x-m4a": _AUDIO,
    "video/quicktime": re.compile(rb".{4}(?:ftypqt  |moov|mdat|wide|free|skip|pnot)", re.DOTALL),
    "video/mp4": re.compile(rb".{4}ftyp(?:isom|iso\d|mp4[12]|avc1|M4V |MSNV|dash)", re.DOTALL),
}
"""What files of a type begin with: things that people photograph, scan and film, and nothing that a browser runs."""
_BEGINNING_BYTES: Final = 64
_NOT_IN_TEXT: Final = re.compile("[\x00-\x08\x0e-\x1f\x7f]")

FILE_TYPES: Final = frozenset({_TEXT, *_BEGINNINGS})
"""The media types that are taken."""


@dataclass(slots=True)
class ContentCheck:
    """Looks at a file's content as it arrives; texts are looked at whole, other types at their beginning."""

    content_type: str
    _beginning: bytes = b""
    _spoilt: bool = False
    _decoder: codecs.IncrementalDecoder = field(default_factory=codecs.getincrementaldecoder("utf-8"))

    def look(self, chunk: bytes) -> None:
        """Look at the next bytes."""
        if len(self._beginning) < _BEGINNING_BYTES:
            self._beginning += chunk[:_BEGINNING_BYTES]
        if self.content_type == _TEXT and not self._spoilt:
            self._look_at_text(chunk, final=False)

    def fits(self) -> bool:
        """Tell, after the last byte, whether the content is of the type that was announced."""
        if self.content_type == _TEXT:
            if not self._spoilt:
                self._look_at_text(b"", final=True)
            return not self._spoilt
        beginning = _BEGINNINGS.get(self.content_type)
        return beginning is not None and beginning.match(self._beginning) is not None

    def _look_at_text(self, chunk: bytes, *, final: bool) -> None:
        try:
            self._spoilt = _NOT_IN_TEXT.search(self._decoder.decode(chunk, final)) is not None
        except UnicodeDecodeError:
            self._spoilt = True
