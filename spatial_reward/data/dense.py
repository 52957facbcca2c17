"""Dense training data for SpatialNet: random scenes rendered with depth, bodies and poses, in shards.

A shard is a `.npz` of S scenes with F frames each: any two frames of a scene are a training pair.
Scene number i of seed s depends on (s, i) alone, so the bytes do not depend on the number of workers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, look_at, rigid
from spatial_reward.envs.gl import load_mujoco
from spatial_reward.envs.scenes import RandomScene, random_scene

MAX_BODIES = 24
FAR = 20.0  # [m]; surfaces beyond are unknown
_OPENCV_FROM_OPENGL = np.diag([1.0, -1.0, -1.0])


def render_scene(index: int, *, seed: int, size: int, frames: int, held_out: bool = False) -> dict[str, Any]:
    """Render frames of random scene number `index`.

    Returns:
        rgb (F, H, W, 3) uint8; depth (F, H, W) float16 [m], NaN beyond 20 m; body (F, H, W) uint8, 255 = sky;
        world_from_camera (F, 4, 4); intrinsics (F, 3, 3); world_from_body (F, 24, 4, 4).
    """
    rng = np.random.default_rng([seed, index])
    scene = random_scene(rng, held_out=held_out)
    mujoco = load_mujoco()
    model = mujoco.MjModel.from_xml_string(scene.xml, scene.assets)
    model.vis.quality.shadowsize = 1024 if rng.random() < 0.5 else 0
    data = mujoco.MjData(model)
    poses, fov = _camera_poses(scene, frames, rng), rng.uniform(35, 75)
    model.cam_fovy[0] = fov
    with mujoco.Renderer(model, size, size) as renderer:
        rows = [
            _render(mujoco, renderer, model, data, pose) for pose in _states(scene, model, data, poses, rng)
        ]
    stacked = {key: np.stack([row[key] for row in rows]) for key in rows[0]}
    focal = 0.5 * size / np.tan(np.radians(fov) / 2)
    stacked["intrinsics"] = np.tile(
        np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]], np.float32), (frames, 1, 1)
    )
    return stacked


def write_shards(
    folder: Path,
    *,
    scenes: int,
    seed: int,
    size: int = 128,
    frames: int = 12,
    per_shard: int = 25,
    held_out: bool = False,
) -> int:
    """Write the shards of scenes 0 to `scenes` that are not there yet; return how many were written.

    Any number of processes may do so at once: a shard is claimed by its temporary name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    for start in range(0, scenes, per_shard):
        path = folder / f"{start:06d}.npz"
        claim = path.with_suffix(".claim")
        if path.exists() or not _claimed(claim):
            continue
        drawn = [
            render_scene(index, seed=seed, size=size, frames=frames, held_out=held_out)
            for index in range(start, min(start + per_shard, scenes))
        ]
        _save(path, {key: np.stack([row[key] for row in drawn]) for key in drawn[0]})
        claim.unlink()
        written += 1
    return written


def _claimed(claim: Path) -> bool:
    try:
        claim.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _save(path: Path, arrays: Mapping[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, **arrays)
    os.replace(partial, path)


def _states(scene: RandomScene, model: Any, data: Any, poses: list[Array], rng: np.random.Generator) -> Any:
    """Set one state after another, each a variation of a first one; yield the camera's pose in it."""
    layout = _layout(scene, rng)
    angles = rng.uniform(-1.3, 1.3, model.nq)
    for pose in poses:
        placed = [_moved(place, scene, rng) for place in layout]
        data.qpos[:] = angles + (rng.random() < 0.6) * rng.normal(0, 0.35, model.nq)
        data.mocap_pos[:] = [position for position, _ in placed]
        data.mocap_quat[:] = [turn for _, turn in placed]
        yield pose


def _layout(scene: RandomScene, rng: np.random.Generator) -> list[tuple[Array, Array]]:
    """Put the objects onto the table, apart from each other where there is room."""
    places: list[tuple[Array, Array]] = []
    for index, (radius, height) in enumerate(zip(scene.objects, scene.heights, strict=True)):
        for _ in range(20):
            spot = rng.uniform(-0.75, 0.75, 2) * scene.radius
            gaps = [
                np.hypot(*(spot - at[:2])) - scene.objects[i] - radius for i, (at, _) in enumerate(places)
            ]
            if not gaps or min(gaps) > 0:
                break
        position = np.array([*spot, scene.table + height + 1e-4 * index])
        places.append((position, _turn([0, 0, 1], rng.uniform(0, 2 * np.pi))))
    return places


def _moved(place: tuple[Array, Array], scene: RandomScene, rng: np.random.Generator) -> tuple[Array, Array]:
    """Leave an object where it is (45 %), nudge it (20 %), or carry it off, on the table or lifted."""
    position, turn = place
    luck = rng.random()
    if luck < 0.45:
        return place
    reach = scene.radius * (0.03 if luck < 0.65 else rng.uniform(0.1, 0.9))
    step = rng.normal(0, 0.6, 3) * reach * [1, 1, 0.7]
    step[2] = abs(step[2]) if rng.random() < 0.4 else 0.0
    angle = rng.normal(0, 0.1 if luck < 0.65 else 0.7)
    axis = np.array([0, 0, 1.0]) if rng.random() < 0.6 else rng.normal(size=3)
    return position + step, _compose(_turn(axis, angle), turn)


def _turn(axis: Any, angle: float) -> Array:
    axis = np.asarray(axis, float) / np.linalg.norm(axis)
    return np.array([np.cos(angle / 2), *(np.sin(angle / 2) * axis)])


def _compose(a: Array, b: Array) -> Array:
    """Multiply quaternions (w, x, y, z)."""
    product: Array = np.concatenate(
        [[a[0] * b[0] - a[1:] @ b[1:]], a[0] * b[1:] + b[0] * a[1:] + np.cross(a[1:], b[1:])]
    )
    return product


def _camera_poses(scene: RandomScene, frames: int, rng: np.random.Generator) -> list[Array]:
    """Place the camera as robots have it; it stays (half of the scenes), shifts, or travels."""
    base = np.array([rng.uniform(0, 2 * np.pi), rng.uniform(0.25, 1.45), rng.uniform(1.0, 2.6)])
    luck = rng.random()
    spread = (
        np.zeros(3)
        if luck < 0.5
        else np.array([0.05, 0.05, 0.05]) * (1 if luck < 0.75 else rng.uniform(2, 8))
    )
    target = np.array(
        [*rng.normal(0, 0.2, 2) * scene.radius, scene.table + rng.uniform(0, 0.3) * scene.radius]
    )
    poses = []
    for _ in range(frames):
        azimuth, elevation, away = base + rng.normal(size=3) * spread
        elevation = np.clip(elevation, 0.15, 1.5)
        at = target + rng.normal(size=3) * spread * scene.radius * 0.5
        direction = [
            np.cos(azimuth) * np.cos(elevation),
            np.sin(azimuth) * np.cos(elevation),
            np.sin(elevation),
        ]
        poses.append(look_at(at + max(away, 0.7) * scene.radius * np.array(direction), at))
    return poses


def _render(mujoco: Any, renderer: Any, model: Any, data: Any, pose: Array) -> dict[str, Any]:
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
