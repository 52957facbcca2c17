"""Environments by name, and a small table of those with a goal, a camera and a scripted expert."""

import importlib
import importlib.util
import inspect
import warnings
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from difflib import get_close_matches
from io import StringIO
from typing import Any

import gymnasium as gym
import numpy as np

from spatial_reward.envs.gl import load_mujoco

ROBOTS = 'pip install "spatial-reward[robots]"'
META_WORLD = "pip install --no-deps metaworld==3.1.1"
# Families that Gymnasium-Robotics registers; without it, their ids are known but cannot be made.
GYMNASIUM_ROBOTICS = (
    "Fetch",
    "HandReach",
    "HandManipulate",
    "Adroit",
    "FrankaKitchen",
    "PointMaze",
    "AntMaze",
)


@dataclass(frozen=True)
class Recipe:
    """What to ask of an environment, and from where to look.

    Attributes:
        env_id: A name that `make` knows.
        goal: Goal in words; its names are bodies, geoms or sites of the environment's MuJoCo model.
        camera: Name of a camera of the model, or "default" for the view that `env.render()` shows.
        size: Side of the pictures [px] in which the things of the goal cover enough pixels to be followed.
        steps: Length of an episode that leaves the expert time to finish and to stand still.
        success_key: Where the environment's own verdict is in `info`; "" where it gives none.
        expert: Whether `experts.expert` has a policy for it.
    """

    env_id: str
    goal: str
    camera: str = "default"
    steps: int = 50
    success_key: str = "is_success"
    expert: bool = True
    size: int = 224


def _meta_world(task: str, goal: str, steps: int, camera: str = "corner") -> Recipe:
    return Recipe(f"metaworld/{task}", goal, camera, steps, success_key="success", size=448)


def _dm_control(task: str, goal: str, camera: str, size: int) -> Recipe:
    return Recipe(f"dm_control/{task}", goal, camera, steps=150, success_key="", size=size)


RECIPES: Mapping[str, Recipe] = {
    recipe.env_id: recipe
    for recipe in (
        Recipe("SpatialReward/Reach-v0", "near(gripper, target, within=3cm)", steps=50),
        Recipe("SpatialReward/Push-v0", "near(cube, pad, within=4cm)", steps=120),
        Recipe("SpatialReward/Lift-v0", "lift(cube, by=10cm)", steps=100),
        Recipe("SpatialReward/Stack-v0", "near(cube_a, cube_b_top, within=2cm)", steps=150),
        Recipe("FetchReach-v4", "near(robot0:grip, target0, within=5cm)", size=448),
        Recipe("FetchPush-v4", "near(object0, target0, within=5cm)", size=448),
        Recipe("FetchPickAndPlace-v4", "near(object0, target0, within=5cm)", size=448),
        Recipe("FetchSlide-v4", "near(object0, target0, within=5cm)", size=448),
        _meta_world("reach-v3", "near(endEffector, goal, within=5cm)", 100),
        _meta_world("push-v3", "near(obj, goal, within=5cm)", 120),
        _meta_world("pick-place-v3", "near(obj, goal, within=7cm)", 120),
        _meta_world("drawer-open-v3", "move(drawer_link, by=(0cm, -19cm, 0cm), within=3cm)", 150),
        _meta_world("door-open-v3", "near(handle, goal, within=9cm)", 150),
        _meta_world("button-press-v3", "near(button, hole, within=2.1cm)", 120),
        _dm_control(
            "reach_site_features-v0",
            "near(jaco_arm/jaco_hand/pinchsite, target_site, within=5cm)",
            camera="default",
            size=224,
        ),
        _dm_control("reacher-hard-v0", "near(finger, target, within=2.5cm)", camera="fixed", size=448),
    )
}


def make(env_id: str, **kwargs: Any) -> gym.Env[Any, Any]:
    """Make an environment whose whole episode, layout and target included, follows from `reset(seed=...)`.

    Args:
        env_id: "SpatialReward/Push-v0", "FetchPush-v4", "metaworld/push-v3",
            "dm_control/reach_site_features-v0", any other id of Gymnasium, "module:function" of yours, a
            callable that returns an environment, or the path of an MJCF file (see `envs.mjcf`).
        **kwargs: Given to the environment; `render_mode` is "rgb_array" unless you say otherwise.

    Raises:
        ValueError: If nothing has that name.
        FileNotFoundError: If there is no such MJCF file.
        ImportError: If the package behind it is missing.
    """
    kwargs = {"render_mode": "rgb_array", **kwargs}
    family, _, name = env_id.partition("/")
    if ":" in env_id and env_id.rpartition(":")[2].isidentifier():
        return _make_own(env_id, kwargs)
    if env_id.endswith(".xml"):
        return _make_mjcf(env_id, kwargs)
    if family == "metaworld":
        return _make_meta_world(name, kwargs)
    _register(env_id)
    if ":" not in env_id and env_id not in gym.registry:
        raise ValueError(_unknown(env_id, list(gym.registry)))
    return gym.make(env_id, **kwargs)


