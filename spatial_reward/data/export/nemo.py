"""What NeMo AutoModel fine-tunes on: conversations in JSON lines, their meta file, and the recipe in YAML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from spatial_reward.data.export.asking import set_name
from spatial_reward.data.export.finetuning import (
    ALPHA,
    BATCH,
    CONVERSATIONS,
    DECAY,
    DROPOUT,
    RANK,
    RATE,
    write_conversations,
)
from spatial_reward.data.export.pictures import Pictures
from spatial_reward.data.records import QuestionSet
from spatial_reward.outputs import output_folder

META, CONFIG = "meta.json", "recipe.yaml"
PARTS = "nemo_automodel.components"
METHODS = ("lora", "full")
LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def export(
    set_folder: Path,
    out: Path | None = None,
    *,
    base: str = "Qwen/Qwen3-VL-4B-Instruct",
    method: str = "lora",
) -> Path:
    """Write `train.jsonl`, `meta.json` and `recipe.yaml`; return the folder.

    Run `automodel recipe.yaml --nproc-per-node 8` within it.

    Args:
        set_folder: A question set.
        out: Folder to write; `exports/nemo` of the set where None.
        base: Checkpoint to start from.
        method: "lora": adapters in the language model; "full": everything.

    Raises:
        FileExistsError: If the folder already holds something.
        FileNotFoundError: If the set or one of its pictures is missing.
        ValueError: If the method is unknown.
    """
    if method not in METHODS:
        raise ValueError(f"`method` must be one of {', '.join(METHODS)} for NeMo AutoModel, got {method!r}.")
    questions, final = QuestionSet(set_folder), out or set_folder / "exports" / "nemo"
    with output_folder(final) as folder:
        write_conversations(questions, Pictures(set_folder, folder, final), folder)
        entry = {"file_name": CONVERSATIONS, "media_dir": str(final.resolve())}
        (folder / META).write_text(json.dumps({set_name(set_folder): entry}, indent=1) + "\n")
        (folder / CONFIG).write_text(_yaml(_recipe(final.resolve(), base, method)))
    return final


def _recipe(folder: Path, base: str, method: str) -> dict[str, Any]:
    return {
        "recipe": "FinetuneRecipeForVLM",
        "step_scheduler": {
            "global_batch_size": BATCH // 4,  # packed rows of about four questions
            "local_batch_size": 1,
            "ckpt_every_steps": 500,
            "num_epochs": 1,
        },
        "dist_env": {"backend": "nccl", "timeout_minutes": 10},
        "rng": {"_target_": f"{PARTS}.training.rng.StatefulRNG", "seed": 0, "ranked": True},
        "model": {
            "_target_": "nemo_automodel.NeMoAutoModelForImageTextToText.from_pretrained",
            "pretrained_model_name_or_path": base,
            "attn_implementation": "flash_attention_2",
        },
        "processor": {
            "_target_": "transformers.AutoProcessor.from_pretrained",
            "pretrained_model_name_or_path": base,
        },
        "checkpoint": {"enabled": True, "checkpoint_dir": "checkpoints/", "model_save_format": "safetensors"},
        "distributed": {"strategy": "fsdp2", "dp_size": "none", "tp_size": 1, "cp_size": 1},
        "loss_fn": {"_target_": f"{PARTS}.loss.masked_ce.MaskedCrossEntropy"},
        **_rows(folder),
        "optimizer": {"_target_": "torch.optim.AdamW", "lr": RATE, "weight_decay": DECAY},
        "freeze_config": {"freeze_vision_tower": method == "lora", "freeze_language_model": False},
        **(_adapters() if method == "lora" else {}),
    }


def _rows(folder: Path) -> dict[str, Any]:
    return {
        "dataset": {
            "_target_": f"{PARTS}.datasets.vlm.datasets.make_meta_dataset",
            "path_or_dataset": str(folder / META),
        },
        "packed_sequence": {
            "pretokenize": True,
            "max_length": 8192,
            "pack_size": 8192,
            "drop_long_samples": True,
            "balance_media_tokens": True,
        },
        "dataloader": {
            "_target_": "torchdata.stateful_dataloader.StatefulDataLoader",
            "num_workers": 4,
            "pin_memory": True,
        },
    }


def _adapters() -> dict[str, Any]:
    return {
        "peft": {
            "_target_": f"{PARTS}._peft.lora.PeftConfig",
            "match_all_linear": False,
            "target_modules": [f"*language_model*{layer}" for layer in LAYERS],
            "dim": RANK,
            "alpha": ALPHA,
            "dropout": DROPOUT,
        }
    }


def _yaml(recipe: dict[str, Any]) -> str:
    from omegaconf import OmegaConf

    note = "# Run in this folder: automodel recipe.yaml --nproc-per-node <GPUs>  (NeMo AutoModel 0.7)\n"
    return note + str(OmegaConf.to_yaml(OmegaConf.create(recipe)))
