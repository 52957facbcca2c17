import numpy as np
import pytest

from spatial_reward.camera import Camera
from spatial_reward.data.dense import FAR, MAX_BODIES, render_scene, write_shards
from spatial_reward.data.pairs import open_shard

SIZE = 48


@pytest.fixture(scope="module")
def rendered():
    return render_scene(0, seed=5, size=SIZE, frames=3)


def test_arrays_are_as_stated(rendered):
    assert rendered["rgb"].shape == (3, SIZE, SIZE, 3) and rendered["rgb"].dtype == np.uint8
    assert rendered["depth"].shape == rendered["body"].shape == (3, SIZE, SIZE)
    assert rendered["world_from_body"].shape == (3, MAX_BODIES, 4, 4)
    depth = rendered["depth"]
    assert np.nanmax(depth) <= FAR and np.nanmin(depth) > 0
    assert (np.isnan(depth) | (rendered["body"] < MAX_BODIES)).all()


def test_the_same_seed_gives_the_same_bytes(rendered):
    again = render_scene(0, seed=5, size=SIZE, frames=3)
    assert all(rendered[key].tobytes() == again[key].tobytes() for key in rendered)
    other = render_scene(1, seed=5, size=SIZE, frames=3)
    assert rendered["rgb"].tobytes() != other["rgb"].tobytes()


def test_the_floor_lies_where_depth_and_pose_say():
    """What belongs to no object is floor, table or wall; much of it lies at the support's height or at 0."""
    near = []
    for index in range(3):
        scene = render_scene(index, seed=6, size=SIZE, frames=1)
        camera = Camera(scene["intrinsics"][0], scene["world_from_camera"][0], SIZE, SIZE)
        row, column = np.nonzero((scene["body"][0] == 0) & np.isfinite(scene["depth"][0]))
        depth = scene["depth"][0][row, column].astype(float)
        height = camera.unproject(np.stack([column, row], -1) + 0.5, depth)[:, 2]
        off = np.minimum(np.abs(height), np.abs(height - scene["support"]))
        near.append(np.mean(off < 0.005 + 0.004 * depth))
    assert np.median(near) > 0.5


def test_shards_do_not_depend_on_who_writes_them_and_are_written_once(tmp_path):
    how = {"scenes": 2, "seed": 5, "size": SIZE, "frames": 3, "meshes": False}
    assert write_shards(tmp_path / "one", **how) == 1
    assert write_shards(tmp_path / "two", workers=2, **how) == 1
    first, second = ((tmp_path / name / "000000.npz").read_bytes() for name in ("one", "two"))
    arrays = [np.load(tmp_path / name / "000000.npz") for name in ("one", "two")]
    assert all(arrays[0][key].tobytes() == arrays[1][key].tobytes() for key in arrays[0].files)
    assert len(first) == len(second)
    assert write_shards(tmp_path / "one", **how) == 0
    assert not list((tmp_path / "one").glob("*.claim")) and not list((tmp_path / "one").glob("*.partial"))
    direct = render_scene(1, seed=5, size=SIZE, frames=3, meshes=False)
    np.testing.assert_array_equal(open_shard(tmp_path / "one" / "000000.npz")["rgb"][1], direct["rgb"])
