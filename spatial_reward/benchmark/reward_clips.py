"""A clip: the pictures of an attempt, what is true about it, and the controls made of its pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spatial_reward.benchmark.reward_metrics import spearman_with_time, stretch
from spatial_reward.camera import Array
from spatial_reward.rewards import Goal, Track
from spatial_reward.types import Frame, Reference

Positions = Mapping[str, Array]  # name -> (3,) true world position [m]


@dataclass(frozen=True, eq=False)
class Truth:
    """What is true of each frame: distance to the goal [m], progress and success in [0, 1], each (T,)."""

    distance: Array
    progress: Array
    success: Array


@dataclass(frozen=True, eq=False)
class Clip:
    """An attempt at a goal, filmed.

    Attributes:
        frames: T pictures with cameras and depth.
        goal: What was asked for.
        references: The things of the goal, and what else moves freely, in the first frame.
        positions: Where they are in each frame.
        end_references: The same things in the last frame, as far as they are seen there.
        env: Environment.
        behaviour: What was played.
        seed: Of the layout.
    """

    frames: tuple[Frame, ...]
    goal: Goal
    references: Mapping[str, Reference]
    positions: tuple[Positions, ...]
    end_references: Mapping[str, Reference]
    env: str = ""
    behaviour: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse a clip whose truth is of another length."""
        if not self.frames or len(self.frames) != len(self.positions):
            raise ValueError(
                f"A clip needs frames, and positions of each: got {len(self.frames)}, {len(self.positions)}."
            )

    def truth(self) -> Truth:
        """Judge the true positions by the goal."""
        watch = self.goal.watch(tracks(self.positions[0]))
        verdicts = [watch.see(tracks(positions)) for positions in self.positions]
        return Truth(
            distance=np.array([verdict.distance for verdict in verdicts]),
            progress=np.array([verdict.progress for verdict in verdicts]),
            success=np.array([verdict.success for verdict in verdicts]),
        )

    def motion(self) -> Array:
        """Return the true displacement (T,) [m] of the first thing of the goal that has a pixel; else NaN."""
        name = followed(self)
        if name is None:
            return np.full(len(self.frames), np.nan)
        start = self.positions[0][name]
        return np.array([float(np.linalg.norm(now[name] - start)) for now in self.positions])

    def moving(self) -> slice:
        """Return the frames in which the goal is worked at: from the first motion to the goal."""
        truth = self.truth()
        return stretch(truth.distance, truth.success > 0.5)

    def asked(self, goal: Goal, behaviour: str = "") -> Clip:
        """Return the same pictures with another goal."""
        return replace(self, goal=goal, behaviour=behaviour or self.behaviour)


def followed(clip: Clip) -> str | None:
    """Return the first name of the goal that is followed by a pixel."""
    names = [name for name in clip.goal.names if clip.references[name].pixel is not None]
    return names[0] if names else None


def frozen(clip: Clip) -> Clip:
    """Show the first picture all the time; the clock runs on."""
    pictures = [clip.frames[0]] * len(clip.frames)
    return _retold(clip, pictures, [clip.positions[0]] * len(pictures), "frozen")


def delayed(clip: Clip) -> Clip:
    """Show the first picture for as long as the clip lasts, and then the clip."""
    count = len(clip.frames)
    step = clip.frames[-1].time - clip.frames[-2].time if count > 1 else 1.0
    pictures = [clip.frames[0]] * count + list(clip.frames)
    times = [clip.frames[0].time + step * number for number in range(2 * count)]
    positions = [clip.positions[0]] * count + list(clip.positions)
    return _retold(clip, pictures, positions, "delayed", times)


def reverse(clip: Clip) -> Clip | None:
    """Play backwards: what was done is undone; None where a thing cannot be seen in the last picture."""
    if any(name not in clip.end_references for name in clip.goal.names):
        return None
    turned = _retold(clip, clip.frames[::-1], clip.positions[::-1], "reversed")
    return replace(turned, references=clip.end_references, end_references=clip.references)


def shuffle(clip: Clip, seed: int = 0, tries: int = 200) -> Clip:
    """Show the pictures after the first in an order in which the true distance goes nowhere.

    Of random orders the one is taken whose truth correlates least with time.
    """
    rng, distance = np.random.default_rng(seed), clip.truth().distance
    orders = [np.append(0, 1 + rng.permutation(len(clip.frames) - 1)) for _ in range(tries)]
    trends = [abs(spearman_with_time(distance[order], np.ones(len(order), bool))) for order in orders]
    best = orders[int(np.argmin(np.nan_to_num(trends, nan=2.0)))]
    pictures = [clip.frames[number] for number in best]
    return _retold(clip, pictures, [clip.positions[number] for number in best], "shuffled")


def repainted(
    clip: Clip,
    pictures: Sequence[NDArray[np.uint8]],
    behaviour: str,
    depth: Sequence[NDArray[np.float32] | None] = (),
) -> Clip:
    """Show other pictures of the same things: lighting, colours, an occluder with its own depth."""
    depths = depth or [frame.depth for frame in clip.frames]
    frames = tuple(
        replace(frame, rgb=picture, depth=None if deep is None else deep.astype(np.float32))
        for frame, picture, deep in zip(clip.frames, pictures, depths, strict=True)
    )
    return replace(clip, frames=frames, behaviour=behaviour)


def _retold(
    clip: Clip,
    pictures: Sequence[Frame],
    positions: Sequence[Positions],
    behaviour: str,
    times: Sequence[float] | None = None,
) -> Clip:
    """Give pictures new times, each a frame of its own even where it shows the same."""
    clock = [frame.time for frame in clip.frames] if times is None else times
    frames = tuple(replace(frame, time=float(t)) for frame, t in zip(pictures, clock, strict=True))
    return replace(clip, frames=frames, positions=tuple(positions), behaviour=behaviour)


def tracks(positions: Positions) -> dict[str, Track]:
    """Return exact positions as a goal takes them."""
    return {name: Track(position) for name, position in positions.items()}
