"""What is run with `python -m` says what is wrong in one line, and writes nothing then."""

import subprocess
import sys

import pytest

COMMANDS = {
    "training.evaluate_spatialnet": ["--data", "{}", "--out", "{}/out"],
    "training.calibrate_spatialnet": ["--checkpoint", "{}/best.pt", "--data", "{}", "--out", "{}/out"],
    "benchmark.multispa_markdown": ["{}"],
}


@pytest.mark.parametrize("module", COMMANDS)
def test_a_wrong_folder_is_one_line(module, tmp_path):
    words = [word.format(tmp_path) for word in COMMANDS[module]]
    command = [sys.executable, "-m", f"spatial_reward.{module}", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    [line] = done.stderr.strip().splitlines()
    assert done.returncode == 1 and not done.stdout and not list(tmp_path.iterdir())
    assert str(tmp_path) in line and ("generate them first" in line or "give folders" in line)
