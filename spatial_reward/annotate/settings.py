"""What to annotate and how: checked once, and the fingerprint by which finished episodes are known again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from spatial_reward import __version__

Mode = Literal["causal", "offline"]
Impute = Literal["hold", "linear", "none"]
HUGE = 2**28  # [bytes] of a file, above which its bytes are not read
# Settings that do not change what is said about an episode, or that its job holds resolved.
FREE = ("episodes", "workers", "goals", "points", "calibration")
ESTIMATING = ("rgbd", "spatialnet")  # models with the option `pose`


@dataclass(frozen=True)
class Settings:
    """How recorded episodes are scored.

    Attributes:
        dataset: A folder or file.
        model: Name and options, for `load_model`.
        format: Of the dataset; None recognises it.
        camera: Which one to look through; None where there is only one.
        episodes: Which to annotate, as [0, 3] or "0:10"; None for all.
        goal: One goal for all episodes.
        goals: File (or mapping) from the words of a task to its goal.
        points: File (or mapping) of references; None takes those of the dataset. See `described.py`.
        calibration: File (or mapping) of cameras; None takes those of the dataset.
        fov: Assumed vertical field of view [deg], where no camera is known.
        static_camera: True: it stands still; False: its motion is estimated; None: as the dataset says.
        depth: Use measured depth where it was recorded.
        mode: "causal" uses a frame and what came before, as online; "offline" looks again, backwards, at
            frames in which things were lost.
        stride: Score every n-th frame, and the last.
        impute: What stands between scored frames: "hold" the last, "linear" between both, "none" nothing.
        normalise: "goal": progress is the covered share of the distance at the episode's start.
        batch: Episodes that are asked about together.
        fps: Frames per second, where the format does not know.
        flip: Turn the pictures of HDF5 files upright.
        workers: Processes; None for one a core with small models, else one.

    Raises:
        ValueError: If a setting makes no sense; says what would.
    """

    dataset: str
    model: Mapping[str, Any]
    format: str | None = None
    camera: str | None = None
    episodes: Sequence[int] | str | None = None
    goal: str | None = None
    goals: str | Mapping[str, str] | None = None
    points: str | Mapping[str, Any] | None = None
    calibration: str | Mapping[str, Any] | None = None
    fov: float | None = None  # [deg]
    static_camera: bool | None = None
    depth: bool = True
    mode: Mode = "causal"
    stride: int = 1
    impute: Impute = "hold"
    normalise: str = "goal"
    batch: int = 8
    fps: float | None = None
    flip: bool = False
    workers: int | None = None
    weights: str = field(default="", init=False)

    def __post_init__(self) -> None:
        """Check everything that can be checked without the dataset."""
        if not self.dataset:
            raise ValueError(
                "`dataset` is missing: give a folder or a file, as in `annotate dataset=FOLDER`."
            )
        for name, kind in (("mode", Mode), ("impute", Impute)):
            if getattr(self, name) not in get_args(kind):
                raise ValueError(f"`{name}` must be one of {get_args(kind)}, got {getattr(self, name)!r}.")
        for name in ("stride", "batch", *(("workers",) if self.workers is not None else ())):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"`{name}` must be a whole number of at least 1, got {value!r}.")
        for name in ("depth", "flip", "static_camera"):
            value = getattr(self, name)
            if not isinstance(value, bool) and not (name == "static_camera" and value is None):
                raise ValueError(f"`{name}` must be true or false, got {value!r}.")
        if self.mode == "causal" and self.impute == "linear":
            raise ValueError(
                "impute=linear looks at the next scored frame: take mode=offline, or impute=hold."
            )
        if self.normalise != "goal":
            raise ValueError(
                f"normalise={self.normalise!r} is refused: stretching each episode to [0, 1] by its "
                "own extremes makes failures look like successes. Progress is the covered share of the way."
            )
        if self.fov is not None and not (isinstance(self.fov, int | float) and 0 < self.fov < 180):
            raise ValueError(f"`fov` must lie between 0 and 180 degrees, got {self.fov!r}.")
        if self.goal and self.goals:
            raise ValueError("Give either `goal` for all episodes or `goals` for each task, not both.")
        object.__setattr__(self, "weights", _digest(self.model))

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Settings:
        """Take the settings out of a configuration that may hold more.

        Raises:
            ValueError: As the class, and if one is missing.
        """
        names = [one.name for one in fields(cls) if one.init]
        missing = [name for name in ("dataset", "model") if name not in config]
        if missing:
            raise ValueError(
                f"The configuration lacks {', '.join(missing)}: let its YAML start from "
                "`defaults: [annotate]`."
            )
        return cls(**{name: config[name] for name in names if name in config})

    @property
    def options(self) -> dict[str, Any]:
        """Options of the model: with the estimated motion of the camera, where that is wanted."""
        estimated = self.static_camera is False and self.model["name"] in ESTIMATING
        return {**self.model, **({"pose": "estimated"} if estimated else {})}

    def identity(self) -> dict[str, Any]:
        """Return what decides the results of all episodes; goals, points and cameras belong to each."""
        said = {name: value for name, value in asdict(self).items() if name not in FREE}
        return {"config": said, "version": __version__}


def fingerprint(*parts: Any) -> str:
    """Return a digest of plain data.

    >>> fingerprint({"a": 1}) == fingerprint({"a": 1}), len(fingerprint(1))
    (True, 32)
    """
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def _files(path: Path) -> list[Path]:
    """Return a file, or those of a folder with a model; none of what is no path."""
    return [path] if path.is_file() else sorted(file for file in path.glob("*") if file.is_file())


def _digest(model: Mapping[str, Any]) -> str:
    """Return a digest of the files that a model is loaded from, as far as they are known."""
    if "name" not in model:
        raise ValueError("`model` needs a name, as in model=spatialnet.")
    import spatial_reward.models as models

    shipped = sorted((Path(models.__file__).parent / "weights").glob(f"{model['name']}*"))
    named = [Path(str(value)) for value in model.values() if isinstance(value, str | Path)]
    files = [file for path in [*shipped, *named] for file in _files(path)]
    return fingerprint(*map(_told, files)) if files else ""


def _told(path: Path) -> list[Any]:
    """Return what tells a file from another: its bytes, or of a huge one its size and time."""
    known = path.stat()
    return [path.name, known.st_size, _sha256(path) if known.st_size <= HUGE else known.st_mtime_ns]


def _sha256(path: Path) -> str:
    """Return the digest of a file.

    Raises:
        FileNotFoundError: If there is none.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    return hashlib.sha256(path.read_bytes()).hexdigest()
