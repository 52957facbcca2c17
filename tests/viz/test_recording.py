import sys
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from rrd_files import origins, read, unshown

from spatial_reward import Frame, Reference
from spatial_reward.viz import Recorder, blueprint
from spatial_reward.viz.blueprint import CURVES

SPACE = [blueprint.POINTS, blueprint.STARTS, blueprint.ARROWS, blueprint.TRAILS, blueprint.SPREAD]


def record(steps, path, **options):
    with Recorder(path, "near(cube, pad)", **options) as recorder:
        for step in steps:
            recorder.log(step)
    return read(path)


def test_every_entity_of_the_layout_has_a_row_for_every_step(steps, tmp_path):
    content = record(steps, tmp_path / "episode.rrd")
    for entity in (blueprint.IMAGE, blueprint.DEPTH):
        assert len(content[entity]["Pinhole:image_from_camera"]) == 10
    assert len(content[blueprint.IMAGE]["EncodedImage:blob"]) == 10
    assert len(content[blueprint.DEPTH]["DepthImage:buffer"]) == 10
    assert len(content[blueprint.REFERENCE]["EncodedImage:blob"]) == 1, "the reference frame is stored once"
    assert content[blueprint.IMAGE]["EncodedImage:media_type"][0] == ["image/jpeg"]
    for entity in [
        f"{blueprint.REFERENCE}/points",
        f"{blueprint.IMAGE}/points",
        f"{blueprint.IMAGE}/ellipses",
    ]:
        assert max(len(rows) for rows in content[entity].values()) == 10
    for entity in [*SPACE, blueprint.CLOUD, blueprint.MEASURED, f"{blueprint.IMAGE}/ground/0"]:
        assert max(len(rows) for rows in content[entity].values()) == 10
    assert "near(cube, pad)" in content[blueprint.GOAL]["TextDocument:text"][None][0]


def test_curves_hold_the_numbers_and_nothing_where_they_are_unknown(steps, tmp_path):
    content = record(steps, tmp_path / "episode.rrd")
    for entity, curve in CURVES.items():
        rows = content[entity]["Scalars:scalars"]
        expected = {step.index: curve.read(step) for step in steps if np.isfinite(curve.read(step))}
        assert rows.keys() == expected.keys()
        assert_allclose([rows[index][0] for index in expected], list(expected.values()))
        assert curve.name == content[entity]["SeriesLines:names"][None][0]
    assert sorted(content["judgement/valid"]["Scalars:scalars"]) == list(range(10))
    assert 4 not in content["distance/predicted"]["Scalars:scalars"]
    assert_allclose(content["latency/latency"]["Scalars:scalars"][3], [20.0])


def test_question_and_answer_are_there_in_words_at_every_step(steps, tmp_path):
    words = record(steps, tmp_path / "episode.rrd")[blueprint.MEASURED]["TextDocument:text"]
    assert "How did `cube` move" in words[9][0] and "270 mm in all" in words[9][0]
    assert "Distance to the goal **30 ± 20 mm**; in truth 210 mm" in words[9][0]
    assert "unknown: hidden behind the arm" in words[4][0] and "Distance to the goal unknown" in words[4][0]


def test_both_timelines_are_there(steps, tmp_path):
    times = record(steps, tmp_path / "episode.rrd")["reward/reward"]["sim_time"]
    assert_allclose([times[index].total_seconds() for index in range(10)], 0.04 * np.arange(10), atol=1e-6)


def test_the_scene_holds_measured_positions_arrows_and_trails(steps, tmp_path):
    content = record(steps, tmp_path / "episode.rrd")
    positions = content[blueprint.POINTS]["Points3D:positions"]
    assert_allclose(positions[9], [[0.27, 0, 0.1], [0.3, 0, 0.1]], atol=1e-6)
    arrows = content[blueprint.ARROWS]
    assert_allclose(arrows["Arrows3D:origins"][9], [[0, 0, 0.1]], atol=1e-6)
    assert_allclose(arrows["Arrows3D:vectors"][9], [[0.27, 0, 0]], atol=1e-6)
    assert arrows["Arrows3D:labels"][9] == ["cube 270 mm"]
    trails = content[blueprint.TRAILS]["LineStrips3D:strips"][9]
    assert_allclose(trails[0][-1], [0.27, 0, 0.1], atol=1e-6)
    assert len(trails[0]) == 8, "one corner for every step in which it was found"
    half_sizes = content[blueprint.SPREAD]["Ellipsoids3D:half_sizes"][9]
    assert_allclose(sorted(half_sizes[0]), [0.02, 0.04, 0.06], rtol=1e-4)


def test_marks_and_ellipses_lie_on_their_pixels(simulated, tmp_path):
    content = record(simulated, tmp_path / "episode.rrd")
    step = simulated[-1]
    before = content[f"{blueprint.REFERENCE}/points"]["Points2D:positions"][4]
    assert_allclose(before[0], step.references["ball"].pixel, rtol=1e-6)
    now = content[f"{blueprint.IMAGE}/points"]["Points2D:positions"][4]
    assert_allclose(now[0], step.signal.answers["ball"].match, rtol=1e-6)
    outline = np.array(content[f"{blueprint.IMAGE}/ellipses"]["LineStrips2D:strips"][4][0])
    assert_allclose(outline[:-1].mean(axis=0), now[0], atol=1e-3)
    focal, distance = step.frame.camera.intrinsics[0, 0], step.frame.camera.project((0.1, 0, 0.05))[1]
    assert_allclose(np.ptp(outline[:, 0]) / 2, 2 * 0.001 * focal / distance, rtol=0.1)


