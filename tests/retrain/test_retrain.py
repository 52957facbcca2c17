import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import numpy as np
import own_robot
import pytest
from recorded_rollouts import FPS, rollout
from serving_process import Served
from small_scenes import make_set

from spatial_reward.config import compose
from spatial_reward.data.episodes.write_npz import write_npz
from spatial_reward.models import load_model
from spatial_reward.models.remote import RemoteModel
from spatial_reward.models.spatialnet_weights import SHIPPED, read_card
from spatial_reward.retrain import data as retrain_data
from spatial_reward.retrain.data import Data, general_scenes, parted
from spatial_reward.retrain.report import verdict
from spatial_reward.retrain.scene import completed, retrain
from spatial_reward.types import PixelPoint, Question

SMALL = (
    "scenes=10",
    "steps=12",
    "trials=20",
    "judged=1",
    "workers=1",
    "size=96",
    "replay=0.35",
    "audit=false",
)


def words(source, out, *more):
    return [source, f"goal={own_robot.GOAL}", "camera=watch", *SMALL, f"out={out}", *more]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return own_robot.write(tmp_path_factory.mktemp("scene"))


@pytest.fixture(scope="module")
def folder(path, tmp_path_factory):
    """A finished run."""
    out = tmp_path_factory.mktemp("retrained") / "run"
    return retrain(compose("retrain", words(f"scene={path}", out)))


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ([], ValueError, "Give one of env=ID, scene=FILE.xml and episodes=DATASET, got none"),
        (["env=FetchPush-v4", "scene=a.xml"], ValueError, "got env=FetchPush-v4, scene=a.xml"),
        (["scene=robot.urdf"], ValueError, "`scene` must be the path of an MJCF file"),
        (["scene=nowhere.xml"], FileNotFoundError, "There is no MJCF file 'nowhere.xml'"),
        (["env=FetchPsh-v4"], ValueError, "Unknown environment 'FetchPsh-v4'"),
        (["env=FetchPush-v4", "minutes=0"], ValueError, "`minutes` must be at least 0.1"),
        (["env=FetchPush-v4", "replay=1"], ValueError, "`replay` must be a share under 1"),
        (["env=FetchPush-v4", "weights=nowhere"], FileNotFoundError, "No SpatialNet model at nowhere"),
        (["env=Ant-v5"], ValueError, "has no goal in the catalogue"),
        (["env=FetchPush-v4", "consistency=true"], ValueError, "are for recordings"),
        (["episodes=nowhere", "fov=60"], ValueError, "`fov` takes consistency=true"),
        (["episodes=nowhere"], FileNotFoundError, "There is no dataset at nowhere"),
    ],
    ids=[
        "none",
        "two",
        "urdf",
        "xml",
        "id",
        "minutes",
        "replay",
        "weights",
        "goal",
        "true",
        "fov",
        "episodes",
    ],
)
def test_wrong_settings_are_refused_and_nothing_is_written(given, error, said, tmp_path):
    with pytest.raises(error, match=said):
        retrain(compose("retrain", [*given, f"out={tmp_path / 'out'}"]))
    assert not list(tmp_path.iterdir())


def test_the_catalogue_fills_in_goal_camera_and_size():
    full = completed(compose("retrain", ["env=FetchPush-v4"]))
    assert (full["goal"], full["camera"], full["size"]) == (
        "near(object0, target0, within=5cm)",
        "default",
        448,
    )


@pytest.mark.parametrize(("scenes", "replay", "general"), [(100, 0.5, 100), (100, 0.2, 25), (10, 0.0, 0)])
def test_replay_is_a_share_of_all_scenes(scenes, replay, general):
    assert general_scenes(scenes, replay) == general


def test_parts_have_states_and_places_of_their_own(path):
    config = completed(compose("retrain", words(f"scene={path}", "out")))
    data = Data(Path("data"), config, 1)
    scenes = [data.scenes(part)(0) for part in (0, 1, 2)]
    assert len({scene["rgb"].tobytes() for scene in scenes}) == 3
    assert parted(10) == (10, 5, 5) and parted(100) == (100, 20, 40)


