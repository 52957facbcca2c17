"""Cameras of a MuJoCo scene: fixed, moving through it, or riding on a gripper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spatial_reward.camera import Array, invert, look_at
from spatial_reward.envs.gl import load_mujoco
from spatial_reward.envs.grounding import body_pose
from spatial_reward.envs.scene import Watch
from spatial_reward.envs.simulator import Simulator

LOWEST, HIGHEST = 8.0, 70.0  # [deg] elevation of a moving camera above what it looks at
NEAREST = 0.35  # share of the way to what is looked at that must be free
ROOM = 0.05  # share of that way that must be free to every side
TRIES = 12  # places of a moving camera, each nearer to where it starts
WRISTS = ("wrist", "gripper", "hand", "grip", "egocentric")  # in the names of cameras on a wrist

# Spread of a moving camera: azimuth, elevation [deg], logarithm of the distance, and of what it looks at as
# a share of the distance along x, y, z; while it travels, and between views of one instant.
TRAVEL = np.array([25.0, 9.0, 0.15, 0.06, 0.06, 0.04])
LEAP = np.array([75.0, 15.0, 0.40, 0.10, 0.10, 0.06])
SMALLEST = 0.06  # share of these spreads


@dataclass
class Placed:
    """A camera path that is told where it is; until then it is its base.

    Attributes:
        base: Name of the camera whose field of view it has.
        at: `world_from_camera` (4, 4) [m] now.
    """

    base: str
    at: Array | None = None

    def pose(self, world_from_base: Array, distance: float, time: float) -> Array:
        """Return `world_from_camera` (4, 4)."""
        return world_from_base if self.at is None else self.at


class View:
    """One camera of a scene.

    Args:
        name: What frames call it.
        simulator: That draws.
        path: Told where to be before each frame; None: the model knows where the camera is.
    """

    moves = False

    def __init__(self, name: str, simulator: Simulator, path: Placed | None = None) -> None:
        """Keep the camera."""
        self.name, self.simulator, self.path = name, simulator, path

    def aim(self, leap: bool) -> None:
        """Place the camera for the next frame, far from the last if `leap`; a fixed one stays."""


class Moving(View):
    """A camera that travels around what its base looks at: by small steps and large ones."""

    moves = True

    def __init__(self, name: str, simulator: Simulator, path: Placed, rng: np.random.Generator) -> None:
        """Start where the base is, or at the nearest elevation allowed."""
        super().__init__(name, simulator, path)
        path.at = None
        pose, self._rng, self._away = simulator.camera.world_from_camera, rng, np.zeros(6)
        self._distance, self._base = simulator.distance, pose
        self._target = pose[:3, 3] + self._distance * pose[:3, 2]

    def aim(self, leap: bool) -> None:
        """Move on by a step of random size, or leap to anywhere around; never into or behind things."""
        wide = leap and self._rng.random() < 0.6
        size = self._rng.uniform(0.5, 1.5) if wide else np.exp(self._rng.uniform(np.log(SMALLEST), 0.0))
        step = self._rng.normal(size=6) * size * (LEAP if wide else TRAVEL)
        away = step if leap else 0.9 * self._away + step
        for shrink in 0.8 ** np.arange(TRIES):
            pose, target = self._pose(shrink * away)
            if is_clear(*self.simulator.state(), pose[:3, 3], target):
                break
        self._away = shrink * away
        assert self.path is not None
        self.path.at = pose

    def _pose(self, away: Array) -> tuple[Array, Array]:
        """Return the pose that is `away` from the base (azimuth, elevation, ...), and what it looks at."""
        x, y, z = -self._base[:3, 2]
        azimuth = np.arctan2(y, x) + np.radians(away[0])
        start = np.clip(np.degrees(np.arcsin(np.clip(z, -1, 1))), LOWEST, HIGHEST)
        elevation = np.radians(np.clip(start + away[1], LOWEST, HIGHEST))
        target = self._target + self._distance * away[3:]
        level = np.cos(elevation)
        direction = np.array([level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)])
        return look_at(target + self._distance * np.exp(away[2]) * direction, target), target


class Mounted(View):
    """A camera that rides on a body: it looks over it, from where the base is, a quarter of the way."""

    def __init__(
        self, name: str, simulator: Simulator, path: Placed, body: int, rng: np.random.Generator
    ) -> None:
        """Fix the camera to the body in the state now."""
        super().__init__(name, simulator, path)
        path.at = None
        (_, data), base = simulator.state(), simulator.camera.world_from_camera
        target = np.array(data.xipos[body])
        back = base[:3, 3] - target
        away = 0.25 * float(np.linalg.norm(back))
        back = back / np.linalg.norm(back) * [1, 1, 0] + [0, 0, 0.9] + rng.normal(0, 0.1, 3)
        eye = target + away * back / np.linalg.norm(back)
        pose = look_at(eye, target + [0, 0, -0.15 * away])
        self._body, self._body_from_camera = body, invert(body_pose(data, body)) @ pose

    def aim(self, leap: bool) -> None:
        """Follow the body."""
        assert self.path is not None
        self.path.at = body_pose(self.simulator.state()[1], self._body) @ self._body_from_camera


def plan_shots(frames: int, moving: bool, rng: np.random.Generator) -> list[int]:
    """Plan how many pictures a moving camera takes of each state: of one, early on, a third of all."""
    if not moving:
        return [1] * frames
    burst = max(2, frames // 3)
    shots = [1] * (frames - burst + 1)
    shots[int(rng.integers(1 + len(shots) // 3))] = burst
    return shots


def take(watch: Watch, views: Sequence[View], shots: int) -> None:
    """Take a frame of the state now with each view, and `shots` of them with those that move."""
    for shot in range(shots):
        for view in views:
            if shot == 0 or view.moves:
                view.aim(leap=shot > 0)
                watch.look(view.simulator, view.name)


def is_clear(model: Any, data: Any, eye: Array, target: Array) -> bool:
    """Tell whether a camera may look from `eye` (3,) at `target` (3,) [m]: not in a thing or through one.

    Planes count as walls and floors, although MuJoCo's rays pass them from behind.
    """
    mujoco, hit = load_mujoco(), np.zeros(1, np.int32)
    drawn = np.array([1, 1, 1, 0, 0, 0], np.uint8)  # geom groups that MuJoCo draws by default
    distance = float(np.linalg.norm(target - eye))

    def free(direction: Array) -> float:
        found = mujoco.mj_ray(model, data, eye, direction, drawn, 1, -1, hit)
        return float(found) if found >= 0 else np.inf

    if (
        _through_a_plane(mujoco, model, data, eye, target)
        or free((target - eye) / distance) < NEAREST * distance
    ):
        return False
    return all(free(axis) > ROOM * distance for axis in np.concatenate([np.eye(3), -np.eye(3)]))


def _through_a_plane(mujoco: Any, model: Any, data: Any, eye: Array, target: Array) -> bool:
    """Tell whether the way from `eye` to `target` leads through a plane, or begins within 2 cm of one."""
    planes = np.flatnonzero(model.geom_type == int(mujoco.mjtGeom.mjGEOM_PLANE))
    plane_from_world = data.geom_xmat[planes].reshape(-1, 3, 3).swapaxes(1, 2)
    start, end = (
        np.einsum("pij,pj->pi", plane_from_world, at - data.geom_xpos[planes]) for at in (eye, target)
    )
    behind = (start[:, 2] < 0.02) & (end[:, 2] > start[:, 2])  # [m]
    share = np.clip(-start[:, 2] / np.where(behind, end[:, 2] - start[:, 2], 1.0), 0, 1)
    crossing = np.abs(start + share[:, None] * (end - start))[:, :2]
    size = np.where(model.geom_size[planes, :2] > 0, model.geom_size[planes, :2], np.inf)
    return bool((behind & (end[:, 2] > -0.02) & (crossing <= size).all(axis=1)).any())


def wrist_camera(model: Any) -> str | None:
    """Return the name of a camera of the model that rides on a wrist; None where none is called so."""
    names = [model.camera(index).name for index in range(model.ncam)]
    return next((name for word in WRISTS for name in names if word in name.lower()), None)


def make_views(
    names: Sequence[str],
    source: Any,
    size: tuple[int, int],
    rng: np.random.Generator,
    *,
    wrist: str | None = None,
    shadows: bool = False,
) -> list[View]:
    """Make the cameras of a scene, in the state now.

    Args:
        names: Of cameras: "moving", "wrist", or what `Simulator` knows.
        source: Environment or (MjModel, MjData).
        size: Width and height [px].
        rng: Draws where moving cameras go.
        wrist: Body that the wrist camera rides on; None: a camera of the model whose name says so.
        shadows: Draw shadows.

    Raises:
        ValueError: If there is no such camera or body.
    """
    return [_view(name, source, size, rng, wrist, shadows) for name in names]


def _view(
    name: str,
    source: Any,
    size: tuple[int, int],
    rng: np.random.Generator,
    wrist: str | None,
    shadows: bool,
) -> View:
    if name == "moving":
        path = Placed("default")
        return Moving(name, Simulator(source, path, *size, shadows), path, rng)
    if name != "wrist":
        return View(name, Simulator(source, name, *size, shadows))
    path, model = Placed("default"), Simulator(source, "default", *size).state()[0]
    if wrist is not None:
        return Mounted(name, Simulator(source, path, *size, shadows), path, body_number(model, wrist), rng)
    found = wrist_camera(model)
    if found is None:
        raise ValueError("No camera of the model is called after a wrist: say `wrist=` and a body's name.")
    return View(name, Simulator(source, found, *size, shadows))


def body_number(model: Any, name: str) -> int:
    """Return the number of a body.

    Raises:
        ValueError: If there is none of that name.
    """
    mujoco = load_mujoco()
    number = int(mujoco.mj_name2id(model, int(mujoco.mjtObj.mjOBJ_BODY), name))
    if number < 0:
        known = [model.body(index).name for index in range(1, model.nbody)]
        raise ValueError(f"No body is called {name!r}. There are: {', '.join(filter(None, known))}.")
    return number
