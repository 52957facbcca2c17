"""Dense training data from a user's own simulation, watched from around the user's camera."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.data.dense import FAR
from spatial_reward.data.pairs import SKY
from spatial_reward.data.sources.mujoco_record import finite_states, read_records
from spatial_reward.data.sources.mujoco_stage import Stage, open_environment, open_model
from spatial_reward.data.sources.mujoco_states import recorded, scattered, scripted
from spatial_reward.envs.grounding import anchor, body_pose, carriers, find
from spatial_reward.envs.nudged_camera import Nudged
from spatial_reward.envs.simulator import Simulator
from spatial_reward.models.spatialnet import RAISED

MOVING = 0.35  # share of the scenes that are seen by a moving camera
SCATTERED = 0.25  # share of the scenes whose states are random, not an episode's
_OWN = 0.15  # share of the still cameras that stand exactly where the user's does


@dataclass(frozen=True)
class OwnScenes:
    """Scenes of a simulation; scene number i follows from (seed, i) alone.

    States are those of episodes (the catalogue's expert, alone, noisy, giving up, failing; random actions
    where there is none), random ones, and recorded ones where they are given.

    Attributes:
        env: A name that `envs.catalogue.make` knows, or the path of an MJCF file.
        camera: That the model will see through; "default" is what `env.render()` shows.
        size: Side of the pictures [px].
        frames: Of a scene.
        seed: Of everything random.
        recorded: A .npz of states (`qpos` and the like), which every other scene is then taken from.
        names: Of the things that will be followed. They have the first numbers in pictures of bodies, and
            training gives them most of its attention; the plane under them is guessed from the lowest one in
            a scene's first state, as the model guesses it at a reset.
    """

    env: str
    camera: str = "default"
    size: int = 224
    frames: int = 12
    seed: int = 0
    recorded: str | None = None
    names: tuple[str, ...] = ()

    def __call__(self, index: int) -> dict[str, Any]:
        """Render scene number `index`, as `data.dense.render_scene` does a random one.

        Raises:
            ValueError: If the simulation, the camera or the recorded states are not usable.
        """
        for_states, for_camera = np.random.default_rng([self.seed, index]).spawn(2)
        stage, path = _opened(self.env), Nudged(self.camera)
        moving = for_camera.random() < MOVING
        if moving or for_camera.random() > _OWN:
            path.place(for_camera)
        rows: list[dict[str, Any]] = []
        support = np.nan
        with Simulator(stage.source, path, self.size, self.size) as simulator:
            for _ in islice(self._states(stage, index, for_states), self.frames):
                if moving and rows:
                    path.drift(for_camera)
                if not rows:
                    support = self._support(*simulator.state())
                rows.append(_row(simulator, self.names))
        followed = len(_followed(simulator.drawn[0], self.names))
        rows = [rows[number % len(rows)] for number in range(self.frames)]
        stacked = {key: np.stack([row[key] for row in rows]) for key in rows[0]}
        return stacked | {"support": np.float32(support), "followed": np.uint8(followed)}

    def _support(self, model: Any, data: Any) -> float:
        """Guess how high [m] the plane is that things stand on; NaN where none of them can move."""
        targets, carrier = [find(model, name) for name in self.names], carriers(model)
        heights = [float(anchor(data, one)[2]) for one in targets if carrier[one.body] > 0]
        return min(heights, default=np.nan) - RAISED

    def _states(self, stage: Stage, index: int, rng: np.random.Generator) -> Iterator[None]:
        """Yield at states; where physics refuses all random ones, at those of an episode."""
        dropped: Counter[str] = Counter()
        if self.recorded is not None and index % 2:
            records = _records(self.recorded, self.env)
            yield from recorded(stage, self.frames, rng, finite_states(records[index // 2 % len(records)]))
        elif rng.random() < SCATTERED:
            yield from scattered(stage, self.frames, rng, dropped)
        yield from scripted(stage, self.frames, rng, dropped)


@lru_cache(maxsize=1)
def _opened(env: str) -> Stage:
    return open_model(Path(env)) if env.endswith(".xml") else open_environment(env, {})


@lru_cache(maxsize=1)
def _records(path: str, env: str) -> list[Any]:
    return read_records(Path(path), _opened(env).model)


def _row(simulator: Simulator, names: Sequence[str]) -> dict[str, Any]:
    """Render the state now; bodies are numbered by what can move, 0 is what cannot."""
    frame, shown = simulator.capture()
    model, data = simulator.drawn
    assert frame.depth is not None and frame.camera is not None
    movers, numbers = _numbered(model, names)
    body = np.append(numbers, SKY)[shown]
    body = np.where(_thin(body), SKY, body)
    depth = np.where((body == SKY) | (frame.depth > FAR), np.nan, frame.depth)
    poses = [np.eye(4), *(body_pose(data, int(mover)) for mover in movers)]
    return {
        "rgb": frame.rgb,
        "depth": depth.astype(np.float16),
        "body": body.astype(np.uint8),
        "world_from_camera": frame.camera.world_from_camera.astype(np.float32),
        "intrinsics": frame.camera.intrinsics.astype(np.float32),
        "world_from_body": np.array(poses, np.float32),
    }


def _thin(body: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return where (H, W) a body shows nowhere wider than two pixels, as markers drawn as lines do."""
    picture, around = body.astype(np.uint8), np.ones((3, 3), np.uint8)
    inner = cv2.erode(picture, around) == cv2.dilate(picture, around)
    wide = np.zeros(256, bool)
    wide[np.unique(picture[inner])] = True
    wide[[0, SKY]] = True
    return np.asarray(~wide[picture])


def _followed(model: Any, names: Sequence[str]) -> NDArray[np.int64]:
    """Return the bodies that named things ride on, as far as they can move."""
    carrier = carriers(model)
    found = np.unique([carrier[find(model, name).body] for name in names]).astype(np.int64)
    return found[found > 0]


def _numbered(model: Any, names: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the bodies that move on their own, and the number (nbody,) of each body among them, from 1 on.

    Those of named things come first.

    Raises:
        ValueError: If there are more than a picture of bodies can tell apart.
    """
    carrier = carriers(model)
    first = _followed(model, names)
    movers = np.concatenate([first, np.setdiff1d(carrier[carrier > 0], first)])
    if len(movers) >= SKY:
        raise ValueError(
            f"The scene has {len(movers)} bodies that can move; at most {SKY - 1} can be told apart."
        )
    place = np.zeros(model.nbody, np.int64)
    place[movers] = 1 + np.arange(len(movers))
    return movers, place[carrier]
