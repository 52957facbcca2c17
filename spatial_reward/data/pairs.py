"""Training pairs with exact labels, drawn from shards of dense scenes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SKY = 255  # body number of what has no surface
_DEPTH_TOLERANCE = 0.015  # share of the depth by which two surfaces may differ and be the same

Arrays = Mapping[str, NDArray[Any]]


def stream_pairs(
    folder: Path, rng: np.random.Generator, *, batch: int, queries: int, per_scene: int = 4, mixed: int = 4
) -> Iterator[dict[str, NDArray[Any]]]:
    """Yield batches of pairs without end, mixing the scenes of `mixed` shards at a time.

    Raises:
        FileNotFoundError: If the folder holds no shard.
    """
    while True:
        paths = sorted(folder.glob("*.npz"))  # shards may still be arriving
        if not paths:
            raise FileNotFoundError(f"No shards (*.npz) in {folder}: generate them first.")
        order = rng.permutation(len(paths))
        for start in range(0, len(order), mixed):
            shards = [load_shard(paths[index]) for index in order[start : start + mixed]]
            scenes = [(shard, scene) for shard in shards for scene in range(len(shard["rgb"]))] * per_scene
            rng.shuffle(scenes)
            for first in range(0, len(scenes) - batch + 1, batch):
                chosen = scenes[first : first + batch]
                yield collate([draw_pair(shard, scene, rng, queries) for shard, scene in chosen])


def load_shard(path: Path) -> dict[str, NDArray[Any]]:
    """Read a shard into memory; pickled content is refused."""
    with np.load(path, allow_pickle=False) as shard:
        return {key: shard[key] for key in shard.files}


def collate(pairs: list[dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """Stack pairs into a batch."""
    return {key: np.stack([pair[key] for pair in pairs]) for key in pairs[0]}


def draw_pair(shard: Arrays, scene: int, rng: np.random.Generator, queries: int) -> dict[str, NDArray[Any]]:
    """Draw two frames of a scene and query pixels of the first, with where they are in the second.

    Returns:
        rgb (2, H, W, 3); depth (2, H, W); body (2, H, W); intrinsics (2, 3, 3); world_from_camera (2, 4, 4);
        pixel (Q, 2) [px] in the first frame; target (Q, 2) [px] in the second, NaN behind it; visible (Q,).
    """
    first, second = rng.integers(0, shard["rgb"].shape[1], 2)
    chosen = [first, second]
    pair = {key: shard[key][scene, chosen] for key in ("rgb", "body", "intrinsics", "world_from_camera")}
    pair["depth"] = shard["depth"][scene, chosen].astype(np.float32)
    pair["pixel"] = _queries(pair["body"][0], pair["depth"][0], rng, queries)
    pair["target"], pair["visible"] = _follow(pair, shard["world_from_body"][scene, chosen])
    return pair


def _queries(
    body: NDArray[Any], depth: NDArray[Any], rng: np.random.Generator, count: int
) -> NDArray[np.float32]:
    """Choose pixel centres: three of four on things, the others anywhere that has a surface."""
    surface = np.isfinite(depth)
    things = surface & (body > 0) & (body != SKY)
    row, column = np.concatenate([_draw(things, rng, count - count // 4), _draw(surface, rng, count)]).T
    chosen = np.stack([column, row], -1)[:count]
    return chosen.astype(np.float32) + 0.5


def _draw(mask: NDArray[np.bool_], rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    places = np.argwhere(mask)
    return places[rng.integers(0, len(places), count)] if len(places) else np.zeros((0, 2), np.int64)


def _follow(pair: Arrays, world_from_body: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Move the query points with their bodies and look for them in the second frame."""
    column, row = np.floor(pair["pixel"]).astype(int).T
    body = pair["body"][0][row, column]
    homogeneous = np.concatenate([pair["pixel"], np.ones_like(pair["pixel"][:, :1])], 1)
    points = homogeneous @ np.linalg.inv(pair["intrinsics"][0]).T * pair["depth"][0][row, column, None]
    camera_to_camera = (
        np.linalg.inv(pair["world_from_camera"][1])
        @ world_from_body[1][body]
        @ np.linalg.inv(world_from_body[0][body])
        @ pair["world_from_camera"][0]
    )
    moved = np.einsum("nij,nj->ni", camera_to_camera[:, :3, :3], points) + camera_to_camera[:, :3, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        target = (moved @ pair["intrinsics"][1].T)[:, :2] / np.where(moved[:, 2:] > 0, moved[:, 2:], np.nan)
    return target.astype(np.float32), _seen(pair, target, moved[:, 2], body)


def _seen(pair: Arrays, target: NDArray[Any], depth: NDArray[Any], body: NDArray[Any]) -> NDArray[np.bool_]:
    height, width = pair["depth"][1].shape
    inside = np.asarray(((target >= 0) & (target < [width, height])).all(1))
    column, row = np.where(inside[:, None], np.nan_to_num(target), 0).astype(int).T
    same_depth = np.abs(pair["depth"][1][row, column] - depth) < _DEPTH_TOLERANCE * depth + 0.003
    seen: NDArray[np.bool_] = inside & same_depth & (pair["body"][1][row, column] == body)
    return seen
