import pytest
import torch
from safetensors.torch import load_file, save_file

from spatial_reward.models import load_model
from spatial_reward.models.spatialnet_network import NetworkConfig, SpatialNetwork
from spatial_reward.models.spatialnet_weights import SHIPPED, load_weights, save_weights

CONFIG = NetworkConfig(width=16, depth=1)


@pytest.fixture
def path(tmp_path):
    torch.manual_seed(0)
    save_weights(tmp_path / "w.safetensors", SpatialNetwork(CONFIG), {"depth": 1.5}, {"steps": 3})
    return tmp_path / "w.safetensors"


def test_weights_come_back_as_they_were_written(path):
    network, calibration = load_weights(path)
    torch.manual_seed(0)
    for one, other in zip(
        network.state_dict().values(), SpatialNetwork(CONFIG).state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)
    assert network.config == CONFIG and not network.training
    assert calibration["depth"] == 1.5 and calibration["match"] == 1.0
    assert [file.name for file in path.parent.iterdir()] == ["w.safetensors"]


def test_missing_and_damaged_files_are_named(path, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No SpatialNet weights at .*nowhere"):
        load_weights(tmp_path / "nowhere.safetensors")
    whole = path.read_bytes()
    for damaged in (whole[:200], whole[:-50], b"\xff" * 100, b""):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="damaged or no safetensors file"):
            load_weights(path)


def test_weights_of_another_kind_or_size_are_refused(path, tmp_path):
    weights = load_file(path)
    save_file(weights, tmp_path / "other.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match="does not hold SpatialNet weights of format"):
        load_weights(tmp_path / "other.safetensors")
    network, _ = load_weights(path)
    network.config = NetworkConfig(width=32, depth=1)
    save_weights(tmp_path / "lies.safetensors", network, {}, {})
    with pytest.raises(ValueError, match="does not fit the network that it describes"):
        load_weights(tmp_path / "lies.safetensors")


def test_weights_that_are_not_finite_are_refused(path):
    network, _ = load_weights(path)
    with torch.no_grad():
        network.context.weight[0, 0, 0, 0] = torch.nan
    save_weights(path, network, {}, {})
    with pytest.raises(ValueError, match=r"not finite \(context\.weight\)"):
        load_weights(path)


def test_the_shipped_weights_are_small_and_load():
    assert SHIPPED.stat().st_size < 20e6
    assert load_model("spatialnet").name == "spatialnet"
