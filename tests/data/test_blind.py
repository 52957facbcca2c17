"""Sets of questions with a known blind answer must be exposed, balanced ones not."""

import numpy as np
import pytest

from spatial_reward.data.blind import ALLOWED, blind_table, chance
from spatial_reward.data.blind_guesses import answer_to, plain_truth
from spatial_reward.data.sources import unread
from spatial_reward.questions import KINDS
from spatial_reward.types import Answer, Frame, PixelPoint, Question

FRAME = Frame(unread(640, 480))
SMALL = Frame(unread(224, 224))


def question(kind, value, points=(), labels=(), frames=(FRAME, FRAME)):
    unit = KINDS[kind].unit
    return Question(kind, frames, tuple(points), tuple(labels), answer=Answer(value, unit))


def scores(questions, mode="strict"):
    row = next(row for row in blind_table({"it": questions}) if row.mode == mode)
    return row


def log_uniform(rng, count, low=0.05, high=5.0):
    return np.exp(rng.uniform(np.log(low), np.log(high), count))


def test_a_constant_answer_is_exposed_and_spread_answers_are_not():
    rng = np.random.default_rng(0)
    peaked = [question("cam_dist", float(v)) for v in rng.normal(0.3, 0.02, 200)]
    spread = [question("cam_dist", float(v)) for v in log_uniform(rng, 300)]
    assert scores(peaked).scores["constant"] == 1.0
    assert not scores(peaked).flagged  # random answers are just as right: chance is high, not the margin
    assert not scores(spread).flagged
    assert scores(spread).scores["median"] < 0.15


def test_chance_of_numbers_is_how_often_two_answers_agree():
    ones = [question("cam_dist", 1.0)] * 50
    both = ones + [question("cam_dist", 9.0)] * 50
    assert chance(ones, "strict") == 1.0
    assert chance(both, "strict") == pytest.approx(0.5, abs=0.1)


def test_always_left_scores_the_share_of_left():
    questions = [question("cam_dir_x", "left")] * 70 + [question("cam_dir_x", "right")] * 30
    row = scores(questions)
    assert (row.chance, row.scores["majority"], row.flagged) == (0.5, 0.7, True)
    assert row.best == "majority" and row.margin == pytest.approx(0.2)


def compare(rng, lower_is_closer, kind="depth_cmp_dot"):
    points = [PixelPoint(x, y) for x, y in rng.uniform(0, 480, (2, 2))]
    relation = ("closer", "farther")[rng.integers(2)]
    lower = int(points[1].y > points[0].y)
    closer = lower if rng.random() < lower_is_closer else 1 - lower
    right = closer if relation == "closer" else 1 - closer
    if kind == "depth_cmp_dot":
        return question(kind, "AB"[right], points, ("A", "B", relation), (FRAME,))
    return question(kind, np.array(points[right][:2]), points, (relation,), (FRAME,))


@pytest.mark.parametrize("kind", ["depth_cmp_dot", "depth_cmp_coord"])
@pytest.mark.parametrize(("share", "best"), [(0.9, "lower is closer"), (0.1, "upper is closer")])
def test_a_floor_below_a_wall_betrays_depth_comparisons(kind, share, best):
    rng = np.random.default_rng(1)
    row = scores([compare(rng, share, kind) for _ in range(300)])
    assert row.best == best and row.flagged
    assert row.scores[best] == pytest.approx(0.9, abs=0.05)
    balanced = scores([compare(rng, 0.5, kind) for _ in range(300)])
    assert not balanced.flagged


def test_points_that_stay_in_place_are_answered_by_copying():
    rng = np.random.default_rng(2)
    places = rng.uniform(50, 400, (100, 2))
    stay = [question("vc_coord", place, [PixelPoint(*place)]) for place in places]
    other_size = [
        question("vc_coord", place * [224 / 640, 224 / 480], [PixelPoint(*place)], frames=(FRAME, SMALL))
        for place in places
    ]
    leave = [question("vc_coord", rng.uniform(0, 480, 2), [PixelPoint(*place)]) for place in places]
    assert scores(stay).scores["copied"] == scores(other_size).scores["copied"] == 1.0
    assert scores(leave).scores["copied"] < 0.1


def test_the_nearest_letter_is_found():
    rng = np.random.default_rng(3)

    def choice(near):
        here, right = rng.uniform(100, 300, 2), int(rng.integers(4))
        candidates = rng.uniform(0, 480, (4, 2))
        if near:
            candidates[right] = here + 5
        points = [PixelPoint(*here), *(PixelPoint(*place, 1) for place in candidates)]
        return question("vc_mcq", "ABCD"[right], points, ("", *"ABCD"))

    row = scores([choice(True) for _ in range(100)])
    assert row.chance == 0.25 and row.scores["nearest to the dot"] > 0.95
    assert scores([choice(False) for _ in range(100)]).scores["nearest to the dot"] < 0.5


