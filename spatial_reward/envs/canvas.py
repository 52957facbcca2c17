"""Draw MuJoCo scenes offscreen: one OpenGL context per thread, one buffer per model and size."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from weakref import WeakSet, WeakValueDictionary, ref

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Camera
from spatial_reward.envs.culling import Geoms, before_sky, geoms_of, without
from spatial_reward.envs.gl import current, load_mujoco, new_context
from spatial_reward.envs.labels import Labels, decode, metric, shown_objects

SIDE = 64  # [px] of a context's own surface, which nothing is drawn on


class Canvas:
    """An offscreen buffer for pictures of one model in one size; it belongs to the thread that made it.

    Args:
        model: MjModel.
        width: Of pictures [px].
        height: Of pictures [px].
        shadows: Draw shadows and multisample as the model's `visual/quality` says. Without, a picture
            takes a few per cent of the time.

    Raises:
        RuntimeError: If no OpenGL context can be made; in a process forked from one that had drawn.
    """

    def __init__(self, model: Any, width: int, height: int, shadows: bool = False) -> None:
        """Make the context and upload the model's meshes and textures."""
        _refuse_after_fork()
        self._mujoco = load_mujoco()
        self.model, self.width, self.height = model, width, height
        self._is_current = False  # for several pictures
        self._rect, self._shadows = self._mujoco.MjrRect(0, 0, width, height), shadows
        with current():
            self._context: _Context | None = _thread_context()
            self._context.gl.make_current()
            self._buffers = _buffers(self._mujoco, model, width, height, shadows)
        self._context.users += 1
        _remember(self)

    def draw(self, scene: Any) -> NDArray[np.uint8]:
        """Return the picture (H, W, 3) of an MjvScene."""
        rgb = np.empty((self.height, self.width, 3), np.uint8)
        self._render(scene, rgb, None)
        return rgb[::-1].copy()

    def label(self, scene: Any) -> Labels:
        """Return depth and object of each pixel of an MjvScene."""
        colours = np.empty((self.height, self.width, 3), np.uint8)
        depth = np.empty((self.height, self.width), np.float32)
        flags = scene.flags.copy()
        for flag in (self._mujoco.mjtRndFlag.mjRND_SEGMENT, self._mujoco.mjtRndFlag.mjRND_IDCOLOR):
            scene.flags[int(flag)] = 1
        try:
            self._render(scene, colours, depth)
        finally:
            scene.flags[:] = flags
        numbers = decode(colours[::-1], scene.ngeom)
        return Labels(metric(depth[::-1], numbers > 0, scene), numbers, shown_objects(scene))

    def draw_and_label(
        self, scene: Any, camera: Camera, hidden: set[int] | None = None
    ) -> tuple[NDArray[np.uint8], Labels]:
        """Return both of an MjvScene, faster than one by one: what no pixel shows is not drawn.

        Args:
            scene: To draw.
            camera: That of the scene.
            hidden: Ids of geoms that the last such picture certainly hid: a guess at what this one hides,
                which is checked. They are replaced by those of this one.
        """
        known, hidden = geoms_of(scene, camera), set() if hidden is None else hidden
        with self._current():
            labels = self._label_quickly(scene, known, hidden)
            if self._shadows:  # things outside the picture throw some into it
                return self.draw(scene), labels
            unseen = known.unseen(labels.numbers)
            hidden.clear()
            hidden.update(known.ids(known.behind(unseen & known.meshes, labels.depth)))
            far = float(scene.camera[0].frustum_far)
            sky = not (known.hides_sky(labels.numbers) and before_sky(camera, labels.depth, far))
            with without(scene, known.geoms, unseen, sky):
                return self.draw(scene), labels

    def _label_quickly(self, scene: Any, known: Geoms, hidden: set[int]) -> Labels:
        """Return the labels, drawn without what is outside and, if that proves right, what is hidden."""
        outside = known.outside(self.width, self.height)
        guess = known.numbered(hidden) & ~outside
        with without(scene, known.geoms, outside | guess):
            labels = self.label(scene)
        if (guess & ~known.behind(guess, labels.depth)).any():
            with without(scene, known.geoms, outside):
                return self.label(scene)
        return labels

    def close(self) -> None:
        """Free the buffers; a second call does nothing. `draw` and `label` fail afterwards."""
        context, self._context = getattr(self, "_context", None), None
        if context is None:
            return
        with current(context.gl):
            self._buffers.free()
            context.users -= 1
            if context.users == 0:
                context.gl.free()

    def abandon(self) -> None:
        """Let go of the context without freeing it, where OpenGL must not be touched any more."""
        if self._context is not None:
            _abandoned.append((self._context, self._buffers))
            self._context = None

    def _render(self, scene: Any, rgb: NDArray[np.uint8], depth: NDArray[np.float32] | None) -> None:
        with nullcontext() if self._is_current else self._current():
            self._mujoco.mjr_setBuffer(int(self._mujoco.mjtFramebuffer.mjFB_OFFSCREEN), self._buffers)
            self._mujoco.mjr_render(self._rect, scene, self._buffers)
            self._mujoco.mjr_readPixels(rgb, depth, self._rect, self._buffers)

    @contextmanager
    def _current(self) -> Iterator[None]:
        """Make the context current for several pictures."""
        _refuse_after_fork()
        if self._context is None:
            raise RuntimeError("This canvas is closed.")
        with current(self._context.gl):
            self._is_current = True
            try:
                yield
            finally:
                self._is_current = False

    def __del__(self) -> None:
        """Free the context with the last one who draws on it."""
        self.close()


