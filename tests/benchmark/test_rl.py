import json

import numpy as np
import pytest

pytest.importorskip("sb3_contrib")

from spatial_reward.benchmark.rl import plan_of, run
from spatial_reward.benchmark.rl_demonstrations import demonstrate
from spatial_reward.benchmark.rl_report import as_markdown
from spatial_reward.benchmark.rl_rewards import ClockReward, Plan, own_env, rewarded_envs
from spatial_reward.benchmark.rl_runs import Run, make_agent
from spatial_reward.benchmark.rl_statistics import Estimate, area, estimate, iqm
from spatial_reward.benchmark.rl_table import (
    Curve,
    curves_of,
    metrics_of,
    over_optimism,
    read_record,
    slug,
    verdicts,
)
from spatial_reward.config import compose

REACH = "SpatialReward/Reach-v0"
SMALL = {
    "envs": [REACH],
    "rewards": ["dense", "shaping", "model", "sparse", "clock"],
    "seeds": 1,
    "steps": 60,
    "evaluations": 3,
    "episodes": 1,
    "model": {"name": "oracle"},
    "size": 32,
    "algorithm": {"learning_starts": 20, "batch_size": 16, "policy_kwargs": {"net_arch": [16]}},
    "limit": 10,
}


def config(**change):
    return {**compose("benchmark_rl", []), **SMALL, **change}


def test_the_interquartile_mean_forgets_the_ends():
    assert iqm([[0, 1, 1, 9], [2, 2, 2, 2]]).tolist() == [1.0, 2.0]
    assert iqm([3.0]) == 3.0 and iqm(np.arange(100.0)) == pytest.approx(49.5)


def test_an_interval_holds_the_mean_of_its_strata():
    sure = estimate([np.full(5, 0.2), np.full(5, 0.8)])
    assert sure == Estimate(0.5, 0.5, 0.5)  # drawn within the groups, so that nothing varies
    loose = estimate([[0.0, 0.2, 0.4, 0.6, 1.0]])
    assert loose.low < loose.mean < loose.high and loose == estimate([[0.0, 0.2, 0.4, 0.6, 1.0]])
    assert Estimate(0.9, 0.8, 1.0).above(Estimate(0.5, 0.4, 0.7))
    assert not Estimate(0.9, 0.6, 1.0).above(Estimate(0.5, 0.4, 0.7))


def test_the_area_weighs_by_steps():
    assert area([0, 10, 40], [0.0, 1.0, 1.0]) == pytest.approx(0.875) and area([5], [0.3]) == 0.3


def curve(reward, success, seconds=10.0, error=None):
    success = np.atleast_2d(success)
    error = np.full(success.shape, np.nan) if error is None else np.atleast_2d(error)
    return Curve(
        REACH,
        reward,
        tuple(range(len(success))),
        np.arange(success.shape[1]) * 10.0,
        success,
        np.full(len(success), seconds),
        error - 0.1,
        np.full(success.shape, -0.1),
        np.zeros(len(success)),
    )


def test_verdicts_compare_with_every_other_reward():
    good = np.tile([0.0, 0.9, 0.9, 0.9, 0.9], (5, 1))
    bad = np.tile([0.0, 0.1, 0.1, 0.1, 0.1], (5, 1))
    curves = {
        "dense": curve("dense", good + 0.1),
        "shaping": curve("shaping", good, seconds=15.0),
        "sparse": curve("sparse", bad),
        "clock": curve("clock", good),
    }
    told = verdicts(REACH, curves, 0)
    assert told["share_of_dense_reach"] == pytest.approx(0.9) and told["slowdown_reach"] == 1.5
    assert told["beats_sparse_reach"] == 1.0 == told["not_below_sparse_reach"]
    assert told["beats_clock_reach"] == 0.0
    curves["shaping"] = curve("shaping", bad - 0.1)
    assert verdicts(REACH, curves, 0)["not_below_sparse_reach"] == 0.0
    assert verdicts(REACH, {"dense": curves["dense"]}, 0) == {}


def test_too_few_seeds_have_no_interval_and_decide_nothing():
    assert np.isnan(estimate([[0.2, 0.4]])[1:]).all() and estimate([[0.2, 0.4]]).mean == pytest.approx(0.3)
    seeds = np.tile([0.0, 0.5, 0.5, 0.5], (2, 1))
    curves = {"shaping": curve("shaping", seeds), "sparse": curve("sparse", 0 * seeds)}
    curves["dense"] = curve("dense", seeds)
    assert verdicts(REACH, curves, 0) == {"share_of_dense_reach": 1.0, "slowdown_reach": 1.0}
    assert "too few seeds" in as_markdown([curves["shaping"]], {}, "")


def test_an_agent_that_finds_the_models_errors_is_over_optimistic():
    assert over_optimism(curve("model", np.zeros(9), error=np.linspace(0, 0.04, 9))) == pytest.approx(25.0)
    assert np.isnan(over_optimism(curve("dense", np.zeros(9))))


def test_names_are_short():
    assert [slug(name) for name in ("FetchReach-v4", "metaworld/pick-place-v3")] == [
        "fetch_reach",
        "pick-place",
    ]


