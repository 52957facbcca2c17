"""Where the camera of each frame was: as given, or estimated from what stands still."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from spatial_reward.camera import Array, invert
from spatial_reward.geometry import RigidFit
from spatial_reward.types import Frame, Model


def camera_poses(model: Model, frames: Sequence[Frame]) -> list[Array | None]:
    """Return `world_from_camera` (4, 4) of every frame, in the world of the first; None where it is unknown.

    Known poses are taken as they are, unless the model was made with pose="estimated": then each frame is
    matched with the first one, or where that fails with the last one whose pose is known.
    """
    given = [None if frame.camera is None else frame.camera.world_from_camera for frame in frames]
    if getattr(model, "pose", "auto") != "estimated" or not frames:
        return given
    poses, known = given[:1], 0
    for number in range(1, len(frames)):
        pose = None
        for base in dict.fromkeys((0, known)):
            fit = _fit(model, frames[base], frames[number])
            if fit.valid and poses[base] is not None:
                pose, known = np.asarray(poses[base]) @ invert(fit.b_from_a), number
                break
        poses.append(pose)
    return poses


def _fit(model: Any, reference: Frame, current: Frame) -> RigidFit:
    """Fit `current_from_reference` with measured depth, or with what the network predicts."""
    source = getattr(model, "depth", "measured")
    if source != "predicted" and reference.depth is not None and current.depth is not None:
        from spatial_reward.models.ego_motion import ego_motion

        return ego_motion(reference, current)
    from spatial_reward.models.spatialnet_ego import camera_fit

    if current.camera is None:
        return RigidFit.unknown()
    seen, scale = model.eyes.seen(reference), model.calibration["depth"]
    return camera_fit(seen, reference.rgb, current.rgb, current.camera, scale)
