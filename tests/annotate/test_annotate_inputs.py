"""Nothing is scored without its words, its camera and its points; each refusal says what would help."""

import json

import pyarrow.parquet as pq
import pytest
from recorded_rollouts import FPS, Still, rollout

from spatial_reward.annotate import Settings, annotate, run_annotate
from spatial_reward.annotate.jobs import make_jobs, open_source
from spatial_reward.annotate.parts import KEY
from spatial_reward.annotate.references import points_for, references_of
from spatial_reward.config import compose
from spatial_reward.data.episodes.record import FORMATS
from spatial_reward.data.episodes.rollout import Rollout

RGBD = {"name": "rgbd"}


def bare(seed=0, length=4, task="push it"):
    """An episode of which nothing is known beside."""
    one = rollout(seed, length, cameras=("front",))
    frames = [type(frame)(frame.rgb, frame.time, frame.view) for frame in one.frames["front"]]
    return Rollout({"front": frames}, task, {"action": one.columns["action"]})


@pytest.fixture
def plain(tmp_path):
    return FORMATS["video"][1]([bare(0), bare(1)], tmp_path / "video", FPS)


POINTS = {"block": [20, 30], "mark": {"box": [50, 40, 60, 50]}}
COMPLETE = {"goal": "near(block, mark, within=2cm)", "points": POINTS, "fov": 60.0, "static_camera": True}


def jobs(path, model=None, **changes):
    settings = Settings(str(path), {"name": "spatialnet"}, **{**COMPLETE, **changes})
    return make_jobs(open_source(settings), settings, model or Still())


def test_a_plain_video_needs_points_and_an_assumed_view(plain, tmp_path):
    [job, _] = jobs(plain)
    assert job.references["block"].pixel == (20, 30) and job.references["mark"].pixel == (55, 45)
    (tmp_path / "parts").mkdir()
    settings = Settings(str(plain), {"name": "spatialnet"}, **COMPLETE)
    done = annotate(settings, tmp_path, Still())
    assert done.parts[0].about["assumed_fov_deg"] == 60 and done.parts[0].about["camera_source"] == "assumed"


def test_an_assumed_view_is_marked_wherever_it_is_read(plain, tmp_path):
    words = [f"dataset={plain}", f"goal={COMPLETE['goal']}", "points={block:[20,30],mark:[50,40,60,50]}"]
    words += ["fov=60", "static_camera=true", f"out={tmp_path / 'out'}", "model=rgbd", "workers=1"]
    out = run_annotate(compose("annotate", [*words, "recordings=0", "overlays=0", "reports=0"]), Still())
    assert "a field of view of 60 degrees is assumed" in (out / "report.html").read_text()
    assert json.loads((out / "summary.json").read_text())["assumed_fov_deg"] == ["60.0"]
    said = json.loads(pq.read_schema(out / "rewards.parquet").metadata[KEY])
    assert said["episodes"]["0"]["camera_source"] == "assumed"


def test_episodes_with_another_unit_of_depth_are_others(tmp_path):
    path = FORMATS["npz"][1]([rollout(0, 3, cameras=("front",))], tmp_path / "set", FPS)
    given = {"goal": None, "points": None, "fov": None, "static_camera": None, "camera": "front"}
    [millimetres] = jobs(path, **given)
    cameras = path / "cameras.json"
    told = json.loads(cameras.read_text()) if cameras.is_file() else {}
    told.setdefault("front", {})["depth_scale"] = 0.0001
    cameras.write_text(json.dumps(told))
    [tenths] = jobs(path, **given)
    assert tenths.unit == 0.0001 and tenths.identity() != millimetres.identity()


def test_no_camera_no_metres(plain):
    with pytest.raises(
        ValueError, match=r"episode_000000 has no camera model, and metres need one: .* fov=60"
    ):
        jobs(plain, fov=None)


def test_nobody_says_whether_the_camera_moves(plain):
    with pytest.raises(ValueError, match=r"Nobody says whether the camera of episode_000000 moves"):
        jobs(plain, static_camera=None)


def test_a_task_without_goal_is_refused_and_near_words_are_named(plain):
    with pytest.raises(ValueError, match=r"No goal is given for the task 'push it'.*Did you mean 'push i'\?"):
        jobs(plain, goal=None, goals={"push i": "reach(a, b, within=2cm)"})
    assert str(jobs(plain, goal=None, goals={"push it": COMPLETE["goal"]})[0].goal) == COMPLETE["goal"]


def test_goals_from_a_yaml_file(plain, tmp_path):
    path = tmp_path / "goals.yaml"
    path.write_text('"push it": near(block, mark, within=3cm)\n')
    assert str(jobs(plain, goal=None, goals=str(path))[0].goal) == "near(block, mark, within=3cm)"


def test_missing_words_are_refused(tmp_path):
    path = FORMATS["video"][1]([bare(task=""), bare(1)], tmp_path / "video", FPS)
    with pytest.raises(ValueError, match=r"episode_000000 has no task text, and nothing is scored without"):
        jobs(path, goal=None, goals={"push it": "near(block, mark, within=3cm)"})


def test_missing_points_are_named(plain):
    with pytest.raises(ValueError, match=r"No point is given for 'mark', only for \['block'\].*points=pick"):
        jobs(plain, points={"block": [20, 30]})


