"""The words of converted InternVL2 checkpoints: tokenizer, chat template, processor, ends of replies."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spatial_reward._require import require
from spatial_reward.models.internvl2_tokenizer import internlm2_tokenizer
from spatial_reward.models.tiny_vlm import IMAGENET, save_processor
from spatial_reward.models.vlm_processor import picture_processor_class

SYSTEM = "<|im_start|>system\nYou are an AI assistant whose name is InternLM (书生·浦语)."
STOPS = ("</s>", "<|im_end|>", "<|im_start|>")
START, END, CELL, UNUSED = "<img>", "</img>", "<IMG_CONTEXT>", "<quad>"


def cells_per_tile(original: Mapping[str, Any]) -> int:
    """Return how many tokens stand for a tile."""
    sight = original["vision_config"]
    return int((sight["image_size"] // sight["patch_size"]) * original["downsample_ratio"]) ** 2


def write_words(source: Path, target: Path, original: Mapping[str, Any]) -> Any:
    """Write tokenizer, processor, chat template and what ends a reply; return the tokenizer."""
    transformers = require("transformers", "vlm", "vision-language models")
    marks = {"start_image_token": START, "end_image_token": END, "context_image_token": CELL}
    tokenizer = internlm2_tokenizer(source, {**marks, "video_token": UNUSED})
    side = original["vision_config"]["image_size"]
    size = {"height": side, "width": side}
    template = chat_template(source, original.get("template", "internlm2-chat"))
    pictures = transformers.GotOcr2ImageProcessorPil(size=size, crop_to_patches=False, **IMAGENET)
    processor = picture_processor_class(transformers.InternVLProcessor)(
        pictures, tokenizer, image_seq_length=cells_per_tile(original), chat_template=template
    )
    save_processor(processor, target)
    stops = [tokenizer.convert_tokens_to_ids(token) for token in STOPS]
    transformers.GenerationConfig(
        do_sample=False, bos_token_id=1, eos_token_id=stops, pad_token_id=stops[0]
    ).save_pretrained(target)
    return tokenizer


def chat_template(source: Path, name: str) -> str:
    """Return InternLM2's chat template in Jinja, with the system message of the checkpoint's own code."""
    system = _system_turn(source / "conversation.py", name) or SYSTEM
    return (
        "{{ bos_token }}{%- if not messages or messages[0].role != 'system' -%}"
        f"{{{{ {json.dumps(system, ensure_ascii=False)} + '<|im_end|>' }}}}{{%- endif -%}}"
        "{%- for message in messages -%}{{ '<|im_start|>' + message.role + '\\n' }}"
        "{%- if message.content is string -%}{{ message.content }}{%- else -%}"
        "{%- for block in message.content -%}{%- if block.type == 'image' -%}{{ '<IMG_CONTEXT>\\n' }}"
        "{%- elif block.type == 'text' -%}{{ block.text }}{%- endif -%}{%- endfor -%}{%- endif -%}"
        "{{ '<|im_end|>' }}{%- endfor -%}"
        "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}"
    )


def _system_turn(code: Path, name: str) -> str | None:
    """Read the system turn of a conversation out of the checkpoint's code, without running it."""
    if not code.is_file():
        return None
    for node in ast.walk(ast.parse(code.read_text())):
        if isinstance(node, ast.Call):
            given = {word.arg: word.value for word in node.keywords}
            constants = {key: value.value for key, value in given.items() if isinstance(value, ast.Constant)}
            if constants.get("name") == name and "system_message" in constants:
                form = str(constants.get("system_template", "{system_message}"))
                return form.replace("{system_message}", str(constants["system_message"]))
    return None
