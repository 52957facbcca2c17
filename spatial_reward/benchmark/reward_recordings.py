"""Clips as files: one .npz each, with pictures, depth, cameras and the truth."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward.benchmark.reward_clips import Clip
from spatial_reward.camera import Camera
from spatial_reward.rewards import parse_goal
from spatial_reward.types import Frame, Reference

VERSION = 1


def clip_path(folder: Path, clip: Clip) -> Path:
    """Return the name of a clip's file."""
    env = clip.env.replace("/", "-").replace(":", "-")
    return folder / f"{env}_{clip.behaviour}_{clip.seed}.npz"


def save_clip(clip: Clip, path: Path) -> None:
    """Write a clip; all its frames must have cameras and depth, or none."""
    frames = clip.frames
    arrays: dict[str, Any] = {"rgb": np.stack([frame.rgb for frame in frames])}
    depths = [frame.depth for frame in frames if frame.depth is not None]
    cameras = [frame.camera for frame in frames if frame.camera is not None]
    if len(depths) == len(frames):
        arrays["depth"] = np.stack(depths)
    if len(cameras) == len(frames):
        arrays["intrinsics"] = np.stack([camera.intrinsics for camera in cameras])
        arrays["world_from_camera"] = np.stack([camera.world_from_camera for camera in cameras])
    for name in clip.references:
        arrays[f"position/{name}"] = np.stack([positions[name] for positions in clip.positions])
    about = {
        "version": VERSION,
        "env": clip.env,
        "behaviour": clip.behaviour,
        "seed": clip.seed,
        "goal": str(clip.goal),
        "view": frames[0].view,
        "times": [frame.time for frame in frames],
        "references": _written(clip.references),
        "end_references": _written(clip.end_references),
    }
    np.savez_compressed(path, about=np.array(json.dumps(about)), **arrays)


def load_clip(path: Path) -> Clip:
    """Read a clip.

    Raises:
        ValueError: If the file is of another form.
    """
    about = _about(path)
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    names, count = list(about["references"]), len(about["times"])
    return Clip(
        frames=tuple(_frame(arrays, about, number) for number in range(count)),
        goal=parse_goal(about["goal"]),
        references=_read(about["references"]),
        positions=tuple(
            {name: arrays[f"position/{name}"][number] for name in names} for number in range(count)
        ),
        end_references=_read(about["end_references"]),
        env=about["env"],
        behaviour=about["behaviour"],
        seed=about["seed"],
    )


def recorded_layouts(folder: str | Path) -> dict[tuple[str, int], list[Path]]:
    """List the clips of a folder by their layout: environment and seed.

    Raises:
        FileNotFoundError: If there are none.
        ValueError: If a file is of another form.
    """
    paths = sorted(Path(folder).glob("*.npz"))
    if not paths:
        raise FileNotFoundError(
            f"There are no clips (.npz) in recorded={folder}: record some with record=true."
        )
    found: dict[tuple[str, int], list[Path]] = {}
    for path in paths:
        about = _about(path)
        found.setdefault((about["env"], about["seed"]), []).append(path)
    return found


def _about(path: Path) -> dict[str, Any]:
    with np.load(path) as stored:
        if "about" not in stored:
            raise ValueError(f"{path} is no recorded clip: record some with record=true.")
        about: dict[str, Any] = json.loads(str(stored["about"]))
    if about.get("version") != VERSION:
        raise ValueError(f"{path} is a clip of version {about.get('version')}, not {VERSION}: record anew.")
    return about


def _frame(arrays: Mapping[str, Any], about: Mapping[str, Any], number: int) -> Frame:
    rgb = arrays["rgb"][number]
    frame = Frame(rgb, about["times"][number], about["view"])
    if "intrinsics" in arrays:
        pose = arrays["world_from_camera"][number]
        camera = Camera(arrays["intrinsics"][number], pose, rgb.shape[1], rgb.shape[0])
        frame = replace(frame, camera=camera)
    return replace(frame, depth=arrays["depth"][number]) if "depth" in arrays else frame


def _written(references: Mapping[str, Reference]) -> dict[str, Any]:
    return {
        name: {
            "pixel": reference.pixel,
            "position": None if reference.position is None else np.asarray(reference.position).tolist(),
        }
        for name, reference in references.items()
    }


def _read(written: Mapping[str, Any]) -> dict[str, Reference]:
    return {
        name: Reference(
            name,
            None if one["pixel"] is None else (one["pixel"][0], one["pixel"][1]),
            None if one["position"] is None else np.array(one["position"]),
        )
        for name, one in written.items()
    }
