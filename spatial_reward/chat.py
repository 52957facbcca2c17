"""How questions and pictures are put to a vision-language model: messages, drawn dots, tiles."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import cycle
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.questions import dots
from spatial_reward.types import Question

TILE = 448  # [px] side of an InternVL tile
TILES = 6  # per picture, at most, as MultiSPA trains and evaluates

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]
Message = dict[str, Any]

# Corners of the colour cube: as far apart as colours can be. Five are the most that a question needs.
COLOURS: tuple[Colour, ...] = (
    (255, 0, 0),
    (0, 255, 0),
    (0, 0, 255),
    (255, 255, 0),
    (255, 0, 255),
    (0, 255, 255),
)
IMAGE = "<image>"  # in a prompt with one for every picture: where each stands
PUBLISHED_WIDTH = 1296  # [px] of the pictures for which the published sizes are meant:
PUBLISHED_RADIUS = 10.0  # [px] of a dot
LEAST_RADIUS = 2.0  # [px]
LEAST_LETTER = 0.45  # times OpenCV's font, whose capitals are 22 px high: about 10 px
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SHIFT = 4  # cv2 takes fixed-point coordinates with so many binary places


class Dot(NamedTuple):
    """A dot to draw: where [px], its letter ("" for none) and its colour (RGB)."""

    at: tuple[float, float]
    letter: str
    colour: Colour


class TileGrid(NamedTuple):
    """How a picture is cut into square tiles."""

    columns: int
    rows: int

    @property
    def tiles(self) -> int:
        """Tiles in all: more than one are joined by a thumbnail of the whole."""
        cut = self.columns * self.rows
        return cut + 1 if cut > 1 else 1


def messages(question: Question, prompt: str, reply: str | None = None) -> list[Message]:
    """Put a question as chat messages: blocks of content, with a placeholder for every picture.

    The form that Hugging Face chat templates and TRL take; the pictures travel beside it, in order.
    Several pictures are named "Image-1", "Image-2" and so on, as MultiSPA does, unless the prompt says by a
    mark `IMAGE` for every picture where they stand.

    Args:
        question: Says how many pictures there are.
        prompt: The user's words.
        reply: The assistant's words, for training.

    >>> from spatial_reward.types import Frame
    >>> frame = Frame(np.zeros((4, 4, 3), np.uint8))
    >>> [block["type"] for block in messages(Question("cam_dist", (frame, frame)), "How far?")[0]["content"]]
    ['text', 'image', 'text', 'image', 'text']
    """
    parts = prompt.split(IMAGE)
    marked = len(parts) == len(question.frames) + 1 > 1
    content = _interleaved(parts) if marked else [*_named(len(question.frames)), _text(prompt)]
    asked: list[Message] = [{"role": "user", "content": content}]
    return asked if reply is None else [*asked, {"role": "assistant", "content": [_text(reply)]}]


def _interleaved(parts: Sequence[str]) -> list[Message]:
    """Put a picture between every two parts of a text."""
    content: list[Message] = []
    for number, part in enumerate(parts):
        content += [{"type": "image"}] if number else []
        content += [_text(part)] if part else []
    return content


def _named(pictures: int) -> list[Message]:
    """Name the pictures, where there are several."""
    content: list[Message] = []
    for number in range(1, pictures + 1):
        content += [_text(f"Image-{number}: ")] if pictures > 1 else []
        content.append({"type": "image"})
    return content


def internvl_text(question: Question, prompt: str) -> str:
    r"""Put a question as one text with image marks, each on a line: InternVL's and MultiSPA's form.

    >>> from spatial_reward.types import Frame
    >>> frame = Frame(np.zeros((4, 4, 3), np.uint8))
    >>> internvl_text(Question("cam_dist", (frame, frame)), "How far?")
    'Image-1: <image>\nImage-2: <image>\nHow far?'
    """
    blocks = messages(question, prompt)[0]["content"]
    return "".join("<image>\n" if block["type"] == "image" else block["text"] for block in blocks)


def _text(words: str) -> Message:
    return {"type": "text", "text": words}


def dot_seed(question: Question) -> str:
    """Return the seed of a question's colours that depends on nothing but its kind and its points."""
    return sha256(f"{question.kind} {question.points}".encode()).hexdigest()


def dots_on(question: Question, frame: int, seed: str) -> list[Dot]:
    """List the dots that a question shows in frame number `frame`, coloured by `seed` alone.

    The dots of a question all have different colours, so that a colour never tells which two belong
    together. Kinds that state coordinates have none.
    """
    asked = dots(question)
    return [
        Dot((point.x, point.y), letter, shade)
        for (point, letter), shade in zip(asked, cycle(_palette(seed) if asked else COLOURS), strict=False)
        if point.frame == frame
    ]


