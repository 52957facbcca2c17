"""Load MuJoCo with an OpenGL that works here: without a display EGL or OSMesa."""

from __future__ import annotations

import ctypes
import importlib
import os
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

# The values of MUJOCO_GL that draw, and those that switch drawing off.
DRAWING = ("", "glfw", "glx", "wgl", "cgl", "egl", "osmesa", "enable", "enabled", "on", "true", "1")
OFF = ("disable", "disabled", "off", "false", "0")
REMEDY = "apt-get install libegl1 libgl1 (or libosmesa6 and MUJOCO_GL=osmesa)"


def load_mujoco() -> ModuleType:
    """Import MuJoCo after choosing an OpenGL, and return it.

    Where MUJOCO_GL is not set and there is no display (Linux), EGL is taken if it loads, else OSMesa; the
    choice is written to MUJOCO_GL, so that other libraries and child processes make the same one. Our
    pictures do not mind whether MuJoCo was imported before; those of `mujoco.Renderer` and dm_control do.

    Raises:
        RuntimeError: If neither loads, or MUJOCO_GL holds a value that MuJoCo does not know.
    """
    chosen = _chosen()
    if not chosen and platform.system() == "Linux" and not os.environ.get("DISPLAY"):
        os.environ["MUJOCO_GL"] = _headless()
    elif chosen not in (*DRAWING, *OFF):
        raise RuntimeError(f"MUJOCO_GL={chosen!r} is unknown to MuJoCo. Set it to egl, osmesa or glfw.")
    return importlib.import_module("mujoco")


def new_context(width: int, height: int) -> Any:
    """Make an OpenGL context for pictures of at most `width` x `height` [px].

    Raises:
        RuntimeError: If OpenGL is switched off, does not load or has no device; says what to install.
    """
    if _chosen() in OFF:
        raise RuntimeError(f"MUJOCO_GL={_chosen()!r} switches drawing off. Set it to egl, osmesa or glfw.")
    try:
        return _backend().GLContext(width, height)
    except Exception as error:
        raise RuntimeError(
            f"No OpenGL context with MUJOCO_GL={_chosen()!r} ({type(error).__name__}: {error}): {REMEDY}."
        ) from error


@contextmanager
def current(context: Any = None) -> Iterator[None]:
    """Make `context` current, or one made inside; then give the thread back the one it had before.

    Other renderers, such as Gymnasium's, make theirs current once and rely on it ever after.
    """
    before, give_back = _current_now()
    own = None
    try:
        if context is not None:
            context.make_current()
            own, _ = _current_now()
        yield
    finally:
        if before is not None and before != own:  # its own may have been freed inside
            give_back()


def _chosen() -> str:
    return os.environ.get("MUJOCO_GL", "").lower().strip()


def _headless() -> str:
    for backend, loads in (("egl", _egl_loads), ("osmesa", _osmesa_loads)):
        if loads():
            return backend
    raise RuntimeError(f"No OpenGL without a display: neither EGL nor OSMesa loads. {REMEDY}.")


def _egl_loads() -> bool:
    """Tell whether EGL and OpenGL load and EGL has a device; nothing is initialised, so forks stay safe."""
    try:
        ctypes.CDLL("libGL.so.1")
        egl = ctypes.CDLL("libEGL.so.1")
    except OSError:
        return False
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    address = egl.eglGetProcAddress(b"eglQueryDevicesEXT")
    if not address:
        return False
    number = ctypes.c_int(0)
    signature = ctypes.CFUNCTYPE(ctypes.c_uint, ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int))
    signature(address)(0, None, ctypes.byref(number))
    return number.value > 0


def _osmesa_loads() -> bool:
    for name in ("libOSMesa.so.8", "libOSMesa.so.6", "libOSMesa.so"):
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return True
    return False


def _backend() -> ModuleType:
    """Return the MuJoCo module whose `GLContext` MUJOCO_GL names, whatever MuJoCo chose when imported."""
    headless = _chosen() if _chosen() in ("egl", "osmesa") else None
    return importlib.import_module(f"mujoco.{headless or 'gl_context'}")


def _current_now() -> tuple[Any, Callable[[], object]]:
    """Return the thread's context (None if it has none), and what makes it current again."""
    loaded = f"mujoco.{_chosen()}" in sys.modules
    if _chosen() in ("egl", "osmesa"):
        ask = _current_egl if _chosen() == "egl" else _current_osmesa
        return ask() if loaded else (None, _nothing)
    glfw = sys.modules.get("glfw")
    if glfw is None or not glfw.init():
        return None, _nothing
    window = glfw.get_current_context()
    return window, lambda: glfw.make_context_current(window)


def _nothing() -> None:
    """Make no context current."""


def _current_egl() -> tuple[Any, Callable[[], object]]:
    egl = sys.modules["mujoco.egl"].EGL
    context, display = egl.eglGetCurrentContext(), egl.eglGetCurrentDisplay()
    address = context.address if context else None
    return address, lambda: egl.eglMakeCurrent(display, egl.EGL_NO_SURFACE, egl.EGL_NO_SURFACE, context)


def _current_osmesa() -> tuple[Any, Callable[[], object]]:
    from OpenGL import GL, osmesa

    context = osmesa.OSMesaGetCurrentContext()
    if not context:
        return None, _nothing
    width, height, _, buffer = osmesa.OSMesaGetColorBuffer(context)
    return context.address, lambda: osmesa.OSMesaMakeCurrent(context, buffer, GL.GL_FLOAT, width, height)