def test_a_full_disk_is_said_before_anything_is_rendered(path, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(retrain_data.shutil, "disk_usage", lambda folder: usage(10**9, 10**9 - 10**6, 10**6))
    with pytest.raises(OSError, match=r"There is no room for 0\.\d GB of pictures in .*, of 0\.0 GB free"):
        retrain(compose("retrain", words(f"scene={path}", tmp_path / "out")))
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_up_keeps_what_is_finished(path, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(retrain_data, "write_shards", full)
    with pytest.raises(
        OSError, match=r"No space left on device.*make room and run it again; what is finished"
    ):
        retrain(compose("retrain", words(f"scene={path}", tmp_path / "out", "scenes=5")))
    assert len(list((tmp_path / "out" / "data").rglob("own_*.npz"))) == 3


def test_the_verdict_counts_what_fell():
    def figures(error, score):
        return {"pairs": {"object_median_mm": error, "depth_median": 0.1}, "general": {"score": score}}

    found = verdict(figures(50.0, 0.10), figures(20.0, 0.11))
    assert found["object_error_falls_by"] == pytest.approx(0.6)
    assert found["general_error_rises_by"] == pytest.approx(0.1)
    assert np.isnan(found["pairs_seen_valid_before"]) and "episodes_spearman_after" not in found


@pytest.mark.slow
def test_a_run_leaves_a_model_with_its_proof(folder, path):
    summary = json.loads((folder / "summary.json").read_text())
    card, report = read_card(folder / "model"), (folder / "report.md").read_text()
    assert card["about"]["retrained_in"] == str(path) and card["about"]["steps"] == 12
    assert card["files"] != read_card(SHIPPED)["files"]
    assert summary["metrics"]["steps"] == 12 and summary["metrics"]["scenes"] == 10
    before, after = (json.loads((folder / f"{when}.json").read_text()) for when in ("before", "after"))
    assert before["pairs"]["depth_median"] != after["pairs"]["depth_median"]
    assert f"# SpatialNet for {path}" in report and "| before | after |" in report
    assert (folder / "model" / "README.md").read_text() == report
    assert not list(folder.rglob("*.partial")) and not list(folder.rglob("*.claim"))


@pytest.mark.slow
def test_run_again_it_does_nothing_and_other_settings_are_refused(folder, path):
    times = {file: file.stat().st_mtime_ns for file in folder.rglob("*") if file.suffix in (".npz", ".onnx")}
    assert retrain(compose("retrain", words(f"scene={path}", folder))) == folder
    assert all(file.stat().st_mtime_ns == time for file, time in times.items())
    with pytest.raises(FileExistsError, match=r"made with other settings.*seed"):
        retrain(compose("retrain", words(f"scene={path}", folder, "seed=1")))


@pytest.mark.slow
def test_killed_at_any_stage_it_goes_on_to_the_same_model(folder, path, tmp_path):
    command = [
        sys.executable,
        "-m",
        "spatial_reward.cli",
        "retrain",
        *words(f"scene={path}", tmp_path / "out"),
    ]
    stages = ["data/train/own_000000.npz", "before.json", "train/log.jsonl", "model/spatialnet.json"]
    for stage in stages:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not (tmp_path / "out" / stage).exists() and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command, check=True, capture_output=True)
    network, same = ((one / "model" / "network.safetensors") for one in (folder, tmp_path / "out"))
    assert network.read_bytes() == same.read_bytes()
    shards = [sorted((one / "data").rglob("*.npz")) for one in (folder, tmp_path / "out")]
    assert [path.read_bytes() for path in shards[0]] == [path.read_bytes() for path in shards[1]]


@pytest.mark.slow
def test_interrupted_while_processes_train_all_end_and_it_goes_on(path, tmp_path):
    given = words(f"scene={path}", tmp_path / "out", "workers=2", "steps=150")
    command = [sys.executable, "-m", "spatial_reward.cli", "retrain", *given]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while not (tmp_path / "out" / "train" / "log.jsonl").exists() and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C in a terminal does
    _, said = process.communicate(timeout=30)  # ends once no worker holds the pipe any more
    assert process.returncode != 0 and "Traceback" not in said
    subprocess.run(command, check=True, capture_output=True)
    assert read_card(tmp_path / "out" / "model")["about"]["steps"] <= 150


@pytest.mark.slow
def test_the_model_works_everywhere(folder, path, tmp_path):
    from spatial_reward.annotate.command import run_annotate
    from spatial_reward.benchmark.command import run as benchmark
    from spatial_reward.demo import run_demo
    from spatial_reward.envs.catalogue import make
    from spatial_reward.envs.wrappers import SpatialReward

    weights = f"model.weights={folder / 'model'}"
    words = [weights, "model.depth=predicted"]
    scene = [f"env={path}", f"goal={own_robot.GOAL}", "camera=watch", "policy=wander"]
    run_demo(compose("demo", [*words, *scene, "steps=8", "recordings=0", f"out={tmp_path / 'demo'}"]))
    assert json.loads((tmp_path / "demo" / "summary.json").read_text())["metrics"]["episodes"] == 1
    data = write_npz([rollout(0, length=6)], tmp_path / "npz", FPS)
    run_annotate(
        compose("annotate", [f"dataset={data}", "camera=front", *words, f"out={tmp_path / 'annotated'}"])
    )
    assert list((tmp_path / "annotated").rglob("*.parquet"))
    questions = make_set(tmp_path / "small.set", count=26, depth=False)
    suite = [*words, f"set={questions}", "count=1", f"out={tmp_path / 'benchmark'}"]
    benchmark("multispa", compose("benchmark", suite))
    assert (tmp_path / "benchmark" / "results.json").exists()
    model = load_model("spatialnet", weights=folder / "model", depth="predicted")
    env = SpatialReward(make(str(path)), own_robot.GOAL, model, camera="watch")
    env.reset(seed=0)
    _, reward, _, _, info = env.step(env.action_space.sample())
    assert np.isfinite(reward) and "spatial_reward/valid" in info
    env.close()


@pytest.mark.slow
def test_the_model_is_served(folder):
    weights = folder / "model"
    alone = load_model("spatialnet", weights=weights, depth="predicted")
    frames = rollout(0, length=6).frames["front"]
    first, last = (replace(frame, depth=None) for frame in (frames[0], frames[-1]))
    question = Question("obj_vec_coord", (first, last), (PixelPoint(27.0, 43.0),))
    with Served(f"model.weights={weights}", "model.depth=predicted") as server:
        remote = RemoteModel(server.url, timeout=30.0)
        [answer], [same] = remote.answer([question]), alone.answer([question])
        remote.close()
    np.testing.assert_allclose(answer.value, same.value, atol=1e-6)
    assert answer.valid == same.valid


@pytest.mark.slow
def test_a_folder_with_missing_files_is_refused(folder, tmp_path):
    broken = shutil.copytree(folder / "model", tmp_path / "model")
    (broken / "encoder.onnx").unlink()
    with pytest.raises(FileNotFoundError, match=r"encoder.onnx is missing from the model's folder"):
        load_model("spatialnet", weights=broken)
    card = broken / "spatialnet.json"
    card.write_text(card.read_text().replace('"spatialnet-4"', '"spatialnet-1"'))
    with pytest.raises(ValueError, match="is not of format 'spatialnet-4' but 'spatialnet-1'"):
        load_model("spatialnet", weights=broken)


@pytest.mark.slow
def test_recorded_episodes_with_depth_retrain_it_too(tmp_path):
    data = write_npz([rollout(seed, length=12) for seed in range(5)], tmp_path / "npz", FPS)
    given = [f"episodes={data}", *SMALL, f"out={tmp_path / 'out'}"]
    folder = retrain(compose("retrain", given))
    report = (folder / "report.md").read_text()
    assert "of episodes that were held out; what moves is not known, and not judged" in report
    assert "It was not audited." in report and "episodes: rank" not in report
    assert read_card(folder / "model")["about"]["retrained_in"] == str(data)


@pytest.mark.slow
def test_recordings_without_depth_make_it_steadier_and_say_that_no_truth_is_known(tmp_path):
    frames = [replace(rollout(seed, length=12), frames=without_depth(seed)) for seed in range(5)]
    data = write_npz(frames, tmp_path / "npz", FPS)
    given = [f"episodes={data}", *SMALL]
    with pytest.raises(ValueError, match=r"no depth with camera 'front'.*consistency=true"):
        retrain(compose("retrain", [*given, f"out={tmp_path / 'none'}"]))
    folder = retrain(compose("retrain", [*given, "consistency=true", f"out={tmp_path / 'out'}"]))
    assert "**No truth is known" in (folder / "report.md").read_text()
    assert read_card(folder / "model")["about"]["labels"] == "its own, where they were consistent"


def without_depth(seed):
    return {
        name: [replace(frame, depth=None) for frame in frames]
        for name, frames in rollout(seed, length=12).frames.items()
    }


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning")  # peft asks for it
def test_a_vision_language_model_learns_the_scene_and_is_examined(tmp_path):
    from spatial_reward.models.tiny_vlm import build_tiny_vlm
    from spatial_reward.retrain.vlm import retrain_vlm

    base = build_tiny_vlm(tmp_path / "base", "qwen3_vl", tile=32)
    train = "train={batch: 4, per_device: 4, steps: 2, packing: false, precision: 'no', workers: 0}"
    given = ["env=SpatialReward/Push-v0", f"base={base}", "count=60", "held_out=26", "size=64", train]
    given += ["asked={dtype: fp32, device: cpu, max_tokens: 4}", "subtasks=[cam_dist, vc_mcq]", "workers=1"]
    folder = retrain_vlm(compose("retrain_vlm", [*given, f"out={tmp_path / 'out'}"]))
    metrics = json.loads((folder / "summary.json").read_text())["metrics"]
    asked = ("accuracy", "cam_dist", "vc_mcq")
    assert set(metrics) == {f"{name}_{when}" for name in asked for when in ("before", "after")}
    assert (folder / "train" / "model" / "adapter_config.json").is_file()
    asked, trained = (
        json.loads((folder / name / "manifest.json").read_text()) for name in ("held_out", "questions")
    )
    assert asked != trained
    with pytest.raises(ValueError, match=r"Give one of env=ID and scene=FILE\.xml"):
        retrain_vlm(compose("retrain_vlm", [f"base={base}", f"out={tmp_path / 'none'}"]))
