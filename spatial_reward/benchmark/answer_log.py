"""An append-only log of what was asked, answered and scored: a JSON object a line, each with its checksum."""

from __future__ import annotations

import json
import os
import sys
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from spatial_reward.data.shards import write_json
from spatial_reward.outputs import lock, tell_interrupted

LOG, SETTINGS = "answers.jsonl", "run.json"
_CRC = ', "crc": "'
_SHOWN = 5  # differing settings, or damaged lines, in a message
Line = dict[str, Any]


class AnswerLog:
    """The log of one run, new or taken up again; a batch is on the disk when `append` returns.

    Damaged lines, such as the last one of a run that was killed, are left where they are and not read.

    Attributes:
        lines: What is known already, by its id, such as that of the question.
        damaged: Numbers of the lines that could not be read, from 1.

    Args:
        folder: Of the run.
        settings: What the answers depend on.
        name: Of the log's file.

    Raises:
        FileExistsError: If the folder holds something else, or a run with other settings.
        OSError: If it cannot be written.
        RuntimeError: If another run is writing to it.
        ValueError: If its settings are damaged.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], name: str = LOG) -> None:
        """Open the log, lock it, read what is in it, and say on stderr which lines are damaged."""
        self.path = folder / name
        begin(folder, settings)
        try:
            self._file = self.path.open("ab+")
        except OSError as error:
            raise OSError(f"Cannot write {self.path} ({error.strerror}): choose another out.") from error
        try:
            lock(self._file.fileno(), folder)
        except RuntimeError:
            self._file.close()
            raise
        self.lines, self.damaged = read_log(self.path)
        self._say_damaged()
        self._file.seek(0, os.SEEK_END)
        if self._file.tell() and not self.path.read_bytes().endswith(b"\n"):
            self._file.write(b"\n")  # what follows must not become part of a torn line

    def append(self, lines: Iterable[Line]) -> None:
        """Write a batch in one piece, and wait until it is on the disk."""
        lines = list(lines)
        self._file.write("".join(_sealed(line) for line in lines).encode())
        self._file.flush()
        os.fsync(self._file.fileno())
        self.lines |= {line["id"]: line for line in lines}

    def _say_damaged(self) -> None:
        if self.damaged:
            shown = ", ".join(map(str, self.damaged[:_SHOWN])) + (
                ", ..." if len(self.damaged) > _SHOWN else ""
            )
            print(
                f"{self.path}: {len(self.damaged)} damaged lines ({shown}); what they held is done again, "
                "unless a later line has it",
                file=sys.stderr,
            )

    def __enter__(self) -> AnswerLog:
        """Return the log."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file, which unlocks it; say how an interrupted run goes on."""
        self._file.close()
        if kind is KeyboardInterrupt:
            tell_interrupted(self.path.parent)


def read_log(path: Path) -> tuple[dict[str, Line], list[int]]:
    """Return the sound lines by id, the last of each, and the numbers of the damaged ones, from 1.

    Raises:
        FileNotFoundError: If there is no log.
    """
    lines: dict[str, Line] = {}
    damaged = []
    for number, raw in enumerate(path.read_bytes().splitlines(), start=1):
        line = _opened(raw)
        if line is not None:
            lines[line["id"]] = line
        elif raw.strip():
            damaged.append(number)
    return lines, damaged


def _sealed(line: Line) -> str:
    text = json.dumps(line, allow_nan=False)
    return f'{text[:-1]}{_CRC}{zlib.crc32(text.encode()):08x}"}}\n'


def _opened(raw: bytes) -> Line | None:
    """Return a line without its checksum; None if it is damaged."""
    try:
        body, mark, crc = raw.decode().rpartition(_CRC)
        text = body + "}"
        if not mark or f'{zlib.crc32(text.encode()):08x}"}}' != crc:
            return None
        line: Line = json.loads(text)
        return line
    except ValueError:
        return None


def begin(folder: Path, settings: Mapping[str, Any]) -> None:
    """Write the settings of a new run, or compare them with those that are there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        others = [path for path in folder.iterdir() if not path.name.startswith(".")]
        if not (folder / SETTINGS).exists() and others:
            raise FileExistsError(f"out={folder} already exists: choose another folder, or remove it first.")
        if not others:
            write_json(folder / SETTINGS, settings)
    except (PermissionError, NotADirectoryError) as error:
        raise OSError(f"Cannot write out={folder} ({error.strerror}): choose another with out=.") from error
    there, here = read_settings(folder), json.loads(json.dumps(settings))
    different = [key for key in {**there, **here} if there.get(key) != here.get(key)]
    if different:
        shown = [f"{key}: {there.get(key)} there, {here.get(key)} here" for key in different[:_SHOWN]]
        raise FileExistsError(
            f"out={folder} was begun with other settings ({'; '.join(shown)}): repeat those, or choose "
            "another out."
        )


def read_settings(folder: Path) -> dict[str, Any]:
    """Read the settings of a run.

    Raises:
        FileNotFoundError: If there is no run.
        ValueError: If they are damaged.
    """
    path = folder / SETTINGS
    if not path.is_file():
        raise FileNotFoundError(f"There is no benchmark run in {folder}: it has no {SETTINGS}.")
    try:
        settings = json.loads(path.read_text())
        return dict(settings)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error}): choose another out, or remove the folder.") from error
