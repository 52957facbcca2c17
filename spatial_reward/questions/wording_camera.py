"""The words of the camera-motion questions."""

from __future__ import annotations

from spatial_reward.questions.wording import Wording
from spatial_reward.questions.wording_depth import MILLIMETRES

_SETTINGS = (
    "The two images show a static scene; describe the camera of the second relative to the first image.",
    "Nothing in this scene moves except the camera, and its motion is asked relative to the first image.",
    "A camera took two pictures of a scene that stands still. The first image is the reference.",
    "Both photos show the same motionless scene. Only the camera moves, and the first image is its start.",
    "Between these two pictures of a static scene only the camera moved. Take the first image as origin.",
)
AXES = (
    "Axes are those of the first camera: X points right, Y points down, Z points forward into the scene.",
    "Use the first image's camera axes, with X to the right, Y downwards and Z along the viewing direction.",
    "The vector is meant in the frame of the first camera (X right, Y down, Z away from the viewer).",
)
VECTOR = (
    "Give only the vector in whole millimetres between single backticks, written `[ dx , dy , dz ]` "
    "with three whole numbers."
)
_DEGREES = "Give only a whole number of degrees without a sign between single backticks, as in `<number>`."


def _direction(questions: tuple[str, ...], replies: tuple[str, ...], one: str, other: str) -> Wording:
    """Offer both directions in either order, so that the order gives nothing away."""
    orders = ((one, other), (other, one))
    asked = [q.replace("<1>", a).replace("<2>", b) for q in questions for a, b in orders]
    hint = f"Answer with one word alone, {one} or {other}, between single backticks."
    return Wording(_SETTINGS, tuple(asked), replies, hint)


_SHIFT_QUESTIONS = (
    "Did the camera move <1> or <2>?",
    "In which direction was the camera shifted, <1> or <2>?",
    "Was the second picture taken further <1> or further <2>?",
    "To get from the first viewpoint to the second, does one go <1> or <2>?",
    "Is the displacement of the camera directed <1> or <2>?",
    "Decide between <1> and <2>: which way was the camera carried?",
    "Which word describes the camera's shift, <1> or <2>?",
    "Judging by the change of view, did the camera travel <1> or <2>?",
)
_SHIFT_REPLIES = (
    "The camera moved `{answer}`.",
    "It was shifted `{answer}`.",
    "The second picture was taken further `{answer}`.",
    "The displacement is directed `{answer}`.",
    "One goes `{answer}` to reach the second viewpoint.",
    "The camera travelled `{answer}`.",
    "I would say `{answer}`.",
    "Relative to the first image, the camera went `{answer}`.",
    "Its shift is best described as `{answer}`.",
    "The answer is `{answer}`.",
    "The viewpoint changed `{answer}`.",
)
_TURN_QUESTIONS = (
    "Did the camera turn <1> or <2>?",
    "Was the view rotated <1> or <2>?",
    "Does the second image look more to the <1> or more to the <2>?",
    "In which direction was the camera panned, <1> or <2>?",
    "Its heading changed: towards the <1> or towards the <2>?",
    "Which way does the yaw go, <1> or <2>?",
    "Seen from above, did the camera swing <1> or <2>?",
    "Decide between <1> and <2>: which way was the camera turned?",
)
_TILT_QUESTIONS = (
    "Did the camera tilt <1> or <2>?",
    "Was the view pitched <1> or <2>?",
    "Does the second image look further <1> or further <2>?",
    "Which way was the lens inclined, <1> or <2>?",
    "Its elevation changed: did the view go <1> or <2>?",
    "Which way does the pitch go, <1> or <2>?",
    "Seen from the side, did the camera nod <1> or <2>?",
    "Decide between <1> and <2>: which way was the camera tilted?",
)
_ROTATION_REPLIES = (
    "The camera turned `{answer}`.",
    "The view was rotated `{answer}`.",
    "It now looks further `{answer}`.",
    "The rotation goes `{answer}`.",
    "Its heading changed: `{answer}`.",
    "I would say `{answer}`.",
    "The lens was swung `{answer}`.",
    "Relative to the first image, the camera rotated `{answer}`.",
    "The change of orientation is `{answer}`.",
    "The answer is `{answer}`.",
    "In the second image the camera points more `{answer}`.",
)
_TILT_REPLIES = (
    "The camera tilted `{answer}`.",
    "The view was pitched `{answer}`.",
    "It now looks further `{answer}`.",
    "The tilt goes `{answer}`.",
    "Its elevation changed: `{answer}`.",
    "I would say `{answer}`.",
    "The camera nodded `{answer}`.",
    "Relative to the first image, the camera pitched `{answer}`.",
    "The change of pitch is `{answer}`.",
    "The answer is `{answer}`.",
    "In the second image the camera points further `{answer}`.",
)
_YAW_DEGREES = (
    "By how many degrees did the camera turn about the vertical?",
    "What is the size of the yaw change, in degrees?",
    "How large is the horizontal rotation of the camera in degrees?",
    "Seen from above, through what angle (degrees) did the heading swing?",
    "How many degrees to the side, left or right, was the camera panned?",
    "Estimate the pan angle between the two views in degrees.",
    "Give the magnitude of the yaw rotation in degrees.",
    "What angle, in degrees, lies between the two headings?",
)
_PITCH_DEGREES = (
    "By how many degrees did the camera tilt up or down?",
    "What is the size of the pitch change, in degrees?",
    "How large is the vertical rotation of the camera in degrees?",
    "Seen from the side, through what angle (degrees) did the view nod?",
    "How many degrees did the elevation of the viewing direction change?",
    "Estimate the tilt angle between the two views in degrees.",
    "Give the magnitude of the pitch rotation in degrees.",
    "What angle, in degrees, lies between the two elevations?",
)


