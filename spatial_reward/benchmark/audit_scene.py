"""Counterfactuals staged in the simulator: what a reward sees when the right thing does not move."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from spatial_reward.benchmark.reward_clips import Clip, followed
from spatial_reward.benchmark.reward_episodes import Stage, Take, free_address, robot_addresses
from spatial_reward.camera import Array, rigid
from spatial_reward.envs.gl import load_mujoco
from spatial_reward.envs.simulator import physics

Edit = Callable[[int, Array], None]  # changes the positions (nq,) of frame number i

AWAY = np.array([0.0, 0.0, -50.0])  # [m] out of sight of any camera
SHAKE = 0.015  # [m] and, times 60, [deg]: what a camera on a wobbly stand does


class Shake:
    """A camera that stands a little elsewhere each time: set `offset` (4, 4), in its own axes.

    Args:
        base: Name of the camera that shakes.
    """

    def __init__(self, base: str) -> None:
        """Start from where the camera is."""
        self.base, self.offset = base, np.eye(4)

    def pose(self, world_from_base: Array, distance: float, time: float) -> Array:
        """Return `world_from_camera` (4, 4)."""
        pose: Array = world_from_base @ self.offset
        return pose


def edited(stage: Stage, take: Take, edit: Edit, behaviour: str) -> Clip:
    """Film the states of a take with positions changed; the stage must still be in its episode."""
    seen = []
    for number, state in enumerate(take.states):
        stage.restore(state)
        place(stage, partial(edit, number))
        seen.append(stage.look())
    return stage.clip(seen, behaviour, take.clip.seed)


def place(stage: Stage, change: Callable[[Array], None]) -> None:
    """Change the positions (nq,) of the simulator's state as it is."""
    model, data = physics(stage.env)
    change(data.qpos)
    load_mujoco().mj_forward(model, data)


def start_positions(stage: Stage, take: Take) -> Array:
    """Return the positions (nq,) in the first frame."""
    stage.restore(take.states[0])
    positions: Array = physics(stage.env)[1].qpos.copy()
    return positions


def main_body(stage: Stage, clip: Clip) -> int | None:
    """Return the freely movable body that the goal is about; None where that is the robot, or a door."""
    name = followed(clip)
    return None if name is None else stage.body(name)


def robot_alone(stage: Stage, take: Take) -> Clip | None:
    """Let the robot do what it did, with every object left where it lay."""
    if main_body(stage, take.clip) is None:
        return None
    start, robot = start_positions(stage, take), robot_addresses(stage)

    def edit(number: int, positions: Array) -> None:
        positions[~robot] = start[~robot]

    return edited(stage, take, edit, "robot_alone")


def teleported_robot(stage: Stage, take: Take) -> Clip | None:
    """Let the robot jump between its poses at the beginning and at the end; no object moves."""
    body = main_body(stage, take.clip)
    if body is None:
        return None
    start, robot = start_positions(stage, take), robot_addresses(stage)
    stage.restore(take.states[-1])
    last = physics(stage.env)[1].qpos.copy()

    def edit(number: int, positions: Array) -> None:
        positions[:] = start
        if number % 3:
            positions[robot] = last[robot]

    return edited(stage, take, edit, "teleported_robot")


def wrong_object(stage: Stage, take: Take) -> Clip | None:
    """Let another object make the motion of the right one, which stays; None where there is no other."""
    body = main_body(stage, take.clip)
    seen = [name for name in stage.others if take.clip.references[name].pixel is not None]
    if body is None or not seen:
        return None
    other = stage.body(seen[0])
    if other is None:
        return None
    start, right, wrong = start_positions(stage, take), free_address(stage, body), free_address(stage, other)

    def edit(number: int, positions: Array) -> None:
        motion = positions[right][:3] - start[right][:3]
        positions[right] = start[right]
        positions[wrong] = start[wrong]
        positions[wrong.start : wrong.start + 3] += motion

    return edited(stage, take, edit, "wrong_object")


def removed_object(stage: Stage, take: Take) -> Clip | None:
    """Take the right object away when half of the clip is over."""
    body = main_body(stage, take.clip)
    if body is None:
        return None
    address, half = free_address(stage, body), len(take.states) // 2

    def edit(number: int, positions: Array) -> None:
        if number >= half:
            positions[address.start : address.start + 3] += AWAY

    return edited(stage, take, edit, "removed_object")


def camera_shake(stage: Stage, take: Take, rng: np.random.Generator) -> Clip | None:
    """Shake the camera before a scene in which nothing moves; None for a camera that moves by itself."""
    if not isinstance(stage.camera, str) or stage.camera == "orbit":
        return None
    shake, seen = Shake(stage.camera), []
    stage.restore(take.states[0])
    with stage.filmed_by(shake):
        for number in range(len(take.states)):
            shake.offset = np.eye(4) if number == 0 else _jolt(rng)
            seen.append(stage.look())
        return stage.clip(seen, "camera_shake", take.clip.seed)


def _jolt(rng: np.random.Generator) -> Array:
    turn = Rotation.from_rotvec(rng.uniform(-SHAKE * 60, SHAKE * 60, 3), degrees=True).as_matrix()
    return rigid(turn, rng.uniform(-SHAKE, SHAKE, 3))


def placed(stage: Stage, take: Take, offsets: Array, robot_frame: int) -> Clip:
    """Film the start, and then one picture with the other objects elsewhere and the robot as in some frame.

    The goal's own object stays, so that whatever is claimed is not earned.

    Args:
        stage: In the episode of the take.
        take: What was played.
        offsets: (n, 3) of the other objects [m].
        robot_frame: Number of the frame whose robot is shown.
    """
    start, robot = start_positions(stage, take), robot_addresses(stage)
    seen = [stage.look()]
    stage.restore(take.states[robot_frame])
    place(stage, lambda positions: _put(stage, positions, start, robot, offsets))
    seen.append(stage.look())
    return stage.clip(seen, "placements", take.clip.seed)


def _put(stage: Stage, positions: Array, start: Array, robot: NDArray[np.bool_], offsets: Array) -> None:
    positions[~robot] = start[~robot]
    for name, offset in zip(stage.others, offsets, strict=True):
        body = stage.body(name)
        if body is not None:
            address = free_address(stage, body)
            positions[address.start : address.start + 3] += offset
