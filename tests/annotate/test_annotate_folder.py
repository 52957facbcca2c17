"""The folder of results: resumed after any interruption; copies, reports, videos and recordings."""

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time

import av
import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
from recorded_rollouts import FPS, Still, rollout

from spatial_reward.annotate import run_annotate
from spatial_reward.config import compose
from spatial_reward.data.episodes import open_episodes
from spatial_reward.data.episodes.record import FORMATS
from spatial_reward.viz import blueprint

LENGTHS = (16, 10, 12, 9, 14)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "set"
    return FORMATS["lerobot_v21"][1]([rollout(s, n) for s, n in enumerate(LENGTHS)], folder, FPS)


def words(data, out, *more):
    base = [f"dataset={data}", "model=rgbd", "camera=front", f"out={out}", "workers=1", "batch=2"]
    return [*base, "reports=0", "overlays=0", "recordings=0", *more]


def run(data, out, *more, model=None):
    return run_annotate(compose("annotate", words(data, out, *more)), model)


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.parquet")}


PROGRAM = """
import sys
from spatial_reward.annotate import run_annotate
from spatial_reward.config import compose
run_annotate(compose("annotate", sys.argv[1:]))
"""


def test_killed_and_run_again_gives_the_same_bytes(data, tmp_path):
    run(data, tmp_path / "whole")
    out = tmp_path / "killed"
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, *words(data, out)], stdout=subprocess.DEVNULL)
    while process.poll() is None and len(list((out / "parts").glob("episode*"))) < 2:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = {path: path.stat().st_mtime_ns for path in (out / "parts").glob("episode*")}
    assert finished and not (out / "rewards.parquet").exists()
    run(data, out)
    assert all(path.stat().st_mtime_ns == time for path, time in finished.items())
    assert digests(out) == digests(tmp_path / "whole")
    assert not list(out.rglob(".*partial*"))


def test_a_finished_folder_is_left_as_it_is(data, tmp_path):
    out, model = run(data, tmp_path / "out"), Still()
    before = digests(out)
    run(data, out, model=model)
    assert digests(out) == before and model.asked == 0


def test_other_settings_are_another_folder(data, tmp_path):
    out = run(data, tmp_path / "out")
    with pytest.raises(FileExistsError, match=r"was made with other settings \(stride: 1 there, 2 here\)"):
        run(data, out, "stride=2")


def test_more_episodes_can_be_added(data, tmp_path):
    out = run(data, tmp_path / "out", "episodes=0:2")
    run(data, out)
    assert pq.read_table(out / "rewards.parquet").num_rows == sum(LENGTHS)


def test_bad_episodes_are_told_and_the_others_written(data, tmp_path, capsys):
    root = shutil.copytree(data, tmp_path / "set")
    video = root / "videos/chunk-000/observation.images.front/episode_000001.mp4"
    video.write_bytes(video.read_bytes()[:-300])
    (root / "videos/chunk-000/observation.images.front/episode_000003.mp4").unlink()
    out = run(root, tmp_path / "out")
    told = capsys.readouterr().err
    assert "episode_000001: " in told and "is no whole video" in told
    summary = json.loads((out / "summary.json").read_text())
    assert set(summary["failed"]) == {"episode_000001", "episode_000003"}
    rewards = pq.read_table(out / "rewards.parquet")
    assert set(rewards["episode_index"].to_pylist()) == {0, 2, 4}
    assert "2 episodes could not be annotated" in (out / "report.html").read_text()
    shutil.copy(data / video.relative_to(root), video)  # mended
    run(root, out)
    assert set(pq.read_table(out / "rewards.parquet")["episode_index"].to_pylist()) == {0, 1, 2, 4}


def test_nothing_readable_is_an_error(data, tmp_path):
    root = shutil.copytree(data, tmp_path / "set")
    shutil.rmtree(root / "videos")
    with pytest.raises(RuntimeError, match=r"No episode could be annotated: episode_000000: .* is missing"):
        run(root, tmp_path / "out")


def test_unwritable_output_is_one_line(data, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"Cannot write out=.*file/out \(.*\): choose another with out=FOLDER"):
        run(data, tmp_path / "file" / "out")


def test_a_pixel_outside_the_picture_fails_its_episode_only(data, tmp_path):
    given = tmp_path / "points.json"
    points = json.loads((data / "points.json").read_text())
    points["episodes"]["1"]["cameras"]["front"]["block"] = [500, 2]
    given.write_text(json.dumps(points))
    out = run(data, tmp_path / "out", f"points={given}")
    failed = json.loads((out / "summary.json").read_text())["failed"]
    assert list(failed) == ["episode_000001"] and "outside the 96 x 96 picture" in failed["episode_000001"]


def test_another_point_concerns_its_episode_only(data, tmp_path):
    out = run(data, tmp_path / "out")
    before = digests(out / "parts")
    run(data, out, "points={episodes:{2:{block:[31,40]}}}")
    after = digests(out / "parts")
    assert [name for name in after if after[name] != before[name]] == ["episode_000002.parquet"]


