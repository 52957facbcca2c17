"""What a fine-tuning run is to do, checked before anything is loaded."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from spatial_reward.training.vlm_data import Joined, Order
from spatial_reward.training.vlm_methods import METHODS
from spatial_reward.training.vlm_rows import ChatRows, QuestionRows, Rows, Take

# How a run is spread over machines: it may be resumed with others of these, and sees the same samples.
ELASTIC = ("per_device", "workers", "attention", "checkpointing", "log_every", "keep", "merge", "out")
PRECISIONS = ("bf16", "no")
CRITERIA = ("accuracy", "loss")


@dataclass(frozen=True)
class Settings:
    """The keys of `conf/train_vlm.yaml`, which explains them.

    Raises:
        ValueError: If a value makes no sense, or the processes cannot share a batch evenly.
    """

    data: list[str]
    base: str
    method: str
    take: Take | None
    count: int | None
    general: str | None
    general_share: float
    validation: str | None
    validation_count: int
    best_by: str
    rank: int
    alpha: int
    dropout: float
    rate: float
    warmup: float
    decay: float
    largest: float
    batch: int
    epochs: float
    steps: int | None
    per_device: int
    length: int
    packing: bool
    tiles: int | None
    most_pixels: int | None
    precision: str
    attention: str
    checkpointing: bool
    workers: int
    log_every: int
    save_every: int
    validate_every: int | None
    keep: int
    merge: bool
    trust_remote_code: bool
    seed: int
    out: str | None

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Settings:
        """Take the settings from a composed configuration."""
        data = [config["data"]] if isinstance(config["data"], str) else config["data"]
        if not data:
            raise ValueError("`data` is missing: name the folder of a question set that `generate` made.")
        return cls(**{field.name: config[field.name] for field in fields(cls)} | {"data": list(data)})

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        for name, known in (("method", METHODS), ("precision", PRECISIONS), ("best_by", CRITERIA)):
            if getattr(self, name) not in known:
                raise ValueError(f"`{name}` must be one of {', '.join(known)}, got {getattr(self, name)!r}.")
        for name in ("batch", "per_device", "length", "save_every", "log_every", "rank", "validation_count"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1, got {getattr(self, name)}.")
        if not self.base:
            raise ValueError("`base` is missing: name a checkpoint, such as base=Qwen/Qwen3-VL-4B-Instruct.")
        if self.batch % (self.per_device * processes()):
            raise ValueError(
                f"batch={self.batch} must be a multiple of per_device={self.per_device} times the "
                f"{processes()} processes: choose per_device so, or another batch."
            )
        if self.out is None and processes() > 1:
            raise ValueError("Name the folder of the run with out=FOLDER where several processes train.")
        if self.validation and self.save_every % self.between_validations:
            raise ValueError(
                f"save_every={self.save_every} must be a multiple of "
                f"validate_every={self.between_validations}, so that the best weights are kept."
            )

    @property
    def between_validations(self) -> int:
        """Steps from one validation to the next."""
        return self.validate_every or self.save_every

    @property
    def accumulate(self) -> int:
        """Forward passes of each process in a step."""
        return self.batch // (self.per_device * processes())

    def content(self) -> dict[str, Any]:
        """Return what makes the run what it is, on however many processes."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name not in ELASTIC}


@dataclass(frozen=True)
class Plan:
    """What a run learns from, and for how long."""

    questions: Rows
    general: Rows | None
    order: Order
    steps: int

    @classmethod
    def of(cls, settings: Settings) -> Plan:
        """Open the data.

        Raises:
            FileNotFoundError: If a set or file is missing.
            ValueError: If nothing is left to learn from.
        """
        how = {"take": settings.take, "count": settings.count, "seed": settings.seed}
        questions = Joined([QuestionRows(Path(folder), **how) for folder in settings.data])  # type: ignore[arg-type]
        general = None if settings.general is None else ChatRows(Path(settings.general))
        share = 0.0 if general is None else settings.general_share
        order = Order(len(questions), 0 if general is None else len(general), share, settings.seed)
        steps = settings.steps or max(1, math.ceil(order.epoch * settings.epochs / settings.batch))
        return cls(questions, general, order, steps)


def processes() -> int:
    """Return how many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Tell whether this is the process that writes."""
    return os.environ.get("RANK", "0") == "0"
