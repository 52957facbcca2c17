"""A MuJoCo simulation to act on: an environment by its name, or a bare model from an MJCF file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spatial_reward.envs.catalogue import make
from spatial_reward.envs.gl import load_mujoco
from spatial_reward.envs.mjcf import read_model
from spatial_reward.envs.physics import physics

GHOST = 0.3  # alpha under which a geom is not drawn: no question may be about what hardly shows


class Stage:
    """A MuJoCo model to act on.

    Args:
        source: An environment, or a pair (MjModel, MjData).
        env_id: Name of the environment; "" for a bare model.
    """

    def __init__(self, source: Any, env_id: str = "") -> None:
        """Keep the source; nothing moves yet."""
        self.source, self.env_id = source, env_id

    @property
    def model(self) -> Any:
        """The MjModel now; an environment may make another at each reset."""
        return physics(self.source)[0]

    @property
    def data(self) -> Any:
        """The MjData now."""
        return physics(self.source)[1]

    def reset(self, seed: int) -> Any:
        """Go back to the start; return the observation of an environment."""
        if self.env_id:
            return self.source.reset(seed=seed)[0]
        mujoco, (model, data) = load_mujoco(), self.source
        if model.nkey:
            mujoco.mj_resetDataKeyframe(model, data, 0)
        else:
            mujoco.mj_resetData(model, data)
        mujoco.mj_forward(model, data)
        return None

    def hide_ghosts(self) -> None:
        """Stop drawing what is nearly transparent."""
        for rgba in (self.model.geom_rgba, self.model.mat_rgba):
            rgba[rgba[:, 3] < GHOST, 3] = 0.0


def open_environment(env_id: str, options: Mapping[str, Any]) -> Stage:
    """Make an environment.

    Raises:
        ValueError: If nothing has that name, or there is no MuJoCo in it.
        ImportError: If the package behind it is missing.
    """
    load_mujoco()  # chooses OpenGL before an environment imports MuJoCo
    stage = Stage(make(env_id, **options), env_id)
    stage.reset(0)
    try:
        _ = stage.model
    except TypeError as error:
        raise ValueError(f"{env_id!r} is no MuJoCo environment: {error}") from error
    return stage


def open_model(path: Path) -> Stage:
    """Read an MJCF file.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If MuJoCo cannot read it.
    """
    model = read_model(path)
    return Stage((model, load_mujoco().MjData(model)))
