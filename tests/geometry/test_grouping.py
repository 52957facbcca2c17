import tracemalloc

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from spatial_reward.geometry import rigid_groups


def bodies(rng, counts, steps, speeds):
    """Bodies that move along x by their speed [m/frame], their points in random order: tracks and owners."""
    owner = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    start = rng.uniform(-0.1, 0.1, (len(owner), 3)) + owner[:, None] * np.array([2.0, 0, 0])
    time = np.arange(steps)[:, None]
    shift = time * np.array(speeds)[owner]
    return start + np.stack([shift, 0 * shift, 0 * shift], axis=-1), owner


def same(groups, owner):
    """Whether two labellings split the points alike."""
    return np.array_equal(groups[:, None] == groups, owner[:, None] == owner)


@pytest.mark.parametrize(("speed", "number"), [(0.009, 1), (0.012, 2)])
def test_check_10_slow_parting_is_one_group_and_fast_parting_two(speed, number):
    tracks, owner = bodies(np.random.default_rng(0), [10, 12], 60, [0, speed])
    groups = rigid_groups(tracks)
    assert set(groups) == set(range(number))
    assert same(groups, owner if number == 2 else np.zeros_like(owner))


def test_slow_parting_adds_up_where_asked_and_noise_does_not():
    rng = np.random.default_rng(6)
    tracks, owner = bodies(rng, [10, 12], 200, [0, 0.001])
    tracks += rng.normal(0, 0.0005, tracks.shape)
    assert set(rigid_groups(tracks)) == {0}
    assert same(rigid_groups(tracks, slow=True), owner)
    still = tracks[:1] + rng.normal(0, 0.0005, tracks.shape)
    assert set(rigid_groups(still, slow=True)) == {0}


def test_neither_the_camera_s_motion_nor_a_common_turn_matters():
    rng = np.random.default_rng(1)
    tracks, owner = bodies(rng, [8, 9, 10], 40, [0, 0.03, 0.05])
    for step in range(40):
        turn = Rotation.from_euler("zyx", [0.05 * step, 0.02 * step, 0]).as_matrix()
        tracks[step] = tracks[step] @ turn.T + [0, 0.1 * step, 0]
    assert same(rigid_groups(tracks), owner)


def test_small_groups_are_none_and_the_largest_is_the_first():
    tracks, owner = bodies(np.random.default_rng(2), [6, 5, 20], 30, [0, 0.04, 0.09])
    groups = rigid_groups(tracks)
    assert [set(groups[owner == body]) for body in range(3)] == [{1}, {-1}, {0}]


def test_noise_below_the_gate_does_not_split_a_body():
    rng = np.random.default_rng(3)
    tracks, _ = bodies(rng, [30], 50, [0.02])
    assert set(rigid_groups(tracks + rng.normal(0, 0.001, tracks.shape))) == {0}


def test_the_order_of_points_does_not_matter():
    rng = np.random.default_rng(4)
    tracks, owner = bodies(rng, [7, 13], 30, [0, 0.03])
    order = rng.permutation(20)
    np.testing.assert_array_equal(rigid_groups(tracks[:, order]), rigid_groups(tracks)[order])
    assert same(rigid_groups(tracks), owner)


@pytest.mark.parametrize("shape", [(5, 0, 3), (5, 1, 3), (5, 4, 3), (0, 9, 3)])
def test_too_few_points_or_frames_are_no_groups(shape):
    np.testing.assert_array_equal(rigid_groups(np.zeros(shape)), np.full(shape[1], -1))


def test_one_frame_is_one_group():
    assert set(rigid_groups(np.random.default_rng(0).normal(size=(1, 9, 3)))) == {0}


def test_memory_does_not_grow_with_the_frames():
    tracks = np.zeros((300, 400, 3)) + np.random.default_rng(5).normal(size=(400, 3))
    tracemalloc.start()
    rigid_groups(tracks)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    pairs = 400 * 399 / 2 * 8  # [bytes] of one array over pairs
    assert peak < 8 * pairs


@pytest.mark.parametrize("tracks", [np.zeros((4, 5)), np.zeros((4, 9, 2)), np.full((4, 9, 3), np.nan)])
def test_tracks_must_be_finite_points(tracks):
    with pytest.raises(ValueError, match=r"finite \(T, N, 3\) array, got shape"):
        rigid_groups(tracks)
