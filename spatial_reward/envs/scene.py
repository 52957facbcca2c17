"""Turn a running simulation into a scene: tracked surface points that ride on bodies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, Camera
from spatial_reward.envs.camera_path import turned
from spatial_reward.envs.simulator import Simulator
from spatial_reward.envs.visibility import seen
from spatial_reward.types import Frame, Scene

VIEWS = 7  # around the scene that points are sampled from, the simulator's own included


class Poses(NamedTuple):
    """Where all bodies are: origins (nbody, 3) [m] and rotations (nbody, 3, 3)."""

    origin: Array
    rotation: Array

    def world(self, local: Array, body: NDArray[np.int64]) -> Array:
        """Map points (N, 3) in the axes of their bodies (N,) to the world [m]."""
        moved: Array = np.einsum("nij,nj->ni", self.rotation[body], local) + self.origin[body]
        return moved

    def local(self, points: Array, body: NDArray[np.int64]) -> Array:
        """Map world points (N, 3) [m] to the axes of their bodies (N,)."""
        moved: Array = np.einsum("nji,nj->ni", self.rotation[body], points - self.origin[body])
        return moved


class Riders(NamedTuple):
    """Points (N, 3) in the axes of the bodies (N,) that they ride on [m]."""

    local: Array
    body: NDArray[np.int64]


def capture_scene(
    simulator: Simulator,
    states: Iterable[object] | Callable[[], object],
    rng: np.random.Generator,
    points_per_body: int = 64,
) -> Scene:
    """Watch a simulation and track points on the surface of everything in it.

    Points are drawn from depth pictures, in the first state from all around what the camera looks at, and
    from its own pictures at the start, the middle and the end. A point is visible where the picture shows
    its body and nothing of it lies in front.

    Args:
        simulator: The camera that watches, and the environment.
        states: One frame is taken after each item of an iterable that moves the simulation on, such as
            `rollout`; or a function that moves it on and returns False at the end.
        rng: Draws the points.
        points_per_body: At most so many on each; fewer where less is seen.

    Raises:
        ValueError: If there are no states, or the environment makes another model on the way.
    """
    frames: list[Frame] = []
    shown: list[NDArray[np.int32]] = []
    poses: list[Poses] = []
    samples: list[Riders] = []
    model: Any = None
    for _ in iter(states, False) if callable(states) else states:
        frame, bodies = simulator.capture()
        model = _same_model(model, simulator.state()[0])
        frames.append(frame)
        shown.append(bodies)
        poses.append(_poses(simulator))
        if len(frames) == 1:
            samples = _around(simulator, poses[0], rng, points_per_body)
    if not frames:
        raise ValueError("`states` yielded nothing: a scene needs at least one state.")
    for index in dict.fromkeys((0, len(frames) // 2, len(frames) - 1)):
        samples.append(_sample(*_view(frames[index]), shown[index], poses[index], rng, points_per_body))
    return _scene(model, frames, shown, poses, _thinned(samples, rng, points_per_body))


def _scene(
    model: Any, frames: list[Frame], shown: list[NDArray[np.int32]], poses: list[Poses], riders: Riders
) -> Scene:
    points = np.stack([pose.world(*riders) for pose in poses])
    views = zip(frames, shown, points, strict=True)
    visible = [seen(*_view(frame), bodies, now, riders.body) for frame, bodies, now in views]
    numbers, body = np.unique(riders.body, return_inverse=True)
    names = tuple(model.body(int(number)).name or f"body {number}" for number in numbers)
    return Scene(tuple(frames), points, np.stack(visible), body.astype(np.int64), names)


def _around(simulator: Simulator, poses: Poses, rng: np.random.Generator, count: int) -> list[Riders]:
    """Sample what is seen from all around in the state now."""
    here = simulator.camera.world_from_camera
    found = []
    for degrees in np.linspace(0, 360, VIEWS, endpoint=False)[1:]:
        view = simulator.look_from(turned(here, simulator.distance, degrees))
        found.append(_sample(*view, poses, rng, count))
    return found


def _sample(
    camera: Camera,
    depth: NDArray[np.float32],
    bodies: NDArray[np.int32],
    poses: Poses,
    rng: np.random.Generator,
    count: int,
) -> Riders:
    """Draw up to `count` pixels of each body and lift them to points that ride on it."""
    flat = bodies.ravel()
    order = rng.permutation(np.flatnonzero(flat >= 0))
    chosen = order[_first_of_each(flat[order], count)]
    rows, columns = np.divmod(chosen, bodies.shape[1])
    points = camera.unproject(np.stack([columns, rows], axis=1) + 0.5, depth[rows, columns])
    body = flat[chosen].astype(np.int64)
    return Riders(poses.local(points, body), body)


def _thinned(samples: list[Riders], rng: np.random.Generator, count: int) -> Riders:
    """Keep up to `count` points of each body, sorted by body."""
    local = np.concatenate([sample.local for sample in samples])
    body = np.concatenate([sample.body for sample in samples])
    order = rng.permutation(len(body))
    chosen = order[_first_of_each(body[order], count)]
    chosen = chosen[np.argsort(body[chosen], kind="stable")]
    return Riders(local[chosen], body[chosen])


def _first_of_each(values: NDArray[Any], count: int) -> NDArray[np.int64]:
    """Return the indices of the first `count` occurrences of each value."""
    kept = [np.flatnonzero(values == value)[:count] for value in np.unique(values)]
    return np.concatenate([*kept, np.zeros(0, np.int64)])


def _view(frame: Frame) -> tuple[Camera, NDArray[np.float32]]:
    if frame.camera is None or frame.depth is None:
        raise ValueError("A frame of a scene needs its camera and depth.")
    return frame.camera, frame.depth


def _poses(simulator: Simulator) -> Poses:
    _, data = simulator.state()
    return Poses(data.xpos.copy(), data.xmat.reshape(-1, 3, 3).copy())


def _same_model(before: Any, now: Any) -> Any:
    if before is not None and before is not now:
        raise ValueError("The environment made another model on the way: capture one episode at a time.")
    return now
