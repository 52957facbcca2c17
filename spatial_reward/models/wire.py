"""Questions and answers as bytes: what clients and the server say to each other.

A message is `SPR1`, the length of a header (4 bytes, little endian), the header in JSON, and the blobs that
it names, one after the other. A header alone, with blobs in base64, is a message as well: plain JSON.
Unknown numbers are null.
"""

from __future__ import annotations

import base64
import json
import struct
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import Any

import numpy as np

from spatial_reward.models.wire_arrays import (
    Limits,
    PictureFormat,
    WireError,
    claimed_pixels,
    decode_array,
    decode_picture,
    encode_array,
    encode_picture,
)
from spatial_reward.models.wire_values import (
    SENSELESS,
    answer_from,
    answer_json,
    array,
    camera_from,
    camera_json,
    listed,
    numbers,
)
from spatial_reward.questions import KINDS
from spatial_reward.types import Frame, PixelPoint, Question

MAGIC, BINARY, JSON = b"SPR1", "application/x-spatial-reward", "application/json"
Blobs = Sequence[bytes | memoryview]
_MOST_VALUES = 1_000_000  # of a header


def pack(header: Mapping[str, Any], blobs: Sequence[bytes]) -> bytes:
    """Return a message."""
    head = json.dumps({**header, "blobs": [len(blob) for blob in blobs]}).encode()
    return b"".join([MAGIC, struct.pack("<I", len(head)), head, *blobs])


def unpack(message: bytes) -> tuple[dict[str, Any], Blobs]:
    """Take a message apart.

    Raises:
        WireError: If it is none, or cut off.
    """
    if message[:4] != MAGIC or len(message) < 8:
        raise WireError("The body is no message: it must begin with SPR1, or be JSON.")
    end = 8 + int(struct.unpack("<I", message[4:8])[0])
    if end > len(message):
        raise WireError("The message is cut off within its header.")
    header = read_json(message[8:end])
    lengths = header.get("blobs", [])
    if not isinstance(lengths, list) or not all(type(n) is int and n >= 0 for n in lengths):
        raise WireError("`blobs` must list the lengths of the blobs.")
    if end + sum(lengths) != len(message):
        raise WireError(f"The message has {len(message) - end} bytes of blobs, but names {sum(lengths)}.")
    edges = np.cumsum([end, *lengths]).tolist()
    return header, [memoryview(message)[start:stop] for start, stop in pairwise(edges)]


