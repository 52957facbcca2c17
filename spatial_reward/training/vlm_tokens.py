"""Conversations as tokens, with a mask that learns the replies alone; prompts are those of inference."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from spatial_reward.chat import Message, Picture, dot_seed, drawn, messages
from spatial_reward.chat_tokens import IGNORED, asked_text, continued_ids
from spatial_reward.models.coordinates import THOUSANDTHS, Family, Space, fitted, translate
from spatial_reward.models.vlm_processor import encode
from spatial_reward.training.vlm_rows import Sample
from spatial_reward.types import Question

_POSITION = re.compile(r"\[ (\d{1,4}) , (\d{1,4}) \]")


@dataclass(frozen=True, eq=False)
class Tokens:
    """A conversation, ready for a model.

    Attributes:
        id: For messages.
        ids: (L,) tokens.
        labels: (L,) the same where they are learnt, else `IGNORED`.
        shown: (L,) 1 where a token stands for a part of a picture.
        pictures: The processor's tensors, one row per tile, patch or picture.
    """

    id: str
    ids: Tensor
    labels: Tensor
    shown: Tensor
    pictures: Mapping[str, Tensor] = field(default_factory=dict)


class Part(NamedTuple):
    """A part of the text of a conversation, and whether it is learnt."""

    text: str
    learnt: bool


@dataclass(frozen=True)
class Encoder:
    """Turn conversations into tokens.

    A prompt is encoded as at inference, a reply after it and apart from it: so no token ever spans the two,
    and the prompt's tokens are those of inference to the last one.

    Attributes:
        processor: Of the model.
        family: How the model writes positions, and what is particular about its template.
        options: Of its pictures, from `picture_options`.
    """

    processor: Any
    family: Family
    options: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, sample: Sample) -> Tokens:
        """Encode a conversation; the replies with their end tokens are learnt.

        Raises:
            ValueError: If the chat template changes what was said before, or a text holds the picture mark.
        """
        talk, pictures = self._put(sample)
        parts: list[Tokens] = []
        for part in self._parts(talk):
            count = 0 if part.learnt else part.text.count(self._mark)
            parts.append(self._encoded(part, pictures[:count], first=not parts))
            pictures = pictures[count:]
        if pictures:
            raise ValueError(f"{sample.id} has pictures after its last reply.")
        names = dict.fromkeys(name for part in parts for name in part.pictures)
        return Tokens(
            sample.id,
            torch.cat([part.ids for part in parts]),
            torch.cat([part.labels for part in parts]),
            torch.cat([part.shown for part in parts]),
            {name: torch.cat([p.pictures[name] for p in parts if name in p.pictures]) for name in names},
        )

    def prompt(self, sample: Sample) -> Tokens:
        """Encode what comes before the first reply."""
        talk, pictures = self._put(sample)
        asked = next(self._parts(talk))
        return self._encoded(asked, pictures[: asked.text.count(self._mark)], first=True)

    def blank(self) -> Tokens:
        """Return a sample with a small grey picture and nothing to learn."""
        asked = self._asked([{"role": "user", "content": [{"type": "image"}]}])
        return self._encoded(Part(asked, False), [np.full((32, 32, 3), 127, np.uint8)], first=True)

    def _put(self, sample: Sample) -> tuple[list[Message], list[Picture]]:
        """Put a question in the family's terms, as at inference, and its reply likewise."""
        if sample.question is None:
            return [_trimmed(turn) for turn in sample.messages], list(sample.pictures)
        question, (asked, replied) = sample.question, sample.messages
        put = translate(asked["content"][-1]["text"], question, self.family)
        reply = replied["content"][0]["text"]
        if put.space != THOUSANDTHS:
            reply = _translated_reply(reply, question, put.space)
        pictures = [fitted(frame.rgb, self.family) for frame in question.frames]
        # The colours of inference, which depend on nothing but the question.
        seed = dot_seed(question)
        return messages(question, put.prompt, reply), drawn(question, pictures, seed)

    def _parts(self, talk: Sequence[Message]) -> Iterator[Part]:
        """Yield what is asked and what is replied, in turn; what follows the last reply is left out."""
        said = ""
        for turn, message in enumerate(talk):
            if message["role"] != "assistant":
                continue
            asked = self._asked(talk[:turn])
            if asked.count(self._mark) != _pictures_in(talk[:turn]):
                raise ValueError(f"A text holds the picture mark {self._mark!r}: take that out of the data.")
            if not asked.startswith(said):
                raise ValueError(
                    "The chat template rewrites earlier turns, so that several replies of one conversation "
                    "cannot be learnt at once: cut the general data into conversations of one reply."
                )
            reply = message["content"][0]["text"] + self._end
            yield Part(asked.removeprefix(said), False)
            yield Part(reply, True)
            said = asked + reply

    def _encoded(self, part: Part, pictures: list[Picture], first: bool) -> Tokens:
        coded = self._coded(part.text, pictures, first)
        ids = coded["input_ids"][0]
        labels = ids.clone() if part.learnt else torch.full_like(ids, IGNORED)
        tensors = {name: coded[name] for name in ("pixel_values", "image_grid_thw") if name in coded}
        return Tokens("blank", ids, labels, (ids == self.processor.image_token_id).long(), tensors)

    def _coded(self, text: str, pictures: list[Picture], first: bool) -> Mapping[str, Tensor]:
        """Encode a text with its pictures; only the first of a conversation may get a start token."""
        if not first and not pictures:
            return {"input_ids": torch.tensor([continued_ids(self.processor.tokenizer, text)])}
        coded = encode(self.processor, [text], [pictures], dict(self.options))
        start = self.processor.tokenizer.bos_token_id
        if not first and start is not None and coded["input_ids"][0, 0] == start:
            return {**coded, "input_ids": coded["input_ids"][:, 1:]}
        return coded

    def _asked(self, talk: Sequence[Message]) -> str:
        return asked_text(self.processor, talk, self.family.template)

    @cached_property
    def _end(self) -> str:
        """What ends a reply, as the template writes it."""
        told = [{"role": role, "content": [{"type": "text", "text": role}]} for role in ("user", "assistant")]
        whole = self.processor.apply_chat_template(told, **self.family.template)
        end = whole.rpartition("assistant")[2].strip() or self.processor.tokenizer.eos_token
        return str(end)

    @cached_property
    def _mark(self) -> str:
        return str(self.processor.image_token)


def _translated_reply(reply: str, question: Question, space: Space) -> str:
    """Write the positions of a reply, which are in thousandths of the last picture, in another space."""
    size = question.frames[-1].width, question.frames[-1].height
    return _POSITION.sub(lambda found: space.write((float(found[1]), float(found[2])), size), reply)


def _pictures_in(talk: Sequence[Message]) -> int:
    return sum(block["type"] == "image" for turn in talk for block in turn["content"])


def _trimmed(turn: Message) -> Message:
    """Make a reply one text without space around it, which no model needs to learn."""
    if turn["role"] != "assistant":
        return turn
    words = "".join(block["text"] for block in turn["content"]).strip()
    return {"role": "assistant", "content": [{"type": "text", "text": words}]}
