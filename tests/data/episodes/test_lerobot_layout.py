"""The bytes of LeRobot datasets lie where the format says: v3.0 and v2.1."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from recorded_rollouts import FPS, TASK, rollout

from spatial_reward.data.episodes import open_episodes
from spatial_reward.data.episodes.write_lerobot import write_lerobot
from spatial_reward.data.episodes.write_lerobot_v21 import write_lerobot_v21

AUTOMATIC = ["timestamp", "frame_index", "episode_index", "index", "task_index"]
INFO_V3 = {
    *("codebase_version", "fps", "features", "total_episodes", "total_frames", "total_tasks", "chunks_size"),
    *("data_files_size_in_mb", "video_files_size_in_mb", "data_path", "video_path", "robot_type", "splits"),
}


def rollouts():
    return [rollout(0, 8), rollout(1, 5, task="another task"), rollout(2, 6)]


@pytest.fixture(scope="module")
def v3(tmp_path_factory):
    return write_lerobot(rollouts(), tmp_path_factory.mktemp("v3") / "set", FPS)


def test_v3_info_says_what_there_is(v3):
    info = json.loads((v3 / "meta" / "info.json").read_text())
    assert set(info) == INFO_V3
    assert (info["total_episodes"], info["total_frames"], info["total_tasks"]) == (3, 19, 2)
    assert info["splits"] == {"train": "0:3"} and info["codebase_version"] == "v3.0"
    assert list(info["features"])[-5:] == AUTOMATIC
    front = info["features"]["observation.images.front"]
    assert front["shape"] == [96, 96, 3] and front["names"] == ["height", "width", "channels"]
    assert front["info"]["video.codec"] == "av1" and front["info"]["video.g"] == 2
    assert info["features"]["observation.depth.front"]["info"]["is_depth_map"] is True


def test_v3_has_one_row_group_per_episode_and_global_numbers(v3):
    file = pq.ParquetFile(v3 / "data" / "chunk-000" / "file-000.parquet")
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [8, 5, 6]
    table = file.read()
    assert table["index"].to_pylist() == list(range(19))
    assert table["task_index"].to_pylist() == [0] * 8 + [1] * 5 + [0] * 6
    assert str(table.schema.field("action").type) == "fixed_size_list<element: float>[3]"
    assert str(table.schema.field("timestamp").type) == "float"
    words = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert list(words) == table.column_names
    assert words["action"] == {
        "feature": {"dtype": "float32", "_type": "Value"},
        "length": 3,
        "_type": "Sequence",
    }
    assert file.metadata.row_group(0).column(0).compression == "SNAPPY"


def test_v3_tasks_are_a_pandas_frame_indexed_by_their_words(v3):
    tasks = pd.read_parquet(v3 / "meta" / "tasks.parquet")
    assert tasks.index.name == "task" and tasks.loc["another task", "task_index"] == 1


def test_v3_episodes_say_where_everything_is(v3):
    table = pq.read_table(v3 / "meta" / "episodes" / "chunk-000" / "file-000.parquet").to_pylist()
    assert [row["length"] for row in table] == [8, 5, 6]
    assert [(row["dataset_from_index"], row["dataset_to_index"]) for row in table] == [
        (0, 8),
        (8, 13),
        (13, 19),
    ]
    key = "videos/observation.images.front"
    assert [row[f"{key}/from_timestamp"] for row in table] == pytest.approx([0, 0.8, 1.3])
    assert table[1]["tasks"] == ["another task"]
    for name in ("min", "max", "mean", "std", "count", "q01", "q10", "q50", "q90", "q99"):
        assert table[0][f"stats/action/{name}"] is not None
    assert np.array(table[0]["stats/observation.images.front/mean"]).shape == (3, 1, 1)


def test_v3_statistics_are_those_of_the_columns(v3):
    stats = json.loads((v3 / "meta" / "stats.json").read_text())
    states = np.concatenate([one.columns["observation.state"] for one in rollouts()])
    np.testing.assert_allclose(stats["observation.state"]["mean"], states.mean(0), atol=1e-6)
    np.testing.assert_allclose(stats["observation.state"]["q50"], np.quantile(states, 0.5, 0), atol=1e-6)
    assert 0.2 < np.mean(stats["observation.images.front"]["mean"]) < 0.6
    assert stats["index"]["count"] == [19]


def test_v3_goes_on_in_other_files_when_they_are_large(tmp_path):
    root = write_lerobot(rollouts(), tmp_path / "set", FPS, video_mb=0.001, data_mb=0.001, codec="h264")
    assert len(list(root.glob("videos/observation.images.front/chunk-000/*.mp4"))) == 3
    assert len(list(root.glob("data/chunk-000/*.parquet"))) > 1
    reader = open_episodes(root)
    for info, one in zip(reader.episodes(), rollouts(), strict=True):
        seen = list(reader.frames(info, "side", [0, info.length - 1]))
        assert np.abs(seen[1].rgb.astype(int) - one.frames["side"][-1].rgb).mean() < 8
        np.testing.assert_allclose(reader.column(info, "action"), one.columns["action"], atol=1e-6)


def test_v21_has_files_for_each_episode(tmp_path):
    root = write_lerobot_v21(rollouts(), tmp_path / "set", FPS)
    info = json.loads((root / "meta" / "info.json").read_text())
    assert (info["codebase_version"], info["total_videos"], info["total_chunks"]) == ("v2.1", 12, 1)
    assert (root / "videos/chunk-000/observation.images.side/episode_000002.mp4").is_file()
    lines = [json.loads(line) for line in (root / "meta" / "episodes.jsonl").read_text().splitlines()]
    assert lines[1] == {"episode_index": 1, "tasks": ["another task"], "length": 5}
    tasks = [json.loads(line) for line in (root / "meta" / "tasks.jsonl").read_text().splitlines()]
    assert tasks[0] == {"task_index": 0, "task": TASK}
    stats = json.loads((root / "meta" / "episodes_stats.jsonl").read_text().splitlines()[2])
    assert stats["stats"]["action"]["count"] == [6]
    table = pq.read_table(root / "data" / "chunk-000" / "episode_000001.parquet")
    assert table["index"].to_pylist() == list(range(8, 13))


def test_episodes_with_other_columns_do_not_fit(tmp_path):
    other = rollout(1, 4)
    other.columns["action"] = other.columns["action"][:, :2]
    with pytest.raises(ValueError, match=r"Episode 1 has other features than the first: action"):
        write_lerobot([rollout(0, 4), other], tmp_path / "set", FPS, codec="h264")
    assert not list(tmp_path.iterdir())


def test_other_versions_are_refused(v3, tmp_path):
    (tmp_path / "meta").mkdir()
    info = json.loads((v3 / "meta" / "info.json").read_text())
    (tmp_path / "meta" / "info.json").write_text(json.dumps({**info, "codebase_version": "v1.6"}))
    with pytest.raises(ValueError, match=r"is LeRobot v1.6; v3.0 and v2.1 can be read"):
        open_episodes(tmp_path)
