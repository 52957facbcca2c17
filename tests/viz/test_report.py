import subprocess
import sys

import cv2
import numpy as np
import pytest

from spatial_reward import Signal
from spatial_reward.viz import EpisodeRow, draw, write_overview, write_report


def load(path):
    return cv2.imread(str(path))[..., ::-1]


def has(picture, colour):
    return (np.abs(picture.astype(int) - colour).max(axis=-1) < 12).any()


def test_a_report_is_a_legible_picture_with_its_marks(steps, tmp_path):
    path = write_report(steps, tmp_path / "report.png", "near(cube, pad)")
    picture = load(path)
    assert path == tmp_path / "report.png" and picture.shape[1] == 1400 and picture.shape[0] > 800
    assert 0.2 < (picture == 255).all(axis=-1).mean() < 0.9
    upper, lower = np.split(picture, [picture.shape[0] // 4])
    assert has(upper, draw.colour(0)) and has(lower, (0, 114, 178)) and has(lower, (0, 158, 115))
    assert [file.name for file in tmp_path.iterdir()] == ["report.png"]


def test_invalid_stretches_are_shaded(steps, make_step, tmp_path):
    whole = [make_step(index, (0.03 * index, 0, 0)) for index in range(10)]
    shade = (230, 230, 230)  # grey at a fifth of its strength on white
    lower = slice(500, None)
    count = [
        int(
            (np.abs(load(write_report(shown, tmp_path / "r.png"))[lower].astype(int) - shade) < 3)
            .all(-1)
            .sum()
        )
        for shown in (steps, whole)
    ]
    assert count[0] > 5000 + count[1]


@pytest.mark.filterwarnings("error")
def test_reports_of_one_step_and_of_nothing_known_are_drawn(make_step, tmp_path):
    nothing = [make_step(i, None, truth=np.nan, reward=np.nan, latency=np.nan) for i in range(3)]
    for shown in ([make_step(0)], nothing, [make_step(0, signal=Signal.unknown())]):
        assert load(write_report(shown, tmp_path / "report.png")).shape[1] == 1400


def test_an_episode_from_the_simulator_is_reported(simulated, tmp_path):
    assert has(load(write_report(simulated, tmp_path / "report.png")), draw.colour(0))


def test_an_empty_report_is_refused(tmp_path):
    with pytest.raises(ValueError, match="A report needs at least one step"):
        write_report([], tmp_path / "report.png")
    with pytest.raises(ValueError, match="An overview needs at least one episode"):
        write_overview([], tmp_path / "overview.png")


def test_a_report_that_cannot_be_written_is_refused(steps, tmp_path):
    with pytest.raises(OSError, match=r"Cannot write .*missing/report\.png"):
        write_report(steps, tmp_path / "missing" / "report.png")


def test_an_overview_compares_only_what_is_valid_and_known(steps, make_step, tmp_path):
    row = EpisodeRow.of("first", steps, spearman=0.98)
    predicted, truth = row.compared
    assert len(predicted) == len(truth) == 8
    empty = EpisodeRow.of("second", [make_step(0, None, truth=np.nan)])
    picture = load(write_overview([row, empty], tmp_path / "overview.png", "Two episodes"))
    assert picture.shape[1] == 1400 and 0.01 < (picture < 200).all(axis=-1).mean() < 0.5


def test_without_matplotlib_the_error_says_what_to_install(steps, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(
        ImportError, match=r'matplotlib is needed for reports: pip install "spatial-reward\[viz\]"'
    ):
        write_report(steps, tmp_path / "report.png")
    assert not list(tmp_path.iterdir())


def test_importing_the_package_loads_neither_rerun_nor_matplotlib():
    code = (
        "import sys, spatial_reward.viz; print({'rerun', 'matplotlib', 'mujoco', 'torch'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


def test_a_report_leaves_the_global_plotting_state_alone(steps, tmp_path):
    import matplotlib

    before = dict(matplotlib.rcParams)
    write_report(steps, tmp_path / "report.png")
    assert dict(matplotlib.rcParams) == before
