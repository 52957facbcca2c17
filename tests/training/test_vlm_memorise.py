from collections import Counter
from dataclasses import replace

import pytest
from vlm_runs import train

from spatial_reward.data.records import QuestionSet
from spatial_reward.models.transformers import Transformers
from spatial_reward.questions import KINDS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),  # about three minutes of a free core
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
]

COUNT = 256


def test_full_fine_tuning_memorises_questions_of_all_families(family, tiny, question_set, tmp_path):
    """From nothing to the reply, word for word: every part of the way must work for this."""
    out = train(
        family, tiny, question_set, tmp_path / "run", "method=full", f"count={COUNT}", "batch=16",
        "per_device=16", "packing=false", "epochs=24", "rate=3e-3", "warmup=0.05", "decay=0",
        "save_every=10000", "log_every=64", "workers=1",
    )  # fmt: skip
    records = list(QuestionSet(question_set).records(pictures=True))
    options = {"tiles": 1} if family == "internvl" else {"most_pixels": 4096}
    model = Transformers(out / "model", device="cpu", batch=32, max_tokens=64, format_hint=False, **options)
    replies = model.replies([replace(record.question, prompt=record.prompt) for record in records])
    asked, right = Counter(), Counter()
    for record, reply in zip(records, replies, strict=True):
        asked[KINDS[record.question.kind].family] += 1
        right[KINDS[record.question.kind].family] += reply == record.reply
    # Four of the 260 were not shown; they can hardly be known by heart.
    assert sum(right.values()) >= 0.95 * COUNT, (right, asked)
    assert len(asked) == 5
    assert all(right[name] >= 0.85 * asked[name] for name in asked)
