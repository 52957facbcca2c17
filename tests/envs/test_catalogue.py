"""Every environment of the catalogue is made by name, and its seed fixes the whole episode."""

import importlib.util
import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest

from spatial_reward.envs.catalogue import RECIPES, make
from spatial_reward.envs.physics import physics
from spatial_reward.envs.simulator import Simulator
from spatial_reward.rewards import parse_goal

FAMILIES = [
    "SpatialReward/Push-v0",
    "FetchPush-v4",
    "FetchReach-v4",
    "metaworld/push-v3",
    "metaworld/drawer-open-v3",
    "dm_control/reach_site_features-v0",
    "dm_control/reacher-hard-v0",
]


def layout(env, seed):
    """Where everything is after a reset: joints, and what the model itself was changed to."""
    env.reset(seed=seed)
    model, data = physics(env)
    goal = getattr(env.unwrapped, "goal", None)
    goal = goal if isinstance(goal, np.ndarray) else np.zeros(3)
    places = model.body_pos, model.site_pos, model.geom_pos, data.qpos, data.mocap_pos, goal
    return np.concatenate([np.ravel(place) for place in places])


@pytest.fixture
def env(request):
    made = make(request.param)
    yield made
    made.close()


@pytest.mark.parametrize("env", FAMILIES, indirect=True)
def test_a_seed_fixes_the_layout_whatever_came_before(env):
    first = layout(env, 3)
    for _ in range(3):
        env.step(env.action_space.sample())
    other = layout(env, 4)
    assert np.array_equal(layout(env, 3), first)
    assert not np.allclose(other, first, atol=1e-3)


@pytest.mark.parametrize("env_id", FAMILIES)
def test_a_seed_fixes_the_layout_in_another_instance(env_id):
    layouts = []
    for _ in range(2):
        env = make(env_id)
        layouts.append(layout(env, 7))
        env.close()
    assert np.array_equal(*layouts)


@pytest.mark.parametrize("env", FAMILIES, indirect=True)
def test_a_seed_fixes_the_whole_episode(env):
    _, data = physics(env)
    rng, ends = np.random.default_rng(0), []
    actions = [rng.uniform(env.action_space.low, env.action_space.high) for _ in range(10)]
    for _ in range(2):
        env.reset(seed=5)
        for action in actions:
            env.step(action.astype(env.action_space.dtype))
        _, data = physics(env)
        ends.append(data.qpos.copy())
    assert np.array_equal(*ends)


@pytest.mark.parametrize("env", ["metaworld/push-v3", "metaworld/drawer-open-v3"], indirect=True)
def test_meta_world_moves_on_without_a_seed(env):
    first, second, third = layout(env, 0), layout(env, None), layout(env, None)
    assert not np.allclose(first, second, atol=1e-3) and not np.allclose(second, third, atol=1e-3)


@pytest.mark.parametrize("env", ["metaworld/push-v3", "metaworld/drawer-open-v3"], indirect=True)
def test_meta_world_observes_and_shows_what_the_reset_has_moved(env):
    observation, _ = env.reset(seed=1)
    robot = env.unwrapped
    assert env.observation_space.contains(observation)
    assert np.allclose(observation[4:7], robot._get_pos_objects())
    assert np.allclose(observation[18 + 4 : 18 + 7], observation[4:7])  # the frame before is the same one
    assert np.allclose(observation[-3:], robot._target_pos)
    assert np.allclose(robot.data.site("goal").xpos, robot._target_pos)


@pytest.mark.parametrize("env", ["metaworld/push-v3"], indirect=True)
def test_meta_world_cameras_are_upright(env):
    env.reset(seed=0)
    model, data = physics(env)
    up = {model.camera(i).name: data.cam_xmat[i].reshape(3, 3)[2, 1] for i in range(model.ncam)}
    assert up["corner"] > 0.1 and min(up.values()) > -1e-6


