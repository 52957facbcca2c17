"""Training clips with exact labels, drawn from shards of dense scenes: frames, and pairs of them."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial_reward.data.degrade import degrade, depth_camera
from spatial_reward.data.windows import cut_windows, resize

SKY = 255  # body number of what has no surface
_STILL = 1e-6  # largest change of a pose's entries of what has stayed
_FOLLOWED = 6.0  # times as often as another thing of its size, what is followed is asked about
_DEPTH_TOLERANCE = 0.015  # share of the depth by which two surfaces may differ and be the same

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class ClipRecipe:
    """How to draw a clip.

    Attributes:
        frames: Frames of a scene; a frame may come twice.
        pairs: Ordered pairs of them.
        queries: Query pixels of a pair.
        measured: Share of clips that are given measured depth.
        support: Share of clips that are given the plane that things stand on.
        augment: Whether to degrade and mirror pictures, and to blur what is known of the plane.
        windows: Share of clips that are cut out around a thing, if augmented.
        own_windows: The same of a user's scenes, where few things matter.
        size: Side that pictures are resized to [px]; None leaves them as they are rendered.
    """

    frames: int = 4
    pairs: int = 6
    queries: int = 40
    measured: float = 0.2
    support: float = 0.6
    augment: bool = True
    windows: float = 0.5
    own_windows: float = 0.85
    size: int | None = None


def shard_paths(folder: Path) -> list[Path]:
    """List the shards of a folder.

    Raises:
        FileNotFoundError: If there is none.
    """
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        raise FileNotFoundError(f"No shards (*.npz) in {folder}: generate them first.")
    return paths


@lru_cache(maxsize=1024)
def open_shard(path: Path) -> dict[str, NDArray[Any]]:
    """Map the arrays of an uncompressed shard into memory, so that only the frames used are read.

    Raises:
        ValueError: If the file is damaged, or an array is compressed or pickled.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path} is damaged ({error}): delete it and generate it again.") from error
    with path.open("rb") as file:
        return {entry.filename.removesuffix(".npy"): _mapped(path, file, entry) for entry in entries}


def _mapped(path: Path, file: Any, entry: zipfile.ZipInfo) -> NDArray[Any]:
    if entry.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{path} is compressed; shards are read in place: write it with numpy.savez.")
    file.seek(entry.header_offset + 26)
    name, extra = np.frombuffer(file.read(4), "<u2")
    file.seek(entry.header_offset + 30 + int(name) + int(extra))
    np.lib.format.read_magic(file)
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.hasobject or fortran:
        raise ValueError(f"{path}: {entry.filename} is not a plain array, and pickles are refused.")
    return np.memmap(path, dtype, "r", file.tell(), shape)


def draw_batch(
    paths: Sequence[Path], clips: Sequence[int], recipe: ClipRecipe, *, seed: int
) -> dict[str, NDArray[Any]]:
    """Draw the clips of these numbers; clip n of a seed is the same whoever draws it.

    Returns:
        As of `draw_clip`, stacked.
    """
    drawn = []
    for number in clips:
        rng = np.random.default_rng([seed, number])
        shard = open_shard(paths[int(rng.integers(len(paths)))])
        drawn.append(draw_clip(shard, int(rng.integers(len(shard["rgb"]))), rng, recipe))
    return {key: np.stack([clip[key] for clip in drawn]) for key in drawn[0]}


