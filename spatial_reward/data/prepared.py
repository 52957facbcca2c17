"""Prepared scenes: a folder each, written once and whole, memory-mapped from then on."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Camera
from spatial_reward.data.draw import Rules, supported
from spatial_reward.data.picture_file import inspect
from spatial_reward.data.sources.base import BadScene, Source, static_points, unread
from spatial_reward.questions import SUBTASKS
from spatial_reward.questions.views import camera_of
from spatial_reward.types import Frame, Scene

KEPT = 32  # decoded frames of a scene
LONGEST = 200  # bytes of a folder's name; file systems allow 255


def prepare(
    source: Source, scene_id: str, folder: Path, *, depth: bool = False, rules: Rules | None = None
) -> Path:
    """Write a scene of a source to `folder`/<scene>/, whole or not at all; return that place.

    Args:
        source: Where the scene comes from.
        scene_id: One of `source.scenes()`.
        folder: Parent of all prepared scenes.
        depth: Keep the depths and the objects that pixels show, where frames have them.
        rules: By which to find out which subtasks the scene supports; the default rules where None.

    Raises:
        BadScene: If the scene cannot be used, with the reason.
        OSError: If the place cannot be written.
    """
    final = folder / folder_name(scene_id)
    scene = _checked(_read("scene", lambda: source.load(scene_id)))
    partial = folder / f".{final.name}.partial-{os.getpid()}"
    partial.mkdir(parents=True)
    try:
        _write(source, scene_id, scene, partial, depth, rules or Rules())
        _publish(partial, final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return final


def folder_name(scene_id: str) -> str:
    """Return the id of a scene as the name of a folder: percent-encoded, never hidden, never a path.

    Raises:
        BadScene: If the id is empty, too long, or no proper text.

    >>> folder_name("scene0000_00"), folder_name("../etc"), folder_name("a/b c")
    ('scene0000_00', '%2E.%2Fetc', 'a%2Fb%20c')
    """
    proper = all(not 0xD800 <= ord(letter) < 0xE000 for letter in scene_id)  # else it cannot be encoded
    name = quote(scene_id, safe="") if proper else ""
    name = f"%2E{name[1:]}" if name.startswith(".") else name
    if not 0 < len(name) <= LONGEST:
        raise BadScene("no usable scene id", f"{scene_id!r} is no text of 1 to {LONGEST} bytes")
    return name


class PreparedScene:
    """A scene on disk. Its points stay there and are read where they are looked at.

    Args:
        folder: What `prepare` returned.

    Raises:
        FileNotFoundError: If there is no prepared scene.
        ValueError: If its description is damaged.
    """

    def __init__(self, folder: Path) -> None:
        """Read the description."""
        self.folder = Path(folder)
        try:
            self.description: dict[str, Any] = json.loads((self.folder / "scene.json").read_text())
        except FileNotFoundError:
            raise FileNotFoundError(
                f"There is no prepared scene in {self.folder}: run `generate` again with the same `out`."
            ) from None
        except ValueError as error:
            raise ValueError(
                f"{self.folder / 'scene.json'} is damaged ({error}): remove the folder."
            ) from error
        self.frame = lru_cache(KEPT)(self._frame)

    @property
    def id(self) -> str:
        """Id of the scene in its source."""
        return str(self.description["scene"])

    @property
    def source(self) -> str:
        """Name of the source."""
        return str(self.description["source"])

    @property
    def digest(self) -> str:
        """SHA-256 of the content."""
        return str(self.description["digest"])

    @property
    def unsupported(self) -> dict[str, str]:
        """Why subtasks are not supported; those that are missing here are."""
        return dict(self.description["unsupported"])

    @cached_property
    def pictures(self) -> tuple[str, ...]:
        """Paths of the pictures, relative to the folder."""
        return tuple(frame["picture"] for frame in self.description["frames"])

    @cached_property
    def scene(self) -> Scene:
        """The scene with memory-mapped points and unread pictures."""
        rows = self.description["frames"]
        body, points = self._array("body"), self._array("points")
        points = static_points(points, len(rows)) if points.ndim == 2 else points
        bits = np.unpackbits(self._array("visible"), axis=1, count=len(body))
        names = tuple(self.description["names"])
        return Scene(tuple(_unread(row) for row in rows), points, bits.view(bool), body, names)

    def picture(self, index: int) -> bytes:
        """Return the picture file of a frame."""
        return (self.folder / self.pictures[index]).read_bytes()

    def _frame(self, index: int) -> Frame:
        """Return a frame with its pixels, and depth and bodies where they are kept; the last 32 stay."""
        row = self.description["frames"][index]
        bodies = self._array(f"bodies/{index:06d}") if row["bodies"] else None
        return Frame(
            rgb=decode(self.picture(index)),
            time=row["time"],
            view=row["view"],
            camera=self.scene.frames[index].camera,
            depth=self._array(f"depth/{index:06d}") if row["depth"] else None,
            bodies=None if bodies is None else bodies.astype(np.int32),
        )

    def _array(self, name: str) -> NDArray[Any]:
        path = self.folder / f"{name}.npy"
        try:
            return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        except (ValueError, EOFError) as error:
            raise ValueError(
                f"{path} is damaged ({error}): remove {self.folder} and generate again."
            ) from error


def decode(content: bytes) -> NDArray[np.uint8]:
    """Decode a picture file to (H, W, 3) uint8 RGB, as its pixels lie in the file.

    Raises:
        ValueError: If it cannot be decoded.
    """
    how = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION  # the camera is calibrated for these pixels
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), how) if content else None
    if picture is None:
        raise ValueError(f"{len(content)} bytes that should be a picture cannot be decoded.")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def _read(what: str, read: Any) -> Any:
    """Read from a source; what it cannot read is a bad scene, whichever way it says so."""
    try:
        return read()
    except BadScene:
        raise
    except (ValueError, OSError, EOFError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EMFILE, errno.EDQUOT):
            raise  # the computer's trouble, not the scene's
        raise BadScene(f"unreadable {what}", " ".join(str(error).split())) from error


def _checked(scene: Scene) -> Scene:
    """Refuse what no question can be asked about."""
    if not scene.frames or not len(scene.body):
        raise BadScene("no frames or no points", f"{len(scene.frames)} frames, {len(scene.body)} points")
    bare = [index for index, frame in enumerate(scene.frames) if frame.camera is None]
    if bare:
        raise BadScene("no camera", f"{len(bare)} of {len(scene.frames)} frames, first {bare[0]}")
    broken = scene.visible & ~np.isfinite(scene.points).all(axis=-1)
    if broken.any():
        raise BadScene("visible points that are not finite", f"{int(broken.sum())} points")
    if not scene.visible.any():
        raise BadScene("no visible point")
    return scene


def _write(source: Source, scene_id: str, scene: Scene, folder: Path, depth: bool, rules: Rules) -> None:
    static = scene.points.strides[0] == 0
    np.save(folder / "points.npy", np.asarray(scene.points[0] if static else scene.points, np.float64))
    np.save(folder / "visible.npy", np.packbits(scene.visible, axis=1))
    np.save(folder / "body.npy", np.asarray(scene.body, np.int64))
    for name in ("pictures", *(("depth", "bodies") if depth else ())):
        (folder / name).mkdir()
    frames = [
        _write_frame(source, scene_id, scene, index, folder, depth) for index in range(len(scene.frames))
    ]
    content = {"source": source.name, "scene": scene_id, "names": scene.names, "frames": frames}
    reasons = {one.name: supported(scene, one.name, rules) for one in SUBTASKS}
    description = {
        **content,
        "digest": _digest(folder, json.dumps(content)),
        "unsupported": {name: reason for name, reason in reasons.items() if reason},
    }
    (folder / "scene.json").write_text(json.dumps(description))


def _write_frame(
    source: Source, scene_id: str, scene: Scene, index: int, folder: Path, depth: bool
) -> dict[str, Any]:
    """Write what is known of a frame, and return its description."""
    frame = scene.frames[index]
    picture = _write_picture(_read("picture", lambda: source.picture(scene_id, index)), frame, index, folder)
    if depth and frame.depth is not None:
        np.save(folder / f"depth/{index:06d}.npy", np.asarray(frame.depth, np.float32))
    if depth and frame.bodies is not None:
        small = np.int16 if len(scene.names) < 2**15 else np.int32
        np.save(folder / f"bodies/{index:06d}.npy", frame.bodies.astype(small))
    camera = camera_of(scene, index)
    return {
        "time": float(frame.time),
        "view": frame.view,
        "width": frame.width,
        "height": frame.height,
        "intrinsics": camera.intrinsics.ravel().tolist(),
        "world_from_camera": camera.world_from_camera.ravel().tolist(),
        "picture": picture,
        "depth": depth and frame.depth is not None,
        "bodies": depth and frame.bodies is not None,
    }


def _write_picture(content: bytes, frame: Frame, index: int, folder: Path) -> str:
    suffix, *size = _read("picture", lambda: inspect(content))
    if size != [frame.width, frame.height]:
        raise BadScene(
            "pictures of another size than their cameras",
            f"frame {index} is {size[0]} x {size[1]}, not {frame.width} x {frame.height}",
        )
    name = f"pictures/{index:06d}{suffix}"
    (folder / name).write_bytes(content)
    return name


def _unread(row: dict[str, Any]) -> Frame:
    width, height = row["width"], row["height"]
    camera = Camera(
        np.reshape(row["intrinsics"], (3, 3)), np.reshape(row["world_from_camera"], (4, 4)), width, height
    )
    return Frame(unread(width, height), row["time"], row["view"], camera)


def _digest(folder: Path, content: str) -> str:
    digest = hashlib.sha256(content.encode())
    for path in _files(folder):
        digest.update(f"\n{path.relative_to(folder).as_posix()} {path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _files(folder: Path) -> Iterable[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _publish(partial: Path, final: Path) -> None:
    """Give the folder its name; where another process was faster, its equal content stays."""
    try:
        partial.rename(final)
    except OSError:
        if not (final / "scene.json").exists():
            raise
