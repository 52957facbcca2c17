"""Pictures, cameras and the truth of any MuJoCo environment."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, Camera, transform
from spatial_reward.envs.camera_path import (
    CameraPath,
    looked_at,
    orbit,
    place_camera,
    scene_camera,
)
from spatial_reward.envs.canvas import Canvas, shared_canvas
from spatial_reward.envs.gl import load_mujoco
from spatial_reward.envs.grounding import (
    Grounding,
    Target,
    anchor,
    body_pose,
    carriers,
    find,
    in_body,
    shown_bodies,
    shows,
    visible_pixel,
)
from spatial_reward.envs.labels import Labels
from spatial_reward.envs.physics import Shown, find_view, physics
from spatial_reward.envs.visibility import seen
from spatial_reward.types import Frame, Reference

__all__ = ["Grounding", "Simulator", "physics"]

SEGMENTS = 64  # that a slack tendon is drawn in, at most
SPARE = 500  # geoms that a scene has room for beyond those of its model


class Simulator:
    """Look at a MuJoCo environment with one camera.

    Looking changes nothing in the environment: neither its state, nor the model's visual settings, nor
    the OpenGL context of its own renderer. A renderer is made with the first picture, kept for the model
    and size, and belongs to the thread that draws; threads take turns, each may draw. After a change of
    meshes or textures, `close()` makes the next picture start from a new one.

    Args:
        source: An environment (see `physics`) or a pair (MjModel, MjData).
        camera: Name of a camera of the model; "default", what `env.render()` shows; "free", MuJoCo's own;
            "orbit", swinging around what the default looks at; or a `CameraPath`.
        width: Of pictures [px].
        height: Of pictures [px].
        shadows: Draw shadows and multisample as the model says: slower, the very pixels of `env.render()`.

    Raises:
        TypeError: If there is no MuJoCo model in `source`.
        ValueError: If the camera is unknown or the size not positive.
    """

    def __init__(
        self,
        source: Any,
        camera: str | CameraPath = "default",
        width: int = 224,
        height: int = 224,
        shadows: bool = False,
    ) -> None:
        """Check the camera and the size; nothing is drawn yet."""
        if width < 1 or height < 1:
            raise ValueError(f"Pictures need a positive size [px], got {width} x {height}.")
        self.source, self.width, self.height, self.shadows = source, width, height, shadows
        self.path, self.view_name = _path(camera)
        self._shown = Shown(source)
        self._threads = threading.local()  # holds the `canvas` of each thread
        self._model: Any = None  # that the following three belong to
        self._view: Any = None
        self._scene: Any = None
        self._distance = 0.0  # [m] to what the view looks at
        self._drawn: tuple[Any, Any] = (None, None)
        self._placed_camera: Camera | None = None
        self._camera_key: list[float] = []  # what the scene said when that was made
        self._hidden: set[int] = set()  # geoms that the last picture from there hid
        find_view(source, physics(source)[0], self.view_name)

    @property
    def camera(self) -> Camera:
        """The camera now; no picture is drawn."""
        model, data = self.state()
        load_mujoco().mjv_updateCamera(model, data, self._view, self._scene)
        return self._placed(data)

    @property
    def name(self) -> str:
        """Name of the view, for frames."""
        return self.view_name if self.path is None else f"{type(self.path).__name__.lower()}:{self.view_name}"

    def frame(self, depth: bool = False) -> Frame:
        """Draw the state now, with its camera, and its depth if asked for."""
        data, camera = self._update()
        if depth:
            rgb, labels = self._canvas().draw_and_label(self._scene, camera, self._hidden)
            return Frame(rgb, float(data.time), self.name, camera, labels.depth)
        return Frame(self._canvas().draw(self._scene), float(data.time), self.name, camera)

    def capture(self) -> tuple[Frame, NDArray[np.int32]]:
        """Draw the state now: the frame with depth, and the body (H, W) of each pixel."""
        data, camera = self._update()
        rgb, labels = self._canvas().draw_and_label(self._scene, camera, self._hidden)
        frame = Frame(rgb, float(data.time), self.name, camera, labels.depth)
        return frame, shown_bodies(self._model, labels)

    @property
    def drawn(self) -> tuple[Any, Any]:
        """The MjModel and MjData that the last picture shows, until the next one."""
        return self._drawn

    def depth(self) -> NDArray[np.float32]:
        """Return the planar depth (H, W) [m] now; NaN where there is nothing."""
        self._update()
        return self._canvas().label(self._scene).depth

    def segmentation(self) -> NDArray[np.int32]:
        """Return the number (H, W) of the body that each pixel shows.

        A site counts as part of its body where that can move. -1 where a pixel shows no body: background,
        markers of the world, and what is not rigid (tendons, skins, flexes).
        """
        self._update()
        return shown_bodies(self._model, self._canvas().label(self._scene))

    def look_from(self, world_from_camera: Array) -> tuple[Camera, NDArray[np.float32], NDArray[np.int32]]:
        """Return camera, depth (H, W) [m] and bodies (H, W) as seen from another pose (4, 4)."""
        self._update()
        place_camera(self._scene, world_from_camera)
        labels = self._canvas().label(self._scene)
        bodies = shown_bodies(self._model, labels)
        return scene_camera(self._scene, self.width, self.height), labels.depth, bodies

    @property
    def distance(self) -> float:
        """Distance [m] to what the camera looks at: the surface on its axis at first, or its `lookat`."""
        self.state()
        return self._distance

    def ground(self, name: str) -> Grounding:
        """Find a body, geom or site in the picture of the state now.

        What cannot move gets its position only. What can gets a pixel inside its silhouette as well: of
        the geom itself, else of its body, else of what is welded to it.

        Raises:
            ValueError: If the name is unknown, or the thing can move and is not visible.
        """
        data, camera = self._update()
        model = self._model
        target = find(model, name)
        position = anchor(data, target)
        local = in_body(data, target.body, position)
        if carriers(model)[target.body] == 0:
            return Grounding(Reference(name, position=position), target.body, local, name, local)
        labels = self._canvas().label(self._scene)
        found = visible_pixel(model, target, labels, near=camera.project(position)[0])
        if found is None:
            raise ValueError(f"{name!r} is not visible from camera {self.name!r}: choose another camera.")
        column, row = found
        pixel = (column + 0.5, row + 0.5)
        surface = in_body(data, target.body, camera.unproject(pixel, labels.depth[row, column]))
        return Grounding(Reference(name, pixel, position), target.body, local, name, surface)

    def position(self, grounding: Grounding) -> Array:
        """Return the true world position (3,) [m] of the anchor now."""
        return transform(body_pose(self.state()[1], grounding.body), grounding.local)

    def material(self, grounding: Grounding) -> Array:
        """Return the world position (3,) [m] now of the surface point that was under the grounded pixel."""
        return transform(body_pose(self.state()[1], grounding.body), grounding.surface)

    def visible(self, grounding: Grounding) -> bool:
        """Tell whether the surface point that was under the grounded pixel is seen now, by depth and body.

        Of a thing grounded without a pixel: whether nothing but itself stands before its anchor.
        """
        data, camera = self._update()
        labels = self._canvas().label(self._scene)
        point = transform(body_pose(data, grounding.body), grounding.surface)
        if grounding.reference.pixel is None:
            return self._unobstructed(camera, labels, point, find(self._model, grounding.name))
        carrier = carriers(self._model)
        bodies = np.append(carrier, -1)[shown_bodies(self._model, labels)]
        return bool(seen(camera, labels.depth, bodies, point[None], carrier[[grounding.body]])[0])

    def state(self) -> tuple[Any, Any]:
        """Return the MjModel and MjData that pictures show now; the data may be a copy, for reading only.

        Starts anew where the environment has made another model.
        """
        model, data = self._shown.now()
        if model is not self._model:
            mujoco = load_mujoco()
            self.close()
            self._scene = mujoco.MjvScene(model, maxgeom=_most_geoms(model))
            self._options = mujoco.MjvOption()
            self._view = find_view(self.source, model, self.view_name)
            mujoco.mjv_updateCamera(model, data, self._view, self._scene)
            pose = scene_camera(self._scene, self.width, self.height).world_from_camera
            self._distance = looked_at(model, data, self._view, pose)
            self._model = model
        return model, data

    def close(self) -> None:
        """Free this thread's renderer; a second call does nothing, another picture makes a new one."""
        self._threads.__dict__.clear()

    def __enter__(self) -> Simulator:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Free the renderer."""
        self.close()

    def _update(self) -> tuple[Any, Camera]:
        """Bring the scene up to date; return the state and the camera."""
        mujoco = load_mujoco()
        model, data = self._drawn = self.state()
        everything = int(mujoco.mjtCatBit.mjCAT_ALL)
        mujoco.mjv_updateCamera(model, data, self._view, self._scene)
        camera = self._placed(data)  # first: headlight and endless planes follow the scene's last camera
        mujoco.mjv_updateScene(model, data, self._options, None, self._view, everything, self._scene)
        if self.path is not None:
            place_camera(self._scene, camera.world_from_camera)
        return data, camera

    def _placed(self, data: Any) -> Camera:
        """Return the camera of the scene, moved along its path."""
        camera = self._camera()
        if self.path is None:
            return camera
        pose = self.path.pose(camera.world_from_camera, self._distance, float(data.time))
        place_camera(self._scene, pose)
        return self._camera()

    def _camera(self) -> Camera:
        """Return the camera of the scene; the same as before where it stands still."""
        key = [
            part
            for eye in self._scene.camera
            for part in (*eye.pos.tolist(), *eye.forward.tolist(), *eye.up.tolist(), *_frustum(eye))
        ]
        if self._placed_camera is None or key != self._camera_key:
            self._placed_camera, self._camera_key = scene_camera(self._scene, self.width, self.height), key
            self._hidden = set()
        return self._placed_camera

    def _unobstructed(self, camera: Camera, labels: Labels, point: Array, target: Target) -> bool:
        pixel, z = camera.project(point)
        if not camera.contains(pixel):
            return False
        column, row = map(int, pixel)
        nearest = labels.depth[row, column]
        free = np.isnan(nearest) or z <= nearest + 0.01  # [m]
        return bool(free or shows(self._model, labels, column, row, target))

    def _canvas(self) -> Canvas:
        canvas: Canvas | None = getattr(self._threads, "canvas", None)
        if canvas is None or canvas.model is not self._model:
            canvas = shared_canvas(self._model, self.width, self.height, self.shadows)
            self._threads.canvas = canvas
        return canvas


def _frustum(eye: Any) -> tuple[float, ...]:
    """Return what an MjvGLCamera knows of its field of view."""
    sides = eye.frustum_bottom, eye.frustum_top, eye.frustum_center, eye.frustum_width
    return (*sides, eye.frustum_near, float(eye.orthographic))


def _most_geoms(model: Any) -> int:
    """Return how many geoms a picture of a model can need; a scene for ten thousand takes long to make."""
    strings = SEGMENTS * model.ntendon + 4 * model.nwrap
    return int(model.ngeom + model.nsite + model.nskin + model.nflex + strings) + SPARE


def _path(camera: str | CameraPath) -> tuple[CameraPath | None, str]:
    """Split a camera into its path, if it has one, and the name of the view it starts from."""
    if isinstance(camera, str) and camera != "orbit":
        return None, camera
    path = orbit() if isinstance(camera, str) else camera
    if not isinstance(path, CameraPath):
        raise TypeError(f"`camera` must be a name or a CameraPath, got {camera!r}.")
    return path, path.base
