"""The two layouts in which a ScanNet recording comes: pictures in a folder, or one `.sens` file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array
from spatial_reward.data.episodes.depth_units import MILLIMETRE, measured
from spatial_reward.data.sources.base import BadScene
from spatial_reward.data.sources.pictures import picture_size
from spatial_reward.data.sources.sens import SensFile

RATE = 30.0  # [Hz] of the sensor
_BROKEN = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
    MemoryError,
)


class Recording(Protocol):
    """Pictures, depths and poses of one scene, read one by one.

    Attributes:
        size: Width and height of the pictures [px].
        intrinsics: (3, 3) of the pictures [px], for pixel centres at whole numbers.
        depth_intrinsics: (3, 3) of the depths [px], likewise; None where not stated.
        poses: (T, 4, 4) `world_from_camera` [m] before the alignment; not finite where tracking was lost.
        times: (T,) [s].
    """

    size: tuple[int, int]
    intrinsics: Array
    depth_intrinsics: Array | None
    poses: Array
    times: Array

    def picture(self, frame: int) -> bytes:
        """Return the picture of a frame as it is stored."""
        ...

    def depth(self, frame: int) -> NDArray[np.float32]:
        """Return the depth (H, W) of a frame [m]; NaN where nothing was measured."""
        ...


class PosedImages:
    """A folder with `00000.jpg`, `00000.png` (depth [mm]), `00000.txt` (pose), ... and `intrinsic.txt`.

    This is what MultiSPA and MMDetection3D extract. The intrinsics of the depths are read where somebody
    extracted them too, as `depth_intrinsic.txt` (EmbodiedScan).

    Args:
        folder: `posed_images/<scene>`.
        stride: Every how many pictures one is used.

    Raises:
        BadScene: If a file is missing or broken.
    """

    def __init__(self, folder: Path, stride: int) -> None:
        """Read the calibration, the poses, and the header of the first picture."""
        stems = sorted(path.stem for path in folder.glob("*.jpg") if path.stem.isdecimal())[::stride]
        if not stems:
            raise BadScene("missing file" if not folder.is_dir() else "no pictures", str(folder))
        self._files = [folder / stem for stem in stems]
        self.size = picture_size(self.picture(0))
        self.intrinsics = _matrix(folder / "intrinsic.txt", "bad calibration")[:3, :3]
        depth = folder / "depth_intrinsic.txt"
        self.depth_intrinsics = _matrix(depth, "bad calibration")[:3, :3] if depth.exists() else None
        poses = [_matrix(path.with_suffix(".txt"), "unreadable poses") for path in self._files]
        self.poses: Array = np.stack(poses)
        self.times: Array = np.array([int(stem) for stem in stems]) / RATE

    def picture(self, frame: int) -> bytes:
        """Return a JPEG file."""
        with bad_scene("unreadable picture"):
            return self._files[frame].with_suffix(".jpg").read_bytes()

    def depth(self, frame: int) -> NDArray[np.float32]:
        """Decode a depth PNG."""
        path = self._files[frame].with_suffix(".png")
        with bad_scene("unreadable depth"):
            depth = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
        if depth is None or depth.ndim != 2 or depth.dtype != np.uint16:
            raise BadScene("unreadable depth", f"{path} is no PNG file of one 16-bit channel")
        return measured(depth, MILLIMETRE)


class SensRecording:
    """A `.sens` file.

    As in the published pipeline, its extrinsics are not applied: they are identities in the release.

    Args:
        path: `scans/<scene>/<scene>.sens`.
        stride: Every how many frames one is used.

    Raises:
        BadScene: If the file is missing, broken or cut short.
    """

    def __init__(self, path: Path, stride: int) -> None:
        """Find all frames."""
        with bad_scene("unreadable .sens file"):
            self._file = SensFile(path)
        if not len(self._file):
            raise BadScene("no pictures", str(path))
        self._frames = range(0, len(self._file), stride)
        self.size = self._file.picture_size
        self.intrinsics: Array = self._file.picture_intrinsics[:3, :3]
        self.depth_intrinsics: Array | None = self._file.depth_intrinsics[:3, :3]
        self.poses: Array = self._file.poses[::stride]
        self.times: Array = self._file.times[::stride]

    def picture(self, frame: int) -> bytes:
        """Return the stored file."""
        with bad_scene("unreadable picture"):
            return self._file.picture(self._frames[frame])

    def depth(self, frame: int) -> NDArray[np.float32]:
        """Decompress a depth."""
        with bad_scene("unreadable depth"):
            return measured(self._file.depth(self._frames[frame]), 1 / self._file.depth_shift)


@contextmanager
def bad_scene(reason: str) -> Iterator[None]:
    """Turn what a broken file leads to into a `BadScene`: "missing file", "file cut short" or `reason`."""
    try:
        yield
    except BadScene:
        raise
    except FileNotFoundError as error:
        raise BadScene("missing file", str(error.filename)) from error
    except EOFError as error:
        raise BadScene("file cut short", str(error)) from error
    except (OSError, cv2.error, *_BROKEN) as error:
        raise BadScene(reason, str(error)) from error


def _matrix(path: Path, reason: str) -> Array:
    """Read a matrix (4, 4), a row a line."""
    with bad_scene(reason):
        rows = [line.split() for line in path.read_text(encoding="ascii").splitlines() if line.strip()]
        matrix = np.array(rows, float)
    if matrix.shape != (4, 4):
        raise BadScene(reason, f"{path} is no 4 x 4 matrix")
    return matrix
