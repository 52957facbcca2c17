"""The exact form of the answers of every question kind: closed choices, regular expressions, JSON schemas."""

from __future__ import annotations

from typing import Any

from spatial_reward.questions import KINDS

CHOICES: dict[str, tuple[str, ...]] = {
    "depth_cmp_dot": ("A", "B"),
    "vc_mcq": ("A", "B", "C", "D"),
    "cam_dir_x": ("left", "right"),
    "cam_dir_y": ("up", "down"),
    "cam_dir_z": ("forward", "backward"),
    "cam_dir_yaw": ("left", "right"),
    "cam_dir_pitch": ("up", "down"),
}
VECTORS = ("cam_vec", "obj_vec_coord", "obj_vec_dot")

_WHOLE = "-?[0-9]{1,5}"  # [mm]
_SHARE = r"[0-9]{1,5}(\.[0-9])?"  # of a picture, in whatever unit the prompt says


def pattern(kind: str) -> str:
    """Return the regular expression of a kind's whole reply, in single backticks as its format hint asks.

    >>> pattern("cam_dir_x"), pattern("cam_dist")
    ('`(left|right)`', '`[0-9]{1,5}`')
    """
    if kind in CHOICES:
        return f"`({'|'.join(CHOICES[kind])})`"
    if kind in VECTORS:
        return rf"`\[ {_WHOLE} , {_WHOLE} , {_WHOLE} \]`"
    return rf"`\[ {_SHARE} , {_SHARE} \]`" if KINDS[kind].unit == "px" else "`[0-9]{1,5}`"


def schema(kind: str) -> dict[str, Any]:
    """Return the JSON schema of a kind's reply: an object with the one field "answer".

    >>> schema("cam_dir_x")["properties"]
    {'answer': {'type': 'string', 'enum': ['left', 'right']}}
    """
    return {
        "type": "object",
        "properties": {"answer": _value(kind)},
        "required": ["answer"],
        "additionalProperties": False,
    }


def _value(kind: str) -> dict[str, Any]:
    if kind in CHOICES:
        return {"type": "string", "enum": list(CHOICES[kind])}
    if kind in VECTORS:
        return {"type": "array", "items": {"type": "integer"}, "minItems": 3, "maxItems": 3}
    if KINDS[kind].unit == "px":
        return {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
    return {"type": "integer", "minimum": 0}
