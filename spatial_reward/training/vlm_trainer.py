"""Hugging Face's trainer, with samples in our order, a log of lines, and validation by questions."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, Trainer, TrainerCallback, TrainingArguments

from spatial_reward.training.vlm_exam import Exam, marks
from spatial_reward.training.vlm_settings import Settings, is_main, processes


def training_arguments(settings: Settings, steps: int, folder: Path) -> TrainingArguments:
    """Return the trainer's arguments. Build them once a process: they set up its devices.

    Args:
        settings: Of the run.
        steps: Optimiser steps in all.
        folder: Of the checkpoints.

    Raises:
        RuntimeError: If the processes would not train together.
    """
    return _together(
        TrainingArguments(
            output_dir=str(folder),
            max_steps=steps,
            per_device_train_batch_size=settings.per_device,
            per_device_eval_batch_size=settings.per_device,
            gradient_accumulation_steps=settings.accumulate,
            learning_rate=settings.rate,
            lr_scheduler_type="cosine",
            warmup_steps=settings.warmup,
            weight_decay=settings.decay,
            max_grad_norm=settings.largest,
            bf16=settings.precision == "bf16",
            activation_checkpointing=settings.checkpointing,
            activation_checkpointing_kwargs={"use_reentrant": False} if settings.checkpointing else None,
            logging_steps=settings.log_every,
            save_strategy="steps",
            save_steps=settings.save_every,
            save_total_limit=settings.keep,
            **({} if settings.validation is None else _validation(settings)),
            train_sampling_strategy="sequential",  # the order is the data set's own
            dataloader_num_workers=settings.workers,
            dataloader_drop_last=True,
            dataloader_pin_memory=torch.cuda.is_available(),
            remove_unused_columns=False,
            ddp_find_unused_parameters=False,  # every batch has a picture, so all are used
            label_names=["labels"],
            seed=settings.seed,
            use_cpu=not torch.accelerator.is_available(),  # else processes on CPUs would each train alone
            report_to="none",
        )
    )


def _together(arguments: TrainingArguments) -> TrainingArguments:
    """Make sure that each process has one device, and that all train together."""
    if arguments.n_gpu > 1:  # several GPUs in one process would mean the slow and inexact DataParallel
        arguments._n_gpu = 1
    if arguments.world_size != processes():
        raise RuntimeError(
            f"{processes()} processes were launched, but {arguments.world_size} would train together: start "
            "them with `accelerate launch` and a configuration from training/accelerate."
        )
    return arguments


def _validation(settings: Settings) -> dict[str, Any]:
    """Return the arguments by which the best weights are kept."""
    return {
        "eval_strategy": "steps",
        "eval_steps": settings.between_validations,
        "load_best_model_at_end": True,
        "metric_for_best_model": settings.best_by,
        "greater_is_better": settings.best_by == "accuracy",
    }


class QuestionTrainer(Trainer):
    """The trainer; its evaluation is the loss on validation questions and the share answered correctly.

    Args:
        exam: The validation questions; without any, the arguments must not ask for evaluation.
        options: The stock trainer's arguments.
    """

    def __init__(self, exam: Exam | None, **options: Any) -> None:
        """Take the loss of a step as a whole, and start to count tokens."""
        super().__init__(eval_dataset=exam, **options)
        self.exam: Any = exam
        # Some classes deny it, though they do: a step's loss is a mean over all its tokens, in any division.
        self.model_accepts_loss_kwargs = True
        self.tokens = 0

    def training_step(self, model: Any, inputs: dict[str, Any], *rest: Any) -> torch.Tensor:
        """Count tokens on the way, and take no cache: with one, samples of a row would see each other."""
        self.tokens += inputs["input_ids"].numel()
        loss: torch.Tensor = super().training_step(model, {**inputs, "use_cache": False}, *rest)
        return loss

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Load the weights; the stock trainer overlooks that files name some families' weights otherwise."""
        if not self._load_whole(Path(resume_from_checkpoint)):
            super()._load_from_checkpoint(resume_from_checkpoint, model)

    def _load_best_model(self) -> None:
        if not self._load_whole(Path(self.state.best_model_checkpoint or "")):
            super()._load_best_model()

    def _load_whole(self, folder: Path) -> bool:
        """Load the weights of a model that is trained in full, unless it is sharded; tell whether it was."""
        if self.is_fsdp_enabled or not isinstance(self.model, PreTrainedModel):
            return False
        whole = type(self.model).from_pretrained(folder, dtype=self.model.dtype)
        self.model.load_state_dict(whole.state_dict())
        return True

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: Any = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Return the loss and the accuracies, which are logged; the same for any number of processes."""
        model: Any = self.model
        was_training = model.training
        found = self.exam.sit(model.eval(), self.args.process_index, self.args.world_size)
        model.train(was_training)
        total = self.accelerator.reduce(found.to(self.args.device), "sum").cpu()
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in marks(total).items()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


class LineLog(TrainerCallback):
    """Appends what is logged to a file, a JSON object a line."""

    def __init__(self, path: Path) -> None:
        """Remember the file."""
        self.path, self._begun = path, time.time()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **rest: Any) -> None:
        """Write a line."""
        if is_main() and logs:
            line = {"step": state.global_step, "seconds": round(time.time() - self._begun, 1), **logs}
            with self.path.open("a") as file:
                file.write(json.dumps(line) + "\n")
