import numpy as np
import pytest
from PIL import Image
from rrd_files import origins, read, unshown

from spatial_reward.viz.curves import write_curves_picture, write_curves_recording

CURVES = {
    "loss": ([50, 100, 150], [3.0, 2.0, float("nan")]),
    "validation/depth": ([100], [0.1]),
    "unknown": ([50], [float("nan")]),
}


def test_a_recording_holds_every_known_number_at_its_step(tmp_path):
    content = read(write_curves_recording(CURVES, tmp_path / "training.rrd", "a run"))
    loss = content["training/loss"]["Scalars:scalars"]
    assert {step: values[0] for step, values in loss.items()} == {50: 3.0, 100: 2.0}
    assert content["training/validation/depth"]["Scalars:scalars"][100] == [0.1]
    assert content["training/loss"]["SeriesLines:names"][None] == ["loss"]
    assert "Scalars:scalars" not in content["training/unknown"]
    assert [path.name for path in tmp_path.iterdir()] == ["training.rrd"]


def test_every_curve_has_a_view_of_its_own(tmp_path):
    path = write_curves_recording(CURVES, tmp_path / "training.rrd")
    assert origins(path) == {name: f"training/{name}" for name in CURVES}
    assert not unshown(path)


def test_a_picture_shows_them_beside_each_other(tmp_path):
    with Image.open(write_curves_picture(CURVES, tmp_path / "training.png", "a run")) as image:
        assert image.width > 2 * image.height
        assert np.asarray(image.convert("L")).std() > 5


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(OSError, match="Cannot write"):
        write_curves_recording(CURVES, tmp_path / "missing" / "training.rrd")
