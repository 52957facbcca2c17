"""SpatialNet's eyes: frames are resized, encoded once in batches, remembered, and matched in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import cv2
import numpy as np
import torch
from torch import Tensor

from spatial_reward.camera import Array, Camera
from spatial_reward.models.spatialnet_input import network_input, ray_map, support_maps
from spatial_reward.models.spatialnet_matching import STRIDE, Features, same_body, sample
from spatial_reward.models.spatialnet_network import SpatialNetwork
from spatial_reward.types import Frame

SMALLEST, LARGEST, STEP = 96, 256, 32  # [px] sides of the pictures that the network takes
_SQRT2 = float(np.sqrt(2))  # standard deviation of a Laplace distribution of scale 1


@dataclass(frozen=True, eq=False)
class Seen:
    """What the network says of one frame alone.

    Attributes:
        camera: Of the frame as given.
        scale: (2,) pixels of the network's picture per pixel of the frame.
        features: Of a batch of one.
    """

    camera: Camera
    scale: Array
    features: Features

    def depth_at(self, pixels: Array) -> tuple[Array, Array]:
        """Read predicted depth (N,) [m] and its relative standard deviation (N,) at frame pixels (N, 2)."""
        maps = torch.stack([self.features.log_depth, self.features.log_depth_scale], 1)
        read = sample(maps, self.network_pixels(pixels))[0].double().numpy()
        return np.exp(read[:, 0]), _SQRT2 * np.exp(read[:, 1])

    def network_pixels(self, pixels: Array) -> Tensor:
        """Return pixels (N, 2) of the frame as (1, N, 2) of the network's picture."""
        return torch.from_numpy((np.asarray(pixels, float) * self.scale).astype(np.float32))[None]

    def cell_pixels(self) -> Array:
        """Return the centres (h, w, 2) of the cells [px of the frame]."""
        height, width = self.features.log_depth.shape[1:]
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
        network: With weights.
        size: Longer side of the network's picture [px].
        support: Height of the horizontal plane that things stand on [m], where known.
        depth: Whether measured depth is given to the network where a frame has it.
        device: Of the network.
    """

    def __init__(
        self, network: SpatialNetwork, size: int, support: float | None, depth: bool, device: str = "cpu"
    ) -> None:
        """Keep the network; nothing is remembered yet."""
        self.network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.size, self.depth, self.device = size, depth, device
        self.support = float("nan") if support is None else support
        self._seen: WeakKeyDictionary[Frame, Seen] = WeakKeyDictionary()

    @torch.inference_mode()
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
            pictures = self._pictures(alike, side, heights)
            features = Features(*(feature.cpu() for feature in self.network.encode(pictures)))
            for index, frame in enumerate(alike):
                scale = np.array(side) / (frame.width, frame.height)
                own = Features(*(feature[index : index + 1] for feature in features))
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

    @torch.inference_mode()
    def match(self, pairs: Sequence[tuple[Frame, Frame, Array]]) -> list[Matched]:
        """Find pixels (N, 2) of each pair's first frame in its second; pairs of equal sizes go together."""
        results: dict[int, Matched] = {}
        groups: dict[Any, list[int]] = {}
        for number, (first, second, pixels) in enumerate(pairs):
            shapes = (self.seen(first).features.log_depth.shape, self.seen(second).features.log_depth.shape)
            groups.setdefault((*shapes, len(pixels)), []).append(number)
        for numbers in groups.values():
            results.update(zip(numbers, self._match([pairs[n] for n in numbers]), strict=True))
        return [results[number] for number in range(len(pairs))]

    def same_body(self, frame: Frame, pixel: tuple[float, float]) -> Array:
        """Return the probability (h, w) of each cell of a frame to move with a pixel."""
        seen = self.seen(frame)
        with torch.inference_mode():
            asked = seen.network_pixels(np.array([pixel])).to(self.device)
            logits = same_body(_stacked([seen.features], self.device), asked)
        return np.asarray(logits[0, 0].sigmoid().double().cpu().numpy())

    def _match(self, pairs: Sequence[tuple[Frame, Frame, Array]]) -> list[Matched]:
        seen = [(self.seen(first), self.seen(second)) for first, second, _ in pairs]
        first = _stacked([s[0].features for s in seen], self.device)
        second = _stacked([s[1].features for s in seen], self.device)
        pixels = [s[0].network_pixels(pair[2]) for s, pair in zip(seen, pairs, strict=True)]
        found = self.network.match(first, second, torch.cat(pixels).to(self.device))
        numbers = [found.pixel, found.log_scale.exp(), found.visible.sigmoid(), found.log_ratio]
        numbers.append(found.log_ratio_scale.exp())
        pixel, scale, visible, ratio, ratio_scale = (x.double().cpu().numpy() for x in numbers)
        return [
            Matched(
                pixel[i] / seen[i][1].scale,
                _SQRT2 * scale[i] / seen[i][1].scale.mean() / 2,  # the scale is of |x| + |y|
                visible[i],
                ratio[i],
                _SQRT2 * ratio_scale[i],
            )
            for i in range(len(pairs))
        ]

    def _pictures(self, frames: Sequence[Frame], side: tuple[int, int], heights: Sequence[float]) -> Tensor:
        images = [_resized(frame, side, self.depth) for frame in frames]
        cameras = [frame.camera.resized(*side) for frame in frames if frame.camera is not None]
        rays = ray_map(_tensor([camera.intrinsics for camera in cameras]), side[1], side[0])
        poses = _tensor([camera.world_from_camera for camera in cameras])
        plane = support_maps(rays, poses, torch.tensor(heights, dtype=torch.float32))
        picture = _tensor([rgb for rgb, _ in images]).permute(0, 3, 1, 2) / 255
        stacked = network_input(picture, rays, _tensor([depth for _, depth in images]), plane)
        return stacked.to(self.device).contiguous(memory_format=torch.channels_last)  # a fifth faster


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


def _tensor(arrays: Sequence[Any]) -> Tensor:
    return torch.from_numpy(np.stack(arrays).astype(np.float32))


def _stacked(features: Sequence[Features], device: str) -> Features:
    return Features(*(torch.cat(parts).to(device) for parts in zip(*features, strict=True)))
