"""One file about all episodes: the sidecar, and the progress file that LeRobot reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from spatial_reward.annotate.columns import KEYS, REWARD
from spatial_reward.annotate.parts import KEY, Part
from spatial_reward.viz.files import partial_file

SIDECAR, PROGRESS = "rewards.parquet", "spatial_progress.parquet"
SAME = (
    "version",
    "model",
    "weights",
    "camera",
    "depth",
    "mode",
    "stride",
    "impute",
    "static_camera",
)  # for all episodes


def write_sidecar(parts: Sequence[Part], folder: Path) -> Path:
    """Write the columns of all episodes to one file, a row group each; what an episode lacks is null.

    Its metadata name units, model, mode and imputation, and for each episode goal, camera and digest.
    """
    schema = pa.unify_schemas([pq.read_schema(part.path) for part in parts], promote_options="default")
    episodes = {part.job.episode.index: _own(part) for part in parts}
    said = {**{key: parts[0].about.get(key) for key in SAME}, "episodes": episodes}
    schema = schema.with_metadata({KEY: json.dumps(said, sort_keys=True).encode()})
    return _write(folder / SIDECAR, schema, (_widened(pq.read_table(part.path), schema) for part in parts))


def write_progress(parts: Sequence[Part], folder: Path) -> Path:
    """Write the progress that LeRobot's `RABCWeights` reads, as `progress_sparse`; NaN stands for missing."""
    model = json.dumps(parts[0].about["model"], sort_keys=True)
    keys = [pa.field(name, pa.int64()) for name in KEYS]
    schema = pa.schema(
        [*keys, pa.field("progress_sparse", pa.float32())], metadata={"reward_model_path": model}
    )
    tables = (
        pq.read_table(part.path, columns=[*KEYS, f"{REWARD}progress"])
        .rename_columns([*KEYS, "progress_sparse"])
        .cast(schema)
        for part in parts
    )
    return _write(folder / PROGRESS, schema, tables)


def _own(part: Part) -> dict[str, Any]:
    return {key: value for key, value in part.about.items() if key not in SAME}


def _widened(table: Any, schema: Any) -> Any:
    """Return a table with all columns of the schema."""
    arrays = [
        table[field.name] if field.name in table.column_names else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.table(arrays, schema=schema)


def _write(path: Path, schema: Any, tables: Any) -> Path:
    partial = partial_file(path)
    try:
        with pq.ParquetWriter(partial, schema, compression="zstd") as writer:
            for table in tables:
                writer.write_table(table, row_group_size=max(1, table.num_rows))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path
