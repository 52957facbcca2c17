import numpy as np
import pytest
import torch

from spatial_reward.camera import Camera, look_at, transform
from spatial_reward.models.spatialnet_input import CHANNELS, network_input, ray_map, support_maps
from spatial_reward.models.spatialnet_matching import (
    STRIDE,
    Features,
    cells,
    keeping_height,
    place_in_body,
    sample,
)
from spatial_reward.models.spatialnet_network import NetworkConfig, SpatialNetwork

CONFIGS = [NetworkConfig(width=16, depth=1), NetworkConfig(width=32, depth=1, body=8)]


def grid_of_centres(width, height):
    """Return the pixel (1, 2, h, w) that each cell is centred on."""
    rows, columns = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return STRIDE * torch.stack([columns, rows])[None]


def test_reading_the_grid_of_pixels_at_a_pixel_returns_it():
    pixels = torch.tensor([[[10.0, 7.0], [33.3, 21.9], [17.5, 17.5]]])
    torch.testing.assert_close(sample(grid_of_centres(12, 8), pixels), pixels, rtol=0, atol=1e-4)


@pytest.mark.parametrize("config", CONFIGS)
def test_an_identical_pair_matches_itself(config):
    torch.manual_seed(0)
    network = SpatialNetwork(config).eval()
    features = network.encode(torch.rand(1, CHANNELS, 96, 128))
    centres = grid_of_centres(32, 24).flatten(2).transpose(1, 2)[:, 100:300:7]
    with torch.no_grad():
        network.matcher.sharpness.copy_(torch.tensor([5.0, 0.0]))
        network.matcher.judge[-1].weight.zero_(), network.matcher.judge[-1].bias.zero_()
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
    assert both.match.shape[2:] == both.log_depth.shape[1:] == (24, 24)
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
        known, unknown = torch.full((1, 96, 96), 1.5), torch.full((1, 2, 96, 96), torch.nan)
        support = torch.stack([known, known], 1)
        plain, plane, measured = (
            network.encode(network_input(rgb, rays, *given)).log_depth.exp()
            for given in ((nothing, unknown), (nothing, support), (known, 2 * support))
        )
    assert 0.3 < float(plain.mean()) < 1.5
    torch.testing.assert_close(plane, torch.full_like(plane, 1.5))
    torch.testing.assert_close(measured, torch.full_like(measured, 1.5))


def maps_of(camera, support=0.4):
    """Return rays (1, 2, h, w) and maps of the plane (1, 2, h, w) of a camera."""
    rays = ray_map(torch.tensor(camera.intrinsics[None], dtype=torch.float32), camera.height, camera.width)
    pose = torch.tensor(camera.world_from_camera[None], dtype=torch.float32)
    return rays, support_maps(rays, pose, torch.tensor([support]))


def test_support_maps_tell_where_the_ray_meets_the_plane_and_the_camera_s_height():
    camera = Camera.from_fov(50, 64, 48, look_at((0.3, -0.8, 0.9), (0, 0, 0.4)))
    depth, height = maps_of(camera)[1][0].numpy().astype(float)
    column, row = np.meshgrid(np.arange(64) + 0.5, np.arange(48) + 0.5)
    directions = camera.rays(np.stack([column, row], -1))
    points = transform(camera.world_from_camera, directions * depth[..., None])
    met = depth < 4.9
    assert met.mean() > 0.5
    np.testing.assert_allclose(points[..., 2][met], 0.4, atol=1e-4)
    np.testing.assert_allclose(height, 0.5, atol=1e-6)
    assert maps_of(camera, torch.nan)[1].isnan().all()


def features_of(camera, *, support=0.4, log_depth=0.0, mask=None):
    """Return what a network would say that is sure of one depth, and tells bodies by a mask (h, w)."""
    rays, plane = maps_of(camera, support)
    nothing = torch.full((1, camera.height, camera.width), torch.nan)
    given = cells(network_input(torch.zeros(1, 3, camera.height, camera.width), rays, nothing, plane)[:, 3:])
    flat = torch.zeros_like(given[:, :1])
    body = flat if mask is None else 10 * torch.as_tensor(mask, dtype=torch.float32)[None, None]
    return Features(flat, flat, body, flat[:, 0] + log_depth, flat[:, 0], flat, given, flat)


@pytest.mark.parametrize("height", [0.4, 0.45, 0.6])
@pytest.mark.parametrize("eye", [(0.3, -0.8, 0.9), (-0.2, -0.5, 1.2)], ids=["stays", "travels"])
def test_what_keeps_its_height_changes_its_depth_as_the_cameras_tell(height, eye):
    first = Camera.from_fov(50, 128, 128, look_at((0.3, -0.8, 0.9), (0, 0, 0.4)))
    second = Camera.from_fov(50, 128, 128, look_at(eye, (0, 0, 0.4)))
    before, after = np.array([[0.02, -0.03, height]]), np.array([[-0.08, 0.05, height]])
    (pixel, depth), (there, depth_there) = first.project(before), second.project(after)
    found, told = keeping_height(
        features_of(first),
        features_of(second),
        *(torch.tensor(at[None], dtype=torch.float32) for at in (pixel, there)),
        torch.tensor(np.log(depth)[None], dtype=torch.float32),
    )
    assert told.all()
    np.testing.assert_allclose(found[0], np.log(depth_there / depth), atol=0.003)


def test_nothing_is_told_of_what_keeps_its_height_where_the_plane_is_not_known():
    camera = Camera.from_fov(50, 96, 96, look_at((0.3, -0.8, 0.9), (0, 0, 0.4)))
    known, unknown = features_of(camera), features_of(camera, support=torch.nan)
    pixel = torch.tensor([[[40.0, 40.0]]])
    for pair in ((known, unknown), (unknown, known), (unknown, unknown)):
        change, told = keeping_height(*pair, pixel, pixel, torch.zeros(1, 1))
        assert not told.any() and change.isfinite().all()


def test_a_body_that_is_carried_off_and_looks_smaller_tells_place_and_depth():
    camera = Camera.from_fov(50, 128, 128, look_at((0.3, -0.8, 0.9), (0, 0, 0.4)))
    masks = np.zeros((2, 32, 32))
    masks[0, 4:16, 4:16] = masks[1, 18:24, 20:26] = 1  # cells; half as large, so twice as deep
    first, second = (features_of(camera, mask=mask) for mask in masks)
    pixels = torch.tensor([[[STRIDE * 6.0, STRIDE * 13.0]]])  # a third of its half to the left and low
    found = torch.tensor([[[STRIDE * 23.5, STRIDE * 20.5]]])  # somewhere on it
    own = torch.tensor(masks[0], dtype=torch.float32)[None, None]
    step, size = place_in_body(first, second, pixels, found, own)
    np.testing.assert_allclose(found[0, 0] / STRIDE + step[0, 0], (21.0, 22.5), atol=0.1)
    np.testing.assert_allclose(size[0, 0], (np.log(2), np.log(144), np.log(36)), atol=0.02)


def test_cells_are_read_beside_their_centres():
    picture = torch.arange(16.0)[None, :].expand(16, 16)
    assert cells(picture)[0].tolist() == [2.0, 6.0, 10.0, 14.0]
