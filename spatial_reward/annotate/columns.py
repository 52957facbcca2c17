"""What is written about every frame of an episode: names, types, units; and what fills skipped frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from spatial_reward.annotate.engine import Scored
from spatial_reward.camera import Array
from spatial_reward.types import Answer

REWARD = "reward.spatial."
TRUTH = "truth.distance_m"
KEYS = ("index", "episode_index", "frame_index")
REWARDS = {  # column: unit
    "potential_m": "m",
    "progress": "1",
    "success_prob": "1",
    "std": "m",
}
VECTOR = ("x", "y", "z")
UPPER = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))  # entries of a symmetric matrix
MEASURED = {  # columns `measured.<name>.*` of a followed thing
    **{f"motion_{axis}_m": "m, in the axes of the first frame's camera" for axis in VECTOR},
    **{f"covariance_{VECTOR[a]}{VECTOR[b]}_m2": "m^2, of the motion" for a, b in UPPER},
    "pixel_x": "px, centre of the first pixel at 0.5",
    "pixel_y": "px, centre of the first pixel at 0.5",
}


def table_of(scored: Scored, impute: str, truth: Array | None, metadata: Mapping[bytes, bytes]) -> Any:
    """Return the table of an episode: a row for each of its frames."""
    episode, steps = scored.job.episode, np.array(scored.steps)
    columns: list[tuple[str, Any, str]] = [
        ("index", pa.array(episode.start + np.arange(episode.length)), ""),
        ("episode_index", pa.array(np.full(episode.length, episode.index)), ""),
        ("frame_index", pa.array(np.arange(episode.length)), ""),
        ("timestamp", pa.array(_times(scored)), "s"),
    ]
    columns += _rewards(scored, steps, impute)
    for name in scored.job.references:
        if scored.job.references[name].pixel is not None:
            columns += _measured(name, scored, steps)
    if truth is not None and len(truth) == episode.length:
        columns.append((TRUTH, pa.array(np.asarray(truth, np.float32).reshape(-1)), "m"))
    fields = [
        pa.field(name, array.type, metadata={"unit": unit} if unit else None) for name, array, unit in columns
    ]
    return pa.Table.from_arrays(
        [array for _, array, _ in columns], schema=pa.schema(fields, metadata=metadata)
    )


def _rewards(scored: Scored, steps: Array, impute: str) -> list[tuple[str, Any, str]]:
    signals, length = scored.signals, scored.job.episode.length
    valid = np.array([signal.valid for signal in signals], bool)
    numbers = {
        "potential_m": [signal.potential for signal in signals],
        "progress": [signal.progress for signal in signals],
        "success_prob": [signal.success for signal in signals],
        "std": [signal.std for signal in signals],
    }
    columns: list[tuple[str, Any, str]] = []
    for name, unit in REWARDS.items():
        values = filled(np.array(numbers[name], float), steps, length, impute)
        columns.append((REWARD + name, pa.array(values.astype(np.float32), from_pandas=False), unit))
    held = filled(valid.astype(float), steps, length, impute) == 1  # linear: both ends
    scored_here = np.isin(np.arange(length), steps)
    columns.append((f"{REWARD}valid", pa.array(held), ""))
    columns.append((f"{REWARD}is_inference_frame", pa.array(scored_here), ""))
    return columns


def filled(values: Array, steps: Array, length: int, impute: str) -> Array:
    """Return values (T,) of all frames from those of ascending scored steps, of which 0 is the first.

    "hold" repeats the last one, "linear" joins both sides (unknown if one is), "none" leaves NaN.

    >>> filled(np.array([0.0, 2.0]), np.array([0, 2]), 3, "linear").tolist()
    [0.0, 1.0, 2.0]
    """
    result = np.full(length, np.nan)
    if not len(steps):
        return result
    if impute == "hold":
        result[:] = values[np.searchsorted(steps, np.arange(length), side="right") - 1]
    elif impute == "linear":
        result[:] = np.interp(np.arange(length), steps, values)
    result[steps] = values
    return result


def _times(scored: Scored) -> Array:
    """Return times (T,) [s]: those of scored frames as they were read, others between them."""
    steps, length = np.array(scored.steps), scored.job.episode.length
    return np.interp(np.arange(length), steps, scored.times)


def _measured(name: str, scored: Scored, steps: Array) -> list[tuple[str, Any, str]]:
    """Return the columns of what was measured about a thing; null where it was not."""
    length, answers = scored.job.episode.length, [signal.answers.get(name) for signal in scored.signals]
    rows = np.full((length, len(MEASURED)), np.nan)
    rows[steps] = [_numbers(answer) for answer in answers]
    prefix = f"measured.{name}."
    columns: list[tuple[str, Any, str]] = [
        (prefix + key, pa.array(rows[:, column].astype(np.float32), from_pandas=False), unit)
        for column, (key, unit) in enumerate(MEASURED.items())
    ]
    valid = np.zeros(length, bool)
    valid[steps] = [answer is not None and bool(answer.valid) for answer in answers]
    reasons: list[str | None] = [None] * length
    for step, answer in zip(steps, answers, strict=True):
        reasons[step] = None if answer is None or answer.valid else answer.text
    columns.append((f"{prefix}valid", pa.array(valid), ""))
    columns.append((f"{prefix}reason", pa.array(reasons, pa.string()), ""))
    return columns


def _numbers(answer: Answer | None) -> list[float]:
    """Return motion, covariance and match of an answer, as `MEASURED` lists them."""
    unknown = [np.nan] * len(MEASURED)
    if answer is None or not isinstance(answer.value, np.ndarray) or answer.value.shape != (3,):
        return unknown
    covariance = answer.covariance
    if covariance is None:
        covariance = np.diag(np.broadcast_to(np.square(np.asarray(answer.std, float)), 3))
    pixel = (np.nan, np.nan) if answer.match is None else answer.match
    return [*answer.value, *(covariance[a, b] for a, b in UPPER), *pixel]


def answers_of(
    table: Mapping[str, Sequence[Any]], names: Sequence[str], row: int, source: str
) -> dict[str, Answer]:
    """Return the answers of a row, as far as they were written."""
    return {name: _answer(table, f"measured.{name}.", row, source) for name in names}


def _answer(table: Mapping[str, Sequence[Any]], prefix: str, row: int, source: str) -> Answer:
    if not table[f"{prefix}valid"][row]:
        return Answer.unknown(str(table[f"{prefix}reason"][row] or ""), "m", source)
    numbers = {key: float(table[prefix + key][row]) for key in MEASURED}
    covariance = np.zeros((3, 3))
    for a, b in UPPER:
        covariance[a, b] = covariance[b, a] = numbers[f"covariance_{VECTOR[a]}{VECTOR[b]}_m2"]
    value = np.array([numbers[f"motion_{axis}_m"] for axis in VECTOR])
    match = (numbers["pixel_x"], numbers["pixel_y"])
    known = match if np.isfinite(match).all() else None
    std = np.sqrt(np.diag(covariance))
    return Answer(value, "m", std, source=source, covariance=covariance, match=known)
