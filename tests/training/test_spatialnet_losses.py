from copy import deepcopy

import numpy as np
import pytest
import torch

from spatial_reward.data.dense import write_shards
from spatial_reward.data.pairs import ClipRecipe, draw_batch, shard_paths
from spatial_reward.models.spatialnet_matching import Features
from spatial_reward.models.spatialnet_network import NetworkConfig, SpatialNetwork
from spatial_reward.models.spatialnet_peaks import STRIDE
from spatial_reward.training.spatialnet_losses import WEIGHTS, Losses, _mask_loss, to_tensors

SIDE = 96
CELLS = SIDE // STRIDE


def batch_of(thing):
    """Two frames and one pair of them; a query on the middle of a thing (H, W)."""
    body = torch.where(torch.as_tensor(thing), 3, 0).to(torch.uint8).expand(1, 2, SIDE, SIDE)
    middle = torch.tensor(np.argwhere(thing).mean(0)[::-1] + 0.5, dtype=torch.float32)
    pair = {"first": torch.tensor([[0]]), "second": torch.tensor([[1]])}
    return {"body": body, "pixel": middle.reshape(1, 1, 1, 2), **pair}


def said(cells):
    """Features of a network that says which cells (h, w) are of one body, and is sure of it."""
    mask = torch.where(torch.as_tensor(cells), 0.0, 4.0)[None, None]
    return Features(*(mask if name == "mask" else torch.zeros(1) for name in Features._fields))


def square(middle, half, side):
    rows, columns = np.mgrid[:side, :side] + 0.5
    return (np.abs(rows - middle) < half) & (np.abs(columns - middle) < half)


@pytest.mark.parametrize("half", [4, 8, 16])
def test_a_mask_that_fits_costs_less_than_any_that_is_wider_or_narrower(half):
    batch = batch_of(square(48, half, SIDE))
    losses = {other: float(_mask_loss(said(square(12, other, CELLS)), batch)) for other in (1, 2, 3, 4, 5, 6)}
    assert min(losses, key=losses.get) == half // STRIDE


def test_every_loss_has_a_weight_and_teaches_every_parameter(tmp_path):
    write_shards(tmp_path, scenes=1, seed=0, size=SIDE, frames=4, meshes=False)
    recipe = ClipRecipe(frames=2, pairs=2, queries=8)
    torch.manual_seed(0)
    network = SpatialNetwork(NetworkConfig(width=16, depth=1))
    losses = Losses(network)(to_tensors(draw_batch(shard_paths(tmp_path), range(2), recipe, seed=0)))
    assert set(losses) == set(WEIGHTS) and all(loss.isfinite() and not loss.shape for loss in losses.values())
    sum(WEIGHTS[name] * loss for name, loss in losses.items()).backward()
    untaught = [
        name for name, value in network.named_parameters() if value.grad is None or not value.grad.any()
    ]
    assert untaught == []


def test_depth_in_general_scenes_is_kept_where_the_network_before_is_given(tmp_path):
    """Of what is kept nothing pulls until it is left; a user's own scene teaches the truth as ever."""
    write_shards(tmp_path, scenes=1, seed=0, size=SIDE, frames=4, meshes=False)
    recipe = ClipRecipe(frames=2, pairs=2, queries=8)
    general = to_tensors(draw_batch(shard_paths(tmp_path), range(2), recipe, seed=0))
    own = {**general, "own": torch.ones(2, dtype=torch.bool)}
    network = SpatialNetwork(NetworkConfig(width=16, depth=1))
    keeping, taught = Losses(network, deepcopy(network).requires_grad_(False)), Losses(network)

    def loss(losses, batch):
        return losses(batch)["depth"]

    assert not general["own"].any() and loss(keeping, general).item() == 0
    assert loss(keeping, own).item() == loss(taught, own).item() == loss(taught, general).item() != 0
    mixed = {**general, "own": torch.tensor([True, False])}
    assert loss(keeping, mixed).item() not in (0, loss(keeping, own).item())
    with torch.no_grad():
        network.depth[-1].bias.add_(0.1)  # now it says other depths, with other scales
    left = loss(keeping, general)
    left.backward()
    assert left.item() > 0 and (network.depth[-1].bias.grad > 0).all()
    assert all(value.grad is None for value in keeping.before.parameters())


def test_a_body_is_told_by_all_its_cells():
    """The loss of bodies is least, 0, where all cells of the body are alike and nothing else is."""
    network = SpatialNetwork(NetworkConfig(width=16, depth=1))
    with torch.no_grad():
        network.matcher.sharpness[1] = np.log(50.0)
    thing = square(48, 8, SIDE)
    cells = torch.as_tensor(square(12, 2, CELLS))
    alike, apart = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    body = torch.where(cells[..., None], alike, apart).permute(2, 0, 1)[None]
    features = said(cells.numpy())._replace(body=body)
    loss, batch = Losses(network)._body_loss, batch_of(thing)
    right = loss(features, features, batch).item()
    wrong = loss(features, features._replace(body=body.flip(1)), batch).item()
    assert -1e-6 < right < 1e-3 < 10 < wrong
