"""What there is to do: for each episode its goal, references and camera, checked before any work."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward.annotate.references import points_for, references_of
from spatial_reward.annotate.settings import ESTIMATING, Settings, fingerprint
from spatial_reward.data.episodes import Calibration, EpisodeInfo, EpisodeReader, open_episodes
from spatial_reward.data.episodes.depth_units import MILLIMETRE, depth_scale
from spatial_reward.data.episodes.described import described_calibration, read_json
from spatial_reward.rewards import Goal, parse_goal
from spatial_reward.types import Model, Reference

SHOWN = 3  # episodes that an error names


@dataclass(frozen=True, eq=False)
class Job:
    """An episode to be scored.

    Attributes:
        episode: Which.
        goal: What counts.
        references: Its things in the first frame.
        calibration: Its camera; None where no metres are needed from pixels.
        assumed: Field of view [deg] that is assumed for want of a calibration; None where there is one.
        unit: Of integer depth [m].
    """

    episode: EpisodeInfo
    goal: Goal
    references: Mapping[str, Reference]
    calibration: Calibration | None
    assumed: float | None = None
    unit: float = MILLIMETRE

    def identity(self) -> dict[str, Any]:
        """Return all that decides the result beside the settings, as plain data."""
        calibration = self.calibration
        lens = None if calibration is None else calibration.intrinsics.tolist()
        pose = (
            None
            if calibration is None or calibration.world_from_camera is None
            else (fingerprint(np.asarray(calibration.world_from_camera).tolist()))
        )
        things = {
            name: [
                reference.pixel,
                None if reference.position is None else np.asarray(reference.position).tolist(),
            ]
            for name, reference in self.references.items()
        }
        return {
            "episode": [self.episode.index, self.episode.name, self.episode.length, self.episode.task],
            "goal": str(self.goal),
            "references": things,
            "camera": [lens, pose, self.assumed, self.unit],
        }


def open_source(settings: Settings) -> EpisodeReader:
    """Open the dataset of the settings."""
    return open_episodes(settings.dataset, settings.format, fps=settings.fps, flip=settings.flip)


def chosen_camera(reader: EpisodeReader, settings: Settings) -> str:
    """Return the camera to look through.

    Raises:
        ValueError: If it does not exist, or there are several to choose from.
    """
    known = ", ".join(reader.cameras)
    if settings.camera is None:
        if len(reader.cameras) > 1:
            raise ValueError(f"The dataset has {len(reader.cameras)} cameras: choose camera= one of {known}.")
        return reader.cameras[0]
    if settings.camera not in reader.cameras:
        raise ValueError(f"The dataset has no camera {settings.camera!r}; it has {known}.")
    return settings.camera


def chosen_episodes(reader: EpisodeReader, settings: Settings) -> list[EpisodeInfo]:
    """Return the episodes to annotate.

    Raises:
        ValueError: If one does not exist, or none is left.
    """
    every = {info.index: info for info in reader.episodes()}
    wanted = settings.episodes
    if wanted is None:
        return list(every.values())
    if isinstance(wanted, str):
        numbers = _slice(wanted, sorted(every))
    else:
        numbers = [wanted] if isinstance(wanted, int) else [int(number) for number in wanted]
    unknown = [number for number in numbers if number not in every]
    if unknown or not numbers:
        what = f"has no episode {unknown[0]}" if unknown else f"has none of episodes={wanted}"
        raise ValueError(f"The dataset {what}; it has {len(every)}, numbered {min(every)} to {max(every)}.")
    return [every[number] for number in numbers]


def _slice(words: str, known: Sequence[int]) -> list[int]:
    """Read "3", "0:10" or "0:10:2"."""
    try:
        ends = [int(part) if part else None for part in words.split(":")]
        return (
            [number for number in known if number in range(*slice(*ends).indices(max(known) + 1))]
            if (len(ends) > 1)
            else [int(words)]
        )
    except ValueError as error:
        raise ValueError(f"`episodes` must be like 0:10 or [0, 3], got {words!r}.") from error


def make_jobs(
    reader: EpisodeReader, settings: Settings, model: Model, only: Sequence[int] | None = None
) -> list[Job]:
    """Return the jobs of all chosen episodes, or of those among them whose numbers are in `only`.

    Raises:
        ValueError: If an episode has no task or goal, a thing no point, or metres are asked without a camera.
    """
    camera, episodes = chosen_camera(reader, settings), chosen_episodes(reader, settings)
    episodes = episodes if only is None else [episode for episode in episodes if episode.index in only]
    _check_model(reader, settings, camera, model)
    goals = goals_of(reader, settings, episodes)
    points, cameras = _mapping(settings.points), _mapping(settings.calibration)
    unit = depth_scale(reader.notes().get("cameras", {}), camera)
    jobs = []
    for episode in episodes:
        calibration, assumed = _calibration(reader, settings, camera, episode, cameras)
        goal = goals[episode.index]
        posed = calibration is not None and calibration.world_from_camera is not None
        references = references_of(goal.names, entries_for(reader, points, episode, camera), posed=posed)
        _check_camera(settings, calibration, assumed, references, episode)
        jobs.append(Job(episode, goal, references, calibration, assumed, unit))
    return jobs


def goals_of(reader: EpisodeReader, settings: Settings, episodes: Sequence[EpisodeInfo]) -> dict[int, Goal]:
    """Return the goal of each episode: the one that is given, or that of its task.

    Raises:
        ValueError: If an episode has no task text, or a task no goal.
    """
    if settings.goal:
        return {episode.index: parse_goal(settings.goal) for episode in episodes}
    goals = _mapping(settings.goals) or reader.notes().get("goals", {})
    silent = [episode for episode in episodes if not episode.task.strip()]
    if silent:
        raise ValueError(
            f"{_listed(silent)} no task text, and nothing is scored without: give "
            "goal='near(a, b, within=3cm)', "
            "write the tasks into the dataset, or leave these out with episodes=."
        )
    parsed = {task: parse_goal(goal) for task, goal in goals.items()}
    for episode in episodes:
        if episode.task not in parsed:
            near = difflib.get_close_matches(episode.task, parsed, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(
                f"No goal is given for the task {episode.task!r} of {episode.name}: give goal=, or a file "
                f'goals=goals.json such as {{"{episode.task}": "near(a, b, within=3cm)"}}.{hint}'
            )
    return {episode.index: parsed[episode.task] for episode in episodes}


def entries_for(
    reader: EpisodeReader, given: Mapping[str, Any], episode: EpisodeInfo, camera: str
) -> dict[str, Any]:
    """Return the points of an episode: those that are given before those of the dataset."""
    held = points_for(reader.notes().get("points", {}), episode.index, camera)
    return {**held, **points_for(given, episode.index, camera)}


def _mapping(given: str | Mapping[str, Any] | None) -> dict[str, Any]:
    if given is None:
        return {}
    return read_json(Path(given)) if isinstance(given, str) else dict(given)


def _calibration(
    reader: EpisodeReader,
    settings: Settings,
    camera: str,
    episode: EpisodeInfo,
    cameras: Mapping[str, Any],
) -> tuple[Calibration | None, float | None]:
    """Return the camera, and the field of view that it assumes."""
    if cameras:
        found = described_calibration(cameras, camera, episode.index, source="file")
        if found is None:
            raise ValueError(f"The calibration has no camera {camera!r}; it has {sorted(cameras)}.")
    else:
        found = reader.calibration(episode, camera)
    if found is None and settings.fov is not None:
        return Calibration.assumed(float(settings.fov)), float(settings.fov)
    if found is not None and found.moving and settings.static_camera:
        pose = np.asarray(found.world_from_camera)[0]
        found = Calibration(found.intrinsics, found.width, found.height, pose, found.source)
    return found, None


def _check_camera(
    settings: Settings,
    calibration: Calibration | None,
    assumed: float | None,
    references: Mapping[str, Reference],
    episode: EpisodeInfo,
) -> None:
    if all(reference.pixel is None for reference in references.values()):
        return
    if calibration is None:
        raise ValueError(
            f"{episode.name} has no camera model, and metres need one: give calibration=cameras.json, "
            "or assume a vertical field of view with fov=60 (the result is marked as assumed)."
        )
    if calibration.world_from_camera is None and settings.static_camera is None:
        raise ValueError(
            f"Nobody says whether the camera of {episode.name} moves: say static_camera=true, "
            "or false to have its motion estimated."
        )


def _check_model(reader: EpisodeReader, settings: Settings, camera: str, model: Model) -> None:
    if "truth" in model.needs:
        raise ValueError(f"{model.name!r} needs the simulator's truth, which recordings do not hold.")
    if "depth" in model.needs and not (settings.depth and reader.has_depth(camera)):
        why = "depth=false leaves it out" if reader.has_depth(camera) else f"{camera!r} was recorded without"
        raise ValueError(f"{model.name!r} needs measured depth, but {why}: take model=spatialnet.")
    if settings.static_camera is False and settings.model["name"] not in ESTIMATING:
        raise ValueError(
            f"static_camera=false needs a model that estimates the camera's motion: "
            f"{' or '.join(ESTIMATING)}."
        )


def _listed(episodes: Sequence[EpisodeInfo]) -> str:
    names = ", ".join(episode.name for episode in episodes[:SHOWN])
    more = len(episodes) - SHOWN
    return (
        f"{names} and {more} more have" if more > 0 else f"{names} {'has' if len(episodes) == 1 else 'have'}"
    )