def test_the_clock_rewards_whatever_is_done():
    env = ClockReward(own_env(REACH, "sparse", 4))
    env.reset(seed=0)
    assert [env.step(env.action_space.sample())[1] for _ in range(4)] == [0.25, 0.5, 0.75, 1.0]
    env.close()


@pytest.mark.parametrize("reward", ["dense", "sparse"])
def test_environments_give_the_reward_that_is_asked_for(reward):
    env = own_env(REACH, reward)
    env.reset(seed=0)
    given = env.step(np.zeros(3, np.float32))[1]
    assert (given == -1.0) == (reward == "sparse")
    env.close()


def test_shaping_adds_to_the_sparse_reward_and_the_model_alone_replaces_it():
    plan, settings = Plan("sac", 10, 0.9, 1), config()
    shaping, alone = (rewarded_envs(REACH, kind, plan, settings, 0) for kind in ("shaping", "model"))
    for env in (shaping, alone):
        env.reset()
    action = np.full((1, 3), 0.5, np.float32)
    for _ in range(3):
        _, [extra], _, [info] = shaping.step(action)
        _, [potential], _, [own] = alone.step(action)
    assert info["spatial_reward/env_reward"] == -1.0
    assert extra == pytest.approx(-1.0 + info["spatial_reward/shaping"], abs=1e-6)
    assert own["spatial_reward/potential"] < 0
    assert potential == pytest.approx(settings["weight"] * own["spatial_reward/potential"])
    shaping.close()
    alone.close()


def test_dense_rewards_are_multiplied_and_observations_are_normal():
    plain, scaled = (
        rewarded_envs(REACH, "dense", Plan("sac", 10, 0.9, 1, dense=d), config(), 0) for d in (1, 20)
    )
    plain.reset(), scaled.reset()
    action = np.full((1, 3), 0.3, np.float32)
    for _ in range(9):
        observations, [small], _, _ = plain.step(action)
        assert scaled.step(action)[1] == pytest.approx(20 * small, rel=1e-5) and small < 0
    assert not np.allclose(observations, plain.get_original_obs()) and np.abs(observations).max() <= 10
    plain.close(), scaled.close()


@pytest.mark.parametrize("reward", ["sparse", "shaping"])
def test_demonstrations_are_stored_as_if_the_agent_had_done_them(reward):
    plan = Plan("sac", 10, 0.9, 2, demonstrations=3)
    env = rewarded_envs(REACH, reward, plan, config(limit=30), 0)
    agent = make_agent(plan, env, 0, {})
    assert demonstrate(agent, REACH, plan.demonstrations, 5) == 4  # two at a time
    buffer = agent.replay_buffer
    assert buffer.pos == 60 and agent.num_timesteps == 0 and buffer.dones.sum() == 0 + 2 * 2
    assert buffer.timeouts[29].all() and buffer.timeouts[59].all()
    # The next observation of a step is where the following one begins, but for the ends of episodes.
    assert np.array_equal(buffer.next_observations[:29], buffer.observations[1:30])
    assert not np.array_equal(buffer.next_observations[29], buffer.observations[30])
    assert (
        np.abs(buffer.actions).max() <= 1
        and np.linalg.norm(buffer.observations[29, :, -3:], axis=1).max() < 0.03
    )
    reached = buffer.rewards[20:29]
    assert np.all(reached == 0.0) if reward == "sparse" else np.all(np.abs(reached) < 0.3)
    env.close()


@pytest.mark.parametrize(
    "algorithm, change", [("ppo", {}), ("sac", {"subprocesses": True}), ("sac", {"schedule": "lagged(2)"})]
)
def test_demonstrations_are_refused_where_they_cannot_be_stored(algorithm, change, tmp_path):
    plan = {"algorithm": algorithm, "steps": 9, "gamma": 0.9, "n_envs": 1, "demonstrations": 1}
    with pytest.raises(ValueError, match="Demonstrations need an algorithm off policy"):
        run(config(out=str(tmp_path / "out"), plans={"default": plan}, **change))
    assert not (tmp_path / "out").exists()


