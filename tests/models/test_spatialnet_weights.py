import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from spatial_reward.models import load_model
from spatial_reward.models.spatialnet_network import NetworkConfig, SpatialNetwork
from spatial_reward.models.spatialnet_runtime import OnnxRuntime, Pictures, TorchRuntime
from spatial_reward.models.spatialnet_weights import (
    CARD,
    ENCODER,
    FORMAT,
    MATCHER,
    NETWORK,
    SHIPPED,
    load_network,
    load_runtime,
    read_card,
    save_calibration,
    save_weights,
)

CONFIG = NetworkConfig(width=16, depth=1)


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    save_weights(tmp_path / "model", SpatialNetwork(CONFIG), {"depth": 1.5}, {"steps": 3})
    return tmp_path / "model"


def test_weights_come_back_as_they_were_written(folder):
    network = load_network(folder)
    torch.manual_seed(0)
    for one, other in zip(
        network.state_dict().values(), SpatialNetwork(CONFIG).state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)
    assert network.config == CONFIG and not network.training
    _, calibration = load_runtime(folder)
    assert calibration["depth"] == 1.5 and calibration["match"] == 1.0
    assert {file.name for file in folder.iterdir()} == {CARD, NETWORK, ENCODER, MATCHER}


def test_calibration_is_changed_and_facts_are_added(folder):
    save_calibration(folder, {"match": 2.0}, {"calibrated_on": 7})
    card = read_card(folder)
    assert card["calibration"]["match"] == 2.0 and card["calibration"]["depth"] == 1.0
    assert card["about"] == {"steps": 3, "calibrated_on": 7}


def pictures_of(rng, count, height, width):
    pose = np.tile(np.eye(4), (count, 1, 1))
    pose[:, :3, :3] = [[1, 0, 0], [0, -0.6, 0.8], [0, -0.8, -0.6]]
    pose[:, 2, 3] = 0.7
    return Pictures(
        rng.integers(0, 256, (count, height, width, 3), np.uint8),
        np.tile(
            np.array([[width, 0, width / 2], [0, width, height / 2], [0, 0, 1]], np.float32), (count, 1, 1)
        ),
        pose.astype(np.float32),
        rng.choice([0.1, np.nan], count).astype(np.float32),
        np.where(rng.random((count, height, width)) < 0.5, np.nan, 0.8).astype(np.float32),
    )


@pytest.mark.parametrize("shape", [(1, 96, 96), (3, 96, 160), (2, 256, 224)], ids=str)
@pytest.mark.parametrize("which", ["tiny", "shipped"])
def test_onnx_runtime_and_torch_say_the_same(which, shape, folder):
    model, rng = SHIPPED if which == "shipped" else folder, np.random.default_rng(1)
    exported, _ = load_runtime(model)
    network = TorchRuntime(load_network(model), "cpu")
    assert isinstance(exported, OnnxRuntime)
    first, second = pictures_of(rng, *shape), pictures_of(rng, shape[0], 96, 128)
    pixels = (rng.random((shape[0], 9, 2)) * shape[:0:-1]).astype(np.float32)
    views = [[runtime.encode(pictures) for pictures in (first, second)] for runtime in (exported, network)]
    for one, other in zip(views[0][0], views[1][0], strict=True):
        np.testing.assert_allclose(one, other, atol=2e-4)
    found, wanted = (
        runtime.match(*views[1], pixels) for runtime in (exported, network)
    )  # of the same views, as a tie of two peaks may go either way
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-3)


def test_missing_and_damaged_files_are_named(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No SpatialNet model at .*nowhere"):
        load_runtime(tmp_path / "nowhere")
    for name in (NETWORK, ENCODER, MATCHER):
        whole = (folder / name).read_bytes()
        for damaged in (whole[:200], whole[:-50], b"\xff" * 100, b""):
            (folder / name).write_bytes(damaged)
            with pytest.raises(ValueError, match=f"{name} is damaged or of another model"):
                load_runtime(folder)
        (folder / name).unlink()
        with pytest.raises(FileNotFoundError, match=f"{name} is missing"):
            load_runtime(folder)
        (folder / name).write_bytes(whole)
    load_runtime(folder)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": "spatialnet-2"}', "null"])
def test_a_card_of_another_kind_is_refused(text, folder):
    (folder / CARD).write_text(text)
    with pytest.raises(ValueError, match=f"is damaged|is not of format '{FORMAT}'"):
        load_runtime(folder)


def told(folder):
    """Make the card agree with the files as they are."""
    import hashlib

    card = json.loads((folder / CARD).read_text())
    card["files"] = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in card["files"]}
    (folder / CARD).write_text(json.dumps(card))


def test_graphs_that_are_none_are_refused(folder):
    (folder / ENCODER).write_bytes(b"no graph")
    told(folder)
    with pytest.raises(ValueError, match="no graph that ONNX Runtime can run"):
        load_runtime(folder)


def test_weights_of_another_size_are_refused(folder):
    weights = load_file(folder / NETWORK)
    save_file(weights, folder / NETWORK, metadata={"config": json.dumps({"width": 32, "depth": 1})})
    told(folder)
    with pytest.raises(ValueError, match="does not fit the network that it describes"):
        load_network(folder)


def test_weights_that_are_not_finite_are_refused(folder):
    network = load_network(folder)
    with torch.no_grad():
        network.context.weight[0, 0, 0, 0] = torch.nan
    save_weights(folder, network, {}, {})
    with pytest.raises(ValueError, match=r"not finite \(context\.weight\)"):
        load_network(folder)


def test_the_shipped_model_is_small_and_loads():
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 20e6
    assert load_model("spatialnet").name == "spatialnet"
