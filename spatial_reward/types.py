"""The nouns of the package: frames, scenes, questions, answers, signals, episodes, models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, Camera

Value = float | str | Array
FARTHEST = 100.0  # [m]; a median depth beyond is not one of metres before a robot's camera
SAMPLED = 16  # rows and columns of a depth picture that are looked at


class PixelPoint(NamedTuple):
    """A pixel reference: continuous coordinates [px] in frame number `frame` of a question."""

    x: float
    y: float
    frame: int = 0


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture with what is known about it.

    Attributes:
        rgb: (H, W, 3) uint8.
        time: Time stamp [s].
        view: Name of the camera.
        camera: Calibration, where known.
        depth: (H, W) planar depth [m]; NaN where nothing was measured.
        bodies: (H, W) which object of its scene each pixel shows; -1 for none.

    Raises:
        ValueError: If an array has the wrong shape or type, sizes disagree, or depth is not in metres.
    """

    rgb: NDArray[np.uint8]
    time: float = 0.0
    view: str = "main"
    camera: Camera | None = None
    depth: NDArray[np.float32] | None = None
    bodies: NDArray[np.int32] | None = None

    def __post_init__(self) -> None:
        """Check shapes once, where the frame is made."""
        if self.rgb.ndim != 3 or self.rgb.shape[2] != 3 or self.rgb.dtype != np.uint8:
            raise ValueError(f"`rgb` must be (H, W, 3) uint8, got {self.rgb.shape} {self.rgb.dtype}.")
        size = self.rgb.shape[:2]
        for name, image in (("depth", self.depth), ("bodies", self.bodies)):
            if image is not None and image.shape != size:
                raise ValueError(f"`{name}` must have the size of `rgb` {size}, got {image.shape}.")
        if self.depth is not None:
            _check_metres(self.depth)
        if self.camera is not None and (self.camera.height, self.camera.width) != size:
            camera = (self.camera.height, self.camera.width)
            raise ValueError(f"`camera` is for {camera} pictures, but `rgb` is {size}: use Camera.resized.")

    @property
    def width(self) -> int:
        """Width [px]."""
        return int(self.rgb.shape[1])

    @property
    def height(self) -> int:
        """Height [px]."""
        return int(self.rgb.shape[0])


