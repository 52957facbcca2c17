"""What can be measured of a few pictures, by any model: `perceive(frames)` and what it returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spatial_reward.camera import Array, Camera
from spatial_reward.geometry import CameraMotion, Extents
from spatial_reward.perception.boxes import Box, find_boxes
from spatial_reward.perception.cloud import PointCloud
from spatial_reward.perception.depth_maps import DepthMap, depth_map
from spatial_reward.perception.fusion import DepthView, fuse_voxels
from spatial_reward.perception.poses import camera_poses
from spatial_reward.perception.tsdf import fuse_tsdf
from spatial_reward.questions import KINDS
from spatial_reward.types import Answer, Frame, Model, PixelPoint, Question

Pixel = tuple[float, float]
Picture = Frame | NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class PixelMatches:
    """Where pixels of one frame are in another.

    Attributes:
        pixels: (N, 2) [px]; NaN where a pixel was not found.
        std: (N, 2) standard deviation of each coordinate [px].
        valid: (N,) whether a match may be used.
    """

    pixels: Array
    std: Array
    valid: NDArray[np.bool_]


def perceive(
    frames: Sequence[Picture] | Picture,
    questions: Sequence[Question] = (),
    model: Model | str = "spatialnet",
    *,
    camera: Camera | None = None,
    **options: Any,
) -> Perception:
    """Look at pictures, and answer questions about them.

    Args:
        frames: In order of time; plain (H, W, 3) uint8 pictures need `camera`.
        questions: Of any kind; one without frames of its own is about all of these.
        model: A model, or the name of one.
        camera: Of the frames that have none. Where it moved, its pose is that of the first frame, and
            pose="estimated" finds the others.
        options: For `load_model`, such as depth="predicted", support=0.0 or pose="estimated".

    Raises:
        ValueError: If there is no frame, a picture has no camera, or a question is of an unknown kind.
    """
    from spatial_reward.models import load_model

    pictures = [frames] if isinstance(frames, Frame) or getattr(frames, "ndim", 0) == 3 else list(frames)
    if not pictures:
        raise ValueError("There is nothing to perceive: give at least one frame.")
    seen = tuple(_framed(picture, number, camera) for number, picture in enumerate(pictures))
    if options and not isinstance(model, str):
        raise ValueError(f"Options {sorted(options)} are for a model given by name: give them to the model.")
    loaded = load_model(model, **options) if isinstance(model, str) else model
    return Perception(seen, loaded, tuple(_asked(question, seen) for question in questions))


def _framed(picture: Any, number: int, camera: Camera | None) -> Frame:
    frame = picture if isinstance(picture, Frame) else Frame(np.asarray(picture), float(number))
    if frame.camera is not None:
        return frame
    if camera is None:
        raise ValueError(
            f"Frame {number} has no camera, without which nothing is in metres: give "
            "`camera=Camera.from_fov(60, width, height, look_at(eye, target))`, assumed where unknown."
        )
    return replace(frame, camera=camera.resized(frame.width, frame.height))


def _asked(question: Question, frames: tuple[Frame, ...]) -> Question:
    if question.kind not in KINDS:
        raise ValueError(f"Unknown question kind {question.kind!r}. Known kinds: {', '.join(KINDS)}.")
    return question if question.frames else replace(question, frames=frames)


class Perception:
    """Frames, and everything that a model can tell of them; each thing is computed when asked for.

    Frame numbers count from 0; negative ones count from the end. Pixels are continuous: the centre of the
    first one is (0.5, 0.5). Vectors are in the axes of the first of two cameras, clouds in the world.

    Attributes:
        frames: The pictures, each with a camera.
        model: What measures.
        questions: What was asked.
        answers: What the model answers, in the same order.
    """

    def __init__(self, frames: tuple[Frame, ...], model: Model, questions: tuple[Question, ...] = ()) -> None:
        """Answer the questions in one batch."""
        self.frames, self.model, self.questions = frames, model, questions
        self.answers: list[Answer] = model.answer(questions) if questions else []
        self._depths: dict[int, DepthMap] = {}
        self._cameras: list[Camera | None] | None = None

    def depth(self, frame: int = -1) -> DepthMap:
        """Return the depth of every pixel of a frame.

        Raises:
            ValueError: If the model predicts no depth and the frame has none.
        """
        number = range(len(self.frames))[frame]
        if number not in self._depths:
            self._depths[number] = depth_map(self.model, self.frames[number])
        return self._depths[number]

    def matches(self, pixels: ArrayLike, first: int = 0, last: int = -1) -> PixelMatches:
        """Find pixels (N, 2) of one frame in another."""
        ends = (self.frames[first], self.frames[last])
        asked = [Question("vc_coord", ends, (PixelPoint(*at),)) for at in np.asarray(pixels, float).tolist()]
        answers = self.model.answer(asked)
        nowhere = np.full(2, np.nan)
        found = [nowhere if a.value is None else np.asarray(a.value, float) for a in answers]
        std = [np.broadcast_to(np.asarray(answer.std, float), 2) for answer in answers]
        valid = np.array([answer.valid and answer.value is not None for answer in answers], bool)
        return PixelMatches(np.reshape(found, (-1, 2)), np.reshape(std, (-1, 2)), valid)

    def camera_motion(self, first: int = 0, last: int = -1) -> CameraMotion:
        """Return how the camera moved between two frames; NaN where the model is not sure.

        The covariance of the translation is whole; the turns are stated without one to it or each other.
        """
        kinds = ("cam_vec", "cam_deg_yaw", "cam_deg_pitch", "cam_dir_yaw", "cam_dir_pitch")
        ends = (self.frames[first], self.frames[last])
        shift, *turns = self.model.answer([Question(kind, ends) for kind in kinds])
        covariance, translation = np.full((5, 5), np.nan), np.full(3, np.nan)
        covariance[:3, 3:] = covariance[3:, :3] = covariance[3, 4] = covariance[4, 3] = 0.0
        if shift.valid and isinstance(shift.value, np.ndarray):
            translation, covariance[:3, :3] = shift.value, _covariance(shift)
        angles = []
        for place, (size, way) in enumerate(zip(turns[:2], turns[2:], strict=True), start=3):
            sign = 1.0 if way.value in ("left", "up") else -1.0
            angles.append(sign * _number(size))
            covariance[place, place] = float(np.square(size.std).max())
        return CameraMotion(translation, angles[0], angles[1], covariance)

    def object_motion(self, pixel: Pixel, first: int = 0, last: int = -1) -> Answer:
        """Measure how the thing under a pixel of the first frame moved: (3,) [m] in that camera's axes.

        The answer holds its covariance, the pixel where the thing is now, and its rigid motion where known.
        """
        ends = (self.frames[first], self.frames[last])
        return self.model.answer([Question("obj_vec_coord", ends, (PixelPoint(*pixel),))])[0]

    def size(self, pixel: Pixel, frame: int = 0) -> Extents:
        """Measure height, length and width [m] of the thing under a pixel, as far as seen; NaN if not."""
        seen, point = (self.frames[frame],), (PixelPoint(*pixel),)
        kinds = ("size_height", "size_length", "size_width")
        answers = self.model.answer([Question(kind, seen, point, ("thing",)) for kind in kinds])
        height, length, width = (_number(answer) for answer in answers)
        std = [float(np.mean(answer.std)) if answer.valid else np.nan for answer in answers]
        return Extents(height, length, width, np.array(std))

    def views(self) -> list[DepthView]:
        """Return the depth pictures from where they were taken; frames whose pose is unknown are left out."""
        cameras = {number: camera for number, camera in enumerate(self.cameras()) if camera is not None}
        return [
            DepthView(camera, self.frames[number].rgb, self.depth(number))
            for number, camera in cameras.items()
        ]

    def cameras(self) -> list[Camera | None]:
        """Return the camera of every frame in the world of the first; None where its pose was not found."""
        if self._cameras is None:
            poses = camera_poses(self.model, self.frames)
            self._cameras = [
                None
                if frame.camera is None or pose is None
                else replace(frame.camera, world_from_camera=pose)
                for frame, pose in zip(self.frames, poses, strict=True)
            ]
        return self._cameras

    def point_cloud(
        self,
        voxel: float = 0.005,
        farthest: float = 4.0,
        method: Literal["voxel", "tsdf"] = "voxel",
        max_std: float = np.inf,
    ) -> PointCloud:
        """Fuse all frames to one cloud of points [m, world] with colours and standard deviations.

        Args:
            voxel: Side of a voxel [m].
            farthest: Depth [m] up to which pixels count.
            method: "voxel" averages, and leaves out what has moved away; "tsdf" takes Open3D, is smoother,
                and takes the scene for still.
            max_std: Standard deviation of the depth [m] up to which pixels count: what is predicted only
                roughly is better left out.

        Raises:
            ValueError: If the method is unknown, `voxel` is not positive, or no depth is known.
            ImportError: If Open3D is needed and not installed.
        """
        methods = {"voxel": fuse_voxels, "tsdf": fuse_tsdf}
        if method not in methods:
            raise ValueError(f"`method` must be one of {', '.join(methods)}, got {method!r}.")
        return methods[method](self.views(), voxel, farthest, max_std)

    def boxes(self, voxel: float = 0.005, farthest: float = 4.0, max_std: float = np.inf) -> list[Box]:
        """Return upright boxes around the things of the cloud that stand on planes, the largest first.

        Raises:
            ImportError: If Open3D is not installed.
        """
        return find_boxes(self.point_cloud(voxel, farthest, max_std=max_std), _gap(voxel))

    def record(
        self,
        path: Path | str | None = None,
        *,
        voxel: float = 0.005,
        farthest: float = 4.0,
        max_std: float = np.inf,
        viewer: str = "",
    ) -> None:
        """Show frames, depth, cloud, boxes and answers in Rerun: in a file, a viewer, or a new viewer.

        Args:
            path: File to write, `something.rrd`.
            voxel: Of the cloud [m].
            farthest: Depth [m] up to which pixels count.
            max_std: Standard deviation of the depth [m] up to which they count.
            viewer: Address of an open viewer.

        Raises:
            ImportError: If rerun is not installed.
            OSError: If `path` cannot be written.
        """
        from spatial_reward.viz.perception_recording import Sighting, Space, record_perception

        cloud = self.point_cloud(voxel, farthest, max_std=max_std)
        try:
            boxes = find_boxes(cloud, _gap(voxel))
        except ImportError:
            boxes = []  # Open3D is an extra
        sightings = [
            Sighting(self.frames[number], camera, self.depth(number).depth, self.depth(number).std)
            for number, camera in enumerate(self.cameras())
            if camera is not None
        ]
        space = Space(
            cloud.points, cloud.colours, cloud.std, [(box.world_from_box, box.size) for box in boxes]
        )
        pairs = list(zip(self.questions, self.answers, strict=True))
        record_perception(sightings, space, pairs, path=path, viewer=viewer)


def _gap(voxel: float) -> float:
    """Return from which distance [m] points are of two things: neighbours are about a voxel apart."""
    return max(0.015, 2.5 * voxel)


def _number(answer: Answer) -> float:
    """Return the number that an answer states; NaN where it may not be used."""
    usable = answer.valid and answer.value is not None
    return float(np.asarray(answer.value, float)) if usable else float("nan")


def _covariance(answer: Answer) -> Array:
    if answer.covariance is not None:
        return answer.covariance
    return np.diag(np.broadcast_to(np.square(np.asarray(answer.std, float)), 3))
