"""Look at an environment where it runs: pictures, references and the truth, put into `info`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from spatial_reward.camera import Array, Camera
from spatial_reward.envs.camera_path import CameraPath
from spatial_reward.envs.simulator import Grounding, Simulator
from spatial_reward.types import Frame, Model, Reference, uses_depth

KEY = "spatial_reward/observation"  # of `info`


@dataclass(frozen=True, eq=False)
class Observation:
    """What is seen after a step.

    Attributes:
        frame: The picture.
        references: At a reset, the things of the goal in this frame; None at a step.
        truth: True (3,) world positions [m] of these things now; None where not asked for.
        missing: At a reset, why things of the goal could not be found; "" where all were.
    """

    frame: Frame
    references: Mapping[str, Reference] | None = None
    truth: Mapping[str, Array] | None = None
    missing: str = ""

    def __deepcopy__(self, memo: dict[int, Any]) -> Observation:
        """Return itself: it never changes, and vector environments copy every `info`."""
        return self


def seen_by(model: Model, camera: Any, truth: bool) -> dict[str, bool]:
    """Return whether `Observed` must measure depth and note the truth for a model, or as one likes.

    Pictures of `env.render()` have no depth to offer to a model that can do without.
    """
    depth = "depth" in model.needs or (camera != "render" and uses_depth(model))
    return {"depth": depth, "truth": truth or "truth" in model.needs}


class Observed(gym.Wrapper[Any, Any, Any, Any]):
    """Put an `Observation` into `info["spatial_reward/observation"]` at every reset and judged step.

    It works where the environment runs, such as in the worker of a vector environment. In `env.spec` it
    leaves no trace: the wrapper that scores makes it anew.

    Args:
        env: The environment.
        names: What to look for at each reset, names of bodies, geoms or sites.
        camera: As for `Simulator`; or "render", the pictures of `env.render()`, without depth and truth.
        size: Of the simulator's pictures, (width, height) or one number for both [px].
        references: Use these instead of looking for the names.
        calibration: Camera of the pictures of `env.render()`.
        depth: Measure depth as well.
        truth: Note the true positions as well.
        every: Observe every n-th step, and the last one of an episode.

    Raises:
        ValueError: If the arguments do not fit together; says what would.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        names: Sequence[str],
        *,
        camera: str | CameraPath = "default",
        size: int | tuple[int, int] = 224,
        references: Mapping[str, Reference] | None = None,
        calibration: Camera | None = None,
        depth: bool = False,
        truth: bool = False,
        every: int = 1,
    ) -> None:
        """Check what can be checked without a picture."""
        super().__init__(env)
        if every < 1:
            raise ValueError(f"`every` must be at least 1 (judge each step), got {every}.")
        self._names, self._camera, self._references = tuple(names), camera, references
        self._calibration, self._depth, self._truth, self._every = calibration, depth, truth, every
        self._size = (size, size) if isinstance(size, int) else tuple(size)
        if camera == "render":
            _check_render(env, references, calibration, depth, truth)
        elif calibration is not None:
            raise ValueError("`calibration` is for camera='render'; other cameras of a simulator are known.")
        self._steps = 0
        self._picture: Any = None
        self._simulator: Simulator | None = None
        self._groundings: dict[str, Grounding] = {}
        self._started = False  # whether all names were found once
        self._missing = ""
        self._first_info: dict[str, Any] = {}

    @property  # a property of gymnasium.Wrapper, too, but an attribute of its base class
    def spec(self) -> Any:  # type: ignore[override]
        """The specification of the environment."""
        return self.env.spec

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the environment, look, and find the names.

        At a later reset, names that are not found are told in the observation: a training goes on.

        Raises:
            ValueError: At the first reset, if a name is unknown, or can move but is not visible.
        """
        self._picture = None
        observation, info = self.env.reset(seed=seed, options=options)
        self._steps, self._missing = 0, ""
        references = self._ground() if self._references is None or self._truth else {}
        self._started = True
        self._first_info = {**info, KEY: self._look(self._references or references)}
        return observation, self._first_info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the environment and look, if it is the turn of this step."""
        self._picture = None
        self._first_info.pop(KEY, None)  # SubprocVecEnv would send it again with every step
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._steps += 1
        if self._steps % self._every == 0 or terminated or truncated:
            info = {**info, KEY: self._look(None)}
        return observation, reward, terminated, truncated, info

    def render(self) -> Any:
        """Return the environment's picture; one drawn since the last step is not drawn again."""
        if self.env.render_mode != "rgb_array":
            return self.env.render()
        if self._picture is None:
            self._picture = self.env.render()
        return self._picture

    def close(self) -> None:
        """Free the renderer and close the environment."""
        if self._simulator is not None:
            self._simulator.close()
        super().close()

    def _look(self, references: Mapping[str, Reference] | None) -> Observation:
        if self._camera == "render":
            return Observation(self._rendered(), references)
        simulator = self._look_with()
        truth = {name: simulator.position(grounding) for name, grounding in self._groundings.items()}
        frame, missing = simulator.frame(depth=self._depth), "" if references is None else self._missing
        return Observation(frame, references, truth if self._truth else None, missing)

    def _rendered(self) -> Frame:
        picture = np.ascontiguousarray(self.render())
        return Frame(picture, float(self._steps), "render", self._calibration)

    def _look_with(self) -> Simulator:
        """Return the simulator's eye, made when it is first needed."""
        if self._simulator is None:
            width, height = self._size
            self._simulator = Simulator(self.env, self._camera, width, height)
        return self._simulator

    def _ground(self) -> dict[str, Reference]:
        """Find the names in the picture of the reset."""
        simulator, self._groundings = self._look_with(), {}
        for name in self._names:
            try:
                self._groundings[name] = simulator.ground(name)
            except ValueError as error:
                if not self._started:
                    raise
                self._missing = str(error) if self._references is None else ""
        return {name: grounding.reference for name, grounding in self._groundings.items()}


def _check_render(
    env: gym.Env[Any, Any],
    references: Mapping[str, Reference] | None,
    calibration: Camera | None,
    depth: bool,
    truth: bool,
) -> None:
    """Check that the pictures of `env.render()` are enough for what is asked."""
    if env.render_mode != "rgb_array":
        raise ValueError(
            "camera='render' needs pictures: make the environment with render_mode='rgb_array', "
            f"not {env.render_mode!r}."
        )
    if depth or truth:
        needed = "depth" if depth else "the truth"
        raise ValueError(
            f"camera='render' gives pictures only, but {needed} is needed: name a camera of the simulator "
            "(camera='default'), or use a model that needs pictures only."
        )
    if references is None or calibration is None:
        missing = "references" if references is None else "calibration"
        raise ValueError(
            f"camera='render' needs `{missing}`: references={{name: Reference(name, pixel=(x, y))}} says "
            "where things are at a reset, calibration=Camera(...) makes pixels metres."
        )
