"""Tiny vision-language models: real classes, whole checkpoints, nothing downloaded."""

import re
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from spatial_reward.chat_tokens import asked_text  # noqa: E402
from spatial_reward.models.tiny_tokenizer import tiny_tokenizer  # noqa: E402
from spatial_reward.models.tiny_vlm import CONFIGS, TEMPLATES, build_tiny_vlm  # noqa: E402
from spatial_reward.models.vlm_processor import encode, load_processor, picture_options  # noqa: E402
from spatial_reward.models.vlm_sizes import SIZES  # noqa: E402
from spatial_reward.questions.wording_depth import DEPTH_WORDING  # noqa: E402

CLASSES = {"internvl": "InternVLForConditionalGeneration", "qwen3_vl": "Qwen3VLForConditionalGeneration"}
FAMILIES = list(CLASSES)


def picture(seed=0, height=48, width=64):
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)


def conversation(pictures, words):
    blocks = [{"type": "image"}] * pictures + [{"type": "text", "text": words}]
    return [{"role": "user", "content": blocks}]


@pytest.fixture(scope="module", params=FAMILIES)
def tiny(request, tmp_path_factory):
    return request.param, build_tiny_vlm(tmp_path_factory.mktemp("tiny") / "model", request.param)


def loaded(folder):
    model = transformers.AutoModelForImageTextToText.from_pretrained(folder)
    return model.eval(), load_processor(folder)


def logits(model, processor, pictures, words="How deep?"):
    text = asked_text(processor, conversation(len(pictures), words), {})
    inputs = encode(processor, [text], [pictures], picture_options(processor, 6))
    with torch.no_grad():
        return model(**inputs).logits[0, -1]


def test_checkpoint_is_of_the_real_class_and_tiny(tiny):
    family, folder = tiny
    model, _ = loaded(folder)
    assert type(model).__name__ == CLASSES[family]
    assert type(model).__module__.startswith("transformers.")
    assert 1e6 < sum(weight.numel() for weight in model.parameters()) < 2e6
    assert (folder / "model.safetensors").stat().st_size < 9e6


def test_seed_decides_the_weights(tiny, tmp_path):
    family, folder = tiny
    weights = [
        transformers.AutoModelForImageTextToText.from_pretrained(path).state_dict()
        for path in (
            folder,
            build_tiny_vlm(tmp_path / "same", family),
            build_tiny_vlm(tmp_path / "other", family, 1),
        )
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not torch.equal(weights[0]["lm_head.weight"], weights[2]["lm_head.weight"])


def test_pictures_and_their_order_matter(tiny):
    model, processor = loaded(tiny[1])
    first, second = picture(1), picture(2)
    there = logits(model, processor, [first, second])
    assert (there - logits(model, processor, [second, first])).abs().max() > 1e-2
    assert (there - logits(model, processor, [first, first])).abs().max() > 1e-2


def test_a_part_of_a_picture_matters_where_it_is(tiny):
    model, processor = loaded(tiny[1])
    left, right = np.zeros((2, 64, 64, 3), np.uint8)
    left[:, :32], right[:, 32:] = 255, 255
    difference = logits(model, processor, [left]) - logits(model, processor, [right])
    assert difference.abs().max() > 1e-2


def test_untrained_logits_are_wide_enough_to_learn_from(tiny):
    model, processor = loaded(tiny[1])
    assert logits(model, processor, [picture()]).std() > 1


@pytest.mark.parametrize("family", FAMILIES)
def test_digits_are_tokens_of_their_own(family):
    tokenizer = tiny_tokenizer(family, TEMPLATES[family])
    words = tokenizer.tokenize("It is `[ 1203 , -47 , 9 ]` mm.")
    assert "".join(word for word in words if re.fullmatch("[0-9]", word)) == "1203479"
    assert not [word for word in words if re.search("[0-9].|.[0-9]", word)]


@pytest.mark.parametrize("family", FAMILIES)
def test_tokenizer_spells_any_text_and_packs_the_questions(family):
    tokenizer = tiny_tokenizer(family, TEMPLATES[family])
    for text in ("Ünïcode → 深度 \t\n", DEPTH_WORDING["depth_est_dot"].questions[0]):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    asked = DEPTH_WORDING["depth_cmp_dot"].questions[0]
    assert len(tokenizer(asked)["input_ids"]) < len(asked) / 2
    assert tiny_tokenizer(family, "x").get_vocab() == tokenizer.get_vocab()


def test_turns_keep_their_newlines(tiny):
    _, processor = loaded(tiny[1])
    text = asked_text(processor, conversation(1, "How deep?"), {})
    assert text.startswith("<|im_start|>user\n") and text.endswith("<|im_end|>\n<|im_start|>assistant\n")


def test_a_checkpoint_is_replaced_whole_and_other_folders_are_left(tmp_path):
    folder = build_tiny_vlm(tmp_path / "model", "internvl")
    before = (folder / "model.safetensors").read_bytes()
    build_tiny_vlm(folder, "internvl", seed=5)
    assert (folder / "model.safetensors").read_bytes() != before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(FileExistsError, match="choose another folder"):
        build_tiny_vlm(tmp_path / "mine")


def test_wrong_options_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"Unknown family 'llama'.*internvl, qwen3_vl"):
        build_tiny_vlm(tmp_path / "model", "llama")
    with pytest.raises(ValueError, match="multiple of 16 px, got 40"):
        build_tiny_vlm(tmp_path / "model", tile=40)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_python_entry_builds_a_checkpoint(tmp_path):
    command = [
        sys.executable,
        "-m",
        "spatial_reward.models.tiny_vlm",
        str(tmp_path / "model"),
        "family=qwen3_vl",
    ]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.stdout.strip() == str(tmp_path / "model")
    assert (tmp_path / "model" / "config.json").is_file()
    wrong = subprocess.run([*command, "sed=1"], capture_output=True, text=True)
    assert wrong.returncode and wrong.stderr.startswith(
        "Usage: python -m spatial_reward.models.tiny_vlm FOLDER"
    )


@pytest.mark.parametrize(("size", "least", "most"), [("35m", 30e6, 60e6), ("8b", 7.4e9, 9.5e9)])
@pytest.mark.parametrize("family", ["internvl", "qwen3_vl"])
def test_other_sizes_have_their_parameters(family, size, least, most):
    import torch
    from transformers import AutoModelForImageTextToText

    config = CONFIGS[family](tiny_tokenizer(family, TEMPLATES[family]), SIZES[size][family])
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(config)
    assert least < sum(weight.numel() for weight in model.parameters()) < most
