"""The table-top scene with a Fetch robot, whose meshes come with Gymnasium-Robotics, wherever that is.

python envs/scenes/tabletop_fetch.py fetch.xml
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from spatial_reward.envs.catalogue import ROBOTS, require_package
from spatial_reward.envs.mjcf import MJCF

SCENE = Path(__file__).with_suffix(".xml")


def write_scene(path: Path) -> Path:
    """Write the scene with the place of the robot's files in it; return the path.

    Raises:
        ImportError: If Gymnasium-Robotics is not installed.
    """
    package = require_package("gymnasium_robotics", "tabletop_fetch", ROBOTS)
    assets = Path(package.__file__).resolve().parent / "envs" / "assets"
    path.write_text(SCENE.read_text().replace('"gymnasium_robotics/', f'"{assets.as_posix()}/'))
    return path


def make_env(render_mode: str | None = "rgb_array", *, random: bool = True) -> MJCF:
    """Make the environment without leaving a file: `env=tabletop_fetch:make_env`."""
    with TemporaryDirectory() as folder:
        return MJCF(write_scene(Path(folder) / SCENE.name), render_mode, random=random)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Say where to write the scene: python envs/scenes/tabletop_fetch.py fetch.xml")
    print(write_scene(Path(sys.argv[1])))
