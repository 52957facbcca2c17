"""Speed of the data engine, every figure from whole runs of `spatial-reward generate` in one go.

`python -m spatial_reward.benchmark.generation [COUNT]` prints the table of `benchmark/results/generation.md`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ENVIRONMENTS = ("FetchPush-v4", "SpatialReward/Push-v0")
COUNT = 400_000  # questions of the long run
SHORT = 0.2  # share of them in the short run, to see whether memory grows


class Run(NamedTuple):
    """One run: what it was, its metrics, and the digests of its shards."""

    what: str
    metrics: dict[str, Any]
    shards: dict[str, Any]


def run(what: str, out: Path, *words: str) -> Run:
    """Run `spatial-reward generate` in a process of its own.

    Raises:
        RuntimeError: If it fails; with its last words.
    """
    command = [sys.executable, "-m", "spatial_reward.cli", "generate", f"out={out}", "report=false", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[3:])} failed: {done.stderr.strip()[-400:]}")
    manifest = json.loads((out / "manifest.json").read_text())
    return Run(what, json.loads((out / "summary.json").read_text())["metrics"], manifest["shards"])


def frames(folder: Path) -> Iterator[Run]:
    """Prepare scenes whole, with RGB, depth and segmentation, one worker, 224 px."""
    words = ("source.scenes=6", "source.frames=100", "depth=true", "count=26", "workers=1")
    for env in ENVIRONMENTS:
        yield run(env, folder / env.replace("/", "-"), "source=mujoco", f"source.env={env}", *words)
    yield run("random scenes", folder / "random", "source=random_scenes", "source.sizes=[224]", *words)


def questions(folder: Path, count: int) -> Iterator[Run]:
    """Draw from the same random scenes: few, many, with two workers, and on Ray."""
    source = ("source=random_scenes", "source.scenes=32", "source.sizes=[224]")
    for what, number, words in (
        ("1 worker, few", round(SHORT * count), ("workers=1",)),
        ("1 worker", count, ("workers=1",)),
        ("2 workers", count, ("workers=2",)),
        ("Ray, 2 workers", count, ("workers=2", "cluster=local")),
    ):
        yield run(what, folder / what.replace(" ", "_").replace(",", ""), *source, f"count={number}", *words)


def main(count: int = COUNT) -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as folder:
        print("| 224 px, RGB + depth + segmentation, whole scenes | frames/s per core |\n|---|---|")
        for one in frames(Path(folder)):
            print(f"| `{one.what}` | {one.metrics['frames_per_s_per_core']:.0f} |", flush=True)
        print("\n| questions from 32 scenes | questions/s | per core | peak memory [MB] |\n|---|---|---|---|")
        runs = []
        for one in questions(Path(folder), count):
            runs.append(one)
            found = one.metrics
            rates = f"{found['questions_per_s']:.0f} | {found['questions_per_s_per_core']:.0f}"
            print(
                f"| {one.what}, {found['questions']:,} | {rates} | {found['peak_memory_mb']:.0f} |",
                flush=True,
            )
        _, single, double, ray = runs
        speedup = double.metrics["questions_per_s"] / single.metrics["questions_per_s"]
        print(f"\nTwo workers draw {speedup:.2f} times as fast as one.")
        print(f"The shards of one worker, two, and Ray are {_same(single, double, ray)}.")


def _same(*runs: Run) -> str:
    return "the same, byte for byte" if all(one.shards == runs[0].shards for one in runs) else "NOT the same"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
