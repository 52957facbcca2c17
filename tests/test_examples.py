"""Every example runs top to bottom with small arguments, and so does every program of the README."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SMALL = ["--model", "oracle", "--size", "32"]
EXAMPLES = {
    "reward_an_env.py": (["--steps", "20"], r"^  20 +\d+\.\d"),
    "measure.py": (["--steps", "10"], r"^step +10: moved"),
    "sb3_training.py": (["--steps", "60", *SMALL], r"^60 steps in \d+ episodes, 0.0% without"),
    "cleanrl_ppo.py": (
        ["--steps", "8", "--rollouts", "2", "--envs", "2", *SMALL],
        r"^rollout 1: reward -?\d+\.\d+.*held 0.0%",
    ),
    "vectorised_training.py": (
        ["--envs", "2", "--episodes", "2", "--generations", "1", "--mode", "sync", *SMALL],
        r"^generation 0: best -\d",
    ),
    "evaluate_policy.py": (["--episodes", "1", *SMALL], r"^success by the reward \d+%"),
    "film_policy.py": (["--steps", "5", *SMALL], r"^measured \d+\.\d mm from the goal; rerun policy.rrd"),
}


def run(*command: str, folder: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_run_here():
    assert {path.name for path in (ROOT / "examples").glob("*.py")} == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_runs(name, tmp_path):
    words, expected = EXAMPLES[name]
    path = ROOT / "examples" / name
    assert path.read_text().count("\n") <= 120
    assert re.search(expected, run(sys.executable, str(path), *words, folder=tmp_path), re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["sync", "hold(2)"])
def test_ppo_runs_with_rewards_that_are_not_late(schedule, tmp_path):
    words, expected = EXAMPLES["cleanrl_ppo.py"]
    path = ROOT / "examples" / "cleanrl_ppo.py"
    printed = run(sys.executable, str(path), *words, "--schedule", schedule, folder=tmp_path)
    assert re.search(expected.replace("held 0.0%", ""), printed, re.MULTILINE)


@pytest.mark.parametrize("number", range(2))
def test_programs_of_the_readme_run(number, tmp_path):
    programs = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(programs) == 2
    (tmp_path / "program.py").write_text(f"if __name__ == '__main__':\n{indented(programs[number])}")
    run(sys.executable, "program.py", folder=tmp_path)


def indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


def test_files_that_the_readme_shows_are_there():
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text())
    assert links and not [link for link in links if not (ROOT / link).exists()]