@lru_cache(maxsize=16)
def _palette(seed: str) -> list[Colour]:
    """Shuffle the colours by a seed, the same on every computer."""
    return sorted(COLOURS, key=lambda colour: sha256(f"{seed} {colour}".encode()).digest())


def drawn(question: Question, pictures: Sequence[Picture], seed: str) -> list[Picture]:
    """Draw the dots that a question asks for; a picture without any is returned as it is.

    Args:
        question: Its points are in pixels of its own frames.
        pictures: (H, W, 3) uint8, one per frame of the question, of its size or scaled.
        seed: Chooses the colours; the id of the record.

    Raises:
        ValueError: If there are not as many pictures as frames.
    """
    if len(pictures) != len(question.frames):
        raise ValueError(f"A question about {len(question.frames)} frames got {len(pictures)} pictures.")
    results = []
    for number, (picture, frame) in enumerate(zip(pictures, question.frames, strict=True)):
        scale = np.array([picture.shape[1] / frame.width, picture.shape[0] / frame.height])
        marks = dots_on(question, number, seed)
        scaled = [mark._replace(at=tuple(np.multiply(mark.at, scale).tolist())) for mark in marks]
        results.append(draw_dots(picture, scaled) if scaled else picture)
    return results


def draw_dots(picture: Picture, marks: Sequence[Dot]) -> Picture:
    """Draw rimmed dots, and their letters beside them, on a copy of a picture (H, W, 3).

    A dot has a radius of 10 px in a picture 1296 px wide (MultiSPA 2.3) and at least 2 px; its rim is
    outside of that.
    """
    marked = picture.copy()
    radius = dot_radius(picture.shape[1])
    for mark in marks:
        for size, shade in ((radius + max(1.0, radius / 5), (0, 0, 0)), (radius, mark.colour)):
            fixed = round(size * 2**_SHIFT)
            cv2.circle(marked, _fixed(mark.at), fixed, shade, cv2.FILLED, cv2.LINE_AA, _SHIFT)
    for mark in marks:
        if mark.letter:
            _write(marked, mark, radius)
    return marked


def dot_radius(width: int) -> float:
    """Return the radius [px] of a dot in a picture of some width [px].

    >>> dot_radius(1296), dot_radius(160)
    (10.0, 2.0)
    """
    return max(LEAST_RADIUS, PUBLISHED_RADIUS * width / PUBLISHED_WIDTH)


def _write(picture: Picture, mark: Dot, radius: float) -> None:
    """Write the letter of a dot to its right, or to its left at the right edge: white, outlined in black."""
    size = max(LEAST_LETTER, picture.shape[1] / PUBLISHED_WIDTH)
    line = 2 if size > 0.8 else 1
    (width, height), _ = cv2.getTextSize(mark.letter, _FONT, size, line)
    gap = round(1.6 * radius) + line + 1
    column, row = (int(value) for value in np.floor(mark.at))
    left = column + gap if column + gap + width + 2 <= picture.shape[1] else column - gap - width
    base = int(np.clip(row + height / 2, height + 2, max(height + 2, picture.shape[0] - 3)))
    for thickness, shade in ((line + 2 * max(1, round(1.5 * size)), (0, 0, 0)), (line, (255, 255, 255))):
        cv2.putText(picture, mark.letter, (left, base), _FONT, size, shade, thickness, cv2.LINE_AA)


def _fixed(at: tuple[float, float]) -> tuple[int, int]:
    """Return cv2's fixed-point coordinates, which count from the centre of the first pixel."""
    column, row = np.round((np.array(at) - 0.5) * 2**_SHIFT).astype(int)
    return int(column), int(row)


def tile_grid(width: int, height: int, most: int = TILES) -> TileGrid:
    """Return InternVL's grid of at most `most` tiles for a picture [px].

    The grid whose aspect is nearest the picture's; of equal ones the larger, where the picture has more
    than half of its pixels. MultiSPA lets every picture have 6 tiles; stock InternVL shares them out.

    >>> tile_grid(1296, 968).tiles, tile_grid(1296, 968, most=6 // 2).tiles
    (7, 1)

    Raises:
        ValueError: If a size or `most` is less than 1.
    """
    if min(width, height, most) < 1:
        raise ValueError(
            f"`width`, `height` and `most` must be at least 1, got {width}, {height} and {most}."
        )
    grids = [
        TileGrid(columns, rows) for columns in range(1, most + 1) for rows in range(1, most // columns + 1)
    ]
    best, least = TileGrid(1, 1), float("inf")
    for grid in sorted(grids, key=lambda grid: grid.columns * grid.rows):
        difference = abs(width / height - grid.columns / grid.rows)
        roomy = width * height > 0.5 * TILE**2 * grid.columns * grid.rows
        if difference < least or (difference == least and roomy):
            best, least = grid, difference
    return best
