"""One face for everything that rewards: a measuring model behind a judge, or a scorer of whole clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spatial_reward.benchmark.loading import load
from spatial_reward.benchmark.reward_clips import Clip, followed
from spatial_reward.benchmark.reward_words import in_words
from spatial_reward.camera import Array
from spatial_reward.models.clock import ClipScorer
from spatial_reward.models.oracle import Oracle
from spatial_reward.rewards import Judge
from spatial_reward.types import Frame, Model, Signal, uses_depth

NOISE = {"m": 0.003, "1": 0.01}  # changes of a curve in metres, of one in [0, 1], that rank nothing
CLIP_SCORERS = {
    "clock": "clock.Clock",
    "constant": "clock.Constant",
    "clip": "clip_reward.ClipReward",
    "log_probability": "log_probability.LogProbability",
    "robometer": "robometer_client.RobometerClient",
}


@dataclass(frozen=True, eq=False)
class Curve:
    """What a reward says of each frame of a clip, each (T,); NaN where it says nothing.

    Attributes:
        potential: Minus the distance to the goal [m]; NaN throughout for rewards without a unit.
        progress: In [0, 1].
        success: Probability that the goal is reached; NaN throughout for rewards without an opinion.
        std: Of the potential [m].
        valid: Whether the frame's values may be used.
        motion: Displacement that was measured of the goal's first followed thing [m].
        latency: Of the frame [s].
    """

    potential: Array
    progress: Array
    success: Array
    std: Array
    valid: NDArray[np.bool_]
    motion: Array
    latency: Array

    @property
    def metric(self) -> bool:
        """Whether the reward measures in metres."""
        return bool(np.isfinite(self.potential).any())

    @property
    def value(self) -> Array:
        """What is ranked: the potential, which knows no bounds, else the progress."""
        return self.potential if self.metric else self.progress

    @property
    def noise(self) -> float:
        """Change of `value` that ranks nothing."""
        return NOISE["m" if self.metric else "1"]

    @property
    def verdict(self) -> Array:
        """What tells success: its probability, else the progress."""
        return self.success if np.isfinite(self.success).any() else self.progress


class Scorer(Protocol):
    """Anything that rewards clips.

    Attributes:
        name: Shown in tables.
    """

    name: str

    def curve(self, clip: Clip) -> Curve:
        """Say of every frame how far the goal of the clip is reached."""
        ...


class Judged:
    """A model that answers questions, behind the judge: as in the environment's wrapper.

    It is given the depth and the truth only where it says that it needs them.
    """

    def __init__(self, model: Model, name: str = "") -> None:
        """Keep the model."""
        self.model, self.name = model, name or model.name

    def reseed(self, seed: Sequence[int]) -> None:
        """Let a noisy model begin anew, so that what it says of clips does not depend on earlier ones."""
        if isinstance(self.model, Oracle):
            self.model.reseed(seed)

    def curve(self, clip: Clip) -> Curve:
        """Judge one frame after the other."""
        judge, informed = Judge(clip.goal), "truth" in self.model.needs
        frames = [self._shown(frame) for frame in clip.frames]
        judge.reset(frames[0], clip.references, clip.positions[0] if informed else None)
        signals, latency = [], []
        for frame, positions in zip(frames, clip.positions, strict=True):
            begin = perf_counter()
            questions = judge.questions(frame, positions if informed else None)
            signals.append(judge.signal(self.model.answer(questions) if questions else []))
            latency.append(perf_counter() - begin)
        return _judged(signals, followed(clip), latency)

    def _shown(self, frame: Frame) -> Frame:
        return frame if uses_depth(self.model) else replace(frame, depth=None)


class Watched:
    """A scorer of clips, given pictures and words alone."""

    def __init__(self, scorer: ClipScorer, name: str = "") -> None:
        """Keep the scorer."""
        self.scorer, self.name = scorer, name or scorer.name

    def curve(self, clip: Clip) -> Curve:
        """Score the whole clip at once.

        Raises:
            ValueError: If the scorer does not give one number per frame.
        """
        begin, count = perf_counter(), len(clip.frames)
        pictures = [replace(frame, depth=None) for frame in clip.frames]
        said: Any = self.scorer.score(pictures, in_words(clip.goal))
        progress, success = said if isinstance(said, tuple) else (said, None)
        progress = np.asarray(progress, float)
        success = np.full(count, np.nan) if success is None else np.asarray(success, float)
        if progress.shape != (count,) or success.shape != (count,):
            raise ValueError(
                f"{self.name!r} must give one number for each of {count} frames, got {progress.shape}."
            )
        unknown = np.full(count, np.nan)
        each = np.full(count, (perf_counter() - begin) / count)
        return Curve(unknown, progress, success, unknown, np.isfinite(progress), unknown, each)


def load_scorer(config: Mapping[str, Any]) -> Scorer:
    """Load what a configuration describes: `name`, and its options; `title` is what tables show.

    The name is one of `CLIP_SCORERS`, or what `benchmark.loading.load` knows, or "module:attribute" of
    yours, which makes (or is) a model with `answer`, or a scorer of clips with `score` or `curve`.

    Raises:
        ValueError: If there is no such thing.
    """
    options = {key: value for key, value in config.items() if key not in ("name", "title")}
    missing = [key for key, value in options.items() if value == "???"]
    if missing:
        raise ValueError(f"{config['name']!r} needs {', '.join(f'model.{key}=...' for key in missing)}.")
    name, title = str(config["name"]), str(config.get("title") or "")
    if name in CLIP_SCORERS:
        module, _, attribute = CLIP_SCORERS[name].partition(".")
        made = getattr(import_module(f"spatial_reward.models.{module}"), attribute)(**options)
        return Watched(made, title)
    return as_scorer(load({"name": name, **options}), title or _title(name, options))


def as_scorer(thing: Any, name: str = "") -> Scorer:
    """Return a scorer of anything that answers questions, scores clips, or is one already.

    Raises:
        TypeError: If it does nothing of that.
    """
    if hasattr(thing, "curve"):
        scorer: Scorer = thing
        return scorer
    if hasattr(thing, "score"):
        return Watched(thing, name or getattr(thing, "name", type(thing).__name__))
    if hasattr(thing, "answer"):
        return Judged(thing, name)
    raise TypeError(f"{thing!r} neither answers questions (`answer`) nor scores clips (`score`).")


def _title(name: str, options: Mapping[str, Any]) -> str:
    """Tell apart what differs in its options alone; without measured depth, it gets pictures only."""
    if name == "spatialnet":
        return "spatialnet RGB-D" if options.get("depth") == "measured" else "spatialnet RGB"
    return f"oracle noise={options['noise']}" if name == "oracle" and options.get("noise") else ""


def _judged(signals: list[Signal], name: str | None, latency: list[float]) -> Curve:
    return Curve(
        potential=np.array([signal.potential for signal in signals]),
        progress=np.array([signal.progress for signal in signals]),
        success=np.array([signal.success for signal in signals]),
        std=np.array([signal.std for signal in signals]),
        valid=np.array([signal.valid for signal in signals], bool),
        motion=np.array([_length(signal, name) for signal in signals]),
        latency=np.array(latency),
    )


def _length(signal: Signal, name: str | None) -> float:
    answer = signal.answers.get(name or "")
    if answer is None or not isinstance(answer.value, np.ndarray):
        return float("nan")
    return float(np.linalg.norm(answer.value))
