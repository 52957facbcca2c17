"""Train SpatialNet from scratch on shards of random scenes: one code path for one CPU core or many GPUs."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from spatial_reward.data.pairs import ClipRecipe, draw_batch, shard_paths
from spatial_reward.models.spatialnet_network import NetworkConfig, SpatialNetwork
from spatial_reward.training.spatialnet_losses import WEIGHTS, Losses, to_tensors
from spatial_reward.training.spatialnet_start import read_checkpoint, starting_network
from spatial_reward.training.spatialnet_validation import validate

CHECKPOINT, BEST, LOG = "checkpoint.pt", "best.pt", "log.jsonl"


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        steps: Optimiser steps of the whole schedule.
        clips: Clips a step, over all processes.
        clip: How to draw a clip.
        rate: Peak learning rate.
        warmup: Steps of linear warm-up.
        decay: Weight decay.
        average: Decay of the exponential moving average of the weights.
        largest: Norm that gradients are clipped to.
        precision: Of the forward pass.
        seed: Of weights and clips.
        log_every: Steps between lines of the log.
        save_every: Steps between checkpoints.
        validate_every: Steps between validations.
        workers: Processes that draw clips beforehand; 0 draws them between steps.
        keep: Whether depth in general scenes is learnt from what the network to start from says of it, so
            that it is not forgotten.
    """

    steps: int = 20000
    clips: int = 4
    clip: ClipRecipe = field(default_factory=ClipRecipe)
    rate: float = 2e-3
    warmup: int = 200
    decay: float = 1e-3
    average: float = 0.999
    largest: float = 1.0
    precision: Literal["no", "bf16"] = "bf16"
    seed: int = 0
    log_every: int = 50
    save_every: int = 250
    validate_every: int = 1000
    workers: int = 0
    keep: bool = False


def train(
    data: Path,
    out: Path,
    recipe: Recipe,
    config: NetworkConfig,
    *,
    validation: Path | None = None,
    start: Path | None = None,
) -> dict[str, float]:
    """Train, or go on from the checkpoint in `out`, and return the last validation's errors.

    Clip number n of the seed is the same in any run, so a run that was interrupted goes on along the same
    curve, and several processes see what one would see. `log.jsonl` tells losses and validation errors;
    `best.pt` holds the averaged weights with the lowest validation score.

    Args:
        data: Folder of shards to train on.
        out: Folder of the run.
        recipe: How to train.
        config: Sizes of the network.
        validation: Folder of shards to choose the best weights by.
        start: Checkpoint or `best.pt` whose averaged weights to start from, or the folder of a model, such as
            to fine-tune.

    Raises:
        FileNotFoundError: If there are no shards, or nothing at `start`.
        ValueError: If the processes cannot share the clips of a step evenly, the loss is not finite, or the
            weights to start or go on from are damaged or of another network, or there are none to keep.
    """
    accelerator = _accelerator(recipe.precision)
    _check(recipe, accelerator.num_processes, start)
    paths = shard_paths(data)
    held_out = [] if validation is None else shard_paths(validation)
    run = _Run(out, recipe, config, accelerator.is_main_process, start)
    run.optimiser = torch.optim.AdamW(run.network.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    step = run.resume()
    model, optimiser = accelerator.prepare(Losses(run.network, run.before), run.optimiser)
    batches = _batches(paths, recipe, step, accelerator)
    meter = _Meter(recipe)
    errors: dict[str, float] = {}
    for batch in batches:
        meter.add(_learn(model, optimiser, batch, step, recipe, accelerator))
        step += 1
        run.averaged(step)
        if accelerator.is_main_process:
            errors = _kept(run, recipe, step, meter, held_out) or errors
    return errors


def _check(recipe: Recipe, processes: int, start: Path | None) -> None:
    if recipe.clips % processes:
        raise ValueError(f"`clips` must be a multiple of the {processes} processes, got {recipe.clips}.")
    if recipe.keep and start is None:
        raise ValueError("`keep` keeps what weights to start from have learnt: give `start`.")


def _kept(run: _Run, recipe: Recipe, step: int, meter: _Meter, held_out: list[Path]) -> dict[str, float]:
    """Log, validate and save a step where it is time to; return the errors of a validation."""
    errors: dict[str, float] = {}
    if step % recipe.log_every == 0:
        run.log(meter.read(step))
    if held_out and (step % recipe.validate_every == 0 or step == recipe.steps):
        errors = run.validated(step, held_out)
    if step % recipe.save_every == 0 or step == recipe.steps:
        run.save(step)
    return errors


def _accelerator(precision: str) -> Any:
    """Return an accelerator of this precision, whatever trained before in this process."""
    from accelerate import Accelerator  # type: ignore[import-untyped]
    from accelerate.state import AcceleratorState  # type: ignore[import-untyped]

    AcceleratorState._reset_state()  # else the first precision holds for good; as transformers' trainer does
    return Accelerator(mixed_precision=precision)


def _learn(
    model: Any, optimiser: Any, batch: Mapping[str, Any], step: int, recipe: Recipe, accelerator: Any
) -> dict[str, torch.Tensor]:
    """Take one step; return the losses, averaged over the processes."""
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(recipe, step)
    parts = model({key: value.to(accelerator.device) for key, value in batch.items()})
    shared = {name: accelerator.reduce(part.detach(), "mean") for name, part in parts.items()}
    if not all(part.isfinite() for part in shared.values()):
        raise ValueError(f"The loss is not finite at step {step}: lower `rate` or use precision=no.")
    optimiser.zero_grad()
    accelerator.backward(sum(WEIGHTS[name] * part for name, part in parts.items()))
    accelerator.clip_grad_norm_(model.parameters(), recipe.largest)
    optimiser.step()
    return shared


def learning_rate(recipe: Recipe, step: int) -> float:
    """Return the rate of a step: linear warm-up, then a cosine to 2 % of the peak."""
    if step < recipe.warmup:
        return recipe.rate * (step + 1) / recipe.warmup
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return recipe.rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))


