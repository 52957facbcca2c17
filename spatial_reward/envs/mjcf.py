"""An MJCF file as an environment: its controls are the actions, and the reward is yours to add."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array
from spatial_reward.envs.gl import load_mujoco
from spatial_reward.envs.layouts import hold, settled, vary

PERIOD = 0.05  # [s] of a step
FASTEST = 0.1  # of their range that controls change in a step
STILL = 0.3  # probability that a thing stays where the file has it at a reset


class MJCF(gym.Env[Array, NDArray[np.float32]]):
    """A MuJoCo model that is acted on by its controls; observations are its positions and velocities.

    An action of -1 to 1 stands for the range of each control.

    A reset puts joints and free bodies where they could be, around the first keyframe or else the model's own
    start, and lets them settle. Controls follow an action at a tenth of their range a step. It never rewards
    and never ends: wrap it.

    Args:
        path: Of the MJCF file.
        render_mode: None or "rgb_array": MuJoCo's free camera.
        random: Whether a reset draws a layout; else it always starts as the file says.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If MuJoCo cannot read it, or the render mode is another.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": round(1 / PERIOD)}  # noqa: RUF012  # Gymnasium's

    def __init__(self, path: str | Path, render_mode: str | None = None, *, random: bool = True) -> None:
        """Read the file."""
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"`render_mode` must be None or 'rgb_array', got {render_mode!r}.")
        mujoco = load_mujoco()
        self.model, self.render_mode, self._random = read_model(Path(path)), render_mode, random
        self.data = mujoco.MjData(self.model)
        self.frame_skip = max(1, round(PERIOD / self.model.opt.timestep))
        self._low, self._high = _ranges(self.model)
        self.action_space = gym.spaces.Box(-1.0, 1.0, (self.model.nu,), np.float32)
        size = self.model.nq + self.model.nv
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (size,), np.float64)
        self._renderer: Any = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Go back to the start, or to a layout around it."""
        super().reset(seed=seed)
        self._restart()
        if self._random:
            layout = vary(self.model, self.data, self.data.qpos.copy(), self.np_random, still=STILL)
            if settled(self.model, self.data, layout):
                self._restart()
        hold(self.model, self.data)
        load_mujoco().mj_forward(self.model, self.data)
        return self._observed(), {}

    def step(self, action: NDArray[np.float32]) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Bring the controls nearer to the action, and let physics go on for 0.05 s."""
        span = self._high - self._low
        wanted = self._low + 0.5 * (np.asarray(action, float) + 1) * span - self.data.ctrl
        self.data.ctrl[:] += np.clip(wanted, -FASTEST * span, FASTEST * span)
        load_mujoco().mj_step(self.model, self.data, nstep=self.frame_skip)
        load_mujoco().mj_forward(self.model, self.data)
        return self._observed(), 0.0, False, False, {}

    def render(self) -> NDArray[np.uint8] | None:
        """Draw the state from MuJoCo's free camera, 480 px wide and high; None without a render mode."""
        if self.render_mode is None:
            return None
        mujoco = load_mujoco()
        if self._renderer is None:
            self._renderer = mujoco.Renderer(self.model, 480, 480)
        self._renderer.update_scene(self.data)
        picture: NDArray[np.uint8] = self._renderer.render()
        return picture

    def close(self) -> None:
        """Free the renderer."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _restart(self) -> None:
        mujoco = load_mujoco()
        if self.model.nkey:
            mujoco.mj_resetDataKeyframe(self.model, self.data, 0)
        else:
            mujoco.mj_resetData(self.model, self.data)
        mujoco.mj_forward(self.model, self.data)

    def _observed(self) -> Array:
        return np.concatenate([self.data.qpos, self.data.qvel])


def read_model(path: Path) -> Any:
    """Read an MJCF file.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If MuJoCo cannot read it.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no MJCF file {str(path)!r}.")
    try:
        return load_mujoco().MjModel.from_xml_path(str(path))
    except ValueError as error:
        reason = " ".join(str(error).split())  # MuJoCo says it in several lines
        raise ValueError(
            f"MuJoCo cannot read {str(path)!r}: {reason}. Mend the file, or give another."
        ) from error


def _ranges(model: Any) -> tuple[Array, Array]:
    """Return the least and largest controls; 1 to either side where the model sets no limits."""
    low, high = np.where(model.actuator_ctrllimited[:, None], model.actuator_ctrlrange, [-1.0, 1.0]).T
    return low, high
