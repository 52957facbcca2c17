"""Numbers, answers, signals, cameras and references in JSON, exactly; what is unknown (NaN) is null."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from spatial_reward.camera import Array, Camera
from spatial_reward.models.wire_arrays import WireError
from spatial_reward.types import Answer, Reference, Signal

SENSELESS = (ValueError, TypeError, LookupError, AttributeError, OverflowError)  # what nonsense ends in


def listed(values: ArrayLike) -> Any:
    """Return numbers as (nested) lists, NaN as None; infinity as well, which JSON does not have."""
    return _unknown(np.asarray(values, float).tolist())


def _unknown(value: Any) -> Any:
    if isinstance(value, list):
        return [_unknown(item) for item in value]
    return value if math.isfinite(value) else None


def array(told: Any, shape: tuple[int, ...] | None = None) -> Array:
    """Read (nested) lists of numbers; raises ValueError or TypeError where they are none."""
    values = np.array(told, dtype=float)  # None becomes NaN
    if shape is not None and values.shape != shape:
        raise ValueError(f"expected numbers of shape {shape}, got {values.shape}")
    return values


def numbers(told: Any, count: int) -> list[float]:
    """Read so many numbers; raises ValueError or TypeError where they are none."""
    return [float(value) for value in array(told, (count,))]


def answer_json(answer: Answer) -> dict[str, Any]:
    """Return an answer for JSON."""
    return {
        "value": _value_json(answer.value),
        "unit": answer.unit,
        "std": listed(answer.std),
        "valid": bool(answer.valid),
        "text": answer.text,
        "source": answer.source,
        "covariance": None if answer.covariance is None else listed(answer.covariance),
        "match": None if answer.match is None else listed(answer.match),
        "motion": None if answer.motion is None else listed(answer.motion),
    }


def _value_json(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value if value is None else {"word": value}
    return {"number" if np.ndim(value) == 0 else "array": listed(value)}


def answer_from(told: Any) -> Answer | None:
    """Read an answer; raises ValueError, TypeError, KeyError or AttributeError where it is none."""
    if told is None:
        return None
    std = array(told.get("std"))
    return Answer(
        value=_value_from(told["value"]),
        unit=str(told.get("unit", "1")),
        std=float(std) if std.ndim == 0 else std,
        valid=bool(told.get("valid", True)),
        text=str(told.get("text", "")),
        source=str(told.get("source", "")),
        covariance=None if told.get("covariance") is None else array(told["covariance"], (3, 3)),
        match=None if told.get("match") is None else _pair(told["match"]),
        motion=None if told.get("motion") is None else array(told["motion"], (4, 4)),
    )


def _value_from(told: Mapping[str, Any] | None) -> Any:
    if told is None:
        return None
    [(kind, value)] = told.items()
    if kind == "word":
        return str(value)
    read = array(value)
    if (kind, read.ndim == 0) not in (("number", True), ("array", False)):
        raise ValueError(f"no value: {told!r}")
    return float(read) if kind == "number" else read


def _pair(told: Any) -> tuple[float, float]:
    x, y = numbers(told, 2)
    return x, y


def signal_json(signal: Signal) -> dict[str, Any]:
    """Return a signal for JSON, without its answers."""
    names = ("potential", "progress", "success", "std")
    return {**{name: listed(getattr(signal, name)) for name in names}, "valid": bool(signal.valid)}


def camera_json(camera: Camera) -> dict[str, Any]:
    """Return a camera for the header."""
    return {
        "intrinsics": camera.intrinsics.tolist(),
        "world_from_camera": camera.world_from_camera.tolist(),
        "width": camera.width,
        "height": camera.height,
    }


def camera_from(told: Mapping[str, Any]) -> Camera:
    """Read a camera; raises ValueError, TypeError or KeyError where it is none."""
    intrinsics, pose = (np.array(told[key], float) for key in ("intrinsics", "world_from_camera"))
    return Camera(intrinsics, pose, int(told["width"]), int(told["height"]))


def references_from(told: object) -> dict[str, Reference]:
    """Read references, {name: {"pixel": [x, y], "position": [x, y, z]}}.

    Raises:
        WireError: If they are none.
    """
    if not isinstance(told, dict) or not all(isinstance(one, dict) for one in told.values()):
        raise WireError("`references` must be {name: {pixel: [x, y], position: [x, y, z]}}.", 422)
    try:
        return {name: _reference(name, one) for name, one in told.items()}
    except SENSELESS as error:
        raise WireError(f"A reference makes no sense: {error}.", 422) from error


def _reference(name: str, told: Mapping[str, Any]) -> Reference:
    pixel = None if told.get("pixel") is None else numbers(told["pixel"], 2)
    position = None if told.get("position") is None else array(told["position"], (3,))
    return Reference(name, None if pixel is None else (pixel[0], pixel[1]), position)


def references_json(references: Mapping[str, Reference]) -> dict[str, Any]:
    """Return references for the header."""
    return {
        name: {
            "pixel": None if one.pixel is None else list(map(float, one.pixel)),
            "position": None if one.position is None else listed(one.position),
        }
        for name, one in references.items()
    }
