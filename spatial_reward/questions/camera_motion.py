"""Camera-motion questions: the second camera relative to the first in a static scene (MultiSPA 2.5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, Camera, invert, wrap_degrees, yaw_pitch
from spatial_reward.questions.base import Kind, Mode
from spatial_reward.questions.keywords import CAMERA_STILL, CAMERA_UNTURNED
from spatial_reward.questions.readers import direction_reader, magnitude_reader, vector_reader
from spatial_reward.questions.scoring import score_angle, score_length, score_word
from spatial_reward.questions.views import camera_of, frame_pairs, is_static
from spatial_reward.questions.wording_camera import CAMERA_WORDING
from spatial_reward.types import Answer, Question, Scene, Value

STRICT_SHIFT = 0.01  # [m] least translation, and least component with a direction
STRICT_TURN = 1.0  # [deg] least rotation with a direction
STRICT_DEGREES = 5.0  # [deg] least angle whose size is asked: whole degrees then stay within 20 %
STRICT_SHARE = 0.25  # least share of a component in the whole motion
STRICT_STEEPEST = 70.0  # [deg] beyond this pitch, yaw is ill-conditioned
STRICT_WIDEST = 170.0  # [deg] beyond this turn, left and right are the same

Mask = NDArray[np.bool_]


class Motion(NamedTuple):
    """Motion of second cameras relative to first ones.

    Attributes:
        shift: (..., 3) translation [m] in the axes of the first camera.
        yaw: (...) change of yaw [deg] in (-180, 180]; positive is left.
        pitch: (...) change of pitch [deg]; positive is up.
        turn: (...) angle [deg] of the whole rotation.
        steepest: (...) largest absolute pitch [deg] of the two views.
    """

    shift: Array
    yaw: Array
    pitch: Array
    turn: Array
    steepest: Array


def motion_between(first: Camera, second: Camera) -> Motion:
    """Compute the exact motion from the first camera to the second."""
    return motions(first.world_from_camera, second.world_from_camera)


def motions(world_from_first: Array, world_from_second: Array) -> Motion:
    """Compute the exact motions between cameras with poses (..., 4, 4)."""
    first_from_second = invert(world_from_first) @ world_from_second
    (yaw_1, pitch_1), (yaw_2, pitch_2) = yaw_pitch(world_from_first), yaw_pitch(world_from_second)
    cosine = np.clip((np.trace(first_from_second[..., :3, :3], axis1=-2, axis2=-1) - 1) / 2, -1.0, 1.0)
    return Motion(
        shift=first_from_second[..., :3, 3],
        yaw=np.asarray(wrap_degrees(yaw_2 - yaw_1)),
        pitch=np.asarray(pitch_2 - pitch_1),
        turn=np.degrees(np.arccos(cosine)),
        steepest=np.maximum(np.abs(pitch_1), np.abs(pitch_2)),
    )


# Truths of every kind, of one motion; one of exactly zero falls to the second word, as published.
TRUTHS: dict[str, Callable[[Motion], Value]] = {
    "cam_dir_x": lambda motion: "right" if motion.shift[0] > 0 else "left",
    "cam_dir_y": lambda motion: "down" if motion.shift[1] > 0 else "up",
    "cam_dir_z": lambda motion: "forward" if motion.shift[2] > 0 else "backward",
    "cam_dir_yaw": lambda motion: "left" if motion.yaw > 0 else "right",
    "cam_dir_pitch": lambda motion: "up" if motion.pitch > 0 else "down",
    "cam_deg_yaw": lambda motion: float(abs(motion.yaw)),
    "cam_deg_pitch": lambda motion: float(abs(motion.pitch)),
    "cam_dist": lambda motion: float(np.linalg.norm(motion.shift)),
    "cam_vec": lambda motion: motion.shift,
}

UNITS = {
    name: "1" if name.startswith("cam_dir") else "deg"
    for name in TRUTHS
    if name not in ("cam_dist", "cam_vec")
}


def _shifts(axis: int) -> Callable[[Motion], Mask]:
    def clear(motion: Motion) -> Mask:
        least = np.maximum(STRICT_SHIFT, STRICT_SHARE * np.linalg.norm(motion.shift, axis=-1))
        return np.asarray(np.abs(motion.shift[..., axis]) >= least)

    return clear


def _moves(motion: Motion) -> Mask:
    return np.asarray(np.linalg.norm(motion.shift, axis=-1) >= STRICT_SHIFT)


def _turns(angle: Array, motion: Motion) -> Mask:
    least = np.maximum(STRICT_TURN, STRICT_SHARE * motion.turn)
    return np.asarray((np.abs(angle) >= least) & (motion.steepest <= STRICT_STEEPEST))


def _yaws(motion: Motion) -> Mask:
    return _turns(motion.yaw, motion) & (np.abs(motion.yaw) <= STRICT_WIDEST)


def _pitches(motion: Motion) -> Mask:
    return _turns(motion.pitch, motion)


# Which motions are clear enough to be asked about in strict mode.
CLEAR: dict[str, Callable[[Motion], Mask]] = {
    "cam_dir_x": _shifts(0),
    "cam_dir_y": _shifts(1),
    "cam_dir_z": _shifts(2),
    "cam_dir_yaw": _yaws,
    "cam_dir_pitch": _pitches,
    "cam_deg_yaw": lambda motion: _yaws(motion) & (np.abs(motion.yaw) >= STRICT_DEGREES),
    "cam_deg_pitch": lambda motion: _pitches(motion) & (np.abs(motion.pitch) >= STRICT_DEGREES),
    "cam_dist": _moves,
    "cam_vec": _moves,
}


def motion_of_camera(kind: str, scene: Scene, pair: tuple[int, int]) -> Question:
    """Ask how the camera moved between two frames of a scene that stands still."""
    motion = motion_between(*(camera_of(scene, time) for time in pair))
    truth = Answer(TRUTHS[kind](motion), UNITS.get(kind, "m"), 0.0, source="truth")
    return Question(kind, tuple(scene.frames[time] for time in pair), answer=truth)


def _ask(kind: str) -> Callable[[Scene, np.random.Generator, Mode], Question | None]:
    def ask(scene: Scene, rng: np.random.Generator, mode: Mode) -> Question | None:
        for first, second in frame_pairs(scene, rng, mode):
            motion = motion_between(camera_of(scene, first), camera_of(scene, second))
            if is_static(scene, first, second) and (mode == "paper" or CLEAR[kind](motion)):
                return motion_of_camera(kind, scene, (first, second))
        return None

    return ask


def _direction(name: str, *directions: str) -> Kind:
    words, read = CAMERA_WORDING[name], direction_reader(*directions)
    return Kind(name, "camera_motion", "1", _ask(name), words.phrase, words.reply, read, score_word)


def _degrees(name: str) -> Kind:
    words, read = CAMERA_WORDING[name], magnitude_reader("deg", CAMERA_UNTURNED)
    return Kind(name, "camera_motion", "deg", _ask(name), words.phrase, words.reply, read, score_angle)


CAM_DIR_X = _direction("cam_dir_x", "left", "right")
CAM_DIR_Y = _direction("cam_dir_y", "up", "down")
CAM_DIR_Z = _direction("cam_dir_z", "forward", "backward")
CAM_DIR_YAW = _direction("cam_dir_yaw", "left", "right")
CAM_DIR_PITCH = _direction("cam_dir_pitch", "up", "down")
CAM_DEG_YAW = _degrees("cam_deg_yaw")
CAM_DEG_PITCH = _degrees("cam_deg_pitch")
CAM_DIST = Kind(
    name="cam_dist",
    family="camera_motion",
    unit="m",
    ask=_ask("cam_dist"),
    phrase=CAMERA_WORDING["cam_dist"].phrase,
    reply=CAMERA_WORDING["cam_dist"].reply,
    read=magnitude_reader("m", CAMERA_STILL),
    score=score_length,
)
CAM_VEC = Kind(
    name="cam_vec",
    family="camera_motion",
    unit="m",
    ask=_ask("cam_vec"),
    phrase=CAMERA_WORDING["cam_vec"].phrase,
    reply=CAMERA_WORDING["cam_vec"].reply,
    read=vector_reader(CAMERA_STILL),
    score=score_length,
)
