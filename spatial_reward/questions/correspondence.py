"""Correspondence questions: where a point of the first image is in the second (MultiSPA 2.4)."""

from __future__ import annotations

import numpy as np

from spatial_reward.camera import Array
from spatial_reward.questions.base import Kind, Mode
from spatial_reward.questions.readers import letter_reader, pixel_reader
from spatial_reward.questions.scoring import score_pixel, score_word
from spatial_reward.questions.views import camera_of, common_points, frame_pairs, pixel_of, seen_by
from spatial_reward.questions.wording_correspondence import CORRESPONDENCE_WORDING
from spatial_reward.types import Answer, Frame, PixelPoint, Question, Scene

LETTERS = ("A", "B", "C", "D")
PAPER_BORDER = 10  # [px] right and bottom border without distractors
STRICT_SEPARATION = 0.10  # share of the image's width between any two of the four candidates
HARD_RING = (0.03, 0.10)  # shares of the width between the right dot and the wrong ones
STRICT_TRIES = 60  # points tried as distractors

Match = tuple[Frame, Frame, PixelPoint, PixelPoint]


def coordinates(scene: Scene, pair: tuple[int, int], point: int) -> Question:
    """Ask where a point of the first frame of a pair is in the second [px]."""
    first, second, here, there = _match(scene, pair, point)
    truth = Answer(np.array(there[:2]), "px", 0.0, source="truth", match=there[:2])
    return Question("vc_coord", (first, second), (here,), answer=truth)


def choice(
    scene: Scene, pair: tuple[int, int], point: int, rng: np.random.Generator, mode: Mode, hard: bool = False
) -> Question | None:
    """Ask which of four lettered dots of the second frame is a point of the first; None without room.

    Points and labels run in parallel: the dot of the first frame without a letter, then A to D. In `hard`
    questions the wrong dots lie close to the right one.
    """
    first, second, here, there = _match(scene, pair, point)
    pixel = np.array(there[:2])
    if hard:
        wrong = _near(pixel, second, rng)
    elif mode == "paper":
        wrong = _paper_distractors(pixel, second, rng)
    else:
        wrong = _like_the_truth(scene, pair[1], pixel, np.array(here[:2]), rng)
    if wrong is None:
        return None
    right = int(rng.integers(4))
    candidates = np.insert(wrong, right, pixel, axis=0)
    points = (here, *(PixelPoint(float(x), float(y), 1) for x, y in candidates))
    truth = Answer(LETTERS[right], "1", 0.0, source="truth", match=there[:2])
    return Question("vc_mcq", (first, second), points, ("", *LETTERS), answer=truth)


def _match(scene: Scene, pair: tuple[int, int], point: int) -> Match:
    first, second = pair
    pixels = pixel_of(scene, first, point), pixel_of(scene, second, point, frame=1)
    return scene.frames[first], scene.frames[second], *pixels


def _draw(scene: Scene, rng: np.random.Generator, mode: Mode) -> tuple[tuple[int, int], int] | None:
    for pair in frame_pairs(scene, rng, mode):
        common = common_points(scene, *pair)
        if len(common):
            return pair, int(rng.choice(common))
    return None


def ask_coordinates(scene: Scene, rng: np.random.Generator, mode: Mode) -> Question | None:
    """Ask where one point is in the second frame [px]."""
    found = _draw(scene, rng, mode)
    return None if found is None else coordinates(scene, *found)


def ask_choice(scene: Scene, rng: np.random.Generator, mode: Mode) -> Question | None:
    """Ask which of four lettered dots of the second frame is the dot of the first one."""
    found = _draw(scene, rng, mode)
    return None if found is None else choice(scene, *found, rng, mode)


def _paper_distractors(truth: Array, frame: Frame, rng: np.random.Generator) -> Array:
    """Draw three pixels, whose only constraint is not to be the very pixel of the truth."""
    size = np.maximum(np.array([frame.width, frame.height]) - PAPER_BORDER, 2)
    wrong = rng.uniform(0, size, (3, 2))
    while (np.floor(wrong) == np.floor(truth)).all(axis=1).any():
        wrong = rng.uniform(0, size, (3, 2))
    return wrong


def _near(truth: Array, frame: Frame, rng: np.random.Generator) -> Array | None:
    """Draw three pixels in a ring around the truth, apart from each other; None where there is no room."""
    low, high = (share * frame.width for share in HARD_RING)
    angle, away = rng.uniform(0, 2 * np.pi, STRICT_TRIES), rng.uniform(low, high, STRICT_TRIES)
    pixels = truth + away[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    inside = ((pixels >= 0) & (pixels < (frame.width, frame.height))).all(axis=1)
    chosen = _apart([truth], pixels[inside], 3, low)
    return np.array(chosen[1:]) if len(chosen) == 4 else None


def _like_the_truth(
    scene: Scene, second: int, truth: Array, start: Array, rng: np.random.Generator
) -> Array | None:
    """Draw three pixels of other points that the second frame sees; None where there is no room.

    They keep clear of the truth and of each other, and any number of them is as likely to lie nearer to
    where the point was in the first frame: neither the place nor staying there tells the answer.
    """
    camera = camera_of(scene, second)
    others = rng.permutation(np.flatnonzero(seen_by(scene)[second]))[:STRICT_TRIES]
    pixels = camera.project(scene.points[second, others])[0]
    reach, gap = np.linalg.norm(truth - start), STRICT_SEPARATION * camera.width
    nearer = np.linalg.norm(pixels - start, axis=-1) < reach
    for count in map(int, rng.permutation(4)):
        chosen = _apart([truth], pixels[nearer], count, gap)
        chosen = _apart(chosen, pixels[~nearer], 4 - len(chosen), gap)
        if len(chosen) == 4:
            return rng.permutation(np.array(chosen[1:]))
    return None


def _apart(chosen: list[Array], pixels: Array, count: int, gap: float) -> list[Array]:
    """Add the first `count` of the pixels that keep `gap` [px] from the chosen ones and from each other."""
    wanted = len(chosen) + count
    for pixel in pixels:
        if len(chosen) == wanted:
            break
        if min(np.linalg.norm(pixel - other) for other in chosen) >= gap:
            chosen = [*chosen, pixel]
    return chosen


_COORD, _MCQ = CORRESPONDENCE_WORDING["vc_coord"], CORRESPONDENCE_WORDING["vc_mcq"]
VC_COORD = Kind(
    name="vc_coord",
    family="correspondence",
    unit="px",
    ask=ask_coordinates,
    phrase=_COORD.phrase,
    reply=_COORD.reply,
    read=pixel_reader(frame=1),
    score=score_pixel,
)
VC_MCQ = Kind(
    name="vc_mcq",
    family="correspondence",
    unit="1",
    ask=ask_choice,
    phrase=_MCQ.phrase,
    reply=_MCQ.reply,
    read=letter_reader("ABCD"),
    score=score_word,
)
