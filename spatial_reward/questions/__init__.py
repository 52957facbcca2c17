"""The MultiSPA questions: 22 kinds, their 26 subtasks, and the 12 rows of the published table."""

from __future__ import annotations

from difflib import get_close_matches
from typing import NamedTuple

from spatial_reward.questions.base import Kind, Mode
from spatial_reward.questions.camera_motion import (
    CAM_DEG_PITCH,
    CAM_DEG_YAW,
    CAM_DIR_PITCH,
    CAM_DIR_X,
    CAM_DIR_Y,
    CAM_DIR_YAW,
    CAM_DIR_Z,
    CAM_DIST,
    CAM_VEC,
)
from spatial_reward.questions.correspondence import VC_COORD, VC_MCQ
from spatial_reward.questions.depth import (
    DEPTH_CMP_COORD,
    DEPTH_CMP_DOT,
    DEPTH_EST_COORD,
    DEPTH_EST_DOT,
    asks_closer,
)
from spatial_reward.questions.object_motion import OBJ_DIST_COORD, OBJ_DIST_DOT, OBJ_VEC_COORD, OBJ_VEC_DOT
from spatial_reward.questions.object_size import SIZE_HEIGHT, SIZE_LENGTH, SIZE_WIDTH
from spatial_reward.questions.wording import to_degrees, to_millimetres, to_thousandths, written
from spatial_reward.types import PixelPoint, Question

KINDS: dict[str, Kind] = {
    "depth_cmp_dot": DEPTH_CMP_DOT,
    "depth_cmp_coord": DEPTH_CMP_COORD,
    "depth_est_dot": DEPTH_EST_DOT,
    "depth_est_coord": DEPTH_EST_COORD,
    "vc_coord": VC_COORD,
    "vc_mcq": VC_MCQ,
    "cam_dir_x": CAM_DIR_X,
    "cam_dir_y": CAM_DIR_Y,
    "cam_dir_z": CAM_DIR_Z,
    "cam_dir_yaw": CAM_DIR_YAW,
    "cam_dir_pitch": CAM_DIR_PITCH,
    "cam_deg_yaw": CAM_DEG_YAW,
    "cam_deg_pitch": CAM_DEG_PITCH,
    "cam_dist": CAM_DIST,
    "cam_vec": CAM_VEC,
    "obj_dist_coord": OBJ_DIST_COORD,
    "obj_dist_dot": OBJ_DIST_DOT,
    "obj_vec_coord": OBJ_VEC_COORD,
    "obj_vec_dot": OBJ_VEC_DOT,
    "size_height": SIZE_HEIGHT,
    "size_length": SIZE_LENGTH,
    "size_width": SIZE_WIDTH,
}


class Subtask(NamedTuple):
    """One published subtask: a kind, asked of one sort of source.

    Attributes:
        name: Slug; that of the kind, with the source where a kind counts twice.
        kind: A key of `KINDS`.
        camera: "moving" (ADT), "static" (PStudio), or "any".
    """

    name: str
    kind: str
    camera: str = "any"


_SOURCES = {"adt": "moving", "pstudio": "static"}
SUBTASKS: tuple[Subtask, ...] = tuple(
    subtask
    for kind in KINDS.values()
    for subtask in (
        [Subtask(f"{kind.name}_{source}", kind.name, camera) for source, camera in _SOURCES.items()]
        if kind.family == "object_motion"
        else [Subtask(kind.name, kind.name)]
    )
)

# Rows of the published table, each the mean over its subtasks; the average is the mean of the rows.
TABLE_ROWS: dict[str, tuple[str, ...]] = {
    "depth comparison": ("depth_cmp_dot", "depth_cmp_coord"),
    "depth value": ("depth_est_dot", "depth_est_coord"),
    "correspondence coordinate": ("vc_coord",),
    "correspondence choice": ("vc_mcq",),
    "camera orientation direction": ("cam_dir_yaw", "cam_dir_pitch"),
    "camera orientation degree": ("cam_deg_yaw", "cam_deg_pitch"),
    "camera translation direction": ("cam_dir_x", "cam_dir_y", "cam_dir_z"),
    "camera translation distance": ("cam_dist",),
    "camera translation vector": ("cam_vec",),
    "object movement distance": tuple(s.name for s in SUBTASKS if s.kind.startswith("obj_dist")),
    "object movement vector": tuple(s.name for s in SUBTASKS if s.kind.startswith("obj_vec")),
    "object size": ("size_height", "size_length", "size_width"),
}


def kind(name: str) -> Kind:
    """Return a kind by its slug.

    Raises:
        ValueError: If there is none of that name.
    """
    if name in KINDS:
        return KINDS[name]
    near = get_close_matches(name, KINDS)
    hint = f"Did you mean {near}?" if near else f"Known kinds: {sorted(KINDS)}."
    raise ValueError(f"Unknown question kind {name!r}. {hint}")


def dots(question: Question) -> list[tuple[PixelPoint, str]]:
    """List the dots to draw for a question with their letters ("" for none); coordinate kinds have none."""
    if not (question.kind.endswith("_dot") or question.kind == "vc_mcq"):
        return []
    lettered = question.kind in ("depth_cmp_dot", "vc_mcq")
    letters = question.labels if lettered else ("",) * len(question.points)
    return list(zip(question.points, letters, strict=False))


__all__ = [
    "KINDS",
    "SUBTASKS",
    "TABLE_ROWS",
    "Kind",
    "Mode",
    "Subtask",
    "asks_closer",
    "dots",
    "kind",
    "to_degrees",
    "to_millimetres",
    "to_thousandths",
    "written",
]
