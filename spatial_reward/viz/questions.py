"""Questions with their truth drawn in: what is asked, and beside it, in another form, what is right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from spatial_reward.camera import Array, Camera
from spatial_reward.chat import drawn
from spatial_reward.questions import KINDS, dots, to_thousandths, written
from spatial_reward.questions.camera_motion import Motion, motion_between
from spatial_reward.types import Answer, Frame, PixelPoint, Question
from spatial_reward.viz import draw
from spatial_reward.viz.draw import Colour, Picture

Pixel = tuple[float, float]

TRUTH: Colour = (0, 255, 120)
ASKED: Colour = (255, 255, 255)
ANSWERED: Colour = (255, 190, 0)
RING = 14.0  # [px] radius of the ring around the truth
_UNITS = {"m": " mm", "deg": " deg", "px": "", "1": ""}


class Mark(NamedTuple):
    """A place in one of the pictures [px], and what to write beside it."""

    frame: int
    at: Pixel
    label: str = ""


def asked_marks(question: Question) -> list[Mark]:
    """List the points that a question refers to: with its letters, or with its coordinates."""
    if dots(question):
        return [Mark(point.frame, (point.x, point.y), letter) for point, letter in dots(question)]
    return [Mark(point.frame, (point.x, point.y), _coordinates(question, point)) for point in question.points]


def _coordinates(question: Question, point: PixelPoint) -> str:
    """Write a point as prompts do."""
    frame = question.frames[point.frame]
    x, y = to_thousandths((point.x, point.y), (frame.width, frame.height))
    return f"[ {x} , {y} ]"


def truth_marks(question: Question) -> list[Mark]:
    """List where the truth is in the pictures; nowhere for angles, camera motions and sizes."""
    answer, last = question.answer, len(question.frames) - 1
    if answer is None or answer.value is None:
        return []
    if question.kind.startswith("depth_est"):
        return [Mark(point.frame, (point.x, point.y), truth_words(question)) for point in question.points]
    if question.kind == "depth_cmp_dot":
        right = question.points[question.labels.index(str(answer.value))]
        return [Mark(right.frame, (right.x, right.y))]
    if question.kind in ("vc_coord", "depth_cmp_coord"):
        x, y = np.asarray(answer.value, float)
        return [Mark(last, (float(x), float(y)))]
    return [Mark(last, answer.match)] if answer.match is not None else []


def answered_marks(question: Question, answer: Answer | None) -> list[Mark]:
    """List where an answer is in the pictures: a pixel, or the pixel where the thing was found."""
    if answer is None:
        return []
    last, label = len(question.frames) - 1, "answer"
    if answer.unit == "px" and isinstance(answer.value, np.ndarray):
        x, y = np.asarray(answer.value, float)
        return [Mark(last, (float(x), float(y)), label)]
    return [Mark(last, answer.match, label)] if answer.match is not None else []


def truth_words(question: Question) -> str:
    """Say the truth in a few words; "" where there is none."""
    if question.answer is None or question.answer.value is None:
        return ""
    words = f"{written(question)}{_UNITS[KINDS[question.kind].unit]}"
    if question.kind.startswith("size_"):
        return f"{question.labels[0]}: {question.kind.removeprefix('size_')} {words}"
    if question.kind.startswith("depth_cmp"):
        return f"{words} is {'farther' if question.labels[-1] == 'farther' else 'closer'}"
    return words


def truth_arrow(question: Question) -> tuple[Pixel, Pixel] | None:
    """Return the motion of a point in the last picture: from where it would be had it stayed, to where it is.

    None for other kinds, and where it cannot be known where the point was in space: that takes the depth
    of the first picture, a camera that stands still, or the motion as a vector.
    """
    answer = question.answer
    if KINDS[question.kind].family != "object_motion" or answer is None or answer.match is None:
        return None
    first, last, pixel = question.frames[0], question.frames[-1], question.points[0][:2]
    start = start_point(question)
    if start is not None and last.camera is not None:
        seen, depth = last.camera.project(start)
        return ((float(seen[0]), float(seen[1])), answer.match) if depth > 0 else None
    return (pixel, answer.match) if _same_pose(first, last) else None


def start_point(question: Question) -> Array | None:
    """Return where the first point of a question was in space (3,) [m, world], or None if unknown."""
    first = question.frames[0]
    if first.camera is None or not question.points:
        return None
    pixel = question.points[0][:2]
    if first.depth is not None and first.camera.contains(pixel):
        column, row = np.floor(pixel).astype(int)
        depth = float(first.depth[row, column])
        return first.camera.unproject(pixel, depth) if np.isfinite(depth) and depth > 0 else None
    return _triangulated(question, first.camera)


def _triangulated(question: Question, first: Camera) -> Array | None:
    """Find the point from its two pixels and its true displacement, if the rays are not parallel."""
    answer, last = question.answer, question.frames[-1].camera
    vector = answer.value if answer is not None else None
    if last is None or answer is None or answer.match is None or not _is_vector(vector):
        return None
    moved = first.world_from_camera[:3, :3] @ np.asarray(vector, float)
    here = first.world_from_camera[:3, :3] @ first.rays(question.points[0][:2])
    there = last.world_from_camera[:3, :3] @ last.rays(answer.match)
    between = last.world_from_camera[:3, 3] - first.world_from_camera[:3, 3]
    rays = np.stack([here, -there], axis=1)  # here * z1 - there * z2 = between - moved
    if np.linalg.cond(rays) > 100:
        return None
    depth = float(np.linalg.lstsq(rays, between - moved, rcond=None)[0][0])
    point: Array = first.world_from_camera[:3, 3] + depth * here
    return point if depth > 0 else None


def _is_vector(value: object) -> bool:
    return isinstance(value, np.ndarray) and value.shape == (3,)


def _same_pose(first: Frame, last: Frame) -> bool:
    if first.camera is None or last.camera is None:
        return False
    return np.allclose(first.camera.world_from_camera, last.camera.world_from_camera, atol=1e-6)


def camera_motion(question: Question) -> Motion | None:
    """Return how the camera moved from the first to the last frame, for the kinds that ask about it."""
    first, last = question.frames[0].camera, question.frames[-1].camera
    asks = KINDS[question.kind].family == "camera_motion"
    return motion_between(first, last) if asks and first is not None and last is not None else None


def motion_words(motion: Motion) -> list[str]:
    """Say a camera motion in full: the shift [mm] along the axes of the first camera, the turns [deg]."""
    x, y, z = 1000 * motion.shift
    yaw, pitch = float(motion.yaw), float(motion.pitch)
    return [
        f"right {x:+.0f}  down {y:+.0f}  forward {z:+.0f} mm",
        f"yaw {abs(yaw):.1f} {'left' if yaw > 0 else 'right'}  "
        f"pitch {abs(pitch):.1f} {'up' if pitch > 0 else 'down'}",
    ]


def question_pictures(
    question: Question, seed: str = "", width: int = 448, answer: Answer | None = None
) -> list[Picture]:
    """Return the pictures of a question, `width` pixels wide, with what is asked and what is true.

    Dots are drawn as models see them, coordinates as cross-hairs. The truth is a green ring, an arrow for
    the motion of a point, a plan of both cameras for theirs; the last picture says it in words.

    Args:
        question: With pixels in its frames.
        seed: Chooses the colours of the dots; the id of the record.
        width: Of the returned pictures [px].
        answer: A model's, whose pixel is marked.
    """
    pictures = [draw.enlarge(frame.rgb, width / frame.width) for frame in question.frames]
    for mark in truth_marks(question):
        pictures[mark.frame] = _ring(pictures[mark.frame], *_scaled(question, mark, width))
    arrow = truth_arrow(question)
    if arrow is not None:
        ends = np.array(arrow) * width / question.frames[-1].width
        pictures[-1] = draw.arrow(pictures[-1], ends[0], ends[1], TRUTH)
    pictures = drawn(question, pictures, seed)
    for mark in [] if dots(question) else asked_marks(question):
        pictures[mark.frame] = _cross(pictures[mark.frame], *_scaled(question, mark, width))
    for mark in answered_marks(question, answer):
        at, _ = _scaled(question, mark, width)
        pictures[mark.frame] = draw.dot(pictures[mark.frame], at, ANSWERED, radius=5)
    return [*pictures[:-1], _said(pictures[-1], question)]


def _scaled(question: Question, mark: Mark, width: int) -> tuple[Array, str]:
    return np.array(mark.at) * width / question.frames[mark.frame].width, mark.label


def _ring(picture: Picture, at: Array, label: str) -> Picture:
    picture = draw.dot(picture, at, TRUTH, radius=RING, ring=True)
    return draw.text(picture, label, at + (RING + 5, 20), TRUTH, size=0.55) if label else picture


def _cross(picture: Picture, at: Array, label: str) -> Picture:
    """Draw a cross-hair that leaves its middle free, with the coordinates [px] beside it."""
    for extra, shade in ((2, draw.BLACK), (0, ASKED)):
        for direction in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            ends = [np.add(at, np.multiply(direction, reach)) for reach in (3, 9)]
            picture = draw.line(picture, ends[0], ends[1], shade, width=1 + extra)
    return draw.text(picture, label, at + (12, -8), ASKED, size=0.45)


def _said(picture: Picture, question: Question) -> Picture:
    words = [(truth_words(question), TRUTH)] if truth_words(question) else []
    motion = camera_motion(question)
    if motion is not None:
        picture = _plan(picture, motion)
        words += [(line, ASKED) for line in motion_words(motion)]
    return draw.lines(picture, words, size=0.5)


def _plan(picture: Picture, motion: Motion) -> Picture:
    """Draw both cameras from above in the upper right corner: the first white, the second green."""
    side = picture.shape[1] // 4
    corner = np.array([picture.shape[1] - side - 6, 6.0])
    picture = draw.panel(picture, corner, (side, side))
    moved = np.array([motion.shift[0], -motion.shift[2]])
    moved *= 0.55 * side / max(float(np.abs(moved).max()), 0.05)
    start = corner + side / 2 - moved / 2
    picture = draw.arrow(picture, start, start + moved, TRUTH, width=1)
    picture = _wedge(picture, start, 0.0, side * 0.2, ASKED)
    return _wedge(picture, start + moved, float(motion.yaw), side * 0.2, TRUTH)


def _wedge(picture: Picture, at: Array, yaw: float, length: float, shade: Colour) -> Picture:
    """Draw a camera from above: it looks up the picture, or `yaw` degrees to the left of that."""
    angles = np.radians([90 + yaw - 25, 90 + yaw + 25])
    corners = [at, *(at + length * np.stack([np.cos(angles), -np.sin(angles)], axis=1))]
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        picture = draw.line(picture, start, end, shade, width=2)
    return picture


def joined(pictures: Sequence[Picture], per_row: int, gap: int = 6) -> Picture:
    """Lay pictures out on white, so many in a row."""
    width = max(picture.shape[1] for picture in pictures) + gap
    height = max(picture.shape[0] for picture in pictures) + gap
    rows, columns = -(-len(pictures) // per_row), min(per_row, len(pictures))
    sheet = np.full((rows * height - gap, columns * width - gap, 3), 255, np.uint8)
    for number, picture in enumerate(pictures):
        top, left = height * (number // per_row), width * (number % per_row)
        sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return sheet
