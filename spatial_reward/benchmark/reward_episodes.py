"""Film attempts in an environment: clips with exact truth, and the states they were filmed from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from spatial_reward.benchmark.reward_clips import Clip, Positions, tracks
from spatial_reward.benchmark.reward_metrics import stretch
from spatial_reward.camera import Array
from spatial_reward.envs.camera_path import CameraPath
from spatial_reward.envs.catalogue import RECIPES, Recipe, make
from spatial_reward.envs.gl import load_mujoco
from spatial_reward.envs.grounding import carriers
from spatial_reward.envs.rollout import Policy
from spatial_reward.envs.simulator import Grounding, Simulator, physics
from spatial_reward.rewards import Goal, parse_goal
from spatial_reward.types import Frame

DONE = 8  # steps in a row with the goal reached, after which an attempt has succeeded


@dataclass(frozen=True, eq=False)
class Take:
    """A clip, and the simulator's state (T, n) in each of its frames."""

    clip: Clip
    states: Array


class Stage:
    """An environment, its goal, and a camera.

    Besides the things of the goal it follows every other freely movable body that is in the picture: what a
    reward could mistake for them.

    Args:
        env: With a MuJoCo model.
        goal: What is asked for.
        camera: As for `Simulator`.
        size: Side of the pictures [px].
        name: Of the environment.
    """

    def __init__(
        self, env: gym.Env[Any, Any], goal: Goal, camera: str | CameraPath, size: int, name: str = ""
    ) -> None:
        """Set up the camera."""
        self.env, self.goal, self.name, self.size = env, goal, name, size
        self.camera = camera
        self.simulator = Simulator(env, camera, size, size)
        self.groundings: dict[str, Grounding] = {}
        self.others: tuple[str, ...] = ()

    @classmethod
    def of(cls, env_id: str, goal: str | None, camera: str | None, size: int | None) -> Stage:
        """Make an environment and its stage; None is what the catalogue knows.

        Raises:
            ValueError: If the environment is unknown, or not in the catalogue and without a goal.
        """
        recipe = recipe_of(env_id)
        env = make(env_id)
        words = goal or recipe.goal
        if not words:
            env.close()
            raise ValueError(f"{env_id!r} has no goal in the catalogue: give goal='near(a, b, within=3cm)'.")
        try:
            return cls(env, parse_goal(words), camera or recipe.camera, size or recipe.size, env_id)
        except TypeError as error:
            env.close()
            raise ValueError(f"The truth comes from a MuJoCo simulator. {error}") from error

    def close(self) -> None:
        """Free the renderer and the environment."""
        self.simulator.close()
        self.env.close()

    def reset(self, seed: int) -> Any:
        """Reset the environment and find the things in its picture; return its observation.

        Raises:
            ValueError: If a thing of the goal is unknown or not visible.
        """
        observation, _ = self.env.reset(seed=seed)
        self.groundings = {name: self.simulator.ground(name) for name in self.goal.names}
        others = {}
        for name in self._free_bodies():
            found = _tried(self.simulator, name)
            if found is not None:
                others[name] = found
        self.others = tuple(others)
        self.groundings |= others
        return observation

    def look(self) -> tuple[Frame, Positions]:
        """Draw the state now, and say where everything is."""
        return self.simulator.frame(depth=True), self.positions()

    def positions(self) -> Positions:
        """Say where everything is now."""
        return {name: self.simulator.position(one) for name, one in self.groundings.items()}

    def play(
        self, policy: Policy, steps: int, seed: int, frames: int, behaviour: str = "", whole: bool = False
    ) -> Take:
        """Play an attempt, and film the instants that tell most about it.

        Args:
            policy: What acts.
            steps: Most steps of the environment.
            seed: Of the layout.
            frames: Most pictures.
            behaviour: Its name.
            whole: Go on after the goal has been reached for a while.
        """
        observation = self.reset(seed)
        states, reached = [self.state()], 0
        watch = self.goal.watch(tracks(self.positions()))
        verdicts = [watch.see(tracks(self.positions()))]
        while len(states) <= steps and (whole or reached < DONE):
            observation, _, terminated, truncated, _ = self.env.step(policy(self.env, observation))
            states.append(self.state())
            verdicts.append(watch.see(tracks(self.positions())))
            reached = reached + 1 if verdicts[-1].success > 0.5 else 0
            if terminated or truncated:
                break
        distance = np.array([verdict.distance for verdict in verdicts])
        chosen = instants(distance, np.array([v.success > 0.5 for v in verdicts]), frames)
        return self.film(np.array(states)[chosen], behaviour, seed)

    def film(self, states: Array, behaviour: str, seed: int) -> Take:
        """Film states (T, n) of this episode."""
        seen = []
        for state in states:
            self.restore(state)
            seen.append(self.look())
        return Take(self.clip(seen, behaviour, seed), states)

    def clip(self, seen: Sequence[tuple[Frame, Positions]], behaviour: str, seed: int) -> Clip:
        """Make a clip of what was seen, the last of which is the state now."""
        frames, positions = zip(*seen, strict=True)
        ends = {name: _tried(self.simulator, name) for name in self.groundings}
        return Clip(
            frames=frames,
            goal=self.goal,
            references={name: one.reference for name, one in self.groundings.items()},
            positions=positions,
            end_references={name: one.reference for name, one in ends.items() if one is not None},
            env=self.name,
            behaviour=behaviour,
            seed=seed,
        )

    def state(self) -> Array:
        """Return the simulator's state: positions, velocities, mocap bodies, and all else that steps use."""
        mujoco, (model, data) = load_mujoco(), physics(self.env)
        kind = int(mujoco.mjtState.mjSTATE_INTEGRATION)
        state = np.empty(mujoco.mj_stateSize(model, kind))
        mujoco.mj_getState(model, data, state, kind)
        return state

    def restore(self, state: Array) -> None:
        """Go back to a state of this episode."""
        mujoco, (model, data) = load_mujoco(), physics(self.env)
        mujoco.mj_setState(model, data, state, int(mujoco.mjtState.mjSTATE_INTEGRATION))
        mujoco.mj_forward(model, data)

    @contextmanager
    def filmed_by(self, camera: str | CameraPath) -> Iterator[None]:
        """Look through another camera for a while."""
        kept = self.simulator
        self.simulator = Simulator(self.env, camera, self.size, self.size)
        try:
            yield
        finally:
            self.simulator.close()
            self.simulator = kept

    def body(self, name: str) -> int | None:
        """Return the freely movable body that a thing rides on; None where it rides on none."""
        model, _ = physics(self.env)
        body = int(carriers(model)[self.groundings[name].body])
        return body if _is_free(model, body) else None

    def _free_bodies(self) -> list[str]:
        """Name the freely movable bodies that no thing of the goal rides on."""
        model, _ = physics(self.env)
        taken = {self.body(name) for name in self.groundings}
        bodies = [body for body in range(1, model.nbody) if _is_free(model, body) and body not in taken]
        return [model.body(body).name for body in bodies if model.body(body).name]


