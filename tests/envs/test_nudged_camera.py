import numpy as np
import pytest

from spatial_reward.camera import look_at
from spatial_reward.envs.nudged_camera import SPREAD, Nudged

BASE, DISTANCE = look_at((1.2, -0.9, 0.8), (0.1, 0.0, 0.2)), float(np.linalg.norm((1.1, -0.9, 0.6)))
TARGET = BASE[:3, 3] + DISTANCE * BASE[:3, 2]


def test_unmoved_it_is_its_base():
    np.testing.assert_allclose(Nudged("default").pose(BASE, DISTANCE, 3.0), BASE, atol=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_a_placement_is_rigid_and_looks_the_same_way(seed):
    path = Nudged("default")
    path.place(np.random.default_rng(seed))
    pose = path.pose(BASE, DISTANCE, 0.0)
    np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)
    away = np.linalg.norm(pose[:3, 3] - TARGET)
    assert away == pytest.approx(DISTANCE * np.exp(path.away[2]))
    turned = np.degrees(np.arccos(np.clip(pose[:3, 2] @ (TARGET - pose[:3, 3]) / away, -1, 1)))
    assert turned <= np.linalg.norm(path.away[3:]) + 1e-6  # by its own turns alone


@pytest.mark.parametrize(("entry", "sign"), [(0, 1.0), (0, -1.0), (1, 1.0), (1, -1.0)])
def test_azimuth_turns_about_the_vertical_and_elevation_raises(entry, sign):
    away = np.zeros(6)
    away[entry] = 5.0 * sign
    eye = Nudged("default", away).pose(BASE, DISTANCE, 0.0)[:3, 3] - TARGET
    before = BASE[:3, 3] - TARGET
    angle = np.degrees(np.arctan2(eye[1], eye[0]) - np.arctan2(before[1], before[0]))
    rise = np.degrees(np.arcsin(eye[2] / DISTANCE) - np.arcsin(before[2] / DISTANCE))
    expected = (5.0 * sign, 0.0) if entry == 0 else (0.0, 5.0 * sign)
    assert (angle, rise) == pytest.approx(expected, abs=1e-9)


def test_placements_spread_and_drift_stays_near():
    rng, path = np.random.default_rng(0), Nudged("default")
    placed = []
    for _ in range(300):
        path.place(rng)
        placed.append(path.away)
    assert np.std(placed, axis=0) == pytest.approx(0.78 * SPREAD, rel=0.2)
    for _ in range(300):
        path.drift(rng)
        assert (np.abs(path.away) < 4 * SPREAD).all()
