"""Draw every picture of the documentation again, by the commands in the table of `docs/pictures.md`.

python docs/scripts/pictures.py [WORD ...]    # only those whose names hold a word

What the code was that a picture shows is noted in `docs/pictures.json`, so that a test can tell a stale one.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
DRAWN = "docs/pictures.json"  # picture -> digest of the code when it was drawn
ROW = re.compile(r"^\| \[`([^`]+)`\]\([^)]+\) \| `([^`]+)` \| `([^`]+)` \|$", re.MULTILINE)


def rows(page: str) -> list[tuple[str, str, str]]:
    """Return (picture, command, patterns of the code that it shows) of the table; of a page's text."""
    return ROW.findall(page)


def digest(patterns: str) -> str:
    """Return what the files of some patterns hold now, as one number.

    Raises:
        FileNotFoundError: If a pattern matches none.
    """
    held = hashlib.sha256()
    for pattern in patterns.split():
        files = sorted(ROOT.glob(pattern))
        if not files:
            raise FileNotFoundError(f"No file of the checkout is called {pattern!r}.")
        for path in files:
            held.update(path.read_bytes())
    return held.hexdigest()


def draw(command: str, scratch: Path) -> None:
    """Run a command at the top of the checkout, with the folder of its results elsewhere.

    Raises:
        subprocess.CalledProcessError: If it fails.
    """
    here = re.sub(r"(out=|cp )drawn\b", rf"\1{scratch / 'drawn'}", command)
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(here, shell=True, check=True, cwd=ROOT, env={**os.environ, "PATH": programs})


def note(pictures: dict[str, str]) -> None:
    """Note the code, by its patterns, that pictures show as it is now."""
    path = ROOT / DRAWN
    drawn = json.loads(path.read_text()) if path.is_file() else {}
    drawn |= {picture: digest(patterns) for picture, patterns in pictures.items()}
    path.write_text(json.dumps(drawn, indent=1, sort_keys=True) + "\n")


def main(words: list[str]) -> None:
    """Draw the pictures that are named, or all; each command runs once."""
    listed = rows((ROOT / "docs" / "pictures.md").read_text())
    wanted = [row for row in listed if not words or any(word in row[0] for word in words)]
    with tempfile.TemporaryDirectory() as scratch:
        for command in dict.fromkeys(command for _, command, _ in wanted):
            print(command, flush=True)
            draw(command, Path(scratch))
    note({picture: patterns for picture, _, patterns in wanted})


if __name__ == "__main__":
    main(sys.argv[1:])
