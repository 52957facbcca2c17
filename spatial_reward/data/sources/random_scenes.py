"""Random scenes, the kind that SpatialNet learns from, as a source of questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from spatial_reward.data.sources.base import BadScene
from spatial_reward.data.sources.mujoco_cameras import View, make_views, plan_shots, take
from spatial_reward.data.sources.rendered import Encoding, Rendered
from spatial_reward.envs.gl import load_mujoco
from spatial_reward.envs.scene import Watch
from spatial_reward.envs.scene_states import State, draw_states
from spatial_reward.envs.scenes import RandomScene, random_scene
from spatial_reward.types import Scene

SIZES = (224, 320, 448)  # [px]
NAMELESS = "object"  # no question asks for the size of what is called so
ASKED = ("gripper",)  # bodies of an arm that a person could name
OPENGL_FROM_OPENCV = np.diag([1.0, -1.0, -1.0])


class RandomScenes(Rendered):
    """Draw scenes of `envs.scenes.random_scene`: objects, tables, arms, with everything about them random.

    The camera stays in scenes of even number and moves in the others, where a third of the pictures are
    views of one instant: together they support every question. Scene i depends on (seed, i) alone.

    Args:
        scenes: How many.
        frames: Of each.
        held_out: Use the textures and shapes that training never sees.
        meshes: Have kitchen things among the objects; they come with gymnasium-robotics.
        sizes: Sides of the square pictures [px], one of which is drawn for each scene.
        seed: Of everything random.
        points_per_body: At most so many points are followed on each body.
        shadows: Draw shadows, many times slower.
        encoding: Of pictures: "jpeg" or "png".
        quality: Of JPEG pictures.

    Raises:
        ValueError: If a number is not usable.
    """

    def __init__(
        self,
        *,
        scenes: int = 100,
        frames: int = 24,
        held_out: bool = False,
        meshes: bool = False,
        sizes: Sequence[int] = SIZES,
        seed: int = 0,
        points_per_body: int = 128,
        shadows: bool = False,
        encoding: Encoding = "jpeg",
        quality: int = 92,
    ) -> None:
        """Check the numbers; nothing is drawn yet."""
        super().__init__(
            "random_scenes",
            "held-out" if held_out else "random",
            scenes=scenes,
            frames=frames,
            seed=seed,
            points_per_body=points_per_body,
            encoding=encoding,
            quality=quality,
        )
        if not sizes or min(sizes) < 1:
            raise ValueError(f"All `sizes` must be at least 1 px, and there must be one, got {list(sizes)}.")
        self._sizes, self._held_out, self._meshes = tuple(sizes), held_out, meshes
        self._shadows = shadows
        self._views: list[View] = []  # of the last scene: they keep the renderer for the next

    def _render(self, index: int) -> Scene:
        for_scene, for_cameras, for_points = np.random.default_rng([self._seed, index]).spawn(3)
        camera = ("default", "moving")[index % 2]
        shots = plan_shots(self._frames, camera == "moving", for_cameras)
        scene = random_scene(for_scene, held_out=self._held_out, meshes=self._meshes)
        fov, states = draw_states(scene, len(shots), for_scene)
        pair, side = built(scene, fov, states[0]), int(for_scene.choice(self._sizes))
        views = make_views((camera,), pair, (side, side), for_cameras, shadows=self._shadows)
        watch = Watch(for_points, self._points, around=False)
        for state, count in zip(states, shots, strict=True):
            _set(*pair, state)
            take(watch, views, count)
        self._views = views
        return named(watch.scene(), scene)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the renderer behind: another process makes its own."""
        return {**super().__getstate__(), "_views": []}


def built(scene: RandomScene, fov: float, state: State) -> tuple[Any, Any]:
    """Compile a scene, in a state, with its default camera where the state has it."""
    mujoco = load_mujoco()
    model = mujoco.MjModel.from_xml_string(scene.xml, scene.assets)
    pose = state.world_from_camera
    x, y, z, w = Rotation.from_matrix(pose[:3, :3] @ OPENGL_FROM_OPENCV).as_quat()
    model.cam_pos[0], model.cam_quat[0], model.cam_fovy[0] = pose[:3, 3], (w, x, y, z), fov
    model.vis.global_.cameraid = 0
    data = mujoco.MjData(model)
    _set(model, data, state)
    return model, data


def _set(model: Any, data: Any, state: State) -> None:
    """Put everything where a state has it."""
    mujoco = load_mujoco()
    data.qpos[:], data.mocap_pos[:], data.mocap_quat[:] = state.angles, state.positions, state.turns
    mujoco.mj_kinematics(model, data)
    mujoco.mj_comPos(model, data)
    mujoco.mj_camlight(model, data)


def named(watched: Scene, scene: RandomScene) -> Scene:
    """Call the objects what a person would, and all else what no question asks the size of.

    Raises:
        BadScene: If there is nothing to be seen.
    """
    if not len(watched.body):
        raise BadScene("nothing in view")
    called = {f"object{index}": name for index, name in enumerate(scene.names)} | {
        name: name for name in ASKED
    }
    return replace(watched, names=tuple(called.get(name, NAMELESS) or NAMELESS for name in watched.names))
