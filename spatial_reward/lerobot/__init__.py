"""Rewards in metres for LeRobot, with `--reward_model.discover_packages_path=spatial_reward.lerobot`."""

try:
    import lerobot.configs.rewards  # noqa: F401
except ImportError as error:
    raise ImportError(
        f'This plug-in needs LeRobot 0.6 or later ({error}): pip install "lerobot>=0.6", with Python 3.12.',
        name="lerobot",
    ) from error

from spatial_reward.lerobot.configuration_spatial import SpatialConfig

__all__ = ["SpatialConfig"]
