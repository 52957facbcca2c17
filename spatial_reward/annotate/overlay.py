"""A video of an episode with what was measured drawn in, and the curve of the distance below."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from spatial_reward.annotate.columns import REWARD, TRUTH
from spatial_reward.annotate.parts import Part
from spatial_reward.annotate.steps import steps_of
from spatial_reward.camera import Array
from spatial_reward.data.episodes import EpisodeReader
from spatial_reward.data.episodes.video_file import VideoWriter
from spatial_reward.viz import draw
from spatial_reward.viz.blueprint import BLUE, GREY
from spatial_reward.viz.files import partial_file
from spatial_reward.viz.pictures import current_picture
from spatial_reward.viz.step import Step

WIDTH, CURVE, LINE = 448, 112, 28  # [px] of the picture, the curve below, the line of numbers
RATE = 10.0  # frames per second where the dataset states none


def write_overlay(part: Part, reader: EpisodeReader, path: Path) -> Path:
    """Write an H.264 video of the scored frames; return its path."""
    rate = (reader.fps if np.isfinite(reader.fps) else RATE) / int(part.about["stride"])
    table = part.columns([f"{REWARD}potential_m", TRUTH])
    predicted = -np.asarray(table[f"{REWARD}potential_m"], float)
    truth = np.asarray(table.get(TRUTH, np.full(len(predicted), np.nan)), float)
    curve = _curve(predicted, truth)
    partial = partial_file(path)
    whole = partial.with_suffix(".mp4")
    try:
        with VideoWriter(whole, max(rate, 1.0), options={"crf": "20", "preset": "veryfast"}) as video:
            for step in steps_of(part, reader):
                video.add(
                    _even(np.concatenate([current_picture(step, WIDTH), _below(step, curve, len(predicted))]))
                )
        whole.replace(path)
    finally:
        partial.unlink(missing_ok=True)
        whole.unlink(missing_ok=True)
    return path


def _below(step: Step, curve: draw.Picture, count: int) -> draw.Picture:
    """Draw the line of numbers, and a mark in the curve."""
    x = (WIDTH - 1) * step.index / max(1, count - 1)
    marked = draw.line(curve, (x + 0.5, 0), (x + 0.5, CURVE), draw.WHITE, width=1)
    strip = np.zeros((LINE, WIDTH, 3), np.uint8)
    signal = step.signal
    words = (
        "not found"
        if not signal.valid
        else (
            f"{1000 * step.predicted:.0f} +- {1000 * signal.std:.0f} mm, {signal.progress:.0%} done, "
            f"success {signal.success:.0%}"
        )
    )
    strip = draw.text(strip, words, (6, 20), draw.WHITE if signal.valid else draw.RED, size=0.5)
    return np.concatenate([strip, marked])


def _curve(predicted: Array, truth: Array) -> draw.Picture:
    """Draw the distances over the whole episode: true in grey, predicted in blue."""
    picture = np.full((CURVE, WIDTH, 3), 24, np.uint8)
    known = np.concatenate([predicted, truth])
    known = known[np.isfinite(known)]
    top = float(known.max()) if len(known) and known.max() > 0 else 1.0
    for values, shade in ((truth, GREY), (predicted, BLUE)):
        for first, second in _joined(values):
            start, end = (_place(step, values[step], len(values), top) for step in (first, second))
            picture = draw.line(picture, start, end, shade)
    return picture


def _joined(values: Array) -> Sequence[tuple[int, int]]:
    """Return pairs of neighbouring known values, at most one for each column of the picture."""
    known = np.flatnonzero(np.isfinite(values))
    known = known[:: max(1, len(values) // WIDTH)]
    return [(int(a), int(b)) for a, b in pairwise(known)]


def _place(step: int, value: float, count: int, top: float) -> tuple[float, float]:
    return (WIDTH - 1) * step / max(1, count - 1) + 0.5, 6 + (CURVE - 12) * (1 - value / top)


def _even(picture: draw.Picture) -> draw.Picture:
    """Return a picture of an even size, as the codec needs it."""
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)))
