"""What the suite of speed measures, part by part, and beside what."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward._require import require
from spatial_reward.benchmark.speed_turns import Speed, latency
from spatial_reward.data.episodes.record import FRONT, record_episode
from spatial_reward.envs.catalogue import RECIPES, make
from spatial_reward.models import load_model
from spatial_reward.types import Model, PixelPoint, Question

Config = Mapping[str, Any]
Part = Callable[[Config], Iterator[Speed]]
ENVS = (1, 8)  # environments whose steps are measured in one batch
CLIP = "CLIP ViT-B/32 image encoder"
STEPS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("oracle", {}),
    ("spatialnet", {}),
    ("spatialnet", {"depth": "predicted"}),
)
QUESTIONS = 20_000  # that are generated
SLOWDOWNS = (("sac", 1, "sync"), ("sac", 8, "hold(8)"), ("ppo", 8, "hold(8)"))


def network(config: Config) -> Iterator[Speed]:
    """A step's answers of the model, from colours alone, beside an image encoder; drawing not counted."""
    torch = require("torch", "train", "the image encoder that the network is compared with")
    transformers = require("transformers", "vlm", "the image encoder that the network is compared with")
    torch.set_num_threads(config["threads"])
    encoder = transformers.CLIPVisionModel(transformers.CLIPVisionConfig()).eval()
    pictures = torch.rand(max(ENVS), 3, 224, 224, generator=torch.Generator().manual_seed(config["seed"]))

    def encoded(count: int) -> Any:
        with torch.inference_mode():
            return encoder(pictures[:count]).pooler_output

    model = load_model("spatialnet", depth="predicted")
    first, later = _seen(config)
    for count in ENVS:
        yield latency(
            "network",
            f"step of {count} env, {config['size']} px: encode, match, geometry, for one env",
            partial(_answered, model, first[:count], later[:count]),
            f"{CLIP}, batch {count}",
            partial(encoded, count),
            **_turns(config),
            share=count,
        )


def _turns(config: Config) -> dict[str, Any]:
    return {"rounds": config["rounds"], "seconds": config["seconds"]}


def _seen(config: Config) -> tuple[list[Any], list[Any]]:
    """Return (frame, pixel) of the first frames of some episodes, and later frames."""
    first, later = [], []
    for number in range(max(ENVS)):
        told = record_episode(
            config["env"], config["seed"] + number, size=config["size"], steps=6, depth=False
        )
        frames, references = told.frames[FRONT], told.references[FRONT]
        pixel = next(one.pixel for one in references.values() if one.pixel is not None)
        first.append((frames[0], PixelPoint(*pixel)))
        later.append(frames[-1])
    return first, later


def _asked(first: Sequence[Any], later: Sequence[Any]) -> list[Question]:
    """Ask about later frames that were never seen before, although their pictures were."""
    return [
        Question("obj_vec_coord", (frame, replace(new)), (point,))
        for (frame, point), new in zip(first, later, strict=True)
    ]


def step(config: Config) -> Iterator[Speed]:
    """A step of the wrapped environment, drawn and measured, beside a bare one with its picture drawn."""
    from spatial_reward.envs.simulator import Simulator
    from spatial_reward.envs.wrappers import SpatialReward

    recipe, size = RECIPES[config["env"]], config["size"]
    bare = make(config["env"])
    bare.reset(seed=config["seed"])
    with Simulator(bare, recipe.camera, size, size) as simulator:
        drawn = _stepping(bare, config["seed"], simulator.frame)
        for name, options in STEPS:
            model = load_model(name, **options)
            env = SpatialReward(make(config["env"]), recipe.goal, model, camera=recipe.camera, size=size)
            what = " ".join(
                ["env.step with reward:", name, *(f"{key}={value}" for key, value in options.items())]
            )
            measured = _stepping(env, config["seed"])
            yield latency("step", what, measured, "env.step and a picture", drawn, **_turns(config))
            env.close()
    bare.close()


def _stepping(env: Any, seed: int, draw: Callable[[], Any] | None = None) -> Callable[[], None]:
    env.action_space.seed(seed)
    env.reset(seed=seed)

    def one() -> None:
        *_, terminated, truncated, _ = env.step(env.action_space.sample())
        if draw is not None:
            draw()
        if terminated or truncated:
            env.reset()

    return one


def rendering(config: Config) -> Iterator[Speed]:
    """Pictures drawn, beside MuJoCo's renderer as it comes."""
    from spatial_reward.benchmark.rendering import rendering_table

    lasts = config["rounds"] * config["seconds"]
    for row in rendering_table((config["size"],), lasts, (config["env"],)):
        what = f"{row.picture}, {row.size} px"
        yield Speed("rendering", what, "/s", row.fps, None, "mujoco.Renderer", row.mujoco_fps, row.ratio)


