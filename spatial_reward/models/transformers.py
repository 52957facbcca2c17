"""Vision-language models that run here, by Hugging Face transformers: InternVL, Qwen-VL and their kin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np

from spatial_reward.camera import Array
from spatial_reward.chat import Picture, dot_seed, drawn, messages
from spatial_reward.chat_tokens import asked_text
from spatial_reward.models.coordinates import FAMILIES, Family, Space, family, fitted, read, translate
from spatial_reward.models.number_grammar import TokenGrammar
from spatial_reward.models.token_values import first_tokens, offered_probabilities
from spatial_reward.models.vlm_engine import CAUSAL, Engine, State
from spatial_reward.models.vlm_expected import Stated, check_choices, expected_answers
from spatial_reward.models.vlm_generate import Reply, greedy, stop_tokens
from spatial_reward.models.vlm_loading import load_vlm
from spatial_reward.models.vlm_processor import encode, picture_options
from spatial_reward.models.vlm_prompt import Prompt, prompt
from spatial_reward.questions import KINDS, kind
from spatial_reward.types import Answer, Question

Values = Literal["text", "expected"]
DEFAULT = "Qwen/Qwen3-VL-4B-Instruct"


class Asked(NamedTuple):
    """A question in a model's terms: the asking text, its pictures, and how its positions are written."""

    question: Question
    text: str
    pictures: list[Picture]
    space: Space


