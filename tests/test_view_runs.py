"""`view` of what runs leave behind: training logs, answers of a benchmark, annotated episodes."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import rerun as rr
from PIL import Image
from small_scenes import make_set

from spatial_reward.annotate.command import run_annotate
from spatial_reward.benchmark.multispa import run as run_benchmark
from spatial_reward.config import compose
from spatial_reward.data.episodes.record import record_rollouts, write
from spatial_reward.view import run_view
from spatial_reward.view.benchmark_log import badness
from spatial_reward.view.training_run import read_curves
from spatial_reward.viz import blueprint


def view(path, out, *words):
    return json.loads(run_view(compose("view", [f"path={path}", f"out={out}", *words])).read_text())


def read(path):
    """Return {entity: {component: [values]}} of a recording."""
    content: dict = {}
    for chunk in rr.chunk.RrdReader(path).stream():
        entity = content.setdefault(str(chunk.entity_path).strip("/"), {})
        for name, values in chunk.to_record_batch().to_pydict().items():
            entity.setdefault(name, []).extend(values)
    return content


@pytest.fixture
def training(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    lines = [{"step": 50, "loss": 3.0, "name": "x"}, {"step": 100, "loss": 2.5}, {"step": 100, "depth": 0.1}]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "log.jsonl").write_text(text + '{"step": 150, "lo')  # of a run that was killed
    return folder


@pytest.mark.parametrize("name", ["", "log.jsonl"])
def test_a_training_run_becomes_curves(training, tmp_path, name):
    summary = view(training / name, tmp_path / "out")
    assert summary["artefacts"] == ["summary.json", "training.png", "training.rrd"] or set(
        summary["artefacts"]
    ) == {"training.png", "training.rrd", "summary.json"}
    assert summary["metrics"] == {"curves": 2, "last_step": 100, "damaged_lines": 1}
    content = read(tmp_path / "out" / "training.rrd")
    assert content["training/loss"]["Scalars:scalars"][-2:] == [[3.0], [2.5]]


def test_a_log_without_a_curve_is_refused(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"loss": 1.0}\nnonsense\n')
    with pytest.raises(ValueError, match="holds no curve"):
        read_curves(tmp_path / "log.jsonl")


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    folder = tmp_path_factory.mktemp("answered")
    questions = make_set(folder / "questions", count=52)
    words = [f"set={questions}", "model=rgbd", "report=false", f"out={folder / 'run'}"]
    return run_benchmark(compose("benchmark", words))


def test_the_worst_answers_of_a_benchmark_are_shown_beside_the_truth(answered, tmp_path):
    summary = view(answered, tmp_path / "out", "pick=worst", "count=5")
    assert [record["strict"] for record in summary["records"]] == [False] * 5
    assert summary["metrics"]["records"] == 52 and 0 < summary["metrics"]["strict_mean"] < 100
    words = str(read(tmp_path / "out" / "answers.rrd")["words"]["TextDocument:text"])
    assert words.count("rgbd answered:") == 5 and words.count("**Score:** wrong (green") == 5
    with Image.open(tmp_path / "out" / "answers.png") as image:
        assert image.width == 1500


def test_the_best_are_right_and_their_answers_are_marked(answered, tmp_path):
    summary = view(answered / "answers.jsonl", tmp_path / "out", "pick=best", "subtask=vc_coord", "png=false")
    assert summary["records"][0]["kind"] == "vc_coord"
    content = read(tmp_path / "out" / "answers.rrd")
    if summary["records"][0]["strict"]:
        assert "world/picture_2/image/answered" in content


def test_wrong_is_worse_than_right_and_far_worse_than_near():
    def line(strict, error, unit="m", truth=1.0):
        return {"strict": strict, "error": error, "unit": unit, "truth": truth}

    ordered = [line(True, 0.0), line(True, 0.1), line(False, 0.2), line(False, 0.9), line(False, None)]
    assert sorted(reversed(ordered), key=badness) == ordered


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["pick=ugliest"], "`pick` must be one of random, worst, best, got 'ugliest'"),
        (["record=99999"], "There is no answer with record=99999"),
        (["count=0"], "`count` must be at least 1"),
    ],
)
def test_answers_that_are_not_there_are_refused(answered, tmp_path, words, message):
    with pytest.raises(ValueError, match=message):
        view(answered, tmp_path / "out", *words)
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def annotated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("annotated")
    rollouts = list(record_rollouts(["SpatialReward/Push-v0"], 2, size=96, steps=20, policy="expert", seed=0))
    [dataset] = write(rollouts, folder, ["npz"], 25)
    words = [f"dataset={dataset}", "camera=front", "model=rgbd", "workers=1", "recordings=0", "overlays=0"]
    return run_annotate(compose("annotate", [*words, "reports=0", f"out={folder / 'out'}"]))


def test_an_annotated_episode_is_shown_as_an_online_recording_is(annotated, tmp_path):
    summary = view(annotated, tmp_path / "out", "episode=1")
    assert summary["metrics"]["episode"] == 1 and summary["metrics"]["episodes"] == 2
    [recording] = (tmp_path / "out").glob("*.rrd")
    content = read(recording)
    table = pq.read_table(annotated / "rewards.parquet").to_pandas()
    own = table[table.episode_index == 1]
    shown = [value[0] for value in content["potential/potential"]["Scalars:scalars"] if value]
    known = own["reward.spatial.potential_m"].dropna()
    np.testing.assert_allclose(shown, known, atol=1e-6)
    assert len([blob for blob in content[blueprint.IMAGE]["EncodedImage:blob"] if blob]) == len(own)
    assert blueprint.DEPTH in content and blueprint.CLOUD in content


def test_the_worst_episode_is_shown_unless_another_is_named(annotated, tmp_path):
    summary = view(annotated, tmp_path / "out", "rrd=false")
    assert summary["metrics"]["episode"] in (0, 1)
    assert [path.suffix for path in (tmp_path / "out").iterdir() if path.suffix != ".json"] == [".png"]
    with pytest.raises(ValueError, match="There is no annotated episode 7; there are 0, 1"):
        view(annotated, tmp_path / "other", "episode=7")


def test_unfinished_or_foreign_episodes_are_refused(annotated, tmp_path):
    for summary, message in ((None, "is unfinished"), ({"command": "train"}, "not by annotate")):
        folder = tmp_path / message.replace(" ", "_")
        folder.mkdir()
        (folder / "rewards.parquet").write_bytes(b"")
        if summary:
            (folder / "summary.json").write_text(json.dumps(summary))
        with pytest.raises((FileNotFoundError, ValueError), match=message):
            view(folder, tmp_path / "out")
