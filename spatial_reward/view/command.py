"""`view`: find out what is at a path, and show it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from spatial_reward.benchmark.answer_log import LOG as ANSWERS
from spatial_reward.outputs import default_folder, output_folder, write_summary
from spatial_reward.view.annotated_episode import show_annotated
from spatial_reward.view.benchmark_log import show_answers
from spatial_reward.view.opening import open_recording
from spatial_reward.view.question_set import show_questions
from spatial_reward.view.training_run import LOG as TRAINING
from spatial_reward.view.training_run import show_training

Config = Mapping[str, Any]
# Writes recording and pictures into a folder; returns metrics, and further details of the summary.
Show = Callable[[Path, Path, Config], tuple[dict[str, float], dict[str, Any]]]

KEYS = (
    *("path", "episode", "record", "subtask", "pick", "count", "seed"),
    *("rrd", "png", "open", "screenshot", "at", "out"),
)
OPEN = (False, True, "web")
KINDS = "a recording (.rrd), a question set, annotated episodes, a benchmark log or a training run"


def run_view(config: Config) -> Path:
    """Show what `conf/view.yaml` describes; return the recording, or the summary of what was written.

    Raises:
        FileNotFoundError: If there is nothing at the path, or no viewer to open it with.
        ValueError: If nothing at the path can be shown, or there is no such record or episode.
        FileExistsError: If the output folder already holds something.
        RuntimeError: If the viewer fails, as without a screen.
    """
    _check(config)
    path = Path(config["path"])
    if not path.exists():
        raise FileNotFoundError(f"There is nothing at path={path}: give {KINDS}.")
    recording = _recording(path)
    if recording is not None:
        return _shown(recording, config)
    show = _show_of(path)
    final = Path(config["out"]) if config["out"] else default_folder("view")
    with output_folder(final) as folder:
        metrics, details = show(path, folder, config)
        write_summary(folder, command="view", seed=config["seed"], config=config, metrics=metrics, **details)
    written = sorted(final.glob("*.rrd"))
    if written and (config["open"] or config["screenshot"]):
        _shown(written[0], config)
    return final / "summary.json"


def _check(config: Config) -> None:
    missing = [key for key in KEYS if key not in config]
    if missing:
        raise ValueError(
            f"The configuration lacks {', '.join(missing)}: let its YAML start from `defaults: [view]`."
        )
    if not config["path"]:
        raise ValueError(f"`path` is missing: give {KINDS}, as in `view path=FOLDER`.")
    if config["open"] not in OPEN:
        raise ValueError(f"`open` must be one of false, true, web, got {config['open']!r}.")


def _recording(path: Path) -> Path | None:
    """Return the recording at a path: the file itself, or that of a folder of the demo."""
    if path.suffix == ".rrd":
        return path
    summary = path / "summary.json"
    if not summary.is_file() or json.loads(summary.read_text()).get("command") not in (
        "demo",
        "perceive",
        "view",
    ):
        return None
    return next(iter(sorted(path.glob("*.rrd"))), None)


def _show_of(path: Path) -> Show:
    """Return how to show what is at a path."""
    folder = path if path.is_dir() else path.parent
    if path.name == ANSWERS or (path.is_dir() and (folder / ANSWERS).is_file()):
        return show_answers
    if path.name == TRAINING or (path.is_dir() and (folder / TRAINING).is_file()):
        return show_training
    if path.is_dir() and next(path.rglob("rewards.parquet"), None) is not None:
        return show_annotated
    if path.is_dir():
        return show_questions
    raise ValueError(f"path={path} cannot be shown: give {KINDS}.")


def _shown(recording: Path, config: Config) -> Path:
    """Draw a picture of a recording where one is asked for, else open it."""
    if config["screenshot"]:
        from spatial_reward.viz.headless import screenshot

        return screenshot(recording, Path(config["screenshot"]), at=config["at"])
    return open_recording(recording, web=config["open"] == "web")
