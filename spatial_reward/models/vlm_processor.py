"""Processors of vision-language models, for pictures alone: they need no torchvision.

The stock ones of transformers build a video processor, which needs it; these are the same without one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spatial_reward._require import require
from spatial_reward.chat import Picture

if TYPE_CHECKING:
    from transformers import ProcessorMixin

_VIDEO = "video_processor"


class _WithoutVideo:
    """Goes before a stock processor class, and takes its video processor away."""

    @classmethod
    def get_attributes(cls) -> list[str]:
        """List the parts to load and save."""
        attributes: list[str] = super().get_attributes()  # type: ignore[misc]
        return [name for name in attributes if name != _VIDEO]

    @classmethod
    def from_args_and_dict(cls, args: list[Any], processor_dict: dict[str, Any], **options: Any) -> Any:
        """Build the processor from its loaded parts, with nothing in the place of the video processor."""
        kept = {name: value for name, value in processor_dict.items() if name != _VIDEO}
        place = super().get_attributes().index(_VIDEO)  # type: ignore[misc]
        args = [*args[:place], None, *args[place:]]
        return super().from_args_and_dict(args, kept, **options)  # type: ignore[misc]


def picture_processor_class(stock: Any) -> Any:
    """Return a processor class without its video processor; one that has none is returned as it is."""
    if _VIDEO not in stock.get_attributes():
        return stock
    return type(stock.__name__, (_WithoutVideo, stock), {"__module__": stock.__module__})


def load_processor(source: str | Path, trust_remote_code: bool = False) -> ProcessorMixin:
    """Load the processor of a checkpoint, for pictures alone.

    Raises:
        ImportError: If transformers is missing.
        OSError: If there is no such checkpoint, or it is incomplete.
    """
    transformers = require("transformers", "vlm", "vision-language models")
    names: dict[str, str] = require(
        "transformers.models.auto.processing_auto", "vlm", "vision-language models"
    ).PROCESSOR_MAPPING_NAMES
    config = transformers.AutoConfig.from_pretrained(source, trust_remote_code=trust_remote_code)
    stock = getattr(transformers, names.get(config.model_type, "AutoProcessor"))
    chosen = picture_processor_class(stock) if config.model_type in names else stock
    processor: ProcessorMixin = chosen.from_pretrained(source, trust_remote_code=trust_remote_code)
    return processor


def picture_options(processor: Any, tiles: int, most_pixels: int | None = None) -> dict[str, Any]:
    """Return the options with which a processor takes pictures.

    Args:
        processor: Of a model.
        tiles: Most tiles per picture, with a thumbnail beside them, where the model takes tiles: MultiSPA has
            6 for every picture. With 0 or 1, a picture is one tile. Stock InternVL would take 12.
        most_pixels: Bound on the area [px] of a picture, where the model takes pictures of any size, such as
            Qwen-VL; larger ones are shrunk. None leaves the model's own bound.

    Raises:
        ValueError: If a number is not positive, or the model does not know it.
    """
    pictures = processor.image_processor
    if tiles < 0 or (most_pixels is not None and most_pixels < 1):
        raise ValueError(
            f"`tiles` must be at least 0 and `most_pixels` positive, got {tiles} and {most_pixels}."
        )
    any_size = "longest_edge" in dict(pictures.size or {}) and hasattr(pictures, "merge_size")
    if most_pixels is not None and not any_size:
        raise ValueError(f"{type(pictures).__name__} takes no `most_pixels`: use `tiles`, or leave it out.")
    if hasattr(pictures, "crop_to_patches"):
        return {"crop_to_patches": tiles > 1, "min_patches": 1, "max_patches": max(1, tiles)}
    if most_pixels is None:
        return {}
    least = min(int(dict(pictures.size)["shortest_edge"]), most_pixels)
    return {"size": {"shortest_edge": least, "longest_edge": most_pixels}}


def encode(
    processor: Any, texts: Sequence[str], pictures: Sequence[Sequence[Picture]], options: dict[str, Any]
) -> dict[str, Any]:
    """Turn asking texts and their pictures, (H, W, 3) uint8, into a model's inputs, padded on the left."""
    from PIL import Image

    shown = [[Image.fromarray(picture) for picture in group] for group in pictures]
    inputs = processor(
        text=list(texts),
        images=shown if any(shown) else None,
        return_tensors="pt",
        padding=True,
        padding_side="left",
        add_special_tokens=_adds_start(processor, texts),
        **options,
    )
    return dict(inputs)


def _adds_start(processor: Any, texts: Sequence[str]) -> bool:
    """Tell whether the tokenizer must add its start token: not where the chat template wrote it."""
    start = processor.tokenizer.bos_token
    return not (start and all(text.startswith(start) for text in texts))