def read_json(text: bytes) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        WireError: If it is none, or of very many values.
    """
    if text.count(b",") >= _MOST_VALUES:  # of a few bytes each, and tens of bytes once they are read
        raise WireError(f"The header has more than {_MOST_VALUES} values: send numbers as blobs.", 413)
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WireError(f"The header is no JSON: {error}.") from error
    if not isinstance(header, dict):
        raise WireError("The header must be a JSON object.")
    return header


class Encoder:
    """Collects frames, each once, and their blobs.

    Args:
        picture_format: Of the pictures.
        depth: Whether depth is told.
        truth: Whether the truth is told: answers of questions, and which object each pixel shows.
    """

    def __init__(
        self, picture_format: PictureFormat = "npy", *, depth: bool = True, truth: bool = False
    ) -> None:
        """Nothing is collected yet."""
        self.form, self.depth, self.truth = picture_format, depth, truth
        self.blobs: list[bytes] = []
        self.frames: list[dict[str, Any]] = []
        self._numbers: dict[int, tuple[int, Frame]] = {}  # a frame that is kept does not lend its id

    def frame(self, frame: Frame) -> int:
        """Return the number of a frame in the message."""
        if id(frame) not in self._numbers:
            self._numbers[id(frame)] = len(self.frames), frame
            self.frames.append(self._frame(frame))
        return self._numbers[id(frame)][0]

    def question(self, question: Question) -> dict[str, Any]:
        """Return a question for the header."""
        told = {
            "kind": question.kind,
            "frames": [self.frame(frame) for frame in question.frames],
            "points": [[*listed(np.array(point[:2], float)), point[2]] for point in question.points],
            "labels": list(question.labels),
            "prompt": question.prompt,
            "anchor": None if question.anchor is None else listed(question.anchor),
            "previous": None if question.previous is None else answer_json(question.previous),
        }
        if self.truth and question.answer is not None:
            told["answer"] = answer_json(question.answer)
        return told

    def _frame(self, frame: Frame) -> dict[str, Any]:
        told: dict[str, Any] = {"rgb": self._blob(encode_picture(frame.rgb, self.form))}
        told |= {"time": frame.time, "view": frame.view}
        if frame.camera is not None:
            told["camera"] = camera_json(frame.camera)
        if self.depth and frame.depth is not None:
            told["depth"] = self._blob(encode_array(frame.depth))
        if self.truth and frame.bodies is not None:
            told["bodies"] = self._blob(encode_array(frame.bodies))
        return told

    def _blob(self, data: bytes) -> dict[str, int]:
        self.blobs.append(data)
        return {"blob": len(self.blobs) - 1}


class Decoder:
    """Reads messages; a frame that was seen before is the same object, so that models know it again.

    For one thread at a time.

    Args:
        limits: What one message may hold.
        kept: Frames that are remembered.
        kept_bytes: What they may take in memory; the oldest are forgotten.
    """

    def __init__(
        self,
        limits: Limits = Limits(),  # noqa: B008  # never changes
        kept: int = 256,
        kept_bytes: int = 2**28,
    ) -> None:
        """Nothing is remembered yet."""
        self.limits, self._kept, self._kept_bytes = limits, kept, kept_bytes
        self._known: OrderedDict[bytes, Frame] = OrderedDict()
        self._known_bytes = 0

    def frames(self, header: Mapping[str, Any], blobs: Blobs) -> list[Frame]:
        """Return the frames of a message.

        Raises:
            WireError: If they are damaged, too large, too many, or make no sense.
        """
        told = header.get("frames", [])
        if not isinstance(told, list) or not all(isinstance(one, dict) for one in told):
            raise WireError("`frames` must be a list of objects.", 422)
        if len(told) > self.limits.frames:
            raise WireError(f"{len(told)} frames are more than {self.limits.frames}.", 413)
        parts = [_parts(one, blobs) for one in told]
        self._check([data for own in parts for data in own.values()])
        return [self._frame(one, own) for one, own in zip(told, parts, strict=True)]

    def questions(self, header: Mapping[str, Any], blobs: Blobs) -> list[Question]:
        """Return the questions of a message.

        Raises:
            WireError: As for `frames`.
        """
        told = header.get("questions")
        if not isinstance(told, list) or not told:
            raise WireError("`questions` must be a list with at least one question.", 422)
        if len(told) > self.limits.questions:
            raise WireError(f"{len(told)} questions are more than {self.limits.questions}.", 413)
        frames = self.frames(header, blobs)
        return [_question(number, one, frames) for number, one in enumerate(told)]

    def _check(self, named: Blobs) -> None:
        """Refuse what would take long to read, or much memory, before anything is decoded."""
        if sum(map(len, named)) > self.limits.bytes:
            raise WireError(f"The frames name more than {self.limits.bytes} bytes: name each blob once.", 413)
        pixels, most = sum(map(claimed_pixels, named)), self.limits.total_pixels
        if pixels > most:
            raise WireError(f"The frames have {pixels} pixels together, more than {most}: send fewer.", 413)

    def _frame(self, told: Mapping[str, Any], parts: Mapping[str, bytes | memoryview]) -> Frame:
        key = _digest(told, parts)
        frame = self._known.pop(key, None)
        if frame is None:
            frame = self._read(told, parts)
            self._known_bytes += _size(frame)
        self._known[key] = frame  # the latest is the last
        while len(self._known) > self._kept or self._known_bytes > self._kept_bytes:
            self._known_bytes -= _size(self._known.popitem(last=False)[1])
        return frame

    def _read(self, told: Mapping[str, Any], parts: Mapping[str, bytes | memoryview]) -> Frame:
        pixels = self.limits.pixels
        images = {name: decode_array(data, pixels) for name, data in parts.items() if name != "rgb"}
        rgb = decode_picture(parts["rgb"], pixels)
        try:
            camera = camera_from(told["camera"]) if told.get("camera") else None
            depth = images["depth"].astype(np.float32) if "depth" in images else None
            bodies = images["bodies"].astype(np.int32) if "bodies" in images else None
            time, view = float(told.get("time", 0.0)), str(told.get("view", "main"))
            return Frame(rgb, time, view, camera, depth, bodies)
        except SENSELESS as error:
            raise WireError(f"A frame makes no sense: {error!r}.", 422) from error


def _question(number: int, told: object, frames: Sequence[Frame]) -> Question:
    kind = told.get("kind") if isinstance(told, dict) else None
    if not isinstance(told, dict) or not isinstance(kind, str) or kind not in KINDS:
        raise WireError(f"Question {number} is of no known kind ({kind!r}): {', '.join(KINDS)}.", 422)
    try:
        return Question(
            kind=kind,
            frames=tuple(_numbered(frames, index) for index in told["frames"]),
            points=tuple(_point(point, len(told["frames"])) for point in told.get("points", ())),
            labels=tuple(map(str, told.get("labels", ()))),
            prompt=str(told.get("prompt", "")),
            answer=answer_from(told.get("answer")),
            anchor=None if told.get("anchor") is None else array(told["anchor"], (3,)),
            previous=answer_from(told.get("previous")),
        )
    except SENSELESS as error:
        raise WireError(f"Question {number} makes no sense: {error!r}.", 422) from error


def _numbered(frames: Sequence[Frame], index: object) -> Frame:
    if type(index) is not int or not 0 <= index < len(frames):
        raise ValueError(f"there is no frame {index!r}")
    return frames[index]


def _point(told: Sequence[Any], frames: int) -> PixelPoint:
    x, y, frame = told
    if type(frame) is not int or not 0 <= frame < frames:
        raise ValueError(f"a point is in frame {frame!r} of {frames}")
    column, row = numbers([x, y], 2)
    return PixelPoint(column, row, frame)


def _parts(told: Mapping[str, Any], blobs: Blobs) -> dict[str, bytes | memoryview]:
    """Return the picture and the arrays of a frame, undecoded."""
    parts = {name: _bytes(told[name], blobs) for name in ("rgb", "depth", "bodies") if told.get(name)}
    if "rgb" not in parts:
        raise WireError("A frame needs `rgb`.", 422)
    return parts


def _size(frame: Frame) -> int:
    """Return what a frame takes in memory [bytes]."""
    return sum(array.nbytes for array in (frame.rgb, frame.depth, frame.bodies) if array is not None)


def _bytes(reference: object, blobs: Blobs) -> bytes | memoryview:
    """Return what a reference such as {"blob": 0} or {"base64": "..."} names."""
    if isinstance(reference, dict) and type(reference.get("blob")) is int:
        if 0 <= reference["blob"] < len(blobs):
            return blobs[reference["blob"]]
        raise WireError(f"There is no blob {reference['blob']}.", 422)
    if isinstance(reference, dict) and isinstance(reference.get("base64"), str):
        try:
            return base64.b64decode(reference["base64"], validate=True)
        except ValueError as error:
            raise WireError(f"A blob is no base64: {error}.") from error
    raise WireError('A picture or array must be {"blob": number} or {"base64": text}.', 422)


def _digest(told: Mapping[str, Any], parts: Mapping[str, bytes | memoryview]) -> bytes:
    digest = blake2b(
        json.dumps([told.get(key) for key in ("time", "view", "camera")]).encode(), digest_size=16
    )
    for name, data in parts.items():
        digest.update(name.encode())
        digest.update(data)
    return digest.digest()