def typical_depth(depth: NDArray[np.floating[Any]]) -> float:
    """Return the median of the known depth of a grid of at most 16 x 16 pixels; NaN if all are unknown.

    >>> typical_depth(np.array([[0, 2, np.nan], [np.inf, 4, 9]], np.float32))
    4.0
    """
    rows, columns = (np.linspace(0, side - 1, min(side, SAMPLED)).astype(int) for side in depth.shape)
    sample = depth[rows[:, None], columns]
    known = np.sort(sample[(sample > 0) & (sample < np.inf)])
    return float(known[len(known) // 2]) if len(known) else float("nan")


def _check_metres(depth: NDArray[Any]) -> None:
    if depth.dtype.kind != "f":
        raise ValueError(
            f"`depth` must be floats in metres, got {depth.dtype}: divide integers by their units per metre "
            "(millimetres by 1000), and put NaN where nothing was measured."
        )
    typical = typical_depth(depth)
    if typical > FARTHEST:
        raise ValueError(
            f"`depth` has a median of {typical:.0f} m, beyond the {FARTHEST:g} m of a robot's camera: "
            "divide by 1000 if it is in millimetres."
        )


@dataclass(frozen=True, eq=False)
class Scene:
    """Ground truth as tracked points: what every data source is turned into.

    Attributes:
        frames: T frames with cameras (and depth where the source has it).
        points: (T, N, 3) world positions [m]; z up.
        visible: (T, N) whether the point is seen in that frame.
        body: (N,) index into `names` of the object that a point rides on; -1 for none.
        names: Names of the objects.

    Raises:
        ValueError: If the shapes disagree.
    """

    frames: tuple[Frame, ...]
    points: Array
    visible: NDArray[np.bool_]
    body: NDArray[np.int64]
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check that the arrays describe the same frames and points."""
        count, number = len(self.frames), len(self.body)
        if self.points.shape != (count, number, 3) or self.visible.shape != (count, number):
            raise ValueError(
                f"A scene of {count} frames and {number} points needs `points` {(count, number, 3)} and "
                f"`visible` {(count, number)}, got {self.points.shape} and {self.visible.shape}."
            )
        if number and self.body.max() >= len(self.names):
            raise ValueError(
                f"`body` refers to object {self.body.max()}, but there are {len(self.names)} names."
            )


@dataclass(frozen=True, eq=False)
class Answer:
    """A measurement: a value with its unit, standard deviation and validity.

    Attributes:
        value: Number, vector (3,) in camera-1 axes, pixel (2,), or word; None = no usable answer.
        unit: "m", "deg", "px", or "1" for words.
        std: Standard deviation in the same unit: a float, or one per component; NaN = unknown.
        valid: False where the value must not be used.
        text: The words it was read from, or why there is no value.
        source: Name of the model.
        covariance: (3, 3) of a vector value [m^2], where known.
        match: Where the (first) reference point is in the last frame [px], where known.
        motion: (4, 4) rigid motion of the thing in camera-1 axes, where known.
    """

    value: Value | None
    unit: str = "1"
    std: float | Array = float("nan")
    valid: bool = True
    text: str = ""
    source: str = ""
    covariance: Array | None = None
    match: tuple[float, float] | None = None
    motion: Array | None = None

    @classmethod
    def unknown(cls, why: str, unit: str = "1", source: str = "") -> Answer:
        """Make the answer that says nothing, and why."""
        return cls(value=None, unit=unit, valid=False, text=why, source=source)


@dataclass(frozen=True, eq=False)
class Question:
    """A question of one MultiSPA kind about some frames.

    Attributes:
        kind: Slug of the kind, a key of `questions.KINDS`.
        frames: The pictures; motion is that of the last one relative to the first.
        points: Pixel references.
        labels: Letters of the points, or the name of the object asked about.
        prompt: Words to use instead of the kind's own phrasing.
        answer: The truth, where known.
        anchor: (3,) point [m] in the first camera's axes whose motion is asked, where it is not the
            surface under the first pixel but moves rigidly with it (such as the centre of a body).
        previous: Answer to the same question about an earlier last frame: a place to start the search.
    """

    kind: str
    frames: tuple[Frame, ...]
    points: tuple[PixelPoint, ...] = ()
    labels: tuple[str, ...] = ()
    prompt: str = ""
    answer: Answer | None = None
    anchor: Array | None = None
    previous: Answer | None = None


@dataclass(frozen=True, eq=False)
class Reference:
    """A named thing of the reference frame.

    With a pixel, it is followed from there; `position` then is where it starts (its anchor), measured
    by depth where absent. Without a pixel, `position` is a fixed point of the world.

    Attributes:
        name: What the goal calls it.
        pixel: Continuous coordinates [px] in the reference frame.
        position: (3,) world position in the reference frame's instant [m].

    Raises:
        ValueError: If neither is given.
    """

    name: str
    pixel: tuple[float, float] | None = None
    position: Array | None = None

    def __post_init__(self) -> None:
        """Refuse a reference to nothing."""
        if self.pixel is None and self.position is None:
            raise ValueError(f"Reference {self.name!r} needs a `pixel` to follow or a fixed `position`.")


@dataclass(frozen=True, eq=False)
class Signal:
    """What the judge says of one frame; NaN where unknown, never a silent 0.

    Attributes:
        potential: Minus the distance to the goal [m].
        progress: Share of the initial distance that is covered, in [0, 1].
        success: Probability that the goal is reached, in [0, 1].
        std: Standard deviation of the potential [m].
        valid: Whether the measurements behind it were usable.
        answers: The measurements, by name of the reference.
    """

    potential: float
    progress: float
    success: float
    std: float
    valid: bool
    answers: Mapping[str, Answer] = field(default_factory=dict)

    @classmethod
    def unknown(cls, answers: Mapping[str, Answer] | None = None) -> Signal:
        """Make the signal of a frame that could not be judged."""
        nan = float("nan")
        return cls(nan, nan, nan, nan, False, answers or {})


@dataclass(frozen=True, eq=False)
class Episode:
    """A recorded episode: frames of one camera, a goal in words, and what was computed about it."""

    frames: tuple[Frame, ...]
    goal: str
    actions: Array | None = None
    signals: Mapping[str, Array] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class Model(Protocol):
    """Anything that answers questions, in one batch, in order.

    Attributes:
        name: Shown as the source of its answers.
        needs: What it must be given beyond pictures: any of "depth", "camera", "truth".
        uses: May be left out: what it measures better with, where that is to be had.
    """

    name: str
    needs: frozenset[str]

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer every question; what cannot be answered is `Answer.unknown`, never an exception."""
        ...


def uses_depth(model: Model) -> bool:
    """Tell whether a model wants measured depth: it cannot do without, or measures better with it."""
    return "depth" in model.needs or "depth" in getattr(model, "uses", ())
