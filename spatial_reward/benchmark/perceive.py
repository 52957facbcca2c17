"""`perceive`: what a model sees of a clip, as files; of a simulated clip, how far that is from the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from spatial_reward.camera import Array, Camera, look_at
from spatial_reward.models import load_model
from spatial_reward.outputs import default_folder, output_folder, write_summary
from spatial_reward.perception import Perception, PointCloud, perceive
from spatial_reward.types import Frame, PixelPoint, Question

Config = Mapping[str, Any]
KEYS = (
    *("env", "pictures", "fov", "moving", "camera", "size", "steps", "every", "depth", "voxel", "farthest"),
    *("max_std", "method", "within", "checked", "rrd", "seed", "out", "model"),
)
LEVEL = look_at((0, 0, 0), (1, 0, 0))  # of a camera whose pose nobody knows
KINDS = ("*.png", "*.jpg", "*.jpeg")


@dataclass(frozen=True, eq=False)
class Clip:
    """Pictures to perceive, and what is true of them.

    Attributes:
        frames: In order of time, with measured depth where it is known.
        state: MjModel and MjData at the end of the clip; None for pictures.
        things: Pixels in the first frame of things that may move, and how they moved [m, world].
    """

    frames: list[Frame]
    state: tuple[Any, Any] | None = None
    things: list[tuple[PixelPoint, Array]] = field(default_factory=list)

    def questions(self) -> list[Question]:
        """Ask how the camera and the things moved, and how high they are."""
        asked = [Question("cam_vec", ())] if len(self.frames) > 1 else []
        for point, _ in self.things:
            asked += [
                Question("obj_vec_coord", (), (point,)),
                Question("size_height", (), (point,), ("thing",)),
            ]
        return asked


def run_perceive(config: Config) -> Path:
    """Perceive what `conf/perceive.yaml` describes; return the folder of results.

    It holds cloud.ply, depth.npz (depth and std of every frame [m]), perception.rrd and summary.json.

    Raises:
        ValueError: If a setting is missing or makes no sense.
        FileNotFoundError: If there are no pictures.
        FileExistsError: If the output folder already holds something.
    """
    _check(config)
    estimated = {"pose": "estimated"} if config["pictures"] and config["moving"] else {}
    model = load_model(**config["model"], **estimated)
    clip = _pictures(config) if config["pictures"] else _rolled(config)
    with_depth = "depth" in model.needs if config["depth"] is None else config["depth"]
    frames = [frame if with_depth else replace(frame, depth=None) for frame in clip.frames]
    seen = perceive(frames, clip.questions(), model)
    final = Path(config["out"]) if config["out"] else default_folder("perceive")
    with output_folder(final) as folder:
        limits: dict[str, Any] = {key: config[key] or np.inf for key in ("voxel", "farthest", "max_std")}
        cloud = seen.point_cloud(method=config["method"], **limits)
        cloud.save(folder / "cloud.ply")
        maps = [seen.depth(number) for number in range(len(seen.frames))]
        np.savez_compressed(folder / "depth.npz", depth=[m.depth for m in maps], std=[m.std for m in maps])
        if config["rrd"]:
            seen.record(folder / "perception.rrd", **limits)
        metrics = _metrics(seen, cloud, clip, config)
        write_summary(
            folder,
            command="perceive",
            seed=config["seed"],
            config=config,
            metrics=metrics,
            boxes=_boxes(seen, limits),
        )
    _print(metrics, config)
    return final


def _check(config: Config) -> None:
    missing = [key for key in KEYS if key not in config]
    if missing:
        raise ValueError(
            f"The configuration lacks {', '.join(missing)}: let its YAML start from `defaults: [perceive]`."
        )
    for key in ("voxel", "farthest", "within", "every", "checked"):
        if not isinstance(config[key], int | float) or not config[key] > 0:
            raise ValueError(f"`{key}` must be positive, got {config[key]!r}.")
    if config["pictures"] and not config["fov"]:
        raise ValueError("Pictures have no lens: give their vertical field of view, as in fov=60 [deg].")


def _rolled(config: Config) -> Clip:
    """Let the expert act, and draw every so many steps."""
    from spatial_reward.envs.catalogue import make
    from spatial_reward.envs.experts import expert
    from spatial_reward.envs.rollout import rollout
    from spatial_reward.envs.simulator import Simulator

    env = make(config["env"])
    policy = expert(config["env"], seed=config["seed"])
    with Simulator(env, config["camera"], config["size"], config["size"]) as simulator:
        frames: list[Frame] = []
        things: dict[str, Any] = {}
        for step, _ in enumerate(rollout(env, policy, config["steps"], config["seed"])):
            if not frames:
                things = _movable(simulator, config["env"])
                starts = {name: simulator.material(thing) for name, thing in things.items()}
            if step % config["every"] == 0:
                frames.append(simulator.frame(depth=True))
                state = _copied(simulator)
                moved = {name: simulator.material(thing) - starts[name] for name, thing in things.items()}
    env.close()
    pixels = {name: PixelPoint(*thing.reference.pixel) for name, thing in things.items()}
    return Clip(frames, state, [(pixels[name], moved[name]) for name in things])


def _movable(simulator: Any, env_id: str) -> dict[str, Any]:
    """Ground the things of the catalogue's goal that can move and are seen."""
    from spatial_reward.envs.catalogue import RECIPES
    from spatial_reward.rewards import parse_goal

    found = {}
    for name in parse_goal(RECIPES[env_id].goal).names if env_id in RECIPES else ():
        try:
            thing = simulator.ground(name)
        except ValueError:  # hidden
            continue
        if thing.reference.pixel is not None:
            found[name] = thing
    return found


