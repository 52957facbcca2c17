"""The four registered tasks keep Gymnasium's rules, follow from the seed, and look as they should."""

import copy
import pickle
import subprocess
import sys
from itertools import pairwise

import gymnasium as gym
import mujoco
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import spatial_reward.envs  # noqa: F401 (registers)
from spatial_reward.envs.randomize import MAX_DISTRACTORS
from spatial_reward.envs.simulator import Simulator
from spatial_reward.rewards import parse_goal

TASKS = ("Reach", "Push", "Lift", "Stack")
IDS = tuple(f"SpatialReward/{task}-v0" for task in TASKS)
CAMERAS = ("front", "side", "overhead", "wrist")
SMALL = {"width": 64, "height": 64}


@pytest.fixture(params=IDS)
def env_id(request):
    return request.param


def make(env_id, **kwargs):
    return gym.make(env_id, **SMALL, **kwargs)


def play(env, steps=10, seed=0):
    """Return observations, rewards and infos of a random episode."""
    rng = np.random.default_rng(seed)
    observation, info = env.reset(seed=seed)
    rows = [(observation, 0.0, info)]
    for _ in range(steps):
        observation, reward, _, _, info = env.step(rng.uniform(-1, 1, env.action_space.shape))
        rows.append((observation, reward, info))
    return rows


