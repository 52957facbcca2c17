"""Record rollouts of simulated environments, with exact truth, in any of the formats of episodes.

python -m spatial_reward.data.episodes.record data --env FetchPush-v4 SpatialReward/Push-v0 --episodes 10
python -m spatial_reward.data.episodes.record data --env SpatialReward/Reach-v0 --formats lerobot hdf5 video
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from spatial_reward.camera import Array
from spatial_reward.data.episodes.base import Column
from spatial_reward.data.episodes.rollout import Rollout
from spatial_reward.data.episodes.write_hdf5 import write_hdf5
from spatial_reward.data.episodes.write_lerobot import write_lerobot
from spatial_reward.data.episodes.write_lerobot_v21 import write_lerobot_v21
from spatial_reward.data.episodes.write_mcap import write_mcap
from spatial_reward.data.episodes.write_minari import write_minari
from spatial_reward.data.episodes.write_npz import write_npz
from spatial_reward.data.episodes.write_video import write_videos
from spatial_reward.envs.camera_path import turned
from spatial_reward.envs.catalogue import RECIPES, Recipe, make
from spatial_reward.envs.experts import expert, idle, random
from spatial_reward.envs.simulator import Simulator
from spatial_reward.rewards import Track, parse_goal
from spatial_reward.types import Frame, Reference

FORMATS: dict[str, tuple[str, Callable[..., Path]]] = {  # where, and who writes
    "lerobot": ("lerobot", write_lerobot),
    "lerobot_v21": ("lerobot_v21", write_lerobot_v21),
    "hdf5": ("hdf5/rollouts.hdf5", write_hdf5),
    "minari": ("minari", write_minari),
    "video": ("video", write_videos),
    "npz": ("npz", write_npz),
    "mcap": ("mcap", write_mcap),
}
FRONT, SIDE = "front", "side"
TASKS = {  # in words, as people write them into their datasets
    "SpatialReward/Reach-v0": "reach the target",
    "SpatialReward/Push-v0": "push the cube onto the pad",
    "SpatialReward/Lift-v0": "lift the cube",
    "SpatialReward/Stack-v0": "stack the cubes",
    "FetchReach-v4": "reach the red mark",
    "FetchPush-v4": "push the block to the red mark",
    "FetchPickAndPlace-v4": "bring the block to the red mark",
    "FetchSlide-v4": "slide the puck to the red mark",
}


@dataclass(frozen=True)
class Turned:
    """A camera at rest, turned around what another one looks at.

    Attributes:
        base: Name of the other camera.
        degrees: Turn around the vertical [deg].
    """

    base: str = "default"
    degrees: float = 35.0  # [deg]

    def pose(self, world_from_base: Array, distance: float, time: float) -> Array:
        """Return `world_from_camera` (4, 4), the same at any time."""
        return turned(world_from_base, distance, self.degrees)


@dataclass
class _Tape:
    """What is noted while an episode runs."""

    frames: dict[str, list[Frame]]
    columns: dict[str, list[Any]] = field(default_factory=dict)

    def note(self, **values: Any) -> None:
        for name, value in values.items():
            self.columns.setdefault(name, []).append(value)

    def arrays(self) -> dict[str, Column]:
        names = {"state": "observation.state", "truth": "truth.distance_m"}
        names |= {name: f"next.{name}" for name in ("reward", "done", "success")}
        return {names.get(name, name): np.array(values) for name, values in self.columns.items()}


def record_episode(
    env_id: str,
    seed: int,
    *,
    size: int | None = None,
    steps: int | None = None,
    policy: str = "expert",
    noise: float = 0.0,
    depth: bool = True,
    degrees: float = 35.0,  # [deg]
    moving: bool = False,
) -> Rollout:
    """Roll one episode of an environment of the catalogue, seen by the cameras "front" and "side".

    A frame is what is seen when its action is taken.

    Args:
        env_id: A key of `catalogue.RECIPES`, or another id with `expert=False` policies.
        seed: Of the layout, and of what the policy draws.
        size: Side of the pictures [px]; None takes the recipe's.
        steps: Number of frames; None takes the recipe's.
        policy: "expert", "idle" or "random".
        noise: Standard deviation of noise on the expert's actions.
        depth: Record depth.
        degrees: Turn of the side camera [deg].
        moving: Let the side camera swing instead.

    Raises:
        ValueError: If the environment has no goal in the catalogue, or its things are not seen.
    """
    recipe = _recipe(env_id)
    env, act = make(env_id), _policy(policy, env_id, seed, noise)
    views = {FRONT: recipe.camera, SIDE: _side(recipe.camera, degrees, moving)}
    side = size or recipe.size
    simulators = {name: Simulator(env, view, side, side) for name, view in views.items()}
    try:
        return _roll(env, act, simulators, recipe, seed, steps or recipe.steps, depth)
    finally:
        for simulator in simulators.values():
            simulator.close()
        env.close()


def _roll(
    env: gym.Env[Any, Any],
    act: Any,
    simulators: Mapping[str, Simulator],
    recipe: Recipe,
    seed: int,
    steps: int,
    depth: bool,
) -> Rollout:
    goal, task = parse_goal(recipe.goal), TASKS.get(recipe.env_id, recipe.env_id)
    observation, _ = env.reset(seed=seed)
    grounded = {name: simulators[FRONT].ground(name) for name in goal.names}
    watch, tape = None, _Tape({name: [] for name in simulators})
    references = {FRONT: {name: found.reference for name, found in grounded.items()}}
    references |= _seen_from(simulators[SIDE], goal.names)
    for _ in range(steps):
        for name, simulator in simulators.items():
            tape.frames[name].append(simulator.frame(depth))
        positions = {name: simulators[FRONT].position(found) for name, found in grounded.items()}
        tracks = {name: Track(position) for name, position in positions.items()}
        watch = watch or goal.watch(tracks)
        tape.note(truth=np.float32(watch.see(tracks).distance), state=_state(observation))
        action = act(env, observation)
        observation, reward, terminated, truncated, info = env.step(action)
        success = bool(info.get(recipe.success_key, terminated)) if recipe.success_key else bool(terminated)
        tape.note(action=np.asarray(action, np.float32), reward=np.float32(reward), success=success)
        tape.note(done=bool(terminated or truncated))
        if terminated or truncated:
            break
    return Rollout(tape.frames, task, tape.arrays(), references, recipe.goal)


def _seen_from(simulator: Simulator, names: Sequence[str]) -> dict[str, dict[str, Reference]]:
    """Return the references of the side camera; none if it does not see them all."""
    try:
        return {SIDE: {name: simulator.ground(name).reference for name in names}}
    except ValueError:
        return {}


def _recipe(env_id: str) -> Recipe:
    if env_id not in RECIPES:
        raise ValueError(f"{env_id!r} has no goal in the catalogue. It knows {sorted(RECIPES)}.")
    return RECIPES[env_id]


def _side(camera: str, degrees: float, moving: bool) -> Any:
    from spatial_reward.envs.camera_path import orbit

    return orbit(camera) if moving else Turned(camera, degrees)


def _policy(name: str, env_id: str, seed: int, noise: float) -> Any:
    if name == "expert":
        return expert(env_id, seed=seed, noise=noise)
    if name not in ("idle", "random"):
        raise ValueError(f"`policy` must be expert, idle or random, got {name!r}.")
    return idle if name == "idle" else random(seed)


def _state(observation: Any) -> Column:
    """Return an observation as numbers."""
    if isinstance(observation, Mapping):
        observation = observation.get("observation", next(iter(observation.values())))
    return np.asarray(observation, np.float32).ravel()


def record_rollouts(
    env_ids: Sequence[str], episodes: int, seed: int = 0, **options: Any
) -> Iterator[Rollout]:
    """Yield rollouts of environments by turns, all with pictures of one size.

    Where there are several environments, states and actions are filled up with zeros to one length.
    """
    options["size"] = options.get("size") or max(_recipe(env_id).size for env_id in env_ids)
    widths = _widths(env_ids) if len(env_ids) > 1 else {}
    for number in range(episodes):
        rollout = record_episode(env_ids[number % len(env_ids)], seed + number, **options)
        columns = dict(rollout.columns)
        for name, width in widths.items():
            columns[name] = np.pad(columns[name], ((0, 0), (0, width - columns[name].shape[1])))
        yield Rollout(rollout.frames, rollout.task, columns, rollout.references, rollout.goal)


def _widths(env_ids: Sequence[str]) -> dict[str, int]:
    """Return the greatest lengths of states and actions."""
    widths = {"observation.state": 0, "action": 0}
    for env_id in env_ids:
        env = make(env_id)
        sizes = (_state(env.observation_space.sample()).size, int(np.prod(env.action_space.shape or (1,))))
        env.close()
        widths = {name: max(width, size) for (name, width), size in zip(widths.items(), sizes, strict=True)}
    return widths


def rate(env_ids: Sequence[str]) -> int:
    """Return the frames per second of environments: those of the first."""
    env = make(env_ids[0])
    step = getattr(env.unwrapped, "dt", None) or 1 / env.metadata.get("render_fps", 30)
    env.close()
    return round(1 / float(step))


def write(rollouts: Sequence[Rollout], folder: Path, formats: Sequence[str], fps: int) -> list[Path]:
    """Write the same rollouts in several formats, each in a part of the folder."""
    return [FORMATS[name][1](rollouts, folder / FORMATS[name][0], fps) for name in formats]


def main(words: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    from rich.console import Console
    from rich.progress import track

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--env", nargs="+", default=["SpatialReward/Push-v0"])
    parser.add_argument("--formats", nargs="+", choices=list(FORMATS), default=["lerobot"])
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--steps", type=int, help="frames of an episode; by default the catalogue's")
    parser.add_argument("--size", type=int, help="side of the pictures [px]; by default the catalogue's")
    parser.add_argument("--policy", default="expert", help="expert, idle or random")
    parser.add_argument("--noise", type=float, default=0.0, help="on the expert's actions")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-depth", action="store_true")
    parser.add_argument("--moving", action="store_true", help="let the side camera swing")
    args = parser.parse_args(words)
    options = {name: getattr(args, name) for name in ("size", "steps", "policy", "noise", "moving")}
    rollouts = record_rollouts(args.env, args.episodes, args.seed, depth=not args.no_depth, **options)
    console = Console(stderr=True)
    shown: Any = track(rollouts, "recording", total=args.episodes, console=console)
    # One format takes the rollouts as they come; several need them again.
    kept = shown if len(args.formats) == 1 else list(shown)
    for path in write(kept, args.folder, args.formats, rate(args.env)):
        print(path)


if __name__ == "__main__":
    main()
