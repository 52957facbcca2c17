"""SpatialNet's eyes: frames are resized, encoded once in batches, remembered, and matched in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, Camera
from spatial_reward.models.spatialnet_runtime import Pictures, Runtime, Views
from spatial_reward.types import Frame

STRIDE = 4  # of the network's grids
SMALLEST, LARGEST, STEP = 96, 256, 32  # [px] sides of the pictures that the network takes
_SQRT2 = float(np.sqrt(2))  # standard deviation of a Laplace distribution of scale 1


@dataclass(frozen=True, eq=False)
class Seen:
    """What the network says of one frame alone.

    Attributes:
        camera: Of the frame as given.
        scale: (2,) pixels of the network's picture per pixel of the frame.
        views: Of a batch of one.
    """

    camera: Camera
    scale: Array
    views: Views

    def depth_at(self, pixels: Array) -> tuple[Array, Array]:
        """Read predicted depth (N,) [m] and its relative standard deviation (N,) at frame pixels (N, 2)."""
        maps = np.concatenate([self.views.log_depth, self.views.log_depth_scale])
        log_depth, log_scale = read_grid(maps, np.asarray(pixels, float) * self.scale).T
        return np.exp(log_depth), _SQRT2 * np.exp(log_scale)

    def same_body(self, pixel: tuple[float, float]) -> Array:
        """Return the probability (h, w) of each cell to move with a pixel."""
        mask = self.views.mask[0].astype(float)
        [own] = read_grid(mask, np.array([pixel]) * self.scale)
        logits = 4 - np.square(mask - own[:, None, None]).sum(0)
        return np.asarray(1 / (1 + np.exp(-logits)))

    def cell_pixels(self) -> Array:
        """Return the centres (h, w, 2) of the cells [px of the frame]."""
        height, width = self.views.log_depth.shape[1:]
        column, row = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        pixels: Array = STRIDE * np.stack([column, row], -1) / self.scale
        return pixels


class Matched(NamedTuple):
    """Where pixels of a reference frame are in the current one: standard deviations are not calibrated."""

    pixel: Array  # (N, 2) [px of the current frame]
    std: Array  # (N,) [px of the current frame]
    visible: Array  # (N,) probability
    log_ratio: Array  # (N,) log of the depth there over the depth here
    ratio_std: Array  # (N,)


class Eyes:
    """Encode each frame once, and match pairs of them.

    Args:
        runtime: That runs the network.
        size: Longer side of the network's picture [px].
        support: Height of the horizontal plane that things stand on [m], where known.
        depth: Whether measured depth is given to the network where a frame has it.
    """

    def __init__(self, runtime: Runtime, size: int, support: float | None, depth: bool) -> None:
        """Keep the network; nothing is remembered yet."""
        self.runtime, self.size, self.depth = runtime, size, depth
        self.support = float("nan") if support is None else support
        self._seen: WeakKeyDictionary[Frame, Seen] = WeakKeyDictionary()

    def look(self, frames: Sequence[Frame], supports: Mapping[Frame, float] | None = None) -> None:
        """Encode the frames that are new, those of one size in one batch.

        Args:
            frames: Those without a camera are left out.
            supports: Heights of the plane that things stand on [m], for frames of which more is known.
        """
        new = [
            frame for frame in dict.fromkeys(frames) if frame not in self._seen and frame.camera is not None
        ]
        sides = {frame: network_size(frame.width, frame.height, self.size) for frame in new}
        for side in sorted(set(sides.values())):
            alike = [frame for frame in new if sides[frame] == side]
            heights = [(supports or {}).get(frame, self.support) for frame in alike]
            views = self.runtime.encode(self._pictures(alike, side, heights))
            for index, frame in enumerate(alike):
                scale = np.array(side) / (frame.width, frame.height)
                own = Views(*(view[index : index + 1] for view in views))
                assert frame.camera is not None
                self._seen[frame] = Seen(frame.camera, scale, own)

    def seen(self, frame: Frame) -> Seen:
        """Return what is known of a frame.

        Raises:
            ValueError: If it has no camera, so that nothing metric can be said.
        """
        if frame.camera is None:
            raise ValueError(f"The frame of view {frame.view!r} has no camera, whose rays this model needs.")
        if frame not in self._seen:
            self.look([frame])
        return self._seen[frame]

    def match(self, pairs: Sequence[tuple[Frame, Frame, Array]]) -> list[Matched]:
        """Find pixels (N, 2) of each pair's first frame in its second; pairs of equal sizes go together."""
        results: dict[int, Matched] = {}
        groups: dict[Any, list[int]] = {}
        for number, (first, second, pixels) in enumerate(pairs):
            shapes = (self.seen(first).views.log_depth.shape, self.seen(second).views.log_depth.shape)
            groups.setdefault((*shapes, len(pixels)), []).append(number)
        for numbers in groups.values():
            results.update(zip(numbers, self._match([pairs[n] for n in numbers]), strict=True))
        return [results[number] for number in range(len(pairs))]

    def _match(self, pairs: Sequence[tuple[Frame, Frame, Array]]) -> list[Matched]:
        seen = [(self.seen(first), self.seen(second)) for first, second, _ in pairs]
        first, second = (_stacked([s[end].views for s in seen]) for end in (0, 1))
        pixels = np.stack([pair[2] * s[0].scale for s, pair in zip(seen, pairs, strict=True)])
        found = self.runtime.match(first, second, pixels.astype(np.float32))
        pixel, log_scale, visible, ratio, ratio_scale = (np.asarray(x, float) for x in found)
        return [
            Matched(
                pixel[i] / seen[i][1].scale,
                _SQRT2 * np.exp(log_scale[i]) / seen[i][1].scale.mean() / 2,  # the scale is of |x| + |y|
                1 / (1 + np.exp(-visible[i])),
                ratio[i],
                _SQRT2 * np.exp(ratio_scale[i]),
            )
            for i in range(len(pairs))
        ]

    def _pictures(self, frames: Sequence[Frame], side: tuple[int, int], heights: Sequence[float]) -> Pictures:
        images = [_resized(frame, side, self.depth) for frame in frames]
        cameras = [frame.camera.resized(*side) for frame in frames if frame.camera is not None]
        return Pictures(
            np.stack([rgb for rgb, _ in images]),
            np.stack([camera.intrinsics for camera in cameras]).astype(np.float32),
            np.stack([camera.world_from_camera for camera in cameras]).astype(np.float32),
            np.array(heights, np.float32),
            np.stack([depth for _, depth in images]),
        )


