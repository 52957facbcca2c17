"""Makes the data of multispa-sim: scenes, questions, thumbnails. What it made is committed, and stays.

`python -m spatial_reward.benchmark.multispa_sim_freeze out=FOLDER`; a run that was cut off goes on.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from spatial_reward.benchmark.label_check import TOLERANCES, check_clip
from spatial_reward.benchmark.multispa_sim_balance import choose
from spatial_reward.benchmark.multispa_sim_pictures import (
    CHECKSUMS,
    MEAN_TOLERANCE,
    MOST_TOLERANCE,
    THUMBNAILS,
    FrozenSource,
    Image,
    all_pictures,
    checksum,
    thumbnail,
    write_committed,
)
from spatial_reward.benchmark.multispa_sim_robots import ROBOTS, Filmable, robot
from spatial_reward.benchmark.multispa_sim_rows import (
    QUESTIONS,
    Row,
    frames_of,
    row_of,
    with_words,
    write_rows,
)
from spatial_reward.benchmark.multispa_sim_scenes import (
    SCENES,
    TEXTURES,
    Clip,
    Model,
    Scenes,
    read_scenes,
    write_scenes,
)
from spatial_reward.benchmark.multispa_sim_states import Focus, clip_of, random_track, resting
from spatial_reward.benchmark.witness import Witness
from spatial_reward.data.draw import Rules, draw
from spatial_reward.data.workers import run
from spatial_reward.envs.gl import load_mujoco
from spatial_reward.envs.scenes import RandomScene, random_scene
from spatial_reward.questions import SUBTASKS
from spatial_reward.types import Scene

NAME = "multispa-sim-v1"
SEED = 810_000_000  # the reserved range: [SEED, i] of random scenes, SEED + 1000 k + i of robots
PER_SUBTASK, MINI = 300, 20
SIZES = ((224, 224), (480, 360), (640, 480))
RANDOM_MODELS, ROBOT_MODELS = 180, 9
FRAMES = 6
POOL = 40  # questions of a subtask drawn from each clip
POINTS = 512  # on each body
RULES = Rules(mode="strict", still_share=0.15, near_share=0.10, twins=0.0)
BORDER = 3.0  # [px] of a picture, without points
NEAREST = 0.15  # [m] least depth that is asked for
CLEAR = 1.5  # [px] around a point that must show the same body


class Made(NamedTuple):
    """A model with its clips and textures."""

    model: Model
    clips: list[Clip]
    textures: dict[str, bytes]


class Pool(NamedTuple):
    """Of a clip: good questions, and thumbnails and checksums of its pictures."""

    rows: list[Row]
    thumbnails: list[Image]
    sums: list[str]


def freeze(folder: Path, workers: int = 2) -> None:
    """Write the whole benchmark into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / SCENES).exists():
        _write_models(folder, [*_random_models(), *_robot_models()])
    scenes = read_scenes(folder)
    (folder / ".pool").mkdir(exist_ok=True)
    pools = list(run(partial(_pool, folder), list(scenes.clips), workers=workers))
    rows = _chosen([row for pool in pools for row in pool.rows], scenes)
    write_rows(folder, rows)
    thumbnails = [image for pool in pools for image in pool.thumbnails]
    write_committed(folder, scenes, thumbnails, [crc for pool in pools for crc in pool.sums])
    (folder / "mini.json").write_text(json.dumps(_mini(rows), indent=0) + "\n")
    _write_recipe(folder, scenes)
    write_checksums(folder)


def _random_models() -> Iterator[Made]:
    mujoco = load_mujoco()
    for index in range(RANDOM_MODELS):
        rng = np.random.default_rng([SEED, index])
        scene = random_scene(rng, held_out=True)
        textures = _coarse({name: data for name, data in scene.assets.items() if _used(scene, name)})
        xml = _without_unused(scene.xml, set(textures))
        names = {f"object{i}": name for i, name in enumerate(scene.names) if name != "object"}
        model = Model(f"random-{index:03d}", "random", xml, names, {})
        built = mujoco.MjModel.from_xml_string(xml, textures)
        track = random_track(built, scene, FRAMES, rng)
        focus = Focus(np.array([0, 0, scene.table + 0.1 * scene.radius]), scene.radius)
        kinds = ("still", ("moving", "fixed")[index % 2])
        yield Made(model, _clips(Filmable(model, built, track, focus), index, kinds, rng), textures)


