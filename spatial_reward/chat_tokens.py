"""A conversation as text and tokens, through a model's own chat template: what is asked, and what is learnt.

Training appends the tokens of the reply to the very tokens that a model is asked with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spatial_reward.chat import Message

IGNORED = -100  # label of a token that is not learnt: PyTorch's convention


def asked_text(processor: Any, conversation: Sequence[Message], template: Mapping[str, Any]) -> str:
    """Return the text that asks for a reply, with the model's marks for turns and pictures.

    Args:
        processor: Of a model (a `transformers.ProcessorMixin`).
        conversation: As made by `chat.messages`, without a reply.
        template: Options of the chat template.
    """
    text: str = processor.apply_chat_template(list(conversation), add_generation_prompt=True, **template)
    return text


def continued_ids(tokenizer: Any, text: str) -> list[int]:
    """Return the tokens of a text that stands at the start of a line, as a reply does.

    SentencePiece puts a space before a text that stands alone.
    """
    line, both = (tokenizer(part, add_special_tokens=False)["input_ids"] for part in ("\n", f"\n{text}"))
    ids: list[int] = both[len(line) :]
    return ids
