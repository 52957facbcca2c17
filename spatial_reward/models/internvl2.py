"""Turn InternVL2 checkpoints with an InternLM2 language model into a class that transformers knows.

InternVL2-8B, on which Multi-SpatialMLLM is built, comes as code of its own ("internvl_chat"). Its tensors are
those of `InternVLForConditionalGeneration` with a Llama language model, by other names: InternLM2 packs
queries, keys and values group by group, and the vision encoder one after the other. This also converts full
fine-tunes of it; LoRA weights must be merged in the original code first.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spatial_reward.models.internvl2_words import CELL, cells_per_tile, write_words

if TYPE_CHECKING:
    from torch import Tensor

_RENAMED = {  # in the order of their application
    r"^vision_model\.embeddings\.class_embedding$": "model.vision_tower.embeddings.cls_token",
    r"^vision_model\.embeddings\.position_embedding$": "model.vision_tower.embeddings.position_embeddings",
    r"^vision_model\.embeddings\.patch_embedding\.": (
        "model.vision_tower.embeddings.patch_embeddings.projection."
    ),
    r"^vision_model\.encoder\.layers": "model.vision_tower.encoder.layer",
    r"\.attn\.proj\.": ".attention.projection_layer.",
    r"\.attn\.(q|k)_norm\.": r".attention.\1_norm.",
    r"\.norm1\.": ".layernorm_before.",
    r"\.norm2\.": ".layernorm_after.",
    r"\.ls([12])$": r".lambda_\1",
    r"^mlp1\.0\.": "model.multi_modal_projector.layer_norm.",
    r"^mlp1\.1\.": "model.multi_modal_projector.linear_1.",
    r"^mlp1\.3\.": "model.multi_modal_projector.linear_2.",
    r"^language_model\.output\.": "lm_head.",
    r"^language_model\.model\.tok_embeddings\.": "model.language_model.embed_tokens.",
    r"^language_model\.model\.": "model.language_model.",
    r"\.attention\.wo\.": ".self_attn.o_proj.",
    r"\.feed_forward\.w1\.": ".mlp.gate_proj.",
    r"\.feed_forward\.w3\.": ".mlp.up_proj.",
    r"\.feed_forward\.w2\.": ".mlp.down_proj.",
    r"\.attention_norm\.": ".input_layernorm.",
    r"\.ffn_norm\.": ".post_attention_layernorm.",
}


def convert(source: str | Path, target: str | Path, check: bool = True) -> Path:
    """Convert a checkpoint: tensors file by file, configuration, tokenizer, processor.

    Args:
        source: Folder of the original, with safetensors files.
        target: Folder to write, whole or not at all.
        check: Compare with a forward in the original layout afterwards, which takes time and memory.

    Returns:
        The target.

    Raises:
        FileNotFoundError: If something is missing in the source.
        FileExistsError: If the target exists.
        ValueError: If the source is of another kind.
        RuntimeError: If the check fails.
    """
    source, target = Path(source), Path(target)
    original = _original_config(source)
    if target.exists():
        raise FileExistsError(f"{target} exists: choose another folder.")
    partial = target.with_name(f".{target.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    _write_tensors(source, partial, original)
    tokenizer = write_words(source, partial, original)
    config = converted_config(original, tokenizer)
    config.architectures = ["InternVLForConditionalGeneration"]
    config.save_pretrained(partial)
    check_names(partial)
    if check:
        from spatial_reward.models.internvl2_reference import check_forward

        check_forward(source, original, partial)
    os.replace(partial, target)
    return target


def _original_config(source: Path) -> dict[str, Any]:
    if not (source / "config.json").is_file():
        raise FileNotFoundError(
            f"There is no config.json in {source}: give the folder of an InternVL2 checkpoint."
        )
    config: dict[str, Any] = json.loads((source / "config.json").read_text())
    words = config.get("llm_config", {}).get("architectures", ["none"])[0]
    if config.get("model_type") != "internvl_chat" or words != "InternLM2ForCausalLM":
        raise ValueError(
            f"{source} holds {config.get('model_type')!r} with {words}, not InternVL2 with InternLM2: take "
            "the checkpoint whose name ends in -hf, where there is one."
        )
    if config.get("ps_version", "v1") != "v2" or config["vision_config"].get("use_mean_pooling"):
        raise ValueError(
            f"{source} is of an older kind (ps_version {config.get('ps_version')!r}), not InternVL2."
        )
    return config


def converted_config(original: Mapping[str, Any], tokenizer: Any) -> Any:
    """Return the configuration in the terms of transformers."""
    from transformers import InternVLConfig

    return InternVLConfig(
        vision_config=_sight(original["vision_config"]),
        text_config=_words(original["llm_config"]),
        image_token_id=tokenizer.convert_tokens_to_ids(CELL),
        image_seq_length=cells_per_tile(original),
        downsample_ratio=original["downsample_ratio"],
        vision_feature_layer=original.get("select_layer", -1),
        tie_word_embeddings=False,
    )


def _sight(original: Mapping[str, Any]) -> dict[str, Any]:
    same = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act")
    sizes = ("image_size", "patch_size", "num_channels", "layer_norm_eps", "initializer_range")
    return {name: original[name] for name in (*same, *sizes) if name in original} | {
        "attention_bias": original["qkv_bias"],
        "use_qk_norm": original.get("qk_normalization", False),
        "norm_type": original.get("norm_type", "layer_norm"),
        "use_absolute_position_embeddings": True,
        "use_mean_pooling": True,  # the class then has no norm at the end, as the original
    }


def _words(original: Mapping[str, Any]) -> dict[str, Any]:
    same = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    sizes = (
        "num_key_value_heads",
        "hidden_act",
        "max_position_embeddings",
        "rms_norm_eps",
        "initializer_range",
    )
    tokens = ("bos_token_id", "eos_token_id", "pad_token_id")
    scaling = original.get("rope_scaling")
    kind = (
        {"rope_type": scaling["type"], "factor": float(scaling["factor"])}
        if scaling
        else {"rope_type": "default"}
    )
    return {name: original[name] for name in (*same, *sizes, *tokens) if name in original} | {
        "model_type": "llama",
        "attention_bias": original.get("bias", False),
        "tie_word_embeddings": False,
        "rope_parameters": kind | {"rope_theta": float(original["rope_theta"])},
    }


def converted_tensors(name: str, value: Tensor, config: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors that one original tensor becomes.

    Raises:
        ValueError: If it is of a LoRA that has not been merged.
    """
    if "lora_" in name or "base_model." in name:
        raise ValueError(f"{name} is part of a LoRA: merge it in the original code before converting.")
    if ".attn.qkv." in name:
        stem, _, kind = _renamed(name).partition(".attn.qkv.")
        for letter, part in zip("qkv", value.chunk(3), strict=True):
            yield f"{stem}.attention.{letter}_proj.{kind}", part.contiguous()
    elif ".attention.wqkv." in name:
        stem, _, kind = _renamed(name).partition(".attention.wqkv.")
        words = config["llm_config"]
        for letter, part in zip("qkv", ungrouped(value, words), strict=True):
            yield f"{stem}.self_attn.{letter}_proj.{kind}", part.contiguous()
    else:
        yield _renamed(name), value


