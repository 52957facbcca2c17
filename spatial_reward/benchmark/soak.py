"""Run a rewarded environment for very long: memory, files, threads and renderers stay as they are.

    python -m spatial_reward.benchmark.soak --steps 100000
    python -m spatial_reward.benchmark.soak --steps 1000000 --every 100 --out benchmark/results/soak.md

The environment is closed and made again many times on the way, as a training that is started over and over.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spatial_reward.benchmark.serving import resident
from spatial_reward.envs import canvas
from spatial_reward.envs.vector import make_vector
from spatial_reward.types import Answer, Question

ENV, GOAL = "Reacher-v5", "keep(fingertip, within=2cm)"  # its physics cost little
LIFE = 5000  # steps of an environment, until it is made again
EPISODE = 500  # steps
MOST_GROWTH = 100.0  # [MB]


class Still:
    """Says that nothing has moved, at once: what is left is everything but the model."""

    name = "still"
    needs: frozenset[str] = frozenset({"depth"})
    follows = False

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer each question with zero."""
        return [Answer(np.zeros(3), "m", 0.01, source=self.name) for _ in questions]


class Sample(NamedTuple):
    """What the process holds after some steps: memory [MB], open files, threads, renderers."""

    steps: int
    memory: float
    files: int
    threads: int
    renderers: int


class Soak(NamedTuple):
    """What is run for how long.

    Attributes:
        steps: Of one environment, all together.
        n_envs: Environments at a time.
        every: Every so many steps a picture is drawn and judged.
        size: Side of the pictures [px].
        schedule: "sync", "lagged(k)" or "episode".
        samples: Looks at the process, the first one after a tenth of the time.
    """

    steps: int = 100_000
    n_envs: int = 4
    every: int = 1
    size: int = 64
    schedule: str = "lagged(2)"
    samples: int = 20


def soak(settings: Soak, model: Any = None, note: Callable[[list[Sample]], object] = len) -> list[Sample]:
    """Run, and return the samples; each is taken where an environment has just been closed.

    Args:
        settings: What is run for how long.
        model: What answers; by default `Still`.
        note: Gets the samples so far, after each.
    """
    samples: list[Sample] = []
    done, look = 0, settings.steps // 10
    while done < settings.steps:
        done += live(settings, model or Still(), min(LIFE, settings.steps - done), seed=done)
        if done >= look:
            samples.append(sample(done))
            note(samples)
            look += max(settings.steps // settings.samples, 1)
    return samples


def live(settings: Soak, model: Any, steps: int, seed: int) -> int:
    """Make an environment, step it at random, and close it; return the steps taken."""
    env = make_vector(
        ENV,
        GOAL,
        model,
        num_envs=settings.n_envs,
        env_kwargs={"render_mode": None, "max_episode_steps": EPISODE},
        size=settings.size,
        every=settings.every,
        schedule=settings.schedule,
    )
    env.action_space.seed(seed)
    env.reset(seed=seed)
    taken = 0
    while taken < steps:
        _, rewards, _, _, _ = env.step(env.action_space.sample())
        if not np.isfinite(rewards).all():
            raise RuntimeError(f"A reward is not finite after {taken} steps: {rewards}.")
        taken += settings.n_envs
    env.close()
    return taken


def sample(steps: int) -> Sample:
    """Look at this process."""
    files = Path("/proc/self/fd")
    count = len(list(files.iterdir())) if files.exists() else -1
    return Sample(steps, resident(), count, threading.active_count(), len(canvas._made))


def grown(samples: Sequence[Sample]) -> Sample:
    """Return how much more there was at the most than in the first sample."""
    more = np.array(samples, float).max(axis=0) - np.array(samples[0], float)
    return Sample(int(more[0]), float(more[1]), *map(int, more[2:]))


def as_markdown(settings: Soak, samples: Sequence[Sample], seconds: float, command: str) -> str:
    """Return the page."""
    rows = [
        f"| {one.steps} | {one.memory:.0f} | {one.files} | {one.threads} | {one.renderers} |"
        for one in samples
    ]
    return "\n".join(
        [
            "# Soak",
            "",
            f"`{command}`",
            "",
            f"{samples[-1].steps} steps of {ENV} in {seconds:.0f} s, episodes of {EPISODE}, "
            f"{settings.n_envs} environments at a time, made anew every {LIFE} steps; "
            f"one of {settings.every} is drawn at {settings.size} px with depth and judged by a model "
            "that costs nothing, schedule "
            f"{settings.schedule}.",
            "",
            "| steps | memory [MB] | open files | threads | renderers |",
            "|---:|---:|---:|---:|---:|",
            *rows,
            "",
            f"Growth at most: {grown(samples).memory:.1f} MB, {grown(samples).files} files, "
            f"{grown(samples).threads} threads, {grown(samples).renderers} renderers.",
            "",
        ]
    )


def main() -> None:
    """Run, write or print the page; exit code 1 if something grows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in Soak()._asdict().items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    parser.add_argument("--out", type=Path)
    options = vars(parser.parse_args())
    out, settings = options.pop("out"), Soak(**options)
    begin = time.perf_counter()
    words = [f"--{key} {value}" for key, value in settings._asdict().items() if value != getattr(Soak(), key)]
    command = " ".join(["python -m spatial_reward.benchmark.soak", *words])

    def note(samples: list[Sample]) -> None:
        if out is not None:  # after each, so that an interrupted run is not lost
            out.write_text(as_markdown(settings, samples, time.perf_counter() - begin, command))

    samples = soak(settings, note=note)
    if out is None:
        print(as_markdown(settings, samples, time.perf_counter() - begin, command))
    growth = grown(samples)
    leaks = growth.memory > MOST_GROWTH or growth.files > 0 or growth.threads > 0 or growth.renderers > 0
    sys.exit(1 if leaks else 0)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
