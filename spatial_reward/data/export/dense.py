"""Dense training pairs for SpatialNet from prepared scenes: the shards that `data.pairs` draws from.

What moves is described by rigid bodies. Their poses are fitted to the tracked points of the scene, which
are exact in a simulation; a body with too few points, or that bends, is left without labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Camera
from spatial_reward.data.dense import FAR, MAX_BODIES, PER_SHARD
from spatial_reward.data.export.cutting import cut
from spatial_reward.data.pairs import SKY
from spatial_reward.data.prepared import PreparedScene
from spatial_reward.geometry import fit_rigid
from spatial_reward.outputs import output_folder
from spatial_reward.types import Frame, Scene

RIGID_WITHIN = 0.002  # [m] root mean square distance of a body's points from a rigid motion
STILL = "world"  # the name of what never moves; it is body 0


def export(set_folder: Path, out: Path | None = None, *, size: int = 128, frames: int = 12) -> Path:
    """Write `000000.npz` and so on from the scenes of a set; return the folder.

    Every scene gives groups of `frames` frames that each span the whole scene; a shorter one is repeated.
    Pictures are scaled to squares, and the intrinsics with them. Of more than 24 bodies those that
    are seen most are kept; pixels of the others, and without a body, have no depth.

    Args:
        set_folder: A question set, prepared with depth.
        out: Folder to write; `exports/dense` of the set where None.
        size: Width and height of the pictures [px].
        frames: Frames of a group.

    Raises:
        FileExistsError: If the folder already holds something.
        FileNotFoundError: If there are no prepared scenes.
        ValueError: If a scene lacks depth, bodies or cameras.
    """
    folders = sorted(path for path in (set_folder / "scenes").glob("*") if path.is_dir())
    if not folders:
        raise FileNotFoundError(f"No prepared scenes in {set_folder / 'scenes'}: generate the set first.")
    final = out or set_folder / "exports" / "dense"
    with output_folder(final) as folder:
        groups = (group for path in folders for group in _groups(PreparedScene(path), size, frames))
        for number, shard in enumerate(cut(groups, PER_SHARD)):
            rows = list(shard)
            arrays: dict[str, Any] = {key: np.stack([row[key] for row in rows]) for key in rows[0]}
            np.savez(folder / f"{number * PER_SHARD:06d}.npz", **arrays)
    return final


def _groups(prepared: PreparedScene, size: int, count: int) -> Iterator[dict[str, Any]]:
    """Yield the arrays of the groups of frames of a scene."""
    scene = prepared.scene
    numbers = body_numbers(scene)
    total = max(1, len(scene.frames) // count)
    for group in range(total):
        chosen = np.resize(np.arange(group, len(scene.frames), total), count)
        poses = body_poses(scene, chosen, numbers)
        rows = [_frame(prepared.frame(int(i)), numbers, size) for i in chosen]
        stacked = {key: np.stack([row[key] for row in rows]) for key in rows[0]}
        labelled = _without_labels(stacked, poses)
        # Height of the surface that things stand on, which scenes do not tell.
        yield labelled | {"world_from_body": np.nan_to_num(poses), "support": np.float32(np.nan)}


def body_numbers(scene: Scene) -> NDArray[np.int64]:
    """Return the number in the shard of each body of a scene: 0 for the world, 255 for those left out.

    The last entry, which -1 finds, is for pixels without a body.
    """
    seen = np.zeros(len(scene.names) + 1, np.int64)
    np.add.at(seen, scene.body, scene.visible.sum(axis=0))
    names = np.array([*scene.names, ""])
    movable = [body for body in np.argsort(-seen, kind="stable") if names[body] not in (STILL, "")]
    kept = sorted(movable[: MAX_BODIES - 1])
    numbers = np.where(names == STILL, 0, SKY)
    numbers[kept] = np.arange(1, 1 + len(kept))
    return numbers


def body_poses(scene: Scene, times: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.float32]:
    """Fit the poses (F, 24, 4, 4) of the bodies relative to their places in the scene's first frame.

    NaN where the points of a body do not determine a rigid motion.
    """
    poses = np.tile(np.eye(4, dtype=np.float32), (len(times), MAX_BODIES, 1, 1))
    for body in np.flatnonzero((numbers > 0) & (numbers != SKY)):
        points = scene.points[:, scene.body == body]
        for row, time in enumerate(times):
            poses[row, numbers[body]] = _pose(points[0], points[time])
    return poses


def _pose(before: NDArray[np.float64], now: NDArray[np.float64]) -> NDArray[np.float64]:
    if np.array_equal(before, now):
        return np.eye(4)
    fit = fit_rigid(before, now, robust=False)
    usable = fit.valid and fit.residual <= RIGID_WITHIN
    return fit.b_from_a if usable else np.full((4, 4), np.nan)


def _frame(frame: Frame, numbers: NDArray[np.int64], size: int) -> dict[str, Any]:
    """Scale a frame; depth and bodies are read at the centres of the new pixels, never mixed."""
    depth, bodies, camera = _measured(frame)
    rows, columns = (((np.arange(size) + 0.5) * side / size).astype(int) for side in depth.shape)
    depth, body = depth[np.ix_(rows, columns)], numbers[bodies[np.ix_(rows, columns)]]
    known = (body != SKY) & (depth > 0) & (depth <= FAR)
    camera = camera.resized(size, size)
    return {
        "rgb": cv2.resize(frame.rgb, (size, size), interpolation=cv2.INTER_AREA),
        "depth": np.where(known, depth, np.nan).astype(np.float16),
        "body": body.astype(np.uint8),
        "world_from_camera": camera.world_from_camera.astype(np.float32),
        "intrinsics": camera.intrinsics.astype(np.float32),
    }


def _measured(frame: Frame) -> tuple[NDArray[np.float32], NDArray[np.int32], Camera]:
    if frame.depth is None or frame.bodies is None or frame.camera is None:
        raise ValueError("Dense pairs need depth, bodies and cameras: prepare the scenes with depth=true.")
    return frame.depth, frame.bodies, frame.camera


def _without_labels(stacked: dict[str, Any], poses: NDArray[np.float32]) -> dict[str, Any]:
    """Take depth and number from the pixels of bodies whose motion is unknown in some frame."""
    unknown = np.flatnonzero(np.isnan(poses).any(axis=(0, 2, 3)))
    hidden = np.isin(stacked["body"], unknown)
    depth = np.where(hidden, np.nan, stacked["depth"]).astype(np.float16)
    return stacked | {"depth": depth, "body": np.where(hidden, SKY, stacked["body"]).astype(np.uint8)}
