"""Where the picture of a body is again, pixel by pixel: candidates from the network, judged by their colours.

The network's cells are four pixels wide, so its matches are improved by plain comparison of patches; and what
looks the same where it would be had it not moved, has not moved.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array
from spatial_reward.models.spatialnet_align import align

SIDE, LARGEST = 128, 224  # [px] picture that lengths below are for; larger than the second none is compared
HALF = 14  # [px] that a patch extends from its pixel, at most
REACH = 6  # [px] around a candidate that is searched
SIMILAR = 5  # difference in Lab between neighbours of one surface
BORDER = 0.5  # how much a pixel just outside the surface counts
STILL = 9.0  # grey levels by which another place must look better than staying,
UNMOVED = 3.0  # and under a camera that stays too, so that nothing but noise may differ
KEPT = 6.0  # the same for another place than where the network sees it, or it was last
UNLIKE = 15.0  # grey levels of difference from which a patch is looked for elsewhere,
NEAR_ENOUGH = 1.0  # [px], and twice what the network states, that it may see what is still elsewhere
ALIKE = 8.0  # and under which it is believed to be there

Picture = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A picture to compare.

    Attributes:
        colours: (h, w, 3) slightly blurred, so that half a pixel's shift does not matter much.
        rgb: (h, w, 3) not blurred.
        factor: Its pixels per pixel of the frame, at most 1.
    """

    colours: Picture
    rgb: NDArray[np.uint8]
    factor: float

    @classmethod
    def of(cls, rgb: NDArray[np.uint8]) -> Prepared:
        """Prepare the picture (H, W, 3) of a frame."""
        factor = min(1.0, LARGEST / max(rgb.shape[:2]))
        if factor < 1:
            rgb = np.asarray(cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))
        return cls(np.asarray(cv2.GaussianBlur(rgb.astype(np.float32), (0, 0), 0.6)), rgb, factor)

    @property
    def unit(self) -> float:
        """How many of its pixels the constants' pixels are."""
        return float(max(1.0, max(self.rgb.shape[:2]) / SIDE))


@dataclass(frozen=True, eq=False)
class Patch:
    """The picture of a body around a pixel.

    Attributes:
        pixel: (2,) the pixel [px of the prepared picture].
        corner: (2,) column and row of the patch's first pixel.
        colours: (h, w, 3).
        mask: (h, w, 3) how much each pixel counts.
    """

    pixel: Array
    corner: NDArray[np.int64]
    colours: Picture
    mask: Picture


@dataclass(frozen=True)
class Place:
    """Where a patch was found.

    Attributes:
        pixel: (2,) of the patch's pixel there [px of the frame].
        unlike: Root mean square difference of colours [grey levels].
        how: "still", "patch" near where the network sees it, "followed", "search"; or "network" alone.
        away: From where it was expected [px of a small picture].
        unit: Pixels of the frame per pixel of a small picture.
        spread: Standard deviation that the network states [px of a small picture].
    """

    pixel: Array
    unlike: float
    how: str
    away: float = 0.0
    unit: float = 1.0
    spread: float = 0.0

    @property
    def doubt(self) -> float:
        """Standard deviation of each coordinate [px of a small picture], as validation scenes showed it."""
        if self.how == "network":
            return 0.15 + 0.46 * self.spread
        if self.how == "search":
            return 1.5 + 0.2 * self.unlike
        if self.how == "still":
            return 0.3 + 0.02 * self.unlike + (self.unlike / 14) ** 2 + 0.01 * self.away**2
        return 0.1 + 0.25 * (self.unlike / 10) ** 2 + 0.5 * self.away

    @property
    def std(self) -> float:
        """Standard deviation of each coordinate [px], not calibrated."""
        return self.unit * self.doubt


def cut(picture: Prepared, pixel: tuple[float, float]) -> Patch:
    """Cut the patch of one colour around a pixel, with its border, which alone tells where plain things are.

    Args:
        picture: The first one.
        pixel: In its frame.
    """
    height, width = picture.rgb.shape[:2]
    at = np.multiply(pixel, picture.factor)
    column, row = (int(np.clip(x, 0, side - 1)) for x, side in zip(at, (width, height), strict=True))
    half = int(HALF * picture.unit)
    box = (_span(row, height, half), _span(column, width, half))
    inside = _flooded(picture.rgb[box], column - box[1].start, row - box[0].start)
    border = cv2.dilate(inside, np.ones((3, 3), np.uint8)) - inside
    mask = inside + BORDER * border
    return Patch(
        at,
        np.array([box[1].start, box[0].start]),
        np.ascontiguousarray(picture.colours[box]),
        np.repeat(mask[..., None].astype(np.float32), 3, axis=2),
    )


