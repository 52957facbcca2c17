"""Compose the configuration of a command from its YAML and `key=value` words (Hydra's compose API)."""

from __future__ import annotations

import difflib
import threading
from pathlib import Path
from typing import Any

_BUILT_IN = "pkg://spatial_reward.conf"
_LOCK = threading.Lock()  # Hydra's global state is not thread-safe


def compose(command: str, overrides: list[str], config_dir: Path | None = None) -> dict[str, Any]:
    """Return the composed configuration of `command` as plain dicts.

    Args:
        command: Name of the YAML file in `spatial_reward/conf`, or in `config_dir` where given.
        overrides: Words such as `env=FetchPush-v4` or `model=oracle`.
        config_dir: Folder searched before the package's own.

    Raises:
        ValueError: If a key or choice does not exist; names the near matches.
    """
    from omegaconf import OmegaConf

    with _LOCK:
        config = _compose(command, overrides, config_dir)
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)
    return plain


def _compose(command: str, words: list[str], config_dir: Path | None) -> Any:
    from hydra import compose as hydra_compose
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.singleton import Singleton
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    outer = Singleton.get_state()  # another Hydra program may be running around us
    GlobalHydra.instance().clear()
    source, search = _sources(command, config_dir)
    try:
        with source:
            defaults = hydra_compose(command, search)
            choices = [word for word in words if _is_choice(word, defaults)]
            _reject_unknown_keys(hydra_compose(command, search + choices), words)
            return hydra_compose(command, search + [_quoted(_forced(word)) for word in words])
    except (HydraException, OmegaConfBaseException) as error:
        raise ValueError(_one_line(error)) from error
    finally:
        Singleton.set_state(outer)


def _sources(command: str, config_dir: Path | None) -> tuple[Any, list[str]]:
    """Return where Hydra finds the command's own file, and the word that names the other place."""
    from hydra import initialize_config_dir, initialize_config_module

    if config_dir and (config_dir / f"{command}.yaml").exists():
        return initialize_config_dir(str(config_dir.resolve()), version_base="1.3"), [_search(_BUILT_IN)]
    places = [_search(f"file://{config_dir.resolve()}")] if config_dir else []
    return initialize_config_module("spatial_reward.conf", version_base="1.3"), places


def _search(place: str) -> str:
    return f"hydra.searchpath=[{place}]"


def _is_choice(word: str, defaults: Any) -> bool:
    """Tell whether a word such as `model=oracle` chooses a file of a group."""
    from omegaconf import DictConfig

    key, equals, value = word.partition("=")
    if not equals or value.startswith("{") or key not in defaults:
        return False
    return isinstance(defaults.get(key), DictConfig)


def _reject_unknown_keys(config: Any, words: list[str]) -> None:
    """Refuse words that are not `key=value`, and keys that do not exist, naming the near matches."""
    keys = _keys(config)
    for word in words:
        key, equals, _ = word.partition("=")
        if not equals:
            raise ValueError(f"Expected key=value, got {word!r}. Keys: {', '.join(keys)}.")
        added = key.startswith("+") and key[1:].rpartition(".")[0] in keys  # to a part that there is
        if key not in keys and not added:
            near = difflib.get_close_matches(key, keys, 3, 0.5) or keys
            raise ValueError(f"Unknown key {key!r}. Did you mean: {', '.join(near)}?")


def _keys(config: Any, prefix: str = "") -> list[str]:
    """List the dotted keys of a configuration, groups included."""
    from omegaconf import DictConfig, OmegaConf

    keys = []
    for key in config:
        keys.append(f"{prefix}{key}")
        if not OmegaConf.is_missing(config, key) and isinstance(config[key], DictConfig):
            keys += _keys(config[key], f"{prefix}{key}.")
    return keys


def _forced(word: str) -> str:
    """Let a dict such as `algorithm={batch_size: 128}` bring keys that are not there yet."""
    return f"++{word}" if word.partition("=")[2].startswith("{") else word


def _quoted(word: str) -> str:
    """Quote a value such as `near(cube, pad, within=3cm)`, which Hydra's grammar would take apart."""
    key, _, value = word.partition("=")
    if value[:1] in ("'", '"', "[", "{") or not set("(),=") & set(value):
        return word
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{key}='{escaped}'"


def _one_line(error: Exception) -> str:
    """Keep what helps the reader of a Hydra message: not its search path, not its links."""
    text = " ".join(str(error).split())
    return text.partition(" Config search path")[0].partition(" See https")[0]
