"""Draw the figure of the concepts page, from an episode that is really measured.

python docs/scripts/concepts.py docs/concepts.png
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward.config import compose
from spatial_reward.demo import roll_episode
from spatial_reward.viz.pictures import current_picture, reference_picture
from spatial_reward.viz.report import save_figure
from spatial_reward.viz.step import Step

NOW = 36  # the step that is explained
WORDS = ["model=rgbd", "seed=5", "steps=75", "goal=near(cube, pad, within=4cm)", "camera=default", "size=224"]
BLUE, GREY, GREEN, ORANGE = "#0072b2", "#777777", "#009e73", "#e69f00"
GAMMA, WEIGHT = 0.99, 10.0


def write_concepts(path: Path) -> Path:
    """Roll the episode and draw it; return the path of the picture."""
    config = compose("demo", [*WORDS, f"reward.gamma={GAMMA}", f"reward.weight={WEIGHT}"])
    steps = roll_episode(config, config["seed"])

    def draw(figure: Any) -> None:
        upper, lower = figure.subfigures(2, 1, height_ratios=[4.3, 3.0])
        _draw_measuring(upper, steps)
        _draw_rewarding(lower, steps)

    return save_figure(draw, path, "", size=(14.0, 7.6))


def _draw_measuring(figure: Any, steps: Sequence[Step]) -> None:
    step = steps[NOW]
    titles = (
        "1  Reference frame, references A and B",
        f"2  Frame of step {NOW}",
        "3  Question, answer, judge",
    )
    axes = figure.subplots(1, 3, width_ratios=[1, 1, 1.55])
    for axis, picture in zip(axes, (reference_picture(step), current_picture(step)), strict=False):
        axis.imshow(picture)
    for axis, title in zip(axes, titles, strict=True):
        axis.set_title(title)
        axis.set_axis_off()
    for row, (head, text, colour) in enumerate(_chain(step)):
        top = 0.95 - 0.245 * row
        axes[2].text(0.02, top, head, color=colour, fontsize=12, fontweight="bold", va="top")
        axes[2].text(0.02, top - 0.065, text, fontsize=10.5, va="top", family="monospace", linespacing=1.35)


def _chain(step: Step) -> list[tuple[str, str, str]]:
    """Return heading, text and colour of what happens to the frame of a step."""
    answer, signal = step.signal.answers["cube"], step.signal
    value = ", ".join(f"{1000 * number:.0f}" for number in np.asarray(answer.value))
    std = ", ".join(f"{1000 * number:.1f}" for number in np.broadcast_to(answer.std, 3))
    x, y = step.references["cube"].pixel or (np.nan, np.nan)
    metres = f"distance {-1000 * signal.potential:.0f} mm, std {1000 * signal.std:.1f} mm"
    return [
        (
            "Question: where did A go?",
            f"obj_vec_coord, frames (1, 2),\npixel ({x:.0f}, {y:.0f}) of frame 1",
            ORANGE,
        ),
        (
            "Answer",
            f"value ({value}) mm, in the axes of camera 1\nstd ({std}) mm, valid = {answer.valid}",
            ORANGE,
        ),
        ("Judge, by the goal", f"near(cube, pad, within=4cm)\n{metres}", BLUE),
        (
            "Signal",
            f"potential {signal.potential:.3f} m, progress {signal.progress:.2f}, success "
            f"{signal.success:.2f}",
            BLUE,
        ),
    ]


def _draw_rewarding(figure: Any, steps: Sequence[Step]) -> None:
    number = np.arange(len(steps))
    potential = np.array([step.signal.potential for step in steps])
    std = np.array([step.signal.std for step in steps])
    shaping = WEIGHT * (GAMMA * potential[1:] - potential[:-1])
    left, right = figure.subplots(1, 2, sharex=True)
    left.plot(
        number,
        [-step.truth for step in steps],
        color=GREY,
        linewidth=4,
        alpha=0.5,
        label="by the true distance",
    )
    left.plot(number, potential, color=BLUE, label="potential, measured")
    left.fill_between(number, potential - 2 * std, potential + 2 * std, color=BLUE, alpha=0.2, label="±2 std")
    left.axhline(-0.04, color=GREEN, linestyle=":", label="within=4cm")
    left.set(title="4  Potential = minus the distance to the goal", ylabel="potential [m]", xlabel="step")
    right.bar(number[1:], shaping, color=np.where(shaping >= 0, GREEN, ORANGE), width=0.9)
    right.set(title="5  Shaping = weight (gamma potential' - potential)", xlabel="step", ylabel="reward [1]")
    for axis in (left, right):
        axis.axvline(NOW, color="black", linestyle=":", linewidth=1)
    left.legend(loc="lower right")


if __name__ == "__main__":
    print(write_concepts(Path(sys.argv[1])))
