"""Points of surfaces with their colours and standard deviations, and the PLY files that hold them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array

_FIELDS = np.dtype(
    [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("red", "u1"), ("green", "u1"), ("blue", "u1"), ("std", "<f4")]
)
_TYPES = {"<f4": "float", "|u1": "uchar"}


@dataclass(frozen=True, eq=False)
class PointCloud:
    """Points in the world.

    Attributes:
        points: (N, 3) [m].
        colours: (N, 3) uint8.
        std: (N,) standard deviation along the ray to the point [m].
    """

    points: Array
    colours: NDArray[np.uint8]
    std: Array

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.points)

    def chosen(self, which: NDArray[Any]) -> PointCloud:
        """Return the points of a mask or of indices."""
        return PointCloud(self.points[which], self.colours[which], self.std[which])

    def save(self, path: Path | str) -> Path:
        """Write a binary PLY file, whole or not at all, with `std` [m] as a further property.

        Raises:
            OSError: If `path` cannot be written.
        """
        path = Path(path)
        partial = path.with_name(f".{path.name}.partial")
        rows = np.empty(len(self), _FIELDS)
        for column, name in enumerate("xyz"):
            rows[name] = self.points[:, column]
        for column, name in enumerate(("red", "green", "blue")):
            rows[name] = self.colours[:, column]
        rows["std"] = self.std
        try:
            partial.write_bytes(_header(len(rows)) + rows.tobytes())
            partial.replace(path)
        except OSError as error:
            raise OSError(f"Cannot write {path} ({error.strerror}): choose a folder that exists.") from error
        finally:
            partial.unlink(missing_ok=True)
        return path


def _header(count: int) -> bytes:
    fields = [f"property {_TYPES[_FIELDS[name].str]} {name}" for name in _FIELDS.names or ()]
    lines = ["ply", "format binary_little_endian 1.0", "comment metres; z up; std: standard deviation"]
    return "\n".join([*lines, f"element vertex {count}", *fields, "end_header", ""]).encode()


def read_ply(path: Path | str) -> PointCloud:
    """Read a file that `PointCloud.save` wrote.

    Raises:
        ValueError: If it was written by something else, or cut off.
    """
    header, end, body = Path(path).read_bytes().partition(b"end_header\n")
    count = len(body) // _FIELDS.itemsize
    if header + end != _header(count) or len(body) % _FIELDS.itemsize:
        raise ValueError(f"{path} is not a whole point cloud of this package: open it with Open3D instead.")
    rows = np.frombuffer(body, _FIELDS)
    points = np.stack([rows[name] for name in "xyz"], -1).astype(float)
    return PointCloud(
        points, np.stack([rows[n] for n in ("red", "green", "blue")], -1), rows["std"].astype(float)
    )
