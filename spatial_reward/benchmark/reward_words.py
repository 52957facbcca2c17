"""A goal as an English instruction, for rewards that read words."""

from __future__ import annotations

import re

from spatial_reward.rewards import Goal
from spatial_reward.rewards.composites import AllOf, Then
from spatial_reward.rewards.goals import Keep, Lift, Move, Near
from spatial_reward.rewards.lengths import write_length


def in_words(goal: Goal) -> str:
    """Say what a goal asks for.

    >>> from spatial_reward.rewards import parse_goal
    >>> in_words(parse_goal("near(cube, pad, within=4cm)"))
    'bring the cube to the pad'
    >>> in_words(parse_goal("then(lift(cube_a, by=10cm), move(cube_a, to=cube_b))"))
    'lift the cube a by 10cm, then move the cube a to the cube b'
    """
    if isinstance(goal, AllOf):
        return " and ".join(map(in_words, goal.goals))
    if isinstance(goal, Then):
        return ", then ".join(map(in_words, goal.goals))
    if isinstance(goal, Near):
        return f"bring the {thing(goal.a)} to the {thing(goal.b)}"
    if isinstance(goal, Lift):
        return f"lift the {thing(goal.a)} by {write_length(goal.by)}"
    if isinstance(goal, Keep):
        return f"leave the {thing(goal.a)} where it is"
    return _move(goal) if isinstance(goal, Move) else str(goal)


def _move(goal: Move) -> str:
    if isinstance(goal.to, str):
        return f"move the {thing(goal.a)} to the {thing(goal.to)}"
    if goal.to is not None:
        return f"move the {thing(goal.a)} to the place {_vector(goal.to)}"
    if isinstance(goal.by, tuple):
        return f"move the {thing(goal.a)} by {_vector(goal.by)}"
    return f"move the {thing(goal.a)} by {write_length(goal.by or 0.0)}"


def _vector(vector: tuple[float, ...]) -> str:
    return f"({', '.join(map(write_length, vector))})"


def thing(name: str) -> str:
    """Return a name of a model as words.

    >>> thing("robot0:grip"), thing("object0"), thing("endEffector"), thing("jaco_arm/jaco_hand/pinchsite")
    ('grip', 'object', 'end effector', 'pinchsite')
    """
    last = re.split(r"[:/]", name)[-1]
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", last.replace("_", " ")).lower()
    return re.sub(r"(?<=[a-z])\d+$", "", spaced).strip() or name