def test_importing_the_package_registers_without_loading_mujoco():
    code = (
        "import sys, gymnasium, spatial_reward.envs;"
        "assert gymnasium.spec('SpatialReward/Stack-v0').max_episode_steps == 150;"
        "print('mujoco' in sys.modules, 'cv2' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["False", "False"]


@pytest.mark.parametrize("observation", ["state", "pixels", "both"])
@pytest.mark.parametrize("reward", ["dense", "sparse"])
def test_gymnasium_finds_nothing_to_complain_about(env_id, observation, reward):
    env = make(env_id, observation=observation, reward=reward, render_mode="rgb_array")
    check_env(env.unwrapped)
    env.close()


@pytest.mark.parametrize("randomize", ["layout", "none"])
def test_gymnasium_finds_nothing_to_complain_about_with_less_randomness(env_id, randomize):
    check_env(make(env_id, randomize=randomize).unwrapped)


@pytest.mark.parametrize("observation", ["state", "pixels", "both"])
def test_stable_baselines_finds_nothing_to_complain_about(env_id, observation):
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    env = make(env_id, observation=observation, render_mode="rgb_array")
    checker.check_env(env.unwrapped)
    env.close()


def test_specs_copy_and_environments_pickle(env_id):
    env = make(env_id, reward="sparse")
    again = gym.make(copy.deepcopy(env.spec))
    thawed = pickle.loads(pickle.dumps(env.unwrapped))
    expected, _ = env.reset(seed=3)
    for other in (again, thawed):
        assert np.array_equal(other.reset(seed=3)[0], expected)
        assert other.unwrapped.reward == "sparse"


def test_a_seed_decides_everything(env_id):
    first, second = (play(make(env_id, observation="both"), seed=7) for _ in range(2))
    for (left, left_reward, left_info), (right, right_reward, right_info) in zip(first, second, strict=True):
        assert left["state"].tobytes() == right["state"].tobytes()
        assert left["pixels"].tobytes() == right["pixels"].tobytes()
        assert left_reward == right_reward
        assert all(np.array_equal(left_info[key], right_info[key]) for key in left_info)


def test_nothing_leaks_from_one_episode_into_the_next(env_id):
    fresh, used = make(env_id, observation="both"), make(env_id, observation="both")
    for seed in range(5):
        play(used, seed=seed)
    expected, found = play(fresh, seed=11)[-1][0], play(used, seed=11)[-1][0]
    assert found["state"].tobytes() == expected["state"].tobytes()
    assert found["pixels"].tobytes() == expected["pixels"].tobytes()


def test_none_is_always_the_same_scene(env_id):
    env = make(env_id, observation="both", randomize="none")
    first, second = env.reset(seed=1)[0], env.reset(seed=2)[0]
    assert np.array_equal(first["pixels"], second["pixels"]) and np.array_equal(
        first["state"], second["state"]
    )
    assert env.unwrapped.distractors == ()


def test_layout_moves_things_and_leaves_their_looks_alone(env_id):
    env = make(env_id, randomize="layout")
    model = env.unwrapped.model
    looks = ("geom_matid", "light_pos", "light_diffuse", "cam_pos", "cam_fovy")
    first_state = env.reset(seed=1)[0]
    first = {field: getattr(model, field).copy() for field in looks}
    assert not np.allclose(env.reset(seed=2)[0], first_state, atol=0.01)
    assert all(np.array_equal(getattr(model, field), first[field]) for field in looks)


@pytest.mark.parametrize("camera", ["front", "side", "overhead"])
def test_randomness_changes_the_pictures_of_every_camera(camera):
    env = make("SpatialReward/Lift-v0", observation="pixels", camera=camera)
    pictures = [env.reset(seed=seed)[0].astype(float) for seed in range(6)]
    changes = [np.abs(a - b).mean() for a, b in pairwise(pictures)]
    assert min(changes) > 8  # grey levels


def test_all_draws_materials_lights_cameras_and_every_number_of_distractors():
    env = make("SpatialReward/Stack-v0")
    model, drawn = (
        env.unwrapped.model,
        {"table": set(), "lights": set(), "distractors": set(), "shapes": set()},
    )
    for seed in range(60):
        env.reset(seed=seed)
        drawn["table"].add(int(model.geom("table").matid[0]))
        drawn["lights"].add(int(model.light_active.sum()))
        drawn["distractors"].add(len(env.unwrapped.distractors))
        drawn["shapes"] |= {int(model.geom_type[model.body(d).geomadr[0]]) for d in env.unwrapped.distractors}
    assert drawn["lights"] == {1, 2, 3}
    assert drawn["distractors"] == set(range(MAX_DISTRACTORS + 1))
    assert len(drawn["table"]) >= 6 and len(drawn["shapes"]) == 4


def test_distractors_rest_where_they_are_put_and_the_others_stay_away(env_id):
    env = make(env_id)
    for seed in range(10):
        env.reset(seed=seed)
        scene = env.unwrapped
        names = [f"distractor_{index}" for index in range(MAX_DISTRACTORS)]
        before = {name: scene.data.body(name).xpos.copy() for name in names}
        for _ in range(15):
            env.step(np.zeros(env.action_space.shape))
        for name in names:
            assert np.linalg.norm(scene.data.body(name).xpos - before[name]) < 0.002  # [m]
            assert (before[name][2] > 0) == (name in scene.distractors)


def test_nothing_overlaps_at_the_start(env_id):
    env = make(env_id)
    for seed in range(50):
        env.reset(seed=seed)
        assert all(contact.dist > -0.002 for contact in env.unwrapped.data.contact)  # [m]


def test_what_the_goal_speaks_of_is_seen_from_the_front(env_id):
    env = gym.make(env_id)
    scene = env.unwrapped
    fixed = [name for name in ("target", "pad") if name in scene.landmarks()]
    numbers = [scene.model.body(name).id for name in ("hand", *scene.objects, *fixed)]
    simulator = Simulator(env, "front")
    seen = []
    for seed in range(50):
        env.reset(seed=seed)
        pixels = np.bincount(simulator.segmentation().ravel() + 1, minlength=scene.model.nbody + 1)
        seen.append(min(pixels[number + 1] for number in numbers) >= 25)  # [px]
    simulator.close()
    assert np.mean(seen) >= 0.95


@pytest.mark.parametrize("camera", CAMERAS)
def test_every_camera_shows_the_robot(camera):
    env = gym.make("SpatialReward/Push-v0", camera=camera)
    env.reset(seed=0)
    model = env.unwrapped.model
    with Simulator(env, camera) as simulator:
        names = {model.body(number).name for number in np.unique(simulator.segmentation()) if number > 0}
    assert {"table", "hand"} <= names


def test_render_is_the_picture_of_the_camera():
    env = gym.make("SpatialReward/Lift-v0", render_mode="rgb_array", observation="pixels", camera="overhead")
    observation, _ = env.reset(seed=0)
    assert env.render().shape == (224, 224, 3)
    assert np.array_equal(env.render(), observation)
    env.close()


def test_info_tells_the_truth(env_id):
    env = make(env_id)
    for _, reward, info in play(env)[1:]:
        moved, target, *_ = env.unwrapped.landmarks()
        numbers = [value for key, value in info.items() if key != "is_success"]
        assert all(np.isfinite(value).all() for value in numbers) and np.isfinite(reward)
        assert isinstance(info["is_success"], bool)
        assert info["is_success"] == (info["distance"] <= env.unwrapped.within)
        if env_id != "SpatialReward/Lift-v0":
            assert info["distance"] == pytest.approx(np.linalg.norm(info[moved] - info[target]))


def test_the_reward_is_minus_the_metres_that_are_missing(env_id):
    env = make(env_id)
    _, reward, info = play(env)[-1]
    first = env.unwrapped.objects[:1]
    approach = np.linalg.norm(info["gripper"] - info[first[0]]) if first else 0.0
    assert reward == pytest.approx(-info["distance"] - approach)
    _, sparse, info = play(make(env_id, reward="sparse"))[-1]
    assert sparse == float(info["is_success"]) - 1.0


@pytest.mark.parametrize("env_id", IDS[1:])
def test_losing_an_object_ends_the_episode_and_does_not_pay(env_id):
    env = make(env_id)
    env.reset(seed=0)
    scene = env.unwrapped
    scene.put(scene.objects[0], np.array([1.0, 0.0, -0.2]))
    _, reward, terminated, _, info = env.step(np.zeros(env.action_space.shape))
    assert terminated and not info["is_success"]
    assert reward < -env.spec.max_episode_steps


def test_episodes_are_cut_off_at_the_time_limit(env_id):
    env = make(env_id)
    env.reset(seed=0)
    ends = [env.step(np.zeros(env.action_space.shape))[2:4] for _ in range(env.spec.max_episode_steps)]
    assert ends[-1] == (False, True) and set(ends[:-1]) == {(False, False)}


def test_the_fingertips_go_where_they_are_sent_and_never_into_the_table(env_id):
    env = make(env_id, randomize="none")
    env.reset()
    arm = env.unwrapped.arm
    start = arm.tip
    for _ in range(5):
        env.step(np.array([0.5, -0.5, 0.5, 0.0])[: env.action_space.shape[0]])
    for _ in range(8):
        env.step(np.zeros(env.action_space.shape))
    assert np.allclose(arm.tip - start, [0.05, -0.05, 0.05], atol=0.002)  # [m]
    for _ in range(30):
        env.step(np.array([0.0, 0.0, -1.0, 0.0])[: env.action_space.shape[0]])
    assert arm.tip[2] > 0.005


def test_vector_environments_give_one_row_each(env_id):
    envs = gym.make_vec(env_id, num_envs=3, vectorization_mode="sync", **SMALL)
    observations, _ = envs.reset(seed=5)
    single, _ = make(env_id).reset(seed=6)
    assert np.array_equal(observations[1], single)
    info = envs.step(np.zeros(envs.action_space.shape, np.float32))[-1]
    assert info["distance"].shape == (3,) and info["gripper"].shape == (3, 3)
    envs.close()


@pytest.mark.parametrize(
    ("option", "value"),
    [("observation", "rgb"), ("reward", "shaped"), ("randomize", "some"), ("camera", "back")],
)
def test_unknown_options_are_named_with_the_alternatives(option, value):
    with pytest.raises(ValueError, match=rf"Unknown `{option}` '{value}'. Choose one of \["):
        gym.make("SpatialReward/Reach-v0", **{option: value})


@pytest.mark.parametrize("action", [[np.nan, 0.0, 0.0], [0.0, 0.0]])
def test_actions_that_are_none_are_refused(action):
    env = gym.make("SpatialReward/Reach-v0", disable_env_checker=True)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"`action` must be \(3,\) finite numbers"):
        env.step(np.array(action))


def test_the_goal_speaks_of_the_model_and_of_the_same_tolerance(env_id):
    scene = make(env_id).unwrapped
    goal = parse_goal(scene.goal)
    kinds = (mujoco.mjtObj.mjOBJ_BODY, mujoco.mjtObj.mjOBJ_SITE)
    assert goal.within == pytest.approx(scene.within)
    for name in goal.names:
        assert any(mujoco.mj_name2id(scene.model, kind, name) >= 0 for kind in kinds), name