def test_cameras_episodes_and_models_are_checked(tmp_path):
    path = FORMATS["hdf5"][1]([rollout(0, 3), rollout(1, 3)], tmp_path / "a.hdf5", FPS)
    given = {"goal": None, "points": None, "fov": None, "static_camera": None}
    with pytest.raises(ValueError, match=r"has 2 cameras: choose camera= one of front, side"):
        jobs(path, **given)
    with pytest.raises(ValueError, match=r"has no camera 'top'; it has front, side"):
        jobs(path, **given, camera="top")
    with pytest.raises(ValueError, match=r"has no episode 7; it has 2, numbered 0 to 1"):
        jobs(path, **given, camera="front", episodes=[7])
    with pytest.raises(ValueError, match=r"`episodes` must be like 0:10 or \[0, 3\], got 'all'"):
        jobs(path, **given, camera="front", episodes="all")
    from spatial_reward.models import load_model

    with pytest.raises(ValueError, match="'oracle' needs the simulator's truth"):
        jobs(path, load_model("oracle"), **given, camera="front")
    with pytest.raises(ValueError, match="'rgbd' needs measured depth, but depth=false leaves it out"):
        jobs(path, load_model("rgbd"), **given, camera="front", depth=False)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"normalise": "minmax"}, "normalise='minmax' is refused"),
        ({"mode": "both"}, "`mode` must be one of"),
        ({"impute": "linear"}, "impute=linear looks at the next scored frame"),
        ({"stride": 0}, "`stride` must be a whole number of at least 1, got 0"),
        ({"fov": 200.0}, "`fov` must lie between 0 and 180 degrees"),
        ({"fov": "wide"}, "`fov` must lie between 0 and 180 degrees, got 'wide'"),
        ({"depth": "maybe"}, "`depth` must be true or false, got 'maybe'"),
        ({"static_camera": "maybe"}, "`static_camera` must be true or false, got 'maybe'"),
        ({"goals": {"a": "b"}}, "Give either `goal` for all episodes or `goals` for each task"),
        ({"dataset": ""}, "`dataset` is missing"),
    ],
    ids=["minmax", "mode", "linear", "stride", "fov", "words", "depth", "static", "goals", "dataset"],
)
def test_settings_that_make_no_sense(changes, words):
    with pytest.raises(ValueError, match=words):
        Settings(**{"dataset": "x", "model": RGBD, "goal": "near(a, b, within=2cm)", **changes})


def test_other_weights_are_other_settings(tmp_path):
    weights = tmp_path / "model"
    weights.mkdir()
    (weights / "network.bin").write_bytes(b"1")
    given = {"dataset": "x", "model": {"name": "spatialnet", "weights": str(weights)}}
    first = Settings(**given).weights
    assert first == Settings(**given).weights != Settings(dataset="x", model={"name": "spatialnet"}).weights
    (weights / "network.bin").write_bytes(b"2")
    assert first != Settings(**given).weights


def test_special_points_win():
    points = {
        "a": [1, 2],
        "b": "a",
        "cameras": {"front": {"a": [3, 4]}},
        "episodes": {"1": {"a": [5, 6], "cameras": {"front": {"a": [7, 8]}}}},
    }
    assert points_for(points, 0, "side")["a"] == [1, 2]
    assert points_for(points, 0, "front")["a"] == [3, 4]
    assert points_for(points, 1, "side")["a"] == [5, 6]
    assert points_for(points, 1, "front")["a"] == [7, 8]
    assert references_of(["b"], points_for(points, 1, "front"), posed=False)["b"].pixel == (7, 8)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ([1], r"must be a pixel \[x, y\], a box or a position"),
        ({"box": [5, 5, 1, 9]}, r"must be \[left, top, right, bottom\]"),
        ({}, "needs `pixel`, `box` or `position`"),
        ("a", "are names of one another"),
        ("c", r"No point is given for 'c'"),
        ([1.0, 2.0, 3.0], "is a position in the world, but the camera's pose is unknown"),
    ],
    ids=["short", "box", "empty", "loop", "missing", "position"],
)
def test_points_that_say_nothing(entry, words):
    with pytest.raises(ValueError, match=words):
        references_of(["a"], {"a": entry}, posed=False)


def test_a_calibration_file_replaces_that_of_the_dataset(tmp_path):
    path = FORMATS["hdf5"][1]([rollout(0, 3)], tmp_path / "a.hdf5", FPS)
    cameras = tmp_path / "mine.json"
    cameras.write_text(json.dumps({"front": {"fovy": 40, "width": 96, "height": 96}}))
    settings = Settings(
        str(path), RGBD, camera="front", calibration=str(cameras), static_camera=True, points={"mark": [9, 9]}
    )
    [job] = make_jobs(open_source(settings), settings, Still())
    assert job.calibration.source == "file" and job.calibration.intrinsics[0, 0] > 130


def test_the_camera_s_motion_is_estimated_when_it_is_said_to_move():
    settings = Settings("x", RGBD, goal="near(a, b, within=2cm)", static_camera=False)
    assert settings.options == {"name": "rgbd", "pose": "estimated"}


def test_points_can_be_given_on_the_command_line():
    config = compose(
        "annotate",
        ["points={block:[20.5,30],mark:[50,40,60,50]}", "episodes=0:10", "goal=near(a, b, within=3cm)"],
    )
    assert config["points"] == {"block": [20.5, 30], "mark": [50, 40, 60, 50]}
    assert config["episodes"] == "0:10" and config["goal"] == "near(a, b, within=3cm)"
