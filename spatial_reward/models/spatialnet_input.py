"""What SpatialNet's network is given: pictures, rays, and the depths that are known beforehand."""

from __future__ import annotations

import torch
from torch import Tensor

# r, g, b, ray x, ray y, measured depth, whether measured, support depth, height above it, whether known
CHANNELS = 10
NEAREST, FARTHEST = 0.03, 5.0  # [m] that depths given to the network are clamped to


def ray_map(intrinsics: Tensor, height: int, width: int) -> Tensor:
    """Return the directions (B, 2, H, W) of the pixels' rays, x / z and y / z, from (B, 3, 3)."""
    focal_x, focal_y = intrinsics[:, 0, 0, None], intrinsics[:, 1, 1, None]
    x = (torch.arange(width, device=intrinsics.device) + 0.5 - intrinsics[:, 0, 2, None]) / focal_x
    y = (torch.arange(height, device=intrinsics.device) + 0.5 - intrinsics[:, 1, 2, None]) / focal_y
    return torch.stack([x[:, None, :].expand(-1, height, -1), y[:, :, None].expand(-1, -1, width)], 1)


def support_maps(rays: Tensor, world_from_camera: Tensor, support: Tensor) -> Tensor:
    """Return at what depth each ray (B, 2, H, W) meets the plane that things stand on, and from what height.

    Args:
        rays: As of `ray_map`.
        world_from_camera: (B, 4, 4).
        support: (B,) height of the horizontal plane [m]; NaN where it is not known, as are then both maps.

    Returns:
        (B, 2, H, W) [m].
    """
    down = -world_from_camera[:, 2, :3]  # (B, 3): how fast each camera axis loses height
    falling = (
        down[:, 0, None, None] * rays[:, 0] + down[:, 1, None, None] * rays[:, 1] + down[:, 2, None, None]
    )
    above = (world_from_camera[:, 2, 3] - support)[:, None, None].clamp_min(NEAREST)
    depth = (above / falling.clamp_min(above / FARTHEST)).clamp(NEAREST, FARTHEST)
    return torch.stack([depth, above.expand_as(depth)], 1)


def network_input(rgb: Tensor, rays: Tensor, measured: Tensor, support: Tensor) -> Tensor:
    """Stack the network's input (B, 10, H, W).

    Args:
        rgb: (B, 3, H, W) in [0, 1].
        rays: (B, 2, H, W).
        measured: (B, H, W) depth [m]; NaN where not measured.
        support: (B, 2, H, W) as of `support_maps`.
    """
    return torch.cat([rgb * 2 - 1, rays, *_known(measured[:, None]), *_known(support)], 1)


def _known(depth: Tensor) -> tuple[Tensor, Tensor]:
    known = depth.isfinite() & (depth > 0)
    log_depth = torch.where(known, depth, 1.0).clamp(NEAREST, FARTHEST).log()
    return log_depth, known[:, :1].to(log_depth.dtype)
