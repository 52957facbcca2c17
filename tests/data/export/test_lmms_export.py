"""The lmms-eval task: its YAML, and its functions called as the harness calls them."""

import importlib.util
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
import yaml
from export_checks import check_pictures

from spatial_reward.data.export import lmms, lmms_task
from spatial_reward.questions import SUBTASKS


@pytest.fixture(scope="module")
def folder(question_set, tmp_path_factory):
    return lmms.export(question_set, tmp_path_factory.mktemp("lmms") / "out")


@pytest.fixture(scope="module")
def task(folder):
    """Load the YAML; `!function utils.x` becomes the function of the file beside it, as in lmms-eval."""
    spec = importlib.util.spec_from_file_location("exported_utils", folder / "utils.py")
    utils = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(utils)

    class Loader(yaml.SafeLoader):
        pass

    def function(loader, node):
        module, name = loader.construct_scalar(node).split(".")
        assert module == "utils"
        return getattr(utils, name)

    Loader.add_constructor("!function", function)
    return yaml.load((folder / "spatial_reward_small_set.yaml").read_text(), Loader)


@pytest.fixture(scope="module")
def docs(task):
    return pq.read_table(task["dataset_kwargs"]["data_files"]).to_pylist()


def test_the_task_is_complete(task, folder):
    assert task["task"] == "spatial_reward_small_set" and task["dataset_path"] == "parquet"
    assert task["dataset_kwargs"]["data_files"] == str(folder / "questions.parquet")
    assert task["test_split"] == "train" and task["output_type"] == "generate_until"
    names = [metric["metric"] for metric in task["metric_list"]]
    assert names[:3] == ["paper_mean_12", "mean_26", "unread_share"]
    assert names[3:] == [subtask.name for subtask in SUBTASKS]


def test_messages_hold_pictures_and_words_and_no_answer(task, docs, records, question_set, tmp_path):
    for doc, record in zip(docs, records, strict=True):
        (message,) = task["doc_to_messages"](doc, None)
        assert message["role"] == "user"
        pictures = [block["url"] for block in message["content"] if block["type"] == "image"]
        for number, picture in enumerate(pictures):
            picture.save(tmp_path / f"{number}.png", compress_level=0)
        check_pictures(record, [tmp_path / f"{n}.png" for n in range(len(pictures))], question_set)
        words = message["content"][-1]["text"]
        assert words == task["doc_to_text"](doc) and words.startswith(record.prompt)
        assert record.reply not in words
        assert len(task["doc_to_visual"](doc)) == len(pictures)


def test_right_replies_score_one_and_wrong_ones_nothing(task, docs, records):
    right = [task["process_results"](doc, [r.reply]) for doc, r in zip(docs, records, strict=True)]
    bare = [task["process_results"](doc, [f"`{doc['target']}`"]) for doc in docs]
    silent = [task["process_results"](doc, ["I cannot tell."]) for doc in docs]
    for aggregate in ("paper_mean_12", "mean_26"):
        function = next(m["aggregation"] for m in task["metric_list"] if m["metric"] == aggregate)
        means = [function([one[aggregate] for one in results]) for results in (right, bare, silent)]
        assert means == [1.0, 1.0, 0.0]
    assert all(one["unread_share"] == 0 for one in right) and all(one["unread_share"] == 1 for one in silent)


def test_the_question_of_a_row_is_that_of_the_record(docs, records):
    for doc, record in zip(docs, records, strict=True):
        question = lmms_task.question_of(doc)
        assert (question.kind, question.points, question.labels) == (
            record.question.kind,
            record.question.points,
            record.question.labels,
        )
        assert [f.rgb.shape for f in question.frames] == [f.rgb.shape for f in record.question.frames]


def test_means_of_an_incomplete_set_are_unknown():
    assert lmms_task.mean_26([("cam_dist", 1.0)]) != lmms_task.mean_26([("cam_dist", 1.0)])
    assert lmms_task.paper_mean_12([("cam_dist", 1.0)]) != lmms_task.paper_mean_12([("cam_dist", 1.0)])


def test_records_without_truth_are_refused(records, tmp_path):
    bare = replace(records[0], question=replace(records[0].question, answer=None))
    with pytest.raises(ValueError, match="carries no truth"):
        lmms.row_of(bare, None)
