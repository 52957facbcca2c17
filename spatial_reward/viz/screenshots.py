"""The viewer's pictures for the README: made from nothing, by the commands that a user would type.

python -m spatial_reward.viz.screenshots docs
python -m spatial_reward.viz.screenshots docs demo questions
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

SPATIAL_REWARD = ("-m", "spatial_reward.cli")
RECORD = ("-m", "spatial_reward.data.episodes.record")
# By the name of the picture: what makes its recording, in a scratch folder; the last one draws it.
PUSH = ("source=mujoco", "source.env=SpatialReward/Push-v0", "source.scenes=2", "source.frames=12")
MOTION = "obj_vec_coord_pstudio"  # how a point moved before a camera at rest
FEW_QUESTIONS = (*PUSH, "count=8", f"subtasks=[{MOTION}]", "depth=true", "report=false")
COMMANDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "demo": (
        (*SPATIAL_REWARD, "demo", "out=demo"),
        (*SPATIAL_REWARD, "view", "demo", "screenshot={picture}", "at=36"),
    ),
    "episode": (
        (*RECORD, "episodes", "--env", "SpatialReward/Push-v0", "--episodes", "2", "--size", "224"),
        (
            *(*SPATIAL_REWARD, "annotate", "episodes/lerobot", "camera=front", "model=rgbd", "out=annotated"),
            *("recordings=0", "overlays=0", "reports=0"),
        ),
        (*SPATIAL_REWARD, "view", "annotated", "episode=1", "png=false", "screenshot={picture}", "at=36"),
    ),
    "questions": (
        (*SPATIAL_REWARD, "generate", *FEW_QUESTIONS, "out=questions"),
        (
            *(*SPATIAL_REWARD, "view", "questions", "record=3", "png=false"),
            *("screenshot={picture}", "at=0"),
        ),
    ),
    "answers": (
        (*SPATIAL_REWARD, "generate", *FEW_QUESTIONS, "out=asked"),
        (*SPATIAL_REWARD, "benchmark", "set=asked", "model=rgbd", "report=false", "out=answers"),
        (*SPATIAL_REWARD, "view", "answers", "record=3", "png=false", "screenshot={picture}", "at=0"),
    ),
    "perception": (
        (*SPATIAL_REWARD, "perceive", "model=rgbd", "steps=25", "every=3", "farthest=2.2", "out=perceived"),
        (*SPATIAL_REWARD, "view", "perceived", "screenshot={picture}", "at=0"),
    ),
}


def main(words: Sequence[str] | None = None) -> None:
    """Draw the pictures that are named, or all of them.

    Raises:
        RuntimeError: If a command fails; says which, and its last words.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the pictures go, as viewer_NAME.png")
    parser.add_argument("names", nargs="*", default=list(COMMANDS), help=", ".join(COMMANDS))
    args = parser.parse_args(words)
    unknown = [name for name in args.names if name not in COMMANDS]
    if unknown:
        parser.error(f"there is no picture {unknown[0]!r}: choose from {', '.join(COMMANDS)}")
    args.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for name in args.names:
            picture = args.folder.resolve() / f"viewer_{name}.png"
            for command in COMMANDS[name]:
                run([word.format(picture=picture) for word in command], Path(scratch))
            print(picture)


def run(words: Sequence[str], folder: Path) -> None:
    """Run a Python command in a folder.

    Raises:
        RuntimeError: If it fails; says its last words.
    """
    done = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise RuntimeError(f"`python {' '.join(words)}` failed: {' '.join(last) or 'no word'}")


if __name__ == "__main__":
    main()
