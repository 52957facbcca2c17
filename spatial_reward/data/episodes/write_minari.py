"""Write rollouts as a Minari dataset with the HDF5 backend."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from spatial_reward._require import require
from spatial_reward.data.episodes.rollout import Notes, Rollout, Rollouts, write_notes
from spatial_reward.outputs import output_folder

ROOT = "MINARI_DATASETS_PATH"
STATE = "state"
KNOWN = ("action", "next.reward", "next.done", "next.success", "observation.state")


def write_minari(rollouts: Rollouts, folder: str | Path, fps: float) -> Path:
    """Write a dataset with Minari itself; return its folder, `<dataset>` with `data/main_data.hdf5`.

    An episode of T frames has T observations and the T - 1 actions between them; other columns go to `infos`.

    Args:
        rollouts: Episodes.
        folder: Of the dataset; for `minari.load_dataset`, `$MINARI_DATASETS_PATH/<namespace>/<name>-v0`.
        fps: Frames per second, stated in the metadata.

    Raises:
        FileExistsError: If the folder holds something.
        ValueError: If there are no rollouts, or one has no actions.
    """
    minari = require("minari", extra="episodes", purpose="Minari datasets")
    buffers = require("minari.data_collector.episode_buffer", extra="episodes")

    final, notes = Path(folder), Notes()
    with output_folder(final) as partial, _datasets_in(partial), warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="minari")  # about authors and links, which nobody asked for
        dataset: Any = None
        for number, rollout in enumerate(rollouts):
            notes.add(number, rollout)
            buffer = _buffer(rollout, number, buffers.EpisodeBuffer)
            if dataset is None:
                spaces = _spaces(rollout)
                dataset = minari.create_dataset_from_buffers("episodes/recorded-v0", [buffer], **spaces)
            else:
                dataset.storage.update_episodes([buffer])
        if dataset is None:
            raise ValueError("A dataset needs at least one rollout.")
        _move_up(partial, fps)
        write_notes(notes, partial)
    return final


def _spaces(rollout: Rollout) -> dict[str, Any]:
    inner: dict[str, gym.Space[Any]] = {}
    for camera, frames in rollout.frames.items():
        size = (frames[0].height, frames[0].width)
        inner[camera] = gym.spaces.Box(0, 255, (*size, 3), np.uint8)
        if rollout.depth(camera):
            inner[f"{camera}_depth"] = gym.spaces.Box(0, np.inf, size, np.float32)
    if "observation.state" in rollout.columns:
        state = np.asarray(rollout.columns["observation.state"], np.float32)
        inner[STATE] = gym.spaces.Box(-np.inf, np.inf, state.shape[1:], np.float32)
    action = _actions(rollout)
    return {
        "observation_space": gym.spaces.Dict(inner),
        "action_space": gym.spaces.Box(-np.inf, np.inf, action.shape[1:], np.float32),
        "algorithm_name": "recorded",
        "description": "Recorded rollouts with pictures.",
        "requirements": [],
    }


def _buffer(rollout: Rollout, number: int, buffer: Any) -> Any:
    observations: dict[str, Any] = {}
    for camera, frames in rollout.frames.items():
        observations[camera] = np.stack([frame.rgb for frame in frames])
        if rollout.depth(camera):
            depth = np.stack([frame.depth for frame in frames if frame.depth is not None])
            observations[f"{camera}_depth"] = np.nan_to_num(depth, nan=0.0)
    if "observation.state" in rollout.columns:
        observations[STATE] = np.asarray(rollout.columns["observation.state"], np.float32)
    steps = rollout.length - 1
    rewards = np.asarray(rollout.columns.get("next.reward", np.zeros(rollout.length)), float).reshape(-1)
    done = np.zeros(steps, bool)
    infos = {name: np.asarray(column) for name, column in rollout.all_columns().items() if name not in KNOWN}
    truncated = done.copy()
    truncated[-1:] = True
    return buffer(
        id=number,
        seed=number,
        options={"task": rollout.task},
        observations=observations,
        actions=_actions(rollout)[:-1],
        rewards=rewards[:-1],
        terminations=done,
        truncations=truncated,
        infos=infos,
    )


def _actions(rollout: Rollout) -> Any:
    if "action" not in rollout.columns:
        raise ValueError("A Minari dataset needs actions: give the column 'action'.")
    return np.asarray(rollout.columns["action"], np.float32)


@contextmanager
def _datasets_in(folder: Path) -> Iterator[None]:
    """Let Minari keep its datasets in a folder."""
    before = os.environ.get(ROOT)
    os.environ[ROOT] = str(folder.resolve())
    try:
        yield
    finally:
        if before is None:
            del os.environ[ROOT]
        else:
            os.environ[ROOT] = before


def _move_up(folder: Path, fps: float) -> None:
    """Make the dataset the folder itself, and state its frame rate."""
    made = folder / "episodes" / "recorded-v0"
    (made / "data").replace(folder / "data")
    for path in sorted((folder / "episodes").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (folder / "episodes").rmdir()
    path = folder / "data" / "metadata.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "fps": fps}))
