"""Making clips for multispa-sim: what stands where, what moves, and from where it is seen."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from spatial_reward.benchmark.multispa_sim_scenes import Clip, pose_of
from spatial_reward.camera import Array, look_at
from spatial_reward.envs.gl import load_mujoco
from spatial_reward.envs.scenes import RandomScene

DIGITS = 6  # that states are written down with
_TRIES = 40
_NEAREST, _FARTHEST = 0.25, 2.0  # [m] from the camera to what it looks at
_DRAWN = np.array([1, 1, 1, 0, 0, 0], np.uint8)  # geom groups in the picture


class Track(NamedTuple):
    """What a model does over the frames of a clip: `qpos` (T, nq) and `mocap` (T, M, 7)."""

    qpos: Array
    mocap: Array


class Focus(NamedTuple):
    """What a camera is to look at: a centre (3,) and a radius [m]."""

    centre: Array
    radius: float


def clip_of(
    name: str,
    model: str,
    built: Any,
    track: Track,
    focus: Focus,
    size: tuple[int, int],
    rng: np.random.Generator,
    *,
    camera_moves: bool,
) -> Clip:
    """Put a camera to what a model does, and write both down."""
    fovy = round(rng.uniform(38, 62), 2)
    cameras = _cameras(built, track, focus, fovy, rng, camera_moves)
    return Clip(name, model, *size, fovy, _written(track.qpos), _written(track.mocap), _written(cameras))


def _written(values: Array) -> Any:
    return np.round(values, DIGITS).tolist()


def resting(track: Track, frames: int) -> Track:
    """Keep the first state for all frames."""
    return Track(np.repeat(track.qpos[:1], frames, axis=0), np.repeat(track.mocap[:1], frames, axis=0))


def random_track(built: Any, scene: RandomScene, frames: int, rng: np.random.Generator) -> Track:
    """Let more than half of the objects travel over or above the table, and the arm swing."""
    start, end = _arm_angles(built, scene, rng), _arm_angles(built, scene, rng)
    share = rng.choice([0.0, 0.15, 1.0]) * _progress(frames, rng)
    qpos = start + share[:, None] * (end - start)
    paths: list[Array] = []
    for index in range(len(scene.objects)):
        paths.append(_path(scene, index, paths, frames, rng))
    return Track(qpos, np.stack(paths, axis=1))


def _progress(frames: int, rng: np.random.Generator) -> Array:
    """Return how far (T,) a motion has come: from 0 to 1, in steps of very different lengths."""
    steps = np.exp(rng.uniform(-3, 0, frames - 1))
    return np.concatenate([[0.0], np.cumsum(steps) / steps.sum()])


def _arm_angles(built: Any, scene: RandomScene, rng: np.random.Generator) -> Array:
    """Draw joint angles with which no part of the arm is in the table, if that is soon found."""
    mujoco = load_mujoco()
    data = mujoco.MjData(built)
    arm = [built.body(i).id for i in range(built.nbody) if built.body(i).name.startswith(("link", "gripper"))]
    angles = np.zeros(built.nq)
    for _ in range(_TRIES):
        angles = rng.uniform(-1.3, 1.3, built.nq)
        data.qpos[:] = angles
        mujoco.mj_kinematics(built, data)
        if not arm or (data.xipos[arm, 2] > scene.table + 0.02).all():
            break
    return angles


def _path(
    scene: RandomScene, index: int, others: list[Array], frames: int, rng: np.random.Generator
) -> Array:
    """Return the path (T, 7) of an object that meets none of the others, if that is soon found."""
    path = np.zeros((frames, 7))
    for attempt in range(_TRIES):
        path = _free_path(scene, index, frames, rng, moves=rng.random() < 0.6 and attempt < _TRIES // 2)
        gaps = [
            np.linalg.norm(path[:, :2] - other[:, :2], axis=1) - scene.objects[index] - scene.objects[place]
            for place, other in enumerate(others)
        ]
        if not gaps or np.min(gaps) > 0:
            break
    return path


def _free_path(
    scene: RandomScene, index: int, frames: int, rng: np.random.Generator, *, moves: bool
) -> Array:
    spot = rng.uniform(-0.8, 0.8, 2) * scene.radius
    start = np.array([*spot, scene.table + scene.heights[index] + 1e-4 * index])
    about, lift = rng.uniform(0, 2 * np.pi), 0.0
    if not moves:
        turn = Rotation.from_rotvec([0, 0, about]).as_quat(scalar_first=True)
        return np.tile(np.concatenate([start, turn]), (frames, 1))
    heading, length = rng.uniform(0, 2 * np.pi), np.exp(rng.uniform(np.log(0.04), np.log(0.9)))
    if rng.random() < 0.35:
        lift = length * rng.uniform(0.3, 1.2)
    axis = rng.normal(size=3) if lift and rng.random() < 0.5 else np.array([0, 0, 1.0])
    axis *= rng.normal(0, 0.6) / np.linalg.norm(axis)
    progress = _progress(frames, rng)[:, None]
    step = np.array([np.cos(heading) * length, np.sin(heading) * length, lift])
    turns = Rotation.from_rotvec(progress * axis) * Rotation.from_rotvec([0, 0, about])
    return np.concatenate([start + progress * step, turns.as_quat(scalar_first=True)], axis=1)


def _cameras(
    built: Any, track: Track, focus: Focus, fovy: float, rng: np.random.Generator, moves: bool
) -> Array:
    """Return poses (T, 7) from which the focus is seen: one for all frames, or each its own."""
    seen = _sight(built, track, focus, fovy)
    frames = len(track.qpos)
    low, high = np.log([max(_NEAREST, focus.radius), min(_FARTHEST, 5 * focus.radius)])
    middle = np.array([rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 1.1), rng.uniform(low, high)])
    aim = focus.centre + rng.normal(0, 0.25, 3) * focus.radius * [1, 1, 0.3]
    if not moves:
        drawn = [_near(middle, aim, focus, 0.3, rng) for _ in range(_TRIES)]
        best = max(drawn, key=lambda row: min(seen(0, row), seen(frames - 1, row)))
        return np.tile(best, (frames, 1))
    spreads = np.exp(rng.uniform(np.log(0.03), np.log(0.9), frames))
    rows = []
    for index, spread in enumerate(spreads):
        tries = [spread] * (_TRIES // 4) + [0.03] * (_TRIES // 8)  # the last ones keep to the middle
        drawn = [_near(middle, aim, focus, wide, rng) for wide in tries]
        rows.append(max(drawn, key=partial(seen, index)))
    return np.stack(rows)


def _near(middle: Array, aim: Array, focus: Focus, spread: float, rng: np.random.Generator) -> Array:
    """Draw a pose (7,) around a middle one: azimuth [rad], elevation [rad], log of the distance [m]."""
    azimuth, elevation, away = middle + rng.normal(size=3) * spread * [1, 0.9, 0.5]
    at = aim + rng.normal(size=3) * spread * focus.radius * [1, 1, 0.6]
    elevation = np.clip(elevation, 0.1, 1.2)
    level = np.cos(elevation)
    direction = np.array([np.cos(azimuth) * level, np.sin(azimuth) * level, np.sin(elevation)])
    pose = look_at(at + np.exp(np.clip(away, np.log(_NEAREST), np.log(_FARTHEST))) * direction, at)
    return np.concatenate([pose[:3, 3], Rotation.from_matrix(pose[:3, :3]).as_quat(scalar_first=True)])


def _sight(built: Any, track: Track, focus: Focus, fovy: float) -> Callable[[int, Array], int]:
    """Return a count of the bodies that a pose sees in a frame, up to four; none if the way is barred."""
    mujoco = load_mujoco()
    data = mujoco.MjData(built)
    reach = np.tan(np.radians(fovy) / 2) * np.linspace(-0.9, 0.9, 7)
    fan = np.array([(x, y, 1.0) for x in reach for y in reach])
    middle = len(fan) // 2

    def seen(index: int, row: Array) -> int:
        data.qpos[:] = track.qpos[index]
        if track.mocap.shape[1]:
            data.mocap_pos[:], data.mocap_quat[:] = track.mocap[index, :, :3], track.mocap[index, :, 3:]
        mujoco.mj_kinematics(built, data)
        eye, rays = row[:3].copy(), fan @ pose_of(row.tolist())[:3, :3].T
        geom, bodies = np.zeros(1, np.int32), set()
        for number, ray in enumerate(rays):
            depth = mujoco.mj_ray(built, data, eye, ray.copy(), _DRAWN, 1, -1, geom)
            if depth >= 0:
                bodies.add(int(built.geom_bodyid[geom[0]]))
            if number == middle and 0 <= depth < 0.5 * np.linalg.norm(focus.centre - eye):
                return 0
        return min(len(bodies), 4)

    return seen
