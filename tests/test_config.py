import threading

import pytest

from spatial_reward.config import compose


def test_defaults_compose():
    config = compose("demo", [])
    assert (config["model"]["name"], config["model"]["depth"]) == ("spatialnet", "auto")
    assert config["env"] == "SpatialReward/Push-v0"
    assert config["reward"]["gamma"] == 0.99


def test_words_override_values_and_choose_groups():
    config = compose("demo", ["model=oracle", "model.noise=0.01", "episodes=3"])
    assert config["model"] == {"name": "oracle", "noise": 0.01, "seed": 0}
    assert config["episodes"] == 3


@pytest.mark.parametrize(
    "goal",
    ["near(cube, pad, within=3cm)", "then(lift(a, by=5cm), keep(a))", "near(robot0:grip, it's, within=1 m)"],
)
def test_goals_need_no_quoting(goal):
    assert compose("demo", [f"goal={goal}"])["goal"] == goal


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evn=x"], "Unknown key 'evn'. Did you mean: env"),
        (["model.nois=1"], "Unknown key 'model.nois'"),
        (["model=foo"], "Available options in 'model': .*oracle own .*rgbd .*spatialnet"),
        (["env"], "Expected key=value, got 'env'"),
        (["+extra=1"], r"Unknown key '\+extra'"),
        (["hydra.run.dir=x"], "Unknown key 'hydra.run.dir'"),
        (["steps=["], "no viable alternative"),
    ],
)
def test_bad_words_are_one_clear_line(words, message):
    with pytest.raises(ValueError, match=message) as caught:
        compose("demo", words)
    assert "\n" not in str(caught.value)


def test_a_folder_of_recipes_comes_first(tmp_path):
    (tmp_path / "mine.yaml").write_text("defaults: [demo, _self_]\nenv: FetchPush-v4\n")
    assert compose("mine", ["episodes=2"], tmp_path)["env"] == "FetchPush-v4"


def test_composes_inside_another_hydra_program_and_in_threads():
    from hydra import compose as outer_compose
    from hydra import initialize_config_module

    found = []
    with initialize_config_module("spatial_reward.conf", version_base="1.3"):
        threads = [
            threading.Thread(target=lambda: found.append(compose("demo", ["seed=3"]))) for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outer_compose("demo").seed == 0
    assert [config["seed"] for config in found] == [3] * 6


def test_a_source_that_must_be_told_its_place_composes_and_says_what_is_missing():
    given = compose("generate", ["source=scannet", "source.root=somewhere"])
    assert given["source"]["root"] == "somewhere" and given["source"]["mode"] == "strict"
    with pytest.raises(ValueError, match="root"):
        from spatial_reward.data.sources import load_source

        load_source(**compose("generate", ["source=scannet"])["source"])


def test_a_key_may_be_added_on_purpose():
    config = compose("benchmark_rl", ["+algorithm.batch_size=64"])
    assert config["algorithm"] == {"batch_size": 64}


def test_a_dict_may_bring_keys_of_its_own_and_keeps_the_others():
    config = compose("benchmark_rl", ["algorithm={batch_size: 128, policy_kwargs: {net_arch: [64, 64]}}"])
    assert config["algorithm"] == {"batch_size": 128, "policy_kwargs": {"net_arch": [64, 64]}}
    assert compose("audit", ["search={rounds: 1}"])["search"] == {"population": 12, "rounds": 1}
    assert compose("audit", ["search=null"])["search"] is None
