"""Shapes from real life for random scenes: kitchen things that come with gymnasium-robotics."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spatial_reward.camera import Array

_FOLDER = "envs/assets/kitchen_franka"
_TRAINED = (
    *("burnerplate", "knob", "micro", "lightswitchbase", "ovenhandle", "cabinethandle", "cabinetdrawer"),
    *("hood", "hingehandle", "slidecabinet", "kettlehandle", "microhandle"),
)
_HELD_OUT = ("kettle", "faucet", "finger")


class Mesh(NamedTuple):
    """An STL file, the middle (3,) of its box and the box's half sides (3,), in the file's own unit."""

    name: str
    data: bytes
    middle: Array
    half: Array


@lru_cache(maxsize=2)
def kitchen_meshes(held_out: bool = False) -> tuple[Mesh, ...]:
    """Read the meshes to train with, or those that training never sees.

    Raises:
        ImportError: If gymnasium-robotics is not installed.
    """
    found = find_spec("gymnasium_robotics")
    if found is None or found.origin is None:
        raise ImportError('Meshes come with gymnasium-robotics: pip install "spatial-reward[robots]".')
    folder = Path(found.origin).parent / _FOLDER
    names = _HELD_OUT if held_out else _TRAINED
    return tuple(_read(next(iter(sorted(folder.rglob(f"{name}.stl"))))) for name in names)


def _read(path: Path) -> Mesh:
    """Read a binary STL: 80 bytes, a count, then 50 bytes per triangle of which 12 to 48 are corners."""
    data = path.read_bytes()
    triangles = np.frombuffer(data, np.uint8, offset=84).reshape(-1, 50)[:, 12:48]
    corners = np.ascontiguousarray(triangles).view("<f4").reshape(-1, 3).astype(float)
    low, high = corners.min(axis=0), corners.max(axis=0)
    return Mesh(path.stem, data, (low + high) / 2, (high - low) / 2)
