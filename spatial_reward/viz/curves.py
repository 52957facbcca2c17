"""Curves over the steps of a training run: a Rerun recording and a picture."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward._require import require
from spatial_reward.viz.blueprint import BLUE
from spatial_reward.viz.files import partial_file
from spatial_reward.viz.report import save_figure

Curves = dict[str, tuple[list[int], list[float]]]  # steps and values, by name

ROOT = "training"
PER_ROW = 4


def write_curves_recording(curves: Curves, path: Path, title: str = "") -> Path:
    """Write an .rrd file with a view for every curve, whole or not at all; return its path.

    Raises:
        ImportError: If rerun is not installed.
        OSError: If `path` cannot be written.
    """
    rr = require("rerun", extra="viz", purpose="recordings")
    partial = partial_file(path)
    try:
        stream = rr.RecordingStream("spatial_reward", recording_id=uuid.uuid4())
        stream.set_sinks(rr.FileSink(partial), default_blueprint=_blueprint(curves))
        stream.send_recording_name(title)
        for name, (steps, values) in curves.items():
            _log(rr, stream, name, steps, values)
        stream.disconnect()
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def entity(name: str) -> str:
    """Return where a curve is logged; a slash in its name makes it a part of what is before."""
    return f"{ROOT}/{name}"


def _log(rr: Any, stream: Any, name: str, steps: list[int], values: list[float]) -> None:
    known = [(step, value) for step, value in zip(steps, values, strict=True) if math.isfinite(value)]
    stream.log(entity(name), rr.SeriesLines(names=name, colors=[BLUE], widths=[1.5]), static=True)
    if known:
        stream.send_columns(
            entity(name),
            indexes=[rr.TimeColumn("step", sequence=[step for step, _ in known])],
            columns=rr.Scalars.columns(scalars=[value for _, value in known]),
        )


def _blueprint(curves: Mapping[str, Any]) -> Any:
    rrb = require("rerun.blueprint", extra="viz", purpose="recordings")
    rr = require("rerun", extra="viz", purpose="recordings")
    steps = [step for steps, _ in curves.values() for step in steps]
    whole = rr.TimeRange(  # else the viewer shows what is near the cursor
        start=rr.TimeRangeBoundary.absolute(seq=min(steps)), end=rr.TimeRangeBoundary.absolute(seq=max(steps))
    )
    views = [
        rrb.TimeSeriesView(origin=entity(name), name=name, axis_x=rrb.TimeAxis(view_range=whole))
        for name in curves
    ]
    return rrb.Blueprint(
        rrb.Grid(*views, grid_columns=min(PER_ROW, len(views))),
        rrb.TimePanel(timeline="step", state="collapsed"),
        collapse_panels=True,
    )


def write_curves_picture(curves: Curves, path: Path, title: str = "") -> Path:
    """Write a PNG with a small plot of every curve; return its path.

    Raises:
        ImportError: If matplotlib is not installed.
        OSError: If `path` cannot be written.
    """
    columns = min(PER_ROW, len(curves))
    rows = -(-len(curves) // columns)

    def draw(figure: Any) -> None:
        axes = np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).ravel()
        for axis in axes[len(curves) :]:
            axis.axis("off")
        for axis, (name, (steps, values)) in zip(axes, curves.items(), strict=False):
            axis.plot(steps, values, color=tuple(channel / 255 for channel in BLUE), linewidth=1.2)
            axis.set_title(name)
            axis.set_xlabel("step")

    return save_figure(draw, path, title, size=(3.5 * columns, 2.6 * rows + 0.4))
