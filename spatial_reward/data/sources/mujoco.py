"""Scenes from any MuJoCo simulation: an environment or an MJCF file, watched by any cameras."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from spatial_reward.data.sources.base import BadScene
from spatial_reward.data.sources.mujoco_cameras import View, make_views, plan_shots, take
from spatial_reward.data.sources.mujoco_record import finite_states, read_records
from spatial_reward.data.sources.mujoco_stage import Stage, open_environment, open_model
from spatial_reward.data.sources.mujoco_states import States, recorded, scattered, scripted
from spatial_reward.data.sources.rendered import Encoding, Rendered
from spatial_reward.envs.scene import Watch
from spatial_reward.types import Scene

What = Literal["scripted", "random", "recorded"]
BACKGROUND = "object"  # the world's name: no question asks for its size


class MuJoCo(Rendered):
    """Watch a MuJoCo simulation.

    Give an environment or an MJCF file. Scene i depends on (seed, i) alone. States that physics refuses are
    left out and counted in `dropped`.

    Args:
        env: A name that `envs.catalogue.make` knows: "FetchPush-v4", "metaworld/push-v3", "module:function".
        xml: Path of an MJCF file.
        scenes: How many.
        frames: Of each camera in a scene.
        states: "scripted": the catalogue's expert, with noise and failures among its episodes; random
            controls where there is none. "random": joints and free bodies at random, settled.
            "recorded": those of the file `recorded`.
        recorded: Path of a .npz with `qpos` (T, nq) or (E, T, nq), and if wanted `qvel`, `mocap_pos`,
            `mocap_quat` and `time`. A scene is frames of one episode.
        cameras: One or several, which then take pictures at the same times: names of cameras of the model,
            "default" (what `env.render()` shows), "free" (MuJoCo's own), "moving" (around what the default
            looks at; a third of its pictures are views of one instant), "wrist"; or "auto": "default" in
            scenes of even number, "moving" in the others, which together support every question.
        wrist: Body that the "wrist" camera rides on; None: a camera of the model that is called so.
        size: Side of the pictures [px].
        width: Of the pictures [px], where they are not square.
        height: Of the pictures [px].
        seed: Of everything random.
        points_per_body: At most so many points are followed on each body.
        shadows: Draw shadows, many times slower.
        encoding: Of pictures: "jpeg" or "png".
        quality: Of JPEG pictures.
        options: Given to the environment.

    Attributes:
        dropped: How many states were left out since the source was made, by reason.

    Raises:
        ValueError: If the environment, the file, a camera or a number is not usable; says why.
        FileNotFoundError: If there is no such file.
        ImportError: If the package behind the environment is missing.
    """

    def __init__(
        self,
        env: str | None = None,
        xml: str | Path | None = None,
        *,
        scenes: int = 20,
        frames: int = 24,
        states: What = "scripted",
        recorded: str | Path | None = None,
        cameras: str | Sequence[str] = "auto",
        wrist: str | None = None,
        size: int = 224,
        width: int | None = None,
        height: int | None = None,
        seed: int = 0,
        points_per_body: int = 128,
        shadows: bool = False,
        encoding: Encoding = "jpeg",
        quality: int = 92,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """Make the simulation and check everything; nothing is drawn yet."""
        if (env is None) == (xml is None):
            raise ValueError(f"Give either `env` or `xml`, got env={env!r} and xml={xml!r}.")
        super().__init__(
            "mujoco",
            _prefix(env or Path(str(xml)).stem),
            scenes=scenes,
            frames=frames,
            seed=seed,
            points_per_body=points_per_body,
            encoding=encoding,
            quality=quality,
        )
        if states not in get_args(What) or (states == "recorded") != (recorded is not None):
            raise ValueError(
                f"`states` must be one of {get_args(What)}, with a file `recorded` for the last, got "
                f"{states!r} and recorded={recorded!r}."
            )
        if not cameras:
            raise ValueError(f"`cameras` must name at least one camera, got {cameras!r}.")
        self.dropped: Counter[str] = Counter()
        self._env, self._xml, self._options = env, Path(xml or ""), dict(options or {})
        self._what, self._cameras = states, (cameras,) if isinstance(cameras, str) else tuple(cameras)
        self._wrist, self._shadows = wrist, shadows
        self._size = width or size, height or size
        self._opened: Stage | None = self._open()
        self._views: list[View] = []  # of the last scene: they keep the renderer for the next
        self._records = [] if recorded is None else read_records(Path(recorded), self._opened.model)

    def _open(self) -> Stage:
        """Make the simulation and try its cameras."""
        stage = open_model(self._xml) if self._env is None else open_environment(self._env, self._options)
        stage.reset(self._seed)
        if not stage.model.ngeom:
            raise ValueError(f"There is nothing to see in {self._env or self._xml}: the model has no geoms.")
        for index in (0, 1):
            for view in self._make_views(stage, index, np.random.default_rng(0)):
                _ = view.simulator.camera
        return stage

    def _stage(self) -> Stage:
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def _names(self, index: int) -> tuple[str, ...]:
        """Name the cameras of a scene."""
        return (("default", "moving")[index % 2],) if self._cameras == ("auto",) else self._cameras

    def _make_views(self, stage: Stage, index: int, rng: np.random.Generator) -> list[View]:
        return make_views(
            self._names(index), stage.source, self._size, rng, wrist=self._wrist, shadows=self._shadows
        )

    def _render(self, index: int) -> Scene:
        for_states, for_cameras, for_points = np.random.default_rng([self._seed, index]).spawn(3)
        stage, watch, views = self._stage(), Watch(for_points, self._points, around=False), list[View]()
        shots, taken = plan_shots(self._frames, "moving" in self._names(index), for_cameras), 0
        for count, _ in zip(shots, self._states(index, len(shots), for_states), strict=False):
            if not views:
                stage.hide_ghosts()
                views = self._make_views(stage, index, for_cameras)
            take(watch, views, count)
            taken += count
        self._views = views
        if taken < 2:
            raise BadScene("too few states", f"{taken} of {self._frames}")
        return _named(watch.scene())

    def _states(self, index: int, count: int, rng: np.random.Generator) -> States:
        if self._what == "recorded":
            record = finite_states(self._records[index % len(self._records)])
            return recorded(self._stage(), count, rng, record)
        happen = scattered if self._what == "random" else scripted
        return happen(self._stage(), count, rng, self.dropped)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the simulation behind: another process makes its own."""
        return {**super().__getstate__(), "_opened": None, "_views": []}


def _prefix(name: str) -> str:
    """Make a name the start of the name of a folder."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name)


def _named(scene: Scene) -> Scene:
    """Call the world what no question asks the size of.

    Raises:
        BadScene: If there is nothing to be seen in the scene.
    """
    if not len(scene.body):
        raise BadScene("nothing in view")
    names = tuple(BACKGROUND if name == "world" else name for name in scene.names)
    return replace(scene, names=names)
