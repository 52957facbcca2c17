"""Measure how much slower agents train with measured rewards than with the environment's own.

    python -m spatial_reward.benchmark.rl_slowdown --models rgbd oracle --out benchmark/results/slowdown.md

Both trainings go on in turns, a piece each, so that the ratio holds although the load of a computer changes;
the ratio is the median over the rounds.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from stable_baselines3.common.vec_env import VecEnvWrapper

from spatial_reward.benchmark.rl_rewards import Plan, rewarded_envs
from spatial_reward.benchmark.rl_runs import make_agent
from spatial_reward.envs.sb3_relabel import RelabelCallback

CASES = (
    *(
        ("sac", 1, "sync"),
        ("sac", 1, "hold(4)"),
        ("sac", 8, "sync"),
        ("sac", 8, "hold(8)"),
        ("sac", 8, "lagged(2)"),
    ),
    *(
        ("ppo", 1, "sync"),
        ("ppo", 8, "sync"),
        ("ppo", 8, "hold(8)"),
        ("ppo", 8, "hold(32)"),
        ("ppo", 8, "lagged(4)"),
        ("ppo", 8, "episode"),
    ),
)
# Arguments of Stable-Baselines3 itself, not the small networks of our trainings.
AS_USUAL = {"learning_starts": 40, "learning_rate": 3e-4, "policy_kwargs": {"net_arch": [256, 256]}}
PIECE = {"sac": 80, "tqc": 80, "ppo": 512}  # steps of a piece; of PPO, two rollouts


class Row(NamedTuple):
    """One line of the table.

    Attributes:
        algorithm: Name.
        n_envs: Environments at a time.
        schedule: When the model is asked.
        base_ms: Training for a step of one environment, with its own reward [ms].
        ms: The same with measured rewards [ms].
        ratio: Of the two.
        p50: Of a call of `step` of all environments, with measured rewards [ms].
        p95: The same.
    """

    algorithm: str
    n_envs: int
    schedule: str
    base_ms: float
    ms: float
    ratio: float
    p50: float
    p95: float


class Timed(VecEnvWrapper):  # type: ignore[misc]  # untyped base
    """Notes how long each step takes."""

    def __init__(self, venv: Any) -> None:
        """Nothing is noted yet."""
        super().__init__(venv)
        self.durations: list[float] = []

    def reset(self) -> Any:
        """Reset."""
        return self.venv.reset()

    def step_async(self, actions: Any) -> None:
        """Begin a step."""
        self._begin = time.perf_counter()
        self.venv.step_async(actions)

    def step_wait(self) -> Any:
        """Finish a step."""
        result = self.venv.step_wait()
        self.durations.append(time.perf_counter() - self._begin)
        return result


class Training:
    """An agent that can be trained piece by piece.

    Args:
        env_id: Name of the environment.
        reward: "sparse", or "shaping" with a model.
        plan: How it is trained.
        config: As of the suite.
    """

    def __init__(self, env_id: str, reward: str, plan: Plan, config: dict[str, Any]) -> None:
        """Make the environments and the agent, and train a first piece."""
        self.env = Timed(rewarded_envs(env_id, reward, plan, config, seed=0))
        options = {"n_steps": 256 // plan.n_envs} if plan.algorithm == "ppo" else AS_USUAL
        self._agent = make_agent(plan, self.env, 0, options)
        self._callback = RelabelCallback() if reward == "shaping" else None
        self.piece(PIECE[plan.algorithm])
        self.env.durations.clear()

    def piece(self, steps: int) -> float:
        """Train so many steps more; return the time for each [s]."""
        begin = time.perf_counter()
        before = self._agent.num_timesteps
        self._agent.learn(steps, callback=self._callback, reset_num_timesteps=before == 0)
        return (time.perf_counter() - begin) / int(self._agent.num_timesteps - before)


def slowdown(env_id: str, case: tuple[str, int, str], config: dict[str, Any], rounds: int) -> Row:
    """Measure one case: an algorithm, environments at a time, and a schedule."""
    algorithm, n_envs, schedule = case
    plan = Plan(algorithm, 100_000, 0.95, n_envs)
    own = Training(env_id, "sparse", plan, config)
    measured = Training(env_id, "shaping", plan, {**config, "schedule": schedule})
    pieces = [(own.piece(PIECE[algorithm]), measured.piece(PIECE[algorithm])) for _ in range(rounds)]
    base, ours = 1000 * np.median(pieces, axis=0)
    ratio = float(np.median([theirs / mine for mine, theirs in pieces]))
    p50, p95 = 1000 * np.percentile(measured.env.durations, [50, 95])
    own.env.close()
    measured.env.close()
    return Row(algorithm, n_envs, schedule, float(base), float(ours), ratio, float(p50), float(p95))


def as_markdown(tables: Mapping[str, Sequence[Row]], about: str, command: str) -> str:
    """Return the tables, by the name of the model, as a page."""
    where = f"Python {platform.python_version()}, {os.cpu_count()} cores, one thread of torch"
    lines = ["# Slowdown of training", "", f"`{command}`", "", f"{about}. {where}. {_HOW}", ""]
    for model, rows in tables.items():
        lines += [f"## {model}", "", _HEAD, "|---|---:|---|---:|---:|---:|---:|---:|", *map(_line, rows), ""]
    return "\n".join(lines)


def _line(row: Row) -> str:
    cells = [row.algorithm, row.n_envs, row.schedule, f"{row.base_ms:.1f}", f"{row.ms:.1f}"]
    cells += [f"{row.ratio:.2f}", f"{row.p50:.1f}", f"{row.p95:.1f}"]
    return f"| {' | '.join(map(str, cells))} |"


_HEAD = "| algorithm | envs | schedule | own [ms] | measured [ms] | ratio | p50 [ms] | p95 [ms] |"
_HOW = (
    "Training for a step of one environment, with the environment's own reward and with measured shaping, in "
    "turns; the ratio is the median over rounds. p50 and p95 are of a call of `step` for all environments, "
    "the model included."
)


def main() -> None:
    """Measure all cases, and write or print the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["rgbd"])
    parser.add_argument("--env", default="SpatialReward/Reach-v0")
    parser.add_argument("--size", type=int, default=128, help="side of the pictures [px]")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--algorithm", choices=list(PIECE), help="only this one")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    config: dict[str, Any] = {"size": args.size, "weight": 20.0, "subprocesses": False, "schedule": "sync"}
    cases = [case for case in CASES if args.algorithm in (None, case[0])]
    words = [f"--env {args.env}", f"--size {args.size}", f"--rounds {args.rounds}"]
    command = " ".join(["python -m spatial_reward.benchmark.rl_slowdown --models", *args.models, *words])
    about = f"{args.env}, pictures of {args.size} px"
    tables: dict[str, list[Row]] = {model: [] for model in args.models}
    for model, case in product(args.models, cases):
        tables[model].append(slowdown(args.env, case, {**config, "model": {"name": model}}, args.rounds))
        page = as_markdown(tables, about, command)
        if args.out is not None:  # after each case, so that an interrupted measurement is not lost
            args.out.write_text(page)
    if args.out is None:
        print(page)


if __name__ == "__main__":
    main()
