"""A contact sheet of questions: their pictures with the truth drawn in, and the words below."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np

from spatial_reward.viz.draw import Picture
from spatial_reward.viz.question_recording import Shown
from spatial_reward.viz.questions import joined, question_pictures, truth_words
from spatial_reward.viz.report import DPI, save_figure
from spatial_reward.viz.words import answer_words

COLUMNS = 2
WIDTH = 740  # [px] of a question's column
MARGIN = 20  # [px]
LINE = 17  # [px] of height
CHARACTERS = 108  # of a line
PER_ROW = 3  # pictures of a question
WIDEST = 448  # [px] of a picture
TITLE = 60  # [px] above everything

Line = tuple[str, str]  # words and their colour
Pair = tuple[float, float]  # [px] to the right, and down or up


def write_sheet(shown: Sequence[Shown], path: Path, title: str = "") -> Path:
    """Write the questions as a PNG, two in a row; return its path.

    Raises:
        ValueError: If there are no questions.
        ImportError: If matplotlib is not installed.
        OSError: If `path` cannot be written.
    """
    if not shown:
        raise ValueError("A sheet needs at least one question, got none.")
    cards = [(_picture(item), _lines(item)) for item in shown]
    heights = [picture.shape[0] + LINE * len(lines) + 2 * MARGIN for picture, lines in cards]
    rows = [max(heights[start : start + COLUMNS]) for start in range(0, len(cards), COLUMNS)]
    tops = TITLE + np.concatenate([[0], np.cumsum(rows)])
    size = (WIDTH * min(COLUMNS, len(cards)) + MARGIN, float(tops[-1]))

    def draw(figure: Any) -> None:
        figure.set_layout_engine("none")
        figure.text(MARGIN / size[0], 1 - MARGIN / size[1], title, fontsize=15, fontweight="bold", va="top")
        for number, (picture, lines) in enumerate(cards):
            row, column = divmod(number, COLUMNS)
            _draw_card(figure, picture, lines, (MARGIN + column * WIDTH, float(tops[row])), size)

    return save_figure(draw, path, "", (size[0] / DPI, size[1] / DPI))


def _picture(item: Shown) -> Picture:
    per_row = min(PER_ROW, len(item.question.frames))
    width = min(WIDEST, (WIDTH - MARGIN) // per_row - 6)
    return joined(question_pictures(item.question, item.id, width, item.answer), per_row)


def _lines(item: Shown) -> list[Line]:
    truth = truth_words(item.question)
    paragraphs = [
        (item.prompt, "black"),
        (item.reply, "#0060a0"),
        (f"truth: {truth}" if truth else "no truth", "#007850"),
    ]
    if item.answer is not None:
        paragraphs.append((f"answer, {item.score}: {answer_words(item.answer)}", "#b06000"))
    lines = [(f"{item.id}   {item.about}", "0.4")]
    return lines + [(line, shade) for words, shade in paragraphs for line in wrap(words, CHARACTERS)]


def _draw_card(
    figure: Any,
    picture: Picture,
    lines: Sequence[Line],
    corner: tuple[float, float],
    size: tuple[float, float],
) -> None:
    """Draw a question with its upper left corner at a place of the figure [px from its upper left]."""
    left, top = corner
    height, width = picture.shape[:2]
    box = (left / size[0], 1 - (top + LINE + height) / size[1], width / size[0], height / size[1])
    axis = figure.add_axes(box)
    axis.imshow(picture, interpolation="none")
    axis.axis("off")
    for number, (line, shade) in enumerate(lines):
        below = top if number == 0 else top + height + LINE * (number + 0.3)
        figure.text(left / size[0], 1 - below / size[1], line, color=shade, fontsize=8.5, va="top")
