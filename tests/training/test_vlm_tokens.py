from dataclasses import replace

import numpy as np
import pytest
import torch

from spatial_reward.chat_tokens import IGNORED
from spatial_reward.data.records import QuestionSet
from spatial_reward.models.coordinates import FAMILIES, read, translate
from spatial_reward.models.transformers import Transformers
from spatial_reward.models.vlm_processor import load_processor, picture_options
from spatial_reward.questions import KINDS, SUBTASKS
from spatial_reward.training.vlm_rows import QuestionRows, Sample
from spatial_reward.training.vlm_tokens import Encoder


@pytest.fixture(scope="module")
def records(question_set):
    """One record of each subtask, with its number."""
    found = {}
    for number, record in enumerate(QuestionSet(question_set).records(pictures=True)):
        found.setdefault(record.subtask, (number, record))
    assert set(found) == {subtask.name for subtask in SUBTASKS}
    return list(found.values())


@pytest.fixture(scope="module")
def rows(question_set):
    return QuestionRows(question_set)


@pytest.fixture(scope="module")
def model(tiny):
    return Transformers(tiny, device="cpu", format_hint=False, tiles=2)


@pytest.fixture(scope="module")
def encoder(model):
    return Encoder(model.processor, model.family, model.pictures)


def talk(*turns):
    """A conversation of plain texts."""
    roles = ("user", "assistant") * len(turns)
    return [
        {"role": role, "content": [{"type": "text", "text": words}]}
        for role, words in zip(roles, turns, strict=False)
    ]


def decoded(encoder, ids):
    return encoder.processor.tokenizer.decode(ids)


def test_prompts_are_those_of_inference_to_the_last_token_and_pixel(model, encoder, records, rows):
    for number, record in records:
        question = replace(record.question, prompt=record.prompt)
        asked = model._prompt(model._engine, model._asked(question))
        learnt = encoder(rows[number])
        assert torch.equal(learnt.ids[: len(asked.ids)], asked.ids)
        assert torch.equal(learnt.pictures["pixel_values"], asked.pixels)
        assert torch.equal(encoder.prompt(rows[number]).ids, asked.ids)


def test_only_the_reply_and_its_end_are_learnt(encoder, records, rows):
    for number, record in records:
        tokens = encoder(rows[number])
        learnt = tokens.labels != IGNORED
        assert decoded(encoder, tokens.ids[learnt]) == f"{record.reply}<|im_end|>"
        assert torch.equal(tokens.labels[learnt], tokens.ids[learnt])
        assert not (learnt[:-1] & ~learnt[1:]).any()  # the reply is what comes last
        assert decoded(encoder, tokens.ids[~learnt]).endswith("<|im_start|>assistant\n")


def test_tokens_of_pictures_are_marked(encoder, rows):
    tokens = encoder(rows[0])
    assert torch.equal(tokens.shown.bool(), tokens.ids == encoder.processor.image_token_id)
    assert tokens.shown.sum() > 0


def test_every_reply_of_a_conversation_is_learnt_and_nothing_else(encoder):
    sample = Sample("talk", talk("Hello", " Good day. ", "How far?", "Two metres."), ())
    tokens = encoder(sample)
    assert not tokens.pictures
    assert (
        decoded(encoder, tokens.ids[tokens.labels != IGNORED]) == "Good day.<|im_end|>Two metres.<|im_end|>"
    )
    whole = encoder.processor.apply_chat_template(
        talk("Hello", "Good day.", "How far?", "Two metres."), add_generation_prompt=False
    )
    assert decoded(encoder, tokens.ids) == whole.rstrip("\n")


def test_pictures_may_come_in_any_turn(encoder):
    picture = np.zeros((40, 60, 3), np.uint8)
    later = talk("Hello", "Good day.", "What is it?", "A cube.")
    later[2]["content"].insert(0, {"type": "image"})
    one, first = encoder(Sample("a", later, (picture,))), encoder(Sample("b", later[2:], (picture,)))
    assert one.shown.sum() == first.shown.sum() > 0
    assert torch.equal(one.pictures["pixel_values"], first.pictures["pixel_values"])


def test_refuses_templates_that_rewrite_earlier_turns(tiny):
    processor = load_processor(tiny)
    processor.chat_template = processor.chat_template.replace(
        "message in messages", "message in messages[-2:]"
    )
    encoder = Encoder(processor, FAMILIES["internvl"])
    with pytest.raises(ValueError, match=r"rewrites earlier turns.*cut the general data"):
        encoder(Sample("talk", talk("a", "b", "c", "d"), ()))


def test_refuses_texts_with_the_picture_mark(encoder):
    with pytest.raises(ValueError, match=r"A text holds the picture mark .*: take that out of the data"):
        encoder(Sample("talk", talk(f"What is {encoder.processor.image_token}?", "A mark."), ()))


def test_blank_has_a_picture_and_nothing_to_learn(encoder):
    blank = encoder.blank()
    assert (blank.labels == IGNORED).all()
    assert blank.shown.sum() > 0


@pytest.mark.parametrize("subtask", ["vc_coord", "depth_cmp_coord"])
def test_positions_are_learnt_in_the_terms_of_the_family(tiny_models, question_set, subtask):
    """Qwen2.5-VL writes pixels: prompt and reply both, so that its reader finds the truth again."""
    processor = load_processor(tiny_models["qwen3_vl"])
    family = FAMILIES["qwen2.5-vl"]
    encoder = Encoder(processor, family, picture_options(processor, 1, 4096))
    records = QuestionSet(question_set).records(pictures=True)
    number, record = next(one for one in enumerate(records) if one[1].subtask == subtask)
    tokens = encoder(QuestionRows(question_set)[number])
    learnt = tokens.labels != IGNORED
    put = translate(record.prompt, record.question, family)
    assert put.prompt != record.prompt
    assert put.prompt in decoded(encoder, tokens.ids[~learnt])
    reply = decoded(encoder, tokens.ids[learnt]).removesuffix("<|im_end|>")
    assert reply != record.reply
    answer = read(reply, record.question, family, put.space)
    truth = np.asarray(record.question.answer.value, float)
    size = record.question.frames[-1].width
    assert np.abs(np.asarray(answer.value, float) - truth).max() <= size / 1000
    assert KINDS[record.question.kind].score(answer, record.question, record.mode)