def _robot_models() -> Iterator[Made]:
    for number, env_id in enumerate(ROBOTS):
        for index in range(ROBOT_MODELS):
            seed = SEED + 1000 * (number + 1) + index
            made = robot(f"{env_id.split('-')[0].lower()}-{index:03d}", env_id, FRAMES, seed)
            rng = np.random.default_rng([seed, 1])
            yield Made(made.model, _clips(made, index, ("still", "moving", "fixed"), rng), {})


def _clips(made: Filmable, index: int, kinds: tuple[str, ...], rng: np.random.Generator) -> list[Clip]:
    """Film a model: at rest, or moving; with a camera that moves, or a fixed one."""
    name, size = made.model.id, SIZES[index % len(SIZES)]
    clips = []
    for kind in kinds:
        track = resting(made.track, FRAMES) if kind == "still" else made.track
        moves = kind != "fixed"
        clips.append(
            clip_of(f"{name}-{kind}", name, made.built, track, made.focus, size, rng, camera_moves=moves)
        )
    return clips


def _used(scene: RandomScene, name: str) -> bool:
    return f'material="m{name[1:-4]}"' in scene.xml


def _without_unused(xml: str, textures: set[str]) -> str:
    """Leave out the textures that nothing wears, and the materials made of them."""
    for tag in re.findall(r"<texture [^>]*file=[^>]*/>", xml):
        if re.search(r'file="([^"]*)"', tag)[1] not in textures:  # type: ignore[index]
            xml = xml.replace(tag, "")
    for tag in re.findall(r'<material name="m\d+"[^>]*/>', xml):
        if re.search(r'texture="([^"]*)"', tag)[1] + ".png" not in textures:  # type: ignore[index]
            xml = xml.replace(tag, "")
    return xml


