"""Model families: how each writes positions in a picture, in prompts and replies; which tiles it takes.

Questions and readers of this package write a position as [ x , y ] in thousandths of the picture. What a
backend asks and reads passes through `translate` and `read`, which speak the model's own way.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import cv2
import numpy as np

from spatial_reward.chat import TILES, Picture
from spatial_reward.models.positions import native_positions, positions
from spatial_reward.questions import KINDS
from spatial_reward.questions.wording_depth import COORDINATES
from spatial_reward.types import Answer, Question

Size = tuple[int, int]  # width and height [px]
Pair = tuple[float, float]

_POSITION = re.compile(r"\[ (\d{1,4}) , (\d{1,4}) \]")
_FORM = "`[ x , y ]` with two whole numbers from 0 to 1000"  # in the format hints
_SPECIAL = re.compile(r"<\|[a-z_]{1,40}\|>")  # such as GLM's <|begin_of_box|>


@dataclass(frozen=True)
class Space:
    """A way of writing positions.

    Attributes:
        convention: The sentence that explains it; `{sizes}` stands for the pictures' sizes.
        form: How an answer is to be written, for the format hint.
        full: Value at the right and bottom edges; None: pixels of the picture that the model is given.
        y_first: Whether y stands before x.
    """

    convention: str
    form: str
    full: float | None = 1000.0
    y_first: bool = False

    def extent(self, size: Size) -> Pair:
        """Return the values of x and y at the far corner of a picture of some size [px]."""
        width, height = fitted_size(*size) if self.full is None else (self.full, self.full)
        return float(width), float(height)

    def write(self, thousandths: Pair, size: Size) -> str:
        """Write a position, as finely as thousandths are."""
        extent = self.extent(size)
        decimals = 0 if min(extent) >= 1000 else 1
        numbers = [
            f"{share * full / 1000:.{decimals}f}" for share, full in zip(thousandths, extent, strict=True)
        ]
        return f"[ {' , '.join(reversed(numbers) if self.y_first else numbers)} ]"

    def thousandths(self, position: Pair, size: Size) -> Pair:
        """Turn a written position, with x first, into thousandths."""
        x, y = (1000 * value / full for value, full in zip(position, self.extent(size), strict=True))
        return x, y


THOUSANDTHS = Space(COORDINATES[0], _FORM)
Y_FIRST = Space(
    "Image coordinates are written [ y , x ]: y runs from 0 at the top to 1000 at the bottom, "
    "x from 0 at the left edge to 1000 at the right edge.",
    "`[ y , x ]` with two whole numbers from 0 to 1000",
    y_first=True,
)
PERCENT = Space(
    "Image coordinates are written [ x , y ] in percent of image width and height, from the top-left corner.",
    "`[ x , y ]` with two numbers from 0 to 100",
    full=100.0,
)
PIXELS = Space(
    "Image coordinates are written [ x , y ] in pixels from the top-left corner; {sizes}.",
    "`[ x , y ]` in pixels",
    full=None,
)


@dataclass(frozen=True)
class Family:
    """What is particular about a family of models.

    Attributes:
        models: Regular expression that finds its models' names, in lower case.
        space: How it writes positions.
        mark: What stands for a picture in its raw text; "" where its chat template puts that in.
        tiles: Most tiles per picture; 0 where a picture is taken whole.
        template: Options of its chat template, for direct answers.
    """

    models: str
    space: Space = THOUSANDTHS
    mark: str = ""
    tiles: int = 0
    template: Mapping[str, Any] = field(default_factory=dict)


# The first whose expression fits counts. Sources: model cards, the vendors' guides to pointing and detection.
FAMILIES: dict[str, Family] = {
    "qwen2.5-vl": Family(r"qwen2[._]5[-_]?(vl|omni)", PIXELS),
    "qwen3.5": Family(r"qwen3[._][5-9]", template={"enable_thinking": False}),
    "qwen3-vl": Family(r"qwen3[-_]?vl"),
    "internvl": Family(r"internvl|multi-spatialmllm", mark="<image>\n", tiles=TILES),
    "glm-v": Family(r"glm-?[0-9.]+v", template={"enable_thinking": False}),
    "gemini": Family(r"gemini", Y_FIRST),
    "gemma": Family(r"gemma-?[4-9]", Y_FIRST),
    "molmo2": Family(r"molmo-?2"),
    "molmo": Family(r"molmo", PERCENT),
    "thousandths": Family(""),  # all others are told what the numbers mean, as every prompt says it
}


def family(model: str, name: str | None = None) -> Family:
    """Return the family of a model, by its name, or the one called `name`.

    >>> family("Qwen/Qwen2.5-VL-7B-Instruct").space.full is None
    True

    Raises:
        ValueError: If there is no family called `name`.
    """
    if name is None:
        return next(found for found in FAMILIES.values() if re.search(found.models, model.lower()))
    if name not in FAMILIES:
        raise ValueError(f"Unknown model family {name!r}. Known families: {', '.join(FAMILIES)}.")
    return FAMILIES[name]


PATCH = 28  # [px] Qwen2.5-VL rounds both sides to multiples of two of its patches,
LEAST_PIXELS, MOST_PIXELS = 4 * PATCH**2, 16384 * PATCH**2  # and keeps the area between these


def fitted_size(width: int, height: int) -> Size:
    """Return the size [px] to which Qwen2.5-VL brings a picture; such a size it leaves alone.

    >>> fitted_size(1296, 968), fitted_size(1288, 980)
    ((1288, 980), (1288, 980))
    """
    sides = [max(PATCH, round(side / PATCH) * PATCH) for side in (width, height)]
    area = sides[0] * sides[1]
    if area > MOST_PIXELS:
        scale = math.sqrt(MOST_PIXELS / (width * height))
        sides = [max(PATCH, math.floor(side * scale / PATCH) * PATCH) for side in (width, height)]
    elif area < LEAST_PIXELS:
        scale = math.sqrt(LEAST_PIXELS / (width * height))
        sides = [math.ceil(side * scale / PATCH) * PATCH for side in (width, height)]
    return sides[0], sides[1]


def fitted(picture: Picture, kin: Family) -> Picture:
    """Bring a picture (H, W, 3) to the size whose pixels its family's coordinates count."""
    height, width = picture.shape[:2]
    size = fitted_size(width, height) if kin.space.full is None else (width, height)
    if size == (width, height):
        return picture
    shrinks = size[0] * size[1] < width * height
    return np.asarray(
        cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC), np.uint8
    )


