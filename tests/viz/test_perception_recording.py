import numpy as np
import pytest
from numpy.testing import assert_allclose
from rrd_files import read, unshown

from spatial_reward import Answer, PixelPoint, Question
from spatial_reward.camera import rigid
from spatial_reward.viz import blueprint
from spatial_reward.viz.perception_recording import BOXES, STD, WORDS, Sighting, Space, record_perception

POSE = rigid([[0, -1, 0], [1, 0, 0], [0, 0, 1]], (0.1, 0.2, 0.3))


@pytest.fixture
def perceived(steps, tmp_path):
    """Return the content and the path of a recording of three frames, a cloud, a box and two answers."""
    frames = [step.frame for step in steps[:3]]
    sightings = [
        Sighting(frame, frame.camera, frame.depth.astype(float), np.full((48, 64), 0.01)) for frame in frames
    ]
    points = np.random.default_rng(0).normal(size=(500, 3))
    space = Space(
        points, np.zeros((500, 3), np.uint8), np.full(500, 0.004), [(POSE, np.array([0.2, 0.1, 0.05]))]
    )
    ends = (frames[0], frames[2])
    asked = [Question("obj_vec_coord", ends, (PixelPoint(20.0, 30.0),)), Question("cam_vec", ends)]
    vector = frames[0].camera.camera_from_world[:3, :3] @ (0.1, 0.0, 0.0)
    answers = [Answer(vector, "m", 0.002, match=(33.0, 22.0), source="rgbd"), Answer.unknown("too dark", "m")]
    record_perception(sightings, space, list(zip(asked, answers, strict=True)), path=tmp_path / "p.rrd")
    return read(tmp_path / "p.rrd"), tmp_path / "p.rrd", frames


def test_every_view_of_the_layout_shows_what_is_logged(perceived):
    assert not unshown(perceived[1])
    assert [path.name for path in perceived[1].parent.iterdir()] == ["p.rrd"]


def test_depth_and_its_std_are_there_for_every_frame_and_the_cloud_once(perceived):
    import rerun as rr

    content, path, _ = perceived
    frames = {blueprint.IMAGE: set(), blueprint.DEPTH: set(), STD: set()}
    for chunk in rr.chunk.RrdReader(path).stream():
        entity = str(chunk.entity_path).strip("/")
        if entity in frames:
            frames[entity] |= set(chunk.to_record_batch().to_pydict()["frame"])
    assert all(numbers == {0, 1, 2} for numbers in frames.values())
    assert len(content[blueprint.CLOUD]["Points3D:positions"][None]) == 500


def test_boxes_say_their_size_and_arrows_how_far_things_moved(perceived):
    content, _, frames = perceived
    boxes = content[BOXES]
    assert boxes["Boxes3D:labels"][None] == ["200 x 100 x 50 mm"]
    assert_allclose(boxes["Boxes3D:half_sizes"][None], [[0.1, 0.05, 0.025]])
    arrows = content[blueprint.ARROWS]
    assert arrows["Arrows3D:labels"][None] == ["A 100 mm"]
    assert_allclose(arrows["Arrows3D:vectors"][None], [[0.1, 0, 0]], atol=1e-6)
    start = frames[0].camera.unproject((20.0, 30.0), 1.2)
    assert_allclose(arrows["Arrows3D:origins"][None], [start], atol=1e-5)


def test_the_words_hold_questions_and_answers(perceived):
    words = perceived[0][WORDS]["TextDocument:text"][None][0]
    assert "500 points, std 4.0 mm" in words and "box 200 x 100 x 50 mm" in words
    assert "mm** (rgbd)" in words and "unknown: too dark" in words
