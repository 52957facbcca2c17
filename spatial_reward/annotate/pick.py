"""A page in the browser on which somebody clicks where things are; it ends as a `points.json`."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any

from spatial_reward.annotate.jobs import chosen_camera, chosen_episodes, entries_for, goals_of
from spatial_reward.annotate.references import missing_points
from spatial_reward.annotate.settings import Settings
from spatial_reward.data.episodes import BadEpisode, EpisodeInfo, EpisodeReader
from spatial_reward.data.episodes.described import write_json
from spatial_reward.data.sources.pictures import png

HERE = "127.0.0.1"
LARGEST = 100_000  # [bytes] of a message


class Picker:
    """Serve the page on this computer only, until everything is picked.

    Args:
        reader: The dataset.
        settings: Which episodes, camera and goals.
        path: Where `points.json` is written, after every click; what it holds already is kept.
        port: 0 for any that is free.

    Raises:
        ValueError: If there is nothing to pick.
    """

    def __init__(self, reader: EpisodeReader, settings: Settings, path: Path, port: int = 0) -> None:
        """Find out what is missing, and listen."""
        self.reader, self.path = reader, path
        self.camera = chosen_camera(reader, settings)
        episodes = chosen_episodes(reader, settings)
        goals = goals_of(reader, settings, episodes)
        self.points: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
        self.tasks = []
        for episode in episodes:
            known = entries_for(reader, self.points, episode, self.camera)
            goal = goals[episode.index]
            self.tasks.append(_Task(episode, str(goal), goal.names, known))
        self.tasks = [task for task in self.tasks if missing_points(task.names, task.known)]
        if not self.tasks:
            raise ValueError("There is nothing to pick: every thing of every goal has its point.")
        self.finished, self._lock = threading.Event(), threading.Lock()
        self.token = secrets.token_urlsafe(8)  # so that other pages of the browser cannot write
        self._server = ThreadingHTTPServer((HERE, port), _handler(self))

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://{HERE}:{self._server.server_address[1]}/{self.token}/"

    def start(self) -> None:
        """Serve in the background."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def wait(self) -> Path:
        """Serve until "Done" is clicked; return the file of points."""
        self.start()
        try:
            while not self.finished.wait(0.5):
                pass
        finally:
            self.close()
        return self.path

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def as_json(self) -> list[dict[str, Any]]:
        """Return what the page shows."""
        return [
            {"episode": task.episode.name, "goal": task.goal, "names": list(task.names), "points": task.known}
            for task in self.tasks
        ]

    def picture(self, number: int) -> bytes:
        """Return the first frame of a task as PNG."""
        return png(next(iter(self.reader.frames(self.tasks[number].episode, self.camera, [0]))).rgb)

    def set(self, number: int, name: str, point: Mapping[str, Any]) -> None:
        """Take a point, and write the file."""
        task = self.tasks[number]
        kind = next(
            (key for key, count in (("pixel", 2), ("box", 4)) if len(point.get(key, ())) == count), None
        )
        if name not in task.names or kind is None:
            raise ValueError(f"{name!r} of {task.names} needs a pixel or a box, got {dict(point)}.")
        with self._lock:
            entry = {kind: [round(float(value), 2) for value in point[kind]]}
            task.known[name] = entry
            own = self.points.setdefault("episodes", {}).setdefault(str(task.episode.index), {})
            own.setdefault("cameras", {}).setdefault(self.camera, {})[name] = entry
            write_json(self.path, self.points)

    def repeat(self, number: int) -> None:
        """Take the points of a task for those that follow and have the same names."""
        task = self.tasks[number]
        for later in range(number + 1, len(self.tasks)):
            if self.tasks[later].names == task.names:
                for name in task.names:
                    if name in task.known and name not in self.tasks[later].known:
                        self.set(later, name, task.known[name])

    def missing(self) -> str:
        """Name what is still to be picked; nothing if all is there."""
        lacking = [(task, missing_points(task.names, task.known)) for task in self.tasks]
        return ", ".join(f"{' and '.join(names)} of {task.episode.name}" for task, names in lacking if names)


class _Task:
    """An episode whose things are to be picked."""

    def __init__(self, episode: EpisodeInfo, goal: str, names: Sequence[str], known: dict[str, Any]) -> None:
        self.episode, self.goal, self.names = episode, goal, tuple(names)
        self.known = {name: point for name, point in known.items() if name in self.names}


class _Handler(BaseHTTPRequestHandler):
    """Answer the page."""

    picker: Picker

    def do_GET(self) -> None:
        """Send the page, the tasks or a picture."""
        what = self._what()
        if what == "":
            self._send(files(__package__).joinpath("pick.html").read_bytes(), "text/html; charset=utf-8")
        elif what == "tasks":
            self._json({"tasks": self.picker.as_json()})
        elif what is not None and what.startswith("picture/"):
            self._try(lambda: self._send(self.picker.picture(int(what[8:])), "image/png"))
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        """Take a point, repeat points, or end."""
        what = self._what()
        if what not in ("point", "rest", "done"):
            self.send_error(404)
            return
        self._try(lambda: self._take(what, json.loads(self._body())))

    def _take(self, what: str, body: Mapping[str, Any]) -> None:
        if what == "point":
            self.picker.set(int(body["task"]), str(body["name"]), body["point"])
        elif what == "rest":
            self.picker.repeat(int(body["task"]))
        missing = self.picker.missing()
        self._json({"tasks": self.picker.as_json(), "missing": missing})
        if what == "done" and not missing:
            self.picker.finished.set()

    def _what(self) -> str | None:
        prefix = f"/{self.picker.token}/"
        return self.path.removeprefix(prefix) if self.path.startswith(prefix) else None

    def _body(self) -> bytes:
        return self.rfile.read(min(LARGEST, int(self.headers.get("Content-Length", 0))))

    def _try(self, answer: Any) -> None:
        try:
            answer()
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, BadEpisode) as error:
            self.send_error(400, " ".join(str(error).split())[:200])

    def _json(self, content: Any) -> None:
        self._send(json.dumps(content).encode(), "application/json")

    def _send(self, data: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _handler(picker: Picker) -> type[BaseHTTPRequestHandler]:
    return type("Handler", (_Handler,), {"picker": picker})
