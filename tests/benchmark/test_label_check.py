"""The second opinion agrees with every label of the mini split, and catches labels that are wrong."""

import ast
import importlib
from pathlib import Path

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from spatial_reward.benchmark.label_check import TOLERANCES, check_labels, summary
from spatial_reward.benchmark.multispa_sim import load_multispa_sim
from spatial_reward.benchmark.witness import Witness, span
from spatial_reward.questions import SUBTASKS


@pytest.fixture(scope="module")
def mini():
    return load_multispa_sim("mini")


@pytest.fixture(scope="module")
def checks(mini):
    return check_labels(mini.rows, mini.scenes)


def test_every_label_is_agreed_with(mini, checks):
    assert len(checks) == len(mini) == 520
    assert [(check.id, check.why) for check in checks if not check.agrees] == []
    table = summary(checks)
    assert set(table) == {subtask.name for subtask in SUBTASKS}
    assert all(row["n"] == row["agree"] == 20 for row in table.values())


def test_camera_labels_agree_to_the_last_written_digit(checks):
    for check in checks:
        if check.subtask.startswith("cam_") and not check.subtask.startswith("cam_dir"):
            assert check.deviation < (1e-4 if "deg" in check.subtask else 1e-6), check


@pytest.mark.parametrize("subtask", [subtask.name for subtask in SUBTASKS])
def test_wrong_labels_are_caught(mini, subtask):
    rows = [row for row in mini.rows if row["subtask"] == subtask][:3]
    wrong = [row | {"truth": spoilt(row)} for row in rows]
    assert not any(check.agrees for check in check_labels(wrong, mini.scenes))


def spoilt(row):
    """Another answer, off by a tenth or 2 cm, or the next word."""
    truth = row["truth"]
    words = [("left", "right"), ("up", "down"), ("forward", "backward"), tuple("AB"), tuple("ABCD")]
    if isinstance(truth, str):
        group = words[4] if row["kind"] == "vc_mcq" else next(group for group in words if truth in group)
        return group[(group.index(truth) + 1) % len(group)]
    if row["kind"] == "depth_cmp_coord":
        return next(point[:2] for point in row["points"] if point[:2] != truth)
    if isinstance(truth, list):
        return [1.1 * truth[0] + (3.0 if len(truth) == 2 else 0.02), *truth[1:]]
    return 1.1 * truth + 0.02


def test_a_hidden_match_is_caught(mini):
    """A point that is asked about after it has gone behind something is no correspondence."""
    row = next(row for row in mini.rows if row["subtask"] == "vc_coord")
    witness = Witness(mini.scenes, row["clip"])
    x, y, _ = row["points"][0]
    hit = witness.hit(row["frames"][0], (x, y))
    assert hit is not None
    moved = row | {"points": [[x, y, 0]], "truth": [row["truth"][0] + 5, row["truth"][1]]}
    (check,) = check_labels([moved], mini.scenes)
    assert not check.agrees and check.deviation == pytest.approx(5, abs=TOLERANCES["vc"].absolute)


def test_nothing_under_a_point_is_said(mini):
    """Around the table of the Pusher there is nothing."""
    row = next(row for row in mini.rows if row["clip"].startswith("pusher"))
    witness = Witness(mini.scenes, row["clip"])
    places = [
        (x, y)
        for x in np.arange(0.5, witness.clip.width, 16)
        for y in np.arange(0.5, witness.clip.height, 16)
    ]
    nothing = next(place for place in places if witness.hit(row["frames"][0], place) is None)
    asked = row | {"kind": "depth_est_dot", "points": [[*nothing, 0]], "truth": 1.0}
    (check,) = check_labels([asked], mini.scenes)
    assert not check.agrees and check.why == "nothing under the point"


GEOMS = {
    "box": ("0.1 0.2 0.3", lambda rng: rng.choice([-1, 1], (4000, 3)) * [0.1, 0.2, 0.3]),
    "sphere": ("0.1", lambda rng: 0.1 * directions(rng)),
    "ellipsoid": ("0.1 0.2 0.3", lambda rng: directions(rng) * [0.1, 0.2, 0.3]),
    "capsule": ("0.1 0.2", lambda rng: capsule(rng)),
    "cylinder": ("0.1 0.2", lambda rng: rim(rng)),
}


def directions(rng):
    drawn = rng.normal(size=(40_000, 3))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def capsule(rng):
    ball = 0.1 * directions(rng)
    return ball + np.sign(ball[:, 2:]) * [0, 0, 0.2]


def rim(rng):
    angle = rng.uniform(0, 2 * np.pi, 40_000)
    return np.stack([0.1 * np.cos(angle), 0.1 * np.sin(angle), rng.choice([-0.2, 0.2], 40_000)], 1)


@pytest.mark.parametrize("kind", GEOMS)
def test_boxes_around_turned_geoms_hold_their_surface_and_no_more(kind):
    rng = np.random.default_rng(0)
    size, surface = GEOMS[kind]
    turn = Rotation.random(random_state=1)
    quaternion = " ".join(map(str, turn.as_quat(scalar_first=True)))
    geom = f'<geom type="{kind}" size="{size}" pos="1 2 3" quat="{quaternion}"/>'
    model = mujoco.MjModel.from_xml_string(f"<mujoco><worldbody>{geom}</worldbody></mujoco>")
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    low, high = span(model, data, 0)
    points = turn.apply(surface(rng)) + [1, 2, 3]
    assert (points >= low - 1e-9).all() and (points <= high + 1e-9).all()
    assert np.allclose(points.min(axis=0), low, atol=0.003) and np.allclose(
        points.max(axis=0), high, atol=0.003
    )


def test_a_plane_has_no_size():
    model = mujoco.MjModel.from_xml_string(
        '<mujoco><worldbody><geom type="plane" size="1 1 1"/></worldbody></mujoco>'
    )
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    with pytest.raises(ValueError, match="No size of a geom of type 'mjGEOM_PLANE'"):
        span(model, data, 0)


@pytest.mark.parametrize("name", ["label_check", "witness", "multispa_sim_scenes"])
def test_the_second_opinion_shares_no_code_with_the_first(name):
    path = Path(importlib.import_module(f"spatial_reward.benchmark.{name}").__file__)
    imported = {
        node.module
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module
    }
    shared = ("spatial_reward.questions", "spatial_reward.geometry", "spatial_reward.data")
    assert not [module for module in imported if module.startswith(shared)]
