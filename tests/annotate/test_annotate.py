"""Recorded episodes get the rewards that the online wrapper would have given, in files that others read."""

import json

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from recorded_rollouts import FPS, GOAL, TASK, Still, rollout

from spatial_reward.annotate import Settings, annotate, run_annotate
from spatial_reward.annotate.columns import filled
from spatial_reward.annotate.command import named
from spatial_reward.annotate.jobs import open_source
from spatial_reward.annotate.parts import KEY
from spatial_reward.config import compose
from spatial_reward.data.episodes.record import FORMATS, record_episode
from spatial_reward.data.episodes.write_hdf5 import write_hdf5
from spatial_reward.envs.catalogue import make
from spatial_reward.envs.experts import expert
from spatial_reward.envs.wrappers import SpatialReward
from spatial_reward.models import load_model

RGBD = {"name": "rgbd"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three episodes as HDF5, which keeps every pixel."""
    path = tmp_path_factory.mktemp("data") / "rollouts.hdf5"
    return write_hdf5([rollout(seed, length) for seed, length in enumerate((16, 10, 12))], path, FPS)


def run(data, out, model=None, **changes):
    words = [f"{key}={value}" for key, value in changes.items()]
    base = [f"dataset={data}", "model=rgbd", "camera=front", f"out={out}", "workers=1"]
    return run_annotate(
        compose("annotate", [*base, "reports=0", "overlays=0", "recordings=0", *words]), model
    )


def table(folder):
    return pq.read_table(folder / "rewards.parquet").to_pandas()


def test_a_recorded_distance_is_measured(data, tmp_path):
    rewards = table(run(data, tmp_path / "out"))
    assert len(rewards) == 38 and rewards["reward.spatial.valid"].all()
    error = -rewards["reward.spatial.potential_m"] - rewards["truth.distance_m"]
    assert error.abs().mean() < 0.005
    ends = rewards.groupby("episode_index")["reward.spatial.progress"].last()
    assert (ends > 0.8).all()


def test_every_format_gives_the_same_numbers(data, tmp_path):
    rollouts = [rollout(seed, length) for seed, length in enumerate((16, 10, 12))]
    expected = table(run(data, tmp_path / "expected"))["reward.spatial.potential_m"]
    for name, (place, write) in FORMATS.items():
        path = write(rollouts, tmp_path / "data" / place, FPS)
        camera = "/front/image_raw" if name == "mcap" else "front"
        found = table(run(path, tmp_path / "out" / name, camera=camera))["reward.spatial.potential_m"]
        lossless = name in ("hdf5", "npz", "mcap")
        assert (found - expected).abs().max() < (1e-6 if lossless else 0.01), name


MODELS = {  # measured depth, measured where there is, and pictures alone
    "rgbd": {"name": "rgbd"},
    "auto": {"name": "spatialnet"},
    "predicted": {"name": "spatialnet", "depth": "predicted"},
}


@pytest.mark.parametrize("case", MODELS)
def test_online_and_offline_agree(tmp_path, case):
    env_id, seed, size, steps = "SpatialReward/Push-v0", 5, 224, 20
    recorded = record_episode(env_id, seed, size=size, steps=steps)
    path = write_hdf5([recorded], tmp_path / "a.hdf5", FPS)
    (tmp_path / "parts").mkdir()
    [part] = annotate(Settings(str(path), MODELS[case], camera="front"), tmp_path).parts
    offline = part.columns()
    env = SpatialReward(make(env_id), recorded.goal, load_model(**MODELS[case]), size=size)
    policy = expert(env_id, seed=seed)
    observation, info = env.reset(seed=seed)
    for step in range(steps):
        for key, column in (("potential", "potential_m"), ("progress", "progress"), ("std", "std")):
            online = info[f"spatial_reward/{key}"]
            assert offline[f"reward.spatial.{column}"][step] == pytest.approx(online, abs=1e-5, nan_ok=True)
        assert offline["reward.spatial.valid"][step] == info["spatial_reward/valid"]
        observation, _, _, _, info = env.step(policy(env, observation))
    env.close()


def test_the_sidecar_opens_with_pandas_polars_and_duckdb(data, tmp_path):
    path = run(data, tmp_path / "out") / "rewards.parquet"
    keys = ["index", "episode_index", "frame_index"]
    assert pd.read_parquet(path).columns[:3].tolist() == keys
    assert pl.read_parquet(path)["index"].to_list() == list(range(38))
    mean = duckdb.sql(f"select avg(\"reward.spatial.progress\") from read_parquet('{path}')").fetchall()[0][0]
    assert mean == pytest.approx(pd.read_parquet(path)["reward.spatial.progress"].mean(), rel=1e-6)
    schema = pq.read_schema(path)
    assert schema.field("reward.spatial.potential_m").metadata == {b"unit": b"m"}
    said = json.loads(schema.metadata[KEY])
    assert said["model"] == RGBD and said["episodes"]["0"]["goal"] == GOAL
    assert said["episodes"]["2"]["task"] == TASK


def test_the_progress_file_has_the_schema_of_lerobot(data, tmp_path):
    path = run(data, tmp_path / "out") / "spatial_progress.parquet"
    schema = pq.read_schema(path)
    kinds = {field.name: str(field.type) for field in schema}
    assert kinds == {
        "index": "int64",
        "episode_index": "int64",
        "frame_index": "int64",
        "progress_sparse": "float",
    }
    assert b"reward_model_path" in schema.metadata
    progress = pq.read_table(path)["progress_sparse"].to_numpy()
    assert np.nanmin(progress) >= 0 and np.nanmax(progress) <= 1


def test_lost_frames_are_unknown_and_found_again_backwards(data, tmp_path):
    causal = table(run(data, tmp_path / "causal", Still(lose=(3, 4))))
    lost = causal.query("frame_index in (3, 4)")
    assert not lost["reward.spatial.valid"].any() and lost["reward.spatial.progress"].isna().all()
    assert (lost["measured.block.reason"] == "lost").all()
    assert causal.query("frame_index == 5")["reward.spatial.valid"].all()


class Forgetful(Still):
    """Loses a thing in some frames unless the answer before or after it is near in time."""

    def _one(self, question):
        step, before = round(question.frames[-1].time * FPS), question.previous
        if step in self.lose and (before is None or before.text not in (str(step + 1), f"{step + 1} again")):
            return type(super()._one(question)).unknown("lost", "m", self.name)
        answer = super()._one(question) if step not in self.lose else Still()._one(question)
        return type(answer)(
            answer.value, "m", answer.std, text=str(step), covariance=answer.covariance, match=answer.match
        )


def test_offline_looks_again_from_the_other_side(data, tmp_path):
    causal = table(run(data, tmp_path / "causal", Forgetful(lose=(3, 4, 5))))
    offline = table(run(data, tmp_path / "offline", Forgetful(lose=(3, 4, 5)), mode="offline"))
    assert causal["reward.spatial.valid"].sum() == 38 - 9
    assert offline["reward.spatial.valid"].all()
    same = causal["reward.spatial.valid"]
    assert np.allclose(
        causal["reward.spatial.potential_m"][same], offline["reward.spatial.potential_m"][same]
    )


def test_episodes_are_asked_about_together(data, tmp_path):
    model = Still()
    run(data, tmp_path / "out", model)
    # Nothing is asked in the first frames; then 3 together, until the shorter ones end.
    assert model.batches == [3] * 9 + [2] * 2 + [1] * 4


@pytest.mark.parametrize("impute", ["hold", "linear", "none"])
def test_skipped_frames_are_filled_as_stated(data, tmp_path, impute):
    every = table(run(data, tmp_path / "all", mode="offline"))["reward.spatial.potential_m"].to_numpy()[:16]
    found = table(run(data, tmp_path / "some", mode="offline", stride=4, impute=impute))[:16]
    scored = found["reward.spatial.is_inference_frame"].to_numpy()
    assert np.flatnonzero(scored).tolist() == [0, 4, 8, 12, 15]
    values = found["reward.spatial.potential_m"].to_numpy()
    if impute == "none":
        assert np.isnan(values[~scored]).all() and not found["reward.spatial.valid"][~scored].any()
    elif impute == "hold":
        assert (values[1:4] == values[0]).all() and values[13] == values[12]
    else:
        np.testing.assert_allclose(
            values[1:4], values[0] + (values[4] - values[0]) * np.array([1, 2, 3]) / 4, rtol=1e-5
        )
    # The judge of a stride sees other frames before, but measures the same.
    np.testing.assert_allclose(values[scored], every[scored], atol=0.004)


def test_filled_is_unknown_where_an_end_is():
    values = filled(np.array([0.0, np.nan, 4.0]), np.array([0, 2, 4]), 5, "linear")
    assert np.isnan(values[1:4]).all() and values[4] == 4
    assert filled(np.array([0.0, np.nan, 4.0]), np.array([0, 2, 4]), 5, "hold")[1] == 0


def test_settings_reach_the_python_interface(data, tmp_path):
    (tmp_path / "parts").mkdir()
    settings = Settings(str(data), RGBD, camera="front", episodes="1:3", goal="near(block, mark, within=5cm)")
    done = annotate(settings, tmp_path, Still())
    assert [part.name for part in done.parts] == ["demo_1", "demo_2"] and not done.failed
    assert done.parts[0].about["goal"] == "near(block, mark, within=5cm)"
    assert open_source(settings).episodes()[1].start == 16


def test_words_of_the_command():
    assert named(["a.hdf5", "stride=2"]) == ["dataset=a.hdf5", "stride=2"]
    assert named(["stride=2", "source=a"]) == ["stride=2", "dataset=a"]
    assert named([]) == []