def _copied(simulator: Any) -> tuple[Any, Any]:
    """Return the model and a copy of the data of now."""
    import copy

    model, data = simulator.state()
    return model, copy.copy(data)


def _pictures(config: Config) -> Clip:
    """Read a folder of pictures, which were taken by a level camera as far as anybody knows."""
    folder = Path(config["pictures"])
    paths = sorted(path for kind in KINDS for path in folder.glob(kind))
    if not paths:
        raise FileNotFoundError(f"There are no pictures ({', '.join(KINDS)}) in {folder}.")
    frames = []
    for number, path in enumerate(paths):
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:
            raise ValueError(f"{path} is damaged, or no picture.")
        camera = Camera.from_fov(float(config["fov"]), picture.shape[1], picture.shape[0], LEVEL)
        frames.append(
            Frame(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8), number, camera=camera)
        )
    return Clip(frames)


def _metrics(seen: Perception, cloud: PointCloud, clip: Clip, config: Config) -> dict[str, float]:
    metrics: dict[str, float] = {
        "frames": len(seen.frames),
        "points": len(cloud),
        "std_mm_p50": 1000 * float(np.median(cloud.std)) if len(cloud) else float("nan"),
    }
    if clip.state is None or not len(cloud):
        return metrics
    distance = surface_errors(cloud, clip, config["checked"], config["seed"])
    shown = {f"surface_error_mm_p{p}": 1000 * float(np.percentile(distance, p)) for p in (50, 95)}
    millimetres = f"{1000 * config['within']:g}".replace(".", "_")
    share = {f"within_{millimetres}mm": float(np.mean(distance < config["within"]))}
    return (
        metrics | share | shown | _depth_errors(seen, clip, config["farthest"]) | _motion_errors(seen, clip)
    )


def surface_errors(cloud: PointCloud, clip: Clip, count: int, seed: int) -> Array:
    """Return how far [m] so many random points are from the true surface at the end of a simulated clip."""
    from spatial_reward.envs.surface import surface_distance

    assert clip.state is not None
    chosen = np.random.default_rng(seed).permutation(len(cloud))[:count]
    eyes = [frame.camera.world_from_camera[:3, 3] for frame in clip.frames if frame.camera is not None]
    return surface_distance(*clip.state, cloud.points[chosen], eyes[-1])


def _depth_errors(seen: Perception, clip: Clip, farthest: float) -> dict[str, float]:
    """Compare the depth of every pixel with the measured one, and the error with the stated std."""
    errors, ratios = [], []
    for number, frame in enumerate(clip.frames):
        own = seen.depth(number)
        true = np.full(own.depth.shape, np.nan) if frame.depth is None else frame.depth
        with np.errstate(invalid="ignore"):
            both = own.valid & (true <= farthest)
        errors.append(np.abs(own.depth - true)[both])
        ratios.append(errors[-1] / own.std[both])
    error, ratio = np.concatenate(errors), np.concatenate(ratios)
    if not len(error):
        return {}
    return {
        "depth_error_mm_p50": 1000 * float(np.median(error)),
        "depth_within_2std": float(np.mean(ratio < 2)),
    }


def _motion_errors(seen: Perception, clip: Clip) -> dict[str, float]:
    """Compare the measured motions of things with the true ones."""
    camera = clip.frames[0].camera
    answers = [
        answer for question, answer in zip(seen.questions, seen.answers, strict=True) if question.points
    ]
    errors = []
    for (_, true), answer in zip(clip.things, answers[::2], strict=True):
        if camera is not None and answer.valid and isinstance(answer.value, np.ndarray):
            errors.append(float(np.linalg.norm(camera.world_from_camera[:3, :3] @ answer.value - true)))
    return {"motion_error_mm_max": 1000 * max(errors)} if errors else {}


def _boxes(seen: Perception, limits: Mapping[str, float]) -> list[dict[str, Any]]:
    """List the boxes of things; none without Open3D."""
    try:
        boxes = seen.boxes(**limits)
    except ImportError:
        return []
    return [
        {
            "centre_m": box.world_from_box[:3, 3],
            "yaw_deg": float(np.degrees(np.arctan2(box.world_from_box[1, 0], box.world_from_box[0, 0]))),
            "size_m": box.size,
            "std_m": box.std,
            "points": box.count,
        }
        for box in boxes
    ]


def _print(metrics: Mapping[str, float], config: Config) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "metric", "value", title=f"{config['pictures'] or config['env']}, seen by {config['model']['name']}"
    )
    for name, value in metrics.items():
        table.add_row(name, f"{value:.4g}")
    Console().print(table)
