"""What ms-swift 4 fine-tunes on: conversations in JSON lines, and the YAML file for `swift sft`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spatial_reward.data.export.finetuning import (
    ALPHA,
    BATCH,
    CONVERSATIONS,
    DECAY,
    DROPOUT,
    RANK,
    RATE,
    WARMUP,
    write_conversations,
)
from spatial_reward.data.export.pictures import Pictures
from spatial_reward.data.records import QuestionSet
from spatial_reward.outputs import output_folder

CONFIG = "sft.yaml"
# In "lora_llm", what is not frozen beside the language model is trained whole.
METHODS: dict[str, dict[str, Any]] = {
    "lora": {"tuner_type": "lora", "freeze_vit": True, "freeze_aligner": True},
    "lora_projector": {"tuner_type": "lora_llm", "freeze_vit": True, "freeze_aligner": False},
    "lora_vision": {"tuner_type": "lora_llm", "freeze_vit": False, "freeze_aligner": False},
    "full": {"tuner_type": "full", "freeze_vit": False, "freeze_aligner": False},
}


def export(
    set_folder: Path,
    out: Path | None = None,
    *,
    base: str = "Qwen/Qwen3-VL-4B-Instruct",
    method: str = "lora",
    processes: int = 8,
) -> Path:
    """Write `train.jsonl` and `sft.yaml`; return the folder. Run `swift sft sft.yaml` within it.

    Args:
        set_folder: A question set.
        out: Folder to write; `exports/swift` of the set where None.
        base: Checkpoint to start from.
        method: What is trained, as for `train model=vlm`.
        processes: GPUs, for which the batch of 192 samples is divided; give as many in NPROC_PER_NODE.

    Raises:
        FileExistsError: If the folder already holds something.
        FileNotFoundError: If the set or one of its pictures is missing.
        ValueError: If the method is unknown, or the batch cannot be divided.
    """
    if method not in METHODS:
        raise ValueError(f"`method` must be one of {', '.join(METHODS)}, got {method!r}.")
    if processes < 1 or BATCH % processes:
        raise ValueError(f"`processes` must divide {BATCH}, got {processes}.")
    questions, final = QuestionSet(set_folder), out or set_folder / "exports" / "swift"
    with output_folder(final) as folder:
        write_conversations(questions, Pictures(set_folder, folder, final), folder)
        (folder / CONFIG).write_text(_yaml(_settings(base, method, processes)))
    return final


def _settings(base: str, method: str, processes: int) -> dict[str, Any]:
    adapters = {
        "lora_rank": RANK,
        "lora_alpha": ALPHA,
        "lora_dropout": DROPOUT,
        "target_modules": "all-linear",  # of what is not frozen
    }
    return {
        "model": base,
        "torch_dtype": "bfloat16",
        "attn_impl": "flash_attn",
        **METHODS[method],
        **({} if method == "full" else adapters),
        "dataset": CONVERSATIONS,
        "split_dataset_ratio": 0.0,
        "max_length": 8192,
        "packing": True,
        "num_train_epochs": 1,
        "per_device_train_batch_size": 1,
        # A packed row of 8192 tokens holds about four questions of two pictures of a million pixels.
        "gradient_accumulation_steps": max(1, BATCH // processes // 4),
        "learning_rate": RATE,
        "lr_scheduler_type": "cosine",
        "warmup_ratio": WARMUP,
        "weight_decay": DECAY,
        "save_steps": 500,
        "save_total_limit": 2,
        "logging_steps": 10,
        "dataloader_num_workers": 4,
        "output_dir": "output",
    }


def _yaml(settings: dict[str, Any]) -> str:
    from omegaconf import OmegaConf

    note = "# Run in this folder: NPROC_PER_NODE=<GPUs> swift sft sft.yaml  (ms-swift 4)\n"
    return note + str(OmegaConf.to_yaml(OmegaConf.create(settings)))
