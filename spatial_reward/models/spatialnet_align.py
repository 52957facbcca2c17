"""Where between pixels a patch is again although it has turned or come closer: affine Lucas-Kanade.

Baker and Matthews, "Lucas-Kanade 20 years on" (2004), inverse compositional; pixels are weighted, and a patch
is stiff, so that a plain one is not bent where nothing tells how.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array

STEPS = 8
STIFFNESS = 40.0  # [grey levels, root sum of squares] that a bend of a pixel at the edge must explain
LARGEST_BEND = 0.6  # of any entry of the linear part, from none
FARTHEST = 6.0  # [px] from where it starts
ENOUGH = 0.02  # [px] of a step that ends it
_OUTSIDE = (-200.0,) * 3  # grey levels that nothing shows


@dataclass(frozen=True, eq=False)
class Aligned:
    """Where a patch fits best.

    Attributes:
        linear: (2, 2) how it is turned and stretched there.
        pixel: (2,) of its own pixel there.
        unlike: Root mean square difference of colours there [grey levels], summed over the channels.
    """

    linear: Array
    pixel: Array
    unlike: float


def align(
    colours: NDArray[np.float32],
    weight: NDArray[np.float32],
    pixel: Array,
    picture: NDArray[np.float32],
    start: Array,
) -> Aligned:
    """Fit a patch to a picture from where it is nearly, not turned.

    Args:
        colours: (h, w, 3) of the patch.
        weight: (h, w, 3) how much each counts.
        pixel: (2,) of the patch, which is followed, in the patch's own pixels.
        picture: (H, W, 3).
        start: (2,) where the pixel is nearly [px of the picture].

    Returns:
        The best of all steps, the start included.
    """
    slopes, extent = _slopes(colours, weight, pixel)
    stiff = np.diag([(STIFFNESS / extent) ** 2] * 4 + [0.0, 0.0])
    inverse = np.linalg.inv(slopes.T @ slopes + stiff + 1e-3 * np.eye(6))
    linear, at, best = np.eye(2), np.asarray(start, float), None
    for _ in range(STEPS):
        off = _shown(picture, colours.shape, pixel, linear, at) - colours
        unlike = float(np.sqrt((weight * off**2).sum() / weight.mean(-1).sum()))
        if best is None or unlike < best.unlike:
            best = Aligned(linear, at, unlike)
        bent = extent * (linear - np.eye(2)).ravel()
        pull = slopes.T @ (np.sqrt(weight) * off).ravel() - np.append(np.diag(stiff)[:4] * bent, [0, 0])
        step = inverse @ pull
        linear = linear @ np.linalg.inv(np.eye(2) + step[:4].reshape(2, 2) / extent)
        at = at - linear @ step[4:]
        if _astray(linear, at - start) or np.abs(step[4:]).max() < ENOUGH:
            break
    assert best is not None
    return best


def _slopes(colours: Any, weight: Any, pixel: Array) -> tuple[Array, float]:
    """Return how weighted colours change (h w 3, 6) with a bend of a pixel at the edge, and with a shift."""
    down, across = np.gradient(colours, axis=(0, 1))
    rows, columns = np.mgrid[: colours.shape[0], : colours.shape[1]] + 0.5
    x, y = (columns - pixel[0])[..., None], (rows - pixel[1])[..., None]
    extent = max(4.0, float(np.sqrt(weight[..., 0].sum() / np.pi)))
    parts = [across * x / extent, across * y / extent, down * x / extent, down * y / extent, across, down]
    slopes = np.stack([np.sqrt(weight) * part for part in parts], -1)
    return np.asarray(slopes.reshape(-1, 6), float), extent


def _shown(picture: Any, shape: tuple[int, ...], pixel: Array, linear: Array, at: Array) -> Any:
    """Return what a picture shows (h, w, 3) where the patch would be."""
    corner = at - 0.5 - linear @ (pixel - 0.5)  # cv2 counts from the middle of the first pixel
    affine = np.hstack([linear, corner[:, None]]).astype(np.float32)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (shape[1], shape[0])
    return cv2.warpAffine(
        picture, affine, size, flags=how, borderMode=cv2.BORDER_CONSTANT, borderValue=_OUTSIDE
    )


def _astray(linear: Array, moved: Array) -> bool:
    return bool(np.abs(linear - np.eye(2)).max() > LARGEST_BEND or np.linalg.norm(moved) > FARTHEST)
