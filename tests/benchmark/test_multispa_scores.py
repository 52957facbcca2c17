"""How answers are scored, summed up and averaged, by the published arithmetic and honest intervals."""

import json
from dataclasses import replace

import numpy as np
import pytest

from spatial_reward.benchmark.answer_log import AnswerLog, read_log
from spatial_reward.benchmark.baselines import Biased, Random, answer_pool
from spatial_reward.benchmark.intervals import mean_interval, sums, weights
from spatial_reward.benchmark.multispa_questions import as_asked, choose
from spatial_reward.benchmark.multispa_results import means, questions_by_subtask, row_table
from spatial_reward.benchmark.multispa_scores import line_of, subtask_row
from spatial_reward.benchmark.multispa_sim import load_multispa_sim
from spatial_reward.benchmark.tables import BENCHMARK, BLINK, FINE_TUNING, wilson_interval
from spatial_reward.data.blind import BlindRow, chance
from spatial_reward.questions import KINDS, SUBTASKS, TABLE_ROWS
from spatial_reward.types import Answer

PER_SUBTASK = 300
NO_BLIND = {mode: BlindRow("any", mode, PER_SUBTASK, 0.0, {"none": 0.0}) for mode in ("paper", "strict")}


@pytest.fixture(scope="module")
def records():
    return list(load_multispa_sim("full").records())


def published_lines(scores):
    """Make the log of a model that has the published score [%] in every row."""
    lines = []
    for row, names in TABLE_ROWS.items():
        right = round(scores[row] / 100 * PER_SUBTASK * len(names))
        for index, name in enumerate(names):
            own = right // len(names) + (index < right % len(names))
            lines += [
                {"id": f"{name}-{i}", "subtask": name, "scene": f"{name}-{i % 50}", "paper": i < own}
                for i in range(PER_SUBTASK)
            ]
    keys = {"unit": "1", "value": "A", "valid": True, "error": None, "pictures": "unseen"}
    return [
        line | keys | {"strict": line["paper"], "paper_unsure": False, "strict_unsure": False}
        for line in lines
    ]


@pytest.mark.parametrize(
    ("model", "average"),
    [
        ("Multi-SpatialMLLM-8B", 56.11),
        ("InternVL2-8B", 20.43),
        ("InternVL2-26B", 21.36),
        ("Claude-3.5-Sonnet", 27.50),
        ("Gemini-2.0-Flash", 30.31),
        ("GPT-4o", 28.87),
        ("SpatialRGPT", 19.23),
    ],
)
def test_answers_with_the_published_scores_have_the_published_mean(model, average):
    lines = published_lines(BENCHMARK[model].scores)
    table = {
        one.name: subtask_row([line for line in lines if line["subtask"] == one.name], NO_BLIND)
        for one in SUBTASKS
    }
    rows = row_table(table)
    # Printed rows are means of whole numbers of answers, some of them rounded more than once.
    assert {row: found["paper"]["accuracy"] for row, found in rows.items()} == pytest.approx(
        dict(BENCHMARK[model].scores), abs=0.015
    )
    found = means(lines, table, rows, seed=0)["mean_12"]["paper"]
    assert found["accuracy"] == pytest.approx(average, abs=0.0051)
    assert found["low"] < average < found["high"]


def test_the_rows_of_every_published_column_average_as_recomputed():
    assert {name: round(column.average, 2) for name, column in FINE_TUNING.items()} == {
        "LLM LoRA": 56.11,
        "LLM LoRA + MLP": 57.46,
        "LLM LoRA + MLP + encoder": 65.41,
        "full LLM + MLP + encoder": 68.93,
    }
    blink = [round(column.average, 2) for column in BLINK.values()]
    assert blink == [75.70, 67.66, 73.78, 57.87, 61.36, 52.45, 84.97]


def test_the_mean_of_26_is_not_the_mean_of_12():
    table = sums(published_lines(BENCHMARK["Multi-SpatialMLLM-8B"].scores), "paper")
    whole, *_ = mean_interval(table, weights(table.subtasks, by_row=False))
    assert whole == pytest.approx(53.42, abs=0.01)


def test_random_answers_stay_within_their_interval_on_every_subtask(records):
    questions = questions_by_subtask(records)
    model = Random(answer_pool(record.question for record in records), seed=0)
    certainty = 1 - 0.05 / len(questions)  # of each, so that all 26 hold together with 95 %
    for name, asked in questions.items():
        score = KINDS[asked[0].kind].score
        right = sum(
            score(answer, one, "paper") for answer, one in zip(model.answer(asked), asked, strict=True)
        )
        low, high = wilson_interval(right, len(asked), certainty)
        assert low <= chance(asked, "paper") <= high, name


def test_random_answers_do_not_depend_on_the_order(records):
    asked = [as_asked(record, ()) for record in records[:200]]
    model = Random(answer_pool(record.question for record in records))
    forth, back = model.answer(asked), model.answer(asked[::-1])[::-1]
    assert all(np.array_equal(a.value, b.value) for a, b in zip(forth, back, strict=True))
    distinct = {str(answer.value) for answer in forth}
    assert len(distinct) > 60


