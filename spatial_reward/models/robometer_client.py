"""A client of Robometer's evaluation server, and of those that speak its `/evaluate_batch_npy`."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward._require import require
from spatial_reward.models.clock import ClipScore, prefixes
from spatial_reward.models.endpoint_http import is_loopback
from spatial_reward.types import Frame

Parts = tuple[dict[str, tuple[str, bytes, str]], dict[str, str]]  # files and fields of a multipart form


class RobometerClient:
    """Score every frame by its prefix: the server sees up to `frames` pictures, and its last value counts.

    A sample that the server gives no value for is NaN, never 0.

    Args:
        url: Of the server, such as "http://localhost:8001".
        frames: Most pictures per sample; Robometer-4B was trained with 8.
        batch: Samples per request.
        side: Pictures are shrunk so that their longer side has at most so many pixels; None leaves them.
        timeout: Of a request [s].

    Raises:
        ImportError: If httpx is missing.
        ValueError: If an option makes no sense.
    """

    def __init__(
        self,
        url: str = "http://localhost:8001",
        frames: int = 8,
        batch: int = 16,
        side: int | None = 256,
        timeout: float = 120.0,
    ) -> None:
        """Check the options; the server is asked only when something is scored."""
        require("httpx", "endpoint", "asking a Robometer server")
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"`url` must start with http:// or https://, got {url!r}.")
        if batch < 1 or not timeout > 0 or (side is not None and side < 1):
            raise ValueError(f"Need positive `batch`, `timeout`, `side`; got {batch}, {timeout} and {side}.")
        prefixes(1, frames)
        self.name = "robometer"
        self._url = url.rstrip("/") + "/evaluate_batch_npy"
        self._frames, self._batch, self._side, self._timeout = frames, batch, side, timeout

    def score(self, frames: Sequence[Frame], goal: str) -> ClipScore:
        """Score every frame by the frames up to it.

        Raises:
            RuntimeError: If the server cannot be reached, refuses, or answers in another form.
        """
        pictures: NDArray[np.uint8] = np.stack([_shrunk(frame.rgb, self._side) for frame in frames])
        clips: list[NDArray[np.uint8]] = [pictures[shown] for shown in prefixes(len(frames), self._frames)]
        progress: list[float] = []
        success: list[float] = []
        for start in range(0, len(clips), self._batch):
            some = clips[start : start + self._batch]
            reply = self._post(request_parts(some, goal, start))
            progress += _last_values(reply, "outputs_progress", "progress_pred", len(some))
            success += _last_values(reply, "outputs_success", "success_probs", len(some))
        known = bool(np.isfinite(success).any())
        return ClipScore(np.array(progress), np.array(success) if known else None)

    def _post(self, parts: Parts) -> Mapping[str, Any]:
        import httpx

        files, fields = parts
        try:
            with httpx.Client(
                timeout=self._timeout,
                trust_env=not is_loopback(self._url),
                verify=self._url.startswith("https"),
            ) as connection:
                response = connection.post(self._url, files=files, data=fields)
            response.raise_for_status()
            reply = response.json()
        except httpx.HTTPStatusError as error:
            status, words = error.response.status_code, " ".join(error.response.text.split())[:200]
            raise RuntimeError(f"The Robometer server at {self._url} says HTTP {status}: {words}") from error
        except (httpx.HTTPError, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise RuntimeError(f"No usable reply of a Robometer server at {self._url}: {reason}") from error
        if not isinstance(reply, Mapping):
            raise RuntimeError(f"The server at {self._url} replied {type(reply).__name__}, not an object.")
        return reply


def request_parts(clips: Sequence[NDArray[np.uint8]], goal: str, first: int = 0) -> Parts:
    """Return the files and fields of a request that scores clips (n, H, W, 3), numbered from `first`."""
    files, fields = {}, {"use_frame_steps": "false"}
    for index, clip in enumerate(clips):
        key, buffer = f"sample_{index}_trajectory_frames", io.BytesIO()
        np.save(buffer, np.ascontiguousarray(clip))
        files[key] = (f"{key}.npy", buffer.getvalue(), "application/octet-stream")
        trajectory = {
            "frames": {"__numpy_file__": key},
            "frames_shape": list(clip.shape),
            "task": goal,
            "id": str(first + index),
            "metadata": {"subsequence_length": len(clip)},
            "video_embeddings": None,
        }
        fields[f"sample_{index}"] = json.dumps({"sample_type": "progress", "trajectory": trajectory})
    return files, fields


def _last_values(reply: Mapping[str, Any], head: str, key: str, count: int) -> list[float]:
    """Return the last value of each sample from one head of a reply; NaN where there is none.

    Raises:
        RuntimeError: If the head speaks of another number of samples.
    """
    rows = (reply.get(head) or {}).get(key) or []
    if not rows:
        return [float("nan")] * count
    if len(rows) != count:
        raise RuntimeError(f"Asked about {count} samples, the Robometer server answered {len(rows)} ({key}).")
    return [_number(np.ravel(np.asarray(row, dtype=object))) for row in rows]


def _number(values: Any) -> float:
    try:
        return float(values[-1])
    except (IndexError, TypeError, ValueError):
        return float("nan")


def _shrunk(picture: NDArray[np.uint8], side: int | None) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    scale = 1.0 if side is None else side / max(height, width)
    if scale >= 1:
        return picture
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
