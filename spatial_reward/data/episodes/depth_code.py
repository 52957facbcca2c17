"""Depth as 12-bit codes of a lossless video: the logarithmic scale of LeRobot's depth features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

SCALE = {"video.depth_min": 0.01, "video.depth_max": 10.0, "video.shift": 3.5, "video.use_log": True}
LARGEST = 4095
INFO: dict[str, Any] = {"is_depth_map": True, "depth_unit": "m", **SCALE}


def encode_depth(depth: NDArray[np.float32], scale: Mapping[str, Any] = SCALE) -> NDArray[np.uint16]:
    """Return codes (H, W) of depth [m]; 0 where it is unknown, else within half a step of the scale."""
    low, high = _ends(scale)
    known = np.isfinite(depth) & (depth > 0)
    values = np.clip(np.where(known, depth, 0.0), scale["video.depth_min"], scale["video.depth_max"])
    codes = np.rint(LARGEST * (_warp(values, scale) - low) / (high - low))
    # 0 stands for unknown: what is as near as the scale begins is told from it by one step.
    return np.where(known, np.maximum(codes, 1), 0).astype(np.uint16)


def decode_depth(codes: NDArray[np.uint16], scale: Mapping[str, Any] = SCALE) -> NDArray[np.float32]:
    """Return depth [m] of codes (H, W); NaN for code 0 and the greatest, which stands for all beyond."""
    low, high = _ends(scale)
    warped = low + codes.astype(np.float64) / LARGEST * (high - low)
    depth = np.exp(warped) - scale["video.shift"] if scale["video.use_log"] else warped
    return np.where((codes > 0) & (codes < LARGEST), depth, np.nan).astype(np.float32)


def _ends(scale: Mapping[str, Any]) -> tuple[float, float]:
    ends = _warp(np.array([scale["video.depth_min"], scale["video.depth_max"]], float), scale)
    return float(ends[0]), float(ends[1])


def _warp(depth: NDArray[Any], scale: Mapping[str, Any]) -> NDArray[Any]:
    return np.asarray(np.log(depth + scale["video.shift"]) if scale["video.use_log"] else depth)