class Translation(NamedTuple):
    """A prompt in a family's terms, and the space that it speaks of."""

    prompt: str
    space: Space


def translate(prompt: str, question: Question, kin: Family) -> Translation:
    """Put the coordinates of a prompt into a family's terms.

    A prompt that explains its coordinates in words other than ours is left as it is.
    """
    if kin.space == THOUSANDTHS or not any(sentence in prompt for sentence in COORDINATES):
        return Translation(prompt, THOUSANDTHS)
    explained = kin.space.convention.format(sizes=_sizes(question))
    for sentence in COORDINATES:
        prompt = prompt.replace(sentence, explained)
    size = _size(question, question.points[0].frame if question.points else -1)
    prompt = _POSITION.sub(lambda found: kin.space.write((float(found[1]), float(found[2])), size), prompt)
    return Translation(prompt.replace(_FORM, kin.space.form), kin.space)


def read(reply: str, question: Question, kin: Family, space: Space = THOUSANDTHS) -> Answer:
    """Read the answer in a reply, turning positions from the prompt's space; unread ones are unknown.

    A family's own marks, such as Molmo's `<point x= y=>`, are read in its own space.
    """
    text = _SPECIAL.sub(" ", reply.rpartition("</think>")[2])
    kind = KINDS[question.kind]
    if "<think>" in text:
        return Answer.unknown(text, kind.unit)
    return kind.read(text, question) if kind.unit != "px" else _read_position(text, question, kin, space)


def _read_position(text: str, question: Question, kin: Family, space: Space) -> Answer:
    read_text, size = KINDS[question.kind].read, _size(question, -1)
    own = native_positions(text, kin.space.y_first)
    if len(own) > 1:
        return Answer.unknown(text, "px")
    if own:
        x, y = kin.space.thousandths(own[0], size)
        return read_text(f"`[ {x:.4f} , {y:.4f} ]`", question)
    if space == THOUSANDTHS:
        return read_text(text, question)
    plain, found = positions(text, space.y_first, lambda position: space.thousandths(position, size))
    answer = read_text(plain, question)
    return answer if answer.value is None or _is_one_of(answer, found, size) else Answer.unknown(text, "px")


def _is_one_of(answer: Answer, found: list[Pair], size: Size) -> bool:
    """Tell whether an answer was translated: one that was not is in other units."""
    shares = 1000 * np.asarray(answer.value, float) / size
    return any(np.abs(shares - pair).max() < 0.01 for pair in found)


def _size(question: Question, frame: int) -> Size:
    return question.frames[frame].width, question.frames[frame].height


def _sizes(question: Question) -> str:
    sizes = ["{} x {}".format(*fitted_size(frame.width, frame.height)) for frame in question.frames]
    if len(set(sizes)) == 1:
        return f"{'the picture is' if len(sizes) == 1 else 'every picture is'} {sizes[0]} pixels large"
    return ", ".join(f"Image-{number} is {size} pixels large" for number, size in enumerate(sizes, 1))
