"""What a step looks like in Rerun: pairs of an entity path and the archetype to log there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from spatial_reward._require import require
from spatial_reward.camera import Array, Camera
from spatial_reward.types import Frame
from spatial_reward.viz import blueprint, draw
from spatial_reward.viz.tracks import Pixel, Track, image_covariance

Entities = Iterator[tuple[str, Any]]

GROUNDS = 4  # unseen marks under a picture's own; with one, Rerun 0.41 hides some dots, with three none
CLOUD_POINTS = 16_384  # of a frame; more make the file of an episode large without showing more


def reference_entities(frame: Frame, followed: Sequence[Track]) -> Entities:
    """Yield the reference frame and its camera."""
    yield from _picture(blueprint.REFERENCE, frame, followed, size=0.1)


def frame_entities(frame: Frame, followed: Sequence[Track]) -> Entities:
    """Yield the current frame, its depth, and the marks in both frames.

    A mark in the reference frame is red where the reference is not found in the current one.
    """
    yield from _picture(blueprint.IMAGE, frame, followed, size=0.2)
    yield f"{blueprint.REFERENCE}/points", _marks([track.pixel for track in followed], followed)
    yield f"{blueprint.IMAGE}/points", _marks([track.match for track in followed], followed)
    if frame.camera is not None:
        yield f"{blueprint.IMAGE}/ellipses", _ellipses(frame.camera, followed)
    if frame.depth is not None:
        yield from _depth(frame, nearby(frame, followed))


def space_entities(followed: Sequence[Track], trails: Mapping[str, Sequence[Array]]) -> Entities:
    """Yield where the references started and are, how far they moved, and the way they took.

    Args:
        followed: The references now.
        trails: Positions (3,) so far [m, world], by name.
    """
    moving = [(shade, track) for shade, track in _coloured(followed) if track.followed]
    yield blueprint.POINTS, _balls([track.now for track in followed], followed, size=6.0)
    starts = [track.start if track.followed else None for track in followed]
    yield blueprint.STARTS, _balls(starts, followed, size=3.0, named=False)
    yield blueprint.ARROWS, _arrows(moving)
    yield (
        blueprint.SPREAD,
        _ellipsoids([(shade, track) for shade, track in moving if track.covariance is not None]),
    )
    ways = [(shade, trails.get(track.name, ())) for shade, track in _coloured(followed)]
    yield (
        blueprint.TRAILS,
        _rr().LineStrips3D(
            [np.array(way) for _, way in ways if len(way) > 1],
            colors=[shade for shade, way in ways if len(way) > 1],
            radii=_rr().Radius.ui_points(1.0),
        ),
    )


def middle(camera: Camera, followed: Sequence[Track]) -> Array:
    """Return the middle of the references at their start [m, world]; a metre ahead where none is known."""
    starts = [track.start for track in followed if track.start is not None]
    ahead = camera.world_from_camera[:3, 3] + camera.world_from_camera[:3, 2]
    centre: Array = np.mean(starts, axis=0) if starts else ahead
    return centre


def nearby(frame: Frame, followed: Sequence[Track]) -> Array:
    """Return the depth [m] with 0 where it is unknown or more than 1.6 times as far as any reference.

    A far background would make the viewer's 3-D view zoom out until nothing is seen.
    """
    depth: Array = np.nan_to_num(np.asarray(frame.depth, float), nan=0.0, posinf=0.0, neginf=0.0)
    points = [point for track in followed for point in (track.start, track.now) if point is not None]
    if frame.camera is None or not points:
        return depth
    _, distances = frame.camera.project(np.array(points))
    near: Array = np.where(depth <= 1.6 * distances.max(), depth, 0.0)
    return near


def _picture(entity: str, frame: Frame, followed: Sequence[Track], size: float) -> Entities:
    """Yield a picture, drawn in space `size` times as far from its camera as the references are."""
    if frame.camera is not None:
        distance = np.linalg.norm(middle(frame.camera, followed) - frame.camera.world_from_camera[:3, 3])
        yield _place(entity, frame.camera)
        yield _lens(entity, frame.camera, size * float(distance))
    yield entity, _rr().Image(frame.rgb).compress(jpeg_quality=90)
    yield from ground(entity)


def ground(entity: str) -> Entities:
    """Yield unseen marks under those of a picture: the viewer may draw the lower half behind the picture."""
    for layer in range(GROUNDS):
        unseen = _rr().Points2D([(0.0, 0.0)], radii=0.0, draw_order=float(layer - 100))
        yield f"{entity}/ground/{layer}", unseen


def _place(entity: str, camera: Camera) -> tuple[str, Any]:
    pose = camera.world_from_camera
    return entity.rpartition("/")[0], _rr().Transform3D(translation=pose[:3, 3], mat3x3=pose[:3, :3])


def _lens(entity: str, camera: Camera, plane: float) -> tuple[str, Any]:
    """Make the pinhole that links pixels to space; the picture is drawn `plane` metres ahead of it."""
    rr = _rr()
    return entity, rr.Pinhole(
        image_from_camera=camera.intrinsics,
        resolution=[camera.width, camera.height],
        camera_xyz=rr.ViewCoordinates.RDF,
        image_plane_distance=plane,
    )


def _depth(frame: Frame, depth: Array) -> Entities:
    rr = _rr()
    yield blueprint.DEPTH, rr.DepthImage(depth.astype(np.float32), meter=1.0)
    if frame.camera is None:
        return
    yield _lens(blueprint.DEPTH, frame.camera, 0.1)
    stride = math.ceil(math.sqrt(depth.size / CLOUD_POINTS))
    rows, columns = stride * np.array(np.nonzero(depth[::stride, ::stride]))
    points = frame.camera.unproject(np.stack([columns + 0.5, rows + 0.5], axis=-1), depth[rows, columns])
    # As large as the pixels that a point stands for, so that surfaces look closed.
    radii = 0.6 * stride * depth[rows, columns] / frame.camera.intrinsics[0, 0]
    yield blueprint.CLOUD, rr.Points3D(points, colors=frame.rgb[rows, columns], radii=radii)


def _marks(pixels: Sequence[Pixel | None], followed: Sequence[Track]) -> Any:
    rr = _rr()
    seen = [(pixel, *pair) for pixel, pair in zip(pixels, _coloured(followed), strict=True) if pixel]
    return rr.Points2D(
        [pixel for pixel, _, _ in seen],
        colors=[shade if track.valid else draw.RED for _, shade, track in seen],
        labels=[track.name if track.valid else f"{track.name}: not found" for _, _, track in seen],
        radii=rr.Radius.ui_points(5.0),
    )


def _balls(
    points: Sequence[Array | None], followed: Sequence[Track], *, size: float, named: bool = True
) -> Any:
    """Draw balls, `size` points of the screen large, where positions (3,) [m, world] are known."""
    rr = _rr()
    known = [
        (point, *pair) for point, pair in zip(points, _coloured(followed), strict=True) if point is not None
    ]
    return rr.Points3D(
        [point for point, _, _ in known],
        colors=[shade for _, shade, _ in known],
        labels=[track.name for _, _, track in known] if named else None,
        radii=rr.Radius.ui_points(size),
    )


def _ellipses(camera: Camera, followed: Sequence[Track]) -> Any:
    """Draw the 2-std outline of every known position in the image."""
    outlines, shades = [], []
    for shade, track in _coloured(followed):
        if track.now is None or track.covariance is None or camera.project(track.now)[1] <= 0:
            continue
        covariance = image_covariance(camera, track.now, track.covariance)
        outlines.append(draw.ellipse_outline(camera.project(track.now)[0], covariance))
        shades.append(shade)
    return _rr().LineStrips2D(outlines, colors=shades, radii=_rr().Radius.ui_points(1.0))


def _arrows(moved: Sequence[tuple[draw.Colour, Track]]) -> Any:
    rr = _rr()
    known = [(shade, track, track.displacement) for shade, track in moved]
    known = [(shade, track, vector) for shade, track, vector in known if vector is not None]
    return rr.Arrows3D(
        origins=[track.start for _, track, _ in known],
        vectors=[vector for _, _, vector in known],
        colors=[shade for shade, _, _ in known],
        labels=[f"{track.name} {1000 * track.moved[0]:.0f} mm" for _, track, _ in known],
        radii=rr.Radius.ui_points(1.5),
        show_labels=True,
    )


def _ellipsoids(spread: Sequence[tuple[draw.Colour, Track]]) -> Any:
    """Draw the 2-std ellipsoids of positions."""
    from scipy.spatial.transform import Rotation

    half_sizes, quaternions = [], []
    for _, track in spread:
        variances, axes = np.linalg.eigh(np.asarray(track.covariance))
        half_sizes.append(2 * np.sqrt(np.maximum(variances, 0)))
        axes[:, 0] *= np.sign(np.linalg.det(axes))  # a mirror is no rotation
        quaternions.append(Rotation.from_matrix(axes).as_quat())
    return _rr().Ellipsoids3D(
        centers=[track.now for _, track in spread],
        half_sizes=half_sizes,
        quaternions=quaternions,
        colors=[shade for shade, _ in spread],
    )


def _coloured(followed: Sequence[Track]) -> list[tuple[draw.Colour, Track]]:
    return [(draw.colour(index), track) for index, track in enumerate(followed)]


def _rr() -> Any:
    return require("rerun", extra="viz", purpose="recordings")
