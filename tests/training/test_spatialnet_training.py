import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from spatial_reward.camera import Camera, look_at
from spatial_reward.config import compose
from spatial_reward.data.dense import write_shards
from spatial_reward.data.pairs import ClipRecipe
from spatial_reward.models import load_model
from spatial_reward.models.spatialnet_network import NetworkConfig
from spatial_reward.models.spatialnet_sliding import LIFTED
from spatial_reward.training.calibrate_spatialnet import calibrate, export, typical_lift
from spatial_reward.training.evaluate_spatialnet import evaluate, maker, measure, summary
from spatial_reward.training.spatialnet import Recipe, learning_rate, train
from spatial_reward.training.spatialnet_processes import train_together
from spatial_reward.training.spatialnet_trials import draw_trials
from spatial_reward.training.train_spatialnet import train_spatialnet

CONFIG = NetworkConfig(width=16, depth=1)
CLIP = ClipRecipe(frames=2, pairs=2, queries=8)
RECIPE = Recipe(
    steps=12, clips=2, clip=CLIP, warmup=3, precision="no", log_every=1, save_every=4, validate_every=6
)
SCRIPT = """
import os
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
sys.path.insert(0, {folder!r})
from test_spatialnet_training import CONFIG, RECIPE
from spatial_reward.training.spatialnet import train
if __name__ == "__main__":
    train(Path({data!r}), Path({out!r}), RECIPE, CONFIG)
    Path(sys.argv[0]).with_name("process" + os.environ.get("RANK", "")).touch()
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    write_shards(folder, scenes=3, seed=0, size=96, frames=4, meshes=False)
    return folder


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    torch.set_num_threads(1)
    train(data, out, RECIPE, CONFIG, validation=data)
    return out


def losses_of(out):
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return {line["step"]: line["loss"] for line in lines if "loss" in line}


def launched(words, tmp_path, data, out):
    script = tmp_path / "run.py"
    script.write_text(SCRIPT.format(folder=os.path.dirname(__file__), data=str(data), out=str(out)))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    return subprocess.Popen([sys.executable, *words, str(script)], env=environment)


def test_training_lowers_the_loss_and_logs_losses_and_errors(run):
    losses = losses_of(run)
    assert list(losses) == list(range(1, 13)) and losses[12] < 0.8 * losses[1]
    last = json.loads((run / "log.jsonl").read_text().splitlines()[-1])
    assert {"match_median", "moving_p90", "depth_median", "depth_median_no_support"} <= set(last)
    assert sorted(path.name for path in run.iterdir()) == ["best.pt", "checkpoint.pt", "log.jsonl"]


@pytest.mark.slow
def test_a_killed_run_goes_on_along_the_same_curve(run, data, tmp_path):
    out = tmp_path / "killed"
    process = launched([], tmp_path, data, out)
    for _ in range(600):
        if (out / "checkpoint.pt").exists() and len(losses_of(out)) >= 5:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 4 <= len(losses_of(out)) <= 12
    train(data, out, RECIPE, CONFIG)
    assert list(losses_of(out)) == list(range(1, 13))
    np.testing.assert_allclose(list(losses_of(out).values()), list(losses_of(run).values()), rtol=1e-4)


@pytest.mark.slow
def test_two_processes_train_as_one(run, data, tmp_path):
    out = tmp_path / "two"
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    assert launched(words, tmp_path, data, out).wait() == 0
    assert {path.name for path in tmp_path.glob("process*")} == {"process0", "process1"}
    together, alone = (list(losses_of(folder).values())[:3] for folder in (out, run))
    np.testing.assert_allclose(together, alone, rtol=1e-4)  # later, rounding decides which peak is highest


@pytest.mark.slow
def test_processes_of_this_machine_train_as_one(run, data, tmp_path):
    train_together(partial(train, data, tmp_path, RECIPE, CONFIG, validation=data), RECIPE.clips, 2)
    together, alone = (list(losses_of(folder).values())[:3] for folder in (tmp_path, run))
    np.testing.assert_allclose(together, alone, rtol=1e-4)
    assert (tmp_path / "best.pt").is_file()


@pytest.mark.slow
def test_the_command_runs_in_two_processes(tmp_path):
    words = [
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc_per_node",
        "2",
        "-m",
        "spatial_reward.cli",
    ]
    words += [
        "train",
        "model=spatialnet",
        "scenes=3",
        "validation_scenes=2",
        "size=64",
        "seen=64",
        "frames=4",
    ]
    words += ["meshes=false", "network.width=16", "network.depth=1", "recipe.steps=4", "recipe.clips=2"]
    words += ["trials=40", f"out={tmp_path / 'run'}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    assert subprocess.run([sys.executable, *words], env=environment, timeout=300).returncode == 0
    assert load_model("spatialnet", weights=tmp_path / "run/model").calibration["depth"] > 0
    assert json.loads((tmp_path / "run/summary.json").read_text())["seed"] == 0


def test_the_rate_warms_up_and_falls_to_almost_nothing():
    rates = [learning_rate(RECIPE, step) for step in range(RECIPE.steps + 1)]
    assert rates[0] < rates[1] < rates[2] == RECIPE.rate and max(rates) == RECIPE.rate
    assert np.all(np.diff(rates[2:]) <= 0)
    assert rates[-1] == pytest.approx(0.02 * RECIPE.rate)


def test_missing_data_and_exploding_weights_stop_the_run(data, tmp_path):
    with pytest.raises(FileNotFoundError, match="No shards"):
        train(tmp_path / "none", tmp_path / "out", RECIPE, CONFIG)
    with pytest.raises(ValueError, match="not finite at step"):
        train(data, tmp_path / "bad", replace(RECIPE, rate=1e30, warmup=1), CONFIG)


def test_how_far_things_are_lifted_is_counted_in_the_world():
    camera = Camera.from_fov(45, 96, 96, look_at((1, 0, 1), (0, 0, 0)))
    frame = SimpleNamespace(camera=camera)

    def trial(*moved):
        return SimpleNamespace(frames=(frame, frame), displacement=camera.camera_from_world[:3, :3] @ moved)

    level = [trial(0.1, 0.05, 0.0), trial(0.0, -0.2, 0.004), trial(-0.03, 0.0, 0.0)]
    lifted, still = [trial(0.1, 0.0, 0.05)], [trial(0.0, 0.0, 0.0)]
    assert typical_lift(level + still) == typical_lift([]) == LIFTED
    assert typical_lift([*lifted, trial(0.1, 0.0, -0.05), *level]) == pytest.approx(
        np.sqrt((0.05**2 + 0.05**2 + LIFTED**2) / 3)
    )


def test_keeping_takes_weights_to_start_from(data, tmp_path):
    with pytest.raises(ValueError, match="learnt: give `start`"):
        train(data, tmp_path / "out", replace(RECIPE, keep=True), CONFIG)
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_is_exported_calibrated_and_measured(run, data, tmp_path):
    weights, draw = tmp_path / "w.safetensors", partial(draw_trials, data, 12)
    export(run / "best.pt", weights, {})
    scales, trials = calibrate(weights, draw), draw()
    assert calibrate(weights, draw, workers=2) == pytest.approx(scales)
    assert all(value > 0 for value in scales.values())
    model = load_model("spatialnet", weights=weights)
    assert model.calibration == pytest.approx(scales)
    columns = measure(maker(weights, "predicted", "auto"), trials, depth=False, support=True)
    covered = np.abs(columns["depth_error"]) <= 1.646 * columns["depth_std"]
    assert 0.8 <= covered.mean() <= 1
    tables = evaluate(weights, trials[:4])
    assert set(tables) == {"predicted", "predicted, support unknown", "measured"}
    assert tables["measured"]["depth_median"] < 0.01 < tables["predicted"]["depth_median"]


def test_trials_carry_the_truth(data):
    trials = draw_trials(data, 20)
    assert len(trials) == 20
    exact = measure(lambda height: load_model("oracle"), trials[:1], depth=True, support=False)
    assert np.isnan(exact["object_error"]).all()  # the questions do not give the truth away
    for trial in trials:
        camera = trial.frames[0].camera
        before = camera.unproject([trial.pixel[:2]], [trial.depth])[0]
        after = before + camera.world_from_camera[:3, :3] @ trial.displacement
        pixel, depth = trial.frames[1].camera.project(after)
        np.testing.assert_allclose(depth, trial.target_depth, atol=2e-3)
        if trial.visible:
            np.testing.assert_allclose(pixel, trial.target, atol=0.1)


def test_a_summary_counts_only_what_was_seen():
    trial_columns = {
        key: np.array([0.0, 0.0])
        for key in (
            *(
                "depth_error",
                "depth_std",
                "match_valid",
                "match_x",
                "match_std",
                "object_std",
                "camera_moved",
            ),
            *("object_x", "object_y", "object_z", "object_std_x", "object_std_y", "object_std_z"),
            *("camera_distance", "camera_valid", "camera_error"),
            *("camera_x", "camera_std_x", "camera_std"),
            *("yaw_error", "yaw_std", "pitch_error", "pitch_std"),
        )
    }
    trial_columns |= {
        "visible": np.array([1.0, 0.0]),
        "moved": np.array([0.1, 0.1]),
        "match_error": np.array([0.01, 0.9]),
        "object_error": np.array([0.01, 0.9]),
        "object_valid": np.array([1.0, 0.0]),
        "object_length": np.array([0.1, 0.1]),
    }
    figures = summary(trial_columns)
    assert figures["match_median_width"] == 0.01 and figures["object_median_mm"] == pytest.approx(10)
    assert figures["object_within_20"] == figures["hidden_invalid"] == figures["seen_valid"] == 1


@pytest.mark.slow
def test_one_call_makes_weights_from_nothing(tmp_path):
    words = [
        "scenes=2",
        "validation_scenes=2",
        "size=96",
        "seen=null",
        "frames=3",
        "meshes=false",
        "trials=6",
    ]
    words += [
        "network.width=16",
        "network.depth=1",
        "recipe.steps=2",
        "recipe.clips=1",
        f"out={tmp_path / 'out'}",
    ]
    out = train_spatialnet(compose("train_spatialnet", [*words, "recipe.precision='no'"]))
    summary_file = json.loads((out / "summary.json").read_text())
    assert summary_file["metrics"]["calibration_depth"] > 0
    assert load_model("spatialnet", weights=out / "model").name == "spatialnet"
