import numpy as np
import pytest

from spatial_reward.envs.catalogue import RECIPES, make
from spatial_reward.envs.grounding import anchor, find
from spatial_reward.envs.outcomes import outcome, outcomes
from spatial_reward.envs.rollout import rollout
from spatial_reward.envs.simulator import Simulator
from spatial_reward.rewards import Track, parse_goal


def progress_of(env_id, name, seed=2, steps=None):
    """Play an outcome; return true progress over time, and whether the goal is reached at the end."""
    env, recipe = make(env_id), RECIPES[env_id]
    goal = parse_goal(recipe.goal)
    env.reset(seed=seed)
    simulator = Simulator(env, recipe.camera, 32, 32)

    def tracks():
        model, data = simulator.state()
        return {thing: Track(anchor(data, find(model, thing))) for thing in goal.names}

    watch, seen = goal.watch(tracks()), []
    for _ in rollout(env, outcome(env_id, name, seed), steps or recipe.steps, seed):
        seen.append(watch.see(tracks()))
    env.close()
    return np.array([verdict.progress for verdict in seen]), seen[-1].success > 0.5


ROBOTS = ("FetchPickAndPlace-v4", "metaworld/push-v3")


@pytest.mark.slow
@pytest.mark.parametrize("env_id", ROBOTS)
def test_success_succeeds_and_everything_else_does_not(env_id):
    for name in outcomes(env_id):
        _, reached = progress_of(env_id, name)
        assert reached == (name == "success"), name


@pytest.mark.slow
@pytest.mark.parametrize("env_id", ROBOTS)
def test_each_failure_fails_in_its_way(env_id):
    near, _ = progress_of(env_id, "near_miss")
    assert 0.3 < near[-1] < 0.9 and near[-1] > near.max() - 0.1
    undone, _ = progress_of(env_id, "undo", steps=200)
    assert undone.max() > 0.6 and undone[-1] < 0.3
    for name in ("idle", "wrong_object"):
        assert progress_of(env_id, name)[0].max() < 0.15


def test_a_drop_comes_back_to_the_table():
    dropped, reached = progress_of("FetchPickAndPlace-v4", "drop")
    assert dropped.max() > 0.2 and not reached


def test_the_goal_of_the_environment_stays_its_own():
    env = make("FetchPush-v4")
    obs, _ = env.reset(seed=0)
    goal, act = env.unwrapped.goal.copy(), outcome("FetchPush-v4", "near_miss")
    for _ in range(5):
        obs, *_ = env.step(act(env, obs))
        assert (env.unwrapped.goal == goal).all()
    env.close()


def test_the_table_top_scripts_are_the_same_ones():
    assert outcomes("SpatialReward/Lift-v0")[0] == "success"
    assert "push_not_lift" in outcomes("SpatialReward/Lift-v0") and outcomes("CartPole-v1") == ()
    with pytest.raises(ValueError, match=r"'FetchPush-v4' has no outcome 'drop'. Choose one of \['success'"):
        outcome("FetchPush-v4", "drop")
