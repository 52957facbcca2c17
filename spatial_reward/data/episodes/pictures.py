"""Encoded pictures in and out, with one line for those that are none."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.data.episodes.base import BadEpisode


def decode_picture(data: bytes, where: str) -> NDArray[Any]:
    """Decode a picture file: (H, W, 3) uint8 RGB, or (H, W) of depth, as it is stored.

    Raises:
        BadEpisode: If it is none.
    """
    picture: NDArray[Any] | None = None
    if data:
        try:
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error:
            picture = None
    if picture is None:
        raise BadEpisode(f"a picture of {where} cannot be decoded")
    if picture.ndim == 2:
        return picture if picture.dtype != np.uint8 else np.repeat(picture[..., None], 3, axis=2)
    return np.ascontiguousarray(picture[..., 2::-1])


def as_rgb(picture: NDArray[Any], where: str) -> NDArray[np.uint8]:
    """Return a picture (H, W, 3) uint8, also from grey ones and ones with channels first.

    Raises:
        BadEpisode: If it is no picture.
    """
    if picture.ndim == 3 and picture.shape[0] in (1, 3) and picture.shape[2] not in (1, 3, 4):
        picture = np.moveaxis(picture, 0, -1)
    if picture.ndim == 2:
        picture = picture[..., None]
    if picture.ndim != 3 or picture.dtype != np.uint8 or picture.shape[2] not in (1, 3, 4):
        raise BadEpisode(f"{where} holds {picture.shape} {picture.dtype}, not pictures (H, W, 3) uint8")
    return np.ascontiguousarray(np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture[..., :3])
