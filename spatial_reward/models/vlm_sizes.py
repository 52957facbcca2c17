"""Sizes of vision-language models that are made with random weights."""

from __future__ import annotations

from typing import NamedTuple


class Size(NamedTuple):
    """How large a model is.

    Attributes:
        width: Of the language model,
        layers: its layers,
        heads: its attention heads,
        key_heads: those for keys and values,
        inner: and the width of its feed-forward layers.
        sight_width: Of the vision encoder,
        sight_layers: its layers,
        sight_heads: its attention heads,
        sight_inner: and the width of its feed-forward layers.
        patch: Side of an InternVL patch [px]; Qwen3-VL's are 16 px.
        tile: Side of an InternVL tile [px].
        tokens: Least size of the vocabulary: that of the tokenizer is smaller.
        depths: Vision layers that Qwen3-VL also feeds to the language model.
    """

    width: int
    layers: int
    heads: int
    key_heads: int
    inner: int
    sight_width: int
    sight_layers: int
    sight_heads: int
    sight_inner: int
    patch: int
    tile: int
    tokens: int = 0
    depths: tuple[int, ...] = (0, 1)

    @property
    def head(self) -> int:
        """Width of an attention head."""
        return self.width // self.heads


TINY = Size(128, 4, 4, 2, 384, 64, 3, 4, 192, patch=8, tile=64)
SMALL = Size(512, 8, 8, 2, 1536, 384, 6, 6, 1536, patch=16, tile=224, depths=(1, 3))
# By name and family. "8b" has the shapes of InternVL3-8B (Qwen2.5-7B and InternViT-300M) and Qwen3-VL-8B.
SIZES: dict[str, dict[str, Size]] = {
    "tiny": {"internvl": TINY, "qwen3_vl": TINY},
    "35m": {"internvl": SMALL, "qwen3_vl": SMALL},
    "8b": {
        "internvl": Size(3584, 28, 28, 4, 18944, 1024, 24, 16, 4096, patch=14, tile=448, tokens=151_674),
        "qwen3_vl": Size(
            4096, 36, 32, 8, 12288, 1152, 27, 16, 4304, patch=16, tile=448, tokens=151_936, depths=(8, 16, 24)
        ),
    },
}
