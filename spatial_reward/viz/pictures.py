"""The two pictures of a step, marked: where the references were, and where they are now."""

from __future__ import annotations

import numpy as np

from spatial_reward.viz import draw
from spatial_reward.viz.draw import Picture
from spatial_reward.viz.step import Step
from spatial_reward.viz.tracks import Track, image_covariance, tracks


def reference_picture(step: Step, width: int = 448) -> Picture:
    """Return the reference frame with a lettered dot on every reference, `width` pixels wide."""
    scale = width / step.reference_frame.width
    picture = draw.enlarge(step.reference_frame.rgb, scale)
    for index, track in enumerate(tracks(step)):
        if track.pixel is not None:
            picture = _mark(picture, track, track.pixel, scale, index)
    names = [(f"{draw.letter(i)} {name}", draw.colour(i)) for i, name in enumerate(step.references)]
    return draw.lines(picture, names)


def current_picture(step: Step, width: int = 448) -> Picture:
    """Return the current frame with matches, 2-std ellipses, displacement arrows and their lengths [mm]."""
    scale = width / step.frame.width
    picture = draw.enlarge(step.frame.rgb, scale)
    followed = tracks(step)
    for index, track in sorted(enumerate(followed), key=lambda pair: pair[1].followed):  # what moves on top
        picture = _ellipse(picture, step, track, scale, index)
        picture = _arrow(picture, step, track, scale, index)
        if track.match is not None:
            picture = _mark(picture, track, track.match, scale, index)
    return draw.lines(picture, [_caption(index, track) for index, track in enumerate(followed)])


def _mark(picture: Picture, track: Track, pixel: tuple[float, float], scale: float, index: int) -> Picture:
    at, shade, label = np.multiply(pixel, scale), draw.colour(index), draw.letter(index)
    if track.followed:
        return draw.dot(picture, at, shade, label=label)
    return draw.dot(picture, at, shade, label=label, radius=7, ring=True)


def _ellipse(picture: Picture, step: Step, track: Track, scale: float, index: int) -> Picture:
    camera = step.frame.camera
    if camera is None or track.now is None or track.covariance is None:
        return picture
    centre, depth = camera.project(track.now)
    if depth <= 0:
        return picture
    covariance = scale**2 * image_covariance(camera, track.now, track.covariance)
    return draw.ellipse(picture, scale * centre, covariance, draw.colour(index))


def _arrow(picture: Picture, step: Step, track: Track, scale: float, index: int) -> Picture:
    camera = step.frame.camera
    if camera is None or track.start is None or track.now is None:
        return picture
    ends, depth = camera.project(np.stack([track.start, track.now]))
    if (depth <= 0).any():
        return picture
    return draw.arrow(picture, scale * ends[0], scale * ends[1], draw.colour(index))


def _caption(index: int, track: Track) -> tuple[str, draw.Colour]:
    """Say how far a reference moved, or in red that it was not found."""
    head = f"{draw.letter(index)} {track.name}"
    if not track.valid:
        return f"{head}: not found", draw.RED
    if not track.followed:
        return f"{head} (fixed)", draw.colour(index)
    length, std = 1000 * np.array(track.moved)
    spread = f" +- {std:.0f}" if np.isfinite(std) else ""
    return (f"{head} {length:.0f}{spread} mm" if np.isfinite(length) else head), draw.colour(index)
