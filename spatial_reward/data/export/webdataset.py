"""WebDataset shards: tar files in which the files of a record share a key, in order, for streaming."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spatial_reward.chat import messages
from spatial_reward.data.export.cutting import cut
from spatial_reward.data.export.pictures import Pictures
from spatial_reward.data.export.truth import plain, unit
from spatial_reward.data.records import QuestionSet, Record
from spatial_reward.outputs import output_folder

PER_SHARD = 1000  # records


def export(set_folder: Path, out: Path | None = None, *, per_shard: int = PER_SHARD) -> Path:
    """Write `000000.tar` and so on with `<key>.json`, `<key>.0.jpg`, `<key>.1.jpg`; return the folder.

    A key is the number of the record in the set, since a dot in an id would end the key. Headers hold no
    time and no owner, so the same set gives the same bytes.

    Args:
        set_folder: A question set.
        out: Folder to write; `exports/webdataset` of the set where None.
        per_shard: Records of a tar file.

    Raises:
        FileExistsError: If the folder already holds something.
        FileNotFoundError: If the set or one of its pictures is missing.
    """
    questions, final = QuestionSet(set_folder), out or set_folder / "exports" / "webdataset"
    with output_folder(final) as folder:
        pictures = Pictures(set_folder, folder, final)
        for shard, numbered in enumerate(cut(enumerate(questions.records()), per_shard)):
            with tarfile.open(folder / f"{shard:06d}.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
                for number, record in numbered:
                    for suffix, content in _files(record, pictures):
                        tar.addfile(_header(f"{number:09d}.{suffix}", len(content)), io.BytesIO(content))
    return final


def _files(record: Record, pictures: Pictures) -> Iterator[tuple[str, bytes]]:
    yield "json", json.dumps(_description(record)).encode()
    for number, file in enumerate(pictures.files(record)):
        yield f"{number}{file.suffix}", file.content


def _description(record: Record) -> dict[str, Any]:
    return {
        "id": record.id,
        "source": record.source,
        "scene": record.scene,
        "subtask": record.subtask,
        "messages": messages(record.question, record.prompt, record.reply),
        "prompt": record.prompt,
        "reply": record.reply,
        "answer": plain(record),
        "unit": unit(record),
    }


def _header(name: str, size: int) -> tarfile.TarInfo:
    """Make a header without time and owner."""
    header = tarfile.TarInfo(name)
    header.size, header.mode, header.mtime = size, 0o644, 0
    return header
