"""Speed of a vision-language model on one device: latency of questions, with and without prefix reuse.

    python -m spatial_reward.benchmark.vlm_speed MODEL [device=cuda] [dtype=bf16] [repeats=20] [batches=1,32]

prints a table for clips of 2, 4 and 8 frames of the published size. Random weights serve as well as trained
ones: `python -m spatial_reward.models.tiny_vlm MODEL family=internvl size=8b` makes a model of any size. The
speed of training is in `summary.json` of `spatial-reward train model=vlm`; `utilisation` turns it into MFU.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from spatial_reward.camera import Camera
from spatial_reward.models.transformers import Transformers
from spatial_reward.types import Frame, Question

WIDTH, HEIGHT = 1296, 968  # [px] as published
FRAMES = (2, 4, 8)
BATCHES = (1, 32)
REPLY = 16  # tokens: enough for a vector
PASSES = {"lora": 4, "lora_projector": 4, "lora_vision": 5, "full": 6}  # FLOPs for a token and a parameter


class Latency(NamedTuple):
    """Time of one batch of questions.

    Attributes:
        frames: Of each question.
        batch: Questions at a time.
        reuse: Whether the reading of the reference picture was kept.
        median: [s].
        slow: 95th percentile [s].
        memory: Peak of the device [MB]; NaN on the CPU.
    """

    frames: int
    batch: int
    reuse: bool
    median: float
    slow: float
    memory: float


def latencies(
    model: str,
    *,
    device: str = "auto",
    dtype: str = "auto",
    repeats: int = 20,
    batches: tuple[int, ...] = BATCHES,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> Iterator[Latency]:
    """Measure questions about a reference picture that stays and later ones that change.

    Args:
        model: Folder of a checkpoint, or id.
        device: As for `Transformers`.
        dtype: As for `Transformers`.
        repeats: Batches that are timed, after one that is not.
        batches: Questions at a time.
        size: Of pictures [px].
    """
    for reuse in (False, True):
        backend = Transformers(
            model, device=device, dtype=dtype, max_tokens=REPLY, batch=max(batches), prefixes=4 * reuse
        )
        for frames in FRAMES:
            for batch in batches:
                yield _latency(backend, frames, batch, reuse, repeats, size)


def _latency(
    backend: Transformers, frames: int, batch: int, reuse: bool, repeats: int, size: tuple[int, int]
) -> Latency:
    rng, times = np.random.default_rng(0), []
    reference = _frame(rng, size)
    _forget_peak()
    for _ in range(repeats + 1):
        clips = [(reference, *(_frame(rng, size) for _ in range(frames - 1))) for _ in range(batch)]
        begun = time.perf_counter()
        backend.replies([Question("cam_vec", clip) for clip in clips])  # on the CPU when it returns
        times.append(time.perf_counter() - begun)
    median, slow = np.percentile(times[1:], (50, 95))
    return Latency(frames, batch, reuse, float(median), float(slow), _peak())


def _frame(rng: np.random.Generator, size: tuple[int, int]) -> Frame:
    """Make a picture of noise: every question is new to the model, its tokens as many as any."""
    width, height = size
    rgb = rng.integers(0, 256, (height, width, 3), np.uint8)
    return Frame(rgb, camera=Camera.from_fov(50, width, height, np.eye(4)))


def _forget_peak() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def _peak() -> float:
    import torch

    return torch.cuda.max_memory_allocated() / 1e6 if torch.cuda.is_available() else float("nan")


def utilisation(tokens_per_s: float, parameters: float, method: str, peak_flops: float) -> float:
    """Return the share of a device's peak that training used (MFU), recomputed activations not counted.

    Args:
        tokens_per_s: Of `summary.json`.
        parameters: Of the model.
        method: "lora", "lora_projector", "lora_vision" or "full"; frozen weights have no gradient.
        peak_flops: Of the device, such as 989e12 for an H100 in bf16.

    Raises:
        ValueError: If the method is unknown.
    """
    if method not in PASSES:
        raise ValueError(f"Unknown method {method!r}. Known: {', '.join(PASSES)}.")
    return PASSES[method] * parameters * tokens_per_s / peak_flops


def main(words: list[str]) -> None:
    """Print the table of a model."""
    options = dict(word.partition("=")[::2] for word in words[1:])
    known = {"device", "dtype", "repeats", "batches", "size"}
    if not words or "=" in words[0] or not set(options) <= known:
        raise SystemExit(
            f"Usage: python -m spatial_reward.benchmark.vlm_speed MODEL [{'= '.join(sorted(known))}=]"
        )
    batches = tuple(map(int, options.get("batches", "1,32").split(",")))
    size = tuple(map(int, options.get("size", f"{WIDTH}x{HEIGHT}").split("x")))
    rows = latencies(
        words[0],
        device=options.get("device", "auto"),
        dtype=options.get("dtype", "auto"),
        repeats=int(options.get("repeats", "20")),
        batches=batches,
        size=(size[0], size[1]),
    )
    print("| frames | questions at a time | prefix kept | p50 [ms] | p95 [ms] | peak memory [MB] |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        kept, times = "yes" if row.reuse else "no", f"{1e3 * row.median:.0f} | {1e3 * row.slow:.0f}"
        print(f"| {row.frames} | {row.batch} | {kept} | {times} | {row.memory:.0f} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
