"""A closer look: windows of pictures at their full resolution, around what is followed."""

from __future__ import annotations

from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np

from spatial_reward.camera import Array, Camera
from spatial_reward.types import Answer, Frame, PixelPoint, Question

ROOM = 3.0  # sides of a body that a window is wide,
WIDEST = 1.5  # but no wider than this many sides of what the network sees: of a large body a part will do
PAYS = 0.8  # of a picture's shorter side, beyond which a window shows hardly more

Corner = tuple[int, int]


class Windows:
    """Cut windows, each once, so that it is encoded once.

    Args:
        size: Side of the pictures that the network sees [px], under which a window shows no more.
    """

    def __init__(self, size: int) -> None:
        """Remember nothing yet."""
        self.size = size
        self._known: WeakKeyDictionary[Frame, dict[tuple[int, Corner], Frame]] = WeakKeyDictionary()

    def side(self, frame: Frame, area: float) -> int | None:
        """Return the side [px] of a window on a body of an area [px^2]; None if it would show hardly more."""
        return window_side(area, self.size, min(frame.width, frame.height))

    def cut(self, frame: Frame, middle: Array, side: int) -> tuple[Frame, Corner]:
        """Cut a window around a pixel; return it, without depth, and its corner [px]."""
        room = np.array([frame.width, frame.height]) - side
        x, y = np.clip(np.round(np.asarray(middle, float) - side / 2), 0, room).astype(int).tolist()
        known = self._known.setdefault(frame, {})
        if (side, (x, y)) not in known:
            rgb = np.ascontiguousarray(frame.rgb[y : y + side, x : x + side])
            known[side, (x, y)] = Frame(rgb, frame.time, frame.view, _cropped(frame.camera, x, y, side))
        return known[side, (x, y)], (x, y)


def window_side(area: float, size: int, whole: int) -> int | None:
    """Return the side [px] of a window on a body of an area [px^2]; None if it would show hardly more.

    Args:
        area: Of the body in the picture.
        size: Side of the pictures that the network sees [px].
        whole: The picture's shorter side [px].
    """
    side = int(np.clip(ROOM * np.sqrt(area), size, WIDEST * size))
    return side if side <= PAYS * whole else None


def closer(windows: Windows, question: Question, match: Array, side: int) -> tuple[Question, Corner]:
    """Ask about windows around the first point and around where it may be; return the second's corner.

    Args:
        windows: That cut them.
        question: About the first of its points in two frames.
        match: (2,) pixel of the last frame.
        side: Of the windows [px].
    """
    point, previous = question.points[0], question.previous
    first, (x, y) = windows.cut(question.frames[0], np.array([point.x, point.y]), side)
    second, corner = windows.cut(question.frames[-1], match, side)
    if previous is not None and previous.match is not None:
        previous = shifted(previous, (-corner[0], -corner[1]))
    moved = (PixelPoint(point.x - x, point.y - y, 0),)
    return replace(question, frames=(first, second), points=moved, previous=previous), corner


def shifted(answer: Answer, corner: Corner) -> Answer:
    """Return an answer about a window as one about the picture that it was cut from."""
    if answer.unit == "px" and answer.value is not None:
        answer = replace(answer, value=np.asarray(answer.value, float) + corner)
    if answer.match is None:
        return answer
    return replace(answer, match=(answer.match[0] + corner[0], answer.match[1] + corner[1]))


def _cropped(camera: Camera | None, x: int, y: int, side: int) -> Camera | None:
    if camera is None:
        return None
    intrinsics = camera.intrinsics.copy()
    intrinsics[:2, 2] -= (x, y)
    return Camera(intrinsics, camera.world_from_camera, side, side)
