"""Write the pages and tables of the documentation that follow from the code.

python docs/scripts/tables.py
"""

from __future__ import annotations

import re
from pathlib import Path

from spatial_reward.benchmark.command import SUITES
from spatial_reward.cli import app
from spatial_reward.questions import KINDS, SUBTASKS, TABLE_ROWS

DOCS = Path(__file__).parents[1]
CONF = DOCS.parent / "spatial_reward" / "conf"
GROUPS = {"model": "Models", "source": "Sources of scenes, for `generate`", "reward": "Rewards"}
# By kind: the name in the published records (`question_type`), what is shown, and what is asked.
PUBLISHED = {
    "depth_cmp_dot": ("depth_comparison_annotated", "two lettered dots", "which is closer, or farther"),
    "depth_cmp_coord": ("depth_comparison_coordinate", "two pixels", "which is closer, or farther"),
    "depth_est_dot": ("depth_estimation_dot", "a dot", "its depth"),
    "depth_est_coord": ("depth_estimation_coor", "a pixel", "its depth"),
    "vc_coord": ("visual_correspondence_coor_2_coor", "a pixel", "where it is in the other picture"),
    "vc_mcq": ("visual_correspondence_multiple_choice", "a dot, four lettered dots", "which one it is"),
    "cam_dir_x": ("x_movement", "-", "did the camera go left or right"),
    "cam_dir_y": ("y_movement", "-", "did it go up or down"),
    "cam_dir_z": ("z_movement", "-", "did it go forward or backward"),
    "cam_dir_yaw": ("yaw_movement", "-", "did it turn left or right"),
    "cam_dir_pitch": ("pitch_movement", "-", "did it turn up or down"),
    "cam_deg_yaw": ("yaw_angle", "-", "how far it turned sideways"),
    "cam_deg_pitch": ("pitch_angle", "-", "how far it turned up or down"),
    "cam_dist": ("total_distance", "-", "how far it went"),
    "cam_vec": ("displacement_vector", "-", "where it went, in the axes of the first picture's camera"),
    "obj_dist_coord": ("tapvid3d_total_distance", "a pixel", "how far the point went"),
    "obj_dist_dot": ("tapvid3d_total_distance", "a dot", "how far the point went"),
    "obj_vec_coord": (
        "tapvid3d_displacement_vector",
        "a pixel",
        "where it went, in the axes of the first camera",
    ),
    "obj_vec_dot": (
        "tapvid3d_displacement_vector",
        "a dot",
        "where it went, in the axes of the first camera",
    ),
    "size_height": ("object_perception_height_estimation", "a name", "its height"),
    "size_length": ("object_perception_length_estimation", "a name", "its longer horizontal side"),
    "size_width": ("object_perception_width_estimation", "a name", "its shorter horizontal side"),
}
UNITS = {"1": "word", "m": "m", "deg": "degrees", "px": "px"}
CAMERAS = {"moving": "moving (Aria Digital Twin)", "static": "fixed (Panoptic Studio)", "any": "any"}


def commands() -> str:
    """Return the page of the commands, each with its YAML."""
    parts = [
        "# Commands",
        "Written by `python docs/scripts/tables.py` from the command line and its configuration.",
        "`spatial-reward COMMAND key=value ...`. The files below are the defaults; each line says what a key "
        "does. `--print-config` shows the result and stops; `--config-dir FOLDER --config-name NAME` takes a "
        "YAML file of yours, which starts from the command's own by `defaults: [NAME, _self_]`. A key that "
        "does not exist is refused, with the near matches. Results go to `out=`, by default "
        "`outputs/COMMAND/TIME/`, with a `summary.json`. A mistake ends with one line and exit code 2.",
    ]
    for command in app.registered_commands:
        name = command.name or command.callback.__name__  # type: ignore[union-attr]
        parts.append(f"## {name}")
        parts.append((command.callback.__doc__ or "").strip().splitlines()[0])
        for path in files_of(name):
            said = f"`{name} {_choice(name, path)}`" if _choice(name, path) else f"`{name}`"
            parts.append(f"{said}: [`{path.name}`](../spatial_reward/conf/{path.name})\n\n{_yaml(path)}")
    for group, title in GROUPS.items():
        parts.append(f"## {title}")
        for path in sorted((CONF / group).glob("*.yaml")):
            parts.append(f"### {group}={path.stem}\n\n{_yaml(path)}")
    return "\n\n".join(parts) + "\n"


def files_of(command: str) -> list[Path]:
    """Return the configuration files of a command: its own, and those that a word chooses."""
    return sorted([*CONF.glob(f"{command}.yaml"), *CONF.glob(f"{command}_*.yaml")])


def _choice(command: str, path: Path) -> str:
    """Return the word that chooses a file among those of a command; "" for that of the command itself."""
    if command == "benchmark":
        return next(f"suite={name}" for name, suite in SUITES.items() if suite.config == path.stem)
    return f"model={path.stem.removeprefix(f'{command}_')}" if path.stem != command else ""


def _yaml(path: Path) -> str:
    return f"```yaml\n{path.read_text().rstrip()}\n```"


def subtasks() -> str:
    """Return the table of the subtasks."""
    rows = {name: row for row, names in TABLE_ROWS.items() for name in names}
    lines = [
        "| subtask | kind | shown | asked | answer | camera | published `question_type` | published row |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, kind, camera in SUBTASKS:
        published, shown, asked = PUBLISHED[kind]
        cells = (f"`{name}`", f"`{kind}`", shown, asked, UNITS[KINDS[kind].unit])
        lines.append(f"| {' | '.join(cells)} | {CAMERAS[camera]} | `{published}` | {rows[name]} |")
    return "\n".join(lines)


def filled(page: str, name: str, table: str) -> str:
    """Return a page with the part between `<!-- NAME -->` and `<!-- end NAME -->` replaced."""
    pattern = rf"(<!-- {name} -->\n).*?(\n<!-- end {name} -->)"
    return re.sub(pattern, lambda match: f"{match[1]}\n{table}\n{match[2]}", page, flags=re.DOTALL)


def pages() -> dict[Path, str]:
    """Return what pages that follow from the code should hold, by their paths."""
    multispa = DOCS / "multispa.md"
    return {DOCS / "cli.md": commands(), multispa: filled(multispa.read_text(), "subtasks", subtasks())}


if __name__ == "__main__":
    for place, text in pages().items():
        place.write_text(text)
        print(place)