def draw_clip(
    shard: Arrays, scene: int, rng: np.random.Generator, recipe: ClipRecipe
) -> dict[str, NDArray[Any]]:
    """Draw K frames of a scene, P pairs of them and Q query pixels of each pair's first frame.

    Returns:
        rgb (K, H, W, 3); depth, measured (K, H, W) [m], the second as given to the network, NaN where not;
        body (K, H, W); intrinsics (K, 3, 3); world_from_camera (K, 4, 4); support () [m] or NaN;
        mirror () whether the picture is a mirror image; first, second (P,) indices of frames;
        pixel (P, Q, 2) [px]; target (P, Q, 2) [px], NaN behind the camera; target_depth (P, Q) [m];
        moved (P, Q) how far the point itself went [m]; visible (P, Q);
        own () whether the scene is of a user, which tells what is followed in it.
    """
    chosen = rng.integers(0, shard["rgb"].shape[1], recipe.frames)
    clip = {key: np.array(shard[key][scene, chosen]) for key in _FRAME_KEYS}
    clip["depth"] = clip["depth"].astype(np.float32)
    own = "followed" in shard
    followed = int(shard["followed"][scene]) if own else 0
    size = recipe.size or len(shard["rgb"][scene, 0])
    if recipe.augment and rng.random() < (recipe.own_windows if own else recipe.windows):
        clip = cut_windows(clip, _THINGS, rng, size, followed)
    clip = resize(clip, size)
    ordered = [(a, b) for a in range(recipe.frames) for b in range(recipe.frames) if a != b]
    pairs = np.array(ordered)[rng.permutation(len(ordered))[: recipe.pairs]]
    clip["first"], clip["second"] = pairs.T
    labels = [_pair_labels(clip, a, b, rng, recipe.queries, followed) for a, b in pairs]
    clip |= {key: np.stack([label[key] for label in labels]) for key in labels[0]}
    clip["own"] = np.array(own)
    del clip["world_from_body"]
    return _given(clip, float(shard["support"][scene]), rng, recipe)


_THINGS = np.isin(np.arange(256), (0, SKY), invert=True)
_FRAME_KEYS = ("rgb", "depth", "body", "intrinsics", "world_from_camera", "world_from_body")


def _given(
    clip: dict[str, NDArray[Any]], support: float, rng: np.random.Generator, recipe: ClipRecipe
) -> dict[str, NDArray[Any]]:
    """Add what the network is told, degraded if so wanted."""
    with_depth, with_support, mirror = rng.random(3) < [recipe.measured, recipe.support, 0.5]
    clip["measured"] = depth_camera(clip["depth"], rng) if with_depth else np.full_like(clip["depth"], np.nan)
    blur = rng.normal() * 0.005 if recipe.augment else 0.0  # [m] that the plane's height is off
    clip["support"] = np.array(support + blur if with_support else np.nan, np.float32)
    clip["mirror"] = np.array(mirror and recipe.augment)
    if recipe.augment:
        clip["rgb"] = degrade(clip["rgb"], rng)
    return _mirrored(clip) if clip["mirror"] else clip


