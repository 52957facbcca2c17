import torch
from torch.nn import functional as F

from spatial_reward.models.spatialnet_matching import Features, Matches
from spatial_reward.models.spatialnet_refining import FINE, LOOKS, SHIFTS, SIDE, Refiner, _around, _compared

FINE_CHANNELS, WIDTH, HEIGHT = 8, 96, 64  # [px]


def features_of(look):
    """What a network says of a picture that looks like this (B, C, H / 2, W / 2), of one body, one depth."""
    coarse = torch.zeros(len(look), 2, HEIGHT // 4, WIDTH // 4)
    rest = {name: coarse for name in Features._fields} | {"log_depth": coarse[:, 0], "fine": look}
    return Features(**rest)


def matches_at(pixel):
    flat = torch.zeros(pixel.shape[:2])
    return Matches(flat[..., None], pixel, flat + 1.0, flat - 0.5, flat, flat)


def scene(count, rng):
    """Smooth random pictures, the same moved by (B, 2) [px], and pixels (B, Q, 2) of the first."""
    room = 2 * SIDE
    wide = F.avg_pool2d(torch.randn(count, FINE_CHANNELS, 32 + room, 48 + room, generator=rng), 5, 1, 2) * 5
    shift = torch.randint(-4, 5, (count, 2), generator=rng)
    looks = [
        torch.stack(
            [
                one[:, SIDE - y : SIDE - y + 32, SIDE - x : SIDE - x + 48]
                for one, (x, y) in zip(wide, moved, strict=True)
            ]
        )
        for moved in (torch.zeros_like(shift), shift)
    ]
    pixels = 16 + torch.rand(count, 6, 2, generator=rng) * torch.tensor([WIDTH - 32.0, HEIGHT - 32.0])
    return features_of(looks[0]), features_of(looks[1]), pixels, FINE * shift[:, None].float()


def test_what_is_around_a_pixel_is_read_there():
    rows, columns = torch.meshgrid(torch.arange(32) + 0.5, torch.arange(48) + 0.5, indexing="ij")
    features = features_of(FINE * torch.stack([columns, rows])[None])
    pixels = torch.tensor([[[40.0, 30.0], [51.3, 35.8]]])
    read = _around(features, pixels, pixels, torch.zeros(1, 2, 2))
    assert read.shape == (1, 2, 4, SIDE, SIDE)
    middle = SIDE // 2
    torch.testing.assert_close(read[:, :, :2, middle, middle], pixels, rtol=0, atol=1e-4)
    torch.testing.assert_close(read[0, :, 0, 0, 5], pixels[0, :, 0] + FINE * (5 - middle), rtol=0, atol=1e-4)
    torch.testing.assert_close(read[0, :, 1, 3, 0], pixels[0, :, 1] + FINE * (3 - middle), rtol=0, atol=1e-4)


def test_what_has_moved_is_alike_at_one_shift_only():
    first, second, pixels, shift = scene(8, torch.Generator().manual_seed(0))
    own = torch.zeros(8, 6, 2)
    before, after = (_around(seen, pixels, pixels, own).flatten(0, 1) for seen in (first, second))
    unlike, shown = _compared(before, after)
    found = unlike.flatten(1).argmin(1)
    step = FINE * (torch.stack([found % SHIFTS, found // SHIFTS], -1) - SHIFTS // 2)
    torch.testing.assert_close(step.unflatten(0, (8, 6)).float(), shift.expand(-1, 6, -1))
    places = (SIDE - SHIFTS + 1) ** 2
    assert shown.shape == (48, 2 * places + FINE_CHANNELS + 2, SHIFTS, SHIFTS)


def test_no_look_goes_farther_than_it_can_see():
    torch.manual_seed(0)
    refiner = Refiner(FINE_CHANNELS)
    with torch.no_grad():
        refiner.judged[-1].weight.normal_(0, 50)
        refiner.likely.weight.normal_(0, 50)
    first, second, pixels, _ = scene(2, torch.Generator().manual_seed(1))
    refined = refiner(first, second, pixels, matches_at(pixels))
    assert refined.pixel.shape == (LOOKS, 2, 6, 2)
    steps = torch.cat([pixels[None], refined.pixel]).diff(dim=0).abs()
    assert 4 < steps.max() <= FINE * (SHIFTS // 2) + 1 + 1e-4
    assert refined.log_scale.min() >= -4 and refined.log_scale.max() <= 5


def test_queries_do_not_mix():
    torch.manual_seed(0)
    refiner = Refiner(FINE_CHANNELS).eval()
    with torch.no_grad():
        refiner.judged[-1].weight.normal_(0, 1)
    first, second, pixels, _ = scene(2, torch.Generator().manual_seed(1))
    everything = refiner(first, second, pixels, matches_at(pixels))
    alone = refiner(first, second, pixels[:, 2:3], matches_at(pixels[:, 2:3]))
    for name in alone._fields:
        torch.testing.assert_close(
            getattr(alone, name), getattr(everything, name)[:, :, 2:3], rtol=1e-3, atol=1e-3
        )


def test_it_learns_to_see_by_how_much_a_match_is_off():
    torch.manual_seed(0)
    rng = torch.Generator().manual_seed(2)
    refiner = Refiner(FINE_CHANNELS)
    optimiser = torch.optim.Adam(refiner.parameters(), 2e-3)
    for _ in range(60):
        first, second, pixels, shift = scene(8, rng)
        refined = refiner(first, second, pixels, matches_at(pixels))
        error = (refined.pixel - pixels - shift).abs().sum(-1)
        (error * (-refined.log_scale).exp() + refined.log_scale).mean().backward()
        optimiser.step(), optimiser.zero_grad()
    first, second, pixels, shift = scene(16, torch.Generator().manual_seed(3))
    refined = refiner(first, second, pixels, matches_at(pixels))
    before = shift.abs().sum(-1).mean()
    once, twice = (refined.pixel - pixels - shift).abs().sum(-1).mean((1, 2))
    assert twice < once < 0.3 * before
    stated = refined.log_scale[-1].exp().mean()
    assert twice / 3 < stated < 3 * twice
