"""The frozen scenes of multispa-sim: models, states and cameras as written down, and how to set them up."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from spatial_reward.camera import Array, rigid
from spatial_reward.envs.catalogue import make
from spatial_reward.envs.gl import load_mujoco
from spatial_reward.envs.simulator import Simulator, physics

SCENES, TEXTURES = "scenes.json.gz", "textures.zip"
STEP = 0.1  # [s] between the frames of a clip


@dataclass(frozen=True)
class Model:
    """What a clip shows.

    Attributes:
        id: Name.
        source: Id of the environment whose model it is; "random" for one of its own MJCF.
        xml: MJCF of a random scene, else "".
        names: What a person would call each body, by the body's name; all others are not asked about.
        edits: Changed fields of the MjModel: {field: {index: values}}.
        light: Ambient, diffuse and specular grey of the light at the camera; none: as the model says.
    """

    id: str
    source: str
    xml: str
    names: Mapping[str, str]
    edits: Mapping[str, Mapping[str, Any]]
    light: tuple[float, ...] = ()


@dataclass(frozen=True)
class Clip:
    """States of a model, each with a camera: one scene of the benchmark.

    Attributes:
        id: Name, also of the folder of its pictures.
        model: Id of the model.
        width: Of the pictures [px].
        height: Of the pictures [px].
        fovy: Vertical field of view [deg].
        qpos: (T, nq) generalised positions.
        mocap: (T, M, 7) positions [m] and quaternions (w, x, y, z) of the bodies moved by hand.
        cameras: (T, 7) positions [m] and quaternions (w, x, y, z) of the camera in the world, OpenCV axes.
    """

    id: str
    model: str
    width: int
    height: int
    fovy: float
    qpos: list[list[float]]
    mocap: list[list[list[float]]]
    cameras: list[list[float]]

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.qpos)


@dataclass(frozen=True)
class Scenes:
    """All models and clips, by id, and the folder with the textures."""

    models: Mapping[str, Model]
    clips: Mapping[str, Clip]
    folder: Path


def pose_of(row: list[float]) -> Array:
    """Return the (4, 4) pose of a position [m] and a quaternion (w, x, y, z)."""
    return rigid(Rotation.from_quat(row[3:], scalar_first=True).as_matrix(), row[:3])


def read_scenes(folder: Path) -> Scenes:
    """Read the frozen scenes.

    Raises:
        FileNotFoundError: If they are not there.
    """
    return _read(folder, (folder / SCENES).stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _read(folder: Path, changed: int) -> Scenes:
    with gzip.open(folder / SCENES, "rt") as file:
        content = json.load(file)
    models = {row["id"]: Model(**row | {"light": tuple(row["light"])}) for row in content["models"]}
    return Scenes(models, {row["id"]: Clip(**row) for row in content["clips"]}, folder)


def write_scenes(folder: Path, models: list[Model], clips: list[Clip]) -> None:
    """Write models and clips; the same content gives the same bytes."""
    content = {"models": [asdict(model) for model in models], "clips": [asdict(clip) for clip in clips]}
    write_gzip(folder / SCENES, json.dumps(content, separators=(",", ":")))


def write_gzip(path: Path, text: str) -> None:
    """Write compressed text without a time stamp."""
    path.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


def compiled(model: Model, folder: Path) -> Any:
    """Return the MjModel, edits included.

    Raises:
        ImportError: If the package of its environment is missing.
    """
    mujoco = load_mujoco()
    if model.source == "random":
        built = mujoco.MjModel.from_xml_string(model.xml, _textures(folder, model.id))
    else:
        env = make(model.source)
        env.reset(seed=0)
        built = physics(env)[0]
        env.close()
    edit(built, model)
    return built


def edit(built: Any, model: Model) -> None:
    """Apply the edits and the light to an MjModel."""
    for field, rows in model.edits.items():
        for index, values in rows.items():
            getattr(built, field)[int(index)] = values
    if model.light:
        head = built.vis.headlight
        head.ambient[:], head.diffuse[:], head.specular[:] = model.light


def _textures(folder: Path, model: str) -> dict[str, bytes]:
    with zipfile.ZipFile(folder / TEXTURES) as archive:
        names = [name for name in archive.namelist() if name.startswith(f"{model}/")]
        return {name.partition("/")[2]: archive.read(name) for name in names}


class Filmed:
    """The camera of a clip: where it was written down to be at each time."""

    base = "free"

    def __init__(self, clip: Clip) -> None:
        """Compute the poses."""
        self._poses = [pose_of(row) for row in clip.cameras]

    def pose(self, world_from_base: Array, distance: float, time: float) -> Array:
        """Return `world_from_camera` (4, 4) at `time` [s]."""
        return self._poses[round(time / STEP)]


class Stage:
    """A compiled clip: sets up one state after another, and looks at it.

    Args:
        scenes: The frozen scenes.
        clip: The clip to set up.
    """

    def __init__(self, scenes: Scenes, clip: Clip) -> None:
        """Compile the model."""
        self.clip = clip
        self.model = compiled(scenes.models[clip.model], scenes.folder)
        self.model.vis.global_.fovy = clip.fovy
        self.data = load_mujoco().MjData(self.model)

    def simulator(self) -> Simulator:
        """Return what looks at the clip with its camera; close it after use."""
        return Simulator((self.model, self.data), Filmed(self.clip), self.clip.width, self.clip.height)

    def set_state(self, index: int) -> None:
        """Set frame number `index` of the clip."""
        place(self.model, self.data, self.clip, index)

    def states(self) -> Iterator[int]:
        """Set one frame after another; yield its number."""
        for index in range(len(self.clip)):
            self.set_state(index)
            yield index


def place(model: Any, data: Any, clip: Clip, index: int) -> None:
    """Set the state of frame number `index` in MjData and compute all poses."""
    data.qpos[:] = clip.qpos[index]
    if clip.mocap[index]:
        data.mocap_pos[:] = np.array(clip.mocap[index])[:, :3]
        data.mocap_quat[:] = np.array(clip.mocap[index])[:, 3:]
    data.time = index * STEP
    load_mujoco().mj_forward(model, data)
