"""What `generate` is asked for, checked before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spatial_reward import __version__
from spatial_reward.data.draw import Rules, subtask
from spatial_reward.outputs import default_folder
from spatial_reward.questions import SUBTASKS

Config = Mapping[str, Any]

EXPORTS = ("internvl", "chat_messages", "webdataset", "tsv", "lmms", "dense", "swift", "nemo")
# What the content of the set depends on; the others say how and where it is made.
_CONTENT = ("count", "subtasks", "mode", "rules", "scenes", "depth", "embed", "per_shard", "seed", "source")
KEYS = (*_CONTENT, "exports", "report", "workers", "cluster", "out")
_LEAST = {"count": 1, "per_shard": 1, "seed": 0, "workers": 1, "scenes": 1}
_OPTIONAL = ("workers", "scenes")


@dataclass(frozen=True)
class Settings:
    """A checked configuration.

    Attributes:
        config: As given, completed.
        subtasks: Names of those wanted.
        rules: Of drawing.
        out: Folder of the set.
    """

    config: Config
    subtasks: tuple[str, ...]
    rules: Rules
    out: Path

    @property
    def content(self) -> dict[str, Any]:
        """What two runs must have in common to give the same set."""
        return {"version": __version__, "config": {key: self.config[key] for key in _CONTENT}}


def checked(config: Config) -> Settings:
    """Check a configuration as `conf/generate.yaml` describes it.

    Raises:
        ValueError: If a key is missing, or a value cannot be used.
    """
    missing = [key for key in KEYS if key not in config]
    if missing:
        raise ValueError(
            f"The configuration lacks {', '.join(missing)}: let its YAML start from `defaults: [generate]`."
        )
    for key, least in _LEAST.items():
        _check_number(key, config[key], least)
    names = _listed("subtasks", config["subtasks"], [one.name for one in SUBTASKS])
    exports = _listed("exports", config["exports"], [])
    unknown = sorted(set(exports) - set(EXPORTS))
    if unknown:
        raise ValueError(f"Unknown export {unknown[0]!r} in `exports`. There are: {', '.join(EXPORTS)}.")
    for key in ("depth", "embed", "report"):
        if not isinstance(config[key], bool):
            raise ValueError(f"`{key}` must be true or false, got {config[key]!r}.")
    subtasks = tuple(subtask(name).name for name in names)
    config = {**config, "exports": exports, "depth": config["depth"] or "dense" in exports}
    out = Path(config["out"]) if config["out"] else default_folder("generate")
    return Settings(config, subtasks, _rules(config), out)


def _check_number(key: str, value: Any, least: int) -> None:
    if value is None and key in _OPTIONAL:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"`{key}` must be a whole number of at least {least}, got {value!r}.")


def _listed(key: str, value: Any, default: list[str]) -> list[str]:
    """Return a list of names without repetition; a single name is a list too."""
    values = default if value is None else [value] if isinstance(value, str) else value
    if not isinstance(values, (list, tuple)) or not all(isinstance(one, str) for one in values):
        raise ValueError(f"`{key}` must be a list of names such as {key}=[a,b], got {value!r}.")
    if key == "subtasks" and not values:
        raise ValueError("`subtasks` is empty: name some, or leave it null for all.")
    return list(dict.fromkeys(values))


def _rules(config: Config) -> Rules:
    try:
        return Rules(mode=config["mode"], **config["rules"])
    except TypeError as error:
        raise ValueError(f"`rules` cannot be used: {error}.") from error
