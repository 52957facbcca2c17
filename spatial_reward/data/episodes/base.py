"""What a recorded dataset is: episodes, their cameras, and pictures decoded as they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, Camera, look_at
from spatial_reward.data.episodes.depth_units import measured

Column = NDArray[Any]
LEVEL = look_at((0, 0, 0), (1, 0, 0))  # of a camera whose pose nobody knows: horizontal, at the origin


class BadEpisode(ValueError):
    """Say in one line why one episode cannot be read: it is skipped, the others go on."""


@dataclass(frozen=True)
class EpisodeInfo:
    """An episode, before any of its pictures is decoded.

    Attributes:
        index: Its number in the dataset.
        name: What reports call it.
        length: Number of its frames.
        task: What was to be done, in the dataset's own words; "" where it does not say.
        start: Number of its first frame in the whole dataset.
    """

    index: int
    name: str
    length: int
    task: str = ""
    start: int = 0


@dataclass(frozen=True, eq=False)
class Calibration:
    """The camera of an episode, for pictures of any size.

    Attributes:
        intrinsics: (3, 3) [px], for pixel centres at + 0.5.
        width: Of the pictures that the intrinsics are for [px].
        height: Of them [px].
        world_from_camera: (4, 4), or (T, 4, 4) of a moving camera [m]; None where unknown.
        source: Where it comes from: "dataset", "file" or "assumed".
    """

    intrinsics: Array
    width: int
    height: int
    world_from_camera: Array | None = None
    source: str = "dataset"

    @classmethod
    def assumed(cls, fov: float) -> Calibration:
        """Return a camera of a vertical field of view [deg], of one pixel: fit for any square."""
        return cls(Camera.from_fov(fov, 1, 1, LEVEL).intrinsics, 1, 1, None, "assumed")

    def camera(self, step: int, width: int, height: int) -> Camera:
        """Return the camera of a frame, for its size [px]; a camera without a known pose is level.

        Raises:
            BadEpisode: If the numbers are no camera, or there is no pose for this frame.
        """
        pose = LEVEL if self.world_from_camera is None else self.world_from_camera
        if pose.ndim == 3 and step >= len(pose):
            raise BadEpisode(f"there are {len(pose)} camera poses, but frame {step} needs one")
        try:
            camera = Camera(self.intrinsics, pose[step] if pose.ndim == 3 else pose, self.width, self.height)
        except ValueError as error:
            raise BadEpisode(f"bad camera: {error}") from error
        return camera if (width, height) == (self.width, self.height) else camera.resized(width, height)

    @property
    def moving(self) -> bool:
        """Whether the pose is given frame by frame."""
        return self.world_from_camera is not None and self.world_from_camera.ndim == 3


@dataclass(frozen=True, eq=False)
class Seen:
    """A picture of an episode.

    Attributes:
        rgb: (H, W, 3) uint8.
        time: Since the episode's start [s].
        depth: (H, W) [m], NaN where unknown; None where not recorded or not asked for.
    """

    rgb: NDArray[np.uint8]
    time: float
    depth: NDArray[np.float32] | None = None


@runtime_checkable
class EpisodeReader(Protocol):
    """A recorded dataset.

    Attributes:
        format: Name of the format, with its version.
        root: Folder (or file) of the dataset.
        cameras: Names of the cameras.
        fps: Frames per second that the dataset states; NaN where it does not.
    """

    format: str
    root: Path
    cameras: tuple[str, ...]
    fps: float

    def episodes(self) -> Sequence[EpisodeInfo]:
        """List the episodes; no picture is decoded."""
        ...

    def frames(
        self, episode: EpisodeInfo, camera: str, steps: Sequence[int], depth: bool = False
    ) -> Iterator[Seen]:
        """Yield the pictures of ascending steps, decoded one at a time.

        Raises:
            BadEpisode: If they cannot be read, or are not what the dataset says.
        """
        ...

    def has_depth(self, camera: str) -> bool:
        """Tell whether depth was recorded with this camera."""
        ...

    def calibration(self, episode: EpisodeInfo, camera: str) -> Calibration | None:
        """Return the camera's calibration, where the dataset has one."""
        ...

    def column(self, episode: EpisodeInfo, name: str) -> Column | None:
        """Return numbers (T, ...) of every frame, such as "truth.distance_m", where there are some."""
        ...

    def notes(self) -> Mapping[str, Any]:
        """Return what lies beside the data: "points" (see `described.py`) and "goals"."""
        ...


def ascending(times: Column, what: str) -> Array:
    """Return time stamps (T,) [s] as floats.

    Raises:
        BadEpisode: If one is not finite, or smaller than the one before.
    """
    stamps = np.asarray(times, float).reshape(-1)
    if not np.isfinite(stamps).all():
        raise BadEpisode(
            f"{what}: the time stamp of frame {int(np.argmin(np.isfinite(stamps)))} is not finite"
        )
    back = np.flatnonzero(np.diff(stamps) < 0)
    if len(back):
        raise BadEpisode(f"{what}: the time stamp of frame {back[0] + 1} is smaller than the one before")
    return stamps


def metres(depth: Column, scale: float) -> NDArray[np.float32]:
    """Return depth (H, W) [m] of integers, `scale` metres a unit, or floats [m]; see `depth_units.measured`.

    Raises:
        BadEpisode: If it is no depth, or not in that unit.
    """
    try:
        return measured(depth, scale)
    except ValueError as error:
        raise BadEpisode(str(error)) from error
