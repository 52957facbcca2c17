import numpy as np
import pytest
import torch

from spatial_reward.camera import Camera, look_at, transform
from spatial_reward.models.spatialnet_input import CHANNELS, network_input, ray_map, support_depth
from spatial_reward.models.spatialnet_network import (
    STRIDE,
    NetworkConfig,
    SpatialNetwork,
    cells,
    read_peak,
    sample,
)

CONFIGS = [NetworkConfig(width=16, depth=1), NetworkConfig(width=16, depth=1, cross=1)]


def grid_of_centres(width, height):
    """Return the pixel (1, 2, h, w) that each cell is centred on."""
    rows, columns = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return STRIDE * torch.stack([columns, rows])[None]


def test_reading_the_grid_of_pixels_at_a_pixel_returns_it():
    pixels = torch.tensor([[[10.0, 7.0], [33.3, 21.9], [17.5, 17.5]]])
    torch.testing.assert_close(sample(grid_of_centres(12, 8), pixels), pixels, rtol=0, atol=1e-4)


def test_a_peak_is_read_at_its_pixel_and_a_shift_of_one_pixel_shifts_it_by_one():
    centres = grid_of_centres(16, 16)[0].flatten(1).T
    for x, y in ((30.0, 26.0), (31.0, 26.0), (31.0, 27.0), (33.5, 41.25)):
        squared = (centres - torch.tensor([x, y])).square().sum(1).reshape(1, 1, 16, 16)
        pixel, spread, share = read_peak(-squared / 30)
        np.testing.assert_allclose(pixel[0, 0], (x, y), atol=0.15)
        assert 2 < spread < 8 and 0.9 < share <= 1


@pytest.mark.parametrize("config", CONFIGS)
def test_an_identical_pair_matches_itself(config):
    torch.manual_seed(0)
    network = SpatialNetwork(config).eval()
    features = network.encode(torch.rand(1, CHANNELS, 96, 128))
    centres = grid_of_centres(32, 24).flatten(2).transpose(1, 2)[:, 100:300:7]
    with torch.no_grad():
        network.sharpness.fill_(5.0)
        found = network.match(features, features, centres)
    miss = (found.pixel - centres).norm(dim=-1)
    assert miss.median() < 0.5
    assert found.log_ratio.shape == miss.shape and found.logits.shape == (1, centres.shape[1], 24 * 32)


@pytest.mark.parametrize("config", CONFIGS)
def test_pictures_of_a_batch_do_not_mix_and_the_grids_fit(config):
    torch.manual_seed(0)
    network = SpatialNetwork(config).eval()
    pictures = torch.rand(2, CHANNELS, 96, 96)
    with torch.no_grad():
        both, alone = network.encode(pictures), network.encode(pictures[1:])
    for one, other in zip(both, alone, strict=True):
        torch.testing.assert_close(one[1:], other, rtol=1e-3, atol=1e-4)
    assert both.match.shape[2:] == both.log_depth.shape[1:] == (24, 24) and both.coarse.shape[2:] == (6, 6)
    torch.testing.assert_close(both.match.norm(dim=1), torch.ones(2, 24, 24))


def test_depth_starts_from_what_is_given():
    network = SpatialNetwork(CONFIGS[0]).eval()
    with torch.no_grad():
        network.depth[-1].weight.zero_(), network.depth[-1].bias.zero_()
        rgb, rays, nothing = (
            torch.rand(1, 3, 96, 96),
            torch.zeros(1, 2, 96, 96),
            torch.full((1, 96, 96), torch.nan),
        )
        known = torch.full((1, 96, 96), 1.5)
        plain, plane, measured = (
            network.encode(network_input(rgb, rays, *given)).log_depth.exp()
            for given in ((nothing, nothing), (nothing, known), (known, 2 * known))
        )
    assert 0.3 < float(plain.mean()) < 1.5
    torch.testing.assert_close(plane, torch.full_like(plane, 1.5))
    torch.testing.assert_close(measured, torch.full_like(measured, 1.5))


def test_support_depth_is_where_the_ray_meets_the_plane():
    camera = Camera.from_fov(50, 64, 48, look_at((0.3, -0.8, 0.9), (0, 0, 0.4)))
    rays = ray_map(torch.tensor(camera.intrinsics[None], dtype=torch.float32), 48, 64)
    pose = torch.tensor(camera.world_from_camera[None], dtype=torch.float32)
    depth = support_depth(rays, pose, torch.tensor([0.4]))[0].numpy().astype(float)
    column, row = np.meshgrid(np.arange(64) + 0.5, np.arange(48) + 0.5)
    directions = camera.rays(np.stack([column, row], -1))
    points = transform(camera.world_from_camera, directions * depth[..., None])
    met = depth < 4.9
    assert met.mean() > 0.5
    np.testing.assert_allclose(points[..., 2][met], 0.4, atol=1e-4)
    assert support_depth(rays, pose, torch.tensor([torch.nan])).isnan().all()


def test_cells_are_read_beside_their_centres():
    picture = torch.arange(16.0)[None, :].expand(16, 16)
    assert cells(picture)[0].tolist() == [2.0, 6.0, 10.0, 14.0]