def test_what_is_not_found_is_red_and_logged_with_its_reason_but_has_no_position(steps, tmp_path):
    content = record(steps, tmp_path / "episode.rrd")
    assert content[blueprint.LOG]["TextLog:text"] == {
        4: ["cube: hidden behind the arm"],
        5: ["cube: hidden behind the arm"],
    }
    assert len(content[blueprint.POINTS]["Points3D:positions"][4]) == 1, "the pad"
    assert not content[blueprint.ARROWS]["Arrows3D:vectors"][4]
    assert len(content[f"{blueprint.IMAGE}/points"]["Points2D:positions"][4]) == 1
    marks = content[f"{blueprint.REFERENCE}/points"]
    assert marks["Points2D:labels"][4][0] == "cube: not found" and marks["Points2D:labels"][6][0] == "cube"
    assert marks["Points2D:colors"][4][0] >> 8 == 0xF03C32


def test_far_and_unknown_depth_is_left_out(steps, tmp_path):
    content = record(steps[:1], tmp_path / "episode.rrd")
    depth = np.array(content[blueprint.DEPTH]["DepthImage:buffer"][0][0], np.uint8).view(np.float32)
    depth = depth.reshape(48, 64)
    assert (depth[:8] == 0).all()
    assert_allclose(depth[8:], 1.2)
    cloud = np.array(content[blueprint.CLOUD]["Points3D:positions"][0])
    assert len(cloud) == 40 * 64
    pixels, depths = steps[0].frame.camera.project(cloud)
    assert_allclose(depths, 1.2, rtol=1e-5)
    assert_allclose(pixels[0], (0.5, 8.5), atol=1e-3)


def test_the_layout_travels_with_the_recording(steps, tmp_path):
    import rerun as rr

    record(steps, tmp_path / "episode.rrd", title="Second try")
    reader = rr.chunk.RrdReader(tmp_path / "episode.rrd")
    assert len(reader.recordings()) == 1 and len(reader.blueprints()) >= 1


def test_every_view_of_the_layout_shows_entities_that_are_logged(steps, tmp_path):
    record(steps, tmp_path / "episode.rrd")
    assert not unshown(tmp_path / "episode.rrd")
    assert set(origins(tmp_path / "episode.rrd").values()) >= {
        *("distance", "error", "judgement", "reward", "latency", "potential", "world"),
        *(blueprint.REFERENCE, blueprint.IMAGE, blueprint.DEPTH),
        *(blueprint.GOAL, blueprint.MEASURED, blueprint.LOG),
    }


def test_another_reference_frame_begins_new_trails(make_step, tmp_path):
    first = [make_step(index, (0.01 * index, 0, 0)) for index in range(3)]
    other = replace(first[0].reference_frame)
    second = [make_step(index, (0.01 * index, 0, 0), reference_frame=other) for index in range(3, 6)]
    content = record(first + second, tmp_path / "episodes.rrd")
    assert len(content[blueprint.REFERENCE]["EncodedImage:blob"]) == 2
    assert len(content[blueprint.TRAILS]["LineStrips3D:strips"][5][0]) == 3


def test_pictures_alone_are_recorded_too(make_step, tmp_path):
    step = make_step(0)
    bare = replace(step, frame=Frame(step.frame.rgb), reference_frame=Frame(step.frame.rgb))
    content = record(
        [replace(bare, references={"cube": Reference("cube", (32.0, 24.0))})], tmp_path / "e.rrd"
    )
    assert len(content[f"{blueprint.IMAGE}/points"]["Points2D:positions"][0]) == 1
    assert blueprint.DEPTH not in content and "Pinhole:resolution" not in content[blueprint.IMAGE]


def test_the_file_appears_when_the_recorder_closes(steps, tmp_path):
    path = tmp_path / "episode.rrd"
    path.write_bytes(b"an older one")
    recorder = Recorder(path)
    recorder.log(steps[0])
    assert path.read_bytes() == b"an older one"
    recorder.close()
    recorder.close()
    assert [file.name for file in tmp_path.iterdir()] == ["episode.rrd"]
    assert "distance/true" in read(path)
    with pytest.raises(RuntimeError, match="This recorder is closed: make a new one"):
        recorder.log(steps[1])


def test_what_was_logged_before_an_exception_is_kept(steps, tmp_path):
    with pytest.raises(ZeroDivisionError), Recorder(tmp_path / "episode.rrd") as recorder:
        recorder.log(steps[0])
        raise ZeroDivisionError
    assert len(read(tmp_path / "episode.rrd")["distance/true"]["Scalars:scalars"]) == 1


def test_without_a_step_there_is_no_file(tmp_path):
    with Recorder(tmp_path / "episode.rrd"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_path_that_cannot_be_written_is_refused_at_once(tmp_path):
    with pytest.raises(OSError, match=r"Cannot write .*missing/a\.rrd \(No such file or directory\): choose"):
        Recorder(tmp_path / "missing" / "a.rrd")
    with pytest.raises(OSError, match="it is a folder"):
        Recorder(tmp_path)


def test_without_rerun_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "rerun", None)
    with pytest.raises(ImportError) as caught:
        Recorder(tmp_path / "episode.rrd")
    assert str(caught.value) == 'rerun is needed for recordings: pip install "spatial-reward[viz]"'
    assert not list(tmp_path.iterdir())
