"""The route of Robometer's server, for its clients: videos as npy in a form, progress per frame back.

A sample's `task` is a goal in words, its first frame the reference. Where the things of the goal are comes
from the sample's metadata, {"references": {name: {"pixel": [x, y]}}, "camera": {...}}, or from the server's
scene.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Message

from spatial_reward.models.wire_arrays import WireError, decode_array
from spatial_reward.models.wire_values import camera_from, listed
from spatial_reward.server.guard import read_body
from spatial_reward.server.judging import with_scene
from spatial_reward.types import Frame, Signal

if TYPE_CHECKING:
    from spatial_reward.server.app import Service

_PARTS = 1000  # of a form


async def evaluate(request: Request, service: Service) -> dict[str, Any]:
    """Answer a form with fields `sample_0`, `sample_1`, ... and the files that they name.

    Raises:
        WireError: If it makes no sense, or breaks a limit.
    """
    fields, files = await _form(request, service)
    deadline = service.deadline(request.headers.get("x-timeout"))
    progress, success = [], []
    for number in range(len(fields)):
        trajectory = _trajectory(fields, number)
        frames = await service.reader.aside(deadline, partial(_frames, trajectory, files, service))
        header = with_scene(_header(trajectory), service.settings.scene)
        signals = await service.judge(header, frames, deadline)
        progress.append([_number(signal, "progress") for signal in signals])
        success.append([_number(signal, "success") for signal in signals])
    return {
        "outputs_preference": None,
        "outputs_progress": {"progress_pred": progress},
        "outputs_success": {"success_probs": success},
    }


def _number(signal: Signal, name: str) -> Any:
    return listed(getattr(signal, name))


async def _form(request: Request, service: Service) -> tuple[dict[str, str], dict[str, bytes]]:
    """Return the samples and the files of a form."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise WireError("The content type must be multipart/form-data.", 415)
    body = await read_body(request, service.settings.limits)

    async def replay() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        parts = await Request(request.scope, replay).form(max_files=_PARTS, max_fields=_PARTS)
    except (MultiPartException, Exception) as error:
        raise WireError(f"The form is damaged: {getattr(error, 'detail', error)}.") from error
    files = {key: await part.read() for key, part in parts.items() if isinstance(part, UploadFile)}
    fields = {k: v for k, v in parts.items() if isinstance(v, str) and k.startswith("sample_")}
    if not fields:
        raise WireError("The form needs a field `sample_0`.", 422)
    return fields, files


def _trajectory(fields: Mapping[str, str], number: int) -> dict[str, Any]:
    text = fields.get(f"sample_{number}")
    try:
        sample = json.loads(text or "")
    except ValueError as error:
        raise WireError(f"Field sample_{number} is missing or no JSON.") from error
    if not isinstance(sample, dict) or not isinstance(sample.get("trajectory"), dict):
        raise WireError(f"Sample {number} has no trajectory: only sample_type progress is served.", 422)
    return dict(sample["trajectory"])


def _frames(trajectory: Mapping[str, Any], files: Mapping[str, bytes], service: Service) -> list[Frame]:
    named = trajectory.get("frames")
    key = named.get("__numpy_file__") if isinstance(named, dict) else None
    if not isinstance(key, str) or key not in files:
        raise WireError('`frames` must name a file of the form: {"__numpy_file__": key}.', 422)
    limits = service.settings.limits
    video = decode_array(files[key], 3 * limits.frames * limits.pixels)
    if video.ndim != 4 or video.shape[3] != 3 or video.dtype.name != "uint8" or not video.size:
        raise WireError(f"`frames` must be (T, H, W, 3) uint8, got {video.shape} {video.dtype}.", 422)
    pixels = video.shape[1] * video.shape[2]
    if len(video) > limits.frames or pixels > limits.pixels or len(video) * pixels > limits.total_pixels:
        raise WireError(
            f"Frames {video.shape} are more than {limits.frames} of {limits.pixels} pixels, "
            f"{limits.total_pixels} together.",
            413,
        )
    told = _metadata(trajectory).get("camera") or service.settings.scene.get("camera")
    try:
        camera = camera_from(told) if told else None
        return [Frame(rgb, float(index), camera=camera) for index, rgb in enumerate(video)]
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
        raise WireError(f"The camera makes no sense: {error!r}.", 422) from error


def _header(trajectory: Mapping[str, Any]) -> dict[str, Any]:
    header = {"goal": trajectory.get("task"), "references": _metadata(trajectory).get("references")}
    return {key: value for key, value in header.items() if value}


def _metadata(trajectory: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = trajectory.get("metadata")
    return metadata if isinstance(metadata, dict) else {}
