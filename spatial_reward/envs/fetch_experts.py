"""Scripted experts of the Fetch environments: functions of the simulator's present state alone."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ACTION = 0.05  # [m] that the gripper is asked to go by an action of 1
OPEN, CLOSED = 1.0, -1.0
PUCK_BRAKE = 0.98  # [m/s^2] along an axis of the table: friction 0.1
STROKE_RUN = 0.085  # [m] from the gripper to the centre of the puck before a stroke
STROKE_END = 0.05  # [m] apart when the finger has left the puck


def reach(env: Any) -> Array:
    """Move the gripper straight to the target."""
    grip, _, target = _positions(env)
    return _towards(target - grip, pace=0.5)


def pick_and_place(env: Any) -> Array:
    """Open above the object, descend, close, carry to the target, and hold it there."""
    grip, thing, target = _positions(env)
    offset = thing - grip
    if np.linalg.norm(offset) < 0.025:
        if _opening(env) > 0.052:  # [m], wider than the object: not gripped yet
            return _towards(offset, gripper=CLOSED)
        return _towards(target - thing, pace=0.4, gripper=CLOSED)
    if np.linalg.norm(offset[:2]) > 0.01:
        return _towards(offset + [0, 0, 0.08], gripper=OPEN)
    return _towards(offset, pace=0.8, gripper=OPEN)


def push(env: Any) -> Array:
    """Go behind the object as seen from the target, descend, and push it along the line between them."""
    grip, thing, target = _positions(env)
    way = (target - thing)[:2]
    distance = float(np.linalg.norm(way))
    if distance < 0.015:
        return np.zeros(4)
    ahead = way / distance
    along, aside = _lag(grip, thing, ahead)
    if grip[2] < thing[2] + 0.015 and -0.1 < along < -0.02 and abs(aside) < 0.015:
        step = min(0.02, 0.006 + 0.2 * distance) * ahead - 0.7 * aside * _across(ahead)
        return _towards(np.array([*step, thing[2] - grip[2]]), pace=0.6)
    return _around(grip, thing, ahead, back=0.06)


def slide(env: Any) -> Array:
    """Strike the puck so that it slides to rest on the target; where it stops short within reach, again."""
    grip, puck, target = _positions(env)
    offset = (target - puck)[:2]
    velocity = env.unwrapped.data.joint("object0:joint").qvel[:2]
    stroke = _stroke(_slide_velocity(offset))
    ahead = stroke / max(float(np.linalg.norm(stroke)), 1e-9)
    along, aside = _lag(grip, puck, ahead)
    if (np.linalg.norm(velocity) > 0.02 and along < -STROKE_END) or np.linalg.norm(offset) < 0.03:
        return np.zeros(4)
    placed = -STROKE_RUN - 0.01 < along < 0 and abs(aside) < 0.01 and grip[2] < puck[2] + 0.015
    if placed and (along < 0.004 - STROKE_RUN or _velocity(env) @ ahead > 0.1):
        return np.array([*(stroke - 5 * aside * _across(ahead)), 10 * (puck[2] - grip[2]), 0.0])
    return _around(grip, puck, ahead, back=STROKE_RUN)


def _slide_velocity(offset: Array) -> Array:
    """Compute the velocity (2,) [m/s] from which the puck comes to rest after `offset` (2,) [m].

    MuJoCo's pyramidal friction bounds |fx| + |fy|, so the directions x + y and x - y brake independently.
    """
    diagonals = np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2)
    part = diagonals @ offset
    return np.asarray(diagonals @ (np.sign(part) * np.sqrt(np.sqrt(2) * PUCK_BRAKE * np.abs(part))))


def _stroke(velocity: Array) -> Array:
    """Find the action (2,) that strikes the puck to a velocity (2,) [m/s] from `STROKE_RUN` behind it.

    The finger's flat face passes on less of the motion along it: as measured, not derived.
    """
    main = int(np.argmax(np.abs(velocity)))
    speed = float(abs(velocity[main]))
    slope = velocity[1 - main] / max(speed, 1e-9)
    steeper = np.sign(slope) * np.interp(abs(slope), [0.0, 0.11, 0.33, 1.0], [0.0, 0.3, 0.6, 1.0])
    size = speed / (1.08 - 0.25 * steeper**2) / np.hypot(1.0, steeper)
    stroke = np.zeros(2)
    stroke[main], stroke[1 - main] = size * np.sign(velocity[main]), size * steeper
    return stroke


def _around(grip: Array, thing: Array, ahead: Array, back: float) -> Array:
    """Go above and then down to the place `back` [m] behind a thing, without touching it."""
    behind = np.array([*(thing[:2] - back * ahead), thing[2]])
    rise = thing[2] + 0.08 - grip[2]
    if np.linalg.norm(behind[:2] - grip[:2]) < 0.015:
        return _towards(behind - grip)
    if np.linalg.norm(grip[:2] - thing[:2]) < 0.09 and rise > 0.02:
        return _towards(np.array([0, 0, rise]))
    return _towards(np.array([*(behind - grip)[:2], rise]))


def _towards(offset: Array, pace: float = 1.0, gripper: float = 0.0) -> Array:
    """Make the action that moves the gripper by `offset` (3,) [m], at most at `pace` of its full speed."""
    action = 0.8 * np.asarray(offset) / ACTION
    speed = float(np.linalg.norm(action))
    return np.array([*(action * min(1.0, pace / max(speed, 1e-9))), gripper])


def _lag(grip: Array, thing: Array, ahead: Array) -> tuple[float, float]:
    """Measure where the gripper is from a thing: along a direction (2,), and to its left [m]."""
    lag = (grip - thing)[:2]
    return float(lag @ ahead), float(lag @ _across(ahead))


def _across(ahead: Array) -> Array:
    return np.array([-ahead[1], ahead[0]])


def _positions(env: Any) -> tuple[Array, Array, Array]:
    """Read where gripper, object (the gripper where there is none) and target are [m]."""
    robot = env.unwrapped
    grip = robot.data.site("robot0:grip").xpos.copy()
    thing = robot.data.site("object0").xpos.copy() if robot.has_object else grip
    return grip, thing, robot.goal.copy()


def _velocity(env: Any) -> Array:
    """Read the gripper's horizontal velocity (2,) [m/s]."""
    robot = env.unwrapped
    return np.asarray(robot._utils.get_site_xvelp(robot.model, robot.data, "robot0:grip")[:2])


def _opening(env: Any) -> float:
    """Read how far the fingers are apart [m]."""
    data = env.unwrapped.data
    return sum(float(data.joint(f"robot0:{side}_gripper_finger_joint").qpos[0]) for side in "lr")
