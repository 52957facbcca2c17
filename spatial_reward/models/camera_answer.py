"""What is asked of a camera's motion, answered from it; and vectors, whole or by their length."""

from __future__ import annotations

import numpy as np

from spatial_reward.camera import Array
from spatial_reward.geometry import CameraMotion, distance
from spatial_reward.types import Answer, Question

# Words for a positive and a negative component (MultiSPA's conventions).
DIRECTIONS = {
    "cam_dir_x": ("right", "left"),
    "cam_dir_y": ("down", "up"),
    "cam_dir_z": ("forward", "backward"),
    "cam_dir_yaw": ("left", "right"),
    "cam_dir_pitch": ("up", "down"),
}


def camera_answer(question: Question, motion: CameraMotion) -> Answer:
    """Answer a question of a kind `cam_*`; a direction is valid where its sign is known."""
    std = np.sqrt(np.diag(motion.covariance))  # translation [m], yaw, pitch [deg]
    numbers = dict(zip("xyz", motion.translation, strict=True)) | {"yaw": motion.yaw, "pitch": motion.pitch}
    stds = dict(zip(("x", "y", "z", "yaw", "pitch"), std, strict=True))
    part = question.kind.rpartition("_")[2]
    if question.kind in DIRECTIONS:
        word = DIRECTIONS[question.kind][0 if numbers[part] > 0 else 1]
        return Answer(word, "1", 0.0, valid=bool(abs(numbers[part]) > stds[part]))
    if part in ("yaw", "pitch"):
        return Answer(abs(numbers[part]), "deg", float(stds[part]))
    return vector_or_length(question, motion.translation, motion.covariance[:3, :3])


def vector_or_length(question: Question, vector: Array, covariance: Array) -> Answer:
    """Answer with a vector (3,) [m] of covariance (3, 3), or with its length, as the question asks."""
    if question.kind.split("_")[1] == "vec":
        return Answer(vector, "m", np.sqrt(np.diag(covariance)), covariance=covariance)
    length, std = distance(vector, covariance)
    return Answer(float(length), "m", float(std))