def ungrouped(packed: Tensor, words: Mapping[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
    """Take InternLM2's packed projection (rows, ...) apart: per key head its queries, one key, one value."""
    heads, keys = words["num_attention_heads"], words["num_key_value_heads"]
    size = words["hidden_size"] // heads
    groups = packed.reshape(keys, heads // keys + 2, size, *packed.shape[1:])
    parts = groups[:, :-2], groups[:, -2], groups[:, -1]
    queries, key, value = (part.reshape(-1, *packed.shape[1:]) for part in parts)
    return queries, key, value


def _renamed(name: str) -> str:
    for pattern, replacement in _RENAMED.items():
        name = re.sub(pattern, replacement, name)
    return name


def tensor_files(folder: Path) -> list[Path]:
    """List the safetensors files of a checkpoint.

    Raises:
        FileNotFoundError: If there are none.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise FileNotFoundError(f"There are no .safetensors files in {folder}.")
    return files


def _write_tensors(source: Path, target: Path, config: Mapping[str, Any]) -> None:
    """Convert file by file, so that no more than one is in memory."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    places: dict[str, str] = {}
    size = 0
    for file in tensor_files(source):
        with safe_open(file, "pt") as opened:
            pairs = [
                pair
                for name in opened.keys()  # noqa: SIM118  # no mapping
                for pair in converted_tensors(name, opened.get_tensor(name), config)
            ]
        save_file(dict(pairs), target / file.name, metadata={"format": "pt"})
        places |= {name: file.name for name, _ in pairs}
        size += sum(value.numel() * value.element_size() for _, value in pairs)
    index = {"metadata": {"total_size": size}, "weight_map": places}
    if len(set(places.values())) > 1 or "model.safetensors" not in places.values():
        (target / "model.safetensors.index.json").write_text(json.dumps(index, indent=2))


def check_names(folder: Path) -> None:
    """See to it that a converted checkpoint holds exactly the tensors of its class, of the right shapes.

    Raises:
        RuntimeError: If it does not.
    """
    import torch
    from safetensors import safe_open
    from transformers import AutoConfig, AutoModelForImageTextToText

    with torch.device("meta"):
        config = AutoConfig.from_pretrained(folder)
        model = AutoModelForImageTextToText.from_config(config)  # type: ignore[no-untyped-call]
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found: dict[str, tuple[int, ...]] = {}
    for file in tensor_files(folder):
        with safe_open(file, "pt") as opened:
            found |= {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
    differing = sorted(name for name in wanted.keys() | found if wanted.get(name) != found.get(name))
    if differing:
        raise RuntimeError(
            f"{len(differing)} tensors do not fit the class, such as {', '.join(differing[:3])}."
        )


def main(words: list[str]) -> None:
    """Convert from one folder to another."""
    paths = [word for word in words if "=" not in word]
    options = [word for word in words if "=" in word]
    if len(paths) != 2 or not set(options) <= {"check=true", "check=false"}:
        raise SystemExit("Usage: python -m spatial_reward.models.internvl2 SRC DST [check=true|false]")
    try:
        print(convert(paths[0], paths[1], check="check=false" not in options))
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main(sys.argv[1:])
