"""Recorded states of a MuJoCo simulation, from a .npz file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np

from spatial_reward.camera import Array
from spatial_reward.data.sources.base import BadScene

Record = dict[str, Array]  # of one episode: `qpos` (T, nq), and what else there is


def read_records(path: Path, model: Any) -> list[Record]:
    """Read the episodes of a file: `qpos` (T, nq), or (E, T, nq) for several.

    `qvel`, `mocap_pos`, `mocap_quat` and `time` are read where they are there; other arrays are left alone.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no .npz of numbers, lacks `qpos`, or does not fit the model.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There are no recorded states in {str(path)!r}: no such file.")
    shapes = {
        "qpos": (model.nq,),
        "qvel": (model.nv,),
        "mocap_pos": (model.nmocap, 3),
        "mocap_quat": (model.nmocap, 4),
        "time": (),
    }
    try:
        arrays = _arrays(path, shapes)
    except (ValueError, OSError, TypeError, BadZipFile) as error:
        raise ValueError(
            f"{str(path)!r} is no .npz file of numbers: write one with `numpy.savez`, `qpos` (T, {model.nq})."
        ) from error
    if "qpos" not in arrays:
        raise ValueError(f"{str(path)!r} has no `qpos` (T, {model.nq}).")
    several = arrays["qpos"].ndim == 3
    leading = arrays["qpos"].shape[: 1 + several]
    for name, values in arrays.items():
        if values.shape != (*leading, *shapes[name]) or 0 in leading:
            wanted = ", ".join(str(number) for number in ("T", *shapes[name]))
            raise ValueError(
                f"`{name}` in {str(path)!r} must be ({wanted}), or the same for E episodes, "
                f"got {values.shape}."
            )
    episodes = range(leading[0]) if several else [slice(None)]
    return [{name: values[episode] for name, values in arrays.items()} for episode in episodes]


def _arrays(path: Path, names: Iterable[str]) -> Record:
    """Read those of the arrays that are there."""
    ZipFile(path).close()  # raises where the file is empty, cut short or something else
    with np.load(path, allow_pickle=False) as file:
        return {name: np.asarray(file[name], float) for name in names if name in file}


def finite_states(record: Record) -> Record:
    """Leave out the states that are not finite.

    Raises:
        BadScene: If fewer than two are left.
    """
    rows = [np.isfinite(values.reshape(len(values), -1)).all(axis=1) for values in record.values()]
    kept = np.all(rows, axis=0)
    if kept.sum() < 2:
        raise BadScene("too few states", f"{kept.sum()} of {len(kept)} recorded ones are finite")
    return {name: values[kept] for name, values in record.items()}