def _angle(name: str, questions: tuple[str, ...]) -> Wording:
    replies = (
        "The {name} changed by `{answer}` degrees.",
        "The camera rotated by `{answer}` degrees.",
        "I estimate an angle of `{answer}` degrees.",
        "The {name} rotation amounts to `{answer}` degrees.",
        "Between the views lie `{answer}` degrees of {name}.",
        "It turned through `{answer}` degrees.",
        "The size of the {name} change is `{answer}` degrees.",
        "About `{answer}` degrees.",
        "Relative to the first image, the {name} differs by `{answer}` degrees.",
        "The angle is `{answer}` degrees.",
        "`{answer}` degrees of {name} separate the two images.",
    )
    return Wording(_SETTINGS, questions, tuple(r.replace("{name}", name) for r in replies), _DEGREES)


CAMERA_WORDING = {
    "cam_dir_x": _direction(_SHIFT_QUESTIONS, _SHIFT_REPLIES, "left", "right"),
    "cam_dir_y": _direction(_SHIFT_QUESTIONS, _SHIFT_REPLIES, "up", "down"),
    "cam_dir_z": _direction(_SHIFT_QUESTIONS, _SHIFT_REPLIES, "forward", "backward"),
    "cam_dir_yaw": _direction(_TURN_QUESTIONS, _ROTATION_REPLIES, "left", "right"),
    "cam_dir_pitch": _direction(_TILT_QUESTIONS, _TILT_REPLIES, "up", "down"),
    "cam_deg_yaw": _angle("yaw", _YAW_DEGREES),
    "cam_deg_pitch": _angle("pitch", _PITCH_DEGREES),
    "cam_dist": Wording(
        settings=_SETTINGS,
        questions=(
            "How far did the camera move, in millimetres?",
            "What is the distance in mm between the two camera positions?",
            "How many millimetres apart are the two viewpoints?",
            "Estimate the length of the camera's displacement in millimetres.",
            "Over what straight-line distance (mm) was the camera carried?",
            "Give the size of the camera translation in millimetres.",
            "How many mm separate the places from which the pictures were taken?",
            "What total translation, in millimetres, brings the camera to its second position?",
        ),
        replies=(
            "The camera moved `{answer}` mm.",
            "The two positions are `{answer}` mm apart.",
            "I estimate a displacement of `{answer}` millimetres.",
            "The viewpoints are separated by `{answer}` mm.",
            "It was carried `{answer}` mm in a straight line.",
            "The translation amounts to `{answer}` mm.",
            "About `{answer}` mm lie between the two camera positions.",
            "The distance is `{answer}` mm.",
            "Relative to the first image, the camera was displaced by `{answer}` mm.",
            "The length of the shift is `{answer}` mm.",
            "`{answer}` mm is the total translation.",
        ),
        hint=MILLIMETRES,
    ),
    "cam_vec": Wording(
        settings=_SETTINGS,
        conventions=AXES,
        questions=(
            "By which vector, in millimetres, did the camera move?",
            "Give the displacement of the camera as a vector in mm.",
            "Where is the second camera as seen from the first, in millimetres?",
            "What are the three components of the camera's translation, in millimetres?",
            "Express the shift of the camera as [ dx , dy , dz ] in mm.",
            "Estimate the camera translation along X, Y and Z in millimetres.",
            "How was the camera displaced along each axis (mm)?",
            "State the position of the second camera in the first camera's frame, in millimetres.",
        ),
        replies=(
            "The camera moved by `{answer}` mm.",
            "Its displacement is `{answer}` mm.",
            "The second camera is at `{answer}` mm in the first camera's frame.",
            "The translation has the components `{answer}` mm.",
            "I estimate the shift as `{answer}` mm.",
            "In the axes of the first camera this is `{answer}` mm.",
            "The camera was displaced by the vector `{answer}` mm.",
            "The answer is `{answer}` mm.",
            "Along X, Y and Z the camera went `{answer}` mm.",
            "Relative to the first image, the new camera position is `{answer}` mm.",
            "`{answer}` mm describes the motion.",
        ),
        hint=VECTOR,
    ),
}