def test_a_question_is_asked_without_truth_depth_bodies_and_poses(records):
    record = next(record for record in records if record.subtask == "cam_vec")
    bare = record.question.frames
    full = tuple(
        replace(
            frame,
            depth=np.ones((frame.height, frame.width), np.float32),
            bodies=np.zeros_like(frame.rgb[..., 0], np.int32),
        )
        for frame in bare
    )
    seen = replace(record, question=replace(record.question, frames=full))
    hidden = as_asked(seen, ())
    assert hidden.answer is None and hidden.prompt == record.prompt
    assert all(frame.depth is None and frame.bodies is None for frame in hidden.frames)
    first, last = (frame.camera.world_from_camera for frame in hidden.frames)
    assert np.array_equal(first, last) and np.array_equal(first, bare[0].camera.world_from_camera)
    told = as_asked(seen, {"truth"}, depth=True, known=True)
    assert told.answer is record.question.answer
    assert all(frame.depth is not None and frame.bodies is None for frame in told.frames)
    assert np.array_equal(told.frames[1].camera.world_from_camera, bare[1].camera.world_from_camera)
    with pytest.raises(ValueError, match="have none: give another pictures=FOLDER"):
        as_asked(record, (), depth=True)


def test_an_invalid_answer_is_wrong_unless_the_model_must_guess(records):
    record = next(record for record in records if record.subtask == "cam_dist")
    truth = record.question.answer
    line = line_of(record, replace(truth, valid=False, std=0.01, source="me"))
    assert (line["paper"], line["strict"], line["paper_unsure"], line["strict_unsure"]) == (
        False,
        False,
        True,
        True,
    )
    assert line["error"] == 0 and line["std"] == 0.01 and line["source"] == "me"
    row = subtask_row([line], NO_BLIND)
    assert row["invalid"] == 1 and row["unread"] == 0 and row["paper"]["if_made_to_guess"] == 100
    assert json.loads(json.dumps(line, allow_nan=False)) == line


def test_an_answer_that_is_none_is_unread(records):
    record = next(record for record in records if record.subtask == "obj_vec_dot_adt")
    line = line_of(record, Answer.unknown("cannot see"))
    assert line["value"] is None and line["error"] is None and line["std"] is None
    row = subtask_row([line], NO_BLIND)
    assert row["unread"] == 1 and row["invalid"] == 0 and row["median_error"] is None


def test_errors_are_in_the_unit_that_they_name(records):
    for name, off, error in (
        ("cam_dist", 0.02, 20.0),
        ("cam_deg_yaw", 2.0, 2.0),
        ("vc_coord", (3.0, 4.0), 5.0),
    ):
        record = next(record for record in records if record.subtask == name)
        truth = record.question.answer
        line = line_of(record, replace(truth, value=np.asarray(truth.value, float) + off))
        assert subtask_row([line], NO_BLIND)["median_error"] == pytest.approx(error)
    assert line["unit"] == "px"


def test_a_biased_reply_is_read_as_words_are():
    record = next(load_multispa_sim("mini").records(subtasks=["cam_dist"]))
    [answer] = Biased("about 300 mm").answer([record.question])
    assert answer.value == pytest.approx(0.3) and answer.unit == "m"
    assert answer.source == "always 'about 300 mm'"


def test_questions_are_chosen_by_seed_and_in_the_order_of_the_set():
    opened = load_multispa_sim("mini")
    few, more, other = (choose(opened, *args) for args in ((3,), (6,), (3, None, 1)))
    assert len(few) == 3 * 26
    ids = [record.id for record in more]
    assert {record.id for record in few} < set(ids)
    assert ids == [record.id for record in opened.records() if record.id in set(ids)]
    assert {record.id for record in few} != {record.id for record in other}


def test_intervals_widen_when_the_questions_of_a_scene_agree():
    lines = [
        {
            "id": str(i),
            "subtask": "cam_dist",
            "scene": str(i // 10),
            "alone": i % 2 == 0,
            "paper": i // 10 % 2 == 0,
        }
        for i in range(400)
    ]
    table = {key: mean_interval(sums(lines, key), np.ones(1)) for key in ("alone", "paper")}
    assert table["alone"] == (50, 50, 50)  # every scene is half right
    whole, low, high = table["paper"]
    assert whole == 50 and 30 < low < 38 and 62 < high < 70  # 40 scenes: 1.96 * 50 / sqrt(40) = 15.5


def test_paired_intervals_are_narrower_than_the_models_own():
    rng = np.random.default_rng(0)
    hard = rng.random(600)
    ours = [
        {"id": str(i), "subtask": "cam_dist", "scene": str(i), "paper": bool(hard[i] < 0.6)}
        for i in range(600)
    ]
    theirs = {line["id"]: line | {"paper": bool(hard[i] < 0.55)} for i, line in enumerate(ours)}
    difference, low, high = mean_interval(sums(ours, "paper", theirs), np.ones(1))
    _, own_low, own_high = mean_interval(sums(ours, "paper"), np.ones(1))
    assert low > 0 and low < difference < high
    assert high - low < 0.6 * (own_high - own_low)


def test_a_log_keeps_what_it_was_given(tmp_path):
    lines = [
        {"id": f"q{i}", "value": [0.1 * i, None], "text": 'back"slash \\ "crc": "x"\n ü'} for i in range(5)
    ]
    with AnswerLog(tmp_path / "run", {"model": "m"}) as log:
        log.append(lines[:2])
        log.append(lines[2:])
    found, damaged = read_log(tmp_path / "run" / "answers.jsonl")
    assert list(found.values()) == lines and damaged == []
    text = (tmp_path / "run" / "answers.jsonl").read_text()
    assert [json.loads(line)["id"] for line in text.splitlines()] == list(found)
