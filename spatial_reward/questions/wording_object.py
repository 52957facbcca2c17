"""The words of the object-motion and object-size questions."""

from __future__ import annotations

from spatial_reward.questions.wording import Wording
from spatial_reward.questions.wording_camera import AXES, VECTOR
from spatial_reward.questions.wording_depth import COORDINATES, MILLIMETRES

_FREE = (
    "Both the camera and the objects may or may not have moved between the two images.",
    "Two images of a scene, in which the camera, the object, both or neither may have moved.",
    "Between the first and the second picture the object may or may not move, and so may the camera.",
    "The second image was taken later; it is not said whether camera or object moved.",
    "Here are two frames of a video. Either the camera or the object, or both, or neither, may have moved.",
)
_DOT = tuple(f"{setting} A dot marks a point in the first image." for setting in _FREE)
_COORD = tuple(f"{setting} The point of interest is {{first}} in the first image." for setting in _FREE)
_AXES_AND_COORDINATES = tuple(f"{c} {a}" for c, a in zip(COORDINATES, AXES, strict=True))

_DISTANCE_QUESTIONS = (
    "How far did this point move through the scene, in millimetres?",
    "What distance in mm did the point cover, apart from any camera motion?",
    "By how many millimetres was this point displaced in space?",
    "Estimate the length of the point's own displacement in millimetres.",
    "How many mm lie between its first and its second place in the world?",
    "Give the size of the point's motion in millimetres.",
    "Over what straight-line distance (mm) did the point travel?",
    "How large is the movement of this point in the world, in millimetres?",
)
_DISTANCE_REPLIES = (
    "The point moved `{answer}` mm.",
    "It was displaced by `{answer}` mm.",
    "The point covered a distance of `{answer}` millimetres.",
    "Its two places in the world are `{answer}` mm apart.",
    "I estimate that it travelled `{answer}` mm.",
    "The size of the motion is `{answer}` mm.",
    "Camera motion aside, the point went `{answer}` mm.",
    "The displacement amounts to `{answer}` mm.",
    "This point has shifted by `{answer}` mm.",
    "It travelled about `{answer}` mm in a straight line.",
    "`{answer}` mm is how far the point moved.",
)
_VECTOR_QUESTIONS = (
    "By which vector, in millimetres, did this point move through the scene?",
    "Give the point's own displacement as a vector in mm.",
    "What are the three components of the point's motion, in millimetres?",
    "Express the movement of the point in the world as [ dx , dy , dz ] in mm.",
    "Estimate how far the point went along X, Y and Z, in millimetres.",
    "How was the point displaced along each axis (mm), apart from any camera motion?",
    "State the motion vector of this point in millimetres.",
    "Which translation in mm takes the point from its first to its second place in the world?",
)
_VECTOR_REPLIES = (
    "The point moved by `{answer}` mm.",
    "Its displacement is `{answer}` mm.",
    "The motion has the components `{answer}` mm.",
    "In the axes of the first camera it went `{answer}` mm.",
    "I estimate the shift as `{answer}` mm.",
    "The point was displaced by the vector `{answer}` mm.",
    "Camera motion aside, the point moved `{answer}` mm.",
    "Along X, Y and Z the point travelled `{answer}` mm.",
    "The answer is `{answer}` mm.",
    "This point has shifted by `{answer}` mm.",
    "`{answer}` mm describes the motion of the point.",
)
_STILL_REPLIES = (
    "The point did not move: `{answer}` mm.",
    "This point has not moved, so the answer is `{answer}` mm.",
    "There is no movement of the point, which makes `{answer}` mm.",
    "The point did not move; only `{answer}` mm can be stated.",
    "The point stayed in place: `{answer}` mm.",
    "It is stationary; the motion is `{answer}` mm.",
    "The point did not change its position, that is `{answer}` mm.",
    "Nothing happened to this point; it did not move (`{answer}` mm).",
    "The point remained still, a displacement of `{answer}` mm.",
    "No motion of the point can be seen: `{answer}` mm.",
    "The marked place did not move and the result is `{answer}` mm.",
)


def _motion(settings: tuple[str, ...], conventions: tuple[str, ...], vector: bool) -> Wording:
    questions, replies, hint = (
        (_VECTOR_QUESTIONS, _VECTOR_REPLIES, VECTOR)
        if vector
        else (_DISTANCE_QUESTIONS, _DISTANCE_REPLIES, MILLIMETRES)
    )
    return Wording(settings, questions, replies, hint, conventions, _STILL_REPLIES, points=1)


OBJECT_MOTION_WORDING = {
    "obj_dist_coord": _motion(_COORD, COORDINATES, vector=False),
    "obj_dist_dot": _motion(_DOT, ("",), vector=False),
    "obj_vec_coord": _motion(_COORD, _AXES_AND_COORDINATES, vector=True),
    "obj_vec_dot": _motion(_DOT, AXES, vector=True),
}

_SIZE_SETTINGS = (
    "The two images show the {name} from two sides.",
    "In this static scene there is one {name}; each image shows a part of it.",
    "Two views of the same place contain the {name}.",
    "Combine both pictures to judge the {name}.",
    "Neither photo has to show the {name} completely; use both.",
)
_SIZE_QUESTIONS = (
    "What is the {dim} of the {name} in millimetres?",
    "Estimate the {name}'s {dim} in mm.",
    "How many millimetres does the {name} measure in {dim}?",
    "Give the {dim} of the {name}, in millimetres.",
    "If you measured the {dim} of the {name}, how many mm would you get?",
    "Please judge the {dim} of the {name} in millimetres.",
    "How large is the {name} in its {dim}, in mm?",
    "State, in millimetres, the {dim} of the {name}.",
)
_SIZE_REPLIES = (
    "The {dim} of the {name} is `{answer}` mm.",
    "The {name} measures `{answer}` mm in {dim}.",
    "I estimate its {dim} at `{answer}` millimetres.",
    "Its {dim} comes to `{answer}` mm.",
    "The {name} has a {dim} of about `{answer}` mm.",
    "Taking both views together, the {dim} is `{answer}` mm.",
    "A tape measure would show `{answer}` mm for the {dim}.",
    "From one end to the other, the {dim} is `{answer}` mm.",
    "The answer is `{answer}` mm.",
    "For the {name} I get a {dim} of `{answer}` mm.",
    "`{answer}` mm is the {dim} of the {name}.",
)
_MEANING = {
    "height": "Height is the vertical extent.",
    "length": "Length is the longer of the two horizontal sides of the upright box around the object.",
    "width": "Width is the shorter of the two horizontal sides of the upright box around the object.",
}


def _size(dimension: str) -> Wording:
    questions, replies = (
        tuple(text.replace("{dim}", dimension) for text in texts)
        for texts in (_SIZE_QUESTIONS, _SIZE_REPLIES)
    )
    return Wording(_SIZE_SETTINGS, questions, replies, MILLIMETRES, (_MEANING[dimension],))


SIZE_WORDING = {f"size_{dimension}": _size(dimension) for dimension in _MEANING}
