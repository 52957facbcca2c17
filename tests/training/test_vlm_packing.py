import logging

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from transformers import AutoModelForImageTextToText

from spatial_reward.models.coordinates import family as family_of
from spatial_reward.models.vlm_processor import load_processor, picture_options
from spatial_reward.training.packing import Collator, best_fit, grid_positions, packed
from spatial_reward.training.vlm_rows import QuestionRows, Sample
from spatial_reward.training.vlm_tokens import Encoder

LENGTHS = some.lists(some.integers(1, 100), min_size=1, max_size=40)


@pytest.fixture(scope="module")
def model(tiny):
    return AutoModelForImageTextToText.from_pretrained(tiny)


@pytest.fixture(scope="module")
def encoder(tiny, family):
    processor = load_processor(tiny)
    options = {"internvl": {"tiles": 2}, "qwen3_vl": {"tiles": 1, "most_pixels": 9216}}[family]
    return Encoder(processor, family_of(family.replace("_", "-")), picture_options(processor, **options))


@pytest.fixture(scope="module")
def samples(encoder, question_set):
    """Five samples of one and two pictures, of different lengths."""
    rows = QuestionRows(question_set)
    found = [encoder(rows[number]) for number in (0, 37, 80, 110, 199)]
    assert len({len(one.ids) for one in found}) > 2
    return found


@pytest.fixture
def collator(encoder, family):
    def make(**options):
        options = {"capacity": 400, "merge": 2 if family == "qwen3_vl" else None, **options}
        return Collator(encoder.blank(), encoder.processor.tokenizer.pad_token_id, **options)

    return make


def loss_and_gradients(model, batches):
    """Sum of losses over batches, and its gradients."""
    model.zero_grad()
    total = 0.0
    for batch in batches:
        loss = model(**batch, num_items_in_batch=1, use_cache=False).loss
        loss.backward()
        total += loss.item()
    grads = {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}
    return total, grads


def assert_same(model, batches, others):
    (loss, grads), (other, other_grads) = (loss_and_gradients(model, one) for one in (batches, others))
    assert other == pytest.approx(loss, rel=1e-5)
    assert grads.keys() == other_grads.keys()
    largest = max(grad.abs().max() for grad in grads.values())
    assert largest > 0.1
    for name, grad in grads.items():
        assert (grad - other_grads[name]).abs().max() <= 1e-5 * largest, name


@given(LENGTHS, some.integers(1, 150))
def test_every_sample_has_one_place_and_rows_are_not_too_long(lengths, capacity):
    for rows in (best_fit(lengths, capacity), packed(lengths, capacity)):
        assert sorted(sample for row in rows for sample in row) == list(range(len(lengths)))
        for row in rows:
            assert sum(lengths[sample] for sample in row) <= capacity or len(row) == 1


@given(LENGTHS, some.integers(100, 400))
def test_rows_are_few_and_even(lengths, capacity):
    fitted, even = best_fit(lengths, capacity), packed(lengths, capacity)
    fills = [sum(lengths[sample] for sample in row) for row in fitted]
    assert len(fitted) == 1 or sum(sorted(fills)[:2]) > capacity  # no two rows fit into one
    longest = [max(sum(lengths[sample] for sample in row) for row in rows) for rows in (fitted, even)]
    assert len(even) <= len(fitted)
    assert longest[1] <= longest[0]


@pytest.mark.parametrize("flat", [False, True])
def test_packed_loss_and_gradients_are_those_of_separate_samples(model, samples, collator, flat):
    packed_batch = collator(flat=flat)(samples)
    rows, length = packed_batch["input_ids"].shape
    assert rows < len(samples)
    assert length >= 2 * min(len(one.ids) for one in samples)
    alone = collator(packing=False)
    assert_same(model, [alone([one]) for one in samples], [packed_batch])


def test_ragged_batches_are_as_single_samples(model, samples, collator):
    alone = collator(packing=False)
    assert_same(model, [alone([one]) for one in samples], [alone(samples)])


def test_a_sample_does_not_see_its_neighbours(model, samples, collator):
    first, second, other = samples[:3]
    with torch.no_grad():
        logits = [
            model(**collator(flat=True, capacity=4000)(pair), use_cache=False).logits[0]
            for pair in ((first, second), (first, other), (second, first))
        ]
    length = len(first.ids)
    starts = [length >= len(second.ids), length >= len(other.ids), length > len(second.ids)]  # longest first
    own = [one[:length] if leads else one[-length:] for one, leads in zip(logits, starts, strict=True)]
    torch.testing.assert_close(own[0], own[1], atol=1e-4, rtol=0)
    torch.testing.assert_close(own[0], own[2], atol=1e-4, rtol=0)


def test_positions_are_those_of_the_model(model, samples, family):
    if family == "internvl":
        assert not hasattr(model.model, "get_rope_index")
        return
    for sample in samples:
        expected, _ = model.model.get_rope_index(
            sample.ids[None], sample.shown[None], image_grid_thw=sample.pictures["image_grid_thw"]
        )
        assert torch.equal(grid_positions(sample, 2), expected[:, 0])


def test_the_first_label_of_a_sample_is_not_learnt(samples, collator):
    from dataclasses import replace

    greedy = [replace(one, labels=one.ids.clone()) for one in samples]
    labels = collator(flat=True)(greedy)["labels"][0]
    assert (labels == -100).sum() == len(samples)


def test_long_samples_are_left_out_with_a_warning(samples, collator, caplog):
    shortest, longest = (chosen(samples, key=lambda one: len(one.ids)) for chosen in (min, max))
    with caplog.at_level(logging.WARNING):
        batch = collator(capacity=len(shortest.ids))([shortest, longest])
    assert batch["input_ids"].shape == (1, len(shortest.ids))
    assert f"Left out {longest.id}: {len(longest.ids)} tokens, but length=" in caplog.text


def test_a_batch_of_words_alone_gets_a_blank_picture_that_changes_nothing(model, encoder, collator):
    turns = [{"role": role, "content": [{"type": "text", "text": "far"}]} for role in ("user", "assistant")]
    words = encoder(Sample("words", turns, ()))
    batch = collator(flat=True)([words])
    assert len(batch["pixel_values"])
    count = len(words.ids)
    plain = {"input_ids": words.ids[None], "labels": words.labels[None]}
    loss, grads = loss_and_gradients(model, [batch])
    other, _ = loss_and_gradients(model, [plain])
    assert loss == pytest.approx(other, rel=1e-5)
    assert batch["input_ids"].shape[1] > count
    seeing = [grad for name, grad in grads.items() if "vision" in name or "visual" in name]
    assert seeing  # every process uses the vision encoder, so that their gradients can be gathered
    assert all(not grad.any() for grad in seeing)


def test_nothing_is_left_but_training_goes_on(samples, collator):
    batch = collator(capacity=1)(samples)
    assert (batch["labels"] == -100).all()


def test_rows_are_full(question_set, encoder, collator):
    rows = QuestionRows(question_set)
    found = [encoder(rows[number]) for number in range(0, 260, 8)]
    padded, even = (collator(packing=packing)(found)["input_ids"].shape for packing in (False, True))
    tokens = sum(len(one.ids) for one in found)
    assert tokens / np.prod(even) > 0.9 > tokens / np.prod(padded)
