"""Questions with their truth: marks lie where geometry says, and sheets and recordings hold them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from spatial_reward.camera import Camera, look_at
from spatial_reward.types import Answer, Frame, PixelPoint, Question
from spatial_reward.viz.question_recording import Shown, write_recording
from spatial_reward.viz.question_sheet import write_sheet
from spatial_reward.viz.questions import (
    TRUTH,
    asked_marks,
    camera_motion,
    joined,
    motion_words,
    question_pictures,
    start_point,
    truth_arrow,
    truth_marks,
    truth_words,
)

SIZE = (160, 120)
POINT = np.array([0.05, 0.1, 0.2])


def camera(eye=(0.3, -1.4, 0.8)):
    return Camera.from_fov(50, *SIZE, look_at(eye, (0.0, 0.0, 0.2)))


def frame(seen_from, depth=None):
    picture = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    depths = None if depth is None else np.full(SIZE[::-1], depth, np.float32)
    return Frame(picture, camera=seen_from, depth=depths)


def moved(by, kind="obj_vec_coord", second=(0.3, -1.4, 0.8), depth=False):
    """Ask about POINT, which goes `by` [m, world] while the camera goes to `second`."""
    one, two = camera(), camera(second)
    here, distance = one.project(POINT)
    there, _ = two.project(POINT + by)
    vector = one.camera_from_world[:3, :3] @ np.asarray(by, float)
    value = vector if "vec" in kind else float(np.linalg.norm(vector))
    truth = Answer(value, "m", match=(float(there[0]), float(there[1])))
    frames = (frame(one, float(distance) if depth else None), frame(two))
    return Question(kind, frames, (PixelPoint(*map(float, here)),), answer=truth)


shifts = st.tuples(*[st.floats(-0.2, 0.2)] * 3)
eyes = st.sampled_from([(-0.6, -1.3, 0.9), (0.9, -1.1, 0.5), (0.2, -1.2, 1.3)])


@given(shifts, eyes)
def test_the_arrow_of_a_motion_starts_where_the_point_would_be(by, eye):
    expected, _ = camera(eye).project(POINT)
    for question in (moved(by, second=eye), moved(by, "obj_dist_dot", eye, depth=True)):
        start, end = truth_arrow(question)
        assert start == pytest.approx(tuple(expected), abs=1e-3)
        assert end == question.answer.match


def test_a_still_camera_needs_no_depth():
    question = moved((0.1, 0, 0), "obj_dist_coord")
    assert truth_arrow(question)[0] == question.points[0][:2]


@pytest.mark.parametrize("kind", ["obj_dist_coord", "obj_dist_dot"])
def test_what_cannot_be_known_is_not_drawn(kind):
    question = moved((0.1, 0, 0), kind, second=(0.9, -1.1, 0.5))
    assert truth_arrow(question) is None and start_point(question) is None
    assert [mark.at for mark in truth_marks(question)] == [question.answer.match]


@given(shifts, eyes)
def test_the_start_is_found_from_two_pixels_and_the_vector(by, eye):
    assert start_point(moved(by, second=eye)) == pytest.approx(POINT, abs=1e-6)


def comparison(kind, right, relation="closer"):
    points = (PixelPoint(20, 30), PixelPoint(100, 80))
    labels = ("A", "B", relation) if kind == "depth_cmp_dot" else (relation,)
    value = "AB"[right] if kind == "depth_cmp_dot" else np.array(points[right][:2])
    return Question(kind, (frame(camera()),), points, labels, answer=Answer(value))


@pytest.mark.parametrize("kind", ["depth_cmp_dot", "depth_cmp_coord"])
@pytest.mark.parametrize("right", [0, 1])
def test_the_right_one_of_two_is_marked(kind, right):
    question = comparison(kind, right, "farther")
    assert [mark.at for mark in truth_marks(question)] == [question.points[right][:2]]
    assert truth_words(question).endswith("is farther")


def test_asked_points_have_letters_or_the_coordinates_of_the_prompt():
    assert [mark.label for mark in asked_marks(comparison("depth_cmp_dot", 0))] == ["A", "B"]
    labels = [mark.label for mark in asked_marks(comparison("depth_cmp_coord", 0))]
    assert labels == ["[ 125 , 250 ]", "[ 625 , 667 ]"]


def estimate(kind="depth_est_coord", depth=1.2344):
    return Question(kind, (frame(camera()),), (PixelPoint(60, 50),), answer=Answer(depth, "m"))


def match(kind):
    points = [PixelPoint(40, 50)]
    value, labels = np.array([90.0, 70.0]), ()
    if kind == "vc_mcq":
        points += [PixelPoint(x, y, 1) for x, y in ((20, 20), (90, 70), (130, 30), (30, 100))]
        value, labels = "B", ("", "A", "B", "C", "D")
    answer = Answer(value, match=(90.0, 70.0))
    return Question(
        kind, (frame(camera()), frame(camera((0.5, -1.3, 0.8)))), tuple(points), labels, answer=answer
    )


def travel(kind="cam_vec"):
    one, two = frame(camera()), frame(camera((0.6, -1.2, 0.9)))
    return Question(kind, (one, two), answer=Answer("left"))


def size():
    frames = (frame(camera()), frame(camera((0.5, -1.3, 0.8))))
    return Question("size_height", frames, labels=("tall cupboard",), answer=Answer(0.6, "m"))


QUESTIONS = [
    comparison("depth_cmp_dot", 0),
    comparison("depth_cmp_coord", 1),
    estimate("depth_est_dot"),
    estimate(),
    match("vc_coord"),
    match("vc_mcq"),
    travel("cam_dir_x"),
    moved((0.1, 0, 0.1), depth=True),
    moved((0.1, 0, 0.1), "obj_dist_dot"),
    size(),
]


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (estimate(), "1234 mm"),
        (match("vc_coord"), "[ 562 , 583 ]"),
        (match("vc_mcq"), "B"),
        (size(), "tall cupboard: height 600 mm"),
        (replace(size(), answer=None), ""),
    ],
)
def test_the_truth_is_said_in_a_few_words(question, words):
    assert truth_words(question) == words


def test_camera_motions_are_told_in_full():
    motion = camera_motion(travel())
    shift = camera().camera_from_world[:3, :3] @ (np.array([0.6, -1.2, 0.9]) - (0.3, -1.4, 0.8))
    assert motion.shift == pytest.approx(shift)
    first, second = motion_words(motion)
    assert (
        first
        == f"right {1000 * shift[0]:+.0f}  down {1000 * shift[1]:+.0f}  forward {1000 * shift[2]:+.0f} mm"
    )
    assert "left" in second and camera_motion(size()) is None


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.kind)
def test_pictures_show_the_truth_in_its_colour_where_it_is(question):
    pictures = question_pictures(question, "x", width=480)
    assert [picture.shape for picture in pictures] == [(360, 480, 3)] * len(question.frames)
    for mark in truth_marks(question):
        rows, columns = np.indices((360, 480)) + 0.5
        gap = np.hypot(columns - 3 * mark.at[0], rows - 3 * mark.at[1])
        ring = pictures[mark.frame][(gap > 13.2) & (gap < 14.8)]
        assert (np.abs(ring.astype(int) - TRUTH).max(axis=1) < 60).mean() > 0.6
    assert all((frame.rgb == 90).all() for frame in question.frames)


def test_asked_and_true_are_told_apart():
    """A match that is asked for is a cross in the first picture, and a ring in the second."""
    first, second = question_pictures(match("vc_coord"), width=480)
    green = [(np.abs(picture.astype(int) - TRUTH).max(axis=-1) < 60).sum() for picture in (first, second)]
    assert green[0] == 0 and green[1] > 100


def test_questions_without_truth_or_cameras_can_be_shown():
    bare = [replace(question, answer=None) for question in QUESTIONS]
    blind = [
        replace(q, frames=tuple(replace(f, camera=None, depth=None) for f in q.frames)) for q in QUESTIONS
    ]
    for question in bare + blind:
        assert len(question_pictures(question)) == len(question.frames)


SHOWN = [Shown(f"id {n}", "about it", question, "How?", "So.") for n, question in enumerate(QUESTIONS)]


def test_a_sheet_has_a_row_for_two_questions(tmp_path):
    path = write_sheet(SHOWN, tmp_path / "sheet.png", "a title")
    with Image.open(path) as image:
        assert image.width == 1500 and image.height > 5 * 250
    single = write_sheet(SHOWN[:1], tmp_path / "one.png")
    with Image.open(single) as image:
        assert image.width == 760
    assert {path.name for path in tmp_path.iterdir()} == {"sheet.png", "one.png"}


def test_pictures_are_laid_out_in_rows():
    pictures = [np.full((20, 30, 3), shade, np.uint8) for shade in (10, 20, 30, 40)]
    sheet = joined(pictures, 3, gap=2)
    assert sheet.shape == (42, 94, 3)
    assert [sheet[row, column, 0] for row, column in ((5, 5), (5, 35), (5, 70), (30, 5))] == [10, 20, 30, 40]
    assert (sheet[:20, 30:32] == 255).all() and (sheet[22:, 32:] == 255).all()


def test_an_empty_sheet_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one question"):
        write_sheet([], tmp_path / "sheet.png")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """entity -> its rows in a recording of all questions."""
    import rerun as rr

    path = write_recording(SHOWN, tmp_path_factory.mktemp("rrd") / "questions.rrd")
    found = {}
    for chunk in rr.chunk.RrdReader(path).stream().to_chunks():
        entity = chunk.entity_path.lstrip("/")
        batch = chunk.to_record_batch()
        timeless = batch.drop_columns([name for name in batch.schema.names if name == "log_time"])
        found.setdefault(entity, []).append(timeless)
    return found


def test_a_recording_has_every_question_with_pictures_words_and_marks(recorded):
    def steps(entity):
        shown = [b for b in recorded.get(entity, []) if not any("Clear" in name for name in b.schema.names)]
        return {row for batch in shown for row in batch.column("record").to_pylist()}

    everything = set(range(len(SHOWN)))
    two = {number for number in everything if len(QUESTIONS[number].frames) == 2}
    pointed = {number for number in everything if QUESTIONS[number].points}
    assert steps("words") == everything == steps("world/picture_1/image")
    assert steps("world/picture_2/image") == two
    assert steps("world/picture_1/image/asked") == pointed
    arrows = {
        row["record"]
        for batch in recorded["world/picture_2/image/truth"]
        for row in batch.to_pylist()
        if len(row.get("LineStrips2D:strips") or ()) == 3  # a ring, a shaft and a head
    }
    marked = {number for number in everything if truth_marks(QUESTIONS[number])}
    assert steps("world/picture_1/image/truth") | steps("world/picture_2/image/truth") == marked
    assert steps("world/cloud_1") == {7} and arrows == {7, 8}
    assert steps("world/motion") == {6, 7}


def test_the_words_hold_prompt_reply_and_truth(recorded):
    text = str([batch.to_pylist() for batch in recorded["words"]])
    assert all(part in text for part in ("**Asked:** How?", "**Reply:** So.", "**Truth:** 1234 mm", "id 3"))
