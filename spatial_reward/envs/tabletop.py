"""The common ground of the table-top tasks: an arm on a table, its physics, its pictures and its score."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import gymnasium as gym
import mujoco
import numpy as np
from gymnasium.utils import EzPickle
from numpy.typing import NDArray

from spatial_reward.camera import Array
from spatial_reward.envs.arm import MAX_OPENING, Arm
from spatial_reward.envs.randomize import (
    Nominal,
    Randomize,
    Segment,
    draw_looks,
    place_distractors,
    yaw_quaternion,
)
from spatial_reward.envs.tabletop_textures import paint_textures

ASSETS = Path(__file__).parent / "assets"
CONTROL_STEP = 0.04  # [s]
MAX_STEP = 0.02  # [m] that an action of 1 moves the setpoint in one control step
HOME = np.array([-0.06, 0.0, 0.22])  # [m] where the fingertips start
LOST = -0.05  # [m] below this height an object has fallen off the table
LOST_REWARD = -200.0  # less than any whole episode is worth, so that losing the object never pays

ObservationKind = Literal["state", "pixels", "both"]
RewardKind = Literal["dense", "sparse"]


class Tabletop(gym.Env[Any, NDArray[np.float32]], EzPickle):
    """An arm with a two-finger gripper on a table; subclasses say what is to be done.

    Actions are `Box(-1, 1)`: a step of the fingertips along x, y, z, times 2 cm, and, where the task
    needs to grasp, the opening of the fingers (-1 closed, 1 open). A control step takes 0.04 s.

    The state is (n,) float32: fingertips [m] (3), their velocity [m/s] (3), gap between the fingers [m],
    position [m] (3), quaternion (4), velocity [m/s] (3) and way from the fingertips [m] (3) of each object,
    goal position [m] (3), and the way to it from what is to be moved [m] (3).
    Pictures are (H, W, 3) uint8 of `camera`.

    `info` holds `is_success`, `distance` [m] to the goal, and the world position (3,) [m] of each name
    that the goal and the task speak of. The dense reward is minus the distance, minus that of the
    fingertips to the object to be moved [m]; the sparse one is 0 where the goal is reached, else -1.
    An episode terminates only where an object has fallen off the table, with a reward of -200.

    Args:
        observation: "state", "pixels", or "both" (a dict of the two).
        reward: "dense" or "sparse".
        randomize: "all" draws layout, distractors, materials, lights and cameras at each reset; "layout"
            draws layout and distractors; "none" draws nothing.
        camera: "front", "side", "overhead" or "wrist"; for pictures and `render`.
        width: Of pictures [px].
        height: Of pictures [px].
        render_mode: "rgb_array" or None.

    Raises:
        ValueError: If an option is unknown, or an action is not finite or of the wrong shape.
    """

    # Gymnasium declares it so.
    metadata = {"render_modes": ["rgb_array"], "render_fps": round(1 / CONTROL_STEP)}  # noqa: RUF012
    goal: ClassVar[str]  # what is to be done, in the language of goals
    within: ClassVar[float]  # [m] of the goal that counts as success
    scene: ClassVar[str]  # MJCF file
    objects: ClassVar[tuple[str, ...]]  # movable bodies, the one to be moved first
    grasps: ClassVar[bool]  # whether the action opens and closes the fingers

    def __init__(
        self,
        observation: ObservationKind = "state",
        reward: RewardKind = "dense",
        randomize: Randomize = "all",
        camera: str = "front",
        width: int = 224,
        height: int = 224,
        render_mode: str | None = None,
    ) -> None:
        """Load the scene; a renderer is made only when the first picture is asked for."""
        EzPickle.__init__(self, observation, reward, randomize, camera, width, height, render_mode)
        self.model = mujoco.MjModel.from_xml_path(str(ASSETS / self.scene))
        self.data = mujoco.MjData(self.model)
        _check_option("observation", observation, get_args(ObservationKind))
        _check_option("reward", reward, get_args(RewardKind))
        _check_option("randomize", randomize, get_args(Randomize))
        _check_option("camera", camera, [self.model.camera(index).name for index in range(self.model.ncam)])
        _check_option("render_mode", render_mode, [None, *self.metadata["render_modes"]])
        self.observation, self.reward, self.randomize = observation, reward, randomize
        self.camera, self.width, self.height, self.render_mode = camera, width, height, render_mode
        self.arm = Arm(self.model, self.data)
        self.distractors: tuple[str, ...] = ()
        self._simulator: Any = None
        self._nominal = Nominal(self.model)
        self._last_tip = HOME
        paint_textures(self.model)
        self.action_space = gym.spaces.Box(-1.0, 1.0, (4 if self.grasps else 3,), np.float32)
        self.observation_space = self._space()

    def draw_layout(self, rng: np.random.Generator) -> list[Segment]:
        """Place target and objects; return the stretches of table that must stay free of distractors."""
        raise NotImplementedError

    def landmarks(self) -> dict[str, Array]:
        """Return the positions (3,) [m] that the goal speaks of, in its order: what is moved, where to."""
        raise NotImplementedError

    def distance(self) -> float:
        """Return the distance to the goal [m]."""
        moved, target, *_ = self.landmarks().values()
        return float(np.linalg.norm(moved - target))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode: the scene as its MJCF has it, then what is to be drawn."""
        super().reset(seed=seed)
        self._nominal.restore(self.model)
        mujoco.mj_resetData(self.model, self.data)
        self._draw()
        mujoco.mj_forward(self.model, self.data)
        self._last_tip = self.arm.tip
        return self._observe(), self._info()

    def step(self, action: NDArray[np.float32]) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Move the setpoint of the fingertips and simulate 0.04 s."""
        wanted = np.asarray(action, float)
        if wanted.shape != self.action_space.shape or not np.isfinite(wanted).all():
            raise ValueError(f"`action` must be {self.action_space.shape} finite numbers, got {action!r}.")
        wanted = np.clip(wanted, -1, 1)
        self._last_tip = self.arm.tip
        opening = MAX_OPENING * (wanted[3] + 1) if self.grasps else 0.0
        self.arm.move(MAX_STEP * wanted[:3], opening)
        mujoco.mj_step(self.model, self.data, round(CONTROL_STEP / self.model.opt.timestep))
        lost = any(self.data.body(name).xpos[2] < LOST for name in self.objects)
        info = self._info()
        return self._observe(), LOST_REWARD if lost else self._score(info), lost, False, info

    def render(self) -> NDArray[np.uint8] | None:
        """Return the picture (H, W, 3) of `camera`; None without a render mode."""
        return self._picture() if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        """Free the renderer."""
        if self._simulator is not None:
            self._simulator.close()
            self._simulator = None

    def put(self, name: str, position: Array, yaw: float = 0.0) -> None:
        """Place a body at `position` (3,) [m]; a movable one can be turned by `yaw` [rad]."""
        body = self.model.body(name)
        if body.jntnum[0]:
            self.data.joint(int(body.jntadr[0])).qpos[:] = (*position, *yaw_quaternion(yaw))
        else:
            self.model.body_pos[body.id] = position

    def _draw(self) -> None:
        self.distractors = ()
        self.arm.place(HOME, 2 * MAX_OPENING * self.grasps)
        if self.randomize == "none":
            return
        rng = self.np_random
        self.arm.place(HOME + rng.uniform(-0.03, 0.03, 3), 2 * MAX_OPENING * self.grasps)
        busy = self.draw_layout(rng)
        self.distractors = tuple(place_distractors(self.model, self.data, rng, busy))
        if self.randomize == "all":
            names = [*self.objects, *(name for name in ("target", "pad") if name in self.landmarks())]
            draw_looks(self.model, rng, names)

    def _space(self) -> gym.Space[Any]:
        size = 13 + 13 * len(self.objects)
        state = gym.spaces.Box(-10.0, 10.0, (size,), np.float32)
        pixels = gym.spaces.Box(0, 255, (self.height, self.width, 3), np.uint8)
        spaces: dict[str, gym.Space[Any]] = {"state": state, "pixels": pixels}
        return spaces.get(self.observation, gym.spaces.Dict(spaces))

    def _observe(self) -> Any:
        if self.observation == "state":
            return self._state()
        if self.observation == "pixels":
            return self._picture()
        return {"state": self._state(), "pixels": self._picture()}

    def _state(self) -> NDArray[np.float32]:
        tip = self.arm.tip
        parts = [tip, (tip - self._last_tip) / CONTROL_STEP, [self.arm.opening]]
        for name in self.objects:
            body = self.data.body(name)
            velocity = self.data.qvel[self.model.body(name).dofadr[0] :][:3]
            parts += [body.xpos, body.xquat, velocity, body.xpos - tip]
        moved, goal, *_ = self.landmarks().values()
        parts += [goal, goal - moved]
        state: NDArray[np.float32] = np.clip(np.concatenate(parts), -10, 10).astype(np.float32)
        return state

    def _picture(self) -> NDArray[np.uint8]:
        if self._simulator is None:
            from spatial_reward.envs.simulator import Simulator

            self._simulator = Simulator((self.model, self.data), self.camera, self.width, self.height)
        picture: NDArray[np.uint8] = self._simulator.frame().rgb
        return picture

    def _info(self) -> dict[str, Any]:
        distance = self.distance()
        reached = bool(distance <= self.within)
        return {"is_success": reached, "distance": distance, "gripper": self.arm.tip, **self.landmarks()}

    def _score(self, info: dict[str, Any]) -> float:
        if self.reward == "sparse":
            return float(info["is_success"]) - 1.0
        approach = np.linalg.norm(info["gripper"] - info[self.objects[0]]) if self.objects else 0.0
        return -float(info["distance"] + approach)


def _check_option(name: str, value: object, known: Any) -> None:
    if value not in known:
        raise ValueError(f"Unknown `{name}` {value!r}. Choose one of {list(known)}.")
