"""Measure how fast pictures are drawn, next to MuJoCo's own renderer with its default settings.

    python -m spatial_reward.benchmark.rendering

Both draw the same state of the same model in turns, within one run, so that the ratio holds although the
load of a computer changes.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import cv2
import numpy as np

from spatial_reward.envs.catalogue import make
from spatial_reward.envs.gl import load_mujoco
from spatial_reward.envs.scene_states import draw_states
from spatial_reward.envs.scenes import random_scene
from spatial_reward.envs.simulator import Simulator, physics

SCENES = ("FetchPush-v4", "SpatialReward/Push-v0", "random scene")
SIZES = (128, 224, 480)  # [px]
ROUNDS = 5
COMMAND = "python -m spatial_reward.benchmark.rendering"

Draw = Callable[[], Any]


class Row(NamedTuple):
    """One line of the table: frames per second, medians over the rounds, and CPU time per frame of ours."""

    scene: str
    size: int  # [px]
    picture: str
    mujoco_fps: float
    fps: float
    ratio: float
    cpu_ms: float


def rendering_table(
    sizes: Sequence[int] = SIZES, seconds: float = 1.0, scenes: Sequence[str] = SCENES
) -> list[Row]:
    """Measure RGB, depth, segmentation and these together, drawn by MuJoCo's renderer and by `Simulator`.

    "written" is all three drawn, with the RGB picture written to a JPEG file.

    Args:
        sizes: Of square pictures [px].
        seconds: For each measurement [s].
        scenes: Names of environments, or "random scene" (`envs.scenes.random_scene`).
    """
    load_mujoco()  # chooses OpenGL before an environment imports MuJoCo
    return [row for scene in scenes for size in sizes for row in _rows(scene, size, seconds)]


def _rows(scene: str, size: int, seconds: float) -> Iterator[Row]:
    source = _random_scene() if scene == "random scene" else make(scene)
    if not isinstance(source, tuple):
        source.reset(seed=0)
    model, data = physics(source)
    with (
        Simulator(source, "free", size, size) as simulator,
        _mujoco_renderer(model, size) as renderer,
        TemporaryDirectory() as folder,
    ):
        theirs, ours = _drawn_by_mujoco(renderer, data), _drawn_by_simulator(simulator)
        for all_of, path in ((theirs, "theirs.jpg"), (ours, "ours.jpg")):
            all_of["written"] = partial(_write, Path(folder, path), all_of["RGB + depth + segmentation"])
        for picture in ours:
            yield Row(scene, size, picture, *_compare(theirs[picture], ours[picture], seconds))
    if not isinstance(source, tuple):
        source.close()


def _random_scene() -> tuple[Any, Any]:
    scene, mujoco = random_scene(np.random.default_rng(0)), load_mujoco()
    model = mujoco.MjModel.from_xml_string(scene.xml, scene.assets)
    data = mujoco.MjData(model)
    _, (state,) = draw_states(scene, 1, np.random.default_rng(0))
    data.qpos[:], data.mocap_pos[:], data.mocap_quat[:] = state.angles, state.positions, state.turns
    mujoco.mj_forward(model, data)
    return model, data


def _write(path: Path, draw: Draw) -> None:
    """Draw all there is, and write the picture as a file."""
    path.write_bytes(bytes(cv2.imencode(".jpg", cv2.cvtColor(draw()[0], cv2.COLOR_RGB2BGR))[1]))


def _drawn_by_simulator(simulator: Simulator) -> dict[str, Draw]:
    def captured() -> tuple[Any, ...]:
        frame, bodies = simulator.capture()
        return frame.rgb, frame.depth, bodies

    return {
        "RGB": simulator.frame,
        "depth": simulator.depth,
        "segmentation": simulator.segmentation,
        "RGB + depth": lambda: simulator.frame(depth=True),
        "RGB + depth + segmentation": captured,
    }


def _drawn_by_mujoco(renderer: Any, data: Any) -> dict[str, Draw]:
    def rgb() -> object:
        renderer.disable_depth_rendering()
        renderer.disable_segmentation_rendering()
        renderer.update_scene(data)
        return renderer.render()

    def depth() -> object:
        renderer.enable_depth_rendering()
        renderer.update_scene(data)
        return renderer.render()

    def segmentation() -> object:
        renderer.enable_segmentation_rendering()
        renderer.update_scene(data)
        return renderer.render()

    return {
        "RGB": rgb,
        "depth": depth,
        "segmentation": segmentation,
        "RGB + depth": lambda: (rgb(), depth()),
        "RGB + depth + segmentation": lambda: (rgb(), depth(), segmentation()),
    }


def _mujoco_renderer(model: Any, size: int) -> Any:
    """Make MuJoCo's renderer, with the model's own shadows and multisampling."""
    model.vis.global_.offwidth = max(model.vis.global_.offwidth, size)
    model.vis.global_.offheight = max(model.vis.global_.offheight, size)
    return load_mujoco().Renderer(model, size, size)


def _compare(theirs: Draw, ours: Draw, seconds: float) -> tuple[float, float, float, float]:
    """Return frames per second of both, their ratio, and CPU time of ours per frame [ms]."""
    theirs(), ours()
    rounds = [(_speed(theirs, seconds / ROUNDS), _speed(ours, seconds / ROUNDS)) for _ in range(ROUNDS)]
    baseline = float(np.median([one[0] for one, _ in rounds]))
    fps = float(np.median([other[0] for _, other in rounds]))
    return baseline, fps, fps / baseline, float(np.median([other[1] for _, other in rounds]))


def _speed(draw: Draw, seconds: float) -> tuple[float, float]:
    """Return frames per second, and CPU time of the process per frame [ms]."""
    count, start, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - start < seconds:
        draw()
        count += 1
    return count / (time.perf_counter() - start), 1000 * (time.process_time() - cpu) / count


def markdown(rows: Sequence[Row]) -> str:
    """Write the rows as a Markdown table."""
    head = "| scene | size [px] | picture | MuJoCo [frames/s] | ours [frames/s] | ratio | ours [CPU ms] |"
    lines = [head, "|---|---:|---|---:|---:|---:|---:|"]
    for row in rows:
        lines.append(
            f"| {row.scene} | {row.size} | {row.picture} | {row.mujoco_fps:.0f} | {row.fps:.0f} "
            f"| {row.ratio:.1f} | {row.cpu_ms:.1f} |"
        )
    return "\n".join(lines)


def page(rows: Sequence[Row], seconds: float) -> str:
    """Write the table with what it was measured with, and how."""
    mujoco = load_mujoco()
    return (
        "# Speed of rendering\n\n"
        f"`{COMMAND}`, mujoco {mujoco.__version__}, MUJOCO_GL={os.environ.get('MUJOCO_GL', '')}, "
        f"OpenGL by {_opengl()}, one process.\n\n"
        "The baseline is `mujoco.Renderer` as it comes, with the shadows and the multisampling that the\n"
        "model asks for; ours is `Simulator`, which draws neither unless asked. Depth of both is metric.\n"
        f"Both draw the free camera's view of one state in turns, {ROUNDS} rounds in {seconds:g} s for each\n"
        "measurement; medians. CPU time is that of the whole process, OpenGL's threads included.\n"
        '"written" is RGB, depth and segmentation, with the RGB picture written to a JPEG file.\n\n'
        f"{markdown(rows)}\n"
    )


def _opengl() -> str:
    """Return what OpenGL calls itself."""
    from spatial_reward.envs.gl import current, new_context

    with current():
        context = new_context(8, 8)
        context.make_current()
        from OpenGL import GL

        name = str(GL.glGetString(GL.GL_RENDERER), "utf-8")
        context.free()
    return name


def main() -> None:
    """Measure, print and save the table."""
    parser = argparse.ArgumentParser(description="Measure how fast pictures are drawn.")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each measurement")
    parser.add_argument("--out", type=Path, default=Path("benchmark/results/rendering.md"))
    chosen = parser.parse_args()
    text = page(rendering_table(seconds=chosen.seconds), chosen.seconds)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(text)
    print(f"{text}\nSaved {chosen.out}")


if __name__ == "__main__":
    main()
