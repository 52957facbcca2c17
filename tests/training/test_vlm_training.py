import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from vlm_runs import train, words_of

from spatial_reward.config import compose
from spatial_reward.data.records import QuestionSet
from spatial_reward.models.transformers import Transformers
from spatial_reward.training.vlm import train_vlm

# peft asks transformers by an old name.
pytestmark = pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning")

SHORT = ["batch=8", "per_device=4", "steps=3", "save_every=3"]


@pytest.fixture(scope="module")
def questions(question_set):
    records = QuestionSet(question_set).records(pictures=True)
    return [replace(record.question, prompt=record.prompt) for record in records][:260:40]


def asked(folder, family):
    options = {"tiles": 1} if family == "internvl" else {"most_pixels": 4096}
    return Transformers(folder, device="cpu", max_tokens=24, format_hint=False, **options)


def logits_of(model, question):
    engine = model._engine
    return engine.read([model._prompt(engine, model._asked(question))]).logits


def lines(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lora", "lora_vision"])
def test_an_adapter_reloads_and_merges_with_the_same_answers(
    family, tiny, question_set, questions, tmp_path, method
):
    """A frozen random base learns no vision by this: it is the way of the weights that is tested."""
    adapter, merged = (
        train(
            family,
            tiny,
            question_set,
            tmp_path / name,
            f"method={method}",
            f"merge={name == 'merged'}",
            *SHORT,
        )
        for name in ("adapter", "merged")
    )
    assert (adapter / "model/adapter_config.json").is_file()
    assert not (merged / "model/adapter_config.json").exists()
    base, one, other = (asked(path, family) for path in (tiny, adapter / "model", merged / "model"))
    for question in questions[:3]:
        torch.testing.assert_close(logits_of(one, question), logits_of(other, question), atol=1e-3, rtol=0)
        assert (logits_of(base, question) - logits_of(one, question)).abs().max() > 0.05
    assert one.replies(questions) == other.replies(questions)


@pytest.mark.slow
def test_losses_fall_and_are_told(family, tiny, question_set, tmp_path):
    out = train(
        family, tiny, question_set, tmp_path / "run", "method=full", "batch=16", "per_device=16", "steps=16",
        "save_every=8", "warmup=0", f"validation={question_set}", "validation_count=6", "best_by=loss",
    )  # fmt: skip
    told = lines(out)
    losses = [line["loss"] for line in told if "loss" in line]
    assert len(losses) == 16
    assert losses[-1] < 0.6 * losses[0]
    exams = [line for line in told if "eval_loss" in line]
    assert [line["step"] for line in exams] == [8, 16]
    assert all(0 <= line["eval_accuracy"] <= 1 for line in exams)
    summary = json.loads((out / "summary.json").read_text())
    assert summary["command"] == "train"
    assert summary["metrics"]["best"] == pytest.approx(min(line["eval_loss"] for line in exams))
    assert summary["metrics"]["steps"] == 16
    assert "model/model.safetensors" in summary["artefacts"]


@pytest.mark.slow
def test_the_best_weights_are_kept_not_the_last(tiny_models, question_set, tmp_path):
    """With a rate that destroys the model, the first validation is the best."""
    out = train(
        "internvl", tiny_models["internvl"], question_set, tmp_path / "run", "method=full", "batch=4",
        "per_device=4", "steps=4", "save_every=1", "warmup=0.25", "rate=3.0", f"validation={question_set}",
        "validation_count=4", "best_by=loss", "largest=1000",
    )  # fmt: skip
    exams = {line["step"]: line["eval_loss"] for line in lines(out) if "eval_loss" in line}
    best = min(exams, key=exams.get)
    assert best != 4
    kept, final = (
        load_file(path / "model.safetensors")
        for path in (out / f"checkpoints/checkpoint-{best}", out / "model")
    )
    assert all(torch.equal(kept[name], final[name]) for name in kept)


@pytest.mark.slow
def test_losses_do_not_depend_on_how_they_are_computed(family, tiny, question_set, tmp_path):
    """Packed or alone, with activations kept or computed twice, in any number of forward passes."""
    talk = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Good day."}]
    (tmp_path / "general.jsonl").write_text(3 * f"{json.dumps({'messages': talk})}\n")
    general = [f"general={tmp_path / 'general.jsonl'}", "general_share=0.5"]
    words = ["dropout=0", "method=lora_projector", *general, *SHORT]
    ways = ("packing=true", "packing=false", "checkpointing=true", "per_device=2")
    runs = [train(family, tiny, question_set, tmp_path / way, *words, way) for way in ways]
    losses = [[line["loss"] for line in lines(run) if "loss" in line] for run in runs]
    assert len(losses[0]) == 3
    for way, other in zip(ways[1:], losses[1:], strict=True):
        assert other == pytest.approx(losses[0], rel=2e-5), way


def test_a_finished_run_is_not_repeated_and_other_settings_are_refused(tiny_models, question_set, tmp_path):
    words = words_of("internvl", tiny_models["internvl"], question_set, tmp_path / "run", *SHORT)
    out = train_vlm(compose("train_vlm", words))
    before = (out / "summary.json").stat().st_mtime_ns
    assert train_vlm(compose("train_vlm", [*words, "per_device=2", "workers=1"])) == out
    assert (out / "summary.json").stat().st_mtime_ns == before
    with pytest.raises(FileExistsError, match="begun with other settings of rate, seed: take another out"):
        train_vlm(compose("train_vlm", [*words, "rate=2e-3", "seed=5"]))


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("method=qlora", "`method` must be one of lora, lora_projector, lora_vision, full, got 'qlora'"),
        ("precision=fp8", "`precision` must be one of bf16, no, got 'fp8'"),
        ("per_device=5", "batch=8 must be a multiple of per_device=5 times the 1 processes"),
        ("length=0", "`length` must be at least 1, got 0"),
        ("base=", "`base` is missing"),
        ("validate_every=2", "save_every=3 must be a multiple of validate_every=2"),
        ("take={cameras:3}", "`take` names 'cameras'"),
        ("tiles=-1", "`tiles` must be at least 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tiny_models, question_set, tmp_path, word, problem):
    words = [*SHORT, f"validation={question_set}", word]
    with pytest.raises(ValueError, match=problem):
        train("internvl", tiny_models["internvl"], question_set, tmp_path / "run", *words)


def test_missing_data_and_bases_are_named(tiny_models, question_set, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(FileNotFoundError, match="There is no question set in"):
        train("internvl", tiny_models["internvl"], tmp_path, tmp_path / "run", *SHORT)
    with pytest.raises(OSError, match=r"Cannot get the model 'no/where'.*Pass the path of a local folder"):
        train("internvl", "no/where", question_set, tmp_path / "run", *SHORT)


def test_families_that_cannot_be_packed_are_refused(tiny_models, question_set, tmp_path, monkeypatch):
    monkeypatch.setattr("spatial_reward.training.vlm.MULTIMODAL_POSITIONS", {})
    with pytest.raises(ValueError, match=r"Packing is not known .*'internvl'.*packing=false"):
        train("internvl", tiny_models["internvl"], question_set, tmp_path / "run", *SHORT)
