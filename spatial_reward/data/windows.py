"""Windows cut from training pictures, as the embedded model cuts them around what it follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.models.spatialnet_window import window_side

NARROWEST = 0.375  # of a picture's side that a window keeps, or less, so that it is not enlarged
AS_CHOSEN = 0.6  # of the windows that have the side which the model would choose
FOLLOWED = 0.85  # of the windows that are cut around what is followed, where that is told
_JITTER = 0.2  # of a window's side that a thing is off its middle
_SMOOTH = {"rgb": cv2.INTER_AREA, "depth": cv2.INTER_NEAREST_EXACT, "body": cv2.INTER_NEAREST_EXACT}


def cut_windows(
    clip: Mapping[str, NDArray[Any]],
    things: NDArray[np.bool_],
    rng: np.random.Generator,
    size: int,
    followed: int = 0,
) -> dict[str, NDArray[Any]]:
    """Cut a square window out of every frame of a clip, all of one size, around one thing where it is seen.

    Args:
        clip: rgb (K, H, W, 3), depth and body (K, H, W), intrinsics (K, 3, 3); other entries stay.
        things: (256,) which body numbers are things.
        rng: Draws the size, the thing and how far from the middle it is.
        size: Side that windows will be resized to [px].
        followed: The things of numbers 1 to this are chosen more often than others.
    """
    height, width = clip["body"].shape[1:]
    seen = np.unique(clip["body"])
    seen = seen[things[seen]]
    if rng.random() < FOLLOWED and (seen <= followed).any():
        seen = seen[seen <= followed]
    thing = rng.choice(seen) if len(seen) else -1
    side = _side(float((clip["body"][0] == thing).sum()), size, min(height, width), rng)
    corners = [_corner(body == thing, side, rng) for body in clip["body"]]
    cut = {
        key: np.stack(
            [image[y : y + side, x : x + side] for image, (x, y) in zip(clip[key], corners, strict=True)]
        )
        for key in _SMOOTH
    }
    intrinsics = clip["intrinsics"].copy()
    intrinsics[:, :2, 2] -= np.array(corners, intrinsics.dtype)
    return {**clip, **cut, "intrinsics": intrinsics}


def _side(area: float, size: int, whole: int, rng: np.random.Generator) -> int:
    """Draw the side [px] of a window: often that which the model chooses for a thing of an area [px^2]."""
    chosen = window_side(area, size, whole) if area and rng.random() < AS_CHOSEN else None
    return chosen or int(whole * min(NARROWEST, size / whole) ** rng.random())


def resize(clip: Mapping[str, NDArray[Any]], size: int) -> dict[str, NDArray[Any]]:
    """Resize the pictures of a clip to squares of a size [px]; labels are not mixed."""
    height, width = clip["body"].shape[1:]
    if (height, width) == (size, size):
        return dict(clip)
    sized = {key: np.stack([_sized(image, size, how) for image in clip[key]]) for key, how in _SMOOTH.items()}
    scale = np.array([size / width, size / height, 1.0], clip["intrinsics"].dtype)
    return {**clip, **sized, "intrinsics": clip["intrinsics"] * scale[:, None]}


def _sized(image: NDArray[Any], size: int, how: int) -> NDArray[Any]:
    if how == cv2.INTER_AREA and size > len(image):
        how = cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (size, size), interpolation=how))


def _corner(mask: NDArray[np.bool_], side: int, rng: np.random.Generator) -> tuple[int, int]:
    """Return column and row of a window's corner, which lies within the picture."""
    room = np.array(mask.shape[::-1]) - side
    if not mask.any():
        x, y = rng.integers(0, room + 1)
        return int(x), int(y)
    middle = np.argwhere(mask).mean(axis=0)[::-1]
    corner = np.clip(middle - side / 2 + rng.normal(0, _JITTER * side, 2), 0, room)
    return int(corner[0]), int(corner[1])
