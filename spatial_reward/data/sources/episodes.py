"""Recorded robot episodes with depth and calibrated cameras."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward.data.sources.base import BadScene, unread
from spatial_reward.data.sources.calibration import cameras, upright
from spatial_reward.data.sources.episode_files import Recording, read_pictures, read_recording
from spatial_reward.data.sources.listing import by_name, chosen, existing_folder, path_of
from spatial_reward.data.sources.pictures import Pictures
from spatial_reward.data.sources.surface_points import find_riders, ride, shown
from spatial_reward.types import Frame, Scene

CENTRES = (0.0, 0.5)


class Episodes:
    """Episodes `FOLDER/<name>/` of one camera; each may also be a single file `FOLDER/<name>.npz`.

    An episode of T frames holds arrays without pickle, each a file `<array>.npy` of its folder or an entry of
    `episode.npz` there:

    * `intrinsics` (3, 3), or (T, 3, 3) [px], of pictures without distortion; see `centre`.
    * `world_from_camera` (4, 4) of a fixed camera, or (T, 4, 4) [m]: OpenCV axes (x right, y down, z
      forward), in a world at rest; see `up`.
    * `depth` (T, H, W): along the optical axis, registered to the picture; floats in metres or integers in
      millimetres, unless `FOLDER/cameras.json` states the `depth_scale` of camera "main"; unknown is what
      `depth_units.measured` says, such as 0, NaN or 65535. Or `depth/*.png` of 16 bits.
    * `rgb` (T, H, W, 3) uint8. Or files `rgb/*.jpg` or `rgb/*.png` in the order of their names. Or `rgb.mp4`.
    * `time` (T,) [s], optional: without it, `fps` counts.
    * `bodies` (T, H, W) integers, optional: which object each pixel shows, as an index into `names`;
      negative, or the greatest number of an unsigned type, where it shows none.
    * `names` (B,) strings: of the objects.
    * `world_from_body` (T, B, 4, 4) [m], optional: their poses.

    Depth and calibration alone tell depth, correspondence and the camera's motion, if nothing else moves.
    With segmentation and poses, the points of an object ride on it, which tells its motion and size. What no
    pose is known of (all of an episode without poses, the pixels of no object in one with poses) may move
    unseen. So its points are used only where `static` promises that it stands still; an episode without
    poses is refused otherwise.

    Points are drawn on the smooth surfaces that up to 8 frames show, spread over the episode: what none of
    them sees is missing from an object's size. A point is visible where the measured depth is its own, and
    the segmentation shows its object.

    Args:
        folder: Of episodes.
        split: File with the names of episodes, one a line, to use only those.
        static: What no pose is known of stands still.
        up: Axis of the episodes' world that points up.
        centre: Coordinate of the centre of the top-left pixel [px] that `intrinsics` are for: 0.5, or 0 for
            those of OpenCV, ROS and RealSense.
        fps: Frames per second of episodes without `time`.
        stride: Use every n-th frame.
        points_per_body: At most so many points on each object.
        static_points: At most so many points on all that is no object.
        tolerance: Difference of depths [m] up to which a point is seen: some three times the noise.
        seed: Draws the points; those of one episode do not depend on the others.

    Raises:
        FileNotFoundError: If the folder or the list is missing.
        ValueError: If an argument has no sense, or no episodes are found or listed.
    """

    name = "episodes"

    def __init__(
        self,
        folder: str | Path,
        split: str | Path | None = None,
        *,
        static: bool = False,
        up: str = "z",
        centre: float = 0.5,  # [px]
        fps: float = 30.0,
        stride: int = 1,
        points_per_body: int = 256,
        static_points: int = 1024,
        tolerance: float = 0.02,  # [m]
        seed: int = 0,
    ) -> None:
        """List the episodes; none is read yet."""
        positive = {
            "fps": fps,
            "stride": stride,
            "points_per_body": points_per_body,
            "static_points": static_points,
            "tolerance": tolerance,
        }
        for name, value in positive.items():
            if not value > 0:
                raise ValueError(f"`{name}` must be positive, got {value}.")
        if centre not in CENTRES:
            raise ValueError(f"`centre` must be 0 or 0.5 [px], got {centre}.")
        self.static, self.fps, self.stride, self.seed = static, fps, stride, seed
        self.points_per_body, self.static_points, self.tolerance = points_per_body, static_points, tolerance
        self._shift = 0.5 - centre
        self._turned = upright(up)
        root = existing_folder(folder)
        self._found = by_name(_episodes(root))
        self._scenes = chosen(self._found, split, root)
        self._last: tuple[str, Pictures] | None = None

    def scenes(self) -> Sequence[str]:
        """List the names of the episodes, without reading them."""
        return self._scenes

    def load(self, scene: str) -> Scene:
        """Read one episode, with depth and segmentation; its pictures stay on disk.

        Raises:
            BadScene: "name outside the folder", any of `read_recording`, "bad calibration",
                "motion of things unknown", "depth not in metres", "segmentation without names" or
                "no surface measured".
        """
        recording = read_recording(path_of(scene, self._found))
        self._last = (scene, recording.pictures)
        if recording.world_from_body is None and not self.static:
            raise BadScene(
                "motion of things unknown", "set source.static=true if nothing moves but the camera"
            )
        times = list(range(0, len(recording.pictures), self.stride))
        frames = self._frames(recording, times)
        poses = recording.world_from_body
        poses = None if poses is None else self._turned @ poses[times]
        elsewhere = self.static_points if self.static else 0
        rng = np.random.default_rng(self.seed)
        riders = find_riders(frames, poses, rng, self.points_per_body, elsewhere)
        if not len(riders.body):
            raise BadScene("no surface measured")
        points = ride(riders, poses, len(times))
        seen = [
            shown(frame, now, riders.body, self.tolerance) for frame, now in zip(frames, points, strict=True)
        ]
        return Scene(tuple(frames), points, np.stack(seen), riders.body, recording.names)

    def picture(self, scene: str, frame: int) -> bytes:
        """Return a frame: the file as it was recorded, else a PNG file.

        Raises:
            BadScene: As `load`, or "no such frame".
        """
        if self._last is None or self._last[0] != scene:
            self._last = (scene, read_pictures(path_of(scene, self._found)))
        pictures, index = self._last[1], frame * self.stride
        if not 0 <= index < len(pictures):
            raise BadScene("no such frame", f"{scene} has {len(pictures)} pictures, not number {index}")
        return pictures.encoded(index)

    def _frames(self, recording: Recording, times: list[int]) -> list[Frame]:
        """Return the frames with cameras in a world with z up, depth and objects."""
        poses = self._turned @ recording.world_from_camera
        intrinsics = np.array(recording.intrinsics, float)
        intrinsics[..., :2, 2] += self._shift
        size = recording.pictures.size
        views = cameras(intrinsics, poses, size)
        rgb = unread(*size)
        return [
            Frame(
                rgb,
                time / self.fps if recording.time is None else float(recording.time[time]),
                camera=views[time],
                depth=recording.metres(time),
                bodies=recording.objects(time),
            )
            for time in times
        ]

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open pictures behind when copied to another process."""
        return {**self.__dict__, "_last": None}


def _episodes(root: Path) -> list[Path]:
    """Find the episodes: folders, and files `*.npz`."""
    return [path for path in root.iterdir() if path.suffix == ".npz" or path.is_dir()]
