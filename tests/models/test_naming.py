"""Things are found by the colour that their name says, and measured; other names are not guessed at."""

from dataclasses import replace

import numpy as np
import pytest

from spatial_reward.camera import Camera, look_at
from spatial_reward.models.naming import colour_of, middle, named_patches
from spatial_reward.models.rgbd import RGBD
from spatial_reward.types import Frame, PixelPoint, Question

EYE, SIZE = (0.0, -0.5, 0.5), 160
BLOCKS = {  # centre on the table, half sides [m], colour
    "red": ((-0.12, 0.0), (0.03, 0.02, 0.04), (200, 25, 25)),
    "blue": ((0.10, 0.05), (0.02, 0.05, 0.02), (30, 60, 210)),
    "brown": ((0.02, -0.10), (0.02, 0.02, 0.02), (90, 52, 26)),
    "orange": ((0.0, 0.12), (0.02, 0.02, 0.02), (235, 115, 15)),
}


@pytest.fixture(scope="module")
def frame():
    return drawn(EYE, BLOCKS.values())


def best_of(frame, name):
    """Return the pixels (H, W) of the patch that fits a name best; None without any."""
    return next((mask for _, mask in named_patches(frame, name)), None)


def drawn(eye, blocks):
    """Draw blocks on a grey table, by casting rays."""
    camera = Camera.from_fov(50, SIZE, SIZE, look_at(eye, (0, 0, 0)))
    column, row = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)
    rays = camera.rays(np.stack([column, row], -1)) @ camera.world_from_camera[:3, :3].T
    depth, rgb = -eye[2] / rays[..., 2], np.full((SIZE, SIZE, 3), 140.0)
    for (x, y), half, colour in blocks:
        sides = (np.array([(x, y, half[2])]) + np.array([[-1], [1]]) * half)[:, None, None] - eye
        near, far = np.sort(sides / rays, axis=0)
        side, hit = near.argmax(-1), near.max(-1)
        seen = (hit < far.min(-1)) & (hit < depth)
        shade = np.array([0.6, 0.8, 1.0])[side]
        depth = np.where(seen, hit, depth)
        rgb[seen] = (shade[..., None] * colour)[seen]
    return Frame(rgb.astype(np.uint8), camera=camera, depth=depth.astype(np.float32))


@pytest.mark.parametrize("depth", [True, False], ids=["measured", "pictures"])
@pytest.mark.parametrize("word", BLOCKS)
def test_a_thing_is_found_by_its_colour(frame, word, depth):
    seen = frame if depth else replace(frame, depth=None)
    mask = best_of(seen, f"{word} block")
    x, y = middle(mask)
    assert mask[int(y), int(x)]
    (cx, cy), half, _ = BLOCKS[word]
    found = frame.camera.unproject((x, y), frame.depth[int(y), int(x)])
    assert np.all(np.abs(found - (cx, cy, half[2])) < np.array(half) + 0.005)
    truth = np.abs(points_of(frame) - (cx, cy, half[2])) < np.array(half) + 0.002
    truth = truth.all(-1) & (points_of(frame)[..., 2] > 0.004)
    assert (mask & truth).sum() > 0.85 * (mask | truth).sum()


def points_of(frame):
    column, row = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)
    points = frame.camera.rays(np.stack([column, row], -1)) * frame.depth[..., None]
    return points @ frame.camera.world_from_camera[:3, :3].T + frame.camera.world_from_camera[:3, 3]


@pytest.mark.parametrize(("kind", "axis"), [("size_height", 2), ("size_width", 0), ("size_length", 1)])
def test_a_named_thing_is_measured(frame, kind, axis):
    half = BLOCKS["blue"][1]
    [answer] = RGBD().answer([Question(kind, (frame, frame), labels=("blue block",))])
    size = 2 * (sorted(half[:2])[0 if kind == "size_width" else 1] if axis < 2 else half[2])
    assert answer.valid and answer.value == pytest.approx(size, rel=0.2)


@pytest.mark.parametrize("pose", ["auto", "estimated"])
def test_another_thing_of_that_colour_in_the_second_picture_is_not_taken_for_it(frame, pose):
    second = drawn((0.15, -0.45, 0.5), [*BLOCKS.values(), ((-0.05, 0.1), (0.04, 0.05, 0.05), (30, 60, 210))])
    assert best_of(second, "blue block")[:, :80].any()  # alone, it is
    [answer] = RGBD(pose).answer([Question("size_height", (frame, second), labels=("blue block",))])
    assert answer.valid and answer.value == pytest.approx(0.04, abs=0.005)


def test_both_sides_of_a_named_thing_count_although_the_second_pose_is_hidden(frame):
    wall = ((0.10, -0.02), (0.04, 0.005, 0.06), (200, 160, 120))  # before the blue block
    first = drawn(EYE, [*BLOCKS.values(), wall])
    second = drawn((0.4, -0.2, 0.5), [*BLOCKS.values(), wall])
    question = Question("size_length", (first, second), labels=("blue block",))
    alone, both = RGBD("estimated").answer([replace(question, frames=(first,)), question])
    wrong = replace(second, camera=replace(second.camera, world_from_camera=np.eye(4)))
    [hidden] = RGBD("estimated").answer([replace(question, frames=(first, wrong))])
    assert alone.value < 0.06 < both.value == pytest.approx(0.1, abs=0.01)
    assert hidden.value == pytest.approx(both.value, abs=1e-6)


def test_a_size_from_two_pictures_is_not_valid_where_the_camera_is_lost(frame):
    other = drawn((-0.4, 0.3, 0.4), [((0.0, 0.0), (0.03, 0.02, 0.04), (20, 200, 60))])
    masks = best_of(frame, "blue block"), best_of(other, "green block")
    points = tuple(PixelPoint(*middle(mask), number) for number, mask in enumerate(masks))
    question = Question("size_height", (frame, other), points)
    known, lost = (RGBD(pose).answer([question])[0] for pose in ("auto", "estimated"))
    assert known.valid and lost.value is not None and not lost.valid


def test_other_names_are_not_guessed_at(frame):
    assert colour_of("gripper") is None and best_of(frame, "gripper") is None
    assert best_of(frame, "green block") is None
    unseen, nameless = RGBD().answer(
        [Question("size_height", (frame,), labels=(name,)) for name in ("green block", "gripper")]
    )
    assert "Nothing of the colour of 'green block'" in unseen.text
    assert "'gripper' says no colour" in nameless.text


def test_words_inside_words_are_no_colours():
    assert colour_of("Red Mug") is colour_of("big red") is not None
    assert colour_of("redwood box") is None
