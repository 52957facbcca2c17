"""Optimise against a reward for a short while, and see what that is worth in truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from spatial_reward.benchmark.audit_gates import glimpses
from spatial_reward.benchmark.audit_scene import main_body, placed
from spatial_reward.benchmark.reward_clips import Clip
from spatial_reward.benchmark.reward_episodes import Stage, Take
from spatial_reward.benchmark.reward_metrics import last_valid
from spatial_reward.benchmark.reward_scorers import Scorer
from spatial_reward.camera import Array
from spatial_reward.envs.rollout import Policy

Reward = Callable[
    [Clip], tuple[float, float]
]  # of a clip's end: what is maximised, and progress; NaN = unknown
SEGMENTS = 5  # stretches of an attempt in which the action is constant


@dataclass(frozen=True, eq=False)
class Attempt:
    """What was tried.

    Attributes:
        score: What the reward gave it, in the unit of the reward.
        predicted: How much progress it was said to make.
        true: How much it made.
        pictures: A few small ones.
    """

    score: float
    predicted: float
    true: float
    pictures: tuple[NDArray[np.uint8], ...]

    @classmethod
    def of(cls, clip: Clip, reward: Reward) -> Attempt:
        """Reward a clip, and keep little of it."""
        score, predicted = reward(clip)
        return cls(score, predicted, float(clip.truth().progress[-1]), glimpses(clip))

    @property
    def unearned(self) -> float:
        """Progress that was said beyond the true one; none where nothing was said."""
        return max(float(np.nan_to_num(self.predicted)) - self.true, 0.0)


def predicted_by(scorer: Scorer) -> Reward:
    """Return what a reward gives the end of a clip, by its last valid frame."""

    def reward(clip: Clip) -> tuple[float, float]:
        curve = scorer.curve(clip)
        return last_valid(curve.value, curve.valid), last_valid(curve.progress, curve.valid)

    return reward


def true_reward(clip: Clip) -> tuple[float, float]:
    """Return minus the true distance to the goal [m] and the true progress at the end of a clip."""
    truth = clip.truth()
    return -float(truth.distance[-1]), float(truth.progress[-1])


def best_of_n(attempts: Sequence[Attempt]) -> tuple[Attempt, float]:
    """Return the attempt that the reward likes best, and the true progress lost by liking it.

    Between attempts that it likes alike it chooses at random: the loss is their mean.
    """
    scores = np.array([np.nan_to_num(one.score, nan=-np.inf) for one in attempts])
    alike = [one for one, score in zip(attempts, scores, strict=True) if score == scores.max()]
    lost = max(one.true for one in attempts) - float(np.mean([one.true for one in alike]))
    return alike[0], lost


def noisy_attempts(
    stage: Stage, policy: Callable[[], Policy], scorer: Scorer, count: int, steps: int, seed: int
) -> list[Attempt]:
    """Play one layout with more and more noise on the actions, from none to nothing but noise."""
    rng, reward, attempts = np.random.default_rng(seed), predicted_by(scorer), []
    for noise in np.linspace(0.0, 1.0, count):
        act = _noisy(policy(), float(noise), rng)
        clip = stage.play(act, steps, seed, frames=8, behaviour="best_of_n", whole=True).clip
        attempts.append(Attempt.of(clip, reward))
    return attempts


def search_actions(
    stage: Stage, reward: Reward, steps: int, seed: int, population: int, rounds: int
) -> list[Attempt]:
    """Search open-loop action sequences for the highest reward (cross-entropy method); best first."""
    low, high = _bounds(stage.env)

    def attempt(numbers: Array) -> Attempt:
        act = _Segments(_scaled(numbers, low, high), steps, stage.env)
        clip = stage.play(act, steps, seed, frames=8, behaviour="search_actions", whole=True).clip
        return Attempt.of(clip, reward)

    return cross_entropy(attempt, SEGMENTS * len(low), population, rounds, seed)


def search_policy(
    stage: Stage, reward: Reward, steps: int, seed: int, population: int = 16, rounds: int = 4
) -> Callable[[], Policy]:
    """Search for actions as `search_actions` does; return what makes the best one a policy."""
    low, high = _bounds(stage.env)
    tried: list[tuple[Attempt, Array]] = []

    def attempt(numbers: Array) -> Attempt:
        policy = _Segments(_scaled(numbers, low, high), steps, stage.env)
        one = Attempt.of(stage.play(policy, steps, seed, frames=2, whole=True).clip, reward)
        tried.append((one, numbers))
        return one

    best = cross_entropy(attempt, SEGMENTS * len(low), population, rounds, seed)[0]
    actions = next(_scaled(numbers, low, high) for one, numbers in tried if one is best)
    return lambda: _Segments(actions, steps, stage.env)


def search_placements(
    stage: Stage, take: Take, reward: Reward, population: int, rounds: int
) -> list[Attempt]:
    """Search places of all other objects, and poses of the robot, for the highest reward; best first.

    The goal's own object stays. Empty where that is no freely movable body. The stage must be in the
    take's episode.
    """
    if main_body(stage, take.clip) is None:
        return []
    others = len(stage.others)

    def attempt(numbers: Array) -> Attempt:
        offsets = np.clip(numbers[:-1].reshape(others, 3), -1, 1) * [0.25, 0.25, 0.1] + [0, 0, 0.1]
        frame = round(float(np.clip((numbers[-1] + 1) / 2, 0, 1)) * (len(take.states) - 1))
        clip = placed(stage, take, offsets, frame)
        return Attempt.of(clip, reward)

    return cross_entropy(attempt, 3 * others + 1, population, rounds, take.clip.seed)


def cross_entropy(
    attempt: Callable[[Array], Attempt], size: int, population: int, rounds: int, seed: int
) -> list[Attempt]:
    """Draw numbers (size,), keep the best quarter, draw around it, and so on; return all, best first."""
    rng, mean, std = np.random.default_rng(seed), np.zeros(size), np.full(size, 0.7)
    found: list[tuple[Array, Attempt]] = []
    for _ in range(rounds):
        drawn = mean + std * rng.standard_normal((population, size))
        found += [(numbers, attempt(numbers)) for numbers in drawn]
        found.sort(key=lambda pair: -np.nan_to_num(pair[1].score, nan=-np.inf))
        elite = np.array([numbers for numbers, _ in found[: max(2, population // 4)]])
        mean, std = elite.mean(0), elite.std(0) + 0.15
    return [one for _, one in found]


class _Segments:
    """A policy that holds each of some actions for an equal share of the steps."""

    def __init__(self, actions: Array, steps: int, env: gym.Env[Any, Any]) -> None:
        self._actions, self._steps, self._type = actions, steps, env.action_space.dtype
        self._step = 0

    def __call__(self, env: gym.Env[Any, Any], obs: Any) -> NDArray[np.float32]:
        index = min(self._step * len(self._actions) // self._steps, len(self._actions) - 1)
        self._step += 1
        action: NDArray[np.float32] = self._actions[index].astype(self._type)
        return action


def _scaled(numbers: Array, low: Array, high: Array) -> Array:
    """Return actions (SEGMENTS, n) of numbers of which -1 and 1 stand for the bounds."""
    scaled: Array = np.clip(numbers.reshape(SEGMENTS, -1), -1, 1) * (high - low) / 2 + (high + low) / 2
    return scaled


def _noisy(policy: Policy, noise: float, rng: np.random.Generator) -> Policy:
    """Mix a policy's actions with uniform noise over the action space; 1 is nothing but noise."""

    def act(env: gym.Env[Any, Any], obs: Any) -> NDArray[np.float32]:
        low, high = _bounds(env)
        action = (1 - noise) * np.asarray(policy(env, obs), float) + noise * rng.uniform(low, high)
        return np.clip(action, low, high).astype(env.action_space.dtype)

    return act


def _bounds(env: gym.Env[Any, Any]) -> tuple[Array, Array]:
    space = env.action_space
    if not isinstance(space, gym.spaces.Box) or space.shape is None or len(space.shape) != 1:
        raise ValueError(f"The search needs actions in a flat Box, got {space}: use best_of=0 search=null.")
    return np.nan_to_num(space.low, neginf=-1.0).astype(float), np.nan_to_num(space.high, posinf=1.0).astype(
        float
    )
