"""The arm of the table-top tasks: where its fingertips are, and the joint angles that put them elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np

from spatial_reward.camera import Array

WORKSPACE = np.array([[-0.18, -0.25, 0.012], [0.22, 0.25, 0.36]])  # [m] corners of the box of the fingertips
JOINTS = ("arm_turn", "arm_shoulder", "arm_elbow", "arm_wrist", "arm_roll")
FINGERS = ("finger_left", "finger_right")
MAX_OPENING = 0.04  # [m] of each finger
MAX_LEAD = 0.05  # [m] the setpoint may run ahead of the fingertips, so that a blocked arm does not wind up


class Arm:
    """Hold the hand upright at a setpoint [m]; `setpoint` and `opening` are what the servos are told."""

    def __init__(self, model: Any, data: Any) -> None:
        """Read the geometry of the arm from the compiled model."""
        self.data = data
        self.setpoint = np.zeros(3)
        self._tip = model.site("gripper").id
        self._servos = [model.actuator(name).id for name in JOINTS + FINGERS]
        self._angles = [int(model.joint(name).qposadr[0]) for name in JOINTS + FINGERS]
        self._upper = float(model.body("arm_fore").pos[0])
        self._fore = float(model.body("arm_wrist").pos[0])
        self._shoulder = model.body("arm_base").pos + model.body("arm_shoulder").pos
        self._wrist_above_tip = -float(model.site("gripper").pos[2])

    @property
    def tip(self) -> Array:
        """Return the centre of the fingertips (3,) [m]."""
        position: Array = self.data.site_xpos[self._tip].copy()
        return position

    @property
    def opening(self) -> float:
        """Return the gap between the fingers [m]."""
        return float(self.data.qpos[self._angles[5:]].sum())

    def place(self, tip: Array, opening: float) -> None:
        """Put the arm at rest with its fingertips at `tip` (3,) and `opening` [m] between them."""
        self.setpoint = np.clip(tip, *WORKSPACE)
        joints = self._joints(self.setpoint, opening)
        self.data.qpos[self._angles] = joints
        self.data.ctrl[self._servos] = joints

    def move(self, step: Array, opening: float) -> None:
        """Shift the setpoint by `step` (3,) [m] and ask for `opening` [m]."""
        tip = self.tip
        wanted = np.clip(self.setpoint + step, *WORKSPACE)
        self.setpoint = np.clip(wanted, tip - MAX_LEAD, tip + MAX_LEAD)
        self.data.ctrl[self._servos] = self._joints(self.setpoint, opening)

    def _joints(self, tip: Array, opening: float) -> Array:
        return np.concatenate([self._inverse_kinematics(tip), np.full(2, opening / 2)])

    def _inverse_kinematics(self, tip: Array) -> Array:
        """Solve the arm in closed form, elbow up, for a hand that points down without turning."""
        forward, left, _ = tip - self._shoulder
        up = tip[2] + self._wrist_above_tip - self._shoulder[2]
        out, turn = np.hypot(forward, left), np.arctan2(left, forward)
        upper, fore, square = self._upper, self._fore, out**2 + up**2
        bend = np.arccos(np.clip((square - upper**2 - fore**2) / (2 * upper * fore), -1, 1))
        shoulder = np.arctan2(up, out) + np.arctan2(fore * np.sin(bend), upper + fore * np.cos(bend))
        return np.array([turn, shoulder, -bend, bend - shoulder, -turn])
