"""Small recorded episodes for tests: a textured block that slides over a textured table, seen from above."""

import numpy as np

from spatial_reward.camera import Camera, look_at
from spatial_reward.data.episodes.rollout import Rollout
from spatial_reward.types import Answer, Frame, Reference

FPS = 10
SIZE = 96
HEIGHT, TOP = 1.0, 0.05  # [m] of the camera, and of the block's top
TASK, GOAL = "push the block to the mark", "near(block, mark, within=2cm)"
MARK = (0.12, 0.05, TOP)


def camera(side=0.0, size=SIZE):
    eye = (side, -0.001, HEIGHT)
    return Camera.from_fov(50.0, size, size, look_at(eye, (side, 0.0, 0.0), up=(0, 1, 0)))


def rollout(seed=0, length=16, cameras=("front", "side"), size=SIZE, task=TASK):
    """The block moves from the left towards the mark; its truth is beside."""
    rng = np.random.default_rng(seed)
    table = rng.integers(60, 120, (size // 4, size // 4, 3)).repeat(4, 0).repeat(4, 1).astype(np.uint8)
    block = rng.integers(120, 250, (6, 6, 3)).repeat(4, 0).repeat(4, 1).astype(np.uint8)
    places = np.stack([np.linspace(-0.15, 0.1, length), np.full(length, 0.05), np.full(length, TOP)], 1)
    frames = {
        name: [
            _frame(table, block, place, camera(0.05 * number, size), step / FPS, name)
            for step, place in enumerate(places)
        ]
        for number, name in enumerate(cameras)
    }
    columns = {
        "observation.state": places.astype(np.float32),
        "action": np.diff(places, axis=0, append=places[-1:]).astype(np.float32),
        "next.reward": -np.linalg.norm(places - MARK, axis=1).astype(np.float32),
        "next.done": np.arange(length) == length - 1,
        "truth.distance_m": np.linalg.norm(places - MARK, axis=1).astype(np.float32),
    }
    references = {name: _references(places[0], frames[name][0].camera) for name in cameras}
    return Rollout(frames, task, columns, references, GOAL)


def _references(place, seen_by):
    pixel, _ = seen_by.project(place)
    return {
        "block": Reference("block", (float(pixel[0]), float(pixel[1])), place),
        "mark": Reference("mark", position=np.array(MARK)),
    }


def _frame(table, block, place, seen_by, time, view):
    rgb, depth = table.copy(), np.full(table.shape[:2], HEIGHT, np.float32)
    column, row = np.floor(seen_by.project(place)[0]).astype(int) - len(block) // 2
    rgb[row : row + len(block), column : column + len(block)] = block
    depth[row : row + len(block), column : column + len(block)] = HEIGHT - TOP
    return Frame(rgb, time, view, seen_by, depth)


class Still:
    """A model that answers at once that nothing has moved; every so many answers, that it does not know."""

    name, needs = "still", frozenset()

    def __init__(self, lose=()):
        self.lose, self.asked, self.batches = set(lose), 0, []

    def answer(self, questions):
        self.batches.append(len(questions))
        return [self._one(question) for question in questions]

    def _one(self, question):
        self.asked += 1
        if round(question.frames[-1].time * FPS) in self.lose:
            return Answer.unknown("lost", "m", self.name)
        if question.kind.startswith("depth"):
            return Answer(HEIGHT, "m", 0.01)
        zero = np.zeros(3)
        return Answer(zero, "m", zero + 0.001, covariance=1e-6 * np.eye(3), match=question.points[0][:2])