def instants(distance: Array, reached: NDArray[np.bool_], count: int) -> NDArray[np.intp]:
    """Choose at most `count` steps to film: half of them while the goal is worked at, the rest around it.

    Args:
        distance: (T,) true distance to the goal [m].
        reached: (T,) whether it is reached.
        count: At least 2.
    """
    total, part = len(distance), stretch(distance, reached)
    if part.stop == part.start or total <= count:
        return np.unique(np.rint(np.linspace(0, total - 1, count)).astype(np.intp))
    outside = total - (part.stop - part.start)
    before = round((count - count // 2) * part.start / max(outside, 1))
    counts = before, count // 2, count - count // 2 - before
    pieces = (0, part.start), (part.start, part.stop), (part.stop, total)
    numbers = [
        np.rint(np.linspace(start, stop - 1, size))
        for (start, stop), size in zip(pieces, counts, strict=True)
        if stop > start and size
    ]
    return np.unique(np.concatenate([[0], *numbers, [total - 1]])).astype(np.intp)


def recipe_of(env_id: str) -> Recipe:
    """Return what the catalogue knows about an environment; of an unknown one, nothing but its name."""
    return RECIPES.get(env_id) or Recipe(env_id, goal="", expert=False)


def free_address(stage: Stage, body: int) -> slice:
    """Return where the pose (7,) of a freely movable body stands in `data.qpos`."""
    model, _ = physics(stage.env)
    start = int(model.jnt_qposadr[model.body_jntadr[body]])
    return slice(start, start + 7)


def robot_addresses(stage: Stage) -> NDArray[np.bool_]:
    """Return (nq,) which of `data.qpos` belong to no freely movable body: the robot's, doors', drawers'."""
    model, _ = physics(stage.env)
    mask = np.ones(model.nq, bool)
    for body in range(1, model.nbody):
        if _is_free(model, body):
            mask[free_address(stage, body)] = False
    return mask


def _is_free(model: Any, body: int) -> bool:
    free = int(load_mujoco().mjtJoint.mjJNT_FREE)
    return bool(body > 0 and model.body_jntnum[body] == 1 and model.jnt_type[model.body_jntadr[body]] == free)


def _tried(simulator: Simulator, name: str) -> Grounding | None:
    """Find a thing in the picture of now; None where it is not seen."""
    try:
        return simulator.ground(name)
    except ValueError:
        return None
