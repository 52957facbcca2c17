import pytest
import torch

from spatial_reward.models.spatialnet_network import NetworkConfig, SpatialNetwork
from spatial_reward.models.spatialnet_weights import save_weights
from spatial_reward.training.spatialnet_start import read_checkpoint, starting_network

CONFIG = NetworkConfig(width=16, depth=1)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    return SpatialNetwork(CONFIG)


def saved(path, network):
    torch.save({"average": network.state_dict(), "network": network.state_dict()}, path)
    return path


@pytest.mark.parametrize("kind", ["checkpoint", "model"])
def test_training_starts_from_the_weights_that_are_told(network, tmp_path, kind):
    if kind == "model":
        save_weights(tmp_path, network, {}, {})
    start = tmp_path if kind == "model" else saved(tmp_path / "best.pt", network)
    for name, value in starting_network(CONFIG, start).state_dict().items():
        torch.testing.assert_close(value, network.state_dict()[name], rtol=0, atol=0)


@pytest.mark.parametrize("damage", ["other", "older", "cut", "empty", "text", "nothing in it"])
def test_what_is_damaged_or_of_another_network_is_refused_in_one_line(network, tmp_path, damage):
    path = saved(tmp_path / "best.pt", network)
    if damage == "other":
        saved(path, SpatialNetwork(NetworkConfig(width=32, depth=1)))
    elif damage == "older":
        weights = {name: value for name, value in network.state_dict().items() if "refiner" not in name}
        torch.save({"average": weights, "network": weights}, path)
    elif damage == "nothing in it":
        torch.save({}, path)
    else:
        path.write_bytes({"cut": path.read_bytes()[:5000], "empty": b"", "text": b"hello"}[damage])
    with pytest.raises(
        ValueError, match=r"start=.* cannot be read, or is of .* another version: give"
    ) as told:
        starting_network(CONFIG, path)
    assert "\n" not in str(told.value)
    with pytest.raises(ValueError, match=r"best.pt cannot be read, .*: remove it to begin anew") as told:
        read_checkpoint(path, SpatialNetwork(CONFIG))
    assert "\n" not in str(told.value)


def test_a_start_that_is_not_there_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing at start=.*best.pt: give the best.pt of a run"):
        starting_network(CONFIG, tmp_path / "best.pt")
