"""TFRecord files of `tf.train.Example` messages, read without TensorFlow.

A record is its length (8 bytes, little-endian), the masked CRC-32C of these, its bytes, and their masked
CRC-32C. An example is a protocol buffer: a map from names to lists of bytes, floats or whole numbers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

Values = list[bytes] | list[int] | list[float]
Example = dict[str, Values]

_POLYNOMIAL = 0x82F63B78  # Castagnoli, reflected
_MASK = 0xA282EAD8
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types


def _table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _table()


def masked_crc32c(data: bytes) -> int:
    """Return the checksum that TFRecord files use.

    >>> hex(masked_crc32c(b"123456789"))  # CRC-32C 0xe3069283, rotated and masked
    '0xc78ab0e5'
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + _MASK) & 0xFFFFFFFF


def records(path: Path, start: int = 0, check: bool = False) -> Iterator[tuple[int, bytes]]:
    """Yield the records of a file, each with its place in it [bytes].

    Args:
        path: Of the file.
        start: Place of the first record wanted.
        check: Whether to compare the checksums of the contents too, which is slow; those of the lengths
            always are.

    Raises:
        ValueError: If the file is damaged or cut off.
    """
    with path.open("rb") as file:
        place, number = file.seek(start), 0
        while head := file.read(12):
            number += 1
            if len(head) < 12 or struct.unpack("<I", head[8:])[0] != masked_crc32c(head[:8]):
                raise ValueError(f"{path} is damaged at the head of record {number}.")
            length = struct.unpack("<Q", head[:8])[0]
            data, crc = file.read(length), file.read(4)
            if len(data) < length or len(crc) < 4:
                raise ValueError(f"{path} is cut off in record {number}.")
            if check and struct.unpack("<I", crc)[0] != masked_crc32c(data):
                raise ValueError(f"{path} is damaged in record {number}.")
            yield place, data
            place += length + 16


def example(data: bytes) -> Example:
    """Read a `tf.train.Example`.

    Raises:
        ValueError: If it is none.
    """
    found: Example = {}
    for number, features in _fields(data):
        if number != 1 or not isinstance(features, bytes):
            continue
        for _, entry in _fields(features):
            parts = dict(_fields(_as_bytes(entry)))
            found[_as_bytes(parts.get(1, b"")).decode()] = _values(_as_bytes(parts.get(2, b"")))
    return found


def _values(feature: bytes) -> Values:
    """Read a feature: bytes_list = 1, float_list = 2, int64_list = 3."""
    for number, content in _fields(feature):
        values = [value for field, value in _fields(_as_bytes(content)) if field == 1]
        if number == 1:
            return [_as_bytes(value) for value in values]
        if number == 2:
            return [part for value in values for part in _floats(value)]
        if number == 3:
            return [part for value in values for part in _integers(value)]
    return []


def _floats(value: int | bytes) -> list[float]:
    """Read packed floats, or a single one."""
    data = value if isinstance(value, bytes) else struct.pack("<I", value)
    return list(struct.unpack(f"<{len(data) // 4}f", data))


def _integers(value: int | bytes) -> list[int]:
    """Read packed whole numbers, or a single one."""
    if isinstance(value, int):
        return [_signed(value)]
    numbers, place = [], 0
    while place < len(value):
        number, place = _varint(value, place)
        numbers.append(_signed(number))
    return numbers


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the fields of a message: their numbers, and contents as whole numbers or bytes."""
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        if tag & 7 == _VARINT:
            value, place = _varint(data, place)
            yield tag >> 3, value
            continue
        sizes = {_FIXED64: 8, _FIXED32: 4}
        size, place = _varint(data, place) if tag & 7 == _BYTES else (sizes.get(tag & 7, -1), place)
        if size < 0 or place + size > len(data):
            raise ValueError("This is no tf.train.Example: a field is cut off or of an unknown type.")
        content, place = data[place : place + size], place + size
        yield tag >> 3, content if tag & 7 == _BYTES else int.from_bytes(content, "little")


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if place >= len(data) or shift > 63:
            raise ValueError("This is no tf.train.Example: a number is cut off.")
        byte = data[place]
        value, place, shift = value | (byte & 0x7F) << shift, place + 1, shift + 7
        if byte < 0x80:
            return value, place


def _as_bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("This is no tf.train.Example: a number stands where a message should.")
    return value
