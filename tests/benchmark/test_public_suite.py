"""The suite from end to end: asked, written down, resumed, scored in every way, with chance beside."""

import json

import numpy as np
import pytest
from public_files import VSI, write_all
from public_stand_ins import Parrot, chat_server

from spatial_reward.benchmark.command import SUITES, chosen, run
from spatial_reward.benchmark.harness.asking import question_of, unhinted
from spatial_reward.benchmark.harness.chance import chance
from spatial_reward.benchmark.harness.items import Item
from spatial_reward.benchmark.harness.means import published_means
from spatial_reward.benchmark.harness.results import benchmark_results
from spatial_reward.chat import IMAGE, messages
from spatial_reward.config import compose
from spatial_reward.models import load_model
from spatial_reward.models.tiny_vlm import build_tiny_vlm
from spatial_reward.types import Frame, Question

PARROT = ("model=own", "model.name=public_stand_ins:Parrot")
QUESTIONS = 6 + 5 + 3 + 11 + 3


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_all(tmp_path_factory.mktemp("public"))


def measured(data, out, *words):
    """Run the command; return its results."""
    suite, others = chosen(["suite=public", f"data={data}", f"out={out}", "frames=3", "batch=4", *words])
    assert run(suite, compose(SUITES[suite].config, others)) == out
    return json.loads((out / "results.json").read_text())


def timeless(out):
    results = json.loads((out / "results.json").read_text())
    results.pop("time")
    return json.dumps(results, indent=1)