def _batches(paths: list[Path], recipe: Recipe, first: int, accelerator: Any) -> Iterator[dict[str, Tensor]]:
    """Yield this process's share of the clips of each step that is left."""
    from torch.utils.data import DataLoader

    steps = _Steps(paths, recipe, accelerator.process_index, accelerator.num_processes)
    loader: DataLoader[dict[str, Tensor]] = DataLoader(
        steps,  # type: ignore[arg-type]  # a data set by its methods
        batch_size=None,
        sampler=range(first, recipe.steps),
        num_workers=recipe.workers,
        multiprocessing_context="spawn" if recipe.workers else None,
    )
    return iter(loader)


@dataclass(frozen=True)
class _Steps:
    """The clips of each step, as a data set whose item n is the batch of step n."""

    paths: list[Path]
    recipe: Recipe
    process: int
    processes: int

    def __getitem__(self, step: int) -> dict[str, Tensor]:
        share = self.recipe.clips // self.processes
        first = step * self.recipe.clips + self.process * share
        clips = range(first, first + share)
        return to_tensors(draw_batch(self.paths, clips, self.recipe.clip, seed=self.recipe.seed))

    def __len__(self) -> int:
        return self.recipe.steps


class _Meter:
    """Mean losses and speed since the last reading."""

    def __init__(self, recipe: Recipe) -> None:
        self.pairs = recipe.clips * recipe.clip.pairs
        self._clear()

    def _clear(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.count, self.begun = 0, time.perf_counter()

    def add(self, parts: Mapping[str, Tensor]) -> None:
        self.count += 1
        for name, part in parts.items():
            self.sums[name] = self.sums.get(name, torch.zeros_like(part)) + part

    def read(self, step: int) -> dict[str, float]:
        losses = {name: round(float(total) / self.count, 5) for name, total in self.sums.items()}
        loss = sum(WEIGHTS[name] * value for name, value in losses.items())
        speed = self.count * self.pairs / (time.perf_counter() - self.begun)
        self._clear()
        return {"step": step, "loss": round(loss, 5), **losses, "pairs_per_s": round(speed, 1)}


def score_of(errors: Mapping[str, float]) -> float:
    """Return the one number that the best weights are chosen by, of what `validate` returns."""
    return errors["match_median"] + 0.1 * errors["moving_p90"] + errors["depth_median"]


class _Run:
    """The state of a run, on disk and in memory."""

    def __init__(
        self, out: Path, recipe: Recipe, config: NetworkConfig, main: bool, start: Path | None
    ) -> None:
        out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(recipe.seed)
        self.out, self.recipe, self.config, self.main = out, recipe, config, main
        self.network = starting_network(config, start)
        self.before = deepcopy(self.network).eval().requires_grad_(False) if recipe.keep else None
        self.average = {name: value.clone() for name, value in self.network.state_dict().items()}
        self.best = math.inf
        self.optimiser: torch.optim.Optimizer

    def resume(self) -> int:
        """Take up the last checkpoint, if there is one; return its step."""
        path = self.out / CHECKPOINT
        if not path.exists():
            return 0
        state = read_checkpoint(path, self.network)
        self.optimiser.load_state_dict(state["optimiser"])
        self.average, self.best = state["average"], state["best"]
        if self.main:
            self._forget(state["step"])
        return int(state["step"])

    def _forget(self, step: int) -> None:
        """Drop the lines of the log after the checkpoint, which will be written again."""
        path = self.out / LOG
        lines = path.read_text().splitlines() if path.exists() else []
        kept = [line for line in lines if json.loads(line)["step"] <= step]
        path.write_text("".join(f"{line}\n" for line in kept))

    @torch.no_grad()
    def averaged(self, step: int) -> None:
        """Follow the weights with the moving average."""
        share = 1 - min(self.recipe.average, step / (step + 20))
        for name, value in self.network.state_dict().items():
            average = self.average[name] = self.average[name].to(value.device)
            average.lerp_(value, share)

    def log(self, line: Mapping[str, float]) -> None:
        """Write a line to the log and show it."""
        with (self.out / LOG).open("a") as file:
            file.write(json.dumps(dict(line)) + "\n")
        done = f"step {int(line['step'])}/{self.recipe.steps}"
        print(done, *(f"{name} {value:.4g}" for name, value in line.items() if name != "step"), flush=True)

    def validated(self, step: int, paths: list[Path]) -> dict[str, float]:
        """Measure the averaged weights, and keep them if they are the best."""
        network = SpatialNetwork(self.config).to(next(self.network.parameters()).device).eval()
        network.load_state_dict(self.average)
        errors = validate(network, paths, self.recipe.clip)
        score = score_of(errors)
        self.log({"step": step, **{name: round(value, 5) for name, value in errors.items()}})
        if score < self.best:
            self.best = score
            self._write(BEST, {"step": step, "average": self.average, "config": asdict(self.config)})
        return errors

    def save(self, step: int) -> None:
        """Write the checkpoint, whole or not at all."""
        state = {
            "step": step,
            "network": self.network.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "best": self.best,
            "recipe": asdict(self.recipe),
            "config": asdict(self.config),
        }
        self._write(CHECKPOINT, state)

    def _write(self, name: str, state: Mapping[str, Any]) -> None:
        partial = self.out / f"{name}.partial"
        torch.save(state, partial)
        os.replace(partial, self.out / name)
