"""Rerun recordings of judged steps, live in the viewer or as an .rrd file."""

from __future__ import annotations

import math
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any

from spatial_reward._require import require
from spatial_reward.camera import Array
from spatial_reward.types import Frame
from spatial_reward.viz import blueprint
from spatial_reward.viz.entities import Entities, frame_entities, middle, reference_entities, space_entities
from spatial_reward.viz.files import partial_file
from spatial_reward.viz.step import Step
from spatial_reward.viz.tracks import Track, tracks
from spatial_reward.viz.words import step_words


class Recorder:
    """Record the steps of an episode with Rerun.

    With a `path`, the file gets its name when the recorder closes, after an exception too: it holds what
    was logged until then. Without a step there is no file. With neither `path` nor `viewer`, a viewer opens.

    Args:
        path: File to write, `something.rrd`.
        goal: The goal in words, shown beside the scene.
        title: Name of the recording in the viewer.
        viewer: Address of an open viewer to stream to: `rerun+http://127.0.0.1:9876/proxy`.

    Raises:
        ImportError: If rerun is not installed.
        OSError: If `path` cannot be written.
    """

    def __init__(
        self, path: Path | str | None = None, goal: str = "", *, title: str = "", viewer: str = ""
    ) -> None:
        """Open the file, the stream, or both."""
        self._rr = require("rerun", extra="viz", purpose="recordings")
        self.path = Path(path) if path is not None else None
        self._partial = partial_file(self.path) if self.path is not None else None
        self._reference_frame: Frame | None = None
        self._trails: dict[str, list[Array]] = {}
        self._stream = self._open(viewer)
        self._log_constants(goal, title or goal or "episode")

    def __enter__(self) -> Recorder:
        """Return the recorder, which closes at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def log(self, step: Step) -> None:
        """Record a step; another reference frame begins new trails.

        Raises:
            RuntimeError: If the recorder is closed.
        """
        if self._stream is None:
            raise RuntimeError("This recorder is closed: make a new one for another episode.")
        self._stream.set_time("step", sequence=int(step.index))
        self._stream.set_time("sim_time", duration=float(step.frame.time))
        followed = tracks(step)
        if step.reference_frame is not self._reference_frame:
            self._begin(step, followed)
        for track in followed:
            if track.now is not None:
                self._trails.setdefault(track.name, []).append(track.now)
        self._log(frame_entities(step.frame, followed))
        self._log(space_entities(followed, self._trails))
        self._log_words(step)
        self._log_curves(step)
        self._log_reasons(step, followed)

    def close(self) -> None:
        """Finish the recording and give the file its name; nothing happens the second time."""
        if self._stream is None:
            return
        self._stream.disconnect()
        self._stream = None
        if self.path is None or self._partial is None:
            return
        if self._reference_frame is None:
            self._partial.unlink(missing_ok=True)
        else:
            self._partial.replace(self.path)

    def _open(self, viewer: str) -> Any:
        stream = self._rr.RecordingStream("spatial_reward", recording_id=uuid.uuid4())
        sinks = [self._rr.FileSink(self._partial)] if self._partial is not None else []
        sinks += [self._rr.GrpcSink(viewer)] if viewer else []
        if sinks:
            stream.set_sinks(*sinks, default_blueprint=blueprint.make_blueprint())
        else:
            stream.spawn(default_blueprint=blueprint.make_blueprint())
        return stream

    def _log(self, entities: Entities, static: bool = False) -> None:
        for entity, archetype in entities:
            self._stream.log(entity, archetype, static=static)

    def _log_constants(self, goal: str, title: str) -> None:
        rr = self._rr
        self._stream.send_recording_name(title)
        self._stream.send_property("episode", rr.AnyValues(goal=goal))
        words = f"**{title}**\n\n`{goal}`\n\n{_LEGEND}"
        document = rr.TextDocument(words, media_type=rr.MediaType.MARKDOWN)
        self._stream.log(blueprint.GOAL, document, static=True)
        self._stream.log("world", rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
        for entity, curve in blueprint.CURVES.items():
            line = rr.SeriesLines(names=curve.name, colors=[curve.colour], widths=[2.0])
            self._stream.log(entity, line, static=True)

    def _begin(self, step: Step, followed: list[Track]) -> None:
        """Show the reference frame, and look at the scene from beside its camera."""
        self._reference_frame, self._trails = step.reference_frame, {}
        self._log(reference_entities(step.reference_frame, followed))
        camera = step.reference_frame.camera
        if camera is not None:
            place, target = camera.world_from_camera[:3, 3], middle(camera, followed)
            eye, target = blueprint.eye_for(place, target), target + 0.36 * (place - target)
            self._stream.send_blueprint(blueprint.make_blueprint(eye, target))

    def _log_words(self, step: Step) -> None:
        words = self._rr.TextDocument(step_words(step), media_type=self._rr.MediaType.MARKDOWN)
        self._stream.log(blueprint.MEASURED, words)

    def _log_curves(self, step: Step) -> None:
        """Log the numbers; an unknown one leaves a gap instead of a NaN."""
        for entity, curve in blueprint.CURVES.items():
            value = float(curve.read(step))
            if math.isfinite(value):
                self._stream.log(entity, self._rr.Scalars(value))

    def _log_reasons(self, step: Step, followed: list[Track]) -> None:
        reasons = [f"{track.name}: {track.reason}" for track in followed if not track.valid]
        if not step.signal.valid and not reasons:
            reasons = ["The signal is not valid."]
        for reason in reasons:
            self._stream.log(blueprint.LOG, self._rr.TextLog(reason, level="WARN"))


_LEGEND = (
    "Large dots: where things are now. Small dots: where they were in the reference frame. "
    "Ellipses: two standard deviations. Red: not found."
)
