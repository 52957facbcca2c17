"""A copy of the dataset with the rewards inside: new columns of LeRobot, new datasets of HDF5."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from spatial_reward._require import require
from spatial_reward.annotate.columns import REWARD, REWARDS
from spatial_reward.annotate.parts import Part
from spatial_reward.data.episodes import EpisodeReader
from spatial_reward.data.episodes.lerobot_meta import huggingface_features
from spatial_reward.data.episodes.lerobot_stats import number_stats
from spatial_reward.outputs import output_folder

COLUMNS = {**{f"{REWARD}{name}": "float32" for name in REWARDS}, f"{REWARD}valid": "bool"}
GROUP = "spatial_reward"  # of HDF5 episodes


def write_copy(parts: Sequence[Part], reader: EpisodeReader, folder: Path) -> Path:
    """Copy the dataset to `folder` and add the columns; episodes without a result get NaN and False.

    Raises:
        ValueError: If the format has no place for them.
        FileExistsError: If the folder holds something.
    """
    write = {"lerobot": _copy_lerobot, "hdf5": _copy_hdf5}[check_copy(reader)]
    return write(parts, reader.root, folder)


def check_copy(reader: EpisodeReader) -> str:
    """Return the kind of a dataset whose format has a place for more columns.

    Raises:
        ValueError: If it has none.
    """
    kind = reader.format.split()[0]
    if kind not in ("lerobot", "hdf5"):
        raise ValueError(
            f"copy=true can add columns to LeRobot and HDF5 datasets, not to {kind}: "
            "use the sidecar rewards.parquet."
        )
    return kind


def _copy_lerobot(parts: Sequence[Part], root: Path, folder: Path) -> Path:
    columns = {part.job.episode.index: part for part in parts}
    with output_folder(folder) as partial:
        partial.rmdir()
        shutil.copytree(root, partial, copy_function=_linked, ignore=_data_files(root))
        info = json.loads((root / "meta" / "info.json").read_text())
        info["features"] = _with_features(info["features"])
        gathered: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        for path in sorted((root / "data").rglob("*.parquet")):
            _add_columns(path, partial / path.relative_to(root), columns, info["features"], gathered)
        _rewrite(partial / "meta" / "info.json", info)
        _add_stats(partial / "meta", gathered)
    return folder


def _linked(source: str, target: str) -> str:
    """Link large files that stay as they are, copy those of `meta/` and where links are impossible."""
    if Path(source).suffix == ".mp4":
        try:
            os.link(source, target)
            return target
        except OSError:
            pass
    return str(shutil.copy2(source, target))


def _data_files(root: Path) -> Any:
    def ignored(folder: str, names: list[str]) -> list[str]:
        inside = Path(folder).is_relative_to(root / "data")
        return [name for name in names if inside and name.endswith(".parquet")]

    return ignored


def _with_features(features: Mapping[str, Any]) -> dict[str, Any]:
    """Add ours before the automatic ones, which come last."""
    automatic = ("timestamp", "frame_index", "episode_index", "index", "task_index")
    ours = {name: {"dtype": dtype, "shape": [1], "names": None} for name, dtype in COLUMNS.items()}
    before = {name: feature for name, feature in features.items() if name not in automatic}
    last = {name: feature for name, feature in features.items() if name in automatic}
    return {**before, **ours, **last}


def _add_columns(
    source: Path,
    target: Path,
    parts: Mapping[int, Part],
    features: Mapping[str, Any],
    gathered: dict[str, list[Any]],
) -> None:
    """Write a data file again, row group by row group, with our columns."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetFile(source) as file:
        metadata = {**(file.schema_arrow.metadata or {})}
        metadata[b"huggingface"] = json.dumps({"info": {"features": huggingface_features(features)}}).encode()
        writer: Any = None
        for number in range(file.num_row_groups):
            table = file.read_row_group(number)
            for name, values in _values(table, parts).items():
                gathered[name].append(values)
                table = table.append_column(name, pa.array(values, from_pandas=False))
            order = [name for name in features if name in table.column_names]
            table = table.select(order).replace_schema_metadata(metadata)
            writer = writer or pq.ParquetWriter(target, table.schema, compression="snappy")
            writer.write_table(table, row_group_size=max(1, table.num_rows))
        if writer is not None:
            writer.close()


def _values(table: Any, parts: Mapping[int, Part]) -> dict[str, Any]:
    """Return our columns for the rows of a table, by episode and frame."""
    episodes, frames = table["episode_index"].to_numpy(), table["frame_index"].to_numpy()
    values: dict[str, Any] = {
        name: np.zeros(len(frames), bool) if dtype == "bool" else np.full(len(frames), np.nan, np.float32)
        for name, dtype in COLUMNS.items()
    }
    for index in set(episodes.tolist()) & parts.keys():
        rows = episodes == index
        found = parts[index].columns(list(COLUMNS))
        for name in COLUMNS:
            values[name][rows] = found[name][frames[rows]]
    return values


def _add_stats(meta: Path, gathered: Mapping[str, list[Any]]) -> None:
    if (meta / "stats.json").is_file():
        stats = json.loads((meta / "stats.json").read_text())
        stats |= {name: number_stats(np.concatenate(values)) for name, values in gathered.items() if values}
        _rewrite(meta / "stats.json", stats)


def _rewrite(path: Path, content: Any) -> None:
    path.unlink(missing_ok=True)  # it may be a link to the original
    path.write_text(json.dumps(content, indent=4) + "\n")


def _copy_hdf5(parts: Sequence[Part], root: Path, folder: Path) -> Path:
    """Copy the files; each episode gets a group of datasets with units, and attributes."""
    h5py = require("h5py", extra="episodes", purpose="HDF5 files")
    files = (
        [root]
        if root.is_file()
        else sorted(path for path in root.iterdir() if path.suffix in (".hdf5", ".h5"))
    )
    with output_folder(folder) as partial:
        for file in files:
            shutil.copy2(file, partial / file.name)
        for part in parts:
            with h5py.File(_holder(part, partial, files), "r+") as opened:
                group = opened[f"data/{part.name}"] if "data" in opened else opened
                _add_group(group.require_group(GROUP), part)
    return folder


def _holder(part: Part, folder: Path, files: Sequence[Path]) -> Path:
    named = [file for file in files if file.stem == part.name]
    return folder / (named or files)[0].name


def _add_group(group: Any, part: Part) -> None:
    for name, values in part.columns(list(COLUMNS)).items():
        short = name.removeprefix(REWARD)
        stored = group.create_dataset(short, data=np.asarray(values))
        stored.attrs["unit"] = REWARDS.get(short, "1")
    for key in ("goal", "provenance", "camera", "mode", "version"):
        group.attrs[key] = str(part.about.get(key))
    group.attrs["model"] = json.dumps(part.about["model"], sort_keys=True)
