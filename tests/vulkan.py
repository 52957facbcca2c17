"""Whether the Rerun viewer can draw here without a screen."""

from pathlib import Path

import pytest

DRIVERS = Path("/usr/share/vulkan/icd.d")  # `.ci/vulkan` puts them there


def can_draw() -> bool:
    return any(DRIVERS.glob("*"))


needs_vulkan = pytest.mark.skipif(
    not can_draw(), reason="no Vulkan driver: apt-get install libvulkan1 mesa-vulkan-drivers"
)
