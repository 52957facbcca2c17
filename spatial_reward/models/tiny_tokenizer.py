"""A small byte-level tokenizer, learnt from the words of the questions: every digit is a token of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from string import Formatter
from typing import TYPE_CHECKING, Any

from spatial_reward._require import require
from spatial_reward.questions.wording import Wording
from spatial_reward.questions.wording_camera import CAMERA_WORDING
from spatial_reward.questions.wording_correspondence import CORRESPONDENCE_WORDING
from spatial_reward.questions.wording_depth import DEPTH_WORDING
from spatial_reward.questions.wording_object import OBJECT_MOTION_WORDING, SIZE_WORDING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

VOCABULARY = 1280  # tokens, of which 256 are bytes
PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
NUMBERS = "[ 0 , -1 , 2 ] ` [ x , y ] ` True False Image-1: Image-2: system user assistant\n"

# Marks of pictures, by the names that the processors of the two families look for.
MARKS: dict[str, dict[str, str]] = {
    "internvl": {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    },
    "qwen3_vl": {
        "vision_start_token": "<|vision_start|>",
        "vision_end_token": "<|vision_end|>",
        "image_token": "<|image_pad|>",
        "video_token": "<|video_pad|>",
    },
}


def tiny_tokenizer(family: str, template: str) -> PreTrainedTokenizerBase:
    """Learn a tokenizer from the templates of all question kinds; the same on every call.

    Args:
        family: "internvl" or "qwen3_vl": decides the marks of pictures.
        template: Chat template, in Jinja.

    Raises:
        ImportError: If transformers is missing.
    """
    transformers = require("transformers", "vlm", "a tokenizer")
    tokens = {"eos_token": END, "pad_token": PAD, "unk_token": PAD}
    options: dict[str, Any] = {"extra_special_tokens": MARKS[family], "chat_template": template}
    vocabulary, merges = _learnt(list(_words()))
    tokenizer: PreTrainedTokenizerBase = transformers.Qwen2Tokenizer(
        vocab=vocabulary, merges=merges, padding_side="left", model_max_length=32768, **tokens, **options
    )
    tokenizer.add_tokens([START, END], special_tokens=True)
    return tokenizer


def _words() -> Iterator[str]:
    """Yield every template of every kind, with its slots taken out."""
    tables = (DEPTH_WORDING, CORRESPONDENCE_WORDING, CAMERA_WORDING, OBJECT_MOTION_WORDING, SIZE_WORDING)
    for table in tables:
        for wording in table.values():
            yield from map(_without_slots, _templates(wording))
    yield NUMBERS


def _templates(wording: Wording) -> tuple[str, ...]:
    asked = wording.settings + wording.conventions + wording.questions + (wording.hint,)
    return asked + wording.replies + wording.still_replies


def _without_slots(template: str) -> str:
    return "".join(words for words, *_ in Formatter().parse(template))


def _learnt(words: list[str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Return the vocabulary and the merges of a byte-level BPE, split as Qwen splits."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import Qwen2Tokenizer

    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = Qwen2Tokenizer().backend_tokenizer.pre_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    learner.train_from_iterator(words, trainer)
    learnt = json.loads(learner.to_str())["model"]
    return learnt["vocab"], [tuple(pair) for pair in learnt["merges"]]
