"""Dense training data for SpatialNet: random scenes rendered with depth, bodies and poses, in shards.

A shard is a `.npz` of S scenes with F frames each: any two frames of a scene are a training pair.
Scene number i of seed s depends on (s, i) alone, so the bytes do not depend on the number of workers.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, rigid
from spatial_reward.data.workers import run
from spatial_reward.envs.gl import load_mujoco
from spatial_reward.envs.scene_states import State, draw_states
from spatial_reward.envs.scenes import random_scene

MAX_BODIES = 24
FAR = 20.0  # [m]; surfaces beyond are unknown
PER_SHARD = 25  # scenes
_OPENCV_FROM_OPENGL = np.diag([1.0, -1.0, -1.0])


def render_scene(
    index: int, *, seed: int, size: int, frames: int, held_out: bool = False, meshes: bool = True
) -> dict[str, Any]:
    """Render frames of random scene number `index`.

    Returns:
        rgb (F, H, W, 3) uint8; depth (F, H, W) float16 [m], NaN beyond 20 m; body (F, H, W) uint8, 255 = sky;
        world_from_camera (F, 4, 4); intrinsics (F, 3, 3); world_from_body (F, 24, 4, 4); support () height
        of the surface that things stand on [m].
    """
    rng = np.random.default_rng([seed, index])
    scene = random_scene(rng, held_out=held_out, meshes=meshes)
    mujoco = load_mujoco()
    model = mujoco.MjModel.from_xml_string(scene.xml, scene.assets)
    model.vis.quality.shadowsize = 1024 if rng.random() < 0.5 else 0
    data = mujoco.MjData(model)
    fov, states = draw_states(scene, frames, rng)
    model.cam_fovy[0] = fov
    with mujoco.Renderer(model, size, size) as renderer:
        rows = [_render(mujoco, renderer, model, data, state) for state in states]
    stacked = {key: np.stack([row[key] for row in rows]) for key in rows[0]}
    focal = 0.5 * size / np.tan(np.radians(fov) / 2)
    intrinsics = np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]], np.float32)
    return {
        **stacked,
        "intrinsics": np.tile(intrinsics, (frames, 1, 1)),
        "support": np.float32(scene.table),
    }


def write_shards(
    folder: Path,
    *,
    scenes: int,
    seed: int,
    size: int = 128,
    frames: int = 12,
    held_out: bool = False,
    meshes: bool = True,
    workers: int = 1,
    per_shard: int = PER_SHARD,
) -> int:
    """Write the shards of scenes 0 to `scenes` that are not there yet; return how many were written.

    Any number of processes may do so at once, here or on a shared folder: a shard is claimed by its
    temporary name. Prints the rate of frames and of the pairs they make.

    Raises:
        ImportError: If `meshes` are wanted and gymnasium-robotics, which they come with, is missing.
    """
    render = partial(render_scene, seed=seed, size=size, frames=frames, held_out=held_out, meshes=meshes)
    return write_rendered(folder, render, scenes, per_shard=per_shard, workers=workers)


def write_rendered(
    folder: Path,
    render: Callable[[int], Mapping[str, Any]],
    scenes: int,
    *,
    per_shard: int = PER_SHARD,
    prefix: str = "",
    workers: int = 1,
) -> int:
    """Write the shards of scenes 0 to `scenes` that are not there yet; return how many were written.

    Args:
        folder: Of the shards.
        render: Renders a scene by its number; goes to other processes.
        scenes: How many.
        per_shard: Of them.
        prefix: Of the shards' names.
        workers: Processes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write = partial(_write_shard, folder, render, scenes, per_shard, prefix)
    starts, begun, written = range(0, scenes, per_shard), time.perf_counter(), 0
    for frames in run(write, starts, workers=workers):
        written += frames > 0
        rate = frames * written / (time.perf_counter() - begun)
        print(f"{written}/{len(starts)} shards, {rate:.0f} frames/s", file=sys.stderr)
    return written


def _write_shard(
    folder: Path,
    render: Callable[[int], Mapping[str, Any]],
    scenes: int,
    per_shard: int,
    prefix: str,
    start: int,
) -> int:
    """Write the shard that begins with scene `start`; return its frames, or 0 if it is there or another's."""
    path = folder / f"{prefix}{start:06d}.npz"
    claim = path.with_suffix(".claim")
    if path.exists() or not _claimed(claim):
        return 0
    try:
        drawn = [render(index) for index in range(start, min(start + per_shard, scenes))]
        _save(path, {key: np.stack([row[key] for row in drawn]) for key in drawn[0]})
    finally:
        claim.unlink()
    return sum(len(row["rgb"]) for row in drawn)


def _claimed(claim: Path) -> bool:
    try:
        claim.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _save(path: Path, arrays: Mapping[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    try:
        with partial.open("wb") as file:
            np.savez(file, **arrays)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _render(mujoco: Any, renderer: Any, model: Any, data: Any, state: State) -> dict[str, Any]:
    pose: Array = state.world_from_camera
    data.qpos[:], data.mocap_pos[:], data.mocap_quat[:] = state.angles, state.positions, state.turns
    mujoco.mj_kinematics(model, data)
    mujoco.mj_camlight(model, data)
    data.cam_xpos[0] = pose[:3, 3]
    data.cam_xmat[0] = (pose[:3, :3] @ _OPENCV_FROM_OPENGL).ravel()
    renderer.update_scene(data, 0)
    rgb = renderer.render().copy()
    renderer.enable_depth_rendering()
    depth = renderer.render().copy()
    renderer.disable_depth_rendering()
    renderer.enable_segmentation_rendering()
    geom = renderer.render()[..., 0]
    renderer.disable_segmentation_rendering()
    depth[(depth > FAR) | (geom < 0)] = np.nan
    body = np.where(geom < 0, 255, model.geom_bodyid[geom]).astype(np.uint8)
    return {
        "rgb": rgb,
        "depth": depth.astype(np.float16),
        "body": body,
        "world_from_camera": pose.astype(np.float32),
        "world_from_body": _body_poses(model, data),
    }


def _body_poses(model: Any, data: Any) -> NDArray[np.float32]:
    poses = np.tile(np.eye(4, dtype=np.float32), (MAX_BODIES, 1, 1))
    for body in range(model.nbody):
        poses[body] = rigid(data.xmat[body].reshape(3, 3), data.xpos[body])
    return poses
