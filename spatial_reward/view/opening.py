"""Open recordings: in the Rerun viewer, in a browser, or as a picture drawn without a screen."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

VIEWER = "rerun"
_WEB = ("--web-viewer", "--bind", "127.0.0.1")  # for this computer only


def open_recording(path: Path, web: bool = False) -> Path:
    """Open an .rrd file in the Rerun viewer, or serve it to a browser, and wait until that is closed.

    Raises:
        FileNotFoundError: If the viewer is not installed.
        RuntimeError: If it fails, as without a screen.
    """
    viewer = shutil.which(VIEWER)
    if viewer is None:
        raise FileNotFoundError(f'No Rerun viewer to open {path} with: pip install "spatial-reward[viz]"')
    try:
        code = subprocess.run([viewer, *(_WEB if web else ()), str(path)], check=False).returncode
    except KeyboardInterrupt:  # how a server is closed
        return path
    if code and not web:
        raise RuntimeError(
            f"The Rerun viewer ended with code {code}: it needs a screen to show {path}; try open=web, or "
            "screenshot=FILE.png."
        )
    if code:
        raise RuntimeError(f"The Rerun web viewer ended with code {code}: see above.")
    return path
