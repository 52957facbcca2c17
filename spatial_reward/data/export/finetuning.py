"""Conversations in JSON lines, as other fine-tuning programs take them: `<image>` in a text is a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from spatial_reward.chat import messages
from spatial_reward.data.export.pictures import Pictures
from spatial_reward.data.records import QuestionSet, Record

CONVERSATIONS = "train.jsonl"
RATE, WARMUP, DECAY, RANK, ALPHA, DROPOUT = 4e-5, 0.03, 0.05, 16, 32, 0.05  # MultiSPA's, as in train_vlm.yaml
BATCH = 192  # samples of a step


def write_conversations(questions: QuestionSet, pictures: Pictures, folder: Path) -> None:
    """Write a line per question: `messages` with texts as content, and `images` as relative paths."""
    with (folder / CONVERSATIONS).open("w") as file:
        for record in questions.records():
            file.write(json.dumps(_row(record, pictures.paths(record))) + "\n")


def _row(record: Record, paths: list[str]) -> dict[str, Any]:
    talk = messages(record.question, record.prompt, record.reply)
    turns = [{"role": turn["role"], "content": "".join(map(_text, turn["content"]))} for turn in talk]
    return {"id": record.id, "messages": turns, "images": paths}


def _text(block: dict[str, Any]) -> str:
    return "<image>" if block["type"] == "image" else str(block["text"])
