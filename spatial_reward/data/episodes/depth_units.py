"""Recorded depth in metres, from floats or integers; what cannot be depth in a known unit is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spatial_reward.types import FARTHEST, typical_depth

MILLIMETRE = 0.001  # [m]
NO_DEPTH = 65535  # all bits of uint16, also after a conversion to a wider type
BEYOND = 65.5  # [m]; as floats in metres, `NO_DEPTH` millimetres are 65.535


def measured(stored: ArrayLike, scale: float = MILLIMETRE) -> NDArray[np.float32]:
    """Return recorded depth as (H, W) in metres, NaN where nothing was measured.

    That is where it is 0, negative or not finite; the greatest number of an integer type, or 65535; as a
    float, 65.5 m or more.

    >>> measured(np.array([[750, 0, 65535]], np.uint16))
    array([[0.75,  nan,  nan]], dtype=float32)

    Args:
        stored: (H, W), (H, W, 1) or (1, H, W); floats [m], or integers of 16 bits or more.
        scale: Metres per unit of integers.

    Raises:
        ValueError: If the shape or type is that of no depth, or the median is farther than a robot sees.
    """
    plane = _plane(np.asarray(stored))
    floats = plane.dtype.kind == "f"
    with np.errstate(over="ignore"):  # what overflows is infinite, so unknown
        depth = plane.astype(np.float32) if floats else _scaled(plane, scale)
    _check_range(depth, f"as {plane.dtype} [m]" if floats else f"as {plane.dtype} of {scale:g} m")
    return np.where((depth > 0) & (depth < (BEYOND if floats else np.inf)), depth, np.float32(np.nan))


def depth_scale(cameras: Mapping[str, Any], camera: str) -> float:
    """Return the metres per unit of a camera's integer depth by `cameras.json`, else a millimetre.

    Raises:
        ValueError: If it is no such length, or differs between episodes.
    """
    scale = cameras.get(camera, {}).get("depth_scale", MILLIMETRE)
    if not isinstance(scale, int | float) or not 0 < scale < 1:
        raise ValueError(
            f"Camera {camera!r}: `depth_scale` must be metres per unit, such as 0.001 for millimetres, "
            f"got {scale!r}."
        )
    if any("depth_scale" in own.get(camera, {}) for own in cameras.get("episodes", {}).values()):
        raise ValueError(
            f"`depth_scale` of camera {camera!r} holds for all episodes: state it in the camera's own entry, "
            "not under `episodes`."
        )
    return float(scale)


def _plane(stored: NDArray[Any]) -> NDArray[Any]:
    """Return (H, W) of an array that may be depth."""
    if stored.dtype.kind not in "iuf" or stored.dtype.itemsize < 2:
        raise ValueError(
            f"depth is {stored.dtype}, which measures nothing: take the sensor's own, integers of 16 bits or "
            "floats in metres, not a picture made to be looked at"
        )
    if stored.ndim == 2:
        return stored
    if stored.ndim == 3 and 1 in (stored.shape[0], stored.shape[2]):
        return stored[..., 0] if stored.shape[2] == 1 else stored[0]
    raise ValueError(f"depth is {stored.shape}, expected (H, W), (H, W, 1) or (1, H, W): store one channel")


def _scaled(plane: NDArray[Any], scale: float) -> NDArray[np.float32]:
    none = (plane == np.iinfo(plane.dtype).max) | (plane == NO_DEPTH)
    return np.where(none, np.float32(np.nan), plane.astype(np.float32) / np.float32(1 / scale))


def _check_range(depth: NDArray[np.float32], read: str) -> None:
    typical = typical_depth(depth)
    if typical > FARTHEST:
        raise ValueError(
            f"depth read {read} has a median of {typical:.0f} m, beyond the {FARTHEST:g} m that a robot's "
            "camera sees: store floats in metres (millimetres / 1000), or give the unit of integers as "
            "`depth_scale` in cameras.json"
        )