def read_grid(grid: NDArray[Any], pixels: Array) -> Array:
    """Read a grid (C, h, w) at pixels (N, 2) of the network's picture -> (N, C), bilinearly."""
    height, width = grid.shape[1:]
    x = np.clip(pixels[:, 0] / STRIDE - 0.5, 0, width - 1)
    y = np.clip(pixels[:, 1] / STRIDE - 0.5, 0, height - 1)
    left, top = x.astype(int), y.astype(int)
    right, below = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    across, down = x - left, y - top
    upper = (1 - across) * grid[:, top, left] + across * grid[:, top, right]
    lower = (1 - across) * grid[:, below, left] + across * grid[:, below, right]
    return np.asarray(((1 - down) * upper + down * lower).T, float)


def network_size(width: int, height: int, longest: int) -> tuple[int, int]:
    """Return the width and height [px], multiples of 32 from 96 to 256, that a frame is resized to."""
    scale = longest / max(width, height)
    w, h = (int(np.clip(STEP * round(side * scale / STEP), SMALLEST, LARGEST)) for side in (width, height))
    return w, h


def _resized(frame: Frame, side: tuple[int, int], with_depth: bool) -> tuple[Any, Any]:
    same = side == (frame.width, frame.height)
    smaller = side[0] * side[1] < frame.width * frame.height
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    rgb = frame.rgb if same else cv2.resize(frame.rgb, side, interpolation=how)
    if frame.depth is None or not with_depth:
        return rgb, np.full(side[::-1], np.nan, np.float32)
    depth = frame.depth if same else cv2.resize(frame.depth, side, interpolation=cv2.INTER_NEAREST)
    return rgb, np.asarray(depth, np.float32)


def _stacked(views: Sequence[Views]) -> Views:
    return Views(*(np.concatenate(parts) for parts in zip(*views, strict=True)))
