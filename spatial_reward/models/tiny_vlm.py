"""Tiny vision-language models of the real transformers classes, made from nothing in seconds.

They take the same road as the large ones (loading, tiling, generating, training, merging), so that tests
can go it without a download. Their weights are random: they know nothing until they are trained.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spatial_reward._require import require
from spatial_reward.models.tiny_tokenizer import tiny_tokenizer
from spatial_reward.models.vlm_processor import picture_processor_class
from spatial_reward.models.vlm_sizes import SIZES, TINY, Size

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase, ProcessorMixin

IMAGENET: dict[str, Any] = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
HALVES: dict[str, Any] = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
LEAST_AREA, MOST_AREA = 64**2, 1296 * 968  # [px] to which Qwen3-VL brings pictures
LARGE = 2048  # width from which weights are bf16
EMBEDDING_STD = 0.25  # tied to the head: with the usual 0.02, no logit exceeds 2.6 and nothing can be learnt
WEIGHT_STD = 0.08  # of the tiny ones, about 1 / sqrt(width)

_TURNS = (
    "{%- for message in messages %}{{ '<|im_start|>' + message.role + '\n' }}"
    "{%- if message.content is string %}{{ message.content }}"
    "{%- else %}{%- for block in message.content %}"
    "{%- if block.type == 'image' %}{{ '@' }}{%- elif block.type == 'text' %}{{ block.text }}{%- endif %}"
    "{%- endfor %}{%- endif %}{{ '<|im_end|>\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{%- endif %}"
)
TEMPLATES = {
    "internvl": _TURNS.replace("@", "<IMG_CONTEXT>\\n"),
    "qwen3_vl": _TURNS.replace("@", "<|vision_start|><|image_pad|><|vision_end|>"),
}


def build_tiny_vlm(
    folder: str | Path, family: str = "internvl", seed: int = 0, tile: int | None = None, size: str = "tiny"
) -> Path:
    """Write a complete checkpoint with random weights: about 1.3 M parameters, a few MB, no download.

    The larger sizes are for training from nothing ("35m"), and for measuring speed in the shapes of the large
    models ("8b": 16 GB in bf16).

    Args:
        folder: Of the checkpoint; written whole or not at all, in place of one that is there.
        family: "internvl" (with a Qwen3 language model) or "qwen3_vl".
        seed: Of the weights; the same seed gives the same weights.
        tile: Side [px] of InternVL's tiles, a multiple of two patches; None is the size's; of no effect on
            Qwen3-VL.
        size: Key of `vlm_sizes.SIZES`.

    Returns:
        The folder.

    Raises:
        ValueError: If the family or the size is unknown, or the tile no multiple of two patches.
        ImportError: If transformers is missing.
        FileExistsError: If the folder holds something other than a checkpoint.
    """
    if family not in TEMPLATES:
        raise ValueError(f"Unknown family {family!r} of tiny models. Known: {', '.join(TEMPLATES)}.")
    if size not in SIZES:
        raise ValueError(f"Unknown size {size!r} of models. Known: {', '.join(SIZES)}.")
    sizes = SIZES[size][family]
    tile, step = sizes.tile if tile is None else tile, 2 * sizes.patch
    if tile < step or tile % step:
        raise ValueError(f"`tile` must be a multiple of {step} px, got {tile}.")
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()) and not (folder / "config.json").is_file():
        raise FileExistsError(f"{folder} holds something other than a checkpoint: choose another folder.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as partial:
        _write(Path(partial) / "new", family, seed, sizes._replace(tile=tile))
        if folder.exists():
            os.replace(folder, Path(partial) / "old")
        os.replace(Path(partial) / "new", folder)
    return folder


def _write(folder: Path, family: str, seed: int, size: Size) -> None:
    transformers = require("transformers", "vlm", "vision-language models")
    import torch

    tokenizer = tiny_tokenizer(family, TEMPLATES[family])
    config = CONFIGS[family](tokenizer, size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        large = size.width >= LARGE
        dtype = torch.bfloat16 if large else torch.float32
        model = transformers.AutoModelForImageTextToText.from_config(config, dtype=dtype)
        _spread(model)
    model.generation_config = transformers.GenerationConfig(
        do_sample=False,
        eos_token_id=[tokenizer.convert_tokens_to_ids("<|im_end|>"), tokenizer.pad_token_id],
        pad_token_id=tokenizer.pad_token_id,
    )
    model.save_pretrained(folder)
    save_processor(PROCESSORS[family](tokenizer, size), folder)


def _spread(model: Any) -> None:
    """Give embeddings and positions a size at which they matter; the classes start some of them at 0."""
    import torch

    tables = {model.get_input_embeddings().weight}
    tables |= {weight for name, weight in model.named_parameters() if "position_embeddings" in name}
    with torch.no_grad():
        for table in tables:
            table.normal_(0, EMBEDDING_STD)


def save_processor(processor: ProcessorMixin, folder: Path) -> None:
    """Save a processor for pictures such that the stock class, which also wants videos, can load it."""
    processor.save_pretrained(folder)
    name = type(processor).__name__
    video = {"InternVLProcessor": "InternVLVideoProcessor"}.get(name, "Qwen3VLVideoProcessor")
    settings = {**processor.image_processor.to_dict(), "video_processor_type": video}
    for key in ("image_processor_type", "crop_to_patches", "min_patches", "max_patches"):
        settings.pop(key, None)
    (folder / "video_preprocessor_config.json").write_text(json.dumps(settings, indent=2))


def _words(tokenizer: PreTrainedTokenizerBase, size: Size) -> dict[str, Any]:
    """Return the sizes of the language model."""
    return {
        "vocab_size": max(len(tokenizer), size.tokens),
        "hidden_size": size.width,
        "intermediate_size": size.inner,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "num_key_value_heads": size.key_heads,
        "head_dim": size.head,
        "max_position_embeddings": 32768,
        "initializer_range": _std(size),
        "pad_token_id": tokenizer.pad_token_id,
    }


def _std(size: Size) -> float:
    return float(WEIGHT_STD * (TINY.width / size.width) ** 0.5)


def _sight(size: Size, patch: int, depth: str, heads: str) -> dict[str, Any]:
    """Return the sizes of the vision encoder."""
    return {
        "hidden_size": size.sight_width,
        "intermediate_size": size.sight_inner,
        depth: size.sight_layers,
        heads: size.sight_heads,
        "patch_size": patch,
        "initializer_range": _std(size),
    }


def _internvl_config(tokenizer: Any, size: Size) -> PreTrainedConfig:
    from transformers import InternVLConfig, Qwen3Config

    sight = _sight(size, size.patch, "num_hidden_layers", "num_attention_heads")
    return InternVLConfig(
        vision_config={
            **sight,
            "image_size": size.tile,
            "attention_bias": True,
            "layer_scale_init_value": 1.0,
        },
        text_config=Qwen3Config(**_words(tokenizer, size), tie_word_embeddings=True).to_dict(),
        image_token_id=tokenizer.context_image_token_id,
        image_seq_length=(size.tile // size.patch // 2) ** 2,
        tie_word_embeddings=True,
    )


def _qwen3_vl_config(tokenizer: Any, size: Size) -> PreTrainedConfig:
    from transformers import Qwen3VLConfig

    pairs, share = size.head // 2, size.head * 5 // 32  # pairs of a head; those for y, and for x
    axes = {"mrope_section": [pairs - 2 * share, share, share], "mrope_interleaved": True}
    return Qwen3VLConfig(
        vision_config={
            **_sight(size, 16, "depth", "num_heads"),
            "out_hidden_size": size.width,
            "num_position_embeddings": 24**2,
            "deepstack_visual_indexes": list(size.depths),
        },
        text_config={
            **_words(tokenizer, size),
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, **axes},
        },
        tie_word_embeddings=True,
        image_token_id=tokenizer.image_token_id,
        video_token_id=tokenizer.video_token_id,
        vision_start_token_id=tokenizer.vision_start_token_id,
        vision_end_token_id=tokenizer.vision_end_token_id,
    )


def _internvl_processor(tokenizer: Any, size: Size) -> Any:
    from transformers import GotOcr2ImageProcessorPil, InternVLProcessor

    pictures = GotOcr2ImageProcessorPil(
        size={"height": size.tile, "width": size.tile}, crop_to_patches=False, **IMAGENET
    )
    return picture_processor_class(InternVLProcessor)(
        pictures,
        tokenizer,
        image_seq_length=(size.tile // size.patch // 2) ** 2,
        chat_template=TEMPLATES["internvl"],
    )


def _qwen3_vl_processor(tokenizer: Any, size: Size) -> Any:
    from transformers import Qwen2VLImageProcessorPil, Qwen3VLProcessor

    area = {"shortest_edge": LEAST_AREA, "longest_edge": MOST_AREA}
    pictures = Qwen2VLImageProcessorPil(size=area, patch_size=16, merge_size=2, **HALVES)
    return picture_processor_class(Qwen3VLProcessor)(pictures, tokenizer, chat_template=TEMPLATES["qwen3_vl"])


CONFIGS = {"internvl": _internvl_config, "qwen3_vl": _qwen3_vl_config}
PROCESSORS = {"internvl": _internvl_processor, "qwen3_vl": _qwen3_vl_processor}


def main(words: list[str]) -> None:
    """Build a checkpoint from a folder and `key=value` words."""
    usage = (
        "Usage: python -m spatial_reward.models.tiny_vlm FOLDER [family=internvl|qwen3_vl] "
        "[seed=0] [tile=64] [size=tiny|35m|8b]"
    )
    options = dict(word.partition("=")[::2] for word in words[1:])
    if not words or "=" in words[0] or not set(options) <= {"family", "seed", "tile", "size"}:
        raise SystemExit(usage)
    numbers = {name: int(options.pop(name)) for name in ("seed", "tile") if name in options}
    try:
        print(build_tiny_vlm(words[0], **options, **numbers))  # type: ignore[arg-type]
    except (ValueError, OSError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main(sys.argv[1:])
