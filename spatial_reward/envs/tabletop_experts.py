"""Scripted experts of the table-top tasks, and scripted failures: plausible behaviour that does not do it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from spatial_reward.envs.rollout import Policy
from spatial_reward.envs.tabletop import MAX_STEP, Tabletop
from spatial_reward.envs.tabletop_moves import (
    CARRY,
    CLOSED,
    CUBE,
    OPEN,
    Moves,
    at_height,
    carry,
    direction,
    elsewhere,
    go,
    grasp,
    push,
    release,
    rise,
    stack,
    wait,
    where,
)

Play = Callable[[Tabletop, np.random.Generator], Moves]


def expert(env_id: str, *, seed: int | np.random.Generator = 0, noise: float = 0.0) -> Policy:
    """Return the policy that solves `env_id` from the simulator's truth.

    Args:
        env_id: "SpatialReward/Reach-v0" and so on.
        seed: Of what the policy draws.
        noise: Standard deviation of what is added to each step along x, y, z, in action units.

    Raises:
        ValueError: If there is no expert for `env_id`.
    """
    return _Script(_of(EXPERTS, env_id), seed, noise)


def failure(env_id: str, name: str, *, seed: int | np.random.Generator = 0, noise: float = 0.0) -> Policy:
    """Return a policy that fails `env_id` in the way called `name`: one of `failures(env_id)`.

    Raises:
        ValueError: If there is no such failure.
    """
    plays = _of(FAILURES, env_id)
    if name not in plays:
        raise ValueError(f"{env_id!r} has no failure {name!r}. Choose one of {list(plays)}.")
    return _Script(plays[name], seed, noise)


def failures(env_id: str) -> tuple[str, ...]:
    """Return the names of the ways to fail `env_id`."""
    return tuple(_of(FAILURES, env_id))


def _of(table: Mapping[str, Any], env_id: str) -> Any:
    if env_id not in table:
        raise ValueError(f"No scripts for {env_id!r}. There are some for {list(table)}.")
    return table[env_id]


class _Script:
    """Play a script of moves from the start of each episode; hold the last pose when it is over."""

    def __init__(self, play: Play, seed: int | np.random.Generator, noise: float) -> None:
        self._play, self._noise = play, noise
        self._rng = np.random.default_rng(seed)
        self._moves: Moves = iter(())

    def __call__(self, env: gym.Env[Any, Any], obs: Any) -> NDArray[np.float32]:
        scene: Any = env.unwrapped
        if scene.data.time == 0.0:
            self._moves = self._whole(scene)
        action = next(self._moves)
        action[:3] += self._noise * self._rng.standard_normal(3)
        return np.clip(action[: 4 if scene.grasps else 3], -1, 1).astype(np.float32)

    def _whole(self, scene: Tabletop) -> Moves:
        fingers = OPEN
        for action in self._play(scene, self._rng):
            fingers = action[3]
            yield action.copy()
        rest = scene.arm.setpoint
        while True:
            yield np.append((rest - scene.arm.setpoint) / MAX_STEP, fingers)


# Experts.


def _reach(scene: Tabletop, rng: np.random.Generator) -> Moves:
    yield from go(scene, where(scene, "target"), CLOSED)


def _push_to_pad(scene: Tabletop, rng: np.random.Generator) -> Moves:
    yield from push(scene, "cube", where(scene, "pad")[:2])


def _lift(scene: Tabletop, rng: np.random.Generator) -> Moves:
    yield from grasp(scene, "cube")
    yield from rise(scene, CARRY, CLOSED)


def _stack_a_on_b(scene: Tabletop, rng: np.random.Generator) -> Moves:
    yield from stack(scene, "cube_a", "cube_b")


EXPERTS: Mapping[str, Play] = {
    "SpatialReward/Reach-v0": _reach,
    "SpatialReward/Push-v0": _push_to_pad,
    "SpatialReward/Lift-v0": _lift,
    "SpatialReward/Stack-v0": _stack_a_on_b,
}

# Failures.


def _idle(scene: Tabletop, rng: np.random.Generator) -> Moves:
    yield from ()


def _wrong(scene: Tabletop, rng: np.random.Generator) -> str | None:
    """Choose a distractor, if there is one."""
    return str(rng.choice(scene.distractors)) if scene.distractors else None


def _reach_near_miss(scene: Tabletop, rng: np.random.Generator) -> Moves:
    target = where(scene, "target")
    yield from go(scene, np.append(elsewhere(target, rng, 0.08), target[2]), CLOSED)


def _reach_wrong_object(scene: Tabletop, rng: np.random.Generator) -> Moves:
    """Touch a distractor; without one, a place on the empty table."""
    wrong, target = _wrong(scene, rng), where(scene, "target")
    goal = where(scene, wrong) if wrong else np.append(elsewhere(target, rng, 0.15), 0.03)
    yield from go(scene, at_height(goal, 0.12), CLOSED)
    yield from go(scene, goal + np.array([0.0, 0.0, 0.02]), CLOSED, patience=15)


def _reach_undo(scene: Tabletop, rng: np.random.Generator) -> Moves:
    start = scene.arm.tip
    yield from _reach(scene, rng)
    yield from wait(3, CLOSED)
    yield from go(scene, start, CLOSED)


def _push_near_miss(scene: Tabletop, rng: np.random.Generator) -> Moves:
    """Stop 7 cm short of the pad."""
    cube, pad = where(scene, "cube")[:2], where(scene, "pad")[:2]
    yield from push(scene, "cube", pad - 0.07 * direction(cube, pad))


def _push_wrong_object(scene: Tabletop, rng: np.random.Generator) -> Moves:
    """Push a distractor 10 cm; without one, sweep over empty table."""
    wrong, cube = _wrong(scene, rng), where(scene, "cube")[:2]
    if wrong:
        place = where(scene, wrong)[:2]
        yield from push(scene, wrong, place + 0.10 * direction(cube, place), patience=25)
        return
    aside = cube + 0.12 * direction(where(scene, "pad")[:2], cube)
    yield from go(scene, at_height(aside, 0.12), CLOSED)
    yield from go(scene, at_height(aside, 0.03), CLOSED)


def _push_undo(scene: Tabletop, rng: np.random.Generator) -> Moves:
    """Push the cube onto the pad, and from the other side off it again."""
    start, pad = where(scene, "cube")[:2], where(scene, "pad")[:2]
    yield from push(scene, "cube", pad, near=0.03)
    yield from push(scene, "cube", pad + 0.08 * direction(pad, start))


def _lift_near_miss(scene: Tabletop, rng: np.random.Generator) -> Moves:
    """Hold the cube at half the height."""
    yield from grasp(scene, "cube")
    yield from rise(scene, 0.075, CLOSED)


def _lift_wrong_object(scene: Tabletop, rng: np.random.Generator) -> Moves:
    """Lift a distractor; without one, close the fingers on nothing and lift that."""
    wrong, cube = _wrong(scene, rng), where(scene, "cube")
    place = where(scene, wrong) if wrong else np.append(elsewhere(cube, rng, 0.12), 0.025)
    yield from go(scene, at_height(place, 0.12), OPEN)
    yield from go(scene, place, OPEN)
    yield from wait(7, CLOSED)
    yield from rise(scene, CARRY, CLOSED)


def _push_not_lift(scene: Tabletop, rng: np.random.Generator) -> Moves:
    """Push the cube over the table instead of lifting it."""
    cube = where(scene, scene.objects[0])[:2]
    yield from push(scene, scene.objects[0], elsewhere(cube, rng, 0.08), patience=40)


def _lift_drop(scene: Tabletop, rng: np.random.Generator) -> Moves:
    yield from _lift(scene, rng)
    yield from release(scene)


def _lift_undo(scene: Tabletop, rng: np.random.Generator) -> Moves:
    """Lift the cube, and lay it back."""
    start = where(scene, "cube")
    yield from _lift(scene, rng)
    yield from wait(3, CLOSED)
    yield from go(scene, start, CLOSED, speed=0.5)
    yield from release(scene)


def _stack_near_miss(scene: Tabletop, rng: np.random.Generator) -> Moves:
    """Lay the first cube down beside the second."""
    first, second = where(scene, "cube_a")[:2], where(scene, "cube_b")[:2]
    beside = second - (CUBE + 0.03) * direction(first, second)
    yield from grasp(scene, "cube_a")
    yield from carry(scene, "cube_a", at_height(beside, CUBE / 2))
    yield from release(scene)


def _stack_b_on_a(scene: Tabletop, rng: np.random.Generator) -> Moves:
    yield from stack(scene, "cube_b", "cube_a")


def _stack_drop(scene: Tabletop, rng: np.random.Generator) -> Moves:
    """Let go of the first cube half way to the second."""
    halfway = (where(scene, "cube_a") + where(scene, "cube_b")) / 2
    yield from grasp(scene, "cube_a")
    yield from rise(scene, CARRY, CLOSED)
    yield from go(scene, at_height(halfway, 0.12), CLOSED)
    yield from release(scene)


def _stack_undo(scene: Tabletop, rng: np.random.Generator) -> Moves:
    """Stack, and take the first cube back to where it lay."""
    start = where(scene, "cube_a")
    yield from _stack_a_on_b(scene, rng)
    yield from grasp(scene, "cube_a")
    yield from carry(scene, "cube_a", start)
    yield from release(scene)


FAILURES: Mapping[str, Mapping[str, Play]] = {
    "SpatialReward/Reach-v0": {
        "near_miss": _reach_near_miss,
        "wrong_object": _reach_wrong_object,
        "undo": _reach_undo,
        "idle": _idle,
    },
    "SpatialReward/Push-v0": {
        "near_miss": _push_near_miss,
        "wrong_object": _push_wrong_object,
        "undo": _push_undo,
        "idle": _idle,
    },
    "SpatialReward/Lift-v0": {
        "near_miss": _lift_near_miss,
        "wrong_object": _lift_wrong_object,
        "push_not_lift": _push_not_lift,
        "drop": _lift_drop,
        "undo": _lift_undo,
        "idle": _idle,
    },
    "SpatialReward/Stack-v0": {
        "near_miss": _stack_near_miss,
        "wrong_object": _stack_b_on_a,
        "push_not_lift": _push_not_lift,
        "drop": _stack_drop,
        "undo": _stack_undo,
        "idle": _idle,
    },
}
