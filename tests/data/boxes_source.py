"""A small source of exact scenes for tests: points on boxes, one of which moves, seen by a moving camera."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np

from spatial_reward.camera import Camera, look_at
from spatial_reward.data.sources import BadScene, unread
from spatial_reward.types import Frame, Scene

SIZE = (96, 64)


class Boxes:
    """Scenes of a room with three boxes, one of which moves, before a camera that moves half of the time.

    Scenes named in `bad` are refused; `trace` is a folder where each load leaves a file.
    """

    name = "boxes"

    def __init__(
        self, scenes=3, frames=12, points=40, bad=(), odd_names=False, slow=0.0, depth=False, trace=None
    ):
        self._names = [f"a/room {i}" if odd_names else f"room{i}" for i in range(scenes)]
        self._frames, self._points, self._bad, self._slow = frames, points, tuple(bad), slow
        self._depth, self._trace = depth, trace

    def scenes(self):
        return self._names

    def load(self, scene):
        if scene in self._bad:
            raise BadScene("no camera poses", f"{scene} lacks them")
        if self._trace:
            (Path(self._trace) / scene.replace("/", "_")).touch()
        time.sleep(self._slow)
        rng = np.random.default_rng(self._names.index(scene))
        points, body = self._tracks(rng)
        cameras = [self._camera(index, rng) for index in range(self._frames)]
        frames = tuple(self._frame(camera, index) for index, camera in enumerate(cameras))
        pixels = [camera.project(now)[0] for camera, now in zip(cameras, points, strict=True)]
        visible = np.stack([camera.contains(one) for camera, one in zip(cameras, pixels, strict=True)])
        visible &= rng.random(visible.shape) < 0.9
        return Scene(frames, points, visible, body, ("shelf", "table", "toy car"))

    def picture(self, scene, frame):
        rng = np.random.default_rng([self._names.index(scene), frame])
        picture = rng.integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
        return cv2.imencode(".jpg" if frame % 2 else ".png", picture)[1].tobytes()

    def _tracks(self, rng):
        body = np.repeat([0, 1, 2], self._points)
        centre = np.array([[-0.5, 0.4, 0.3], [0.5, 0.3, 0.2], [0.0, -0.3, 0.1]])
        size = np.array([[0.3, 0.2, 0.5], [0.4, 0.6, 0.3], [0.2, 0.1, 0.1]])
        start = centre[body] + rng.uniform(-0.5, 0.5, (len(body), 3)) * size[body]
        points = np.repeat(start[None], self._frames, axis=0)
        third = self._frames // 3  # the toy car drives in the second third, the camera moves in the last
        drive = np.clip(np.arange(self._frames) - third, 0, third) * 0.03
        points[:, body == 2, 0] += drive[:, None]
        return points, body

    def _camera(self, index, rng):
        eye, target = np.array([0, -2.2, 1.0]), np.array([0, 0, 0.2])
        if index > 2 * self._frames // 3:
            eye, target = eye + rng.uniform(-0.5, 0.5, 3), target + rng.uniform(-0.2, 0.2, 3)
        return Camera.from_fov(50, *SIZE, look_at(eye, target))

    def _frame(self, camera, index):
        depth = np.full((SIZE[1], SIZE[0]), 1.5 + index, np.float32) if self._depth else None
        bodies = np.full((SIZE[1], SIZE[0]), index % 3, np.int32) if self._depth else None
        return Frame(unread(*SIZE), time=index / 10, view="main", camera=camera, depth=depth, bodies=bodies)
