"""The four table-top tasks: what is placed where, and what counts as done."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from spatial_reward.camera import Array
from spatial_reward.envs.randomize import SPREAD, Segment, free_spot
from spatial_reward.envs.tabletop import Tabletop

CUBE = 0.025  # [m] half an edge, the height of the centre of a cube on the table
GRASP_YAW = np.radians(15)  # what closing fingers straighten without trouble: the hand does not turn


class Reach(Tabletop):
    """Bring the fingertips to a marker in the air."""

    goal: ClassVar[str] = "near(gripper, target, within=3cm)"
    within: ClassVar[float] = 0.03
    scene: ClassVar[str] = "reach.xml"
    objects: ClassVar[tuple[str, ...]] = ()
    grasps: ClassVar[bool] = False

    def draw_layout(self, rng: np.random.Generator) -> list[Segment]:
        """Hang the marker 3 to 25 cm above the table, at least 8 cm from the fingertips."""
        target = self.arm.setpoint
        while np.linalg.norm(target - self.arm.setpoint) < 0.08:
            target = rng.uniform((*SPREAD[0], 0.03), (*SPREAD[1], 0.25))
        self.put("target", target)
        return [(target[:2], target[:2])]

    def landmarks(self) -> dict[str, Array]:
        """Return fingertips and marker."""
        return {"gripper": self.arm.tip, "target": self.data.body("target").xpos.copy()}


class Push(Tabletop):
    """Push a cube onto a pad with closed fingers; the pad's position is where the cube's centre belongs."""

    goal: ClassVar[str] = "near(cube, pad, within=4cm)"
    within: ClassVar[float] = 0.04
    scene: ClassVar[str] = "push.xml"
    objects: ClassVar[tuple[str, ...]] = ("cube",)
    grasps: ClassVar[bool] = False

    def draw_layout(self, rng: np.random.Generator) -> list[Segment]:
        """Lay cube and pad 12 to 30 cm apart, with room for the gripper behind the cube."""
        low, high = SPREAD[0] + 0.06, SPREAD[1] - 0.06
        cube = pad = np.zeros(2)
        while not 0.12 < np.linalg.norm(pad - cube) < 0.30:
            cube, pad = rng.uniform(low, high, size=(2, 2))
        self.put("cube", np.append(cube, CUBE), rng.uniform(-np.pi, np.pi))
        self.put("pad", np.append(pad, CUBE))
        behind = cube + 0.10 * (cube - pad) / np.linalg.norm(cube - pad)
        return [(behind, pad)]

    def landmarks(self) -> dict[str, Array]:
        """Return cube and pad."""
        return {name: self.data.body(name).xpos.copy() for name in ("cube", "pad")}


class Lift(Tabletop):
    """Lift a cube by 10 cm from where it lay."""

    goal: ClassVar[str] = "lift(cube, by=10cm)"
    by: ClassVar[float] = 0.10  # [m]
    within: ClassVar[float] = 0.005
    scene: ClassVar[str] = "lift.xml"
    objects: ClassVar[tuple[str, ...]] = ("cube",)
    grasps: ClassVar[bool] = True

    def draw_layout(self, rng: np.random.Generator) -> list[Segment]:
        """Lay the cube anywhere within reach."""
        cube = rng.uniform(*SPREAD)
        self.put("cube", np.append(cube, CUBE), rng.uniform(-GRASP_YAW, GRASP_YAW))
        return [(cube, cube)]

    def landmarks(self) -> dict[str, Array]:
        """Return the cube and where it would be if it were lifted."""
        cube = self.data.body("cube").xpos.copy()
        return {"cube": cube, "cube_lifted": np.append(cube[:2], CUBE + self.by)}

    def distance(self) -> float:
        """Return how much of the rise is missing [m]."""
        return max(0.0, CUBE + self.by - float(self.data.body("cube").xpos[2]))


class Stack(Tabletop):
    """Put one cube on top of another."""

    goal: ClassVar[str] = "near(cube_a, cube_b_top, within=2cm)"
    within: ClassVar[float] = 0.02
    scene: ClassVar[str] = "stack.xml"
    objects: ClassVar[tuple[str, ...]] = ("cube_a", "cube_b")
    grasps: ClassVar[bool] = True

    def draw_layout(self, rng: np.random.Generator) -> list[Segment]:
        """Lay the cubes at least 11 cm apart."""
        first = rng.uniform(*SPREAD)
        second = free_spot(rng, [(first, first)], clearance=0.11)
        if second is None:
            raise RuntimeError("No room for the second cube: the table is too small for its clearance.")
        for name, spot in zip(self.objects, (first, second), strict=True):
            self.put(name, np.append(spot, CUBE), rng.uniform(-GRASP_YAW, GRASP_YAW))
        return [(first, first), (second, second)]

    def landmarks(self) -> dict[str, Array]:
        """Return the first cube, where its centre belongs, and the second cube."""
        top = self.data.site("cube_b_top").xpos.copy()
        first, second = (self.data.body(name).xpos.copy() for name in self.objects)
        return {"cube_a": first, "cube_b_top": top, "cube_b": second}
