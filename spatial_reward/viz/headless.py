"""Pictures of recordings, drawn by the Rerun viewer without a screen."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spatial_reward._require import require
from spatial_reward.viz.files import partial_file

PATIENCE = 60.0  # [s] that starting, loading and drawing may take, each
PAUSE = 0.5  # [s] between two looks
LEAST = 8  # pictures until the viewer's own messages are gone; it counts time by them
TITLE_BAR = 36  # [px] of the viewer's own, at the top
_REMEDY = "it draws with Vulkan: apt-get install libvulkan1 mesa-vulkan-drivers"


def screenshot(
    recording: Path | str,
    picture: Path | str,
    *,
    timeline: str = "",
    at: int | None = None,
    size: tuple[int, int] = (1600, 940),
) -> Path:
    """Write what the viewer shows of a recording as a PNG, whole or not at all; return its path.

    Args:
        recording: An .rrd file.
        picture: PNG file to write.
        timeline: To go to, such as "step"; the recording's own first choice where empty.
        at: Place on the timeline; its end where None.
        size: Of the window, whose title bar is cut off [px].

    Raises:
        FileNotFoundError: If there is no such recording, or no viewer.
        RuntimeError: If the viewer cannot draw here; says what is missing.
        OSError: If the picture cannot be written.
    """
    recording, picture = Path(recording), Path(picture)
    if not recording.is_file():
        raise FileNotFoundError(f"There is no recording {recording}.")
    partial = partial_file(picture)
    try:
        with _viewer(recording, size) as client:
            _go_to(client, timeline, at)
            partial.write_bytes(_without_title_bar(_settled(client)))
        partial.replace(picture)
    finally:
        partial.unlink(missing_ok=True)
    return picture


def viewer_program() -> str:
    """Return the path of the Rerun viewer.

    Raises:
        FileNotFoundError: If it is not installed.
    """
    package = importlib.util.find_spec("rerun_cli")
    places = list(package.submodule_search_locations or ()) if package else []
    found = next((path for place in places if (path := shutil.which("rerun", path=place))), None)
    found = found or shutil.which("rerun")
    if found is None:
        raise FileNotFoundError('No Rerun viewer is installed: pip install "spatial-reward[viz]"')
    return found


@contextmanager
def _viewer(recording: Path, size: tuple[int, int]) -> Iterator[Any]:
    """Run a viewer without a window, reachable from this computer only, that has loaded a recording."""
    client_module = require("rerun.experimental", extra="viz", purpose="pictures of recordings")
    port = _free_port()
    command = [viewer_program(), "--headless", "--bind", "127.0.0.1", "--port", str(port)]
    command += ["--window-size", f"{size[0]}x{size[1]}", "--hide-welcome-screen", str(recording)]
    environment = {**os.environ, "RERUN_APP_ONLY": "true"}  # asks nothing of a user who is not there
    with tempfile.TemporaryFile("w+") as log:
        program = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            yield _connected(client_module, program, port, log)
        finally:
            program.terminate()
            program.wait(PATIENCE)


def _connected(module: Any, program: subprocess.Popen[bytes], port: int, log: Any) -> Any:
    """Wait until the viewer answers and has loaded its recording."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and program.poll() is None:
        try:
            client = module.ViewerClient.connect(f"rerun+http://127.0.0.1:{port}/proxy")
            state = client.get_state()
            if state.recordings and not state.loading:
                return client
        except Exception:  # not yet; the library raises whatever its transport does
            pass
        time.sleep(PAUSE)
    log.seek(0)
    lines = [line.strip() for line in log if line.strip()]
    raise RuntimeError(
        f"The Rerun viewer did not start without a screen ({lines[-1:] or 'no word'}); {_REMEDY}."
    )


def _go_to(client: Any, timeline: str, at: int | None) -> None:
    """Stop at a place on a timeline; at its end, where that is counted, without a place."""
    recording = client.get_state().recordings[0]
    name = timeline or recording.current_timeline
    known = {one.name: one for one in recording.timelines if one.time_type == "sequence"}
    if at is None and name in known:
        at = int(known[name].end)
    client.set_time(timeline or None, sequence=at, play_state="paused")


def _settled(client: Any) -> bytes:
    """Return a picture that no longer changes."""
    deadline, last, count = time.monotonic() + PATIENCE, b"", 0
    while time.monotonic() < deadline:
        time.sleep(PAUSE)
        picture: bytes = client.take_screenshot()
        count += 1
        if picture == last and count >= LEAST:
            return picture
        last = picture
    return last


def _without_title_bar(png: bytes) -> bytes:
    import cv2
    import numpy as np

    picture = np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR))
    return bytes(cv2.imencode(".png", picture[TITLE_BAR:], [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes())


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
