"""What of a vision-language model is trained: adapters of its language model, projector, encoder, all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from spatial_reward._require import require

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

Method = Literal["lora", "lora_projector", "lora_vision", "full"]
METHODS = ("lora", "lora_projector", "lora_vision", "full")

# Every linear layer of the language model's blocks: what InternVL2's code adapts (wqkv, wo, w1, w2, w3).
LAYERS = r".*language_model\..*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
# Names of the parts between pictures and words, in the classes of transformers.
PROJECTORS = ("multi_modal_projector", "merger", "deepstack_merger_list", "connector", "aligner")
ENCODERS = ("vision_tower", "visual", "vision_model")


def with_method(
    model: PreTrainedModel, method: str, *, rank: int = 16, alpha: int = 32, dropout: float = 0.05
) -> PreTrainedModel | PeftModel:
    """Make trainable what a method trains, and nothing else; the rows of Table 8 of MultiSPA.

    Args:
        model: As loaded.
        method: "lora": low-rank adapters in the language model. "lora_projector": and the projector whole.
            "lora_vision": and the vision encoder whole. "full": everything.
        rank: Of the adapters.
        alpha: Their scale, times `rank`.
        dropout: Before them.

    Raises:
        ImportError: If peft is missing.
        ValueError: If the method is unknown, or the model has no such part.
    """
    if method not in METHODS:
        raise ValueError(f"Unknown method {method!r} of fine-tuning. Known: {', '.join(METHODS)}.")
    if method == "full":
        return model.requires_grad_(True)
    peft = require("peft", "vlm", "LoRA")
    whole = {
        "lora": [],
        "lora_projector": projector(model),
        "lora_vision": [*encoder(model), *projector(model)],
    }
    config = peft.LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=LAYERS,
        modules_to_save=_outermost(whole[method]) or None,
        task_type="CAUSAL_LM",
    )
    adapted: PeftModel = peft.get_peft_model(model, config)
    return adapted


def projector(model: PreTrainedModel) -> list[str]:
    """Return the names of the modules that turn features of pictures into words' places.

    Raises:
        ValueError: If none is found.
    """
    return _found(model, PROJECTORS, "projector")


def encoder(model: PreTrainedModel) -> list[str]:
    """Return the name of the vision encoder.

    Raises:
        ValueError: If none is found.
    """
    return _found(model, ENCODERS, "vision encoder")


def trained_share(model: Any) -> float:
    """Return the share of parameters that is trained."""
    counts = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return float(sum(count for count, trained in counts if trained) / sum(count for count, _ in counts))


def _found(model: PreTrainedModel, names: tuple[str, ...], what: str) -> list[str]:
    pattern = re.compile(rf"(^|\.)({'|'.join(names)})$")
    found = [
        part
        for name, module in model.named_modules()
        if pattern.search(name) and "language_model" not in name
        for part in _callable_parts(name, module)
    ]
    if not found:
        raise ValueError(f"{type(model).__name__} has no {what} of a known name: {', '.join(names)}.")
    return found


def _callable_parts(name: str, module: Any) -> list[str]:
    """Return the name of a module, or of the modules of a list, which peft does not take whole."""
    if type(module).__name__ != "ModuleList":
        return [name]
    return [f"{name}.{number}" for number in range(len(module))]


def _outermost(names: list[str]) -> list[str]:
    """Drop modules that lie within others of the list."""
    return [name for name in names if not any(name.startswith(f"{other}.") for other in names)]
