"""Say what is installed, what renders, which devices there are, what is missing, and how to get it."""

from __future__ import annotations

import importlib.util
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

from spatial_reward import __version__

CORE = ("numpy", "scipy", "gymnasium", "mujoco", "opencv-python-headless", "hydra-core", "typer")
# Import name of a package that stands for each extra.
EXTRAS = {
    "viz": "rerun",
    "robots": "gymnasium_robotics",
    "sb3": "stable_baselines3",
    "vlm": "transformers",
    "episodes": "av",
    "pointcloud": "open3d",
    "serve": "fastapi",
    "scale": "ray",
}


@dataclass(frozen=True)
class Check:
    """One finding: what was looked at, whether it is fine, what was found, and the remedy."""

    name: str
    fine: bool
    found: str
    remedy: str = ""
    required: bool = True


def examine() -> Iterator[Check]:
    """Yield the findings one by one; rendering is really tried."""
    yield Check("spatial-reward", True, f"{__version__}, Python {platform.python_version()}, {sys.platform}")
    for package in CORE:
        yield _package(package)
    yield _rendering()
    for extra, module in EXTRAS.items():
        fine = importlib.util.find_spec(module) is not None
        remedy = f'pip install "spatial-reward[{extra}]"'
        yield Check(f"extra {extra}", fine, "installed" if fine else "absent", remedy, required=False)
    yield _device()


def _package(name: str) -> Check:
    try:
        return Check(name, True, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Check(name, False, "absent", f"pip install {name}")


def _rendering() -> Check:
    """Render one picture of a tiny scene, timed."""
    from spatial_reward.envs.gl import load_mujoco

    try:
        mujoco = load_mujoco()
        model = mujoco.MjModel.from_xml_string("<mujoco><worldbody><geom size='.1'/></worldbody></mujoco>")
        start = time.perf_counter()
        with mujoco.Renderer(model, 64, 64) as renderer:
            renderer.render()
        elapsed = 1000 * (time.perf_counter() - start)
    except Exception as error:
        return Check("rendering", False, str(error), "apt-get install libegl1 libgl1")
    return Check("rendering", True, f"{_backend()}, first picture after {elapsed:.0f} ms")


def _backend() -> str:
    import os

    return os.environ.get("MUJOCO_GL", "the system's OpenGL")


def _device() -> Check:
    """Tell whether PyTorch sees an accelerator; nothing needs one."""
    if importlib.util.find_spec("torch") is None:
        return Check("torch", False, "absent", 'pip install "spatial-reward[vlm]"', required=False)
    import torch

    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return Check("torch", True, f"{torch.__version__}, {', '.join(names) or 'CPU only'}", required=False)
