import json
import math

import numpy as np
import pytest

from spatial_reward import __version__
from spatial_reward.outputs import output_folder, write_summary


def test_folder_appears_only_when_whole(tmp_path):
    final = tmp_path / "deep" / "result"
    with output_folder(final) as folder:
        (folder / "a.txt").write_text("a")
        assert not final.exists()
    assert (final / "a.txt").read_text() == "a"
    assert [path.name for path in final.parent.iterdir()] == ["result"]


def test_nothing_is_left_after_an_error(tmp_path):
    with pytest.raises(KeyboardInterrupt), output_folder(tmp_path / "result") as folder:
        (folder / "half.txt").write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_existing_results_are_not_overwritten(tmp_path):
    (tmp_path / "old.txt").write_text("precious")
    with (
        pytest.raises(FileExistsError, match="already exists: choose another folder"),
        output_folder(tmp_path),
    ):
        raise AssertionError("must not be entered")
    assert (tmp_path / "old.txt").read_text() == "precious"


def test_unwritable_place_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OSError, match=r"Cannot write out=.*choose another"),
        output_folder(tmp_path / "file" / "x"),
    ):
        raise AssertionError("must not be entered")


def test_summary_names_artefacts_and_writes_unknown_as_null(tmp_path):
    (tmp_path / "report.png").write_bytes(b"")
    path = write_summary(
        tmp_path,
        command="demo",
        seed=3,
        config={"env": "x", "out": tmp_path},
        metrics={"mae_mm": np.float64(1.5), "spearman": math.nan},
        steps=[{"predicted_m": np.array([0.1, np.nan])}],
    )
    summary = json.loads(path.read_text())
    assert summary["version"] == __version__
    assert summary["artefacts"] == ["report.png", "summary.json"]
    assert summary["metrics"] == {"mae_mm": 1.5, "spearman": None}
    assert summary["steps"] == [{"predicted_m": [0.1, None]}]
