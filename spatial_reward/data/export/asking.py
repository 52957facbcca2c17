"""How sets are put to models that were not trained on them: a name, and the format of the answers."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from spatial_reward.data.records import Record
from spatial_reward.questions import KINDS


def asked(record: Record, hint: bool = True) -> str:
    """Return the prompt of a record, followed by the exact format of its answer where wanted."""
    question = replace(record.question, prompt=record.prompt)
    return KINDS[question.kind].phrase(question, np.random.default_rng(0), hint)


def set_name(set_folder: Path) -> str:
    """Return the name of a set as harnesses take it: letters, digits and underscores.

    >>> set_name(Path("/data/push v1.2"))
    'push_v1_2'
    """
    return re.sub(r"\W", "_", set_folder.resolve().name, flags=re.ASCII)
