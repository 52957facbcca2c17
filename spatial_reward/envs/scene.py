"""Turn a running simulation into a scene: tracked surface points that ride on bodies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, Camera
from spatial_reward.envs.camera_path import turned
from spatial_reward.envs.outline import outline
from spatial_reward.envs.simulator import Simulator
from spatial_reward.envs.visibility import seen
from spatial_reward.types import Frame, Scene

SAMPLED = (3, 7)  # frames that points are drawn from, after a look around and without
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
    """Watch a simulation with one camera and track points on the surface of everything in it.

    Args:
        simulator: The camera that watches, and the environment.
        states: One frame is taken after each item of an iterable that moves the simulation on, such as
            `rollout`; or a function that moves it on and returns False at the end.
        rng: Draws the points.
        points_per_body: At most so many on each; fewer where less is seen.

    Raises:
        ValueError: If there are no states, or the environment makes another model on the way.
    """
    watch = Watch(rng, points_per_body)
    for _ in iter(states, False) if callable(states) else states:
        watch.look(simulator)
    return watch.scene()


class Watch:
    """Take frames of a simulation with any cameras, and make a scene of them.

    Points are drawn from depth pictures: some of the frames and, if wanted, views from all around what the
    first camera looks at, in the first state. Half of them at most bound their body, so that its size is
    exact. A point is visible where the picture shows its body and nothing of it lies in front.

    Args:
        rng: Draws the points.
        points_per_body: At most so many on each; fewer where less is seen.
        around: Look around, so that there are points that no frame shows.
    """

    def __init__(self, rng: np.random.Generator, points_per_body: int = 64, around: bool = True) -> None:
        """Start with no frames."""
        self._rng, self._count, self._around = rng, points_per_body, around
        self._frames: list[Frame] = []
        self._shown: list[NDArray[np.int32]] = []
        self._poses: list[Poses] = []
        self._samples: list[Riders] = []
        self._model: Any = None

    def look(self, simulator: Simulator, view: str = "") -> None:
        """Take a frame of the state now; `view` is what its camera is called, if not as usual.

        Raises:
            ValueError: If the model is not that of the frame before.
        """
        frame, bodies = simulator.capture()
        model, data = simulator.drawn
        self._model = _same_model(self._model, model)
        self._frames.append(replace(frame, view=view) if view else frame)
        self._shown.append(bodies)
        self._poses.append(_poses(data))
        if self._around and len(self._frames) == 1:
            self._samples = _around(simulator, self._poses[0], self._rng, self._count)

    def scene(self) -> Scene:
        """Return the scene of all frames so far.

        Raises:
            ValueError: If there are none.
        """
        if not self._frames:
            raise ValueError("`states` yielded nothing: a scene needs at least one state.")
        for index in self._sampled():
            seen_there = *_view(self._frames[index]), self._shown[index], self._poses[index]
            self._samples.append(_sample(*seen_there, self._rng, self._count))
        riders = _thinned(self._samples, self._outlines(), self._rng, self._count)
        return _scene(self._model, self._frames, self._shown, self._poses, riders)

    def _sampled(self) -> list[int]:
        """List the frames that points are drawn from: some, and those that show most of what they lack."""
        last, some = len(self._frames) - 1, SAMPLED[0 if self._around else 1]
        chosen = np.unique(np.linspace(0, last, some).round().astype(int)).tolist()
        area = np.stack([_area(bodies, self._model.nbody) for bodies in self._shown])
        missing = (area[chosen] == 0).all(axis=0) & (area > 0).any(axis=0)
        for riders in self._samples:
            missing[riders.body] = False
        return list(dict.fromkeys(chosen + np.argmax(area[:, missing], axis=0).tolist()))

    def _outlines(self) -> Riders:
        """Return the points that bound each body that was seen, except the world."""
        bodies = np.unique(np.concatenate([sample.body for sample in self._samples]))
        turns, count = self._poses[0].rotation, self._count // 2
        found = [outline(self._model, body, turns[body], count) for body in bodies.tolist() if body > 0]
        owners = [body for body in bodies.tolist() if body > 0]
        numbers = np.repeat(np.array(owners, np.int64), [len(points) for points in found])
        return Riders(np.concatenate([*found, np.zeros((0, 3))]), numbers)


def _scene(
    model: Any, frames: list[Frame], shown: list[NDArray[np.int32]], poses: list[Poses], riders: Riders
) -> Scene:
    points = np.stack([pose.world(*riders) for pose in poses])
    views = zip(frames, shown, points, strict=True)
    visible = [seen(*_view(frame), bodies, now, riders.body) for frame, bodies, now in views]
    numbers, body = np.unique(riders.body, return_inverse=True)
    names = tuple(model.body(int(number)).name or f"body {number}" for number in numbers)
    place = np.full(model.nbody + 1, -1, np.int32)  # the last is that of the background, -1
    place[numbers] = np.arange(len(numbers))
    named = [replace(frame, bodies=place[bodies]) for frame, bodies in zip(frames, shown, strict=True)]
    return Scene(tuple(named), points, np.stack(visible), body.astype(np.int64), names)


def _area(bodies: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """Count the pixels of each body."""
    return np.bincount(bodies.ravel() + 1, minlength=count + 1)[1:]


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


def _thinned(samples: list[Riders], outlines: Riders, rng: np.random.Generator, count: int) -> Riders:
    """Keep up to `count` points of each body, its outline first, sorted by body."""
    local, body = (np.concatenate(parts) for parts in zip(*samples, strict=True))
    order = rng.permutation(len(body))
    local, body = np.concatenate([outlines.local, local[order]]), np.concatenate([outlines.body, body[order]])
    chosen = _first_of_each(body, count)
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


def _poses(data: Any) -> Poses:
    return Poses(data.xpos.copy(), data.xmat.reshape(-1, 3, 3).copy())


def _same_model(before: Any, now: Any) -> Any:
    if before is not None and before is not now:
        raise ValueError("The environment made another model on the way: capture one episode at a time.")
    return now
