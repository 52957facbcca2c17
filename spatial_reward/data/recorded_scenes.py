"""Dense training data from recorded episodes with depth and calibrated cameras.

What moves is not known, so only what stands still for the length of a clip is used: a surface that no frame
of the clip looks through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, Camera, transform
from spatial_reward.data.dense import FAR
from spatial_reward.data.episodes import BadEpisode, Calibration, EpisodeInfo, EpisodeReader, open_episodes
from spatial_reward.data.pairs import SKY
from spatial_reward.data.windows import resize

STILL = 1  # number of all that stands still: not 0, for it is what counts, not a room around things
SPAN = 3.0  # [s] of an episode that a clip is taken from: the shorter, the more stands still
TOLERANCE = 0.02  # share of the depth by which two measurements of a surface may differ
FEWEST = 0.02  # share of a picture that must stand still for it to be of use
TRIES = 8  # stretches of episodes that are tried for a scene


@dataclass(frozen=True)
class RecordedScenes:
    """Scenes of a recorded dataset; scene number i follows from (seed, i) alone.

    Attributes:
        path: Of the dataset, in any format that `data.episodes` reads.
        camera: Of the dataset; None: its first one with depth.
        size: Side of the pictures [px]: the middle square of each, resized.
        frames: Of a scene.
        seed: Of what is drawn.
        part: Which episodes are used: from one share of them to another.
    """

    path: str
    camera: str | None = None
    size: int = 224
    frames: int = 12
    seed: int = 0
    part: tuple[float, float] = (0.0, 1.0)

    measured: ClassVar[bool] = True  # whether depth is read

    def check(self) -> str:
        """Return the camera.

        Raises:
            ValueError: If there is no episode, no depth or no calibration.
        """
        reader = opened(self.path)
        with_depth = [name for name in reader.cameras if reader.has_depth(name)]
        camera = self.camera or (with_depth[0] if with_depth else reader.cameras[0])
        self._check_source(camera)
        if camera not in with_depth:
            raise ValueError(
                f"{self.path} has no depth with camera {camera!r}, which retraining on "
                f"recordings takes; with depth are: {', '.join(with_depth) or 'none'}. "
                "Record with depth, retrain in the simulator (env=...), or let the model teach itself "
                "(consistency=true), which makes it steadier, not truer."
            )
        if reader.calibration(self._episodes()[0], camera) is None:
            raise ValueError(
                f"{self.path} does not know its camera {camera!r}: depth without intrinsics and poses "
                "teaches nothing that is metric. Add a calibration (data/README.md says how)."
            )
        return camera

    def _check_source(self, camera: str) -> None:
        cameras = opened(self.path).cameras
        if camera not in cameras:
            raise ValueError(f"{self.path} has no camera {camera!r}: {', '.join(cameras)}.")
        if not self._episodes():
            raise ValueError(f"{self.path} has too few episodes to hold some of them out.")

    def __call__(self, index: int) -> dict[str, Any]:
        """Read scene number `index`, as `data.dense.render_scene` renders a random one.

        Raises:
            BadEpisode: If nothing stands still in any stretch that was tried.
        """
        rng = np.random.default_rng([self.seed, index])
        episodes, camera = self._episodes(), self.check()
        for _ in range(TRIES):
            episode = episodes[int(rng.integers(len(episodes)))]
            clip = self._clip(episode, camera, rng)
            if (clip["body"] == STILL).mean() >= FEWEST:
                return clip
        raise BadEpisode(
            f"nothing stands still in {TRIES} stretches of {self.path}: does its camera stand where the "
            "calibration says?"
        )

    def _episodes(self) -> list[EpisodeInfo]:
        usable = [episode for episode in opened(self.path).episodes() if episode.length > 1]
        first, last = (int(len(usable) * share + 1e-9) for share in self.part)
        return usable[first:last]

    def _clip(self, episode: EpisodeInfo, camera: str, rng: np.random.Generator) -> dict[str, Any]:
        reader = opened(self.path)
        fps = reader.fps if np.isfinite(reader.fps) and reader.fps > 0 else 10.0
        span = min(episode.length, max(2, round(SPAN * fps)))
        first = int(rng.integers(episode.length - span + 1))
        steps = np.sort(first + rng.integers(0, span, self.frames))
        rows = list(self._rows(reader, episode, camera, steps))
        clip = self._labelled({key: np.stack([row[key] for row in rows]) for key in rows[0]})
        clip["depth"] = clip["depth"].astype(np.float16)
        return {**clip, "support": np.float32(np.nan), "followed": np.uint8(0)}

    def _labelled(self, clip: dict[str, Any]) -> dict[str, Any]:
        """Tell bodies and their poses, and leave no depth where they are not known."""
        clip["body"] = np.where(still(clip), STILL, SKY).astype(np.uint8)
        clip["depth"] = np.where(clip["body"] == STILL, clip["depth"], np.nan)
        return {**clip, "world_from_body": np.tile(np.eye(4, dtype=np.float32), (self.frames, 2, 1, 1))}

    def _calibration(self, episode: EpisodeInfo, camera: str) -> Calibration | None:
        return opened(self.path).calibration(episode, camera)

    def _rows(
        self, reader: EpisodeReader, episode: EpisodeInfo, camera: str, steps: NDArray[np.int64]
    ) -> Iterator[dict[str, Any]]:
        """Yield the frames of steps, which may come twice."""
        calibration = self._calibration(episode, camera)
        if calibration is None:
            raise BadEpisode(f"{episode.name}: no calibration of camera {camera!r}")
        wanted = np.unique(steps)
        for step, seen in zip(
            wanted, reader.frames(episode, camera, wanted.tolist(), depth=self.measured), strict=True
        ):
            if self.measured and seen.depth is None:
                raise BadEpisode(f"{episode.name}: no depth with frame {step}")
            height, width = seen.rgb.shape[:2]
            depth = np.full((height, width), np.nan, np.float32) if seen.depth is None else seen.depth
            row = _squared(seen.rgb, depth, calibration.camera(int(step), width, height), self.size)
            yield from [row] * int((steps == step).sum())


@lru_cache(maxsize=1)
def opened(path: str) -> EpisodeReader:
    """Open a dataset, once."""
    return open_episodes(path)


def _squared(rgb: NDArray[np.uint8], depth: NDArray[np.float32], camera: Camera, size: int) -> dict[str, Any]:
    """Cut the middle square out of a frame and resize it."""
    height, width = rgb.shape[:2]
    side = min(height, width)
    x, y = (width - side) // 2, (height - side) // 2
    intrinsics = camera.intrinsics.astype(np.float32)
    intrinsics[:2, 2] -= (x, y)
    cut: dict[str, NDArray[Any]] = {
        "rgb": rgb[y : y + side, x : x + side][None],
        "depth": np.where(depth <= FAR, depth, np.nan)[y : y + side, x : x + side][None].astype(np.float32),
        "body": np.zeros((1, side, side), np.uint8),
        "intrinsics": intrinsics[None],
    }
    sized = {key: value[0] for key, value in resize(cut, size).items()}
    return sized | {"world_from_camera": camera.world_from_camera.astype(np.float32)}


def still(clip: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Return where (F, H, W) a surface stands still: depth is known, and no frame looks through it."""
    depth = clip["depth"]
    kept: NDArray[np.bool_] = np.isfinite(depth)
    for frame in range(len(depth)):
        row, column = np.nonzero(kept[frame])
        points = _lifted(clip, frame, row, column)
        for other in range(len(depth)):
            through = _looks_through(clip, other, points)
            kept[frame, row[through], column[through]] = False
    return kept


def _lifted(clip: Mapping[str, NDArray[Any]], frame: int, row: Any, column: Any) -> Array:
    pixel = np.stack([column + 0.5, row + 0.5, np.ones(len(row))], -1)
    rays = pixel @ np.linalg.inv(clip["intrinsics"][frame].astype(float)).T
    return transform(
        clip["world_from_camera"][frame].astype(float), rays * clip["depth"][frame][row, column][:, None]
    )


def _looks_through(clip: Mapping[str, NDArray[Any]], frame: int, points: Array) -> NDArray[np.bool_]:
    """Tell of each point (N, 3) whether a frame measures something clearly behind it."""
    seen = transform(np.linalg.inv(clip["world_from_camera"][frame].astype(float)), points)
    height, width = clip["depth"].shape[1:]
    z = np.where(seen[:, 2] > 0, seen[:, 2], np.nan)
    with np.errstate(invalid="ignore"):
        column, row = np.floor((seen @ clip["intrinsics"][frame].T)[:, :2].T / z)
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    found = np.full(len(points), np.nan)
    found[inside] = clip["depth"][frame][row[inside].astype(int), column[inside].astype(int)]
    return np.asarray(found > z * (1 + TOLERANCE))