@pytest.fixture(scope="module")
def parrot(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "parrot"
    return out, measured(data, out, *PARROT)


def test_the_scorers_disagree_about_one_and_the_same_reply(parrot):
    """Everything is answered "Answer: B": wrong to lmms-eval in BLINK and CV-Bench, not in ERQA."""
    found = parrot[1]["benchmarks"]
    blink = found["blink"]["means"]["all questions"]
    assert blink["n"] == 6 and blink["strict"]["score"] == blink["vlmevalkit_rules"][
        "score"
    ] == pytest.approx(100 / 3)
    assert blink["lmms_eval"]["score"] == pytest.approx(200 / 3)  # read as A
    assert blink["lmms_eval"]["unlike_strict"] == 100
    erqa = found["erqa"]["means"]["all questions"]
    assert erqa["lmms_eval"]["score"] == erqa["strict"]["score"] == pytest.approx(100 / 3)
    assert erqa["vlmevalkit_exact"]["score"] == 0 and erqa["vlmevalkit_exact"]["unread"] == 100
    assert found["roboreward"]["means"]["all questions"]["helm"]["score"] == 4
    assert found["roboreward"]["means"]["all questions"]["strict"]["score"] == pytest.approx((4 + 3 + 4) / 3)


def test_published_means_are_there_where_their_parts_are(parrot):
    found = parrot[1]["benchmarks"]
    assert set(found["blink"]["means"]) == {"all questions"}  # two of the fourteen tasks
    cv_bench = found["cv_bench"]["means"]
    assert cv_bench["CV-Bench-2D"]["strict"]["score"] == 25  # ADE20K 0 of 1, COCO 1 of 2
    assert cv_bench["CV-Bench-3D"]["strict"]["score"] == 50
    assert cv_bench["CV-Bench"]["strict"]["score"] == pytest.approx((25 + 50) / 2)
    vsi = found["vsi_bench"]["means"]["VSI-Bench"]
    right = {"object_rel_direction_medium": 1 / 3, "obj_appearance_order": 1}
    assert vsi["strict"]["score"] == pytest.approx(100 * sum(right.values()) / 8)
    assert vsi["lmms_eval"]["score"] == 0 and vsi["n"] == len(VSI)


def test_a_run_says_what_it_rests_on(parrot):
    out, results = parrot
    source = results["sources"]["blink"]
    assert source["repository"] == "BLINK-Benchmark/BLINK" and len(source["revision"]) == 40
    assert source["questions"] == 6 and len(source["sha256"]) == 64
    assert results["versions"]["spatial-reward"] and results["frames"] == 3
    assert "suite=public" in results["command"] and "vsi_suffix=lmms_eval" in results["command"]
    lines = [json.loads(line) for line in (out / "answers.jsonl").read_text().splitlines()]
    assert len(lines) == QUESTIONS
    assert all(
        line["reply"] == "Answer: B" and line["prompt"] and len(line["pixels"]) == 64 for line in lines
    )
    assert lines[0]["scores"]["lmms_eval"] == ["A", 1.0] and lines[0]["scores"]["strict"] == ["B", 0.0]
    summary = json.loads((out / "summary.json").read_text())
    assert summary["metrics"]["questions"] == QUESTIONS
    assert summary["metrics"]["cv_bench_3d_strict"] == 50
    assert {"answers.jsonl", "public.md", "results.json", "run.json", "summary.json"} == set(
        summary["artefacts"]
    )


def test_the_table_shows_compat_strict_unread_and_chance(parrot):
    table = (parrot[0] / "public.md").read_text()
    row = next(line for line in table.splitlines() if "| cv_bench | CV-Bench |" in line)
    assert "lmms_eval 62.50 / vlmevalkit_rules 37.50 | 37.50 |" in row


def test_the_same_run_again_gives_the_same_results(parrot, data, tmp_path):
    measured(data, tmp_path / "again", *PARROT)
    assert timeless(parrot[0]) == timeless(tmp_path / "again")


def test_a_run_that_was_cut_off_goes_on(parrot, data, tmp_path):
    out = tmp_path / "cut"
    with pytest.raises(RuntimeError, match="the server is gone"):
        measured(data, out, "model=own", "model.name=public_stand_ins:Dying")
    log = out / "answers.jsonl"
    kept = log.read_text().splitlines()
    assert len(kept) == 8  # two batches
    log.write_text("\n".join([*kept[:3], kept[3][:50], *kept[4:]]))  # one damaged, the last one torn
    settings = json.loads((out / "run.json").read_text())
    settings["model"]["name"] = "public_stand_ins:Parrot"  # the server is back
    (out / "run.json").write_text(json.dumps(settings))
    Parrot.heard = ()
    measured(data, out, *PARROT)
    assert len(Parrot.heard) == QUESTIONS - 7
    assert timeless(parrot[0]) == timeless(out)


def test_other_settings_do_not_mix_and_a_larger_count_adds(data, tmp_path):
    out = tmp_path / "run"
    few = measured(data, out, *PARROT, "count=1", "benchmarks=[blink]")
    assert few["benchmarks"]["blink"]["n"] == 2
    Parrot.heard = ()
    more = measured(data, out, *PARROT, "count=2", "benchmarks=[blink]")
    assert more["benchmarks"]["blink"]["n"] == 4 and len(Parrot.heard) == 2
    with pytest.raises(FileExistsError, match="erqa_pictures: interleaved there, first here"):
        measured(data, out, *PARROT, "benchmarks=[blink]", "erqa_pictures=first")


def test_subsets_and_blank_pictures(data, tmp_path):
    words = (
        "benchmarks=[blink]",
        "subsets=[Relative_Depth]",
        "model=own",
        "model.name=public_stand_ins:Seer",
    )
    shown = measured(data, tmp_path / "shown", *words)
    assert set(shown["benchmarks"]["blink"]["subsets"]) == {"Relative_Depth"}
    blank = measured(data, tmp_path / "blank", *words, "blank=true")
    assert "grey pictures" in blank["title"]
    replies = {
        name: [
            json.loads(line)["reply"] for line in (tmp_path / name / "answers.jsonl").read_text().splitlines()
        ]
        for name in ("shown", "blank")
    }
    assert replies == {"shown": ["100", "101", "102"], "blank": ["128"] * 3}


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["benchmarks=[mmlu]"], r"`benchmarks` must be some of blink, cv_bench, erqa, vsi_bench, roboreward"),
        (["subsets=[Jigsaw, Relative_Depth]"], r"holds none of Jigsaw/val"),
        (["subsets=[Nothing]", "benchmarks=[erqa]"], r"There are no questions of the subsets Nothing"),
        (["vsi_config=half"], r"`vsi_config` must be one of full, debiased, pruned, got 'half'"),
        (["frames=0"], r"`frames` must be at least 1, got 0"),
        (["model.name=public_stand_ins:Mute"], r"gives no words: use model=transformers, model=endpoint"),
    ],
)
def test_errors_name_the_remedy(data, tmp_path, words, error):
    with pytest.raises((ValueError, FileNotFoundError), match=error):
        measured(data, tmp_path / "run", *PARROT, *words)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_tiny_model_of_the_real_kind_is_asked(data, tmp_path):
    folder = build_tiny_vlm(tmp_path / "vlm", "qwen3_vl")
    words = (
        "model=transformers",
        f"model.model={folder}",
        "model.max_tokens=4",
        "benchmarks=[erqa, vsi_bench]",
    )
    results = measured(data, tmp_path / "run", *words, "subsets=[Multi-view Reasoning]")
    assert results["model"]["format_hint"] is False and results["weights"]["model"]
    assert results["benchmarks"]["erqa"]["n"] == 1