class _Context:
    """An OpenGL context that the canvases of a thread share: a new one compiles its shaders for 0.1 s."""

    def __init__(self) -> None:
        self.gl, self.users = new_context(SIDE, SIDE), 0


_threads = threading.local()  # holds `canvases` of each thread, and its `context` while there are any
_settings = threading.Lock()  # held while a model's visual settings are changed for a moment
_made: WeakSet[Canvas] = WeakSet()  # in all threads
_drawn = False  # whether any was ever made: OpenGL keeps its own threads after the last is freed
_drawn_before_fork = False
_abandoned: list[Any] = []  # kept from being freed by the garbage collector


def shared_canvas(model: Any, width: int, height: int, shadows: bool = False) -> Canvas:
    """Return this thread's canvas for a model and size; made when first asked for, freed with its last user.

    Raises:
        RuntimeError: As for `Canvas`.
    """
    canvases = _canvases()
    key = (id(model), width, height, shadows)  # a canvas holds its model, so that the id stays unique
    canvas = canvases.get(key)
    if canvas is None:
        canvas = canvases[key] = Canvas(model, width, height, shadows)
    return canvas


def _thread_context() -> _Context:
    """Return this thread's context; a new one if it has none, or none that is in use."""
    found: _Context | None = getattr(_threads, "context", lambda: None)()
    if found is None or found.users == 0:
        found = _Context()
        _threads.context = ref(found)
    return found


def _canvases() -> WeakValueDictionary[tuple[int, int, int, bool], Canvas]:
    if not hasattr(_threads, "canvases"):
        _threads.canvases = WeakValueDictionary()
    found: WeakValueDictionary[tuple[int, int, int, bool], Canvas] = _threads.canvases
    return found


def _remember(canvas: Canvas) -> None:
    global _drawn
    atexit.unregister(_close_all)
    atexit.register(
        _close_all
    )  # to run before those that end OpenGL: ours, and dm_control's if imported later
    _drawn = True
    _made.add(canvas)


def _close_all() -> None:
    """Free this thread's canvases at exit, and leave those of others to the end of the process."""
    for canvas in list(_canvases().values()):
        canvas.close()
    for canvas in list(_made):
        canvas.abandon()


def _refuse_after_fork() -> None:
    if _drawn_before_fork:
        raise RuntimeError(
            "This process was forked after its parent had drawn a picture, where OpenGL hangs. Start workers "
            'with "spawn" or "forkserver" (AsyncVectorEnv(..., context="spawn")), or draw only in workers.'
        )


def _after_fork() -> None:
    """Never touch the parent's contexts in a child: even freeing them may hang."""
    global _drawn_before_fork
    _drawn_before_fork = _drawn_before_fork or _drawn
    for canvas in list(_made):
        canvas.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _buffers(mujoco: Any, model: Any, width: int, height: int, shadows: bool) -> Any:
    """Make an MjrContext of the wanted size and quality, leaving the model's settings as they were.

    MuJoCo reads them only when a context is made, so that other renderers of the model see no change.
    """
    wanted = {"offwidth": width, "offheight": height}
    if not shadows:
        wanted |= {"shadowsize": 0, "offsamples": 0}
    with _settings:
        kept = {name: getattr(_section(model, name), name) for name in wanted}
        try:
            for name, value in wanted.items():
                setattr(_section(model, name), name, value)
            buffers = mujoco.MjrContext(model, int(mujoco.mjtFontScale.mjFONTSCALE_100))
        finally:
            for name, value in kept.items():
                setattr(_section(model, name), name, value)
    mujoco.mjr_setBuffer(int(mujoco.mjtFramebuffer.mjFB_OFFSCREEN), buffers)
    buffers.readDepthMap = int(mujoco.mjtDepthMap.mjDEPTH_ZEROFAR)
    return buffers


def _section(model: Any, name: str) -> Any:
    return model.vis.global_ if name.startswith("off") and name != "offsamples" else model.vis.quality
