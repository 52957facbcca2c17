"""From records of trainings to numbers: success, its area, seconds, slowdown, over-optimisation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward.benchmark.rl_statistics import Estimate, area, estimate, iqm
from spatial_reward.camera import Array

NAN = float("nan")
FINAL = 3  # evaluations at the end, whose mean is the final success
Line = Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Curve:
    """The evaluations of all seeds of an environment and a reward.

    Attributes:
        env_id: Name of the environment.
        reward: Name of the reward.
        seeds: (S,).
        steps: (E,) of the evaluations.
        success: (S, E) share of episodes that end in success.
        seconds: (S,) of training.
        predicted: (S, E) mean potential that the model measured [m]; NaN where none was asked.
        true: (S, E) the true one, of the same steps [m].
        held: (S,) share of steps without a new measurement; NaN where no model was asked.
    """

    env_id: str
    reward: str
    seeds: tuple[int, ...]
    steps: Array
    success: Array
    seconds: Array
    predicted: Array
    true: Array
    held: Array

    @property
    def final(self) -> Array:
        """Success (S,) at the end: the mean of the last evaluations."""
        final: Array = self.success[:, -FINAL:].mean(axis=1)
        return final

    @property
    def areas(self) -> Array:
        """Areas (S,) under the curves of success."""
        return np.array([area(self.steps, one) for one in self.success])

    @property
    def band(self) -> tuple[Array, Array, Array]:
        """Interquartile mean (E,) of the success, and its interval."""
        points = [estimate([column]) for column in self.success.T]
        mean, low, high = np.array(points).T
        return mean, low, high

    @property
    def microseconds(self) -> float:
        """Of training, for each step [us]: the median over seeds."""
        return float(1e6 * np.median(self.seconds) / self.steps[-1])


def curves_of(folder: Path) -> list[Curve]:
    """Read all complete records of a folder."""
    groups: dict[tuple[str, str], list[tuple[int, list[Line]]]] = {}
    for path in sorted(folder.glob("*.jsonl")):
        first, lines = read_record(path)
        run = first["run"]
        groups.setdefault((run["env_id"], run["reward"]), []).append((run["seed"], lines))
    return [_curve(env_id, reward, sorted(runs)) for (env_id, reward), runs in groups.items()]


def read_record(path: Path) -> tuple[Mapping[str, Any], list[Line]]:
    """Return what a record says of its run and plan, and its evaluations.

    Raises:
        ValueError: If it is damaged.
    """
    try:
        first, *lines = [json.loads(line) for line in path.read_text().splitlines()]
        return {"run": first["run"], "plan": first["plan"]}, lines
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error}): remove it, and it is trained anew.") from error


def _curve(env_id: str, reward: str, runs: Sequence[tuple[int, list[Line]]]) -> Curve:
    length = min(len(lines) for _, lines in runs)

    def column(key: str) -> Array:
        rows = [[line[key] for line in lines[:length]] for _, lines in runs]
        return np.array(rows, float)  # null becomes NaN

    return Curve(
        env_id=env_id,
        reward=reward,
        seeds=tuple(seed for seed, _ in runs),
        steps=column("steps")[0],
        success=column("success"),
        seconds=column("seconds")[:, -1],
        predicted=column("predicted"),
        true=column("true"),
        held=column("held")[:, -1],
    )


def metrics_of(curves: Sequence[Curve], seed: int) -> dict[str, float]:
    """Return flat metrics, `<what>_<reward>_<environment>`, and those of the acceptance over environments."""
    metrics: dict[str, float] = {}
    for curve in curves:
        key = f"{curve.reward}_{slug(curve.env_id)}"
        final = estimate([curve.final], seed)
        metrics[f"success_{key}"], metrics[f"success_low_{key}"], metrics[f"success_high_{key}"] = final
        metrics[f"auc_{key}"] = float(iqm(curve.areas))
        metrics[f"step_us_{key}"] = curve.microseconds
        metrics[f"held_share_{key}"] = float(np.mean(curve.held))
        metrics[f"over_optimism_mm_{key}"] = over_optimism(curve)
    for env_id in dict.fromkeys(curve.env_id for curve in curves):
        metrics |= verdicts(env_id, {c.reward: c for c in curves if c.env_id == env_id}, seed)
    return metrics


def verdicts(env_id: str, curves: Mapping[str, Curve], seed: int) -> dict[str, float]:
    """Return how shaping compares: share of the dense reward's success, and 1 or 0 for what it beats.

    What has too few seeds for an interval is not compared.
    """
    final = {reward: estimate([curve.final], seed) for reward, curve in curves.items()}
    shaping, key = final.get("shaping"), slug(env_id)
    if shaping is None:
        return {}
    told = {}
    if "dense" in final:
        told[f"share_of_dense_{key}"] = shaping.mean / final["dense"].mean if final["dense"].mean else NAN
    for other in ("sparse", "clock"):
        if other in final and shaping.comparable(final[other]):
            told[f"beats_{other}_{key}"] = float(shaping.above(final[other]))
    if "sparse" in final and shaping.comparable(final["sparse"]):
        told[f"not_below_sparse_{key}"] = float(shaping.high >= final["sparse"].low)
    if "sparse" in final:
        told[f"slowdown_{key}"] = curves["shaping"].microseconds / curves["sparse"].microseconds
    return told


def over_optimism(curve: Curve) -> float:
    """Return by how much the agent's own success has raised the model's error [mm].

    The mean of predicted minus true potential of the last evaluations, less that of the first: an agent that
    finds what the model gets wrong drives it up. NaN where no model was asked.
    """
    error = 1000 * (curve.predicted - curve.true)[:, 1:]
    if error.shape[1] < 2 or np.isnan(error).all():
        return NAN
    return float(np.nanmean(error[:, -FINAL:]) - np.nanmean(error[:, :FINAL]))


def slug(env_id: str) -> str:
    """Return a name in snake case.

    >>> slug("SpatialReward/Reach-v0"), slug("FetchPush-v4")
    ('reach', 'fetch_push')
    """
    name = env_id.rpartition("/")[2].rpartition("-v")[0] or env_id
    return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))


__all__ = ["Curve", "Estimate", "curves_of", "metrics_of", "over_optimism", "slug", "verdicts"]
