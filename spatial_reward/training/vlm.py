"""Fine-tune a vision-language model on questions: LoRA or in full, on one device or many; resumable."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spatial_reward._require import require
from spatial_reward.models.coordinates import FAMILIES, family
from spatial_reward.models.tiny_vlm import save_processor
from spatial_reward.models.vlm_loading import load_vlm
from spatial_reward.models.vlm_processor import picture_options
from spatial_reward.outputs import default_folder, write_summary
from spatial_reward.training.packing import MULTIMODAL_POSITIONS, Collator
from spatial_reward.training.vlm_data import Mixture
from spatial_reward.training.vlm_exam import Exam
from spatial_reward.training.vlm_methods import trained_share, with_method
from spatial_reward.training.vlm_run import LOG, RunFolder
from spatial_reward.training.vlm_settings import Plan, Settings, is_main
from spatial_reward.training.vlm_tokens import Encoder, Tokens


def train_vlm(config: Mapping[str, Any]) -> Path:
    """Carry out `conf/train_vlm.yaml`, or go on where it was interrupted; return the folder of the run.

    Sample n of the run is the same on any number of processes, and after any interruption. `model/` holds
    the adapter, or the whole model where everything was trained or `merge` is set; `log.jsonl` what was
    measured on the way.

    Raises:
        FileExistsError: If `out` holds something else, or a run with other settings.
        FileNotFoundError: If data is missing.
        ImportError: If transformers, peft or accelerate is missing.
        OSError: If the base cannot be had.
        ValueError: If a setting makes no sense.
    """
    for module in ("transformers", "accelerate", "peft"):
        require(module, "vlm", "fine-tuning")
    settings = Settings.of(config)
    folder = RunFolder(Path(settings.out) if settings.out else default_folder("train"))
    plan = Plan.of(settings)
    folder.open(settings.content(), is_main())
    if not folder.finished:
        _train(settings, plan, folder, config)
    return folder.path


def _train(settings: Settings, plan: Plan, folder: RunFolder, config: Mapping[str, Any]) -> None:
    import transformers

    from spatial_reward.training.vlm_trainer import LineLog, QuestionTrainer, training_arguments

    arguments = training_arguments(settings, plan.steps, folder.checkpoints)
    with arguments.main_process_first(desc="tidying up"):
        if is_main():
            folder.tidy()
    model, encoder = load(settings)
    collator = collator_for(model, encoder, settings)
    exam = None
    if settings.validation is not None:
        exam = Exam.of(
            Path(settings.validation), settings.validation_count, encoder, collator, settings.per_device
        )
    transformers.set_seed(settings.seed)  # adapters start at random
    model = with_method(
        model, settings.method, rank=settings.rank, alpha=settings.alpha, dropout=settings.dropout
    )
    mixture = Mixture(plan.questions, plan.general, plan.order, plan.steps * settings.batch)
    trainer = QuestionTrainer(
        exam,
        model=model,
        args=arguments,
        train_dataset=Encoded(mixture, encoder),
        data_collator=collator,
        callbacks=[LineLog(folder.path / LOG)],
    )
    share = trained_share(model)
    last = folder.last_checkpoint()
    result = trainer.train(resume_from_checkpoint=None if last is None else str(last))
    _save(trainer, encoder, settings, folder)
    if is_main():
        metrics = _metrics(trainer, result.metrics, share)
        write_summary(folder.path, command="train", seed=settings.seed, config=config, metrics=metrics)


def load(settings: Settings) -> tuple[Any, Encoder]:
    """Load the base for training, and what encodes conversations for it.

    Frozen weights are loaded in bf16 where that is the precision; weights that are trained stay in fp32
    and are multiplied in bf16. FSDP shards one number format only, so there all weights are fp32.

    Raises:
        OSError: If the base cannot be had.
        ValueError: If it is an adapter, or would have to be merged while it is sharded.
    """
    if (Path(settings.base) / "adapter_config.json").is_file():
        raise ValueError(f"base={settings.base} is an adapter: train it with merge=true to go on from it.")
    sharded = os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"
    if sharded and settings.merge:
        raise ValueError("merge=true needs whole weights, which FSDP has not: train with merge=false.")
    frozen = settings.method != "full" and settings.precision == "bf16" and not sharded
    dtype = "bf16" if frozen else "fp32"
    model, processor = load_vlm(settings.base, None, "cpu", dtype, settings.trust_remote_code)
    model.set_attn_implementation(settings.attention)
    kin = family(model.config.model_type)
    kin = family(settings.base) if kin is FAMILIES["thousandths"] else kin
    tiles = kin.tiles if settings.tiles is None else settings.tiles
    return model.train(), Encoder(processor, kin, picture_options(processor, tiles, settings.most_pixels))


def collator_for(model: Any, encoder: Encoder, settings: Settings) -> Collator:
    """Return what makes batches for a model.

    Raises:
        ValueError: If samples of the model's family cannot be packed.
    """
    kind = model.config.model_type
    if settings.packing and kind not in MULTIMODAL_POSITIONS:
        known = ", ".join(MULTIMODAL_POSITIONS)
        raise ValueError(f"Packing is not known to keep samples of {kind!r} apart ({known}): packing=false.")
    grids = MULTIMODAL_POSITIONS.get(kind, False)
    return Collator(
        blank=encoder.blank(),
        pad=encoder.processor.tokenizer.pad_token_id,
        capacity=settings.length,
        merge=model.config.vision_config.spatial_merge_size if grids else None,
        packing=settings.packing,
        flat="flash" in settings.attention,
    )


@dataclass(frozen=True)
class Encoded:
    """The samples of a run as tokens, as a data set."""

    mixture: Mixture
    encoder: Encoder

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.mixture)

    def __getitem__(self, number: int) -> Tokens:
        """Return sample number `number` of the run."""
        return self.encoder(self.mixture[number])


def _save(trainer: Any, encoder: Encoder, settings: Settings, folder: RunFolder) -> None:
    """Write the model, whole or not at all."""
    partial = folder.path / ".model.partial"
    if trainer.is_fsdp_enabled:
        trainer.accelerator.state.fsdp_plugin.set_state_dict_type("FULL_STATE_DICT")
    if settings.merge and settings.method != "full" and is_main():
        trainer.accelerator.unwrap_model(trainer.model).merge_and_unload().save_pretrained(partial)
    elif not settings.merge or settings.method == "full":
        trainer.save_model(str(partial))
    if not is_main():
        return
    (partial / "training_args.bin").unlink(missing_ok=True)  # a pickle that nobody needs
    if settings.merge or settings.method == "full":
        save_processor(encoder.processor, partial)
    shutil.rmtree(folder.model, ignore_errors=True)
    partial.replace(folder.model)


def _metrics(trainer: Any, found: Mapping[str, float], share: float) -> dict[str, float]:
    seconds = found["train_runtime"]
    best = trainer.state.best_metric
    return {
        "steps": trainer.state.global_step,
        "loss": found["train_loss"],
        "best": float("nan") if best is None else best,
        "seconds": seconds,
        "samples_per_s": found["train_samples_per_second"],
        "tokens_per_s": trainer.tokens * trainer.args.world_size / seconds,
        "trained_share": share,
        "peak_memory_mb": _peak_memory(),
    }


def _peak_memory() -> float:
    """Return the peak memory of this process [MB]: of its GPU where it has one."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