def place(
    patch: Patch,
    picture: Prepared,
    still: Array | None,
    network: Array,
    last: Array | None = None,
    *,
    spread: float = 0.0,
    stays: bool = False,
) -> Place:
    """Find a patch in another picture.

    Args:
        patch: Of the first picture.
        picture: The second one.
        still: (2,) pixel of its frame where the pixel is if its body has not moved; None if out of view.
        network: (2,) where the network sees it.
        last: (2,) where it was in an earlier picture, if known.
        spread: Standard deviation of where the network sees it [px of the frame].
        stays: Whether the camera has stayed where it was.
    """
    reach = int(np.ceil(REACH * picture.unit))
    seen = {"patch": network} | ({} if last is None else {"followed": last})
    seen = {how: np.nan_to_num(at) * picture.factor for how, at in seen.items()}
    candidates = [(_near(patch, picture.colours, at, reach, how), KEPT) for how, at in seen.items()]
    if still is not None:
        bonus = UNMOVED + KEPT if stays else STILL
        candidates.append((_exactly(patch, picture.colours, still * picture.factor), bonus))
    if min(found.unlike for found, _ in candidates) > UNLIKE:
        elsewhere = _anywhere(patch, picture)
        candidates += [(elsewhere, 0.0)] if elsewhere.unlike < ALIKE else []
    best = min(candidates, key=lambda candidate: candidate[0].unlike - candidate[1])[0]
    away = _away(best.pixel, seen) / picture.unit
    unit = picture.unit / picture.factor
    found = replace(best, pixel=best.pixel / picture.factor, away=away, unit=unit, spread=spread / unit)
    alone = replace(found, pixel=np.asarray(network, float), how="network", away=0.0)
    if found.how == "still" and found.away <= NEAR_ENOUGH + 2 * found.spread:
        return found
    return alone if alone.doubt < found.doubt and np.isfinite(network).all() else found


def _away(pixel: Array, seen: dict[str, Array]) -> float:
    """Return how far [px] from where the network sees it; or it was last, but the network has a say too."""
    network = float(np.linalg.norm(pixel - seen["patch"]))
    if "followed" not in seen:
        return network
    return min(network, float(np.linalg.norm(pixel - seen["followed"])) + min(0.5 * network, 4.0))


def _span(middle: int, side: int, half: int) -> slice:
    return slice(max(0, middle - half), min(side, middle + half + 1))


def _flooded(rgb: NDArray[np.uint8], column: int, row: int) -> NDArray[np.uint8]:
    """Return which pixels (h, w) are joined to one through neighbours of similar colour: 0 or 1."""
    lab = cv2.cvtColor(cv2.GaussianBlur(rgb, (3, 3), 0), cv2.COLOR_RGB2LAB)
    mask = np.zeros((lab.shape[0] + 2, lab.shape[1] + 2), np.uint8)
    how = 4 | (1 << 8) | cv2.FLOODFILL_MASK_ONLY
    cv2.floodFill(lab, mask, (column, row), (0,), (SIMILAR,) * 3, (SIMILAR,) * 3, how)
    inside = mask[1:-1, 1:-1].copy()
    inside[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2] = 1
    return inside


def _differences(patch: Patch, picture: Picture, corner: NDArray[np.int64], reach: int) -> Picture:
    """Return the differences (2 r + 1, 2 r + 1) of patches shifted by up to r pixels about a corner."""
    height, width = patch.colours.shape[:2]
    pad = reach + max(height, width)
    left, top = np.clip(corner, -max(height, width), np.array(picture.shape[1::-1])) - reach + pad
    wide = cv2.copyMakeBorder(picture, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=(-200.0,) * 3)
    area = wide[top : top + height + 2 * reach, left : left + width + 2 * reach]
    return _compared(area, patch)


def _compared(area: Any, patch: Patch) -> Picture:
    squared = cv2.matchTemplate(area, patch.colours, cv2.TM_SQDIFF, mask=patch.mask)
    return np.asarray(np.sqrt(np.maximum(squared, 0) / patch.mask.sum()), np.float32)


def _near(patch: Patch, picture: Picture, pixel: Array, reach: int, how: str) -> Place:
    shift = np.round(pixel - patch.pixel).astype(np.int64)
    unlike = _differences(patch, picture, patch.corner + shift, reach)
    row, column = np.unravel_index(int(np.argmin(unlike)), unlike.shape)
    offset = np.array([column, row]) - reach + _sub_pixel(unlike, int(row), int(column))
    nearly = patch.pixel + shift + offset
    fit = align(patch.colours, patch.mask, patch.pixel - patch.corner, picture, nearly)
    return Place(fit.pixel, min(fit.unlike, float(unlike[row, column])), how)


def _exactly(patch: Patch, picture: Picture, pixel: Array) -> Place:
    """Compare at a pixel, give or take one where it lies between pixels."""
    shift = pixel - patch.pixel
    between = bool(np.abs(shift - np.round(shift)).max() > 0.05)
    unlike = _differences(patch, picture, patch.corner + np.round(shift).astype(np.int64), int(between))
    return Place(pixel, float(unlike.min()), "still")


def _anywhere(patch: Patch, picture: Prepared) -> Place:
    """Search the whole picture, small, and then closely where it looked best."""
    small = 1 / picture.unit
    shrunk = [
        np.asarray(cv2.resize(image, None, fx=small, fy=small, interpolation=cv2.INTER_AREA), np.float32)
        for image in (picture.colours, patch.colours, patch.mask)
    ]
    unlike = _compared(shrunk[0], replace(patch, colours=shrunk[1], mask=shrunk[2]))
    row, column = np.unravel_index(int(np.argmin(unlike)), unlike.shape)
    shift = np.array([column, row]) * picture.unit - patch.corner
    return _near(patch, picture.colours, patch.pixel + shift, 2 + int(picture.unit), "search")


def _sub_pixel(unlike: Picture, row: int, column: int) -> Array:
    """Return where between pixels (x, y) a parabola through the squares about a minimum is lowest."""
    squared = unlike.astype(float) ** 2
    return np.array([_lowest(squared[row], column), _lowest(squared[:, column], row)])


def _lowest(values: Array, index: int) -> float:
    if not 0 < index < len(values) - 1:
        return 0.0
    before, here, after = values[index - 1 : index + 2]
    bend = before - 2 * here + after
    return float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend > 1e-9 else 0.0
