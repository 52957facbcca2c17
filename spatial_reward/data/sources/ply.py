"""The vertices of PLY meshes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from spatial_reward.camera import Array

_BYTE_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_TYPES = {
    "char": "i1",
    "uchar": "u1",
    "short": "i2",
    "ushort": "u2",
    "int": "i4",
    "uint": "u4",
    "float": "f4",
    "double": "f8",
    "int8": "i1",
    "uint8": "u1",
    "int16": "i2",
    "uint16": "u2",
    "int32": "i4",
    "uint32": "u4",
    "float32": "f4",
    "float64": "f8",
}
_LONGEST_HEADER = 1 << 16  # [bytes]


class _Header(NamedTuple):
    order: str  # of bytes, as in a NumPy type; "" for text
    vertices: int
    properties: list[tuple[str, str]]  # names and NumPy types
    end: int  # [bytes]


def read_vertices(path: str | Path) -> Array:
    """Return the vertices (N, 3) of a PLY file, ASCII or binary; faces and colours are passed over.

    Raises:
        FileNotFoundError: If there is no such file.
        EOFError: If it ends before its last vertex does.
        ValueError: If it is no PLY file that starts with its vertices, or they are none or not finite.
    """
    data = Path(path).read_bytes()
    header = _header(data)
    names = [name for name, _ in header.properties]
    if not {"x", "y", "z"} <= set(names) or len(set(names)) != len(names):
        raise ValueError(f"The vertices must have one x, y and z each, got {', '.join(names)}.")
    table = _binary(data, header) if header.order else _text(data, header)
    with np.errstate(invalid="ignore"):  # casting some NaN warns
        vertices = np.stack([table[names.index(axis)] for axis in "xyz"], axis=1).astype(float)
    if not len(vertices) or not np.isfinite(vertices).all():
        raise ValueError(f"Expected finite vertices, got {len(vertices)}: {vertices[:3].tolist()}.")
    return vertices


def _header(data: bytes) -> _Header:
    """Read the header up to what follows the vertices."""
    end = data.find(b"end_header", 0, _LONGEST_HEADER)
    start = data.find(b"\n", end) + 1
    lines = data[:end].decode("ascii", "replace").splitlines() if end >= 0 else []
    if not lines or lines[0].strip() != "ply" or not start:
        raise ValueError(f"Not a PLY file, or without an end of its header: {data[:16]!r}.")
    words = [line.split() for line in lines[1:]]
    words = [line for line in words if line and line[0] not in ("comment", "obj_info")]
    if len(words) < 2 or words[0] not in [["format", name, "1.0"] for name in _BYTE_ORDERS]:
        raise ValueError(f"The format must be one of {', '.join(_BYTE_ORDERS)} 1.0, got {words[:1]}.")
    if words[1][:2] != ["element", "vertex"] or len(words[1]) != 3:
        raise ValueError(f"The first element must be the vertices, got {' '.join(words[1])!r}.")
    order = _BYTE_ORDERS[words[0][1]]
    elements = [number for number, line in enumerate(words) if line[0] == "element"]
    last = elements[1] if len(elements) > 1 else len(words)
    properties = [_property(line, order) for line in words[2:last]]
    return _Header(order, _count(words[1][2]), properties, start)


def _property(words: list[str], order: str) -> tuple[str, str]:
    if len(words) != 3 or words[0] != "property" or words[1] not in _TYPES:
        raise ValueError(f"A vertex has properties of one number each, got {' '.join(words)!r}.")
    return words[2], order + _TYPES[words[1]]


def _count(word: str) -> int:
    if not word.isdecimal() or len(word) > 12:
        raise ValueError(f"The number of vertices cannot be {word!r}.")
    return int(word)


def _binary(data: bytes, header: _Header) -> list[Array]:
    """Return the columns of the table of vertices."""
    dtype = np.dtype([(str(number), kind) for number, (_, kind) in enumerate(header.properties)])
    if header.end + header.vertices * dtype.itemsize > len(data):
        raise EOFError(f"{header.vertices} vertices do not fit into a file of {len(data)} bytes.")
    table = np.frombuffer(data, dtype, header.vertices, header.end)
    return [table[str(number)] for number in range(len(header.properties))]


def _text(data: bytes, header: _Header) -> list[Array]:
    """Return the columns of the table of vertices, one vertex a line."""
    lines = data[header.end :].split(b"\n", header.vertices)[: header.vertices]
    rows = [line.split() for line in lines]
    if len(rows) < header.vertices or (rows and not rows[-1]):
        raise EOFError(f"{header.vertices} vertices are announced, but {sum(map(bool, rows))} lines follow.")
    if any(len(row) != len(header.properties) for row in rows):
        raise ValueError(f"Each vertex must have {len(header.properties)} numbers.")
    return list(np.array(rows, float).reshape(len(rows), -1).T)
