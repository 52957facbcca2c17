"""Leave out what no pixel shows: a picture stays the same to the last bit, and takes less time.

The same, that is, where OpenGL puts a vertex onto the same place with lighting and without, as Mesa does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, Camera, transform
from spatial_reward.envs.gl import load_mujoco
from spatial_reward.envs.labels import picked

OPAQUE = 0.995  # alpha from which MuJoCo draws a geom without blending
MARGIN = 1.02  # of bounding spheres, well beyond the rounding of float32
PRECISION = 1e-3  # share of a depth that it may be wrong by: far more than it is
SKY = 0.7  # share of the far plane's distance at which MuJoCo draws the sky
ROUND = ("SPHERE", "CAPSULE", "ELLIPSOID", "CYLINDER", "BOX")

Mask = NDArray[np.bool_]


class Geoms(NamedTuple):
    """The n geoms of an MjvScene, and where they can be in its picture.

    Attributes:
        geoms: The MjvGeoms themselves.
        numbers: (n,) by which a picture of labels calls them; 0: it does not.
        box: (n, 4) left, top, right, bottom [px] beyond which they do not reach; infinite where unknown.
        bounded: (n,) whether such a box is known.
        nearest: (n,) depth [m] before which they do not reach; -infinite where unknown.
        meshes: (n,) whether it is a mesh of the model: slow to draw.
        clear: (n,) whether things behind show through.
        mirrors: Whether any of them reflects.
    """

    geoms: tuple[Any, ...]
    numbers: NDArray[np.int64]
    box: Array
    bounded: Mask
    nearest: Array
    meshes: Mask
    clear: Mask
    mirrors: bool

    def outside(self, width: int, height: int) -> Mask:
        """Tell which lie outside a picture of that size [px]."""
        left, top, right, bottom = self.box.T
        out: Mask = (right < 0) | (left > width) | (bottom < 0) | (top > height)
        return out & self.bounded

    def unseen(self, numbers: NDArray[Any]) -> Mask:
        """Tell which a picture without shadows cannot show, given the numbers (H, W) in that of labels.

        A label hides what is behind it, also where the picture does not: what has no label is seen, if at
        all, through a pixel of something clear. In a mirror anything may be seen.
        """
        if self.mirrors:
            return np.zeros(len(self.geoms), bool)
        shown = np.bincount(numbers.ravel(), minlength=self.numbers.max(initial=0) + 1) > 0
        hidden = ~shown[self.numbers] & (self.numbers > 0) & self.bounded
        if (self.clear & shown[self.numbers]).any():
            hidden[hidden] = ~_touches(self._through(numbers), self.box[hidden])
        return hidden

    def behind(self, asked: Mask, depth: NDArray[np.float32]) -> Mask:
        """Tell which of some geoms lie behind the depth (H, W) [m] of all pixels that they could reach."""
        certain = np.zeros(len(self.geoms), bool)
        for index in np.flatnonzero(asked & self.bounded).tolist():
            left, top, right, bottom = _pixels(self.box[index], depth.shape)
            certain[index] = (depth[top:bottom, left:right] < self.nearest[index]).all()
        return certain

    def numbered(self, ids: Collection[int]) -> Mask:
        """Tell which are meshes of the model whose geom has one of these ids."""
        named: Mask = self.meshes & np.array([geom.objid in ids for geom in self.geoms], bool)
        return named

    def ids(self, asked: Mask) -> list[int]:
        """Return the ids of some geoms."""
        return [int(self.geoms[index].objid) for index in np.flatnonzero(asked).tolist()]

    def hides_sky(self, numbers: NDArray[Any]) -> bool:
        """Tell whether every pixel shows something that nothing behind shows through."""
        return bool((numbers > 0).all() and not self._through(numbers).any())

    def _through(self, numbers: NDArray[Any]) -> Mask:
        clear = np.zeros(self.numbers.max(initial=0) + 1, np.int32)
        clear[self.numbers[self.clear]] = 1
        return picked(clear, numbers) > 0


def geoms_of(scene: Any, camera: Camera) -> Geoms:
    """Read the geoms of an MjvScene that `camera` looks at."""
    geoms, codes = tuple(scene.geoms[: scene.ngeom]), _codes()
    kind = np.array([geom.type for geom in geoms], int)
    radius = _radius(geoms, kind)
    centre = np.array([geom.pos for geom in geoms], float).reshape(-1, 3)
    seen = transform(camera.camera_from_world, centre)
    nearest = (1 - PRECISION) * (seen[:, 2] - radius)
    clear = np.array([geom.rgba[3] for geom in geoms], float) < OPAQUE
    for index in np.flatnonzero(kind == codes.plane).tolist():
        clear[index] |= _behind(camera, geoms[index])
    return Geoms(
        geoms,
        np.array([geom.segid for geom in geoms], np.int64) + 1,
        _box(camera, seen, radius),
        np.isfinite(radius),
        nearest,
        (kind == codes.mesh) & np.array([geom.objtype == codes.geom for geom in geoms], bool),
        clear,
        any(geom.reflectance > 0 for geom in geoms),
    )


@contextmanager
def without(scene: Any, geoms: tuple[Any, ...], skipped: Mask, sky: bool = True) -> Iterator[None]:
    """Draw an MjvScene without some of its geoms, and without its sky unless `sky`."""
    flag, nothing = _codes().sky, _codes().label
    kept = [(geoms[index], geoms[index].type) for index in np.flatnonzero(skipped).tolist()]
    shown = scene.flags[flag]
    try:
        scene.flags[flag] = shown and sky
        for geom, _ in kept:
            geom.type = nothing  # an empty label
        yield
    finally:
        scene.flags[flag] = shown
        for geom, kind in kept:
            geom.type = kind


def before_sky(camera: Camera, depth: NDArray[np.float32], far: float) -> bool:
    """Tell whether all that is seen, at depths (H, W) [m], is nearer than the sky."""
    corners = [(0, 0), (camera.width, 0), (0, camera.height), (camera.width, camera.height)]
    longest = float(np.linalg.norm(camera.rays(corners), axis=-1).max())
    return bool(np.nanmax(depth) * longest < SKY * far)


def _radius(geoms: tuple[Any, ...], kind: NDArray[np.int64]) -> Array:
    """Return (n,) radii [m] of spheres around geoms; infinite for planes, skins and the like."""
    size = np.array([geom.size for geom in geoms], float).reshape(-1, 3)
    bound = np.array([geom.modelrbound for geom in geoms], float)
    # A capsule (r, r, h) reaches to r + h: up to 1.23 times the norm of its size; others to less.
    radius = np.where(_codes().built_in[kind], 1.25 * np.sqrt((size**2).sum(axis=1)), np.inf)
    mesh = (kind == _codes().mesh) & (bound > 0)
    return np.where(mesh, bound, radius) * MARGIN


class _Codes(NamedTuple):
    """MuJoCo's numbers of kinds of geoms and of the sky's flag; `built_in` by kind."""

    plane: int
    mesh: int
    label: int
    geom: int
    sky: int
    built_in: Mask


@cache
def _codes() -> _Codes:
    mujoco = load_mujoco()
    kinds = mujoco.mjtGeom
    built_in = np.zeros(int(kinds.mjGEOM_NONE) + 1, bool)
    built_in[[int(getattr(kinds, f"mjGEOM_{name}")) for name in ROUND]] = True
    plane, mesh, label = (int(getattr(kinds, f"mjGEOM_{name}")) for name in ("PLANE", "MESH", "LABEL"))
    geom, sky = int(mujoco.mjtObj.mjOBJ_GEOM), int(mujoco.mjtRndFlag.mjRND_SKYBOX)
    return _Codes(plane, mesh, label, geom, sky, built_in)


def _box(camera: Camera, centre: Array, radius: Array) -> Array:
    """Return (n, 4) the box [px] around spheres at (n, 3) in camera axes: left, top, right, bottom."""
    x, y, z = centre.T
    (left, right), (top, bottom) = (_span(across, z, radius) for across in (x, y))
    (fx, _, cx), (_, fy, cy), _ = camera.intrinsics
    return np.stack([cx + fx * left, cy + fy * top, cx + fx * right, cy + fy * bottom], axis=1)


def _span(across: Array, z: Array, radius: Array) -> tuple[Array, Array]:
    """Return between which x/z (or y/z) a sphere lies; behind the camera: nowhere, an empty range."""
    away = np.hypot(across, z)
    middle, half = np.arctan2(across, z), np.arcsin(np.minimum(radius / np.maximum(away, 1e-12), 1.0))
    around, edge = radius >= away, np.pi / 2 - 1e-6
    low, high = np.where(around, -edge, middle - half), np.where(around, edge, middle + half)
    behind = (low >= edge) | (high <= -edge)
    low, high = np.tan(np.clip(low, -edge, edge)), np.tan(np.clip(high, -edge, edge))
    return np.where(behind, np.inf, low), np.where(behind, -np.inf, high)


def _behind(camera: Camera, plane: Any) -> bool:
    """Tell whether the camera is below a plane: MuJoCo draws it clear from there."""
    eye = camera.world_from_camera[:3, 3]
    return float((eye - plane.pos) @ plane.mat[:, 2]) < 1e-4


def _touches(mask: Mask, boxes: Array) -> Mask:
    """Tell which boxes (n, 4) [px] hold a pixel of a mask (H, W)."""
    total = cv2.integral(mask.astype(np.uint8))
    left, top, right, bottom = _pixels(boxes, mask.shape).T
    count = total[bottom, right] - total[top, right] - total[bottom, left] + total[top, left]
    touched: Mask = count > 0
    return touched


def _pixels(boxes: Array, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return boxes (..., 4) as ranges of the pixels of a picture (H, W): left, top, right, bottom."""
    size = np.array([shape[1], shape[0]])
    low = np.floor(np.clip(boxes[..., :2], 0, size)).astype(int)
    high = np.ceil(np.clip(boxes[..., 2:], 0, size)).astype(int)
    return np.concatenate([low, np.maximum(low, high)], axis=-1)