class Transformers:
    """Ask a vision-language model that takes several pictures; every question gets an answer or a reason.

    Words are read as of any model (`Kind.read`), positions in the way of the model's family. Replies are the
    likeliest ones (greedy). Questions about the same first picture share the reading of it.

    Args:
        model: Folder of a checkpoint (merged, or an adapter that names its base), or id on the hub.
        adapter: Folder or id of a LoRA adapter to put on top.
        device: "auto", "cuda", "cuda:1", "mps" or "cpu".
        dtype: "auto" (bf16, on the CPU fp32), "fp32", "bf16", "fp16", and, with bitsandbytes, "int8", "4bit".
        values: "text" takes the value that the reply states, whose std is unknown; "expected" its expectation
            and std over all that could stand in its place.
        batch: Questions at a time.
        max_tokens: Of a reply; one that is cut off is no answer.
        tiles: Most tiles per picture, for models that take tiles; None is the family's: 6 for InternVL.
        most_pixels: Bound on a picture's area [px], for models that take pictures of any size.
        prefixes: How many read first pictures are kept for later questions; 0 reads every question anew.
        format_hint: Whether the form of the answer is stated; models trained on these questions know it.
        family: Key of `coordinates.FAMILIES`; None finds it by the model's type and name.
        trust_remote_code: Whether code that comes with the checkpoint may run.

    Raises:
        ImportError: If transformers, or what an option needs, is missing.
        OSError: If the model cannot be had.
        ValueError: If an option is unknown, or this model cannot serve it.
    """

    needs: frozenset[str] = frozenset()
    follows = False  # answers do not depend on `Question.previous`

    def __init__(
        self,
        model: str | Path = DEFAULT,
        adapter: str | Path | None = None,
        device: str = "auto",
        dtype: str = "auto",
        values: Values = "text",
        batch: int = 8,
        max_tokens: int = 128,
        tiles: int | None = None,
        most_pixels: int | None = None,
        prefixes: int = 4,
        format_hint: bool = True,
        family: str | None = None,
        trust_remote_code: bool = False,
    ) -> None:
        """Load the model."""
        _check(values, batch, max_tokens, prefixes)
        self.name = f"transformers:{Path(adapter or model).name}"
        self.values = values
        self.batch = batch
        self.max_tokens = max_tokens
        self.format_hint = format_hint
        self.model, self.processor = load_vlm(
            str(model), str(adapter) if adapter else None, device, dtype, trust_remote_code
        )
        self.family = _family_of(self.model.config.model_type, str(model), family)
        tiles = self.family.tiles if tiles is None else tiles
        if most_pixels is not None and self.family.space.full is None:
            raise ValueError(
                "This model's coordinates count pixels, so its pictures keep their size: no `most_pixels`."
            )
        self.pictures = picture_options(self.processor, tiles, most_pixels)
        self._stops = stop_tokens(self.model, self.processor.tokenizer)
        self._engine = self._made_engine(prefixes)
        self._grammar: TokenGrammar | None = None
        if values == "expected":
            check_choices(self.processor.tokenizer)
            self._grammar = TokenGrammar(self.processor.tokenizer)

    def _made_engine(self, prefixes: int) -> Engine | None:
        """Return the engine for plain causal models; others are left to their own `generate`."""
        found = self.model.config.model_type
        if found in CAUSAL:
            return Engine(self.model, prefixes)
        if self.values == "expected":
            raise ValueError(f"values=expected is known for {', '.join(CAUSAL)}, not for {found}: use text.")
        return None

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer every question, or say why not."""
        answers: dict[int, Answer] = {}
        asked: dict[int, Asked] = {}
        for index, question in enumerate(questions):
            try:
                asked[index] = self._asked(question)
            except ValueError as error:
                unit = KINDS[question.kind].unit if question.kind in KINDS else "1"
                answers[index] = Answer.unknown(str(error), unit, self.name)
        for indices, found in self._answered(asked):
            answers |= zip(indices, found, strict=True)
        return [answers[index] for index in range(len(questions))]

    def replies(self, questions: Sequence[Question]) -> list[str]:
        """Return the words of the replies, unread.

        Raises:
            ValueError: If a question is of an unknown kind, or lacks points.
        """
        asked = {index: self._asked(question) for index, question in enumerate(questions)}
        texts: dict[int, str] = {}
        for indices, group, prompts in self._groups(asked):
            found, _ = self._replies(group, prompts)
            texts |= zip(indices, (self._words(reply) for reply in found), strict=True)
        return [texts[index] for index in range(len(questions))]

    def probabilities(
        self, questions: Sequence[Question], offered: Sequence[str] = ("True", "False")
    ) -> Array:
        """Return how likely each offered word is to start the reply, normalised over them.

        With a statement as a question's `prompt`, such as "The cube is on the pad. True or False?", the first
        column is the model's probability that it holds.

        Returns:
            (questions, offered).

        Raises:
            ValueError: If two words start with the same token, the model's type is unknown, or a question is
                of an unknown kind or lacks points.
        """
        if self._engine is None:
            raise ValueError(f"Probabilities are known for {', '.join(CAUSAL)} models only.")
        shared, tokens = first_tokens(self.processor.tokenizer, offered)
        asked = {index: self._asked(question, hint=False) for index, question in enumerate(questions)}
        table = np.empty((len(questions), len(offered)))
        for indices, group, prompts in self._groups(asked):
            state = self._engine.extend(self._engine.read(prompts), [shared] * len(group))
            table[indices] = offered_probabilities(state.logits, tokens)
        return table

    def _asked(self, question: Question, hint: bool = True) -> Asked:
        """Put a question into the model's terms: always in the same words."""
        if not question.frames:
            raise ValueError(f"A {question.kind!r} question needs a picture.")
        words = kind(question.kind).phrase(question, np.random.default_rng(0), self.format_hint and hint)
        words, space = translate(words, question, self.family)
        whole = [fitted(frame.rgb, self.family) for frame in question.frames]
        seed = dot_seed(question)
        text = asked_text(self.processor, messages(question, words), self.family.template)
        return Asked(question, text, drawn(question, whole, seed), space)

    def _answered(self, asked: Mapping[int, Asked]) -> Iterator[tuple[list[int], list[Answer]]]:
        for indices, group, prompts in self._groups(asked):
            replies, state = self._replies(group, prompts)
            answers = [self._read(one, reply) for one, reply in zip(group, replies, strict=True)]
            if self._engine and self._grammar and state:
                stated = [
                    Stated(one.question, one.space, self._words(reply), answer) if answer.valid else None
                    for one, reply, answer in zip(group, replies, answers, strict=True)
                ]
                expected = expected_answers(
                    self._engine, state, stated, self._grammar, self.processor.tokenizer
                )
                answers = [new or old for new, old in zip(expected, answers, strict=True)]
            yield indices, answers

    def _groups(self, asked: Mapping[int, Asked]) -> Iterator[tuple[list[int], list[Asked], list[Prompt]]]:
        """Yield batches of questions of about one length, those about the same first picture together."""
        firsts: dict[int, int] = {}
        for index, one in asked.items():
            firsts.setdefault(id(one.question.frames[0]), index)

        def place(index: int) -> tuple[int, int, int]:
            one = asked[index]
            area = sum(picture.size for picture in one.pictures)
            return area, firsts[id(one.question.frames[0])], len(one.text)

        order, engine = sorted(asked, key=place), self._engine
        for start in range(0, len(order), self.batch):
            indices = order[start : start + self.batch]
            group = [asked[index] for index in indices]
            yield indices, group, [self._prompt(engine, one) for one in group] if engine else []

    def _prompt(self, engine: Engine, one: Asked) -> Prompt:
        inputs = encode(self.processor, [one.text], [one.pictures], self.pictures)
        return prompt(inputs, engine.positions(inputs), self.model.config.image_token_id, one.pictures)

    def _replies(self, group: list[Asked], prompts: list[Prompt]) -> tuple[list[Reply], State | None]:
        if self._engine:
            state = self._engine.read(prompts)
            return greedy(self._engine, state, self._stops, self.max_tokens), state
        return self._stock_replies(group), None

    def _stock_replies(self, group: list[Asked]) -> list[Reply]:
        """Reply by the model class's own `generate`."""
        inputs = encode(
            self.processor, [one.text for one in group], [one.pictures for one in group], self.pictures
        )
        dtype, device, length = self.model.dtype, self.model.device, inputs["input_ids"].shape[1]
        moved = {
            name: value.to(device, dtype if value.is_floating_point() else None)
            for name, value in inputs.items()
        }
        pad = self.processor.tokenizer.pad_token_id
        options = {"do_sample": False, "max_new_tokens": self.max_tokens, "pad_token_id": pad}
        found = self.model.generate(**moved, **options)[:, length:].tolist()
        return [self._until_stop(ids) for ids in found]

    def _until_stop(self, ids: list[int]) -> Reply:
        end = next((place for place, token in enumerate(ids) if token in self._stops), None)
        return Reply(ids[:end], end is not None)

    def _words(self, reply: Reply) -> str:
        words: str = self.processor.tokenizer.decode(reply.ids, skip_special_tokens=True)
        return words

    def _read(self, one: Asked, reply: Reply) -> Answer:
        words, unit = self._words(reply), KINDS[one.question.kind].unit
        if not reply.whole:
            why = f"The reply was cut off after {self.max_tokens} tokens (raise `max_tokens`): {words}"
            return Answer.unknown(why, unit, self.name)
        answer = read(words, one.question, self.family, one.space)
        if answer.value is None:
            return Answer.unknown(f"The reply states no usable answer: {words}", unit, self.name)
        return replace(answer, source=self.name)


def _family_of(model_type: str, source: str, name: str | None) -> Family:
    """Return the family called `name`, else that of the model's type, else that of its name."""
    if name is not None:
        return family("", name)
    by_type = family(model_type)
    return by_type if by_type is not FAMILIES["thousandths"] else family(source)


def _check(values: str, batch: int, max_tokens: int, prefixes: int) -> None:
    if values not in get_args(Values):
        raise ValueError(f"`values` must be one of {', '.join(get_args(Values))}, got {values!r}.")
    for name, count, least in (("batch", batch, 1), ("max_tokens", max_tokens, 1), ("prefixes", prefixes, 0)):
        if count < least:
            raise ValueError(f"`{name}` must be at least {least}, got {count}.")