def annotate(config: Config) -> Iterator[Speed]:
    """Frames of an mp4 annotated by the command, in one process, its start left out, beside decoding them."""
    from spatial_reward.data.episodes.video_file import read_frames
    from spatial_reward.data.episodes.write_video import write_videos

    with tempfile.TemporaryDirectory() as scratch:
        rollout = record_episode(config["env"], config["seed"], size=config["size"], depth=False)
        folder = write_videos([rollout], Path(scratch, "video"), 25)
        count, [path] = len(rollout.frames[FRONT]), folder.rglob(f"{FRONT}.mp4")
        rates: list[tuple[float, float]] = []
        for number in range(config["rounds"]):
            ours = _annotated(folder, Path(scratch, str(number)))
            begin = time.perf_counter()
            decoded = sum(1 for _ in read_frames(path, range(count)))
            rates.append((ours, decoded / (time.perf_counter() - begin)))
    what = f"frames of an mp4, {config['size']} px, from colours, one process"
    ours, theirs = np.median(rates, axis=0)
    ratio = float(np.median([mine / other for mine, other in rates]))
    yield Speed("annotate", what, "/s", float(ours), None, "decoding them", float(theirs), ratio)


def _annotated(dataset: Path, out: Path) -> float:
    """Annotate a dataset by the command; return frames per second.

    Raises:
        RuntimeError: If it fails; with its last words.
    """
    words = ["workers=1", "reports=0", "overlays=0", "recordings=0", f"camera={FRONT}", f"out={out}"]
    command = [sys.executable, "-m", "spatial_reward.cli", "annotate", str(dataset), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"annotate failed: {done.stderr.strip()[-400:]}")
    return float(json.loads((out / "summary.json").read_text())["metrics"]["frames_per_s"])


def generate(config: Config) -> Iterator[Speed]:
    """Questions drawn by two processes, beside one; the scenes are drawn before."""
    from spatial_reward.benchmark.generation import run

    with tempfile.TemporaryDirectory() as scratch:
        numbers = iter(range(10**6))
        rates: dict[int, list[float]] = {2: [], 1: []}
        for _ in range(max(1, config["rounds"] // 3)):
            for workers, found in rates.items():
                out = Path(scratch, str(next(numbers)))
                words = ("source=random_scenes", "source.scenes=16", f"source.sizes=[{config['size']}]")
                done = run("", out, *words, f"count={QUESTIONS}", f"workers={workers}")
                found.append(float(done.metrics["questions_per_s"]))
    ours, theirs = (float(np.median(found)) for found in rates.values())
    ratio = float(np.median(np.divide(rates[2], rates[1])))
    yield Speed("generate", "questions, two processes", "/s", ours, None, "one process", theirs, ratio)


def serve(config: Config) -> Iterator[Speed]:
    """An answer from a server on this computer, beside one in this process."""
    from spatial_reward.benchmark.serving import running_server
    from spatial_reward.models.remote import RemoteModel

    first, later = _seen(config)
    with running_server(["model.depth=predicted", "port=0"]) as (_, url):
        remote, alone = RemoteModel(url, timeout=30.0), load_model("spatialnet", depth="predicted")
        for count in ENVS:
            yield latency(
                "serve",
                f"answers about {count} env over HTTP, for one",
                partial(_answered, remote, first[:count], later[:count]),
                "in this process",
                partial(_answered, alone, first[:count], later[:count]),
                **_turns(config),
                share=count,
            )
        remote.close()


def _answered(model: Model, first: Sequence[Any], later: Sequence[Any]) -> None:
    answers = model.answer(_asked(first, later))
    if any(answer.value is None for answer in answers):
        raise RuntimeError(f"The model gave no answer: {answers[0].text}")


def training(config: Config) -> Iterator[Speed]:
    """A step of training with measured shaping, beside the same with the environment's own reward."""
    require("stable_baselines3", "sb3", "training agents")
    from spatial_reward.benchmark.rl_slowdown import slowdown

    how: dict[str, Any] = {"size": config["size"], "weight": 20.0, "subprocesses": False, "schedule": "sync"}
    how["model"] = {"name": "spatialnet"}
    for algorithm, count, schedule in SLOWDOWNS:
        row = slowdown(config["env"], (algorithm, count, schedule), how, max(1, config["rounds"] // 2))
        what = f"{algorithm.upper()}, {count} env, {schedule}, spatialnet"
        yield Speed("training", what, "ms", row.ms, None, "own reward", row.base_ms, 1 / row.ratio)


PARTS: dict[str, Part] = {
    part.__name__: part for part in (network, step, rendering, annotate, generate, serve, training)
}
