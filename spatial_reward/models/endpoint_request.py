"""The request that puts a question to an OpenAI-compatible server."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import cv2
import numpy as np

from spatial_reward.chat import Picture, dot_seed, drawn, messages
from spatial_reward.models.answer_format import CHOICES, pattern, schema
from spatial_reward.models.coordinates import Family, Translation, fitted, translate
from spatial_reward.questions import kind
from spatial_reward.types import Question

# Fields that hold a server to the form of an answer: OpenAI's (vLLM, SGLang, most clouds), vLLM's since
# 0.11, vLLM's before 0.12, SGLang's.
Structured = Literal["response_format", "structured_outputs", "guided_regex", "regex"]
PictureFormat = Literal["jpeg", "png"]
STRUCTURED, PICTURE_FORMATS = get_args(Structured), get_args(PictureFormat)

TOP_TOKENS = 20  # the most that OpenAI lists, and vLLM unless told otherwise
QUALITY = 95  # of JPEG
_AS_JSON = (
    'Reply with a JSON object alone, whose field "answer" holds what was to stand between the backticks.'
)


@dataclass(frozen=True)
class RequestStyle:
    """How questions are put.

    Attributes:
        model: Its name at the server.
        family: What is particular about it.
        max_tokens: Of a reply.
        temperature: 0 = the likeliest reply; None = the server's own.
        structured: Field that holds the server to the form of the answer, where it has one.
        logprobs: Whether the probabilities of choices are asked for.
        format_hint: Whether the form of the answer is stated; models trained on these questions know it.
        picture_format: "jpeg" is small, "png" exact.
        extra: Further fields of the request; None takes one out.

    Raises:
        ValueError: If one of them makes no sense.
    """

    model: str
    family: Family
    max_tokens: int = 256
    temperature: float | None = 0.0
    structured: Structured | None = None
    logprobs: bool = False
    format_hint: bool = True
    picture_format: PictureFormat = "jpeg"
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the options."""
        if not self.model:
            raise ValueError("`model` must name a model that the server knows; GET <url>/models lists them.")
        if not isinstance(self.max_tokens, int) or self.max_tokens < 1:
            raise ValueError(f"`max_tokens` must be a whole number of at least 1, got {self.max_tokens!r}.")
        if self.structured not in (None, *STRUCTURED):
            raise ValueError(f"`structured` must be None or one of {STRUCTURED}, got {self.structured!r}.")
        if self.picture_format not in PICTURE_FORMATS:
            raise ValueError(
                f"`picture_format` must be one of {PICTURE_FORMATS}, got {self.picture_format!r}."
            )

    def prompt(self, question: Question) -> Translation:
        """Return the user's words: always the same for the same question.

        Raises:
            ValueError: If there is no such kind, or the question lacks points.
        """
        words = kind(question.kind).phrase(question, np.random.default_rng(0), self.format_hint)
        translation = translate(words, question, self.family)
        if self.structured == "response_format":
            return translation._replace(prompt=f"{translation.prompt} {_AS_JSON}")
        return translation

    def body(self, question: Question, prompt: str) -> dict[str, Any]:
        """Return the JSON of the request."""
        fields: dict[str, Any] = {
            "model": self.model,
            "messages": self._messages(question, prompt),
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "chat_template_kwargs": dict(self.family.template) or None,
            **(_structure(self.structured, question.kind) if self.structured else {}),
        }
        if self.logprobs and question.kind in CHOICES:
            fields |= {"logprobs": True, "top_logprobs": TOP_TOKENS}
        return {name: value for name, value in {**fields, **self.extra}.items() if value is not None}

    def _messages(self, question: Question, prompt: str) -> list[dict[str, Any]]:
        asked = messages(question, prompt)
        pictures = [fitted(frame.rgb, self.family) for frame in question.frames]
        seed = dot_seed(question)
        urls = iter([data_url(picture, self.picture_format) for picture in drawn(question, pictures, seed)])
        for message in asked:
            message["content"] = [
                {"type": "image_url", "image_url": {"url": next(urls)}} if block["type"] == "image" else block
                for block in message["content"]
            ]
        return asked


def data_url(picture: Picture, picture_format: PictureFormat) -> str:
    """Encode a picture (H, W, 3) RGB as a data URL; JPEG keeps colours at full resolution, for the dots."""
    options = {
        "jpeg": [
            *(cv2.IMWRITE_JPEG_QUALITY, QUALITY),
            *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
        ],
        "png": [],
    }
    _, content = cv2.imencode(
        f".{picture_format}", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options[picture_format]
    )
    return f"data:image/{picture_format};base64,{base64.b64encode(content.tobytes()).decode()}"


def _structure(name: Structured, kind_name: str) -> dict[str, Any]:
    """Return the field that holds the server to the form of a kind's answer."""
    if name == "response_format":
        form = {"name": "answer", "strict": True, "schema": schema(kind_name)}
        return {name: {"type": "json_schema", "json_schema": form}}
    return {name: {"regex": pattern(kind_name)} if name == "structured_outputs" else pattern(kind_name)}
