"""Rerun recordings of questions: one step of the timeline for each, with pictures, space and words."""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spatial_reward._require import require
from spatial_reward.camera import Array
from spatial_reward.chat import drawn
from spatial_reward.questions import dots
from spatial_reward.types import Frame, Question
from spatial_reward.viz import draw
from spatial_reward.viz.entities import Entities
from spatial_reward.viz.files import partial_file
from spatial_reward.viz.questions import (
    ASKED,
    TRUTH,
    asked_marks,
    camera_motion,
    motion_words,
    start_point,
    truth_arrow,
    truth_marks,
    truth_words,
)

CLOUD_POINTS = 16_384  # of a frame


class Shown(NamedTuple):
    """A question to show: its id, what it is about, its words, and the words of its truth."""

    id: str
    about: str
    question: Question
    prompt: str
    reply: str


def write_recording(shown: Sequence[Shown], path: Path, title: str = "questions") -> Path:
    """Write an .rrd file, whole or not at all; return its path.

    Raises:
        ImportError: If rerun is not installed.
        OSError: If `path` cannot be written.
    """
    rr = require("rerun", extra="viz", purpose="recordings")
    partial = partial_file(path)
    try:
        with rr.RecordingStream("spatial_reward", recording_id=uuid.uuid4()) as stream:
            pictures = max((len(item.question.frames) for item in shown), default=1)
            stream.set_sinks(rr.FileSink(partial), default_blueprint=_blueprint(pictures))
            stream.send_recording_name(title)
            stream.log("world", rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
            for number, item in enumerate(shown):
                stream.set_time("record", sequence=number)
                stream.log("world", rr.Clear(recursive=True))  # the one before may have had more pictures
                for entity, archetype in question_entities(item):
                    stream.log(entity, archetype)
            stream.disconnect()
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def question_entities(item: Shown) -> Entities:
    """Yield everything that is shown of a question."""
    rr, question = require("rerun", extra="viz", purpose="recordings"), item.question
    yield "words", rr.TextDocument(_words(item), media_type=rr.MediaType.MARKDOWN)
    pictures = drawn(question, [frame.rgb for frame in question.frames], item.id)
    for number, (frame, picture) in enumerate(zip(question.frames, pictures, strict=True)):
        yield from _camera(rr, number, frame)
        yield _image(number), rr.Image(picture).compress(jpeg_quality=95)
        yield from _marks(rr, number, question)
        yield from _cloud(rr, number, frame)
    yield from _motion(rr, question)


def _image(number: int) -> str:
    return f"world/picture_{number + 1}/image"


def _camera(rr: Any, number: int, frame: Frame) -> Entities:
    if frame.camera is None:
        return
    pose = frame.camera.world_from_camera
    yield f"world/picture_{number + 1}", rr.Transform3D(translation=pose[:3, 3], mat3x3=pose[:3, :3])
    yield (
        _image(number),
        rr.Pinhole(
            image_from_camera=frame.camera.intrinsics,
            resolution=[frame.camera.width, frame.camera.height],
            camera_xyz=rr.ViewCoordinates.RDF,
            image_plane_distance=0.15,
        ),
    )


def _marks(rr: Any, number: int, question: Question) -> Entities:
    """Yield the asked points (drawn dots need only their letters) and the truth as a ring."""
    asked = [mark for mark in asked_marks(question) if mark.frame == number]
    size = 1.0 if dots(question) else 4.0
    if asked:
        yield (
            f"{_image(number)}/asked",
            rr.Points2D(
                [mark.at for mark in asked],
                labels=[mark.label for mark in asked],
                colors=[ASKED] * len(asked),
                radii=rr.Radius.ui_points(size),
            ),
        )
    true = [mark for mark in truth_marks(question) if mark.frame == number]
    if true:
        radius = 0.025 * question.frames[number].width
        rings = [draw.ellipse_outline(mark.at, np.eye(2) * radius**2, sigmas=1) for mark in true]
        labels = [mark.label or "truth" for mark in true]
        strips = rr.LineStrips2D(rings, colors=[TRUTH], labels=labels, radii=rr.Radius.ui_points(1.5))
        yield f"{_image(number)}/truth", strips
    arrow = truth_arrow(question)
    if arrow is not None and number == len(question.frames) - 1:
        vector = np.subtract(arrow[1], arrow[0])
        arrows = rr.Arrows2D(
            origins=[arrow[0]], vectors=[vector], colors=[TRUTH], radii=rr.Radius.ui_points(1.5)
        )
        yield f"{_image(number)}/motion", arrows


def _cloud(rr: Any, number: int, frame: Frame) -> Entities:
    """Yield the depth as points in space, each as large as the pixels that it stands for."""
    if frame.depth is None or frame.camera is None:
        return
    stride = math.ceil(math.sqrt(frame.depth.size / CLOUD_POINTS))
    depth = np.nan_to_num(frame.depth, nan=0.0, posinf=0.0, neginf=0.0)
    rows, columns = stride * np.array(np.nonzero(depth[::stride, ::stride] > 0))
    points = frame.camera.unproject(np.stack([columns + 0.5, rows + 0.5], axis=-1), depth[rows, columns])
    radii = 0.6 * stride * depth[rows, columns] / frame.camera.intrinsics[0, 0]
    yield f"world/cloud_{number + 1}", rr.Points3D(points, colors=frame.rgb[rows, columns], radii=radii)


def _motion(rr: Any, question: Question) -> Entities:
    """Yield the true motion in space: of the point, or of the camera."""
    first, last = question.frames[0].camera, question.frames[-1].camera
    start, vector = start_point(question), _vector(question)
    if camera_motion(question) is not None and first is not None and last is not None:
        start, vector = first.world_from_camera[:3, 3], last.world_from_camera[:3, 3]
        vector = vector - start
    elif vector is None or start is None or first is None:
        return
    else:
        vector = first.world_from_camera[:3, :3] @ vector
    yield (
        "world/motion",
        rr.Arrows3D(
            origins=[start],
            vectors=[vector],
            colors=[TRUTH],
            labels=[truth_words(question)],
            radii=rr.Radius.ui_points(2.0),
        ),
    )


def _vector(question: Question) -> Array | None:
    value = question.answer.value if question.answer is not None else None
    return value if isinstance(value, np.ndarray) and value.shape == (3,) else None


def _words(item: Shown) -> str:
    motion = camera_motion(item.question)
    lines = [f"### {item.id}", item.about, f"**Asked:** {item.prompt}", f"**Reply:** {item.reply}"]
    lines.append(f"**Truth:** {truth_words(item.question)}")
    return "\n\n".join(lines + (motion_words(motion) if motion is not None else []))


def _blueprint(pictures: int) -> Any:
    """Lay out the pictures on the left, space in the middle, words on the right."""
    rrb = require("rerun.blueprint", extra="viz", purpose="recordings")
    views = [
        rrb.Spatial2DView(origin=_image(number), name=f"Picture {number + 1}") for number in range(pictures)
    ]
    space = rrb.Spatial3DView(origin="world", contents=["$origin/**"], name="Space")
    words = rrb.TextDocumentView(origin="words", name="Question")
    return rrb.Blueprint(
        rrb.Horizontal(rrb.Grid(*views), rrb.Vertical(space, words, row_shares=[3, 2]), column_shares=[3, 2]),
        rrb.TimePanel(timeline="record", state="collapsed"),
        collapse_panels=True,
    )