def _coarse(textures: dict[str, bytes]) -> dict[str, bytes]:
    """Keep 64 x 64 pixels and five bits of each colour, so that the files are small."""
    coarse = {}
    for name, data in textures.items():
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        small = cv2.resize(np.asarray(image), (64, 64), interpolation=cv2.INTER_AREA) >> 3 << 3
        coarse[name] = cv2.imencode(".png", small + 4, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()
    return coarse


def _write_models(folder: Path, made: list[Made]) -> None:
    with zipfile.ZipFile(folder / TEXTURES, "w", zipfile.ZIP_STORED) as archive:
        for one in made:
            for name, data in sorted(one.textures.items()):
                archive.writestr(zipfile.ZipInfo(f"{one.model.id}/{name}"), data)
    write_scenes(folder, [one.model for one in made], [clip for one in made for clip in one.clips])


def _pool(folder: Path, name: str) -> Pool:
    """Draw questions from a clip, keep what is clear and twice found right, and marks of its pictures."""
    kept = folder / ".pool" / f"{name}.json"
    if not kept.exists():
        scenes = read_scenes(folder)
        scene = FrozenSource(scenes, POINTS).load(name)
        rows = _checked(_drawn(scene, name), Witness(scenes, name))
        images = [frame.rgb for frame in scene.frames]
        marks = [thumbnail(image).tolist() for image in images], [checksum(image) for image in images]
        kept.write_text(json.dumps((rows, *marks)))
    rows, thumbnails, sums = json.loads(kept.read_text())
    return Pool(rows, [np.array(image, np.uint8) for image in thumbnails], sums)


def _drawn(scene: Scene, name: str) -> list[Row]:
    rows = []
    for number, subtask in enumerate(SUBTASKS):
        rng = np.random.default_rng([SEED, number, *name.encode()])
        drawn = draw(scene, subtask.name, POOL, rng, RULES)
        rows += [
            row_of(subtask.name, name, one) | {"id": f"{subtask.name}-{i}"} for i, one in enumerate(drawn)
        ]
    return rows


def _checked(rows: list[Row], witness: Witness) -> list[Row]:
    checks = check_clip(rows, witness)
    return [row for row, check in zip(rows, checks, strict=True) if check.agrees and _clear(row, witness)]


def _clear(row: Row, witness: Witness) -> bool:
    """Tell whether all points, and their match, lie clear of outlines."""
    lettered = row["kind"] == "vc_mcq"
    points = [(x, y, row["frames"][frame]) for x, y, frame in row["points"][: 1 if lettered else None]]
    if row["match"] is not None:
        points.append((*row["match"], row["frames"][-1]))
    return all(_inside(witness, frame, (x, y)) for x, y, frame in points)


def _inside(witness: Witness, frame: int, pixel: tuple[float, float]) -> bool:
    x, y = pixel
    around = [(x, y), (x - CLEAR, y), (x + CLEAR, y), (x, y - CLEAR), (x, y + CLEAR)]
    hits = [witness.hit(frame, one) for one in around]
    bodies = {hit.body for hit in hits if hit is not None}
    return None not in hits and len(bodies) == 1


def _chosen(pool: list[Row], scenes: Scenes) -> list[Row]:
    by_subtask: dict[str, list[Row]] = defaultdict(list)
    for row in pool:
        if _in_full(row, scenes.clips[row["clip"]]) and _far_enough(row):
            by_subtask[row["subtask"]].append(row)
    frames = {name: frames_of(clip) for name, clip in scenes.clips.items()}
    rows = []
    for number, subtask in enumerate(SUBTASKS):
        rng = np.random.default_rng([SEED, 1000 + number])
        some = choose(by_subtask[subtask.name], dict(scenes.clips), PER_SUBTASK, rng)
        for index, row in enumerate(some):
            named = row | {"id": f"{subtask.name}-{index:03d}"}
            rows.append(with_words(named, frames[row["clip"]], rng))
    order = {name: place for place, name in enumerate(scenes.clips)}
    return sorted(rows, key=lambda row: order[row["clip"]])  # so that a reader decodes a picture once


def _in_full(row: Row, clip: Clip) -> bool:
    """Tell whether the border of the picture cuts no dot, drawn or not."""
    inner = (clip.width - 2 * BORDER, clip.height - 2 * BORDER)
    return all(0 <= x - BORDER <= inner[0] and 0 <= y - BORDER <= inner[1] for x, y, _ in row["points"])


def _far_enough(row: Row) -> bool:
    """Tell whether the depth asked for is one at which cameras are in focus."""
    return not row["kind"].startswith("depth_est") or row["truth"] >= NEAREST


def _mini(rows: list[Row]) -> list[str]:
    """Choose 20 questions of each subtask from few clips, so that few pictures serve; each robot is there."""
    lacking = {subtask.name: MINI for subtask in SUBTASKS}
    chosen: list[str] = []
    clips = {row["clip"] for row in rows}
    wanted = [env_id.split("-")[0].lower() for env_id in ROBOTS]
    while any(lacking.values()):
        use = Counter(row["clip"] for row in rows if row["clip"] in clips and lacking[row["subtask"]])
        prefix = next((name for name in wanted if any(clip.startswith(name) for clip in use)), "")
        clip = max((clip for clip in use if clip.startswith(prefix)), key=lambda clip: use[clip])
        wanted = [name for name in wanted if name != prefix]
        clips.remove(clip)
        for row in rows:
            if row["clip"] == clip and lacking[row["subtask"]]:
                lacking[row["subtask"]] -= 1
                chosen.append(row["id"])
    return sorted(chosen)


def _write_recipe(folder: Path, scenes: Scenes) -> None:
    packages = ("mujoco", "gymnasium", "gymnasium-robotics", "numpy", "opencv-python-headless")
    recipe: dict[str, Any] = {
        "name": NAME,
        "seed": SEED,
        "questions_per_subtask": PER_SUBTASK,
        "questions_per_subtask_of_mini": MINI,
        "subtasks": [subtask.name for subtask in SUBTASKS],
        "sizes": SIZES,
        "clips": len(scenes.clips),
        "pictures": len(all_pictures(scenes)),
        "random_models": RANDOM_MODELS,
        "robots": {env_id: ROBOT_MODELS for env_id in ROBOTS},
        "rules": {"mode": RULES.mode, "still_share": RULES.still_share, "near_share": RULES.near_share},
        "points_per_body": POINTS,
        "label_tolerances": {name: list(tolerance) for name, tolerance in TOLERANCES.items()},
        "thumbnail_tolerance": {"mean": MEAN_TOLERANCE, "most": MOST_TOLERANCE},
        "made_with": {package: version(package) for package in packages},
    }
    (folder / "recipe.json").write_text(json.dumps(recipe, indent=1) + "\n")


def write_checksums(folder: Path) -> None:
    """Write the SHA-256 of every committed file."""
    names = (QUESTIONS, SCENES, TEXTURES, THUMBNAILS, CHECKSUMS, "mini.json", "recipe.json")
    sums = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (folder / "checksums.json").write_text(json.dumps(sums, indent=1) + "\n")


if __name__ == "__main__":
    freeze(Path(sys.argv[1].removeprefix("out=")))
