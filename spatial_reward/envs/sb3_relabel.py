"""The callback that gives Stable-Baselines3 the final rewards of a late schedule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from stable_baselines3.common.buffers import BaseBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import VecNormalize

from spatial_reward.envs.late import LateReward, LateScorer
from spatial_reward.envs.sb3 import SpatialRewardVecEnv


class RelabelCallback(BaseCallback):  # type: ignore[misc]  # untyped base
    """Let an algorithm learn from the final rewards of "lagged(k)" or "episode", not the provisional ones.

    PPO, A2C and their kin: rewards are set aside during a rollout, and put back when all are final, before
    returns and advantages are computed again. The value of the last observation, which the algorithm adds
    where an episode was truncated, stays. So everything is as with "sync", to the bit,
    where every step is measured; else values between two measurements of a rollout lie on a line.

    SAC, TQC, TD3, DDPG, DQN: each final reward is written to its slot of the replay buffer when it comes.
    Until then, at most k steps, or an episode, the slot holds the provisional reward.

    The logger gets `spatial_reward/held_share`, the share of steps without a new measurement, and
    `spatial_reward/episodes_not_judged`; with a schedule that is not late, that is all it does.

    Args:
        settle: Off-policy: wait for all rewards at the end of every rollout, so that no gradient step ever
            sees a provisional one. With `train_freq` of one step, that is "sync", and "hold" with `every`.
        verbose: As for any callback.
    """

    def __init__(self, settle: bool = False, verbose: int = 0) -> None:
        """Nothing is late yet."""
        super().__init__(verbose)
        self._settles = settle
        self._late: list[LateReward] = []
        self._first = 0  # number of the first step of the rollout
        self._place = -1  # in the replay buffer, of the step taken last

    def _on_training_start(self) -> None:
        """Find the environment and listen to it.

        Raises:
            ValueError: If there is none, or its late rewards would be scaled.
        """
        self._env = _find(self.training_env)
        self._on_policy = isinstance(self.model, OnPolicyAlgorithm)
        self._scorer = self._env.scorer if isinstance(self._env.scorer, LateScorer) else None
        if self._scorer is not None:
            _check_scaling(self.training_env)
            self._late.clear()
            self._others, self._scorer.on_late = _others(self._scorer), self._listen
            if self._on_policy:
                self._remember_returns(self.model.rollout_buffer)

    def _listen(self, late: LateReward) -> None:
        self._late.append(late)
        if self._others is not None:
            self._others(late)

    def _remember_returns(self, buffer: BaseBuffer) -> None:
        """Keep what returns are computed from: not every algorithm tells it to callbacks."""
        compute = type(buffer).compute_returns_and_advantage

        def remembering(*last: Any, **named: Any) -> None:
            self._compute = lambda: compute(buffer, *last, **named)
            self._compute()

        buffer.compute_returns_and_advantage = remembering

    _compute: Callable[[], None]

    def _on_rollout_start(self) -> None:
        self._first = self._env.steps

    def _on_step(self) -> bool:
        if self._scorer is not None and self._on_policy:
            self.locals["rewards"][:] = 0.0
        elif self._scorer is not None:
            self._place = self.model.replay_buffer.pos  # where the algorithm stores this step right after
            self._write(self._env.steps - 1)
        return True

    def _on_rollout_end(self) -> None:
        if self._scorer is not None and self._on_policy:
            self._env.settle()
            self._correct()
        elif self._scorer is not None:
            if self._settles:
                self._env.settle()
            self._write(self._env.steps)
        self.logger.record("spatial_reward/held_share", self._env.tally.held_share)
        self.logger.record("spatial_reward/episodes_not_judged", self._env.tally.missing)

    def _on_training_end(self) -> None:
        if self._scorer is None:
            return
        self._env.settle()
        if self._on_policy:
            del self.model.rollout_buffer.compute_returns_and_advantage  # that of its class again
        else:
            stopped = self.model.replay_buffer.pos == self._place  # before the last step was stored
            self._write(self._env.steps - stopped)
        self._late.clear()
        self._scorer.on_late = self._others

    def _correct(self) -> None:
        """Add the final rewards of the rollout, and compute returns and advantages again."""
        buffer = self.model.rollout_buffer
        for late in self._late:
            if late.step >= self._first:
                buffer.rewards[late.step - self._first, late.slot] += np.float32(late.reward)
        self._late.clear()
        self._compute()

    def _write(self, now: int) -> None:
        """Write final rewards to the replay buffer, in which step number `now` is the next to be stored."""
        buffer, early = self.model.replay_buffer, []
        for late in self._late:
            age = now - late.step
            if age <= 0:
                early.append(late)
            elif age <= buffer.size():
                buffer.rewards[(buffer.pos - age) % buffer.buffer_size, late.slot] = late.reward
        self._late[:] = early


def _others(scorer: LateScorer) -> Any:
    """Return who listens, beyond callbacks of a training that was interrupted."""
    listener = scorer.on_late
    while isinstance(callback := getattr(listener, "__self__", None), RelabelCallback):
        listener = callback._others
    return listener


def _wrappers(env: Any) -> list[Any]:
    """Return the VecEnv wrappers around the rewarded one, itself last; [] if there is none."""
    found = [env]
    while not isinstance(found[-1], SpatialRewardVecEnv):
        if not hasattr(found[-1], "venv"):
            return []
        found.append(found[-1].venv)
    return found


def _find(env: Any) -> SpatialRewardVecEnv:
    found = _wrappers(env)
    if not found:
        raise ValueError(
            "RelabelCallback needs an algorithm on a SpatialRewardVecEnv: use make_vec_env(...)."
        )
    return found[-1]  # type: ignore[no-any-return]  # untyped library


def _check_scaling(env: Any) -> None:
    if any(isinstance(one, VecNormalize) and one.norm_reward for one in _wrappers(env)):
        raise ValueError(
            "VecNormalize(norm_reward=True) would scale provisional rewards, but not the late ones: take "
            "norm_reward=False, or schedule='sync' or 'hold(k)'."
        )
