"""The built benchmark as a question set, so that every exporter, viewer and trainer reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from spatial_reward.benchmark.multispa_sim import MultiSpaSim
from spatial_reward.data.columns import Columns
from spatial_reward.data.draw import Drawn
from spatial_reward.data.prepared import PreparedScene
from spatial_reward.data.records import FORMAT
from spatial_reward.data.shards import partial_path, sha256, shard_path, write_json


def write_question_set(opened: MultiSpaSim, out: Path) -> Path:
    """Write the questions beside the built scenes; `QuestionSet(out)` reads them, with the same ids."""
    columns = Columns()
    for record in opened.records():
        drawn = Drawn(record.question, record.frames)
        columns.add(
            drawn,
            record.pictures,
            [],
            **{name: getattr(record, name) for name in ("id", "source", "scene", "subtask", "mode")},
            prompt=record.prompt,
            reply=record.reply,
        )
    path = shard_path(out / "questions", 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(path)
    pq.write_table(columns.take(), partial, compression="zstd")
    partial.replace(path)
    return write_json(out / "manifest.json", _manifest(opened, out, path))


def _manifest(opened: MultiSpaSim, out: Path, path: Path) -> Mapping[str, Any]:
    digests = {clip: PreparedScene(out / "scenes" / clip).digest for clip in opened.clips()}
    shard = {"rows": len(opened), "sha256": sha256(path)}
    return opened.manifest | {"format": FORMAT, "scenes": digests, "shards": {path.name: shard}}
