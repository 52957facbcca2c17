"""Draw every picture of the documentation again, by the commands in the table of `docs/pictures.md`.

python docs/scripts/pictures.py [WORD ...]    # only those whose names hold a word
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| \[`([^`]+)`\]\([^)]+\) \| `([^`]+)` \|$", re.MULTILINE)


def rows(page: str) -> list[tuple[str, str]]:
    """Return (picture, command) of the table; of a page's text."""
    return ROW.findall(page)


def draw(command: str, scratch: Path) -> None:
    """Run a command at the top of the checkout, with the folder of its results elsewhere.

    Raises:
        subprocess.CalledProcessError: If it fails.
    """
    here = re.sub(r"(out=|cp )drawn\b", rf"\1{scratch / 'drawn'}", command)
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(here, shell=True, check=True, cwd=ROOT, env={**os.environ, "PATH": programs})


def main(words: list[str]) -> None:
    """Draw the pictures that are named, or all; each command runs once."""
    listed = rows((ROOT / "docs" / "pictures.md").read_text())
    wanted = [command for picture, command in listed if not words or any(word in picture for word in words)]
    with tempfile.TemporaryDirectory() as scratch:
        for command in dict.fromkeys(wanted):
            print(command, flush=True)
            draw(command, Path(scratch))


if __name__ == "__main__":
    main(sys.argv[1:])
