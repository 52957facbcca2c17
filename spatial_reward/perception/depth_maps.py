"""The depth of every pixel of a frame with its standard deviation: measured, predicted, or both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, Camera
from spatial_reward.geometry import depth_noise
from spatial_reward.types import Frame, Model

GRAZING = np.cos(np.radians(80.0))  # of the angle between a ray and the normal from which depth is doubtful


@dataclass(frozen=True, eq=False)
class DepthMap:
    """Planar depth of every pixel.

    Attributes:
        depth: (H, W) [m]; NaN where it is unknown.
        std: (H, W) standard deviation [m]; NaN where the depth is unknown.
        measured: (H, W) whether it was measured, not predicted.
    """

    depth: Array
    std: Array
    measured: NDArray[np.bool_]

    @property
    def valid(self) -> NDArray[np.bool_]:
        """(H, W) where the depth is known."""
        known: NDArray[np.bool_] = np.isfinite(self.depth)
        return known


def depth_map(model: Model, frame: Frame) -> DepthMap:
    """Return the depth of a frame: measured where the model uses that, else what its network predicts.

    Raises:
        ValueError: If the frame has no camera, or no depth and the model predicts none.
    """
    if frame.camera is None:
        raise ValueError(
            f"The frame of view {frame.view!r} has no camera, without which nothing is in metres."
        )
    depth = std = np.full((frame.height, frame.width), np.nan)
    source = getattr(model, "depth", "measured")  # models without a choice can only take what is measured
    if frame.depth is not None and source != "predicted":
        depth = np.where(frame.depth > 0, frame.depth, np.nan).astype(float)
        std = depth_noise(depth)
    measured = np.isfinite(depth)
    if source == "measured" and frame.depth is None:
        raise ValueError(
            f"Model {model.name!r} measures with depth, which the frame of view {frame.view!r} lacks: "
            "give `depth`, or take model='spatialnet', which predicts it."
        )
    if source != "measured" and not measured.all():
        predicted, spread = _predicted(model, frame)
        depth, std = np.where(measured, depth, predicted), np.where(measured, std, spread)
    return DepthMap(depth, std, measured)


def _predicted(model: Any, frame: Frame) -> tuple[Array, Array]:
    """Return the depth (H, W) [m] that the network predicts, and its calibrated standard deviation."""
    depth, relative = model.eyes.seen(frame).depth_at(pixel_grid(frame.width, frame.height).reshape(-1, 2))
    std = model.calibration["depth"] * relative * depth
    return depth.reshape(frame.height, frame.width), std.reshape(frame.height, frame.width)


def pixel_grid(width: int, height: int) -> Array:
    """Return the centres (H, W, 2) of all pixels [px]."""
    return np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), -1)


def smooth(depth: Array, camera: Camera) -> NDArray[np.bool_]:
    """Tell which pixels (H, W) of a depth picture lie on a surface that is not seen at a grazing angle.

    Where depth was blended across an edge there is no surface, but a steep one in the picture.
    """
    rays = camera.rays(pixel_grid(camera.width, camera.height))
    points = rays * depth[..., None]
    normal = np.cross(_slope(points, 1), _slope(points, 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = (
            np.abs((normal * rays).sum(-1)) / np.linalg.norm(normal, axis=-1) / np.linalg.norm(rays, axis=-1)
        )
        on_surface: NDArray[np.bool_] = cosine > GRAZING
    return on_surface


def _slope(points: Array, axis: int) -> Array:
    """Return the smaller of the steps (H, W, 3) to both neighbours along an axis: surfaces end at edges."""
    forth = np.diff(points, axis=axis, append=np.nan)
    back = np.diff(points, axis=axis, prepend=np.nan)
    steps = [np.nan_to_num(np.linalg.norm(step, axis=-1), nan=np.inf) for step in (forth, back)]
    smaller: Array = np.where((steps[0] <= steps[1])[..., None], forth, back)
    return smaller


def nearest_around(depth: Array) -> Array:
    """Return the smallest depth (H, W) among each pixel and its neighbours; 0 where one is unknown."""
    known = np.nan_to_num(depth, nan=0.0).astype(np.float32)
    return np.asarray(cv2.erode(known, np.ones((3, 3), np.uint8)), float)
