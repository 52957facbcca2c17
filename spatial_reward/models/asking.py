"""What a measuring model must know of a question before it looks."""

from __future__ import annotations

from numbers import Real

import numpy as np

from spatial_reward.types import Frame, Question


def fault(question: Question) -> str:
    """Say what is wrong with a point of a question; nothing for none."""
    for point in question.points:
        if not 0 <= point.frame < len(question.frames):
            return f"Point {tuple(point)} is in frame {point.frame}, of {len(question.frames)}."
        frame = question.frames[point.frame]
        if not (0 <= point.x <= frame.width and 0 <= point.y <= frame.height):  # nor is NaN
            return f"Pixel ({point.x}, {point.y}) is outside the picture, {frame.width} x {frame.height}."
    return ""


def ends(question: Question) -> tuple[Frame, Frame]:
    """Return the first and the last frame."""
    return question.frames[0], question.frames[-1]


def same_pose(first: Frame, second: Frame) -> bool:
    """Tell whether the camera has stayed where it was."""
    if first.camera is None or second.camera is None:
        return False
    return np.array_equal(first.camera.world_from_camera, second.camera.world_from_camera)


def number(value: object) -> float:
    """Return a number; NaN for what is none."""
    return float(value) if isinstance(value, Real) else float("nan")
