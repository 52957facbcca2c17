"""Load a vision-language model from a folder or the hub, with an adapter, on a device, in a number format."""

from __future__ import annotations

import json
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from spatial_reward._require import require
from spatial_reward.models.vlm_processor import load_processor

DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
QUANTIZED = {"int8": "load_in_8bit", "4bit": "load_in_4bit"}
DEVICES = ("cuda", "mps", "cpu")


def load_vlm(
    source: str, adapter: str | None, device: str, dtype: str, trust_remote_code: bool
) -> tuple[Any, Any]:
    """Load a model in evaluation mode, and its processor.

    Args:
        source: Folder of a checkpoint, id on the hub, or folder of an adapter that names its base.
        adapter: Folder or id of a LoRA adapter to put on top.
        device: "auto", "cuda", "cuda:1", "mps" or "cpu".
        dtype: "auto", "fp32", "bf16", "fp16", "int8" or "4bit".
        trust_remote_code: Whether code that comes with the checkpoint may run.

    Returns:
        The model, whose layers hold the adapter, and the processor.

    Raises:
        ImportError: If transformers, peft or bitsandbytes is missing where needed.
        OSError: If a checkpoint cannot be had, or is incomplete.
        ValueError: If an option is unknown, or the device is not there.
    """
    transformers = require("transformers", "vlm", "vision-language models")
    device = chosen_device(device)
    options = number_format(dtype, device) | {"trust_remote_code": trust_remote_code}
    if adapter is None and (Path(source) / "adapter_config.json").is_file():
        source, adapter = _base_of(source), source
    try:
        processor = load_processor(source, trust_remote_code)
        model = transformers.AutoModelForImageTextToText.from_pretrained(source, **options)
    except (OSError, ValueError) as error:
        raise _unloadable(source, error) from error
    if "quantization_config" not in options:
        model = model.to(device)
    if adapter is not None:
        model = _adapted(model, adapter)
    return model.eval().requires_grad_(False), processor


def chosen_device(device: str) -> str:
    """Return the device to use; "auto" is the first there is of CUDA, Apple's MPS, and the CPU.

    Raises:
        ValueError: If it is unknown, or not there.
    """
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return next(name for name in DEVICES if there[name])
    kind = device.partition(":")[0]
    if kind not in there:
        raise ValueError(f"`device` must be one of auto, {', '.join(DEVICES)}, got {device!r}.")
    if not there[kind]:
        found = ", ".join(name for name in DEVICES if there[name])
        raise ValueError(f"There is no {device!r} device here: use device=auto. Found: {found}.")
    return device


def number_format(dtype: str, device: str) -> dict[str, Any]:
    """Return the options with which transformers loads weights in a number format.

    "auto" is bf16 on GPUs and fp32 on the CPU.

    Raises:
        ValueError: If the format is unknown.
        ImportError: If it needs bitsandbytes, which is not installed.
    """
    import torch

    if dtype == "auto":
        dtype = "fp32" if device == "cpu" else "bf16"
    if dtype in DTYPES:
        return {"dtype": getattr(torch, DTYPES[dtype])}
    if dtype not in QUANTIZED:
        known = ", ".join(("auto", *DTYPES, *QUANTIZED))
        raise ValueError(f"`dtype` must be one of {known}, got {dtype!r}.")
    if find_spec("bitsandbytes") is None:
        raise ImportError(
            f"dtype={dtype} needs bitsandbytes: pip install bitsandbytes, or use dtype=bf16.",
            name="bitsandbytes",
        )
    from transformers import BitsAndBytesConfig

    switches = {QUANTIZED[dtype]: True, "bnb_4bit_compute_dtype": torch.bfloat16}
    config = BitsAndBytesConfig(**switches)  # type: ignore[no-untyped-call]
    return {"quantization_config": config, "device_map": {"": device}}


def _base_of(folder: str) -> str:
    base = json.loads((Path(folder) / "adapter_config.json").read_text()).get("base_model_name_or_path")
    if not base:
        raise ValueError(
            f"The adapter in {folder} names no base: give `model=` the base, `adapter=` this folder."
        )
    return str(base)


def _adapted(model: Any, adapter: str) -> Any:
    """Put a LoRA adapter into the layers of a model."""
    peft = require("peft", "vlm", "adapters")
    try:
        with warnings.catch_warnings():  # peft 0.21 asks transformers for an attribute by its old name
            warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
            return peft.PeftModel.from_pretrained(model, adapter).get_base_model()
    except (OSError, ValueError, RuntimeError) as error:
        raise _unloadable(adapter, error, "adapter") from error


def _unloadable(source: str, error: Exception, what: str = "model") -> Exception:
    """Say in one line what could not be loaded, and what to do."""
    reason = " ".join(str(error).split())
    if "trust_remote_code" in reason:
        return ValueError(
            f"{source} brings code of its own: read it, then pass trust_remote_code=true, or take a "
            "checkpoint that transformers knows (for InternVL: one whose name ends in -hf; for InternVL2-8B: "
            "one converted by python -m spatial_reward.models.internvl2)."
        )
    if Path(source).is_dir():
        return OSError(f"Cannot load the {what} in {source}: {reason[:300]}")
    return OSError(
        f"Cannot get the {what} {source!r}: there is no such folder, and the hub lacks it or is unreachable. "
        f"Pass the path of a local folder: {what}=/path/to/folder."
    )
