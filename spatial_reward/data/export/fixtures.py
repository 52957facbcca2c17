"""Small datasets in the exact formats of others, made from random scenes: to try a source without its data.

`python -m spatial_reward.data.export.fixtures FOLDER [SCENES]` writes `FOLDER/scannet` (posed pictures),
`FOLDER/scannet_sens`, `FOLDER/tapvid3d` (both subsets) and `FOLDER/episodes`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward.camera import Array, look_at
from spatial_reward.data.export.episodes import export_episode
from spatial_reward.data.export.scannet import export_scannet
from spatial_reward.data.export.tapvid3d import export_tapvid3d
from spatial_reward.data.sources.random_scenes import RandomScenes, built, named
from spatial_reward.envs.scene import capture_scene
from spatial_reward.envs.scene_states import draw_states
from spatial_reward.envs.scenes import random_scene
from spatial_reward.envs.simulator import Simulator
from spatial_reward.types import Scene

ROOM_FRAMES = 40  # of a scan
ROOM_SIZE = (324, 242)  # [px] a quarter of ScanNet's pictures,
ROOM_DEPTH = (160, 120)  # and of its depths
CLIP_SIZE = 256  # [px]
CLIP_FRAMES = 24


class Walk:
    """A hand-held camera: another viewpoint every second, around what the first one looks at."""

    base = "default"

    def pose(self, world_from_base: Array, distance: float, time: float) -> Array:
        """Return `world_from_camera` (4, 4) at `time` [s]."""
        rng = np.random.default_rng(round(time))
        eye, forward = world_from_base[:3, 3], world_from_base[:3, 2]
        target = eye + distance * forward
        back = rng.uniform(0.8, 1.3) * (eye - target)
        turn = rng.normal(0, 0.45)
        swung = [
            np.cos(turn) * back[0] - np.sin(turn) * back[1],
            np.sin(turn) * back[0] + np.cos(turn) * back[1],
            max(0.25 * distance, back[2] * rng.uniform(0.6, 1.4)),
        ]
        return look_at(target + np.array(swung), target + rng.normal(0, 0.12, 3) * distance)


def write_fixtures(folder: Path, scenes: int = 8, seed: int = 0) -> None:
    """Write `scenes` scenes in each format.

    Raises:
        FileExistsError: If there are such datasets already.
    """
    rooms = {f"scene{index:04d}_00": still_room(seed, index) for index in range(scenes)}
    for name, sens in (("scannet", False), ("scannet_sens", True)):
        if (folder / name).exists():
            raise FileExistsError(f"{folder / name} already exists: choose another folder.")
        export_scannet(rooms, folder / name, sens=sens, depth_size=ROOM_DEPTH)
    for extrinsics, moves in ((True, True), (False, False)):
        clips = dict(moving_clips(seed, scenes, camera_moves=moves))
        export_tapvid3d(clips, folder / "tapvid3d", extrinsics=extrinsics)
        for name, clip in clips.items():
            export_episode(clip, folder / "episodes" / name)


def still_room(seed: int, index: int) -> Scene:
    """Walk a camera through a random scene in which nothing moves."""
    for_scene, for_points = np.random.default_rng([seed, index]).spawn(2)
    scene = random_scene(for_scene)
    fov, states = draw_states(scene, 1, for_scene)
    model, data = built(scene, fov, states[0])

    def wait() -> Iterator[None]:
        for time in range(ROOM_FRAMES):
            data.time = time
            yield

    with Simulator((model, data), Walk(), *ROOM_SIZE) as simulator:
        return named(capture_scene(simulator, wait(), for_points, points_per_body=400), scene)


def moving_clips(seed: int, count: int, *, camera_moves: bool) -> Iterator[tuple[str, Scene]]:
    """Draw random scenes in which things move, all under a moving camera or all under a still one."""
    options: dict[str, Any] = {
        "scenes": 2 * count,
        "frames": CLIP_FRAMES,
        "sizes": (CLIP_SIZE,),
        "seed": seed,
    }
    source = RandomScenes(**options)
    for name in source.scenes()[int(camera_moves) :: 2]:
        yield name, source.load(name)


if __name__ == "__main__":
    write_fixtures(Path(sys.argv[1]), *map(int, sys.argv[2:3]))
