"""The curves of a recording, and how the Rerun viewer lays it out: the same live and from a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from spatial_reward._require import require
from spatial_reward.camera import Array
from spatial_reward.viz.draw import RED, Colour
from spatial_reward.viz.step import Step

REFERENCE = "world/reference/camera/image"
IMAGE = "world/camera/image"
DEPTH = "world/camera/depth"
CLOUD = "world/cloud"
POINTS = "world/points"
STARTS = "world/starts"
ARROWS = "world/displacements"
TRAILS = "world/trails"
SPREAD = "world/covariances"
GOAL = "goal"
MEASURED = "measured"
LOG = "log"

BLUE: Colour = (0, 114, 178)
GREEN: Colour = (0, 158, 115)
ORANGE: Colour = (230, 159, 0)
GREY: Colour = (130, 130, 130)


@dataclass(frozen=True)
class Curve:
    """A scalar of every step: its name with the unit, its colour, and how it is read."""

    name: str
    colour: Colour
    read: Callable[[Step], float]


CURVES: dict[str, Curve] = {
    "distance/true": Curve("true [m]", GREY, lambda step: step.truth),
    "distance/predicted": Curve("predicted [m]", BLUE, lambda step: step.predicted),
    "error/error": Curve("predicted - true [m]", RED, lambda step: step.error),
    "error/std": Curve("stated std [m]", GREY, lambda step: step.signal.std),
    "judgement/progress": Curve("progress", BLUE, lambda step: step.signal.progress),
    "judgement/success": Curve("success probability", GREEN, lambda step: step.signal.success),
    "judgement/valid": Curve("valid", GREY, lambda step: float(step.signal.valid)),
    "reward/reward": Curve("reward", BLUE, lambda step: step.reward),
    "reward/env_reward": Curve("environment's reward", ORANGE, lambda step: step.env_reward),
    "potential/potential": Curve("potential [m]", BLUE, lambda step: step.signal.potential),
    "latency/latency": Curve("latency [ms]", BLUE, lambda step: 1000 * step.latency),
}


def make_blueprint(eye: Array | None = None, target: Array | None = None) -> Any:
    """Lay out pictures and depth on the left, the 3-D scene in the middle, curves on the right.

    Args:
        eye: (3,) where the 3-D view looks from [m]; the viewer chooses where None.
        target: (3,) what it looks at [m].
    """
    rrb = require("rerun.blueprint", extra="viz", purpose="recordings")
    return rrb.Blueprint(
        rrb.Horizontal(
            _pictures(rrb),
            rrb.Vertical(_scene(rrb, eye, target), _words(rrb), row_shares=[3, 1]),
            _curves(rrb),
            column_shares=[2, 4, 3],
        ),
        rrb.TimePanel(timeline="step", state="collapsed"),
        collapse_panels=True,
    )


def _pictures(rrb: Any) -> Any:
    in_space = [
        f"{entity}/**" for entity in (ARROWS, TRAILS)
    ]  # drawn through the camera, which links the views
    rr = require("rerun", extra="viz", purpose="recordings")
    quiet = {ARROWS: rr.Arrows3D.from_fields(show_labels=False)}  # their lengths would hide what is marked
    return rrb.Vertical(
        rrb.Spatial2DView(origin=REFERENCE, name="Reference frame"),
        rrb.Spatial2DView(
            origin=IMAGE, contents=["$origin/**", *in_space], name="Current frame", overrides=quiet
        ),
        rrb.Spatial2DView(origin=DEPTH, name="Depth [m]"),
    )


def _scene(rrb: Any, eye: Array | None, target: Array | None) -> Any:
    controls = None
    if eye is not None and target is not None:
        controls = rrb.EyeControls3D(
            position=eye.tolist(), look_target=target.tolist(), eye_up=[0.0, 0.0, 1.0]
        )
    # The cloud shows the depth in the picture's colours.
    contents = ["$origin/**", f"- {DEPTH}/**"]
    return rrb.Spatial3DView(origin="world", contents=contents, name="Scene", eye_controls=controls)


def _words(rrb: Any) -> Any:
    return rrb.Horizontal(
        rrb.TextDocumentView(origin=MEASURED, name="Question and answer"),
        rrb.Tabs(
            rrb.TextDocumentView(origin=GOAL, name="Goal"), rrb.TextLogView(origin=LOG, name="Not found")
        ),
        column_shares=[3, 2],
    )


def _curves(rrb: Any) -> Any:
    def view(origin: str, name: str, legend: str = "LeftTop", **options: Any) -> Any:
        corner = getattr(rrb.Corner2D, legend)
        return rrb.TimeSeriesView(origin=origin, name=name, plot_legend=corner, **options)

    from_0_to_1 = rrb.ScalarAxis(range=(-0.05, 1.05))
    return rrb.Vertical(
        view("distance", "Distance to the goal [m]", "RightTop"),
        view("error", "Error [m]"),
        view("judgement", "Progress and success", "LeftTop", axis_y=from_0_to_1),
        view("reward", "Reward"),
        rrb.Tabs(view("potential", "Potential [m]"), view("latency", "Latency [ms]")),
    )


def eye_for(camera_position: Array, target: Array) -> Array:
    """Return a viewpoint [m] that shows a camera and what it looks at: behind, aside and above."""
    back = camera_position - target
    aside = np.array([-back[1], back[0], 0.0])
    eye: Array = target + 0.95 * back + 0.75 * aside + (0.0, 0.0, 0.25 * float(np.linalg.norm(back)))
    return eye
