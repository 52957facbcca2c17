"""What a model says of a clip from a camera at rest, as far as it is consistent with itself.

What looks the same in all frames stays where it is, at one depth: the median of what the model says of each
frame. One thing that moves is used where its matches lead back to where they came from, and fit one rigid
motion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, Camera, transform
from spatial_reward.data.pairs import SKY
from spatial_reward.data.recorded_scenes import STILL
from spatial_reward.geometry import fit_motion
from spatial_reward.models.spatialnet_sight import Eyes, Seen
from spatial_reward.types import Frame

THING = STILL + 1  # number of the thing that moves
NOTICED = 14.0  # grey levels from which a pixel is not that of the background
MARGIN = 2  # [px] around what moves that may belong to it
SMALLEST = 60  # [px] of something that moves
SAMPLES = 25  # pixels of it that are matched
RETURNS = 2.0  # [px of the model's picture] from where they started that they may lead back to
FEWEST = 8  # samples that must lead back, and fit one motion
AGREEING = 0.6  # share of them that must do so
ALIKE = 0.5  # share of the frames in which the thing must be found
DISC = 40  # a disc of this part of the side, around a sample, moves with it


class Motion(NamedTuple):
    """How a thing moved since the first frame.

    Attributes:
        pose: (4, 4) in camera axes.
        here: (N, 2) samples in the first frame [px].
        there: (N, 2) the same in the other one.
        points: (N, 3) they in the first camera's axes [m].
    """

    pose: Array
    here: Array
    there: Array
    points: Array


def frames_of(clip: Mapping[str, NDArray[Any]]) -> list[Frame]:
    """Return the frames of a clip, without depth."""
    height, width = clip["rgb"].shape[1:3]
    return [
        Frame(rgb, float(time), camera=Camera(lens, pose, width, height))
        for time, (rgb, lens, pose) in enumerate(
            zip(clip["rgb"], clip["intrinsics"], clip["world_from_camera"], strict=True)
        )
    ]


def changed(rgb: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where (F, H, W) frames differ from what most of them show."""
    smooth = np.stack([cv2.GaussianBlur(image, (3, 3), 0) for image in rgb]).astype(np.float32)
    differs = np.abs(smooth - np.median(smooth, axis=0)).max(-1) > NOTICED
    around = np.ones((2 * MARGIN + 1,) * 2, np.uint8)
    opened = [cv2.morphologyEx(one.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2))) for one in differs]
    return np.stack([cv2.dilate(one, around) for one in opened]) > 0


def followed(eyes: Eyes, frames: Sequence[Frame], moves: NDArray[np.bool_]) -> dict[int, Motion]:
    """Follow that thing of the first frame which is found in most others; return its motions by frame.

    Empty where none is found in half of them.
    """
    best: dict[int, Motion] = {}
    for pixels in samples(moves[0]):
        motions = {
            index: motion
            for index in range(1, len(frames))
            if (motion := _motion(eyes, frames[0], frames[index], pixels, moves[index])) is not None
        }
        best = max(best, motions, key=len)
    return best if len(best) >= ALIKE * (len(frames) - 1) else {}


def samples(moves: NDArray[np.bool_]) -> list[Array]:
    """Return pixels (N, 2) of each thing that moves (H, W), spread over it."""
    inner = cv2.erode(moves.astype(np.uint8), np.ones((2 * MARGIN + 1,) * 2, np.uint8))
    count, number = cv2.connectedComponents(inner)
    places = [np.argwhere(number == index)[:, ::-1] + 0.5 for index in range(1, count)]
    large = sorted((one for one in places if len(one) >= SMALLEST), key=len, reverse=True)
    return [one[np.linspace(0, len(one) - 1, SAMPLES).astype(int)] for one in large]


def _motion(
    eyes: Eyes, first: Frame, second: Frame, pixels: Array, moves: NDArray[np.bool_]
) -> Motion | None:
    """Return the motion that most samples agree on; None where they do not."""
    [forth] = eyes.match([(first, second, pixels)])
    [back] = eyes.match([(second, first, forth.pixel)])
    seen = eyes.seen(first)
    returns = np.linalg.norm((back.pixel - pixels) * seen.scale, axis=1) < RETURNS
    used = returns & (forth.visible > 0.5) & _within(moves, forth.pixel)
    if used.sum() < max(FEWEST, AGREEING * len(pixels)):
        return None
    depth, _ = seen.depth_at(pixels[used])
    points = seen.camera.rays(pixels[used]) * depth[:, None]
    there = (
        eyes.seen(second).camera.rays(forth.pixel[used]) * (depth * np.exp(forth.log_ratio[used]))[:, None]
    )
    fit = fit_motion(points, there)
    if not fit.valid or fit.inliers.sum() < max(FEWEST, AGREEING * used.sum()):
        return None
    agreeing = fit.inliers
    return Motion(fit.b_from_a, pixels[used][agreeing], forth.pixel[used][agreeing], points[agreeing])


def _within(mask: NDArray[np.bool_], pixels: Array) -> NDArray[np.bool_]:
    height, width = mask.shape
    column, row = np.floor(pixels).astype(int).T
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    found = np.zeros(len(pixels), bool)
    found[inside] = mask[row[inside], column[inside]]
    return found


def labels(
    seen: Sequence[Seen], moves: NDArray[np.bool_], found: Mapping[int, Motion]
) -> dict[str, NDArray[Any]]:
    """Return depth and body (F, H, W) and world_from_body (F, 3, 4, 4) of all frames."""
    size = moves.shape[1:]
    still = ~moves.any(0)
    logs = np.stack([cv2.resize(one.views.log_depth[0], size[::-1]) for one in seen])
    depth = np.where(still, np.exp(np.median(logs, axis=0)), np.nan)
    depths, bodies = np.repeat(depth[None], len(seen), 0), np.where(still, STILL, SKY)
    bodies = np.repeat(bodies[None], len(seen), 0).astype(np.uint8)
    poses = np.tile(np.eye(4, dtype=np.float32), (len(seen), THING + 1, 1, 1))
    for index, motion in found.items():
        _paint(depths[index], bodies[index], motion.there, transform(motion.pose, motion.points)[:, 2])
        _paint(depths[0], bodies[0], motion.here, motion.points[:, 2])
        world = seen[0].camera.world_from_camera
        poses[index, THING] = world @ motion.pose @ np.linalg.inv(world)
    return {"depth": depths, "body": bodies, "world_from_body": poses}


def _paint(depth: Array, body: NDArray[np.uint8], pixels: Array, distances: Array) -> None:
    """Let discs around pixels (N, 2) be of the thing, at distances (N,) [m]; in place."""
    radius = max(1, round(max(depth.shape) / DISC))
    for (x, y), distance in zip(np.floor(pixels).astype(int).tolist(), distances, strict=True):
        disc = np.zeros(depth.shape, np.uint8)
        cv2.circle(disc, (x, y), radius, 1, -1)
        depth[disc > 0], body[disc > 0] = distance, THING
