"""The moves that table-top scripts are made of, steered by the simulator's truth."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spatial_reward.camera import Array
from spatial_reward.envs.arm import WORKSPACE
from spatial_reward.envs.tabletop import MAX_STEP, Tabletop

OPEN, CLOSED = 1.0, -1.0
CUBE = 0.05  # [m] edge
CARRY = 0.17  # [m] height at which things are carried over others
BEHIND = 0.065  # [m] from a cube's centre to the fingertips that are about to push it, at any yaw

Moves = Iterator[Array]  # actions (4,): step along x, y, z, fingers


def go(
    scene: Tabletop,
    goal: Array,
    fingers: float,
    *,
    speed: float = 1.0,
    near: float = 0.005,
    patience: int = 40,
) -> Moves:
    """Bring the fingertips to `goal` (3,) [m] along a straight line, or as near as the work space allows."""
    goal = np.clip(goal, *WORKSPACE)
    for _ in range(patience):
        if np.linalg.norm(scene.arm.tip - goal) < near:
            return
        step = (goal - scene.arm.setpoint) / MAX_STEP
        yield np.append(step * min(1.0, speed / max(float(np.abs(step).max()), 1e-9)), fingers)


def wait(steps: int, fingers: float) -> Moves:
    """Keep the fingertips where they are."""
    yield from [np.array([0.0, 0.0, 0.0, fingers])] * steps


def rise(scene: Tabletop, height: float, fingers: float) -> Moves:
    """Go straight up or down to `height` [m]."""
    yield from go(scene, at_height(scene.arm.tip, height), fingers)


def grasp(scene: Tabletop, name: str) -> Moves:
    """Come from above with open fingers, and close them around a thing."""
    place = where(scene, name)
    yield from go(scene, at_height(place, max(0.12, float(scene.arm.tip[2]))), OPEN, near=0.015)
    yield from go(scene, at_height(place, 0.11), OPEN)
    yield from go(scene, place, OPEN)
    yield from wait(7, CLOSED)


def carry(scene: Tabletop, name: str, goal: Array) -> Moves:
    """Take what is held over and down to `goal` (3,) [m], corrected for how it sits in the hand."""
    yield from rise(scene, CARRY, CLOSED)
    yield from go(scene, at_height(goal + _held(scene, name), CARRY), CLOSED)
    yield from go(scene, goal + _held(scene, name), CLOSED, speed=0.5, near=0.004)


def release(scene: Tabletop) -> Moves:
    """Open the fingers and rise."""
    yield from wait(5, OPEN)
    yield from rise(scene, CARRY, OPEN)


def stack(scene: Tabletop, name: str, base: str) -> Moves:
    """Put a cube on top of another."""
    yield from grasp(scene, name)
    yield from carry(scene, name, where(scene, base) + np.array([0.0, 0.0, CUBE + 0.002]))
    yield from release(scene)


def push(scene: Tabletop, name: str, goal: Array, *, near: float = 0.012, patience: int = 90) -> Moves:
    """Push a thing to `goal` (2,) [m] from behind; go round again where it has veered off."""
    steps = iter(range(patience))
    while np.linalg.norm(where(scene, name)[:2] - goal) > near:
        yield from _go_behind(scene, name, goal)
        while _lined_up(scene, name, goal) and np.linalg.norm(where(scene, name)[:2] - goal) > near:
            if next(steps, None) is None:
                return
            yield _push_step(scene, name, goal)
        if next(steps, None) is None:
            return
    yield from wait(2, CLOSED)
    yield from rise(scene, 0.10, CLOSED)


def _go_behind(scene: Tabletop, name: str, goal: Array) -> Moves:
    place = where(scene, name)
    behind = np.append(place[:2] - BEHIND * direction(place[:2], goal), 0.022)
    yield from go(scene, at_height(scene.arm.tip, 0.10), CLOSED, near=0.02)
    yield from go(scene, at_height(behind, 0.10), CLOSED, near=0.015)
    yield from go(scene, behind, CLOSED, near=0.006, patience=15)


def _push_step(scene: Tabletop, name: str, goal: Array) -> Array:
    """Go towards `goal`, slower when near, and sideways onto the line through the thing and `goal`."""
    place, tip = where(scene, name)[:2], scene.arm.tip[:2]
    ahead = direction(place, goal)
    side = np.array([-ahead[1], ahead[0]])
    speed = np.clip(np.linalg.norm(goal - place) / 0.03, 0.25, 0.6)
    step = speed * ahead - 15.0 * ((tip - place) @ side) * side
    return np.array([*np.clip(step, -1, 1), 0.0, CLOSED])


def _lined_up(scene: Tabletop, name: str, goal: Array) -> bool:
    place, tip = where(scene, name)[:2], scene.arm.tip[:2]
    ahead = direction(place, goal)
    off = tip - place
    return bool(off @ ahead < -0.02 and abs(off[0] * ahead[1] - off[1] * ahead[0]) < 0.016)


def where(scene: Tabletop, name: str) -> Array:
    """Return the position (3,) [m] of a body."""
    position: Array = scene.data.body(name).xpos.copy()
    return position


def _held(scene: Tabletop, name: str) -> Array:
    return scene.arm.tip - where(scene, name)


def at_height(point: Array, height: float) -> Array:
    """Return the point (3,) above or below `point` at `height` [m]."""
    return np.array([point[0], point[1], height])


def direction(start: Array, end: Array) -> Array:
    """Return the unit vector from `start` to `end`; zero where they coincide."""
    unit: Array = (end - start) / max(float(np.linalg.norm(end - start)), 1e-9)
    return unit


def elsewhere(point: Array, rng: np.random.Generator, distance: float) -> Array:
    """Draw a point (2,) of the table at `distance` [m], well inside the work space."""
    other: Array = point[:2]
    for _ in range(100):
        angle = rng.uniform(-np.pi, np.pi)
        other = point[:2] + distance * np.array([np.cos(angle), np.sin(angle)])
        if (other > WORKSPACE[0, :2] + 0.05).all() and (other < WORKSPACE[1, :2] - 0.05).all():
            break
    return other
