import numpy as np
import own_robot
import pytest
from gymnasium.utils.env_checker import check_env

from spatial_reward.envs.catalogue import make
from spatial_reward.envs.experts import wander
from spatial_reward.envs.mjcf import FASTEST, MJCF
from spatial_reward.envs.wrappers import SpatialReward


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return own_robot.write(tmp_path_factory.mktemp("scene"))


@pytest.mark.filterwarnings("ignore:.*infinity.*")  # positions have no limits
def test_it_keeps_gymnasiums_rules(path):
    env = MJCF(path, "rgb_array")
    check_env(env, skip_render_check=True)
    assert env.render().shape == (480, 480, 3)
    env.close()


def test_layouts_follow_from_the_seed(path):
    env = make(str(path), render_mode=None)
    starts = [env.reset(seed=seed)[0] for seed in (0, 1, 2, 3, 4, 0)]
    np.testing.assert_array_equal(starts[0], starts[-1])
    assert len({start.tobytes() for start in starts}) >= 3
    same = [MJCF(path, random=False).reset(seed=seed)[0] for seed in (0, 1)]
    np.testing.assert_array_equal(*same)


def test_controls_approach_an_action_and_episodes_end_by_time(path):
    env = make(str(path), render_mode=None, max_episode_steps=5)
    env.reset(seed=0)
    inner = env.unwrapped
    before, (low, up) = inner.data.ctrl.copy(), inner.model.actuator_ctrlrange.T
    high = env.action_space.high
    env.step(high)
    moved = inner.data.ctrl - before
    assert (moved > 0).all() and (moved <= FASTEST * (up - low) + 1e-6).all()
    for _ in range(40):
        inner.step(high)
    np.testing.assert_allclose(inner.data.ctrl, up, atol=1e-6)
    for _ in range(40):
        inner.step(np.zeros(3))
    np.testing.assert_allclose(inner.data.ctrl, (low + up) / 2, atol=1e-6)
    env.reset(seed=0)
    policy = wander(0)
    ends = [env.step(policy(env, None))[2:4] for _ in range(5)]
    assert ends == [(False, False)] * 4 + [(False, True)]


def test_a_goal_makes_its_reward(path):
    env = SpatialReward(make(str(path)), own_robot.GOAL, "oracle", camera="watch", truth=True)
    env.reset(seed=1)
    policy, rewards = wander(1), []
    for _ in range(12):
        _, reward, _, _, info = env.step(policy(env, None))
        rewards.append(reward)
        assert info["spatial_reward/potential"] == pytest.approx(-info["spatial_reward/truth_distance"])
    assert np.ptp(rewards) > 0
    env.close()


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        (None, FileNotFoundError, "There is no MJCF file"),
        ("<mujoco><worldbody><geom/></worldbody></mujoco>", ValueError, "MuJoCo cannot read"),
    ],
    ids=["missing", "broken"],
)
def test_a_file_that_is_none(tmp_path, text, error, said):
    path = tmp_path / "scene.xml"
    if text:
        path.write_text(text)
    with pytest.raises(error, match=said):
        make(str(path))
