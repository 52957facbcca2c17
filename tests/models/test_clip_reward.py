import json

import numpy as np
import pytest

from spatial_reward.models.clip_reward import MEAN, STD, ClipReward, Normalisation, prepared, projection
from spatial_reward.types import Frame


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A CLIP model of two layers, with the byte-level tokenizer of CLIP's kind."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("clip")
    parts = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    letters = [chr(c) for c in range(33, 127)]
    words = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: number for number, word in enumerate(words)}
    end = {"bos_token_id": len(words) - 2, "eos_token_id": len(words) - 1, "pad_token_id": len(words) - 1}
    config = transformers.CLIPConfig(
        text_config={**parts, **end, "vocab_size": len(words)},
        vision_config={**parts, "image_size": 32, "patch_size": 8},
        projection_dim=16,
    )
    torch.manual_seed(0)
    transformers.CLIPModel(config).save_pretrained(folder)
    transformers.CLIPTokenizer(vocab=vocabulary, merges=[]).save_pretrained(folder)
    return folder


def frames(count=5, seed=0):
    rng = np.random.default_rng(seed)
    return [Frame(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)) for _ in range(count)]


def test_every_picture_is_scored_by_itself_whatever_the_batch(checkpoint):
    seen = frames()
    whole = ClipReward(checkpoint).score(seen, "lift the cube").progress
    assert whole.shape == (5,) and (whole > 0).all() and (whole < 1).all() and np.ptp(whole) > 0
    parts = ClipReward(checkpoint, batch=2).score(seen, "lift the cube").progress
    assert parts == pytest.approx(whole, abs=1e-6)
    backwards = ClipReward(checkpoint).score(seen[::-1], "lift the cube").progress
    assert backwards == pytest.approx(whole[::-1], abs=1e-6)


def test_the_words_count(checkpoint):
    reward, seen = ClipReward(checkpoint), frames()
    assert (
        np.abs(reward.score(seen, "lift").progress - reward.score(seen, "push it away").progress).max() > 1e-4
    )
    assert reward.score(seen, reward.baseline).progress == pytest.approx(np.full(5, 0.5))


def test_a_projection_onto_the_line_to_the_goal_forgets_what_is_beside_it():
    target, baseline = np.array([1.0, 0, 0]), np.array([0.0, 1, 0])
    states = np.array([[1.0, 0, 0], [0.6, 0.8, 0], [0, 0, 1]])
    assert projection(states, target, baseline, 0.0) == pytest.approx(states @ target)
    assert projection(states, target, baseline, 1.0)[0] == pytest.approx(1.0)
    beside = states + [0, 0, 0.3]
    assert projection(beside, target, baseline, 1.0) == pytest.approx(
        projection(states, target, baseline, 1.0)
    )


def test_pictures_are_resized_cut_and_normalised():
    picture = np.zeros((40, 80, 3), np.uint8)
    picture[:, 20:60] = 255  # the middle square
    made = prepared(picture, Normalisation(20, MEAN, STD))
    assert made.shape == (3, 20, 20)
    assert made[:, 10, 10] == pytest.approx((1 - np.array(MEAN)) / STD, abs=1e-5)
    assert made.std(axis=(1, 2)) == pytest.approx(0, abs=0.05)


def test_a_checkpoint_states_its_own_normalisation(checkpoint, tmp_path):
    from shutil import copytree

    other = copytree(checkpoint, tmp_path / "other")
    stated = {"image_mean": [0.0] * 3, "image_std": [1.0] * 3}
    (other / "preprocessor_config.json").write_text(json.dumps(stated))
    seen = frames()
    first, second = (ClipReward(folder).score(seen, "lift").progress for folder in (checkpoint, other))
    assert np.abs(first - second).max() > 1e-6


def test_what_cannot_be_loaded_or_meant_is_named(checkpoint, tmp_path):
    with pytest.raises(OSError, match="Cannot load the CLIP model"):
        ClipReward(tmp_path)
    with pytest.raises(ValueError, match="`reward` must be one of probability, projection"):
        ClipReward(checkpoint, reward="cosine")
