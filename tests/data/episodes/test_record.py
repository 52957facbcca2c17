"""The recorder writes what the simulator shows and knows."""

import numpy as np
import pytest

from spatial_reward.data.episodes import open_episodes
from spatial_reward.data.episodes.record import main, record_episode, record_rollouts
from spatial_reward.envs.catalogue import make
from spatial_reward.envs.simulator import Simulator

REACH, PUSH = "SpatialReward/Reach-v0", "SpatialReward/Push-v0"


def test_an_episode_holds_two_views_and_the_exact_distance():
    rollout = record_episode(REACH, seed=3, steps=12, size=64)
    assert set(rollout.frames) == {"front", "side"} and rollout.length == 12
    poses = [rollout.calibration(view).world_from_camera for view in rollout.frames]
    assert np.linalg.norm(poses[0][:3, 3] - poses[1][:3, 3]) > 0.1
    env = make(REACH)
    env.reset(seed=3)
    simulator = Simulator(env, "default", 64, 64)
    ends = [simulator.position(simulator.ground(name)) for name in ("gripper", "target")]
    assert rollout.columns["truth.distance_m"][0] == pytest.approx(
        np.linalg.norm(ends[0] - ends[1]), abs=1e-6
    )
    assert np.array_equal(simulator.frame().rgb, rollout.frames["front"][0].rgb)
    assert rollout.columns["truth.distance_m"][-1] < rollout.columns["truth.distance_m"][0]
    simulator.close()
    env.close()


def test_idle_goes_nowhere():
    rollout = record_episode(PUSH, seed=0, steps=4, size=64, policy="idle", depth=False)
    assert np.ptp(rollout.columns["truth.distance_m"]) < 1e-3
    assert rollout.frames["front"][0].depth is None


def test_one_command_records_in_several_formats(tmp_path, capsys):
    words = ["--env", REACH, PUSH, "--episodes", "2", "--steps", "3", "--size", "64"]
    main([str(tmp_path), *words, "--formats", "lerobot", "hdf5"])
    assert capsys.readouterr().out.split() == [
        str(tmp_path / "lerobot"),
        str(tmp_path / "hdf5/rollouts.hdf5"),
    ]
    for place in ("lerobot", "hdf5/rollouts.hdf5"):
        reader = open_episodes(tmp_path / place)
        assert [info.task for info in reader.episodes()] == ["reach the target", "push the cube onto the pad"]
        assert set(reader.notes()["goals"]) == {info.task for info in reader.episodes()}
        assert set(reader.notes()["points"]["episodes"]["1"]["cameras"]["front"]) == {"cube", "pad"}


def test_robots_of_different_sizes_fit_into_one_column():
    rollouts = list(record_rollouts([REACH, PUSH], 2, steps=2, size=32))
    assert rollouts[0].columns["action"].shape == rollouts[1].columns["action"].shape


def test_names_that_do_not_exist_are_told():
    with pytest.raises(ValueError, match="'CartPole-v1' has no goal in the catalogue"):
        record_episode("CartPole-v1", seed=0)
    with pytest.raises(ValueError, match="`policy` must be expert, idle or random, got 'best'"):
        record_episode(REACH, seed=0, policy="best")
