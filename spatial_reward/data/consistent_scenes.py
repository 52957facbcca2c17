"""Dense training data from recorded episodes without depth, labelled by a model where it is consistent.

None of the labels is truth: they make a model steadier in new pictures, and keep what scale it has.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from spatial_reward.data.consistency import changed, followed, frames_of, labels
from spatial_reward.data.episodes import Calibration, EpisodeInfo
from spatial_reward.data.recorded_scenes import RecordedScenes, opened
from spatial_reward.models.spatialnet_sight import Eyes
from spatial_reward.models.spatialnet_weights import SHIPPED, load_runtime

SEES = 128  # [px] side of the pictures that the model is shown


@dataclass(frozen=True)
class ConsistentScenes(RecordedScenes):
    """Scenes of a recorded dataset, labelled by a model; scene number i follows from (seed, i) alone.

    Attributes:
        weights: Folder of the model that labels; None is the one of the package.
        fov: Vertical field of view [deg] to assume where the recordings know no camera.
    """

    weights: str | None = None
    fov: float | None = None

    measured: ClassVar[bool] = False

    def check(self) -> str:
        """Return the camera.

        Raises:
            ValueError: If there is no episode, or no camera that stands still and is known or assumed.
        """
        camera = self.camera or opened(self.path).cameras[0]
        self._check_source(camera)
        calibration = self._calibration(self._episodes()[0], camera)
        if calibration is None:
            raise ValueError(
                f"{self.path} does not know its camera {camera!r}: say what its vertical field of view is, "
                "such as fov=60."
            )
        if calibration.moving:
            raise ValueError(f"Camera {camera!r} of {self.path} moves; this takes one that stands still.")
        return camera

    def _calibration(self, episode: EpisodeInfo, camera: str) -> Calibration | None:
        known = super()._calibration(episode, camera)
        if known is not None or self.fov is None:
            return known
        return Calibration.assumed(self.fov)

    def _labelled(self, clip: dict[str, Any]) -> dict[str, Any]:
        """Label a clip by what the model says of it; frames in which the thing is not found are left out."""
        eyes, frames = _eyes(self.weights), frames_of(clip)
        eyes.look(frames)
        moves = changed(clip["rgb"])
        found = followed(eyes, frames, moves)
        kept = [0, *found] if found else list(range(self.frames))
        told = labels([eyes.seen(frame) for frame in frames], moves, found)
        rows = np.resize(kept, self.frames)
        return {key: value[rows] for key, value in (clip | told).items()}


@lru_cache(maxsize=1)
def _eyes(weights: str | None) -> Eyes:
    runtime, _ = load_runtime(SHIPPED if weights is None else Path(weights))
    return Eyes(runtime, SEES, None, depth=False)
