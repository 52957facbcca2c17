from dataclasses import replace

import numpy as np
import pytest
from recorded_rollouts import FPS, HEIGHT, SIZE, TOP, camera, rollout

from spatial_reward.camera import rigid
from spatial_reward.data.consistency import (
    FEWEST,
    THING,
    Motion,
    changed,
    followed,
    frames_of,
    labels,
    samples,
)
from spatial_reward.data.consistent_scenes import ConsistentScenes
from spatial_reward.data.episodes.write_npz import write_npz
from spatial_reward.data.pairs import SKY, follow
from spatial_reward.data.recorded_scenes import STILL
from spatial_reward.models.spatialnet_sight import Matched, Seen


class TrueEyes:
    """Sees the block of the recorded rollouts as it is; `lost` frames lead back elsewhere."""

    def __init__(self, frames, lose=()):
        self.frames, self.lose = frames, set(lose)
        self.places = np.stack([np.linspace(-0.15, 0.1, len(frames)), np.full(len(frames), 0.05)], 1)

    def look(self, frames):
        pass

    def seen(self, frame):
        views = type("V", (), {"log_depth": np.full((1, 24, 24), np.log(HEIGHT), np.float32)})()
        true = self

        class Exact(Seen):
            def depth_at(self, pixels):
                return np.full(len(pixels), HEIGHT - TOP), np.full(len(pixels), 0.01)

        assert true is self
        return Exact(frame.camera, np.ones(2), views)

    def match(self, pairs):
        return [self._one(*pair) for pair in pairs]

    def _one(self, first, second, pixels):
        shift = self.places[round(second.time)] - self.places[round(first.time)]
        focal = first.camera.intrinsics[0, 0]
        step = focal * shift / (HEIGHT - TOP) * (1, -1)
        if round(second.time) in self.lose or round(first.time) in self.lose:
            step = np.array([30.0, 0.0])
        ones = np.ones(len(pixels))
        return Matched(pixels + step, ones, ones, 0 * ones, 0.01 * ones)


@pytest.fixture(scope="module")
def clip():
    frames = rollout(0, length=8).frames["front"]
    return {
        "rgb": np.stack([frame.rgb for frame in frames]),
        "intrinsics": np.stack([frame.camera.intrinsics for frame in frames]),
        "world_from_camera": np.stack([frame.camera.world_from_camera for frame in frames]),
    }


def test_only_what_moves_has_changed(clip):
    moves = changed(clip["rgb"])
    block = np.abs(clip["rgb"].astype(int) - np.median(clip["rgb"], axis=0)).max(-1) > 40
    assert moves[block].mean() > 0.99
    assert moves.mean() < 4 * block.mean()
    assert not changed(np.repeat(clip["rgb"][:1], 4, 0)).any()


def test_a_thing_is_followed_as_it_moved(clip):
    frames, moves = frames_of(clip), changed(clip["rgb"])
    eyes = TrueEyes(frames)
    found = followed(eyes, frames, moves)
    assert sorted(found) == [1, 2, 3, 4, 5, 6, 7]
    for index, motion in found.items():
        true = eyes.places[index] - eyes.places[0]
        world = camera().world_from_camera[:3, :3] @ motion.pose[:3, 3]
        np.testing.assert_allclose(world, [*true, 0], atol=2e-3)
        assert len(motion.here) == len(motion.there) >= FEWEST


def test_what_does_not_lead_back_is_left_out(clip):
    frames, moves = frames_of(clip), changed(clip["rgb"])
    assert sorted(followed(TrueEyes(frames, lose={3, 5}), frames, moves)) == [1, 2, 4, 6, 7]
    assert followed(TrueEyes(frames, lose={1, 2, 3, 4}), frames, moves) == {}


def test_samples_lie_on_the_thing_and_small_ones_are_left_alone():
    moves = np.zeros((SIZE, SIZE), bool)
    moves[10:40, 20:50] = True
    moves[60:66, 60:66] = True
    [pixels] = samples(moves)
    assert pixels.shape == (25, 2)
    column, row = np.floor(pixels).astype(int).T
    assert moves[row, column].all()


def test_labels_move_the_thing_and_leave_the_rest(clip):
    frames, moves = frames_of(clip), changed(clip["rgb"])
    eyes = TrueEyes(frames)
    found = followed(eyes, frames, moves)
    told = labels([eyes.seen(frame) for frame in frames], moves, found)
    assert set(np.unique(told["body"])) == {STILL, THING, SKY}
    np.testing.assert_array_equal(np.isfinite(told["depth"]), told["body"] != SKY)
    np.testing.assert_allclose(told["depth"][told["body"] == STILL], HEIGHT, rtol=1e-5)
    pixel = found[4].here.astype(np.float32)
    followed_there = follow({**clip, **told}, 0, 4, pixel)
    np.testing.assert_allclose(followed_there["target"], found[4].there, atol=0.7)
    assert followed_there["visible"].mean() > 0.9
    still = np.argwhere(told["body"][0] == STILL)[::50, ::-1].astype(np.float32) + 0.5
    unmoved = follow({**clip, **told}, 0, 4, still)
    np.testing.assert_allclose(unmoved["target"], still, atol=1e-3)
    assert unmoved["visible"].all()


def test_a_turn_is_part_of_the_motion():
    here = np.array([[40.0, 40.0], [44.0, 40.0]])
    pose = rigid(np.eye(3), [0.1, 0.0, 0.0])
    motion = Motion(pose, here, here + 5, np.array([[0.0, 0, 0.9], [0.02, 0, 0.9]]))
    frames = rollout(0, length=2).frames["front"]
    eyes = TrueEyes(frames)
    told = labels([eyes.seen(frame) for frame in frames], np.ones((2, SIZE, SIZE), bool), {1: motion})
    world = camera().world_from_camera
    np.testing.assert_allclose(
        told["world_from_body"][1, THING], world @ pose @ np.linalg.inv(world), atol=1e-6
    )
    assert told["body"][1, 45, 45] == THING and told["body"][0, 40, 40] == THING


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    rollouts = [rollout(seed, length=12) for seed in range(5)]
    return str(write_npz(rollouts, tmp_path_factory.mktemp("recorded") / "npz", FPS))


def test_scenes_follow_from_their_number(dataset):
    source = ConsistentScenes(dataset, size=96, frames=6)
    assert source.check() == "front"
    first, again = source(1), source(1)
    assert all(first[key].tobytes() == again[key].tobytes() for key in first)
    assert first["rgb"].shape == (6, 96, 96, 3) and first["world_from_body"].shape == (6, THING + 1, 4, 4)
    assert (first["body"] == STILL).mean() > 0.5
    assert np.isnan(first["support"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"camera": "top"}, "has no camera 'top': front, side"),
        ({"part": (0.0, 0.1)}, "too few episodes"),
    ],
)
def test_what_cannot_be_used_is_refused(dataset, options, said):
    with pytest.raises(ValueError, match=said):
        replace(ConsistentScenes(dataset), **options).check()
