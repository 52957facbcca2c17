"""Arrays and pictures as bytes: npy without pickle, PNG or JPEG; sizes are checked before decoding."""

from __future__ import annotations

import io
import math
import struct
from typing import Any, Literal, NamedTuple, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

PictureFormat = Literal["npy", "png", "jpeg"]
_NPY, _PNG, _JPEG = b"\x93NUMPY", b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
_LONGEST_HEADER = 10_000  # [bytes] of an npy
_DTYPES = ("uint8", "int32", "int64", "float32", "float64", "bool")
_MOST_SEGMENTS = 10_000  # of a JPEG before its size
_SIZED = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))  # JPEG SOF marks


class WireError(ValueError):
    """Why bytes are refused; `status` is that of HTTP: 400 malformed, 413 too large, 422 not understood."""

    def __init__(self, reason: str, status: int = 400) -> None:
        """Keep the reason and the status."""
        super().__init__(reason)
        self.status = status


class Limits(NamedTuple):
    """What one request may hold.

    Attributes:
        bytes: Of its body.
        frames: Pictures.
        pixels: Of one picture.
        total_pixels: Of all its pictures and arrays; one that is named twice counts twice.
        questions: Questions.
        seconds: From its first byte to its answer [s].
    """

    bytes: int = 64 * 2**20
    frames: int = 128
    pixels: int = 2**22
    total_pixels: int = 2**26
    questions: int = 256
    seconds: float = 30.0


def encode_array(array: NDArray[Any]) -> bytes:
    """Return an array as npy."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def encode_picture(rgb: NDArray[np.uint8], form: PictureFormat) -> bytes:
    """Return a picture (H, W, 3): "npy" is fastest, "png" exact and smaller, "jpeg" small.

    Raises:
        ValueError: If there is no such format.
    """
    if form not in get_args(PictureFormat):
        raise ValueError(f"`picture_format` must be npy, png or jpeg, got {form!r}.")
    if form == "npy":
        return encode_array(rgb)
    fine, data = cv2.imencode(".png" if form == "png" else ".jpg", rgb[..., ::-1])
    if not fine:
        raise ValueError(f"OpenCV cannot write a picture {rgb.shape} as {form}.")
    return data.tobytes()


def claimed_pixels(data: bytes | memoryview) -> int:
    """Return how many pixels a picture, or an array (H, W), says that it has; nothing is decoded.

    Raises:
        WireError: If it is no npy, PNG or JPEG, or cut off.
    """
    width, height = _compressed_size(data) if _compressed(data) else (1, math.prod(_npy_header(data)[0][:2]))
    return width * height


def decode_array(data: bytes | memoryview, most: int) -> NDArray[Any]:
    """Read an npy of at most so many elements.

    Raises:
        WireError: If it is none, of another type, too large, or cut off.
    """
    shape, fortran, dtype, start = _npy_header(data)
    if dtype.name not in _DTYPES:
        raise WireError(f"An array is of type {dtype.name}, not one of {', '.join(_DTYPES)}.", 422)
    count = math.prod(shape)
    if count > most:
        raise WireError(f"An array has {count} elements, more than the {most} that are allowed.", 413)
    if len(data) - start != count * dtype.itemsize:
        raise WireError(f"An array {shape} of {dtype.name} is cut off or too long ({len(data)} bytes).")
    flat = np.frombuffer(data, dtype, count, start).copy()  # the message need not stay
    return flat.reshape(shape, order="F" if fortran else "C")


def _npy_header(data: bytes | memoryview) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Return the shape, whether columns come first, the type, and where the numbers begin."""
    try:
        return _read_npy_header(bytes(data[: _LONGEST_HEADER + 12]))
    except (ValueError, struct.error) as error:
        raise WireError(f"An array is no npy without pickle: {error}.") from error


def _read_npy_header(head: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    stream = io.BytesIO(head)
    version = np.lib.format.read_magic(stream)
    reader = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if reader is None:
        raise ValueError(f"version {version}")
    shape, fortran, dtype = reader(stream, max_header_size=_LONGEST_HEADER)
    if any(side < 0 for side in shape):
        raise ValueError(f"shape {shape}")
    return shape, fortran, dtype, stream.tell()


def decode_picture(data: bytes | memoryview, pixels: int) -> NDArray[np.uint8]:
    """Read a picture (H, W, 3) of at most so many pixels.

    Raises:
        WireError: If it is no npy, PNG or JPEG, too large, or damaged.
    """
    if bytes(data[: len(_NPY)]) == _NPY:
        array = decode_array(data, 3 * pixels)
        if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8 or not array.size:
            raise WireError(f"A picture must be (H, W, 3) uint8, got {array.shape} {array.dtype}.", 422)
        return array
    if not _compressed(data):
        raise WireError("A picture is neither npy, PNG nor JPEG.")
    width, height = _compressed_size(data)
    if width * height > pixels:
        raise WireError(f"A picture has {width} x {height} pixels, more than {pixels}.", 413)
    # Points and cameras are told for the pixels as they are stored, whichever way up a viewer shows them.
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if decoded is None or decoded.shape[:2] != (height, width):
        raise WireError("A picture is damaged.")
    return np.ascontiguousarray(decoded[..., ::-1], np.uint8)


def _compressed(data: bytes | memoryview) -> bool:
    return bytes(data[:8]).startswith((_PNG, _JPEG))


def _compressed_size(data: bytes | memoryview) -> tuple[int, int]:
    """Return the width and height that a PNG or JPEG states."""
    return _png_size(data) if bytes(data[:8]) == _PNG else _jpeg_size(data)


def _png_size(data: bytes | memoryview) -> tuple[int, int]:
    if len(data) < 24 or bytes(data[12:16]) != b"IHDR":
        raise WireError("A PNG is cut off.")
    width, height = struct.unpack(">II", data[16:24])
    return int(width), int(height)


def _jpeg_size(data: bytes | memoryview) -> tuple[int, int]:
    """Walk over the segments to the one that states the size."""
    at = 2
    for _ in range(_MOST_SEGMENTS):
        if at + 9 > len(data) or data[at] != 0xFF:
            break
        if data[at + 1] in _SIZED:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return int(width), int(height)
        at += 2 + int(struct.unpack(">H", data[at + 2 : at + 4])[0])
    raise WireError("A JPEG is cut off.")
