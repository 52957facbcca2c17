"""What the command `benchmark` measures, suite by suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple


class Suite(NamedTuple):
    """A suite: the YAML file with its settings, and the function that runs it, `run(config) -> Path`."""

    config: str
    function: str


# Imported only when asked for: each brings its own libraries.
SUITES = {
    "multispa": Suite("benchmark", "multispa.run"),
    "reward": Suite("benchmark_reward", "reward.run"),
    "rl": Suite("benchmark_rl", "rl.run"),
    "public": Suite("benchmark_public", "harness.public.run"),
    "speed": Suite("benchmark_speed", "speed.run"),
}


def chosen(words: Sequence[str]) -> tuple[str, list[str]]:
    """Take the word `suite=...` out of the words of a command; "multispa" where there is none.

    Raises:
        ValueError: If there is no such suite.

    >>> chosen(["suite=reward", "seed=1"])
    ('reward', ['seed=1'])
    """
    names = [word.partition("=")[2] for word in words if word.startswith("suite=")]
    name = names[-1] if names else "multispa"
    if name not in SUITES:
        raise ValueError(f"`suite` must be one of {', '.join(SUITES)}, got {name!r}.")
    return name, [word for word in words if not word.startswith("suite=")]


def run(suite: str, config: Mapping[str, Any]) -> Path:
    """Run a suite as its configuration says; return the folder of its results."""
    module, _, function = SUITES[suite].function.rpartition(".")
    folder: Path = getattr(import_module(f"spatial_reward.benchmark.{module}"), function)(config)
    return folder
