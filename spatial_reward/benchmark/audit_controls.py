"""The controls of an audit: for each way to cheat, clips in which cheating and measuring part ways."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatial_reward.benchmark import audit_scene
from spatial_reward.benchmark.reward_clips import Clip, delayed, followed, frozen, repainted, reverse, shuffle
from spatial_reward.benchmark.reward_episodes import Stage, Take
from spatial_reward.camera import Array
from spatial_reward.rewards import Goal, parse_goal
from spatial_reward.rewards.goals import Move


@dataclass(frozen=True)
class Control:
    """A control.

    Attributes:
        name: Of the control.
        shows: What is seen, in words.
        still: Whether nothing moves in it, so that any motion measured is false.
    """

    name: str
    shows: str
    still: bool = False


CONTROLS = (
    Control("success", "the attempt as it was"),
    Control("static", "the first picture, all the time", still=True),
    Control("clock", "the first picture for as long again, then the attempt"),
    Control("reversed", "the attempt played backwards"),
    Control("shuffled", "its pictures in an order that goes nowhere"),
    Control("wrong_object", "another object makes the motion of the right one"),
    Control("wrong_goal", "the attempt, asked about another object or the opposite place"),
    Control("camera_shake", "a shaken camera before a still scene", still=True),
    Control("occluder", "a board before the object in the middle of the attempt"),
    Control("removed_object", "the object is gone from the middle on"),
    Control("robot_alone", "the robot does it without the object"),
    Control("teleported_robot", "the robot jumps to its last pose, objects stay", still=True),
    Control("brightness", "the first picture, brighter and brighter, or darker", still=True),
    Control("colour", "the first picture, turning warm, or to other hues", still=True),
)
GAIN = 1.6  # to which pictures brighten; they darken to its inverse
BOARD = np.array([96, 84, 70], np.uint8)


def clips_of(stage: Stage, take: Take, seed: int) -> Iterator[tuple[str, list[Clip]]]:
    """Yield each control with its clips, if it applies; the stage must be in the take's episode."""
    clip, rng = take.clip, np.random.default_rng(seed)
    makers: dict[str, Callable[[], list[Clip | None]]] = {
        "success": lambda: [clip],
        "static": lambda: [frozen(clip)],
        "clock": lambda: [delayed(clip)],
        "reversed": lambda: [reverse(clip)],
        "shuffled": lambda: [shuffle(clip, seed)],
        "wrong_object": lambda: [audit_scene.wrong_object(stage, take)],
        "wrong_goal": lambda: list(wrong_goals(clip)),
        "camera_shake": lambda: [audit_scene.camera_shake(stage, take, rng)],
        "occluder": lambda: [occluded(clip)],
        "removed_object": lambda: [audit_scene.removed_object(stage, take)],
        "robot_alone": lambda: [audit_scene.robot_alone(stage, take)],
        "teleported_robot": lambda: [audit_scene.teleported_robot(stage, take)],
        "brightness": lambda: [brightened(clip, GAIN), brightened(clip, 1 / GAIN)],
        "colour": lambda: [coloured(clip, WARM), coloured(clip, TURNED)],
    }
    for control in CONTROLS:
        yield control.name, [made for made in makers[control.name]() if made is not None]


def wrong_goals(clip: Clip) -> Iterator[Clip]:
    """Ask of the same pictures about another object, and about the place opposite to the right one."""
    name = followed(clip)
    if name is None:
        return
    others = [n for n, one in clip.references.items() if one.pixel is not None and n not in clip.goal.names]
    renamed = _renamed(clip.goal, name, others[0]) if others else None
    if renamed is not None:
        yield clip.asked(renamed, "wrong_goal")
    start, end = clip.positions[0][name], clip.positions[-1][name]
    if np.linalg.norm(end - start) > 0.05:
        x, y, z = (round(float(number), 3) for number in 2 * start - end)
        yield clip.asked(Move(name, to=(x, y, z)), "wrong_goal")


def _renamed(goal: Goal, name: str, other: str) -> Goal | None:
    """Say the goal of another thing; None where that makes no sense."""
    pattern = rf"(?<![\w:/.]){re.escape(name)}(?![\w:/.])"
    try:
        return parse_goal(re.sub(pattern, other.replace("\\", r"\\"), str(goal)))
    except ValueError:
        return None


def brightened(clip: Clip, gain: float) -> Clip:
    """Freeze the clip and let its light grow (or shrink) by and by up to `gain`."""
    still = frozen(clip)
    gains = np.linspace(1.0, gain, len(still.frames))
    return repainted(still, [_lit(f.rgb, g) for f, g in zip(still.frames, gains, strict=True)], "brightness")


WARM = np.diag([1.35, 1.0, 0.6])
TURNED = np.array(
    [[0.4, 0.6, 0.0], [0.0, 0.4, 0.6], [0.6, 0.0, 0.4]]
)  # hues move on by a third of the circle


def coloured(clip: Clip, mix: Array) -> Clip:
    """Freeze the clip and let its colours turn by and by into a mixture (3, 3) of its channels."""
    still, pictures = frozen(clip), []
    for frame, share in zip(still.frames, np.linspace(0.0, 1.0, len(still.frames)), strict=True):
        blend = (1 - share) * np.eye(3) + share * mix
        pictures.append(_lit(frame.rgb @ blend.T, 1.0))
    return repainted(still, pictures, "colour")


def occluded(clip: Clip) -> Clip | None:
    """Hold a board before the goal's object in the middle third of the clip; its depth is its own."""
    name, third = followed(clip), len(clip.frames) // 3
    if name is None:
        return None
    pictures, depths = [], []
    for number, frame in enumerate(clip.frames):
        shown = third <= number < 2 * third and frame.camera is not None
        picture, depth = frame.rgb, frame.depth
        if shown and frame.camera is not None:
            pixel, distance = frame.camera.project(clip.positions[number][name])
            rows, columns = _square(pixel, frame.rgb.shape[0] // 6, frame.rgb.shape[:2])
            picture = picture.copy()
            picture[rows, columns] = BOARD
            if depth is not None:
                depth = depth.copy()
                depth[rows, columns] = 0.6 * float(distance)
        pictures.append(picture)
        depths.append(depth)
    return repainted(clip, pictures, "occluder", depths)


def _square(pixel: Array, half: int, shape: tuple[int, ...]) -> tuple[slice, slice]:
    column, row = (round(float(np.nan_to_num(value))) for value in pixel)
    rows = slice(max(row - half, 0), min(row + half, shape[0]))
    return rows, slice(max(column - half, 0), min(column + half, shape[1]))


def _lit(picture: NDArray[np.generic], gain: float) -> NDArray[np.uint8]:
    lit: NDArray[np.uint8] = np.clip(np.asarray(picture, float) * gain, 0, 255).astype(np.uint8)
    return lit
