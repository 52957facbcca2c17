"""InternVL2's forward in its original layout, written out anew: to check converted checkpoints against."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spatial_reward.models.internvl2 import tensor_files

if TYPE_CHECKING:
    from torch import Tensor

    Weights = Callable[[str], Tensor]

TOLERANCE = 1e-4  # of logits, in float32


def check_forward(source: Path, original: Mapping[str, Any], converted: Path) -> float:
    """Compare a converted checkpoint with its original on a random picture and random words, in float32.

    Returns:
        The largest difference of logits, as a share of the largest logit (at least 1).

    Raises:
        RuntimeError: If it exceeds 1e-4.
    """
    import torch
    from transformers import AutoModelForImageTextToText

    model: Any = AutoModelForImageTextToText.from_pretrained(converted, dtype=torch.float32)
    model.eval()
    generator = torch.Generator().manual_seed(0)
    side = original["vision_config"]["image_size"]
    pixels = torch.randn(2, 3, side, side, generator=generator)
    cells = torch.full((2 * model.config.image_seq_length,), model.config.image_token_id)
    words = torch.randint(3, 300, (12,), generator=generator)
    ids = torch.cat([words[:4], cells, words[4:]])
    with torch.inference_mode():
        got = model(input_ids=ids[None], pixel_values=pixels).logits[0]
        wanted = reference_logits(_reader(source), original, ids, pixels, model.config.image_token_id)
    apart = float((got - wanted).abs().max() / max(1.0, float(wanted.abs().max())))
    if not apart <= TOLERANCE:
        raise RuntimeError(f"The converted model differs from the original by {apart:.1e} of its logits.")
    return apart


def _reader(folder: Path) -> Weights:
    """Return a function that reads one tensor, in float32, so that layers are in memory one at a time."""
    from safetensors import safe_open

    opened: list[Any] = [safe_open(file, "pt") for file in tensor_files(folder)]
    places = {name: file for file in opened for name in file.keys()}  # noqa: SIM118  # no mapping
    return lambda name: places[name].get_tensor(name).float()


def reference_logits(
    weights: Weights, config: Mapping[str, Any], ids: Tensor, pixels: Tensor, image_token: int
) -> Tensor:
    """Compute the logits (L, V) of one row of tokens with pictures (n, 3, H, W)."""
    hidden = weights("language_model.model.tok_embeddings.weight")[ids]
    hidden[ids == image_token] = _seen(weights, config, pixels).reshape(-1, hidden.shape[-1])
    hidden = _read(weights, config["llm_config"], hidden)
    return hidden @ weights("language_model.output.weight").T


def _seen(weights: Weights, config: Mapping[str, Any], pixels: Tensor) -> Tensor:
    """Return what the language model sees of tiles: (n, cells, hidden)."""
    from torch.nn.functional import conv2d, gelu, layer_norm, linear

    sight = config["vision_config"]
    stem = "vision_model.embeddings"
    patches = conv2d(
        pixels,
        weights(f"{stem}.patch_embedding.weight"),
        weights(f"{stem}.patch_embedding.bias"),
        stride=sight["patch_size"],
    )
    side = patches.shape[-1]
    patches = patches.flatten(2).transpose(1, 2)
    first = weights(f"{stem}.class_embedding").expand(len(pixels), 1, -1)
    hidden = _cat(first, patches) + weights(f"{stem}.position_embedding")
    for depth in range(sight["num_hidden_layers"]):
        hidden = _sight_layer(weights, f"vision_model.encoder.layers.{depth}", sight, hidden)
    cells = _shuffled(hidden[:, 1:].reshape(len(pixels), side, side, -1))
    cells = layer_norm(cells, cells.shape[-1:], weights("mlp1.0.weight"), weights("mlp1.0.bias"))
    cells = gelu(linear(cells, weights("mlp1.1.weight"), weights("mlp1.1.bias")))
    return linear(cells, weights("mlp1.3.weight"), weights("mlp1.3.bias"))


def _cat(first: Tensor, second: Tensor) -> Tensor:
    import torch

    return torch.cat([first, second], 1)


def _shuffled(grid: Tensor) -> Tensor:
    """Join every 2 x 2 cells of (n, H, W, C) into one: (n, H W / 4, 4 C), column before row (version 2)."""
    count, height, width, size = grid.shape
    pairs = grid.reshape(count, height // 2, 2, width // 2, 2, size)
    return pairs.permute(0, 1, 3, 2, 4, 5).reshape(count, height * width // 4, 4 * size)


def _sight_layer(weights: Weights, stem: str, sight: Mapping[str, Any], hidden: Tensor) -> Tensor:
    from torch.nn.functional import gelu, linear, scaled_dot_product_attention

    heads = sight["num_attention_heads"]
    bias = weights(f"{stem}.attn.qkv.bias") if sight["qkv_bias"] else None
    packed = linear(_norm(weights, f"{stem}.norm1", sight, hidden), weights(f"{stem}.attn.qkv.weight"), bias)
    query, key, value = packed.reshape(*packed.shape[:2], 3, heads, -1).permute(2, 0, 3, 1, 4)
    if sight.get("qk_normalization"):
        query, key = (
            _split(_rms(weights(f"{stem}.attn.{name}_norm.weight"), _joined(part), 1e-6), heads)
            for name, part in (("q", query), ("k", key))
        )
    mixed = _joined(scaled_dot_product_attention(query, key, value))
    mixed = linear(mixed, weights(f"{stem}.attn.proj.weight"), weights(f"{stem}.attn.proj.bias"))
    hidden = hidden + mixed * weights(f"{stem}.ls1")
    inner = linear(
        _norm(weights, f"{stem}.norm2", sight, hidden),
        weights(f"{stem}.mlp.fc1.weight"),
        weights(f"{stem}.mlp.fc1.bias"),
    )
    inner = linear(gelu(inner), weights(f"{stem}.mlp.fc2.weight"), weights(f"{stem}.mlp.fc2.bias"))
    return hidden + inner * weights(f"{stem}.ls2")


def _joined(heads: Tensor) -> Tensor:
    return heads.transpose(1, 2).flatten(2)


def _split(hidden: Tensor, heads: int) -> Tensor:
    return hidden.reshape(*hidden.shape[:2], heads, -1).transpose(1, 2)


def _norm(weights: Weights, stem: str, sight: Mapping[str, Any], hidden: Tensor) -> Tensor:
    from torch.nn.functional import layer_norm

    if sight.get("norm_type", "layer_norm") == "rms_norm":
        return _rms(weights(f"{stem}.weight"), hidden, sight["layer_norm_eps"])
    scale, shift = weights(f"{stem}.weight"), weights(f"{stem}.bias")
    return layer_norm(hidden, hidden.shape[-1:], scale, shift, sight["layer_norm_eps"])


def _rms(scale: Tensor, hidden: Tensor, epsilon: float) -> Tensor:
    return scale * hidden / (hidden.pow(2).mean(-1, keepdim=True) + epsilon).sqrt()


def _read(weights: Weights, words: Mapping[str, Any], hidden: Tensor) -> Tensor:
    """Run the language model over (L, hidden)."""
    from torch.nn.functional import silu

    turn = _turns(words, len(hidden))
    for depth in range(words["num_hidden_layers"]):
        stem = f"language_model.model.layers.{depth}"
        epsilon = words["rms_norm_eps"]
        before = _rms(weights(f"{stem}.attention_norm.weight"), hidden, epsilon)
        hidden = hidden + _attended(weights, f"{stem}.attention", words, before, turn)
        before = _rms(weights(f"{stem}.ffn_norm.weight"), hidden, epsilon)
        gate, up, down = (weights(f"{stem}.feed_forward.{name}.weight") for name in ("w1", "w3", "w2"))
        hidden = hidden + (silu(before @ gate.T) * (before @ up.T)) @ down.T
    return _rms(weights("language_model.model.norm.weight"), hidden, words["rms_norm_eps"])


def _turns(words: Mapping[str, Any], length: int) -> Tensor:
    """Return the angles (L, size / 2) of the rotary positions; the base grows with long texts ("dynamic")."""
    import torch

    size = words["hidden_size"] // words["num_attention_heads"]
    base, most, scaling = words["rope_theta"], words["max_position_embeddings"], words.get("rope_scaling")
    if scaling and length > most:
        factor = scaling["factor"]
        base = base * (factor * length / most - (factor - 1)) ** (size / (size - 2))
    rates = torch.tensor([base ** (-2 * index / size) for index in range(size // 2)], dtype=torch.float64)
    return torch.outer(torch.arange(length, dtype=torch.float64), rates).float()


def _attended(weights: Weights, stem: str, words: Mapping[str, Any], hidden: Tensor, turn: Tensor) -> Tensor:
    """Attend over what stands before; every key head serves several query heads, which are packed with it."""
    import torch

    heads, keys = words["num_attention_heads"], words["num_key_value_heads"]
    size, share = words["hidden_size"] // heads, heads // keys
    packed = (hidden @ weights(f"{stem}.wqkv.weight").T).reshape(len(hidden), keys, share + 2, size)
    queries = _turned(packed[:, :, :share], turn)  # (L, keys, share, size)
    key = _turned(packed[:, :, share : share + 1], turn)[:, :, 0]
    scores = torch.einsum("qgsd,kgd->gsqk", queries, key) / math.sqrt(size)
    later = torch.ones(len(hidden), len(hidden), dtype=torch.bool).triu(1)
    shares = scores.masked_fill(later, -math.inf).softmax(-1)
    mixed = torch.einsum("gsqk,kgd->qgsd", shares, packed[:, :, share + 1]).reshape(len(hidden), -1)
    return mixed @ weights(f"{stem}.wo.weight").T


def _turned(vectors: Tensor, turn: Tensor) -> Tensor:
    """Rotate (L, ..., size): the first half of every vector is paired with the second."""
    import torch

    first, second = vectors.chunk(2, -1)
    cosine, sine = turn.cos()[:, None, None], turn.sin()[:, None, None]
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], -1)
