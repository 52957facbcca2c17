"""A small environment without pictures worth drawing, and models, for tests of schedules."""

import gymnasium as gym
import numpy as np

from spatial_reward import Answer, Camera, Frame, Reference
from spatial_reward.envs.observed import KEY, Observation

GOAL = "near(ball, spot, within=3cm)"
CAMERA = Camera.from_fov(45.0, 4, 4, np.eye(4))


class Line(gym.Wrapper):
    """A ball on a line, seen by its true position: what `Observed` does, without a simulator.

    Episodes are truncated after `limit` steps, and terminated where the ball leaves (-1, 1).
    """

    def __init__(self, limit=7, hide=()):
        super().__init__(_Ball())
        self.limit, self.hide, self.episode, self.count = limit, hide, -1, 0

    def reset(self, *, seed=None, options=None):
        observation, info = self.env.reset(seed=seed)
        self.episode, self.count = self.episode + 1, 0
        missing = "the ball is hidden" if self.episode in self.hide else ""
        spot = Reference("spot", position=np.array([0.0, 0.0, 1.0]))
        references = {} if missing else {"ball": Reference("ball", (2.0, 2.0), self.place()), "spot": spot}
        return observation, {**info, KEY: self.look(references, missing)}

    def step(self, action):
        observation, reward, terminated, _, info = self.env.step(action)
        self.count += 1
        return observation, reward, terminated, self.count >= self.limit, {**info, KEY: self.look(None)}

    def place(self):
        return np.array([float(self.env.x), 0.0, 1.0])

    def look(self, references, missing=""):
        frame = Frame(np.zeros((4, 4, 3), np.uint8), float(self.count), camera=CAMERA)
        truth = {"ball": self.place(), "spot": np.array([0.0, 0.0, 1.0])}
        return Observation(frame, references, truth, missing)


class _Ball(gym.Env):
    observation_space = gym.spaces.Box(-2, 2, (1,), np.float64)
    action_space = gym.spaces.Box(-1, 1, (1,), np.float32)
    x = 0.0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x = self.np_random.uniform(-0.5, 0.5)
        return np.array([self.x]), {}

    def step(self, action):
        self.x += 0.4 * float(action[0]) + self.np_random.normal(0, 0.01)
        return np.array([self.x]), -0.1 * abs(self.x), abs(self.x) > 0.9, False, {}


class Following:
    """The truth plus a drift that depends on `previous`, and sometimes nothing: order matters."""

    name, needs = "following", frozenset({"truth"})

    def __init__(self):
        self.calls = []

    def answer(self, questions):
        self.calls.append(len(questions))
        return [self._answer(question) for question in questions]

    def _answer(self, question):
        if question.frames[-1].time % 5 == 3:
            return Answer.unknown("not seen", "m")
        drift = 0.0 if question.previous is None else 0.1 * question.previous.value[0]
        return Answer(question.answer.value + [0.01 + drift, 0, 0], "m", 0.01)


class Batching(Following):
    """The truth, slowly, in whatever batches come."""

    name, follows = "batching", False

    def _answer(self, question):
        return Answer(question.answer.value, "m", 0.01)
