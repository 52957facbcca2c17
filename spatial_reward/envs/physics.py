"""Find the MuJoCo model and state behind an environment, and the camera its own pictures are taken with."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

import numpy as np

from spatial_reward.envs.gl import load_mujoco

# Where environments keep the object that has `model` and `data`, seen from `env.unwrapped`.
HOLDERS = ("", "robot_env", "point_env", "ant_env", "_env.physics", "physics", "sim")


def physics(env: Any) -> tuple[Any, Any]:
    """Return the MjModel and MjData of an environment, as they are now.

    Args:
        env: A pair (MjModel, MjData), or an environment of Gymnasium, Gymnasium-Robotics, Meta-World,
            dm_control (plain or through Shimmy) or robosuite, wrapped or not. Some make a new model at
            each reset, so ask again afterwards.

    Raises:
        TypeError: If there is no MuJoCo model in it.
    """
    mujoco = load_mujoco()
    if isinstance(env, tuple) and len(env) == 2:
        holders: list[Any] = [_Pair(*env)]
    else:
        holders = [_attribute(unwrapped(env), path) for path in HOLDERS]
    for holder in holders:
        model, data = _bare(getattr(holder, "model", None)), _bare(getattr(holder, "data", None))
        if isinstance(model, mujoco.MjModel) and isinstance(data, mujoco.MjData):
            return model, data
    raise TypeError(
        f"No MuJoCo model in {env!r}: give a pair (MjModel, MjData), or an environment whose `unwrapped` "
        f"has `model` and `data`, itself or in one of {', '.join(HOLDERS[1:])}."
    )


def unwrapped(env: Any) -> Any:
    """Return the environment inside all wrappers; other things as they are."""
    return getattr(env, "unwrapped", env)


def default_view(env: Any) -> Any:
    """Return the MjvCamera of `env.render()`; of MuJoCo's default free camera for a bare model.

    A Gymnasium environment that has not rendered yet looks at the median of its geoms unless it says
    otherwise, which depends on the state: ask after the reset.
    """
    model, data = physics(env)
    inner = unwrapped(env)
    for holder in (_attribute(inner, path) for path in HOLDERS):
        if getattr(holder, "mujoco_renderer", None) is not None:
            return _gymnasium_view(holder.mujoco_renderer, model, data)
    camera = getattr(inner, "render_kwargs", {}).get("camera_id", getattr(inner, "camera", -1))
    if isinstance(env, tuple):
        camera = getattr(model.vis.global_, "cameraid", -1)
    return named_view(model, camera) or free_view(model)


def named_view(model: Any, camera: object) -> Any | None:
    """Return the MjvCamera of a model camera given by name or number; None if there is none such."""
    mujoco = load_mujoco()
    if isinstance(camera, str):
        camera = mujoco.mj_name2id(model, int(mujoco.mjtObj.mjOBJ_CAMERA), camera)
    if not isinstance(camera, int | np.integer) or not 0 <= camera < model.ncam:
        return None
    view = mujoco.MjvCamera()
    view.type, view.fixedcamid = int(mujoco.mjtCamera.mjCAMERA_FIXED), int(camera)
    return view


def free_view(model: Any) -> Any:
    """Return MuJoCo's default free MjvCamera."""
    mujoco = load_mujoco()
    view = mujoco.MjvCamera()
    mujoco.mjv_defaultFreeCamera(model, view)
    return view


def _gymnasium_view(renderer: Any, model: Any, data: Any) -> Any:
    """Return the camera of a Gymnasium `MujocoRenderer`, made the way its offscreen viewer makes it."""
    mujoco = load_mujoco()
    fixed = named_view(model, renderer.camera_id)
    if fixed is not None:
        return fixed
    viewer = renderer._viewers.get("rgb_array")
    if viewer is not None:
        return viewer.cam
    view = mujoco.MjvCamera()
    view.lookat[:] = np.median(data.geom_xpos, axis=0)
    view.distance = model.stat.extent
    for name, value in (renderer.default_cam_config or {}).items():
        setattr(view, name, value)
    view.type, view.fixedcamid = int(mujoco.mjtCamera.mjCAMERA_FREE), -1
    return view


def find_view(source: Any, model: Any, name: str) -> Any:
    """Return the MjvCamera called `name`: one of the model, "default", or "free".

    Raises:
        ValueError: If there is none; lists those there are.
    """
    view = named_view(model, name)
    if view is None and name == "default":
        view = default_view(source)
    elif view is None and name == "free":
        view = free_view(model)
    if view is None:
        known = [model.camera(i).name for i in range(model.ncam)]
        known = [camera for camera in known if camera] + ["default", "free", "orbit"]
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"Unknown camera {name!r}.{hint} There are: {', '.join(known)}.")
    return view


class Shown:
    """The state as `env.render()` shows it.

    Some environments (Fetch, Shadow hand) place their target markers only when they render, in
    `_render_callback`, which also moves the kinematics on. Here that happens in a copy: looking at an
    environment never changes what it does next.
    """

    def __init__(self, env: Any) -> None:
        """Remember the environment; nothing is copied yet."""
        self._env = env
        self._copies: tuple[Any, Any, Any] | None = None

    def now(self) -> tuple[Any, Any]:
        """Return model and state (MjModel, MjData); the state may be a copy, for reading only."""
        model, data = physics(self._env)
        callback = getattr(unwrapped(self._env), "_render_callback", None)
        if callback is None or isinstance(self._env, tuple):
            _require_poses(model, data)
            return model, data
        return model, self._after(callback, model, data)

    def _after(self, callback: Callable[[], None], model: Any, data: Any) -> Any:
        mujoco = load_mujoco()
        if self._copies is None or self._copies[0] is not model:
            self._copies = model, mujoco.MjData(model), mujoco.MjData(model)
        _, before, shown = self._copies
        mujoco.mj_copyData(before, model, data)
        markers = model.site_pos.copy()
        try:
            callback()
            mujoco.mj_copyData(shown, model, data)
        finally:
            mujoco.mj_copyData(data, model, before)
            model.site_pos[:] = markers
        return shown


def _require_poses(model: Any, data: Any) -> None:
    """Compute poses of a state that has none yet: a new MjData holds zeros, not rotations."""
    if model.ngeom and not data.geom_xmat[0].any():
        load_mujoco().mj_forward(model, data)


class _Pair:
    def __init__(self, model: Any, data: Any) -> None:
        self.model, self.data = model, data


def _attribute(thing: Any, path: str) -> Any:
    for name in filter(None, path.split(".")):
        thing = getattr(thing, name, None)
    return thing


def _bare(thing: Any) -> Any:
    """Return the MuJoCo struct inside dm_control's (`ptr`) or robosuite's (`_model`, `_data`) wrapper."""
    for name in ("ptr", "_model", "_data"):
        thing = getattr(thing, name, thing)
    return thing
