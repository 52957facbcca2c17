"""A CLIP-style reward: how well one picture goes with the words of the goal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward._require import require
from spatial_reward.camera import Array
from spatial_reward.models.clock import ClipScore
from spatial_reward.models.vlm_loading import chosen_device
from spatial_reward.types import Frame

Reward = Literal["probability", "projection"]
MEAN = (0.48145466, 0.4578275, 0.40821073)  # of the pictures that CLIP was trained on
STD = (0.26862954, 0.26130258, 0.27577711)


class Normalisation(NamedTuple):
    """How pictures are brought to a model: side [px], mean and std of the channels in [0, 1]."""

    side: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


class ClipReward:
    """Score each picture by itself against the goal and a baseline caption.

    Args:
        model: Folder of a `transformers.CLIPModel` with its tokenizer, or id on the hub.
        baseline: What the scene shows when nothing has been done.
        reward: "probability" of the goal's caption against the baseline's; "projection" is VLM-RM's
            (Rocamonde et al., 2024): closeness to the goal after a projection, by `alpha`, onto the line
            from baseline to goal.
        alpha: In [0, 1]; 0 is the plain cosine similarity.
        batch: Pictures at a time.
        device: "auto", "cuda", "mps" or "cpu".

    Raises:
        ImportError: If transformers is missing.
        OSError: If the model cannot be had.
        ValueError: If an option makes no sense.
    """

    def __init__(
        self,
        model: str | Path,
        baseline: str = "a robot arm over a table",
        reward: Reward = "probability",
        alpha: float = 0.5,
        batch: int = 32,
        device: str = "auto",
    ) -> None:
        """Load the model."""
        if reward not in get_args(Reward):
            raise ValueError(f"`reward` must be one of {', '.join(get_args(Reward))}, got {reward!r}.")
        if not 0 <= alpha <= 1 or batch < 1:
            raise ValueError(f"Need `alpha` in [0, 1] and `batch` of at least 1, got {alpha} and {batch}.")
        transformers = require("transformers", "vlm", "CLIP rewards")
        self.name = f"clip:{Path(model).name}"
        self.baseline, self.reward, self.alpha, self.batch = baseline, reward, alpha, batch
        try:
            loaded = transformers.CLIPModel.from_pretrained(str(model))
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(str(model))
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())[:300]
            raise OSError(f"Cannot load the CLIP model {str(model)!r}: {reason}") from error
        self._model = loaded.eval().requires_grad_(False).to(chosen_device(device))
        self._pictures = _normalisation(Path(model), int(loaded.config.vision_config.image_size))

    def score(self, frames: Sequence[Frame], goal: str) -> ClipScore:
        """Score every frame on its own."""
        states = np.concatenate(
            [self._images(frames[start : start + self.batch]) for start in range(0, len(frames), self.batch)]
        )
        target, baseline = self._texts([goal, self.baseline])
        if self.reward == "projection":
            return ClipScore(projection(states, target, baseline, self.alpha))
        scale = float(self._model.logit_scale.exp())
        return ClipScore(1 / (1 + np.exp(-scale * (states @ target - states @ baseline))))

    def _images(self, frames: Sequence[Frame]) -> Array:
        import torch

        pixels = np.stack([prepared(frame.rgb, self._pictures) for frame in frames])
        with torch.inference_mode():
            output = self._model.get_image_features(torch.from_numpy(pixels).to(self._model.device))
        return _unit(output)

    def _texts(self, texts: Sequence[str]) -> Array:
        import torch

        tokens = self._tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            output = self._model.get_text_features(
                input_ids=tokens["input_ids"].to(self._model.device),
                attention_mask=tokens["attention_mask"].to(self._model.device),
            )
        return _unit(output)


def projection(states: Array, target: Array, baseline: Array, alpha: float) -> Array:
    """Return VLM-RM's goal-baseline reward (T,) of unit vectors: states (T, n), target and baseline (n,)."""
    line = target - baseline
    length = float(line @ line)
    along = ((states - baseline) @ line / max(length, 1e-12))[:, None] * line + baseline
    mixed = alpha * along + (1 - alpha) * states
    rewards: Array = 1 - 0.5 * np.square(mixed - target).sum(1)
    return rewards


def prepared(picture: NDArray[np.uint8], how: Normalisation) -> NDArray[np.float32]:
    """Bring a picture (H, W, 3) to (3, side, side): the shorter side resized, the middle cut out."""
    height, width = picture.shape[:2]
    scale = how.side / min(height, width)
    size = max(how.side, round(width * scale)), max(how.side, round(height * scale))
    resized = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    top, left = (resized.shape[0] - how.side) // 2, (resized.shape[1] - how.side) // 2
    cut = resized[top : top + how.side, left : left + how.side].astype(np.float32) / 255
    channels: NDArray[np.float32] = ((cut - how.mean) / how.std).astype(np.float32).transpose(2, 0, 1)
    return channels


def _normalisation(folder: Path, side: int) -> Normalisation:
    """Read the mean and the std that a checkpoint states; CLIP's own where it states none."""
    path = folder / "preprocessor_config.json"
    stated = json.loads(path.read_text()) if path.is_file() else {}
    return Normalisation(side, tuple(stated.get("image_mean", MEAN)), tuple(stated.get("image_std", STD)))


def _unit(output: Any) -> Array:
    """Return the features as unit vectors; transformers 5 wraps them in an output."""
    features = getattr(output, "pooler_output", output).cpu().double().numpy()
    unit: Array = features / np.linalg.norm(features, axis=-1, keepdims=True)
    return unit
