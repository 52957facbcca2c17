"""Rerun recordings of what was perceived: frames with depth and its std, the cloud, boxes, and answers."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial_reward._require import require
from spatial_reward.camera import Array, Camera
from spatial_reward.types import Answer, Frame, Question
from spatial_reward.viz import blueprint, draw
from spatial_reward.viz.entities import Entities, ground
from spatial_reward.viz.files import partial_file
from spatial_reward.viz.words import answer_words, asked_words

STD = "world/camera/std"
BOXES = "world/boxes"
WORDS = "words"
MOST = 200_000  # points of the cloud that are shown; more only make the file large

Pair = tuple[Question, Answer]


@dataclass(frozen=True, eq=False)
class Sighting:
    """A frame where it was taken, with the depth of its pixels.

    Attributes:
        frame: As it was given.
        camera: With its pose in the world of the cloud.
        depth: (H, W) [m]; NaN where unknown.
        std: (H, W) standard deviation of the depth [m].
    """

    frame: Frame
    camera: Camera
    depth: Array
    std: Array


@dataclass(frozen=True, eq=False)
class Space:
    """What is in the world, whatever the time.

    Attributes:
        points: (N, 3) [m].
        colours: (N, 3) uint8.
        std: (N,) [m].
        boxes: Pose (4, 4) and size (3,) [m] of each.
    """

    points: Array
    colours: NDArray[np.uint8]
    std: Array
    boxes: Sequence[tuple[Array, Array]] = ()


def record_perception(
    sightings: Sequence[Sighting],
    space: Space,
    pairs: Sequence[Pair] = (),
    *,
    path: Path | str | None = None,
    viewer: str = "",
) -> None:
    """Show what was perceived: in a file, whole or not at all, in an open viewer, or in a new one.

    Raises:
        ImportError: If rerun is not installed.
        OSError: If `path` cannot be written.
    """
    rr = require("rerun", extra="viz", purpose="recordings")
    partial = partial_file(Path(path)) if path is not None else None
    stream = rr.RecordingStream("spatial_reward", recording_id=uuid.uuid4())
    sinks = [rr.FileSink(partial)] if partial is not None else []
    sinks += [rr.GrpcSink(viewer)] if viewer else []
    layout = _blueprint(sightings, space)
    try:
        if sinks:
            stream.set_sinks(*sinks, default_blueprint=layout)
        else:
            stream.spawn(default_blueprint=layout)
        stream.send_recording_name(f"perception: {len(sightings)} frames")
        _log(rr, stream, sightings, space, pairs)
        stream.disconnect()
        if partial is not None and path is not None:
            partial.replace(path)
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)


def _log(rr: Any, stream: Any, sightings: Sequence[Sighting], space: Space, pairs: Sequence[Pair]) -> None:
    stream.log("world", rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
    for entity, archetype in [*_space(rr, space), *_arrows(rr, sightings, pairs)]:
        stream.log(entity, archetype, static=True)
    words = rr.TextDocument(_words(space, pairs), media_type=rr.MediaType.MARKDOWN)
    stream.log(WORDS, words, static=True)
    for number, sighting in enumerate(sightings):
        stream.set_time("frame", sequence=number)
        stream.set_time("time", duration=float(sighting.frame.time))
        for entity, archetype in _frame(rr, sighting, pairs):
            stream.log(entity, archetype)


def _frame(rr: Any, sighting: Sighting, pairs: Sequence[Pair]) -> Entities:
    camera, pose = sighting.camera, sighting.camera.world_from_camera
    yield "world/camera", rr.Transform3D(translation=pose[:3, 3], mat3x3=pose[:3, :3])
    for entity in (blueprint.IMAGE, blueprint.DEPTH, STD):
        yield (
            entity,
            rr.Pinhole(
                image_from_camera=camera.intrinsics,
                resolution=[camera.width, camera.height],
                camera_xyz=rr.ViewCoordinates.RDF,
                image_plane_distance=0.2,
            ),
        )
    yield blueprint.IMAGE, rr.Image(sighting.frame.rgb).compress(jpeg_quality=90)
    yield from ground(blueprint.IMAGE)
    for entity, image in ((blueprint.DEPTH, sighting.depth), (STD, sighting.std)):
        yield entity, rr.DepthImage(np.nan_to_num(image, nan=0.0).astype(np.float32), meter=1.0)
    marks = _marks(sighting.frame, pairs)
    yield (
        f"{blueprint.IMAGE}/points",
        rr.Points2D(
            [at for at, _, _ in marks],
            labels=[label for _, label, _ in marks],
            colors=[draw.colour(index) for _, _, index in marks],
            radii=rr.Radius.ui_points(4.0),
        ),
    )


def _marks(frame: Frame, pairs: Sequence[Pair]) -> list[tuple[tuple[float, float], str, int]]:
    """List the asked pixels and found matches in a frame: where, what to write there, and which question."""
    marks = []
    for index, (question, answer) in enumerate(pairs):
        letter = draw.letter(index)
        for point in question.points:
            if point.frame < len(question.frames) and question.frames[point.frame] is frame:
                marks.append(((point.x, point.y), letter, index))
        if answer.match is not None and len(question.frames) > 1 and question.frames[-1] is frame:
            marks.append((answer.match, f"{letter} found", index))
    return marks


def _space(rr: Any, space: Space) -> Entities:
    step = -(-len(space.points) // MOST) or 1
    shown = np.s_[::step]
    points = rr.Points3D(space.points[shown], colors=space.colours[shown], radii=rr.Radius.ui_points(1.5))
    yield blueprint.CLOUD, points
    turns = [pose[:3, :3] for pose, _ in space.boxes]
    yield (
        BOXES,
        rr.Boxes3D(
            centers=[pose[:3, 3] for pose, _ in space.boxes],
            half_sizes=[size / 2 for _, size in space.boxes],
            quaternions=[_quaternion(turn) for turn in turns],
            labels=[" x ".join(f"{1000 * side:.0f}" for side in size) + " mm" for _, size in space.boxes],
            colors=[draw.colour(index) for index in range(len(space.boxes))],
            show_labels=len(space.boxes) <= 6,
            fill_mode="MajorWireframe",
        ),
    )


def _quaternion(turn: Array) -> Array:
    from scipy.spatial.transform import Rotation

    quaternion: Array = Rotation.from_matrix(turn).as_quat()
    return quaternion


def _arrows(rr: Any, sightings: Sequence[Sighting], pairs: Sequence[Pair]) -> Entities:
    """Yield the measured motions of things, from the surface under the asked pixel."""
    views = {id(sighting.frame): sighting for sighting in sightings}
    moved = []
    for index, (question, answer) in enumerate(pairs):
        first = views.get(id(question.frames[0]))
        vector = answer.value if question.kind.startswith("obj_vec") and answer.valid else None
        if first is None or not isinstance(vector, np.ndarray):
            continue
        pixel = question.points[0][:2]
        column, row = np.floor(pixel).astype(int)
        start = first.camera.unproject(pixel, first.depth[row, column])
        if np.isfinite(start).all():
            moved.append((index, start, first.camera.world_from_camera[:3, :3] @ vector))
    yield (
        blueprint.ARROWS,
        rr.Arrows3D(
            origins=[start for _, start, _ in moved],
            vectors=[vector for _, _, vector in moved],
            labels=[f"{draw.letter(i)} {1000 * np.linalg.norm(vector):.0f} mm" for i, _, vector in moved],
            colors=[draw.colour(index) for index, _, _ in moved],
            radii=rr.Radius.ui_points(2.0),
        ),
    )


def _words(space: Space, pairs: Sequence[Pair]) -> str:
    spread = np.percentile(1000 * space.std, [50, 95]) if len(space.std) else (np.nan, np.nan)
    lines = [
        "### Perception",
        f"{len(space.points)} points, std {spread[0]:.1f} mm (median), {spread[1]:.1f} mm (95 %)",
    ]
    for pose, size in space.boxes:
        sides = " x ".join(f"{1000 * side:.0f}" for side in size)
        lines.append(f"box {sides} mm at ({', '.join(f'{x:.3f}' for x in pose[:3, 3])}) m")
    for index, (question, answer) in enumerate(pairs):
        asked = asked_words(question)
        lines.append(f"**{draw.letter(index)}** {asked}\n\n**{answer_words(answer)}** ({answer.source})")
    return "\n\n".join(lines)


def _blueprint(sightings: Sequence[Sighting], space: Space) -> Any:
    """Lay out the frame, its depth and its std on the left, space in the middle, words on the right."""
    rrb = require("rerun.blueprint", extra="viz", purpose="recordings")
    controls = None
    if sightings and len(space.points):
        camera, middle = sightings[0].camera, np.median(space.points, axis=0)
        eye = blueprint.eye_for(camera.world_from_camera[:3, 3], middle)
        controls = rrb.EyeControls3D(
            position=eye.tolist(), look_target=middle.tolist(), eye_up=[0.0, 0.0, 1.0]
        )
    contents = ["$origin/**", f"- {blueprint.DEPTH}/**", f"- {STD}/**"]
    return rrb.Blueprint(
        rrb.Horizontal(
            rrb.Vertical(
                rrb.Spatial2DView(origin=blueprint.IMAGE, name="Frame"),
                rrb.Spatial2DView(origin=blueprint.DEPTH, name="Depth [m]"),
                rrb.Spatial2DView(origin=STD, name="Standard deviation of the depth [m]"),
            ),
            rrb.Spatial3DView(origin="world", contents=contents, name="Space", eye_controls=controls),
            rrb.TextDocumentView(origin=WORDS, name="Answers"),
            column_shares=[2, 4, 2],
        ),
        rrb.TimePanel(timeline="frame", state="collapsed"),
        collapse_panels=True,
    )
