"""Pictures of the answers that are most wrong: where a point was, where it went, where it was seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.models.spatialnet import SpatialNet
from spatial_reward.training.spatialnet_trials import Trial
from spatial_reward.types import Answer

WIDTH, COLUMNS = 256, 3  # [px] of a picture, and pairs in a row
ASKED, TRUE, FOUND = (255, 255, 0), (0, 255, 0), (255, 0, 0)  # colours of the marks


def write_failures(path: Path, weights: Path | None, trials: Sequence[Trial], count: int = 12) -> None:
    """Write a sheet of the valid answers about objects with the largest errors; each row says by how much.

    Args:
        path: A .png file.
        weights: Folder of a model; None is that of the package.
        trials: To choose from.
        count: Pairs of pictures.
    """
    answered = [(trial, _ask(weights, trial)) for trial in trials]
    valid = [(trial, answer) for trial, answer in answered if answer.valid and answer.value is not None]
    worst = sorted(valid, key=lambda pair: -_error(*pair))[:count]
    tiles = [_tile(trial, answer) for trial, answer in worst]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    rows = [np.hstack(tiles[start : start + COLUMNS]) for start in range(0, len(tiles), COLUMNS)]
    cv2.imwrite(str(path), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))


def _ask(weights: Path | None, trial: Trial) -> Answer:
    model = SpatialNet(weights, depth="predicted", support=trial.support)
    return model.answer([trial.question("obj_vec_coord", depth=False)])[0]


def _error(trial: Trial, answer: Answer) -> float:
    return float(np.linalg.norm(np.asarray(answer.value, float) - trial.displacement))


def _tile(trial: Trial, answer: Answer) -> NDArray[np.uint8]:
    zoom = WIDTH / trial.frames[0].width
    first, second = (
        cv2.resize(frame.rgb, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_LINEAR)
        for frame in trial.frames
    )
    _mark(first, np.multiply(trial.pixel[:2], zoom), ASKED)
    _mark(second, trial.target * zoom, TRUE)
    if answer.match is not None:
        _mark(second, np.multiply(answer.match, zoom), FOUND)
    told = np.linalg.norm(np.asarray(answer.value, float))
    true = np.linalg.norm(trial.displacement)
    text = f"moved {1000 * true:.0f} mm, said {1000 * told:.0f}, off by {1000 * _error(trial, answer):.0f}"
    tile = np.hstack([first, second])
    cv2.putText(tile, text, (4, len(tile) - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1)
    return np.asarray(tile, np.uint8)


def _mark(image: Any, pixel: Any, colour: tuple[int, int, int]) -> None:
    if np.isfinite(pixel).all():
        x, y = (round(float(side)) for side in pixel)
        cv2.circle(image, (x, y), 6, colour, 1, cv2.LINE_AA)
