"""Dry runs of the commands of training/README.md: on the CPU, with tiny models."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from typer.testing import CliRunner
from vlm_runs import environment, launched, run, words_of

import spatial_reward
from spatial_reward.cli import app
from spatial_reward.config import compose
from spatial_reward.training import command
from spatial_reward.training.command import chosen
from spatial_reward.training.vlm_settings import Settings

TRAINING = Path(spatial_reward.__file__).parents[1] / "training"
RECIPES = sorted(path.stem for path in (TRAINING / "recipes").glob("*.yaml"))
VLM_RECIPES = [name for name in RECIPES if name.startswith(("vlm_", "study_"))]
DRY = ["steps=1", "batch=2", "per_device=2", "save_every=1"]

pytestmark = pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning")


def test_every_study_of_the_paper_has_its_recipe():
    studies = {
        "data_scaling",
        "model_scaling",
        "methods",
        "multitask",
        "correspondence",
        "hard_correspondence",
    }
    assert {f"study_{name}" for name in studies} | {"vlm_paper"} <= set(VLM_RECIPES)


@pytest.mark.parametrize("recipe", VLM_RECIPES)
def test_recipes_compose_to_settings_that_make_sense(recipe):
    settings = Settings.of(compose(recipe, ["data=somewhere"], TRAINING / "recipes"))
    published = ("full", 16, 32, 4e-4) if recipe == "study_scratch" else ("lora", 16, 32, 4e-5)
    assert (settings.method, settings.rank, settings.alpha, settings.rate) == published
    assert settings.batch == 192


@pytest.mark.parametrize("recipe", [name for name in VLM_RECIPES if name.startswith("study_")])
def test_every_point_of_a_sweep_makes_sense(recipe):
    from hydra.core.override_parser.overrides_parser import OverridesParser

    ((key, values),) = OmegaConf.load(TRAINING / "recipes" / f"{recipe}.yaml").hydra.sweeper.params.items()
    (override,) = OverridesParser.create().parse_overrides([f"{key}={values}"])
    points = list(override.sweep_string_iterator())
    assert len(points) >= 3
    for point in points:
        settings = Settings.of(compose(recipe, ["data=somewhere", f"{key}={point}"], TRAINING / "recipes"))
        assert settings.take is None or all(count is None or count > 0 for count in settings.take.values())


def test_settings_without_a_default_must_be_given():
    with pytest.raises(ValueError, match=r"needs data=\.\.\., base=\.\.\."):
        command.run("vlm", compose("train_vlm", []))


def test_the_word_model_chooses_what_is_trained():
    assert chosen(["rank=8", "model=vlm"]) == ("vlm", ["rank=8"])
    assert chosen([])[0] == "spatialnet"
    shown = CliRunner().invoke(app, ["train", "model=vlm", "data=a", "base=b", "--print-config"])
    assert json.loads(shown.stdout)["rank"] == 16
    with pytest.raises(ValueError, match="`model` must be one of spatialnet, vlm to be trained, got 'yolo'"):
        chosen(["model=yolo"])


@pytest.mark.parametrize("name", ["ddp", "fsdp2"])
def test_accelerate_takes_the_launch_files(name):
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(TRAINING / f"accelerate/{name}.yaml"))
    assert config.num_processes == 8
    assert config.mixed_precision == "bf16"
    if name == "fsdp2":
        assert config.fsdp_config["fsdp_version"] == 2


def test_the_slurm_script_is_sound_and_passes_words_on(tmp_path):
    """With stand-ins for what a cluster has, on two machines of four GPUs."""
    script = TRAINING / "slurm/train_vlm.sbatch"
    for name, lines in {
        "scontrol": "echo node7; echo node8",
        "srun": 'exec "$@"',
        "accelerate": 'printf "%s\\n" "$@"',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{lines}\n")
        (tmp_path / name).chmod(0o755)
    slurm = {
        "SLURM_GPUS_ON_NODE": "4",
        "SLURM_NNODES": "2",
        "SLURM_NODEID": "1",
        "SLURM_JOB_NODELIST": "node[7-8]",
    }
    done = subprocess.run(
        ["bash", script, "ddp.yaml", "data=/a b", "take={vc_mcq:1000}"],
        env={**environment(), **slurm, "PATH": f"{tmp_path}:{environment()['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    words = done.stdout.splitlines()
    assert words[words.index("--num_processes") + 1] == "8"
    assert words[words.index("--main_process_ip") + 1] == "node7"
    assert words[words.index("--machine_rank") + 1] == "1"
    assert words[-5:] == ["spatial_reward.cli", "train", "model=vlm", "data=/a b", "take={vc_mcq:1000}"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_sweep_runs_every_point(tiny_models, question_set, tmp_path):
    base = words_of("internvl", tiny_models["internvl"], question_set, "null", *DRY)
    line = [sys.executable, str(TRAINING / "sweep.py"), "--config-name", "study_correspondence", "--multirun"]
    words = [*line, *base, f"hydra.sweep.dir={tmp_path / 'sweep'}"]
    done = subprocess.run(words, env=environment(), cwd=tmp_path, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    takes = [
        json.loads((tmp_path / f"sweep/{number}/run/summary.json").read_text())["config"]["take"]
        for number in range(4)
    ]
    assert takes[0] == {"vc_mcq": 1000}
    assert takes[1] == {"vc_mcq": 1000, "camera_motion": 50000}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_recipe_runs_on_several_processes(tiny_models, question_set, tmp_path):
    recipes = tmp_path / "recipes"
    shutil.copytree(TRAINING / "recipes", recipes)
    words = words_of(
        "qwen3_vl", tiny_models["qwen3_vl"], question_set, tmp_path / "run", "steps=1", "save_every=1"
    )
    line = launched(*words, "batch=4", "per_device=2", config=str(TRAINING / "accelerate/ddp.yaml"))
    printed = run([*line, "--config-dir", str(recipes), "--config-name", "vlm_paper"])
    assert str(tmp_path / "run/summary.json") in printed
    config = json.loads((tmp_path / "run/summary.json").read_text())["config"]
    assert (config["count"], config["method"]) == (3_000_000, "lora")
