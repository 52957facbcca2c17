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
from spatial_reward.types import Answer, Frame, Question
from spatial_reward.viz import draw
from spatial_reward.viz.blueprint import eye_for
from spatial_reward.viz.entities import Entities, ground
from spatial_reward.viz.files import partial_file
from spatial_reward.viz.questions import (
    ANSWERED,
    ASKED,
    TRUTH,
    answered_marks,
    asked_marks,
    camera_motion,
    motion_words,
    start_point,
    truth_arrow,
    truth_marks,
    truth_words,
)
from spatial_reward.viz.words import answer_words

CLOUD_POINTS = 16_384  # of a frame
ONE_PLACE = 1.0  # [m] that the first cameras of questions may be apart


class Shown(NamedTuple):
    """A question to show: its id, what it is about, its words, those of its truth, and an answer."""

    id: str
    about: str
    question: Question
    prompt: str
    reply: str
    answer: Answer | None = None
    score: str = ""


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
            small = _alike(shown)
            stream.set_sinks(rr.FileSink(partial), default_blueprint=_blueprint(pictures, _eye(shown)))
            stream.send_recording_name(title)
            stream.log("world", rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
            logged: set[str] = set()
            for number, item in enumerate(shown):
                stream.set_time("record", sequence=number)
                entities = list(question_entities(item, small))
                here = {entity for entity, _ in entities}
                for entity in logged - here:  # of the one before
                    stream.log(entity, rr.Clear(recursive=False))
                for entity, archetype in entities:
                    stream.log(entity, archetype)
                logged |= here
            stream.disconnect()
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _alike(shown: Sequence[Shown]) -> bool:
    """Tell whether all pictures have one size: the viewer takes JPEGs for a video, which has one."""
    return len({frame.rgb.shape for item in shown for frame in item.question.frames}) <= 1


def question_entities(item: Shown, small: bool = True) -> Entities:
    """Yield everything that is shown of a question; pictures as JPEGs where they are to be `small`."""
    rr, question = require("rerun", extra="viz", purpose="recordings"), item.question
    yield "words", rr.TextDocument(_words(item), media_type=rr.MediaType.MARKDOWN)
    pictures = drawn(question, [frame.rgb for frame in question.frames], item.id)
    for number, (frame, picture) in enumerate(zip(question.frames, pictures, strict=True)):
        yield from _camera(rr, number, frame)
        image = rr.Image(picture)
        yield _image(number), image.compress(jpeg_quality=95) if small else image
        yield from ground(_image(number))
        yield from _marks(rr, number, item)
        yield from _cloud(rr, number, frame)
    yield from _motion(rr, item)


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


def _marks(rr: Any, number: int, item: Shown) -> Entities:
    """Yield the asked points (drawn dots need only their letters), the truth as a ring, and the answer."""
    question = item.question
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
    strips, labels = _truth_lines(question, number)
    if strips:
        lines = rr.LineStrips2D(strips, colors=[TRUTH], labels=labels, radii=rr.Radius.ui_points(1.5))
        yield f"{_image(number)}/truth", lines
    answered = [mark for mark in answered_marks(question, item.answer) if mark.frame == number]
    if answered:
        spots = rr.Points2D(
            [mark.at for mark in answered],
            labels=[mark.label for mark in answered],
            colors=[ANSWERED] * len(answered),
            radii=rr.Radius.ui_points(4.0),
        )
        yield f"{_image(number)}/answered", spots


def _truth_lines(question: Question, number: int) -> tuple[list[Array], list[str]]:
    """Return rings around the truth in a picture, and the arrow that leads to it, with their labels."""
    true = [mark for mark in truth_marks(question) if mark.frame == number]
    radius = 0.025 * question.frames[number].width
    strips = [draw.ellipse_outline(mark.at, np.eye(2) * radius**2, sigmas=1) for mark in true]
    labels = [mark.label or "truth" for mark in true]
    arrow = truth_arrow(question)
    if arrow is not None and number == len(question.frames) - 1:
        strips, labels = strips + _arrow_lines(*arrow), [*labels, "", ""]
    return strips, labels


def _arrow_lines(start: tuple[float, float], end: tuple[float, float]) -> list[Array]:
    """Return the shaft and the head of an arrow in a picture [px]."""
    shaft = np.array([start, end])
    back = (shaft[0] - shaft[1]) * 0.25
    aside = np.array([-back[1], back[0]]) * 0.6
    return [shaft, np.array([shaft[1] + back + aside, shaft[1], shaft[1] + back - aside])]


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


def _motion(rr: Any, item: Shown) -> Entities:
    """Yield the true motion in space, of the point or of the camera, and the answered one."""
    question = item.question
    first, last = question.frames[0].camera, question.frames[-1].camera
    if first is None or last is None:
        return
    start, vectors = start_point(question), [_vector(question.answer), _vector(item.answer)]
    turned = [None if vector is None else first.world_from_camera[:3, :3] @ vector for vector in vectors]
    if camera_motion(question) is not None:
        start = first.world_from_camera[:3, 3]
        turned[0] = last.world_from_camera[:3, 3] - start
    if start is None:
        return
    known = [one for one in zip(turned, (TRUTH, ANSWERED), strict=True) if one[0] is not None]
    if known:
        yield (
            "world/motion",
            rr.Arrows3D(
                origins=[start] * len(known),
                vectors=[vector for vector, _ in known],
                colors=[shade for _, shade in known],
                labels=[truth_words(question)] if len(known) == 1 else None,  # two would hide each other
                radii=rr.Radius.ui_points(2.0),
            ),
        )


def _vector(answer: Answer | None) -> Array | None:
    value = answer.value if answer is not None else None
    return value if isinstance(value, np.ndarray) and value.shape == (3,) else None


def _words(item: Shown) -> str:
    motion = camera_motion(item.question)
    lines = [f"### {item.id}", item.about, f"**Asked:** {item.prompt}", f"**Reply:** {item.reply}"]
    lines.append(f"**Truth:** {truth_words(item.question)}")
    if item.answer is not None:
        lines.append(f"**{item.answer.source or 'Model'} answered:** {answer_words(item.answer)}")
        lines.append(f"**Score:** {item.score} (green: the truth; orange: the answer)")
    return "\n\n".join(lines + (motion_words(motion) if motion is not None else []))


def _eye(shown: Sequence[Shown]) -> Any:
    """Return from where to look at what the questions are about, where that is one place."""
    cameras = [item.question.frames[0].camera for item in shown]
    poses = np.array([camera.world_from_camera for camera in cameras if camera is not None])
    if not len(poses) or np.ptp(poses[:, :3, 3], axis=0).max() > ONE_PLACE:
        return None
    place = poses[0, :3, 3]
    depths = [item.question.frames[0].depth for item in shown[:1]]
    known = [float(np.nanmedian(depth)) for depth in depths if depth is not None and np.isfinite(depth).any()]
    target = place + (known[0] if known else 1.0) * poses[0, :3, 2]
    rrb = require("rerun.blueprint", extra="viz", purpose="recordings")
    eye = eye_for(place, target)
    return rrb.EyeControls3D(position=eye.tolist(), look_target=target.tolist(), eye_up=[0.0, 0.0, 1.0])


def _blueprint(pictures: int, eye: Any) -> Any:
    """Lay out the pictures on the left, space in the middle, words on the right."""
    rrb = require("rerun.blueprint", extra="viz", purpose="recordings")
    views = [
        rrb.Spatial2DView(origin=_image(number), name=f"Picture {number + 1}") for number in range(pictures)
    ]
    space = rrb.Spatial3DView(origin="world", contents=["$origin/**"], name="Space", eye_controls=eye)
    words = rrb.TextDocumentView(origin="words", name="Question")
    return rrb.Blueprint(
        rrb.Horizontal(rrb.Grid(*views), rrb.Vertical(space, words, row_shares=[3, 2]), column_shares=[3, 2]),
        rrb.TimePanel(timeline="record", state="collapsed"),
        collapse_panels=True,
    )
