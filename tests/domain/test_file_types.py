"""Files are what their bytes say, not what their sender says (L16)."""

from __future__ import annotations

import pytest

from refundgql.domain.file_types import FILE_TYPES, ContentCheck

BEGINNINGS = {
    "application/pdf": b"%PDF-1.7\n%\xe2\xe3",
    "image/gif": b"GIF89a\x01\x00",
    "image/jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "image/png": b"\x89PNG\r\n\x1a\n\x00\x00",
    "image/webp": b"RIFF\x0a\x00\x00\x00WEBPVP8 ",
    "video/mp4": b"\x00\x00\x00\x18ftypmp42\x00",
    "image/heic": b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic",
    "image/heif": b"\x00\x00\x00\x20ftypmif1\x00\x00\x00\x00mif1miafheic",
    "audio/mp4": b"\x00\x00\x00\x1cftypM4A \x00\x00\x02\x00",
    "audio/x-m4a": b"\x00\x00\x00\x1cftypM4B \x00\x00\x02\x00",
    "video/quicktime": b"\x00\x00\x00\x14ftypqt  \x00\x00\x02\x00qt  ",
    "text/plain": "Grüße,\r\n\tPaula €".encode(),
}


TWO_NAMES = ({"image/heic", "image/heif"}, {"audio/mp4", "audio/x-m4a"})
"""What phones and browsers call by two names."""


def fits(content_type: str, content: bytes, at_once: int) -> bool:
    """Tell what a check says after looking in pieces."""
    check = ContentCheck(content_type)
    for start in range(0, len(content), at_once):
        check.look(content[start : start + at_once])
    return check.fits()


@pytest.mark.parametrize("at_once", [1, 3, 1_000])
def test_each_type_is_known_by_its_content_alone(at_once: int) -> None:
    """Content fits its own type and no other one, in whatever pieces it arrives."""
    assert BEGINNINGS.keys() == FILE_TYPES
    for content_type, content in BEGINNINGS.items():
        told = {other for other in FILE_TYPES if fits(other, content, at_once)}
        # A PDF's head may be text; this one has bytes that are not.
        assert told == next((names for names in TWO_NAMES if content_type in names), {content_type})


@pytest.mark.parametrize(
    "brands", [b"avif\x00\x00\x00\x00mif1avif", b"mif1\x00\x00\x00\x00mif1avif", b"M4P \x00\x00\x00\x00"]
)
def test_other_brands_of_the_container_are_not_taken(brands: bytes) -> None:
    """What shares the container with photographs and sound of phones is not taken for them."""
    content = b"\x00\x00\x00\x20ftyp" + brands
    assert not any(fits(one, content, 7) for one in FILE_TYPES)


@pytest.mark.parametrize("content", [b"MZ\x90\x00", b"a\x00b", b"\xff\xfeh\x00i\x00", b"half \xe2\x82", b"bell \x07"])
def test_what_is_not_text_is_not_taken_for_text(content: bytes) -> None:
    """Programs, other encodings, half characters and control characters are no text."""
    assert not fits("text/plain", content, 2)


def test_unknown_types_never_fit() -> None:
    """A type that is not taken fits nothing."""
    assert not fits("text/html", b"<html>", 10)
