"""Validation questions, answered in words by the model in training, read and scored as the benchmark does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad as pad_row

from spatial_reward.chat_tokens import IGNORED
from spatial_reward.data.records import QuestionSet, Record
from spatial_reward.models.coordinates import read, translate
from spatial_reward.models.vlm_generate import stop_tokens
from spatial_reward.questions import KINDS, SUBTASKS
from spatial_reward.training.packing import Collator
from spatial_reward.training.vlm_rows import QuestionRows
from spatial_reward.training.vlm_tokens import Encoder, Tokens

MOST_TOKENS = 96  # of a reply; the longest template takes about 50
_NAMES = [subtask.name for subtask in SUBTASKS]


@dataclass(frozen=True)
class Exam:
    """A choice of a question set.

    Attributes:
        rows: The chosen questions, with pictures.
        records: The same, with their truths.
        encoder: Of the model.
        collator: Makes the batches for the loss.
        at_once: Questions of a forward pass.
    """

    rows: QuestionRows
    records: list[Record]
    encoder: Encoder
    collator: Collator
    at_once: int

    @classmethod
    def of(cls, folder: Path, count: int, encoder: Encoder, collator: Collator, at_once: int) -> Exam:
        """Choose questions of a set, always the same.

        Raises:
            FileNotFoundError: If there is no such set.
        """
        rows = QuestionRows(folder, count=count)
        wanted = {rows.id_of(number) for number in range(len(rows))}
        records = [record for record in QuestionSet(folder).records() if record.id in wanted]
        return cls(rows, records, encoder, collator, at_once)

    def __len__(self) -> int:
        """Return the number of questions."""
        return len(self.rows)

    @torch.no_grad()
    def sit(self, model: Any, process: int = 0, processes: int = 1) -> Tensor:
        """Answer this process's share of the questions.

        Every process makes equally many forward passes; those that have run out of questions repeat one.

        Returns:
            (2, subtasks + 1): right answers and questions of each subtask; last, sum of losses and tokens.
        """
        found = torch.zeros(2, len(_NAMES) + 1, dtype=torch.float64)
        rounds = -(-len(self) // (processes * self.at_once))
        for turn in range(rounds):
            first = (turn * processes + process) * self.at_once
            numbers = list(range(first, min(first + self.at_once, len(self))))
            replies = self.replies(model, numbers or [0], in_step=processes > 1)
            loss = self.loss(model, numbers or [0])
            found[:, -1] += loss if numbers else 0.0
            for number, reply in zip(numbers, replies, strict=False):
                record = self.records[number]
                right = float(self.is_right(record, reply))
                found[:, _NAMES.index(record.subtask)] += torch.tensor([right, 1.0])
        return found

    def loss(self, model: Any, numbers: Sequence[int]) -> Tensor:
        """Return the sum of losses over the tokens of some replies, and how many tokens they have."""
        batch = self.collator([self.encoder(self.rows[number]) for number in numbers])
        moved = {name: value.to(model.device) for name, value in batch.items()}
        total = model(**moved, num_items_in_batch=1, use_cache=False).loss
        tokens = (batch["labels"][:, 1:] != IGNORED).sum()
        return torch.tensor([float(total), float(tokens)], dtype=torch.float64)

    def replies(self, model: Any, numbers: Sequence[int], in_step: bool = False) -> list[str]:
        """Answer some questions greedily."""
        asked = [self.encoder.prompt(self.rows[number]) for number in numbers]
        batch = {name: value.to(model.device) for name, value in _left_padded(asked, self._pad)}
        stops = sorted(stop_tokens(model, self.encoder.processor.tokenizer))
        said = model.generate(
            **batch,
            max_new_tokens=MOST_TOKENS,
            do_sample=False,
            eos_token_id=stops,
            pad_token_id=self._pad,
            synced_gpus=in_step,
        )
        words: list[str] = self.encoder.processor.tokenizer.batch_decode(
            said[:, batch["input_ids"].shape[1] :], skip_special_tokens=True
        )
        return words

    def is_right(self, record: Record, reply: str) -> bool:
        """Tell whether a reply counts as correct."""
        question, family = record.question, self.encoder.family
        space = translate(record.prompt, question, family).space
        answer = read(reply, question, family, space)
        return bool(KINDS[question.kind].score(answer, question, record.mode))

    @property
    def _pad(self) -> int:
        return int(self.encoder.processor.tokenizer.pad_token_id)


def marks(found: Tensor) -> dict[str, float]:
    """Return the mean loss of a token, and the share of right answers: mean over subtasks, and of each."""
    *rows, (loss, tokens) = found.T.tolist()
    named = zip(_NAMES, rows, strict=True)
    each = {f"accuracy_{name}": right / asked for name, (right, asked) in named if asked}
    return {"loss": loss / max(tokens, 1.0), "accuracy": sum(each.values()) / len(each), **each}


def _left_padded(asked: Sequence[Tokens], pad: int) -> Iterator[tuple[str, Tensor]]:
    length = max(len(one.ids) for one in asked)

    def filled(rows: Sequence[Tensor], filling: int) -> Tensor:
        return torch.stack([pad_row(row, (length - len(row), 0), value=filling) for row in rows])

    yield "input_ids", filled([one.ids for one in asked], pad)
    yield "attention_mask", filled([torch.ones_like(one.ids) for one in asked], 0)
    for name in dict.fromkeys(name for one in asked for name in one.pictures):
        yield name, torch.cat([one.pictures[name] for one in asked if name in one.pictures])
        if name == "image_grid_thw":
            yield "mm_token_type_ids", filled([one.shown for one in asked], 0)
