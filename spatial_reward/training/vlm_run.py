"""The folder of a fine-tuning run: what it was begun with, its checkpoints, its log."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RUN, LOG, SUMMARY = "run.json", "log.jsonl", "summary.json"
STATE = "trainer_state.json"  # the last file of a checkpoint that is written


@dataclass(frozen=True)
class RunFolder:
    """A folder that a run writes to, and goes on from if it was interrupted."""

    path: Path

    def open(self, content: Mapping[str, Any], main: bool) -> None:
        """Begin, or make sure that the run that was begun here is the same.

        Raises:
            FileExistsError: If the folder holds something else, or a run with other settings.
            OSError: If it cannot be written.
        """
        known, content = self.path / RUN, json.loads(json.dumps(content))
        if known.exists():
            before = json.loads(known.read_text())
            changed = [key for key in content if before.get(key) != content[key]]
            if changed:
                raise FileExistsError(
                    f"out={self.path} was begun with other settings of {', '.join(changed)}: take another "
                    "out, or give the same settings to go on."
                )
        elif main:
            if self.path.exists() and any(self.path.iterdir()):
                raise FileExistsError(f"out={self.path} already holds something: take another folder.")
            self.path.mkdir(parents=True, exist_ok=True)
            write_whole(known, json.dumps(content, indent=1) + "\n")

    @property
    def checkpoints(self) -> Path:
        """Where the checkpoints are."""
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        """Where the finished model is."""
        return self.path / "model"

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return (self.path / SUMMARY).exists()

    def last_checkpoint(self) -> Path | None:
        """Return the last checkpoint that was written to its end."""
        whole = [path for path in self.checkpoints.glob("checkpoint-*") if _is_whole(path)]
        return max(whole, key=_step, default=None)

    def tidy(self) -> None:
        """Remove what an interruption left behind: halves of checkpoints, later lines of the log."""
        for path in self.checkpoints.glob("checkpoint-*"):
            if not _is_whole(path):
                shutil.rmtree(path)
        last = self.last_checkpoint()
        step, log = (0 if last is None else _step(last)), self.path / LOG
        if log.exists():
            lines = [line for line in log.read_text().splitlines() if _step_of_line(line) <= step]
            write_whole(log, "".join(f"{line}\n" for line in lines))


def write_whole(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text)
    os.replace(partial, path)


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _is_whole(checkpoint: Path) -> bool:
    try:
        return isinstance(json.loads((checkpoint / STATE).read_text()), dict)
    except (OSError, ValueError):
        return False


def _step_of_line(line: str) -> float:
    """Return the step of a line of the log; one that was cut off counts as too late."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError):
        return float("inf")
