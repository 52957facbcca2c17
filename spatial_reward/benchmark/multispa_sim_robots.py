"""The held-out robots of multispa-sim, Pusher-v5 and HandManipulateBlock-v1: looks, sizes, motions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from spatial_reward.benchmark.multispa_sim_scenes import Model, edit
from spatial_reward.benchmark.multispa_sim_states import Focus, Track
from spatial_reward.camera import Array
from spatial_reward.envs.catalogue import make
from spatial_reward.envs.simulator import physics

ROBOTS = ("Pusher-v5", "HandManipulateBlock-v1")
_HIDDEN = 5  # a geom group that is not drawn


class Filmable(NamedTuple):
    """A robot's model, its MjModel, what it does, and what to look at."""

    model: Model
    built: Any
    track: Track
    focus: Focus


def robot(name: str, env_id: str, frames: int, seed: int) -> Filmable:
    """Make an environment, change looks and sizes, and let it act at random."""
    rng = np.random.default_rng(seed)
    env = make(env_id)
    env.reset(seed=seed)
    built, data = physics(env)
    draw, track, look = _PARTS[env_id]
    edits, names, light = draw(built, rng)
    model = Model(name, env_id, "", names, edits, light)
    edit(built, model)
    filmable = Filmable(model, built, track(env, built, data, frames, rng), look(data))
    env.close()
    return filmable


def _colour(rng: np.random.Generator) -> list[float]:
    return [*rng.uniform(0.2, 0.95, 3).round(3).tolist(), 1.0]


def _light(rng: np.random.Generator) -> tuple[float, ...]:
    return round(rng.uniform(0.3, 0.45), 3), round(rng.uniform(0.4, 0.6), 3), 0.1


Looks = tuple[Mapping[str, Mapping[str, Any]], Mapping[str, str], tuple[float, ...]]


def _pusher(built: Any, rng: np.random.Generator) -> Looks:
    puck, disc = built.body("object").geomadr[0], built.body("goal").geomadr[0]
    radius, height, flat = (
        np.exp(rng.uniform(np.log([0.03, 0.02, 0.04]), np.log([0.1, 0.12, 0.16]))).round(4).tolist()
    )
    sizes = {str(puck): [radius, height, 0.0], str(disc): [flat, 0.001, 0.0]}
    centre = {str(puck): [0.0, 0.0, height - 0.05]}  # stands on the table
    arm, table = _colour(rng), _colour(rng)
    skin = range(5, built.ngeom - 2)
    colours = {"0": table, str(puck): _colour(rng), str(disc): _colour(rng)} | {str(i): arm for i in skin}
    edits = {"geom_size": sizes, "geom_rgba": colours, "geom_pos": centre}
    return edits, {"object": "cylinder", "goal": "disc"}, _light(rng)


def _pusher_track(env: Any, built: Any, data: Any, frames: int, rng: np.random.Generator) -> Track:
    """Swing the arm at random, and slide puck and disc in a straight line each, as it never does for long."""
    states = _acted(env, data, frames, rng, steps=(2, 12))
    slides = [built.joint(name).qposadr[0] for name in ("obj_slidey", "obj_slidex")]
    progress = np.concatenate([[0.0], np.cumsum(np.exp(rng.uniform(-3, 0, frames - 1)))])
    heading = rng.uniform(0, 2 * np.pi)
    length = np.exp(rng.uniform(np.log(0.05), np.log(0.5)))
    along = progress[:, None] / progress[-1] * length * [np.cos(heading), np.sin(heading)]
    states[:, slides] = states[:1, slides] + along
    return Track(states, np.zeros((frames, 0, 7)))


def _hand(built: Any, rng: np.random.Generator) -> Looks:
    edge = round(rng.uniform(0.018, 0.034), 4)  # [m] half
    block, hidden, target = (int(built.geom(name).id) for name in ("object", "object_hidden", "target"))
    sizes = {str(block): [edge] * 3, str(hidden): [edge - 0.001] * 3}
    # The floor's own material is invisible; the marker of the target shines through everything.
    edits: Mapping[str, Mapping[str, Any]] = {
        "geom_size": sizes,
        "geom_matid": {"0": -1},
        "geom_rgba": {"0": _colour(rng)},
        "geom_group": {str(target): _HIDDEN, str(hidden): _HIDDEN},
    }
    return edits, {"object": "cube"}, _light(rng)


def _hand_track(env: Any, built: Any, data: Any, frames: int, rng: np.random.Generator) -> Track:
    return Track(_acted(env, data, frames, rng, steps=(2, 8)), np.zeros((frames, 0, 7)))


def _acted(env: Any, data: Any, frames: int, rng: np.random.Generator, steps: tuple[int, int]) -> Array:
    """Return states (T, nq) while the robot acts at random, each action held for some steps."""
    states = [data.qpos.copy()]
    low, high = env.action_space.low, env.action_space.high
    while len(states) < frames:
        action = rng.uniform(low, high).astype(env.action_space.dtype)
        for _ in range(int(rng.integers(*steps))):
            env.step(action)
        states.append(data.qpos.copy())
    return np.array(states)


_PARTS: dict[str, tuple[Any, Any, Any]] = {
    "Pusher-v5": (_pusher, _pusher_track, lambda data: Focus(np.array([0.35, -0.25, -0.25]), 0.4)),
    "HandManipulateBlock-v1": (
        _hand,
        _hand_track,
        lambda data: Focus(data.body("robot0:palm").xpos + [0.0, -0.04, 0.02], 0.12),
    ),
}
