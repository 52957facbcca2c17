"""The words of the correspondence questions."""

from __future__ import annotations

from spatial_reward.questions.wording import Wording
from spatial_reward.questions.wording_depth import COORDINATES

_COORD_SETTINGS = (
    "The two images show the same scene from different viewpoints.",
    "You see one place in two photos.",
    "Here are two views of one scene.",
    "Two pictures of the same surroundings are given.",
    "Compare the first image with the second; they overlap.",
)
_MCQ_SETTINGS = (
    "The first image carries one dot, the second carries four dots with the letters A, B, C and D.",
    "Two views of one scene: a single dot in the first, and four lettered dots (A, B, C, D) in the second.",
    "In image one a point is marked. In image two there are four candidates, A to D.",
    "You see one place twice. A spot is highlighted in the first photo, four lettered spots in the second.",
    "A dot is drawn on the first picture; A, B, C and D are drawn on the second.",
)

CORRESPONDENCE_WORDING = {
    "vc_coord": Wording(
        settings=_COORD_SETTINGS,
        conventions=COORDINATES,
        questions=(
            "Where in the second image is the point that the first image shows at {first}?",
            "The point {first} of the first image appears again in the second. At which coordinates?",
            "Find the match of {first} (first image) in the second image.",
            "Which position of the second picture shows what is at {first} in the first one?",
            "Follow the surface point {first} from the first view into the second: where is it now?",
            "Take {first} in the first photo. What are the coordinates of the same point in the second?",
            "Locate in the second image the very spot that lies at {first} in the first image.",
            "Give the position in image two that corresponds to {first} in image one.",
            "If I touch the scene at {first} of the first view, where do I touch it in the second view?",
            "Name the place in the second image where the point {first} of the first image is seen.",
        ),
        replies=(
            "In the second image the point is at `{answer}`.",
            "It appears at `{answer}` in the second view.",
            "The match lies at `{answer}`.",
            "The same physical point is seen at `{answer}`.",
            "You find it at `{answer}` in the other picture.",
            "Its position in image two is `{answer}`.",
            "The corresponding coordinates are `{answer}`.",
            "The point {first} of the first image moves to `{answer}` in the second.",
            "I locate it at `{answer}`.",
            "The second picture shows this spot at `{answer}`.",
            "`{answer}` is where the point shows up again.",
        ),
        hint=(
            "Answer with the position in the second image between single backticks, written `[ x , y ]` with "
            "two whole numbers from 0 to 1000."
        ),
        points=1,
    ),
    "vc_mcq": Wording(
        settings=_MCQ_SETTINGS,
        questions=(
            "Which letter marks the same physical point as the dot in the first image?",
            "Which of the four is the match of the marked point?",
            "Find the candidate that lies on the same spot of the scene.",
            "Which lettered dot corresponds to the one in the first view?",
            "The marked point reappears under one of the letters. Which one?",
            "Pick the letter whose dot shows the very place marked in the first picture.",
            "Where did the marked point go: A, B, C or D?",
            "Which of the dots A, B, C and D sits on the same surface point?",
            "Identify the letter of the corresponding point.",
            "Among the four candidates, which is the point marked before?",
        ),
        replies=(
            "The match is `{answer}`.",
            "Dot `{answer}` marks the same point.",
            "It corresponds to `{answer}` in the second image.",
            "The same spot carries the letter `{answer}`.",
            "The right candidate is `{answer}`.",
            "I would pick `{answer}`.",
            "The marked point reappears as `{answer}`.",
            "`{answer}` lies on the same place of the scene.",
            "The corresponding point is labelled `{answer}`.",
            "Among the four, `{answer}` is the one.",
            "The answer is `{answer}`.",
        ),
        hint="Answer with one letter alone, A, B, C or D, between single backticks.",
        points=5,
    ),
}
