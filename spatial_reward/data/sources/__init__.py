"""Where scenes with truth come from: one file each."""

from __future__ import annotations

import importlib
from difflib import get_close_matches
from typing import Any

from spatial_reward.data.sources.base import BadScene, Source, static_points, unread

__all__ = ["SOURCES", "BadScene", "Source", "load_source", "static_points", "unread"]

SOURCES = {
    "mujoco": "spatial_reward.data.sources.mujoco:MuJoCo",
    "random_scenes": "spatial_reward.data.sources.random_scenes:RandomScenes",
    "scannet": "spatial_reward.data.sources.scannet:ScanNet",
    "tapvid3d": "spatial_reward.data.sources.tapvid3d:TAPVid3D",
    "episodes": "spatial_reward.data.sources.episodes:Episodes",
}


def load_source(name: str, **options: Any) -> Source:
    """Make a source by its name, or your own as "module:Class".

    Raises:
        ImportError: If a module, or a package that the source needs, is missing.
        TypeError: If what is named is no source.
        ValueError: If there is none of that name, or an option cannot be used.
    """
    module_name, colon, attribute = SOURCES.get(name, name).partition(":")
    if not colon:
        near = get_close_matches(name, SOURCES) or list(SOURCES)
        raise ValueError(
            f"Unknown source {name!r}. There are: {', '.join(near)}, or your own 'module:Class'."
        )
    for option, value in options.items():
        if value == "???":
            raise ValueError(f"The source {name!r} needs `{option}`: give source.{option}=...")
    module = importlib.import_module(module_name)
    if not hasattr(module, attribute):
        raise ValueError(f"There is no {attribute!r} in {module_name}, which source.name={name!r} asks for.")
    return _made(name, getattr(module, attribute), options)


def _made(name: str, make: Any, options: dict[str, Any]) -> Source:
    try:
        source = make(**options)
    except TypeError as error:
        raise ValueError(f"The source {name!r} cannot be made with {options}: {error}.") from error
    if not isinstance(source, Source):
        raise TypeError(
            f"{name!r} makes {type(source).__name__}, which lacks `name`, scenes, load or picture."
        )
    return source
