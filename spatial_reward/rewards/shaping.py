"""From signals to rewards: potential-based shaping that telescopes exactly, and simpler rewards."""

from __future__ import annotations

import difflib
from math import isfinite
from typing import Literal, NamedTuple, get_args

from spatial_reward.types import Signal

Mode = Literal["shaping", "delta", "progress", "success", "metric"]
Uncertainty = Literal["hold", "lcb", "env", "none"]

# Which field of a signal a mode is made of.
USED: dict[Mode, str] = {
    "shaping": "potential",
    "metric": "potential",
    "delta": "progress",
    "progress": "progress",
    "success": "success",
}


class Reward(NamedTuple):
    """What the learner gets: `env_weight * env_reward + extra`; `held`: it has no measurement of its own."""

    total: float
    extra: float
    held: bool


class Shaping:
    """Turn the signals of an episode into rewards: `reset`, then `step` for every step.

    With w = `weight` and x the value used for a frame (the potential Phi [m], the progress, or the success
    probability), the extra reward of the step from s to s' is

    - "shaping": w (gamma Phi(s') - Phi(s)), with Phi(s') = 0 where the episode terminates and kept where
      it is truncated;
    - "delta": w (progress(s') - progress(s));
    - "progress", "success", "metric": w times progress(s'), success(s'), or Phi(s').

    The number used as Phi(s') of one step is the very number used as Phi(s) of the next. So with any
    noise, and whatever was held, an episode of T steps sums up exactly:

        sum_t gamma^t extra_t = w (gamma^T Phi_T - Phi_0),

    with Phi_T = 0 after termination. If the first usable measurement comes at step k only (after k steps
    without any), all extra rewards up to and including the one of the step that leads to it are 0 and the
    sum is w (gamma^T Phi_T - gamma^k Phi_k): the identity above with Phi_0 := gamma^k Phi_k, so nothing
    jumps. An episode that ends before that has no extra reward at all.

    A measurement is unusable where the signal is missing or invalid, or by `uncertainty`:

    - "hold": where its std exceeds `max_std`; the value used last is used again;
    - "env": the same, but the extra reward of such a step is exactly 0. To telescope all the same,
      shaping carries Phi / gamma as the value of s', and settles the difference at the next usable frame;
      "delta" carries the progress. A terminated step is not uncertain (Phi(s') = 0): it is paid out;
    - "lcb": potentials count as Phi - `beta` std; unusable are those of unknown std;
    - "none": every valid measurement is used as it is.

    A step that was not judged counts as one without a usable measurement, unless it is given a `value`, as
    late schedules do.

    Args:
        mode: One of the above.
        gamma: Discount of the learner; the shaped and the plain problem agree only for the same.
        weight: Reward per metre, or per unit of progress or success.
        env_weight: Of the environment's reward.
        uncertainty: One of the above.
        max_std: Of the potential [m].
        beta: Standard deviations below the potential.

    Raises:
        ValueError: If a name is unknown, a number out of range, or "lcb" asked of a mode without metres.
    """

    def __init__(
        self,
        mode: Mode = "shaping",
        *,
        gamma: float = 0.99,
        weight: float = 1.0,
        env_weight: float = 1.0,
        uncertainty: Uncertainty = "hold",
        max_std: float = 0.05,
        beta: float = 1.0,
    ) -> None:
        """Check everything once."""
        _choose("reward", mode, get_args(Mode))
        _choose("uncertainty", uncertainty, get_args(Uncertainty))
        if not 0 < gamma <= 1:
            raise ValueError(f"`gamma` must lie in (0, 1], the discount of your learner, got {gamma}.")
        _not_negative(weight=weight, env_weight=env_weight, max_std=max_std, beta=beta)
        if uncertainty == "lcb" and mode not in ("shaping", "metric"):
            raise ValueError(
                f"uncertainty='lcb' lowers a potential in metres, which reward={mode!r} does not use: "
                "take reward='shaping' or 'metric', or uncertainty='hold'."
            )
        self.mode, self.gamma, self.weight, self.env_weight = mode, gamma, weight, env_weight
        self.uncertainty, self.max_std, self.beta = uncertainty, max_std, beta
        self.value: float | None = None  # used for the frame seen last; None before the first usable one

    def reset(self, signal: Signal | None = None) -> bool:
        """Begin an episode with the signal of its first frame; return whether it could be used."""
        self.value = self._read(signal)
        return self.value is not None

    def step(
        self,
        signal: Signal | None,
        env_reward: float,
        *,
        terminated: bool = False,
        value: float | None = None,
    ) -> Reward:
        """Return the reward of a step that led to a frame with this signal; None: it was not judged.

        A step that was not judged may be given a `value` to use all the same, such as one of `line`.
        """
        measured = self._read(signal)
        extra = self.weight * self._extra(measured if value is None else value, terminated)
        return Reward(self.env_weight * env_reward + extra, extra, measured is None)

    def line(self, signal: Signal | None, count: int) -> list[float | None]:
        """Return values for steps between the frame seen last and the one of this signal, on a line.

        None each, so that the last value is held, where there is no value at either end.
        """
        before, after = self.value, self._read(signal)
        if before is None or after is None:
            return [None] * count
        return [before + (after - before) * number / (count + 1) for number in range(1, count + 1)]

    def _read(self, signal: Signal | None) -> float | None:
        """Return the value that the mode takes from a signal; None where it must not be used."""
        if signal is None or not signal.valid:
            return None
        value: float = getattr(signal, USED[self.mode])
        if self.uncertainty == "lcb":
            value = value - self.beta * signal.std
        too_uncertain = self.uncertainty in ("hold", "env") and signal.std > self.max_std
        return float(value) if isfinite(value) and not too_uncertain else None

    def _extra(self, fresh: float | None, terminated: bool) -> float:
        before = self.value
        if self.mode not in ("shaping", "delta"):
            return self._level(fresh)
        if before is None:
            self.value = fresh
            return 0.0
        gamma = self.gamma if self.mode == "shaping" else 1.0
        if self.mode == "shaping" and terminated:
            self.value = 0.0
        elif fresh is not None:
            self.value = fresh
        elif self.uncertainty == "env":
            self.value = before / gamma
            return 0.0
        return gamma * self._now() - before

    def _level(self, fresh: float | None) -> float:
        """Return the value itself; where it is unusable, the last one or nothing."""
        if fresh is not None:
            self.value = fresh
        elif self.uncertainty == "env":
            return 0.0
        return self._now()

    def _now(self) -> float:
        return 0.0 if self.value is None else self.value


def _choose(argument: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        near = difflib.get_close_matches(str(value), known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"`{argument}` must be one of {', '.join(known)}, got {value!r}.{hint}")


def _not_negative(**numbers: float) -> None:
    for name, number in numbers.items():
        if not (isfinite(number) and number >= 0):
            raise ValueError(f"`{name}` must be a finite number that is not negative, got {number}.")
