"""Rewards from pictures alone: the judge of an episode, with its questions answered by the server's model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from spatial_reward.models.wire_arrays import WireError
from spatial_reward.models.wire_values import references_from
from spatial_reward.rewards import Judge
from spatial_reward.rewards.asked import question_key
from spatial_reward.types import Answer, Frame, Question, Signal

Ask = Callable[[Sequence[Question]], Awaitable[list[Answer]]]


class JudgedEpisode:
    """An episode of a client: the first frame is the reference, each further one is judged.

    Args:
        header: With `goal` and `references`.
        first: The reference frame.

    Raises:
        WireError: If they make no sense, or do not fit the frame.
    """

    def __init__(self, header: Mapping[str, Any], first: Frame) -> None:
        """Begin the episode."""
        if not isinstance(header.get("goal"), str):
            raise WireError("`goal` must be a goal in words, such as near(cube, pad, within=3cm).", 422)
        references = references_from(header.get("references", {}))
        try:
            self._judge = Judge(header["goal"])
            self._judge.reset(first, references)
        except ValueError as error:
            raise WireError(str(error), 422) from error

    async def judge(self, frame: Frame, ask: Ask) -> Signal:
        """Judge a frame."""
        return self._judge.signal(await ask(self._judge.questions(frame)))

    async def judge_together(self, frames: Sequence[Frame], ask: Ask) -> list[Signal]:
        """Judge frames whose questions can be asked at once: by a model that does not follow."""
        asked = [self._judge.questions(frame) for frame in frames]
        answers = iter(await ask([question for questions in asked for question in questions]))
        known = [{question_key(one): next(answers) for one in questions} for questions in asked]
        signals = []
        for frame, own in zip(frames, known, strict=True):
            again = self._judge.questions(frame)  # an earlier answer may have made some needless
            signals.append(self._judge.signal([own[question_key(one)] for one in again]))
        return signals


def with_scene(header: Mapping[str, Any], scene: Mapping[str, Any]) -> dict[str, Any]:
    """Return a header, with the goal, the references and the cameras that it lacks taken from a scene."""
    told = {key: value for key, value in header.items() if value is not None}
    camera, frames = scene.get("camera"), told.get("frames")
    if camera is not None and isinstance(frames, list):
        told["frames"] = [_seen_by(camera, frame) if isinstance(frame, dict) else frame for frame in frames]
    return {key: scene[key] for key in ("goal", "references") if key in scene} | told


def _seen_by(camera: Any, frame: Mapping[str, Any]) -> dict[str, Any]:
    return {**frame, "camera": frame.get("camera") or camera}


async def judge_all(
    header: Mapping[str, Any], frames: Sequence[Frame], ask: Ask, follows: bool
) -> list[Signal]:
    """Judge all frames of an episode, in order.

    Raises:
        WireError: If there are none, or the goal makes no sense.
    """
    if not frames:
        raise WireError("`frames` must hold at least the reference frame.", 422)
    episode = JudgedEpisode(header, frames[0])
    if not follows:
        return await episode.judge_together(frames, ask)
    return [await episode.judge(frame, ask) for frame in frames]