def _mirrored(clip: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Mirror pictures and pixels; the camera's own data stay, and are mirrored where they become pictures."""
    width = np.float32(clip["depth"].shape[2])
    flipped = {
        key: np.ascontiguousarray(clip[key][:, :, ::-1]) for key in ("rgb", "depth", "measured", "body")
    }
    across = np.array([-1, 1], np.float32)
    moved = {key: clip[key] * across + np.array([width, 0], np.float32) for key in ("pixel", "target")}
    return {**clip, **flipped, **moved}


def _pair_labels(
    clip: Arrays, first: int, second: int, rng: np.random.Generator, queries: int, followed: int
) -> dict[str, NDArray[Any]]:
    moved = _moved(clip, first, second)
    pixel = _queries(clip["body"][first], clip["depth"][first], moved, rng, queries, followed)
    return {"pixel": pixel} | follow(clip, first, second, pixel)


def _moved(clip: Arrays, first: int, second: int) -> NDArray[np.bool_]:
    """Return where (H, W) the first picture shows a body that has another pose in the second."""
    poses, body = clip["world_from_body"], clip["body"][first]
    moved = np.abs(poses[second] - poses[first]).max((1, 2)) > _STILL
    return np.asarray(moved[np.where(body == SKY, 0, body)])


def _queries(
    body: NDArray[Any],
    depth: NDArray[Any],
    moved: NDArray[Any],
    rng: np.random.Generator,
    count: int,
    followed: int,
) -> NDArray[np.float32]:
    """Choose pixel centres: half on things that moved, a quarter on things, the rest on any surface.

    A thing is chosen by the square root of its area, so that small ones are not forgotten beside large ones,
    and what is followed as if it were larger.
    """
    surface = np.isfinite(depth)
    surface |= not surface.any()
    things = surface & (body > 0) & (body != SKY)
    places = [
        _draw_of_bodies(body, things & moved, rng, count // 2, followed),
        _draw_of_bodies(body, things, rng, count // 4, followed),
        _draw(surface, rng, count),
    ]
    row, column = np.concatenate(places).T
    chosen = np.stack([column, row], -1)[:count]
    return chosen.astype(np.float32) + 0.5


def _draw_of_bodies(
    body: NDArray[Any], mask: NDArray[np.bool_], rng: np.random.Generator, count: int, followed: int
) -> NDArray[np.int64]:
    places = np.flatnonzero(mask)
    if not len(places):
        return np.zeros((0, 2), np.int64)
    bodies = body.ravel()[places]
    weights = np.where(bodies <= followed, _FOLLOWED, 1.0) / np.sqrt(np.bincount(bodies)[bodies])
    chosen = np.searchsorted(np.cumsum(weights), weights.sum() * rng.random(count))
    return np.stack(np.unravel_index(places[np.minimum(chosen, len(places) - 1)], mask.shape), -1)


def _draw(mask: NDArray[np.bool_], rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    places = np.flatnonzero(mask)
    if not len(places):
        return np.zeros((0, 2), np.int64)
    return np.stack(np.unravel_index(places[rng.integers(0, len(places), count)], mask.shape), -1)


def follow(clip: Arrays, first: int, second: int, pixel: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Move the surface points under pixels (Q, 2) of a frame with their bodies, and look for them in another.

    Returns:
        target (Q, 2) [px], target_depth (Q,) [m], moved (Q,) [m] in the world, visible (Q,).
    """
    column, row = np.floor(pixel).astype(int).T
    body = clip["body"][first][row, column]
    body = np.where(body == SKY, 0, body)
    homogeneous = np.concatenate([pixel, np.ones_like(pixel[:, :1])], 1)
    points = (
        homogeneous @ np.linalg.inv(clip["intrinsics"][first]).T * clip["depth"][first][row, column, None]
    )
    poses, cameras = clip["world_from_body"], clip["world_from_camera"]
    before = _transformed(cameras[first], points)
    after = _transformed(poses[second][body] @ np.linalg.inv(poses[first][body]), before)
    seen = _transformed(np.linalg.inv(cameras[second]), after)
    depth = seen[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        target = (seen @ clip["intrinsics"][second].T)[:, :2] / np.where(depth > 0, depth, np.nan)[:, None]
    return {
        "target": target.astype(np.float32),
        "target_depth": depth.astype(np.float32),
        "moved": np.linalg.norm(after - before, axis=1).astype(np.float32),
        "visible": _seen(clip, second, target, depth, body),
    }


def _transformed(b_from_a: NDArray[Any], points: NDArray[Any]) -> NDArray[Any]:
    moved: NDArray[Any] = np.einsum("...ij,...j->...i", b_from_a[..., :3, :3], points) + b_from_a[..., :3, 3]
    return moved


def _seen(
    clip: Arrays, frame: int, target: NDArray[Any], depth: NDArray[Any], body: NDArray[Any]
) -> NDArray[np.bool_]:
    height, width = clip["depth"][frame].shape
    inside = np.asarray(((target >= 0) & (target < [width, height])).all(1))
    column, row = np.where(inside[:, None], np.nan_to_num(target), 0).astype(int).T
    same_depth = np.abs(clip["depth"][frame][row, column] - depth) < _DEPTH_TOLERANCE * depth + 0.003
    seen: NDArray[np.bool_] = inside & same_depth & (clip["body"][frame][row, column] == body)
    return seen