def _unknown(env_id: str, known: list[str]) -> str:
    near = get_close_matches(env_id, known, n=5, cutoff=0.5)
    return (
        f"Unknown environment {env_id!r}. "
        + (f"Near matches: {near}. " if near else "")
        + 'Give "FetchPush-v4", "metaworld/push-v3", "dm_control/reacher-hard-v0", another id of '
        'Gymnasium, "module:function" that returns an environment, or the path of an MJCF file.'
    )


def _make_mjcf(path: str, kwargs: dict[str, Any]) -> gym.Env[Any, Any]:
    from spatial_reward.envs.mjcf import MJCF

    steps = kwargs.pop("max_episode_steps", None)
    return gym.wrappers.TimeLimit(MJCF(path, **kwargs), steps or 100)


def _make_own(env_id: str, kwargs: dict[str, Any]) -> gym.Env[Any, Any]:
    module_name, _, name = env_id.rpartition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name.partition(".")[0]:
            raise
        raise ValueError(
            f"There is no module {module_name!r}, asked for by {env_id!r}: start in its folder or install it."
        ) from error
    function = getattr(module, name, None)
    if not callable(function):
        raise ValueError(f"{module_name!r} has no function {name!r} (asked for by {env_id!r}).")
    accepted = inspect.signature(function).parameters.values()
    if not any(p.name == "render_mode" or p.kind is p.VAR_KEYWORD for p in accepted):
        kwargs = {key: value for key, value in kwargs.items() if key != "render_mode"}
    env = function(**kwargs)
    if not isinstance(env, gym.Env):
        raise ValueError(f"{env_id!r} must return a gymnasium.Env, got {type(env).__name__}.")
    return env


def _register(env_id: str) -> None:
    """Import the package that registers `env_id`, where it is not Gymnasium itself."""
    if env_id.startswith("SpatialReward/"):
        importlib.import_module("spatial_reward.envs")
    elif env_id.startswith("dm_control/"):
        require_package("dm_control", env_id, ROBOTS)
        require_package("shimmy", env_id, ROBOTS)
    elif env_id.startswith(GYMNASIUM_ROBOTICS):
        require_package("gymnasium_robotics", env_id, ROBOTS)


def require_package(package: str, env_id: str, remedy: str) -> Any:
    """Import the package that an environment needs, without the notes that it prints for everybody.

    Raises:
        ImportError: If it is not installed; says which environment asked, and the remedy.
    """
    if importlib.util.find_spec(package.partition(".")[0]) is None:
        raise ImportError(f"{env_id!r} needs {package}, which is not installed: {remedy}")
    silence = StringIO()
    with redirect_stdout(silence), redirect_stderr(silence), warnings.catch_warnings():
        # Without a display GLFW complains, although nothing here opens a window.
        warnings.filterwarnings("ignore", message=".*(DISPLAY|GLFW|X11).*")
        return importlib.import_module(package)


def _make_meta_world(task: str, kwargs: dict[str, Any]) -> gym.Env[Any, Any]:
    """Make one task with its goal in the observation, and a layout drawn anew at every reset.

    `gym.make("Meta-World/MT1")` draws from 50 layouts before it looks at the seed of the reset.
    """
    tasks = require_package("metaworld", f"metaworld/{task}", META_WORLD).env_dict.ALL_V3_ENVIRONMENTS
    if task not in tasks:
        raise ValueError(_unknown(f"metaworld/{task}", [f"metaworld/{name}" for name in tasks]))
    steps = kwargs.pop("max_episode_steps", None)
    env = tasks[task](**kwargs)
    env._set_task_called = env.seeded_rand_vec = True
    env._freeze_rand_vec = env._partially_observable = False
    env.__dict__.pop("sawyer_observation_space", None)  # cached without the goal
    env.observation_space = env.sawyer_observation_space
    _turn_upright(env.model)
    return gym.wrappers.TimeLimit(_Seeded(env), steps or env.max_path_length)


def _turn_upright(model: Any) -> None:
    """Turn the cameras that hang upside down (most of Meta-World's) by 180 degrees about their axis."""
    mujoco, rotation, turned = load_mujoco(), np.zeros(9), np.zeros(4)
    for quaternion in model.cam_quat:
        mujoco.mju_quat2Mat(rotation, quaternion)
        if rotation.reshape(3, 3)[2, 1] < 0:  # the picture's upward direction points down
            mujoco.mju_mulQuat(turned, quaternion, np.array([0.0, 0.0, 0.0, 1.0]))
            quaternion[:] = turned


class _Seeded(gym.Wrapper[Any, Any, Any, Any]):
    """Make Meta-World's reset obey its seed, and show what it has moved."""

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset to the layout that `seed` fixes; to the next one without a seed."""
        robot: Any = self.unwrapped
        if seed is not None:
            robot.seed(seed)
        _, info = self.env.reset(options=options)
        # The layout is written to the model; without this, the state shows it one step late.
        load_mujoco().mj_forward(robot.model, robot.data)
        robot._prev_obs = robot._get_curr_obs_combined_no_goal()
        space = robot.sawyer_observation_space
        return np.clip(robot._get_obs(), space.low, space.high), info
