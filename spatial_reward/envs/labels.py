"""What the pixels of a drawn MuJoCo scene show: read from colours that number its objects, and from depth."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray


class Labels(NamedTuple):
    """What pixels show.

    Attributes:
        depth: (H, W) planar depth [m]; NaN: nothing.
        numbers: (H, W) rows of `objects`.
        objects: (n, 2) object id and `mjtObj` type; -1: nothing, as in row 0.
    """

    depth: NDArray[np.float32]
    numbers: NDArray[Any]
    objects: NDArray[np.int32]

    @property
    def ids(self) -> NDArray[np.int32]:
        """Object id (H, W) of each pixel; -1: nothing."""
        return self.pick(self.objects[:, 0])

    @property
    def types(self) -> NDArray[np.int32]:
        """The `mjtObj` type (H, W) of each pixel; -1: nothing."""
        return self.pick(self.objects[:, 1])

    def pick(self, values: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return (H, W): for each pixel, that of the values (n,) that its object has."""
        return picked(values, self.numbers)


def picked(values: NDArray[np.int32], numbers: NDArray[Any]) -> NDArray[np.int32]:
    """Return `values[numbers]`, several times faster where the numbers are bytes."""
    if numbers.dtype != np.uint8:
        return np.asarray(values[numbers], np.int32)
    table = np.zeros(256, np.int32)
    table[: len(values)] = values
    return np.asarray(cv2.LUT(numbers, table), np.int32)


def decode(colours: NDArray[np.uint8], most: int) -> NDArray[Any]:
    """Read the numbers (H, W) that colours (H, W, 3) stand for: red is the lowest byte."""
    if most < 1 << 8:
        return np.ascontiguousarray(colours[..., 0])
    low = colours[..., 0] | colours[..., 1].astype(np.int32) << 8
    return low | colours[..., 2].astype(np.int32) << 16


def shown_objects(scene: Any) -> NDArray[np.int32]:
    """Return (n + 1, 2) object ids and types by number in the picture; number 0 is the background."""
    table = np.full((scene.ngeom + 1, 2), -1, np.int32)
    for geom in scene.geoms[: scene.ngeom]:
        if geom.segid >= 0:
            table[geom.segid + 1] = geom.objid, geom.objtype
    return table


def metric(buffer: NDArray[np.float32], seen: NDArray[np.bool_], scene: Any) -> NDArray[np.float32]:
    """Turn a reversed depth buffer (1 near, 0 far) into planar depth [m]."""
    near, far = float(scene.camera[0].frustum_near), float(scene.camera[0].frustum_far)
    divisor = buffer.astype(np.float64)
    divisor *= far - near
    divisor += near
    depth = np.empty(buffer.shape, np.float32)
    np.divide(near * far, divisor, out=depth, casting="same_kind")
    depth[~seen] = np.nan
    return depth
