"""The command line as a user meets it: real processes, files on disk, one line for every mistake."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(*words: str, folder: Path | None = None, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "spatial_reward.cli", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "200", **environment},
    )


@pytest.fixture(scope="module")
def pushed(tmp_path_factory):
    """Run a short demo of two episodes."""
    folder = tmp_path_factory.mktemp("demo")
    done = run("demo", "env=SpatialReward/Push-v0", "episodes=2", "steps=40", "out=result", folder=folder)
    assert done.returncode == 0, done.stderr
    return done, folder / "result"


def test_demo_writes_recording_report_and_summary(pushed):
    done, folder = pushed
    assert done.stdout.strip().endswith("result/summary.json")
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["command"] == "demo" and summary["config"]["goal"] == "near(cube, pad, within=4cm)"
    assert set(summary["artefacts"]) == {"episode.rrd", "report.png", "overview.png", "summary.json"}
    assert all((folder / name).stat().st_size > 0 for name in summary["artefacts"])
    assert [len(episode["predicted"]) for episode in summary["episodes"]] == [40, 40]
    assert summary["metrics"]["episodes"] == 2 and summary["metrics"]["valid_share"] > 0.5
    assert summary["metrics"]["mae_mm"] < 10 and summary["metrics"]["latency_ms_p50"] > 0


def test_demo_leaves_nothing_but_the_result(pushed):
    _, folder = pushed
    assert [path.name for path in folder.parent.iterdir()] == ["result"]


def test_the_oracle_is_exact_for_a_moving_camera(tmp_path):
    words = ("env=SpatialReward/Lift-v0", "model=oracle", "camera=orbit", "steps=30", "recordings=0", "out=o")
    assert run("demo", *words, folder=tmp_path).returncode == 0
    metrics = json.loads((tmp_path / "o" / "summary.json").read_text())["metrics"]
    assert metrics["mae_mm"] < 1e-3 and metrics["valid_share"] == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["env=FetchPsh-v4"], "Unknown environment 'FetchPsh-v4'"),
        (["camera=frnt"], "Unknown camera 'frnt'. Did you mean 'front'?"),
        (["goal=near(cub, pad, within=3cm)"], "'cub'"),
        (["goal=near(cube, pad"], "goal"),
        (["goal=fetch(cube)"], "fetch"),
        (["policy=clumsy"], "clumsy"),
        (["episodes=0"], "`episodes` must be at least 1"),
        (["noise=.nan"], "`noise` must be at least 0, got '.nan'"),
        (["noise=nan"], "`noise` must be at least 0, got nan"),
        (["evn=x"], "Unknown key 'evn'. Did you mean: env"),
        (["model=foo"], "Available options in 'model'"),
        (["reward.gamma=2"], "gamma"),
        (["size=0"], "size"),
        (["env=Pendulum-v1"], "goal"),
        (["env=nowhere:make"], "nowhere"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(words, message, tmp_path):
    done = run("demo", *words, "steps=3", folder=tmp_path)
    assert done.returncode == 2, done.stderr
    lines = done.stderr.strip().splitlines()
    assert lines[-1].startswith("spatial-reward: ") and message in lines[-1]
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("summary.json")) and not list(tmp_path.rglob("*.partial*"))


def test_results_are_never_overwritten_nor_put_where_they_cannot_be(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious.txt").write_text("")
    assert "already exists" in run("demo", "steps=3", "out=full", folder=tmp_path).stderr
    unwritable = run("demo", "steps=3", "out=full/precious.txt/below", folder=tmp_path)
    assert unwritable.returncode == 2 and "Cannot write out=" in unwritable.stderr


def test_missing_opengl_is_one_line_that_says_what_to_install(tmp_path):
    done = run("demo", "steps=3", folder=tmp_path, MUJOCO_GL="bogus")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "MUJOCO_GL" in done.stderr or "libegl1" in done.stderr


def test_print_config_shows_and_stops(tmp_path):
    done = run("demo", "env=FetchPush-v4", "--print-config", folder=tmp_path)
    assert json.loads(done.stdout)["env"] == "FetchPush-v4" and not list(tmp_path.iterdir())


def test_doctor_finds_this_machine_well():
    done = run("doctor")
    assert done.returncode == 0, done.stdout
    assert "rendering" in done.stdout and "first picture after" in done.stdout


def test_doctor_says_how_to_get_what_is_missing():
    done = run("doctor", MUJOCO_GL="bogus")
    assert done.returncode == 2 and "apt-get install libegl1 libgl1" in done.stdout


def test_help_names_the_commands():
    done = run("--help")
    assert done.returncode == 0 and "demo" in done.stdout and "doctor" in done.stdout


def test_a_module_of_the_working_folder_is_found_however_the_command_is_started(tmp_path):
    (tmp_path / "my_scene.py").write_text(
        "from spatial_reward.envs.catalogue import make\n\n\n"
        "def make_env():\n    return make('SpatialReward/Reach-v0')\n"
    )
    words = ["env=my_scene:make_env", "goal=near(gripper,target,within=3cm)", "policy=random", "steps=2"]
    words += ["model=oracle", "size=32", "recordings=0", "out=out"]
    done = run("demo", *words, folder=tmp_path, PYTHONSAFEPATH="1")  # as the installed command
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "summary.json").is_file()
    gone = run("demo", "env=no_scene:make_env", *words[1:-1], "out=no", folder=tmp_path, PYTHONSAFEPATH="1")
    assert gone.returncode == 2 and "There is no module 'no_scene'" in gone.stderr
