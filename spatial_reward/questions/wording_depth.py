"""The words of the depth questions."""

from __future__ import annotations

from spatial_reward.questions.wording import Wording

COORDINATES = (
    "Image coordinates are written [ x , y ]: x runs from 0 at the left edge to 1000 at the right edge, "
    "y from 0 at the top to 1000 at the bottom.",
    "Positions are given as [ x , y ] in thousandths of image width and height, from the top-left corner.",
    "A position [ x , y ] is scaled so that the top-left corner is [ 0 , 0 ] and the bottom-right corner "
    "is [ 1000 , 1000 ].",
)
MILLIMETRES = "Give only a whole number of millimetres between single backticks, as in `<number>`."
_LETTER = "Answer with the letter of the point alone, A or B, between single backticks."
_CHOSEN = (
    "Answer with the coordinates of the chosen point between single backticks, written `[ x , y ]` with two "
    "whole numbers from 0 to 1000."
)

_CMP_QUESTIONS = (
    "Which of the two is {nearer} the camera?",
    "Which one lies {nearer} the lens?",
    "One of them is {nearer} the viewer than the other. Which?",
    "Which of them has the {depth} depth?",
    "Compare their depths and name the one that is {nearer} the camera.",
    "Seen along the viewing direction, which is {behind} the other?",
    "Tell me which is {nearer} where the picture was taken.",
    "Of these two, which would you say is {nearer} the camera?",
    "Please pick the one whose distance along the optical axis is {depth}.",
    "Where is the scene {nearer} the camera: at the one or at the other?",
)
_CMP_DOT_SETTINGS = (
    "Two dots with the letters A and B are drawn on this picture.",
    "The picture carries two marks, lettered A and B.",
    "You see a photo of a scene in which points A and B are highlighted.",
    "Here is an image with two lettered dots, A and B.",
    "A and B label two dots on the surfaces of this scene.",
)
_CMP_COORD_SETTINGS = (
    "Consider the points {first} and {second} of this image.",
    "Look at two places in the picture, {first} and {second}.",
    "Take the surfaces seen at {first} and at {second}.",
    "Two pixels of this photo are of interest: {first} and {second}.",
    "Here are two positions in the image: {first} and {second}.",
)

_EST_DOT_SETTINGS = (
    "A single dot is drawn on this picture.",
    "One spot of this image has been marked with a dot.",
    "In the photo, a dot lies on one of the surfaces.",
    "You are given a picture with one highlighted point.",
    "The image shows a scene and one coloured dot on it.",
)
_EST_COORD_SETTINGS = (
    "Consider the point {first} of this image.",
    "Look at the picture at position {first}.",
    "The surface seen at {first} is of interest.",
    "Take the pixel at {first} in the photo.",
    "We ask about the place {first} in this image.",
)
_EST_QUESTIONS = (
    "How deep is this point, in millimetres?",
    "What is its depth from the camera in mm?",
    "Estimate how many millimetres it lies in front of the camera.",
    "How far along the viewing direction is it, in millimetres?",
    "Measured along the optical axis, how many mm is it away?",
    "Give the depth of this point in millimetres.",
    "What z distance from the camera, in mm, does this point have?",
    "If the camera had a depth sensor, how many millimetres would it report there?",
    "Please judge the depth at this spot in mm.",
    "How many millimetres in front of the camera is the surface here?",
)
_EST_REPLIES = (
    "The depth is about `{answer}` mm.",
    "This point lies `{answer}` mm in front of the camera.",
    "I estimate a depth of `{answer}` millimetres.",
    "It is `{answer}` mm away along the optical axis.",
    "The surface here is `{answer}` mm deep.",
    "A depth sensor would show roughly `{answer}` mm at this spot.",
    "Along the viewing direction it is `{answer}` mm from the camera.",
    "My estimate of the depth is `{answer}` mm.",
    "The camera sees this point at a depth of `{answer}` mm.",
    "Its z distance comes to `{answer}` mm.",
    "`{answer}` mm is the depth of this point.",
)

DEPTH_WORDING = {
    "depth_cmp_dot": Wording(
        settings=_CMP_DOT_SETTINGS,
        questions=_CMP_QUESTIONS,
        replies=(
            "Point `{answer}` is {nearer} the camera.",
            "It is `{answer}` that lies {nearer} the lens.",
            "The dot labelled `{answer}` has the {depth} depth.",
            "`{answer}` is the one {nearer} the viewer.",
            "Of the two dots, `{answer}` is {nearest} the camera.",
            "The answer is `{answer}`.",
            "I would say `{answer}`: its depth is {depth}.",
            "Comparing the depths, `{answer}` comes out {nearer} the camera.",
            "Along the viewing direction, `{answer}` is {behind} the other dot.",
            "The {depth} depth belongs to `{answer}`.",
            "Dot `{answer}` sits {nearer} where the picture was taken.",
        ),
        hint=_LETTER,
        points=2,
    ),
    "depth_cmp_coord": Wording(
        settings=_CMP_COORD_SETTINGS,
        conventions=COORDINATES,
        questions=_CMP_QUESTIONS,
        replies=(
            "The point at `{answer}` is {nearer} the camera.",
            "It is `{answer}` that lies {nearer} the lens.",
            "The surface at `{answer}` has the {depth} depth.",
            "`{answer}` is the one {nearer} the viewer.",
            "Of the two places, `{answer}` is {nearest} the camera.",
            "The answer is `{answer}`.",
            "I would choose `{answer}`: its depth is {depth}.",
            "Comparing the depths, `{answer}` comes out {nearer} the camera.",
            "Along the viewing direction, `{answer}` is {behind} the other point.",
            "The {depth} depth is found at `{answer}`.",
            "The pixel `{answer}` shows something {nearer} where the picture was taken.",
        ),
        hint=_CHOSEN,
        points=2,
    ),
    "depth_est_dot": Wording(_EST_DOT_SETTINGS, _EST_QUESTIONS, _EST_REPLIES, MILLIMETRES, points=1),
    "depth_est_coord": Wording(
        _EST_COORD_SETTINGS,
        _EST_QUESTIONS,
        (*_EST_REPLIES, "At {first} the depth is `{answer}` mm."),
        MILLIMETRES,
        COORDINATES,
        points=1,
    ),
}
