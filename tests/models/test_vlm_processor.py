"""Processors for pictures alone: stock results, tiles, and no torchvision."""

import json
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import get_optimal_tiled_canvas  # noqa: E402

from spatial_reward.chat import TILES, tile_grid  # noqa: E402
from spatial_reward.chat_tokens import asked_text, continued_ids  # noqa: E402
from spatial_reward.models.tiny_vlm import build_tiny_vlm  # noqa: E402
from spatial_reward.models.vlm_processor import encode, load_processor, picture_options  # noqa: E402

FAMILIES = ["internvl", "qwen3_vl"]


def picture(width, height, seed=0):
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)


def asked(processor, pictures, words="How deep?"):
    blocks = [{"type": "image"}] * pictures + [{"type": "text", "text": words}]
    return asked_text(processor, [{"role": "user", "content": blocks}], {})


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("processors")
    return {family: build_tiny_vlm(root / family, family) for family in FAMILIES}


@pytest.fixture(scope="module", params=FAMILIES)
def processor(request, folders):
    return load_processor(folders[request.param])


def test_torchvision_is_not_imported(processor):
    encode(processor, [asked(processor, 1)], [[picture(64, 48)]], picture_options(processor, 6))
    assert "torchvision" not in sys.modules


def test_processor_is_the_stock_one_but_for_videos(folders, processor):
    stock = getattr(transformers, type(processor).__name__)
    assert isinstance(processor, stock) and "video_processor" in stock.get_attributes()
    assert processor.get_attributes() == ["image_processor", "tokenizer"]


def test_saving_and_loading_changes_nothing(processor, tmp_path, folders):
    processor.save_pretrained(tmp_path)
    config = next(f for f in folders.values() if load_processor(f).image_token == processor.image_token)
    (tmp_path / "config.json").write_bytes((config / "config.json").read_bytes())
    again = load_processor(tmp_path)
    text, options = [asked(processor, 2)], picture_options(processor, 6)
    pictures = [[picture(64, 48), picture(100, 90)]]
    first, second = (encode(one, text, pictures, options) for one in (processor, again))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("family", FAMILIES)
def test_checkpoints_of_the_older_layout_load(folders, family, tmp_path):
    """The hub's folders: preprocessor_config.json with the class for torchvision, and a video part."""
    for file in folders[family].iterdir():
        if file.name != "processor_config.json":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    saved = json.loads((folders[family] / "processor_config.json").read_text())
    pictures = saved["image_processor"]
    pictures["image_processor_type"] = {
        "internvl": "GotOcr2ImageProcessorFast",
        "qwen3_vl": "Qwen2VLImageProcessorFast",
    }[family]
    pictures["processor_class"] = saved["processor_class"]
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(pictures))
    length = {"image_seq_length": saved["image_seq_length"]} if family == "internvl" else {}
    (tmp_path / "processor_config.json").write_text(
        json.dumps({"processor_class": saved["processor_class"], **length})
    )
    new, old = load_processor(folders[family]), load_processor(tmp_path)
    text, shown = [asked(new, 1)], [[picture(200, 100)]]
    first, second = (encode(one, text, shown, picture_options(one, 6)) for one in (new, old))
    assert torch.equal(first["pixel_values"], second["pixel_values"])
    assert torch.equal(first["input_ids"], second["input_ids"])


def test_pair_of_the_paper_gives_seven_tiles_each(folders):
    processor = load_processor(build_tiny_vlm(folders["internvl"].parent / "448", "internvl", tile=448))
    pair = [picture(1296, 968), picture(1296, 968, 1)]
    inputs = encode(processor, [asked(processor, 2)], [pair], picture_options(processor, TILES))
    assert inputs["pixel_values"].shape == (14, 3, 448, 448)
    cells = (inputs["input_ids"] == processor.image_token_id).sum()
    assert cells == 14 * processor.image_seq_length
    whole = encode(processor, [asked(processor, 2)], [pair], picture_options(processor, 1))
    assert len(whole["pixel_values"]) == 2
    torch.testing.assert_close(whole["pixel_values"][0], inputs["pixel_values"][6])  # the thumbnail


@given(st.integers(50, 3000), st.integers(50, 3000), st.integers(1, 12))
def test_the_processors_grid_is_the_one_that_chat_states(width, height, most):
    columns, rows = get_optimal_tiled_canvas((height, width), (448, 448), 1, most)
    assert tile_grid(width, height, most) == (columns, rows)


def test_qwen_takes_pictures_at_their_own_size_within_a_bound(folders):
    processor = load_processor(folders["qwen3_vl"])
    text = [asked(processor, 1)]
    whole = encode(processor, text, [[picture(640, 480)]], picture_options(processor, 0))
    assert whole["image_grid_thw"].tolist() == [[1, 30, 40]]  # patches of 16 px
    assert (whole["input_ids"] == processor.image_token_id).sum() == 300
    small = encode(processor, text, [[picture(640, 480)]], picture_options(processor, 0, 320 * 240))
    assert int(small["image_grid_thw"].prod()) * 16**2 <= 320 * 240


def test_bounds_that_a_model_does_not_know_are_refused(folders):
    with pytest.raises(ValueError, match="takes no `most_pixels`: use `tiles`"):
        picture_options(load_processor(folders["internvl"]), 6, 1000)
    with pytest.raises(ValueError, match="at least 0"):
        picture_options(load_processor(folders["internvl"]), -1)


def test_ragged_batches_are_padded_on_the_left(processor):
    texts = [asked(processor, 1), asked(processor, 2, "Which of the two is nearer?"), asked(processor, 0)]
    pictures = [[picture(64, 48)], [picture(64, 48), picture(48, 64)], []]
    inputs = encode(processor, texts, pictures, picture_options(processor, 1))
    mask = inputs["attention_mask"]
    assert mask[:, -1].all() and (mask.sum(1) < mask.shape[1]).sum() == 2
    assert (mask.diff(dim=1) >= 0).all()


def test_pictures_are_normalised_as_the_checkpoint_says(folders):
    processor = load_processor(folders["internvl"])
    grey = np.full((64, 64, 3), 128, np.uint8)
    pixels = encode(processor, [asked(processor, 1)], [[grey]], picture_options(processor, 1))["pixel_values"]
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    np.testing.assert_allclose(pixels[0, :, 0, 0], (128 / 255 - mean) / std, rtol=1e-5)


def test_texts_continue_a_line_without_a_space_before_them(processor):
    tokenizer = processor.tokenizer
    assert tokenizer.decode(continued_ids(tokenizer, "It is `12`<|im_end|>")) == "It is `12`<|im_end|>"
    assert continued_ids(tokenizer, "") == []


def test_checkpoint_without_a_processor_is_refused(tmp_path, folders):
    (tmp_path / "config.json").write_bytes((folders["internvl"] / "config.json").read_bytes())
    with pytest.raises(OSError):
        load_processor(tmp_path)