def test_two_workers_write_the_same(data, tmp_path):
    run(data, tmp_path / "one")
    run(data, tmp_path / "two", "workers=2")
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


@pytest.mark.parametrize("version", ["lerobot", "lerobot_v21"])
def test_a_copy_of_the_dataset_holds_the_rewards(tmp_path, version):
    root = FORMATS[version][1]([rollout(s, n) for s, n in enumerate((8, 6))], tmp_path / "set", FPS)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    out = run(root, tmp_path / "out", "copy=true", "episodes=[1]")
    assert all(path.read_bytes() == data for path, data in before.items())
    reader = open_episodes(out / "dataset")
    rewards = pq.read_table(out / "rewards.parquet")["reward.spatial.potential_m"].to_numpy()
    np.testing.assert_array_equal(reader.column(reader.episodes()[1], "reward.spatial.potential_m"), rewards)
    assert np.isnan(reader.column(reader.episodes()[0], "reward.spatial.progress")).all()
    assert len(list(reader.frames(reader.episodes()[1], "front", range(6)))) == 6
    info = json.loads((out / "dataset/meta/info.json").read_text())
    assert list(info["features"])[-6:-5] == ["reward.spatial.valid"]
    path = next((out / "dataset" / "data").rglob("*.parquet"))
    described = json.loads(pq.read_schema(path).metadata[b"huggingface"])["info"]["features"]
    assert described["reward.spatial.valid"] == {"dtype": "bool", "_type": "Value"}
    assert list(described) == pq.read_schema(path).names


def test_a_copy_of_an_hdf5_file_holds_the_rewards(tmp_path):
    path = FORMATS["hdf5"][1]([rollout(s, n) for s, n in enumerate((8, 6))], tmp_path / "a.hdf5", FPS)
    out = run(path, tmp_path / "out", "copy=true")
    with h5py.File(out / "dataset" / "a.hdf5") as file:
        group = file["data/demo_1/spatial_reward"]
        assert group["potential_m"].shape == (6,) and group["potential_m"].attrs["unit"] == "m"
        assert json.loads(group.attrs["model"]) == {"name": "rgbd"} and group.attrs["provenance"]
    with h5py.File(path) as file:
        assert "spatial_reward" not in file["data/demo_1"]


def test_formats_without_a_place_for_rewards_say_so(tmp_path):
    path = FORMATS["npz"][1]([rollout(0, 4)], tmp_path / "set", FPS)
    with pytest.raises(
        ValueError, match="copy=true can add columns to LeRobot and HDF5 datasets, not to npz"
    ):
        run(path, tmp_path / "out", "copy=true")


@pytest.fixture(scope="module")
def shown(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("shown") / "out"
    more = ["reports=1", "overlays=1", "recordings=1", "episodes=[0,1]"]
    return run(data, out, *more, model=Still(lose=(3,)))


def test_the_report_begins_with_the_worst(shown):
    page = (shown / "report.html").read_text()
    summary = json.loads((shown / "summary.json").read_text())
    assert page.index("episode_00000") > 0 and "rank" in page
    shares = {row["name"]: row["valid_share"] for row in summary["episodes"]}
    worst = min(shares, key=shares.get)
    assert page.index(worst) < page.index(next(name for name in shares if name != worst))
    assert f'src="reports/{worst}.png"' in page and (shown / "reports" / f"{worst}.png").is_file()


def test_the_overlay_shows_every_frame(shown):
    [path] = (shown / "overlays").glob("*.mp4")
    with av.open(str(path)) as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    assert len(frames) in (16, 10) and frames[0].shape == (448 + 28 + 112, 448, 3)
    assert np.abs(frames[-1].astype(int) - frames[0]).mean() > 1


def test_the_recording_holds_the_entities_of_the_blueprint(shown):
    import rerun as rr

    [path] = (shown / "recordings").glob("*.rrd")
    found = {str(chunk.entity_path).strip("/") for chunk in rr.chunk.RrdReader(str(path)).stream()}
    expected = {blueprint.IMAGE, blueprint.REFERENCE, blueprint.DEPTH, blueprint.POINTS, "distance/predicted"}
    assert expected <= found and "distance/true" in found


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("reports=many", "`reports` must be a whole number from 0 on, or all, got 'many'"),
        ("overlays=-1", "`overlays` must be"),
        ("copy=maybe", "`copy` must be true or false"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_scored(data, tmp_path, word, said):
    model = Still()
    with pytest.raises(ValueError, match=said):
        run(data, tmp_path / "out", word, model=model)
    assert model.asked == 0 and not list(tmp_path.iterdir())


def test_a_copy_of_what_takes_no_columns_is_refused_before_anything_is_scored(tmp_path):
    videos = FORMATS["video"][1]([rollout(0, 4)], tmp_path / "video", FPS)
    model = Still()
    with pytest.raises(ValueError, match="copy=true can add columns to LeRobot and HDF5"):
        run(videos, tmp_path / "out", "copy=true", model=model)
    assert model.asked == 0 and not (tmp_path / "out").exists()