def test_a_server_is_sent_the_words_and_pictures_alone(data, tmp_path):
    with chat_server("B") as (url, bodies):
        words = ("model=endpoint", f"model.url={url}", "model.model=m", "benchmarks=[erqa]")
        results = measured(data, tmp_path / "run", *words)
    assert results["benchmarks"]["erqa"]["means"]["all questions"]["strict"]["score"] == pytest.approx(
        100 / 3
    )
    contents = [[part["type"] for part in body["messages"][0]["content"]] for body in bodies]
    assert sorted(contents) == sorted(
        [
            ["image_url", "text"],
            ["text", "image_url", "text", "image_url", "text"],
            ["image_url"] * 2 + ["text"],
        ]
    )
    text = "".join(part.get("text", "") for part in bodies[0]["messages"][0]["content"])
    assert "Image-1" not in text and IMAGE not in text and "backtick" not in text


def test_replies_of_a_server_that_were_cut_off_are_kept_and_lost_ones_stop_the_run(tmp_path):
    question = Question("cam_vec", (Frame(np.zeros((8, 8, 3), np.uint8)),), prompt="Which?")
    with chat_server("It is", finish="length") as (url, _):
        assert load_model("endpoint", url=url, model="m", cache=tmp_path).replies([question]) == ["It is"]
    with chat_server("", status=401) as (url, bodies):
        with pytest.raises(RuntimeError, match="HTTP 401"):
            load_model("endpoint", url=url, model="m", cache=tmp_path).replies([question])
        assert len(bodies) == 1  # a reply that was cut off is not kept for later


def test_pictures_stand_where_the_words_say():
    frames = (Frame(np.zeros((4, 4, 3), np.uint8)),) * 2
    marked = messages(Question("cam_vec", frames), f"{IMAGE}before {IMAGE}")[0]["content"]
    assert [block["type"] for block in marked] == ["image", "text", "image"]
    named = messages(Question("cam_vec", frames), f"one {IMAGE} only")[0]["content"]
    assert named[0]["text"] == "Image-1: " and len(named) == 5


def test_a_short_video_has_no_marks_left_over():
    item = Item("1", "vsi_bench", "s", "number", IMAGE * 8 + "How many?", "3", (), list)
    question = question_of(item, [np.zeros((4, 4, 3), np.uint8)] * 2)
    assert question.prompt == IMAGE * 2 + "How many?" and len(question.frames) == 2


def test_hints_are_left_out_where_a_model_has_them(tmp_path):
    assert unhinted({"name": "endpoint", "format_hint": True}) == {"name": "endpoint", "format_hint": False}
    assert unhinted({"name": str(tmp_path)})["format_hint"] is False
    assert unhinted({"name": "module:Class"}) == {"name": "module:Class"}


def choices(answers, options=4):
    texts = tuple("abcd"[:options])
    return [Item(f"{n}", "erqa", "Other", "choice", "?", one, texts, list) for n, one in enumerate(answers)]


def test_chance_is_exact():
    assert chance(choices("AABBBC")) == {"random": 0.25, "first_option": 1 / 3, "constant": 0.5}
    numbers = [Item(f"{n}", "vsi_bench", "s", "number", "?", one, (), list) for n, one in enumerate("224")]
    found = chance(numbers)
    assert found["random"] == pytest.approx(((1 + 0) + (1 + 0) + (0.1 + 0.1)) / 6)  # 2 for 4 is within a half
    assert found["constant"] == pytest.approx((1 + 1 + 0.1) / 3) and found["first_option"] is None
    [score] = [Item("1", "roboreward", "s", "score", "?", "1", (), list)]
    assert chance([score]) == {"random": 2.0, "first_option": None, "constant": 0.0}
    assert chance(numbers[:1])["random"] is None


def test_intervals_and_shares():
    found = benchmark_results(choices("ABCD" * 5), ["A"] * 10 + ["A or B"] * 10)
    row = found["subsets"]["Other"]["strict"]
    assert row["score"] == 15 and row["unread"] == 50
    assert row["low"] == pytest.approx(5.24, abs=0.01) and row["high"] == pytest.approx(
        36.04, abs=0.01
    )  # Wilson
    assert found["subsets"]["Other"]["lmms_eval"]["unlike_strict"] == 10  # "A or B" is A to it
    mean = found["means"]["all questions"]["strict"]
    assert mean["low"] < 15 < mean["high"]


@pytest.mark.parametrize("benchmark", ["blink", "cv_bench", "erqa", "vsi_bench", "roboreward"])
def test_the_weights_of_every_mean_add_up_to_1(benchmark):
    parts = {
        "blink": ("Visual_Correspondence", "Relative_Depth", "Multi-view_Reasoning", "Spatial_Relation"),
        "cv_bench": ("ADE20K", "COCO", "Omni3D"),
        "erqa": ("", "several pictures"),
        "vsi_bench": tuple(dict.fromkeys(kind for kind, _, _ in VSI)),
        "roboreward": ("droid", "bridge"),
    }[benchmark]
    means = published_means(benchmark, {name: 3 for name in parts})
    assert len(means) >= 2
    assert all(sum(weights.values()) == pytest.approx(1) for weights in means.values())
