"""What a picture file says of itself: JPEG or PNG, its size, and whether it is whole; nothing is decoded."""

from __future__ import annotations

from typing import NamedTuple

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"IEND\xaeB`\x82"
_JPEG, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # JPEG segments that state the size
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})  # JPEG markers without a segment


class PictureFile(NamedTuple):
    """A picture file: its suffix (".jpg" or ".png") and its size [px]."""

    suffix: str
    width: int
    height: int


def inspect(content: bytes) -> PictureFile:
    """Read the header of a picture file.

    Raises:
        ValueError: If it is no JPEG or PNG, or is cut off.
    """
    if content.startswith(_PNG) and _PNG_END in content[-64:]:
        return PictureFile(".png", _number(content, 16, 4), _number(content, 20, 4))
    if content.startswith(_JPEG) and _JPEG_END in content[-64:]:
        return _jpeg(content)
    raise ValueError(f"{len(content)} bytes that are no whole JPEG or PNG file.")


def _jpeg(content: bytes) -> PictureFile:
    place = 2
    while place + 9 <= len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        if marker in _SIZES:
            return PictureFile(".jpg", _number(content, place + 7, 2), _number(content, place + 5, 2))
        place += 1 if marker == 0xFF else 2 if marker in _BARE else 2 + _number(content, place + 2, 2)
    raise ValueError(f"A JPEG file of {len(content)} bytes that does not state its size.")


def _number(content: bytes, place: int, count: int) -> int:
    return int.from_bytes(content[place : place + count], "big")
