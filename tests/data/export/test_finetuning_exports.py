import json
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from spatial_reward.data.export import nemo, swift
from spatial_reward.data.generate_settings import EXPORTS


@pytest.fixture(params=[swift, nemo], ids=["swift", "nemo"])
def exporter(request):
    return request.param


def test_a_line_per_question_with_a_mark_per_picture(exporter, question_set, records, tmp_path):
    out = exporter.export(question_set, tmp_path / "out")
    lines = [json.loads(line) for line in (out / "train.jsonl").read_text().splitlines()]
    assert len(lines) == len(records)
    for line, record in zip(lines, records, strict=True):
        asked, replied = line["messages"]
        assert [turn["role"] for turn in line["messages"]] == ["user", "assistant"]
        assert asked["content"].count("<image>") == len(line["images"]) == len(record.pictures)
        assert asked["content"].endswith(record.prompt)
        assert replied["content"] == record.reply
        assert all((out / image).is_file() for image in line["images"])


def test_dots_are_drawn_in(question_set, records, tmp_path):
    out = swift.export(question_set, tmp_path / "out")
    lines = [json.loads(line) for line in (out / "train.jsonl").read_text().splitlines()]
    pointed = [
        line["images"][0] for line, record in zip(lines, records, strict=True) if record.subtask == "vc_mcq"
    ]
    assert pointed
    assert all(Path(image).parts[0] == "pictures" for image in pointed)


@pytest.mark.parametrize("method", swift.METHODS)
def test_swift_trains_what_is_asked_for_with_the_published_numbers(question_set, tmp_path, method):
    out = swift.export(question_set, tmp_path / method, method=method, base="some/model", processes=4)
    config = OmegaConf.load(out / "sft.yaml")
    assert config.model == "some/model"
    assert (out / config.dataset).is_file()
    assert (config.tuner_type == "full") == (method == "full")
    assert config.freeze_vit == (method in ("lora", "lora_projector"))
    assert config.freeze_aligner == (method == "lora")
    assert config.learning_rate == 4e-5
    assert config.get("lora_rank") == (None if method == "full" else 16)
    assert config.gradient_accumulation_steps * 4 * 4 == 192


@pytest.mark.parametrize("method", nemo.METHODS)
def test_nemo_finds_its_data_and_adapts_the_language_model(question_set, tmp_path, method):
    out = nemo.export(question_set, tmp_path / method, method=method)
    recipe = OmegaConf.load(out / "recipe.yaml")
    meta = json.loads(Path(recipe.dataset.path_or_dataset).read_text())
    (entry,) = meta.values()
    assert (out / entry["file_name"]).is_file()
    assert Path(entry["media_dir"]) == out.resolve()
    assert ("peft" in recipe) == (method == "lora")
    assert recipe.freeze_config.freeze_vision_tower == (method == "lora")
    if method == "lora":
        assert (recipe.peft.dim, recipe.peft.alpha) == (16, 32)
        assert all(name.startswith("*language_model*") for name in recipe.peft.target_modules)


def test_refuses_what_the_programs_cannot_do(question_set, tmp_path):
    with pytest.raises(ValueError, match="must be one of lora, full for NeMo AutoModel, got 'lora_vision'"):
        nemo.export(question_set, tmp_path / "a", method="lora_vision")
    with pytest.raises(ValueError, match="`method` must be one of lora, lora_projector, lora_vision, full"):
        swift.export(question_set, tmp_path / "a", method="qlora")
    with pytest.raises(ValueError, match="`processes` must divide 192, got 5"):
        swift.export(question_set, tmp_path / "a", processes=5)
    assert not (tmp_path / "a").exists()


def test_generate_knows_them():
    assert {"swift", "nemo"} <= set(EXPORTS)