def test_meta_world_stops_when_told():
    env = make("metaworld/reach-v3", max_episode_steps=2)
    env.reset(seed=0)
    ends = [env.step(np.zeros(4, dtype=np.float32))[3] for _ in range(2)]
    assert ends == [False, True]


@pytest.mark.parametrize("env_id", RECIPES)
def test_recipes_name_what_is_there(env_id):
    recipe = RECIPES[env_id]
    env = make(env_id)
    env.reset(seed=0)
    with Simulator(env, camera=recipe.camera, width=recipe.size, height=recipe.size) as simulator:
        names = parse_goal(recipe.goal).names
        references = [simulator.ground(name).reference for name in names]
        picture = simulator.frame().rgb
    env.close()
    assert picture.std() > 1
    assert references[0].pixel is not None, "what is moved is followed by its pixel"
    assert np.isfinite([reference.position for reference in references]).all()


@pytest.mark.parametrize("env_id", [env_id for env_id in RECIPES if env_id.startswith("SpatialReward/")])
def test_recipes_of_our_own_tasks_are_those_of_the_tasks(env_id):
    env, recipe = make(env_id), RECIPES[env_id]
    assert parse_goal(recipe.goal) == parse_goal(env.unwrapped.goal)
    assert recipe.steps == env.spec.max_episode_steps


def test_pictures_are_on_unless_asked_otherwise():
    assert make("CartPole-v1").render_mode == "rgb_array"
    assert make("CartPole-v1", render_mode=None).render_mode is None


def test_a_function_of_the_users():
    env = make("tests_own_env:build", size=3)
    assert isinstance(env, gym.Env) and env.unwrapped.size == 3 and env.render_mode == "rgb_array"
    assert make("tests_own_env:plain").render_mode is None


@pytest.fixture(autouse=True)
def own_module(monkeypatch, tmp_path):
    (tmp_path / "tests_own_env.py").write_text(
        "import gymnasium as gym\n"
        "class Own(gym.Env):\n"
        "    def __init__(self, size=1, render_mode=None):\n"
        "        self.size, self.render_mode = size, render_mode\n"
        "def build(**kwargs): return Own(**kwargs)\n"
        "def plain(): return Own()\n"
        "def wrong(): return 7\n"
        "number = 7\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize(
    ("env_id", "message"),
    [
        ("FetchPsh-v4", "Unknown environment 'FetchPsh-v4'.*FetchPush-v4"),
        ("metaworld/pushh-v3", "Unknown environment 'metaworld/pushh-v3'.*metaworld/push-v3"),
        ("dm_control/reacher-hrd-v0", "Near matches.*dm_control/reacher-hard-v0"),
        ("SpatialReward/Psh-v0", "Near matches.*SpatialReward/Push-v0"),
        ("tests_own_env:absent", "'tests_own_env' has no function 'absent'"),
        ("tests_own_env:number", "has no function 'number'"),
        ("tests_own_env:wrong", "must return a gymnasium.Env, got int"),
    ],
)
def test_unknown_names_say_what_is_near(env_id, message):
    with pytest.raises(ValueError, match=message):
        make(env_id)


@pytest.mark.parametrize(
    ("env_id", "package", "remedy"),
    [
        ("FetchPush-v4", "gymnasium_robotics", r'pip install "spatial-reward\[robots\]"'),
        ("dm_control/reacher-hard-v0", "shimmy", r'pip install "spatial-reward\[robots\]"'),
        ("metaworld/push-v3", "metaworld", "pip install --no-deps metaworld==3.1.1"),
    ],
)
def test_missing_packages_name_the_remedy(monkeypatch, env_id, package, remedy):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else find(name))
    with pytest.raises(ImportError, match=f"'{env_id}' needs {package}.*{remedy}"):
        make(env_id)


@pytest.mark.slow
def test_making_an_environment_prints_nothing():
    code = "from spatial_reward.envs.catalogue import make; make('FetchPush-v4').close()"
    ran = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
