"""What happens in a random scene: where things stand, how they move, and from where it is seen."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from spatial_reward.camera import Array, look_at, rigid
from spatial_reward.envs.scenes import RandomScene


class View(NamedTuple):
    """How a robot's camera stands: elevation [rad], distance [m] and field of view [deg], from and to."""

    elevation: tuple[float, float]
    away: tuple[float, float]
    fov: tuple[float, float]


VIEWS = {
    "front": View((0.25, 0.8), (0.5, 1.4), (35, 60)),
    "side": View((0.12, 0.5), (0.5, 1.2), (40, 75)),
    "overhead": View((1.1, 1.5), (0.5, 1.2), (35, 60)),
    "wrist": View((0.6, 1.5), (0.2, 0.45), (50, 85)),
}
_SHARES = (0.5, 0.2, 0.15, 0.15)


class State(NamedTuple):
    """One instant: camera pose (4, 4), joint angles (J,), places (N, 3) and turns (N, 4) of the objects."""

    world_from_camera: Array
    angles: Array
    positions: Array
    turns: Array


def draw_states(scene: RandomScene, frames: int, rng: np.random.Generator) -> tuple[float, list[State]]:
    """Draw a field of view [deg] and states, each a variation of a first one.

    Half of the cameras stay, a quarter shift a little, a quarter travel; of the objects 45 % stay, 20 % are
    nudged, the others carried, on the table or lifted.
    """
    fov, poses = _camera(scene, frames, rng)
    layout = _layout(scene, rng)
    angles = rng.uniform(-1.3, 1.3, len(scene.joints))
    states = []
    for pose in poses:
        placed = [_moved(place, scene, rng) for place in layout]
        swung = angles + (rng.random() < 0.6) * rng.normal(0, 0.35, len(angles))
        states.append(State(pose, swung, np.array([p for p, _ in placed]), np.array([t for _, t in placed])))
    return fov, states


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
    """Leave an object where it is (45 %), nudge it (20 %), or carry it off."""
    position, turn = place
    luck = rng.random()
    if luck < 0.45:
        return place
    reach = scene.radius * (0.03 if luck < 0.65 else rng.uniform(0.1, 0.9))
    step = rng.normal(0, 0.6, 3) * reach * [1, 1, 0.7]
    step[2] = abs(step[2]) if rng.random() < 0.4 else 0.0
    angle = rng.normal(0, 0.1 if luck < 0.65 else 0.7)
    upright = step[2] == 0 or rng.random() < 0.6
    axis = np.array([0, 0, 1.0]) if upright else rng.normal(size=3)
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


def _camera(scene: RandomScene, frames: int, rng: np.random.Generator) -> tuple[float, list[Array]]:
    """Place the camera as robots have it; it stays, shifts a little, or travels."""
    view = VIEWS[str(rng.choice(list(VIEWS), p=_SHARES))]
    middle = np.array([rng.uniform(0, 2 * np.pi), rng.uniform(*view.elevation), np.log(_distance(view, rng))])
    luck = rng.random()
    spread = 0.0 if luck < 0.5 else 0.05 if luck < 0.75 else 0.05 * rng.uniform(2, 8)
    target = [*rng.normal(0, 0.25, 2) * scene.radius, scene.table + rng.uniform(0, 0.3) * scene.radius]
    roll = rng.normal(0, 0.04)
    poses = []
    for _ in range(frames):
        azimuth, elevation, away = middle + rng.normal(size=3) * spread
        at = target + rng.normal(size=3) * spread * scene.radius * 0.5
        elevation = float(np.clip(elevation, 0.1, 1.5))
        level, height = np.cos(elevation), np.sin(elevation)
        direction = np.array([np.cos(azimuth) * level, np.sin(azimuth) * level, height])
        poses.append(_rolled(look_at(at + np.exp(away) * direction, at), roll))
    return rng.uniform(*view.fov), poses


def _distance(view: View, rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(*np.log(view.away))))


def _rolled(pose: Array, angle: float) -> Array:
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    rolled: Array = pose @ rigid(turn, np.zeros(3))
    return rolled