def test_depth_that_follows_the_height_in_the_picture_is_fitted():
    rng = np.random.default_rng(4)
    places = rng.uniform(0, 480, (200, 2))
    sloping = [
        question("depth_est_coord", float(np.exp(1 - place[1] / 240)), [PixelPoint(*place)], frames=(FRAME,))
        for place in places
    ]
    free = [
        question("depth_est_coord", float(value), [PixelPoint(*place)], frames=(FRAME,))
        for place, value in zip(places, log_uniform(rng, 200), strict=True)
    ]
    assert scores(sloping).scores["position"] > 0.95 and scores(sloping).flagged
    assert not scores(free).flagged


def test_names_with_one_size_are_remembered():
    rng = np.random.default_rng(5)
    known = {name: float(size) for name, size in zip("abcdefgh", log_uniform(rng, 8), strict=True)}
    fixed = [
        question("size_height", known[name], labels=(name,)) for name in rng.choice(list("abcdefgh"), 200)
    ]
    varied = [
        question("size_height", float(size), labels=(name,))
        for name, size in zip(rng.choice(list("abcdefgh"), 200), log_uniform(rng, 200), strict=True)
    ]
    assert scores(fixed).best == "name" and scores(fixed).flagged
    assert scores(varied).scores["name"] < 0.3


@pytest.mark.parametrize(("share", "flagged"), [(0.3, True), (0.08, False)])
def test_still_points_are_answered_by_nothing_moved(share, flagged):
    rng = np.random.default_rng(6)
    still = rng.random(300) < share
    vectors = rng.normal(size=(300, 3)) * log_uniform(rng, 300)[:, None]
    questions = [
        question("obj_vec_coord", np.zeros(3) if rest else vector, [PixelPoint(*rng.uniform(0, 480, 2))])
        for rest, vector in zip(still, vectors, strict=True)
    ]
    row = scores(questions, "paper")
    assert row.scores["still"] == pytest.approx(still.mean())
    assert row.flagged is flagged
    assert (row.margin > ALLOWED) is flagged


def example(kind, rng):
    """A random question of any kind."""
    points = [PixelPoint(*place) for place in rng.uniform(0, 480, (2, 2))]
    if kind.startswith("depth_cmp"):
        return compare(rng, 0.5, kind)
    if kind == "vc_mcq":
        marks = [points[0], *(PixelPoint(*place, 1) for place in rng.uniform(0, 480, (4, 2)))]
        return question(kind, "ABCD"[rng.integers(4)], marks, ("", *"ABCD"))
    words = {"x": ("left", "right"), "y": ("up", "down"), "z": ("forward", "backward")}
    words |= {"yaw": words["x"], "pitch": words["y"]}
    if kind.startswith("cam_dir"):
        return question(kind, words[kind.split("_")[-1]][rng.integers(2)])
    size = {"vc_coord": 2, "cam_vec": 3, "obj_vec_coord": 3, "obj_vec_dot": 3}.get(kind, 1)
    value = rng.uniform(1, 100, size)
    return question(kind, value if size > 1 else float(value[0]), points[:1], ("cup",))


def test_every_kind_survives_being_made_plain():
    rng = np.random.default_rng(7)
    for kind in KINDS:
        one = example(kind, rng)
        again = answer_to(one, plain_truth(one))
        assert KINDS[kind].score(again, one, "strict") and KINDS[kind].score(again, one, "paper"), kind


def test_every_kind_has_a_row_in_both_modes():
    rng = np.random.default_rng(8)
    table = blind_table({kind: [example(kind, rng) for _ in range(20)] for kind in KINDS})
    assert [(row.subtask, row.mode) for row in table] == [(k, m) for k in KINDS for m in ("strict", "paper")]
    assert all(0 <= row.chance <= 1 and 0 <= row.scores[row.best] <= 1 for row in table)


def test_no_rows_without_questions_and_errors_that_help():
    assert blind_table({"cam_dist": []}) == []
    with pytest.raises(ValueError, match="without a truth"):
        blind_table({"cam_dist": [Question("cam_dist", (FRAME, FRAME))]})
    with pytest.raises(ValueError, match=r"mixes the kinds \['cam_deg_yaw', 'cam_dist'\]"):
        blind_table({"it": [question("cam_dist", 1.0), question("cam_deg_yaw", 20.0)]})
