"""Drawing questions from a scene: many at once, balanced, none of them twice."""

from __future__ import annotations

from difflib import get_close_matches

import numpy as np

from spatial_reward.data.draw.camera_motion import draw_camera_motion, why_no_camera_motion
from spatial_reward.data.draw.correspondence import draw_correspondence, why_no_correspondence
from spatial_reward.data.draw.depth import draw_depth, why_no_depth
from spatial_reward.data.draw.object_motion import draw_object_motion, why_no_object_motion
from spatial_reward.data.draw.object_size import draw_object_size, why_no_object_size
from spatial_reward.data.draw.rules import Drawn, Rules
from spatial_reward.questions import KINDS, SUBTASKS, Subtask
from spatial_reward.types import Scene

__all__ = ["Drawn", "Rules", "draw", "subtask", "supported"]


def draw(scene: Scene, name: str, count: int, rng: np.random.Generator, rules: Rules) -> list[Drawn]:
    """Draw up to `count` questions of a subtask from a scene, in random order.

    Fewer where the scene does not hold so many different ones, none where `supported` says why.

    Raises:
        ValueError: If there is no such subtask, or a frame has no camera.
    """
    kind, camera = subtask(name)[1:]
    if count < 1 or not len(scene.frames) or not len(scene.body):
        return []
    family = KINDS[kind].family
    if family == "object_motion":
        return draw_object_motion(scene, kind, camera, count, rng, rules)
    by_family = {
        "depth": draw_depth,
        "correspondence": draw_correspondence,
        "camera_motion": draw_camera_motion,
        "object_size": draw_object_size,
    }
    return by_family[family](scene, kind, count, rng, rules)


def supported(scene: Scene, name: str, rules: Rules) -> str:
    """Return "" if questions of a subtask can be drawn from a scene, else the reason why not.

    Raises:
        ValueError: If there is no such subtask, or a frame has no camera.
    """
    kind, camera = subtask(name)[1:]
    if not len(scene.frames) or not len(scene.body):
        return "no frames or no points"
    family = KINDS[kind].family
    if family == "depth":
        return why_no_depth(scene, kind, rules)
    if family == "correspondence":
        return why_no_correspondence(scene, kind, rules)
    if family == "camera_motion":
        return why_no_camera_motion(scene, kind, rules)
    if family == "object_size":
        return why_no_object_size(scene, kind, rules)
    return why_no_object_motion(scene, camera, rules)


def subtask(name: str) -> Subtask:
    """Return a subtask by its slug.

    Raises:
        ValueError: If there is none of that name.
    """
    by_name = {one.name: one for one in SUBTASKS}
    if name in by_name:
        return by_name[name]
    near = get_close_matches(name, by_name)
    hint = f"Did you mean {near}?" if near else f"There are: {', '.join(by_name)}."
    raise ValueError(f"Unknown subtask {name!r}. {hint}")
