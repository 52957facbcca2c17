"""The pictures of multispa-sim: drawn again from the frozen scenes, and compared with what they must show."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.benchmark.multispa_sim_scenes import Scenes, Stage
from spatial_reward.envs.scene import capture_scene
from spatial_reward.types import Scene

THUMBNAILS, CHECKSUMS = "thumbnails.png", "pictures.json"
SIDE = 16  # [px] of a thumbnail
MEAN_TOLERANCE = 1.5  # grey levels: mean absolute difference of a thumbnail
MOST_TOLERANCE = 24.0  # grey levels: largest difference of a value of a thumbnail
_ROW = 64  # thumbnails side by side in the committed picture

Image = NDArray[np.uint8]
Picture = tuple[str, int]  # clip and frame


class FrozenSource:
    """The frozen scenes as a source of scenes with pictures, depth and tracked points.

    Args:
        scenes: The frozen scenes.
        points: On each body.
    """

    name = "multispa-sim"

    def __init__(self, scenes: Scenes, points: int = 64) -> None:
        """Remember what to draw."""
        self._scenes, self._points = scenes, points
        self._last: tuple[str, Scene] | None = None

    def scenes(self) -> Sequence[str]:
        """List the clips."""
        return list(self._scenes.clips)

    def load(self, scene: str) -> Scene:
        """Draw a clip, with what a person would call the things in it; all others are called "object"."""
        stage = Stage(self._scenes, self._scenes.clips[scene])
        rng = np.random.default_rng(zlib.crc32(scene.encode()))
        with stage.simulator() as simulator:
            captured = capture_scene(simulator, stage.states(), rng, self._points)
        said = self._scenes.models[stage.clip.model].names
        named = replace(captured, names=tuple(said.get(body, "object") for body in captured.names))
        self._last = scene, named
        return named

    def picture(self, scene: str, frame: int) -> bytes:
        """Return a frame as a PNG file."""
        if self._last is None or self._last[0] != scene:
            self.load(scene)
        assert self._last is not None  # loaded
        image = self._last[1].frames[frame].rgb
        return cv2.imencode(".png", image[..., ::-1])[1].tobytes()


def thumbnail(image: Image) -> Image:
    """Shrink a picture to (16, 16, 3), each value the mean of its part of the picture."""
    return np.asarray(cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def checksum(image: Image) -> str:
    """Return the CRC-32 of the pixels (H, W, 3) in hexadecimal."""
    return f"{zlib.crc32(image.tobytes()):08x}"


def all_pictures(scenes: Scenes) -> list[Picture]:
    """List all pictures in the order of their thumbnails."""
    return [(name, frame) for name, clip in scenes.clips.items() for frame in range(len(clip))]


def write_committed(folder: Path, scenes: Scenes, thumbnails: Sequence[Image], sums: Sequence[str]) -> None:
    """Write what is committed of the pictures: thumbnails as one picture, 64 in a row, and checksums."""
    rows = -(-len(thumbnails) // _ROW)
    sheet = np.zeros((rows * SIDE, _ROW * SIDE, 3), np.uint8)
    for index, image in enumerate(thumbnails):
        top, left = _corner(index)
        sheet[top : top + SIDE, left : left + SIDE] = image
    coded = cv2.imencode(".png", sheet[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
    (folder / THUMBNAILS).write_bytes(coded.tobytes())
    by_clip: dict[str, list[str]] = {name: [] for name in scenes.clips}
    for (clip, _), crc in zip(all_pictures(scenes), sums, strict=True):
        by_clip[clip].append(crc)
    lines = [f"{json.dumps(clip)}: {json.dumps(row)}" for clip, row in by_clip.items()]
    (folder / CHECKSUMS).write_text("{\n" + ",\n".join(lines) + "\n}\n")


@dataclass(frozen=True)
class Committed:
    """What is known of a picture: its thumbnail (16, 16, 3) and the checksum of its pixels."""

    thumbnail: Image
    checksum: str


def read_committed(scenes: Scenes) -> dict[Picture, Committed]:
    """Read what is committed of the pictures.

    Raises:
        FileNotFoundError: If it is not there.
    """
    sheet = cv2.imread(str(scenes.folder / THUMBNAILS), cv2.IMREAD_COLOR)
    if sheet is None:
        raise FileNotFoundError(f"No {scenes.folder / THUMBNAILS}: get the data of the benchmark again.")
    sums: Mapping[str, list[str]] = json.loads((scenes.folder / CHECKSUMS).read_text())
    found = {}
    for index, (clip, frame) in enumerate(all_pictures(scenes)):
        top, left = _corner(index)
        image = np.asarray(sheet[top : top + SIDE, left : left + SIDE, ::-1], np.uint8)
        found[clip, frame] = Committed(image, sums[clip][frame])
    return found


def _corner(index: int) -> tuple[int, int]:
    row, column = divmod(index, _ROW)
    return row * SIDE, column * SIDE


@dataclass(frozen=True)
class Difference:
    """How far a picture is from the one of the same frame that was committed.

    Attributes:
        picture: Clip and frame.
        mean: Mean absolute difference of the thumbnail's values [grey levels].
        most: Largest absolute difference of the thumbnail's values [grey levels].
        identical: Whether all pixels are the same.
    """

    picture: Picture
    mean: float
    most: float
    identical: bool

    @property
    def fits(self) -> bool:
        """Whether the picture shows what it must, as far as drivers of OpenGL agree."""
        return self.mean <= MEAN_TOLERANCE and self.most <= MOST_TOLERANCE


def compare(picture: Picture, image: Image, committed: Committed) -> Difference:
    """Compare a picture (H, W, 3) with what was committed of it."""
    gap = np.abs(thumbnail(image).astype(int) - committed.thumbnail.astype(int))
    same = checksum(image) == committed.checksum
    return Difference(picture, float(gap.mean()), float(gap.max()), same)