def test_plans_are_completed_and_overruled():
    assert plan_of(REACH, config()) == Plan("sac", 60, 0.95, 4, dense=50.0)
    assert plan_of("Other-v0", config(steps=None)).steps == 200_000


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(rewards=["shapping"]), "`rewards` must be some of dense, shaping"),
        (dict(seeds=0), "`seeds` must be a whole number of at least 1"),
        (dict(jobs=1.5), "`jobs` must be a whole number of at least 1, got 1.5"),
        (dict(steps=".nan"), "`steps` of SpatialReward/Reach-v0 must be a whole number"),
        (dict(envs=["CartPole-v1"], rewards=["shaping"]), "has no goal in the catalogue"),
        (dict(model={"name": "orackle"}), "Unknown model"),
        (dict(weight=float("nan")), "`weight` must be a number of at least 0, got nan"),
        (dict(plans={"default": {"algo": "sac"}}), "A plan has algorithm, steps, gamma, n_envs"),
        (
            dict(plans={"default": {"algorithm": "dqn", "steps": 9, "gamma": 0.9, "n_envs": 1}}),
            "must be one of",
        ),
    ],
)
def test_what_cannot_be_trained_is_told(change, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        run(config(out=str(tmp_path / "out"), **change))
    assert not (tmp_path / "out").exists()


def test_a_configuration_starts_from_that_of_the_suite(tmp_path):
    with pytest.raises(ValueError, match=r"defaults: \[benchmark_rl\]"):
        run({"out": str(tmp_path)})


@pytest.mark.slow
def test_agents_are_trained_evaluated_and_compared(tmp_path):
    folder = run(config(out=str(tmp_path / "rl")))
    summary = json.loads((folder / "summary.json").read_text())
    names = {f"runs/SpatialReward-Reach-v0__{reward}__0.jsonl" for reward in SMALL["rewards"]}
    assert names | {"rl.md", "curves.png", "over_optimisation.png"} <= set(summary["artefacts"])
    assert 0.2 < summary["metrics"]["slowdown_reach"] < 100
    _, lines = read_record(folder / "runs/SpatialReward-Reach-v0__shaping__0.jsonl")
    assert [line["steps"] for line in lines] == [0, 20, 40, 60]
    assert lines[-1]["predicted"] == pytest.approx(lines[-1]["true"]) and lines[-1]["held"] == 0.0
    assert (folder / "rl.md").read_text().count("| SpatialReward/Reach-v0 |") == 6
    before = {path: path.read_bytes() for path in (folder / "runs").glob("*.jsonl")}
    run(config(out=str(folder), seeds=2, rewards=["sparse"]))  # goes on, and adds a seed
    assert all(path.read_bytes() == text for path, text in before.items())
    [sparse] = [one for one in curves_of(folder / "runs") if one.reward == "sparse"]
    assert sparse.seeds == (0, 1) and sparse.success.shape == (2, 4)
    with pytest.raises(ValueError, match="was trained with other weight"):
        run(config(out=str(folder), weight=3.0))
    with pytest.raises(ValueError, match=r"__0.jsonl was trained by Plan\(.*steps=60.*not Plan\(.*steps=70"):
        run(config(out=str(folder), steps=70))


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["hold(2)", "lagged(2)", "episode"])
def test_every_schedule_can_be_trained_with(schedule, tmp_path):
    folder = run(config(out=str(tmp_path / "rl"), rewards=["shaping"], schedule=schedule))
    _, lines = read_record(folder / "runs/SpatialReward-Reach-v0__shaping__0.jsonl")
    line = [one for one in lines if one["predicted"] is not None][-1]
    assert line["predicted"] == pytest.approx(line["true"]) and line["held"] is not None


@pytest.mark.parametrize("text", ["", '{"run": {"env_id": "a', "[]", "{}"])
def test_a_damaged_record_is_named_with_the_remedy(text, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"a\.jsonl is damaged .*remove it, and it is trained anew"):
        curves_of(tmp_path)


def test_an_interrupted_training_leaves_no_record(tmp_path, monkeypatch, capsys):
    import spatial_reward.benchmark.rl_runs as rl_runs

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(rl_runs, "evaluate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(config(out=str(tmp_path / "rl"), rewards=["sparse"]))
    assert not list((tmp_path / "rl/runs").glob("*.jsonl"))
    assert f"The same command with out={tmp_path / 'rl'} goes on" in capsys.readouterr().err


@pytest.mark.parametrize("algorithm", ["sac", "tqc", "ppo"])
def test_algorithms_take_dictionaries_of_observations(algorithm):
    pytest.importorskip("gymnasium_robotics")
    plan = Plan(algorithm, 10, 0.9, 1)
    env = rewarded_envs("FetchReach-v4", "sparse", plan, config(limit=None), 0)
    agent = make_agent(plan, env, 0, {})
    assert agent.policy_class.__name__.startswith("Multi") and agent.gamma == 0.9
    assert Run("FetchReach-v4", "sparse", 3).file == "FetchReach-v4__sparse__3.jsonl"
    env.close()


def test_metrics_are_flat_and_finite_where_they_can_be():
    told = metrics_of([curve("shaping", np.eye(4)), curve("sparse", np.zeros((4, 4)))], 0)
    assert told["success_shaping_reach"] == pytest.approx(0.25, abs=0.1) and told["auc_sparse_reach"] == 0.0
    assert all(isinstance(value, float) for value in told.values())


@pytest.mark.slow
def test_trainings_side_by_side_leave_the_records_of_one_after_the_other(tmp_path):
    small = {"rewards": ["shaping", "sparse"], "steps": 24, "evaluations": 2}
    told = []
    for jobs in (1, 2):
        out = run(config(**small, jobs=jobs, out=str(tmp_path / str(jobs))))
        lines = {path.name: path.read_text().splitlines() for path in sorted(out.glob("runs/*.jsonl"))}
        told.append(
            {name: [{**json.loads(line), "seconds": 0} for line in text] for name, text in lines.items()}
        )
    assert told[0] == told[1] and len(told[0]) == 2
