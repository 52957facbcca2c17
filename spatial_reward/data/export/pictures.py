"""The pictures of a question set as an export needs them: referenced, or with dots drawn in."""

from __future__ import annotations

import os
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import cv2

from spatial_reward.chat import Dot, Picture, dots_on, draw_dots
from spatial_reward.data.prepared import decode
from spatial_reward.data.records import Record

QUALITY = 95  # of the JPEG files that are written
KEPT = 64  # decoded pictures, and as many files; the records of a scene come together

FOLDER = "pictures"  # of an export, for those with dots


class PictureFile(NamedTuple):
    """The bytes of a picture file, and its suffix: ".jpg" or ".png"."""

    content: bytes
    suffix: str


class Pictures:
    """Give the pictures of records, with dots where their question asks for them.

    A picture without dots is never decoded; one with dots is decoded while it stays among the last 64,
    and written once for all records that show the same dots.

    Args:
        root: The question set, to which the paths of pictures are relative.
        folder: Where the export is being written.
        final: Where it will be, to which the returned paths are relative.
    """

    def __init__(self, root: Path, folder: Path, final: Path) -> None:
        """Start with empty caches."""
        self._root, self._folder, self._final = root.resolve(), folder, final.resolve()
        self._read = lru_cache(KEPT)(_read)
        self._decode = lru_cache(KEPT)(lambda path: decode(self._read(path)))

    def paths(self, record: Record) -> list[str]:
        """Return a path per picture, relative to the export; pictures with dots are written there.

        Raises:
            FileNotFoundError: If the set lacks a picture.
        """
        return [self._path(record, number) for number in range(len(record.pictures))]

    def files(self, record: Record) -> list[PictureFile]:
        """Return the picture files themselves.

        Raises:
            FileNotFoundError: If the set lacks a picture.
        """
        return [self._file(record, number) for number in range(len(record.pictures))]

    def _path(self, record: Record, number: int) -> str:
        marks = dots_on(record.question, number, record.id)
        source = self._root / record.pictures[number]
        if not marks:
            _require_file(source)
            return Path(os.path.relpath(source, self._final)).as_posix()
        digest = sha256(repr((record.pictures[number], marks)).encode()).hexdigest()[:24]
        path = Path(FOLDER, digest[:2], f"{digest}.jpg")
        if not (self._folder / path).exists():
            (self._folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self._folder / path).write_bytes(self._drawn(source, marks))
        return path.as_posix()

    def _file(self, record: Record, number: int) -> PictureFile:
        marks = dots_on(record.question, number, record.id)
        source = self._root / record.pictures[number]
        if marks:
            return PictureFile(self._drawn(source, marks), ".jpg")
        return PictureFile(self._read(source), source.suffix)

    def _drawn(self, source: Path, marks: list[Dot]) -> bytes:
        return encoded(draw_dots(self._decode(source), marks))


def encoded(picture: Picture) -> bytes:
    """Encode (H, W, 3) uint8 RGB as JPEG, with colours at full resolution: dots are small."""
    options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    _, content = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    return bytes(content.tobytes())


def _read(path: Path) -> bytes:
    _require_file(path)
    return path.read_bytes()


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"The set lacks its picture {path}: make the set again, or copy it whole.")
