import json
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as processes
from safetensors.torch import load_file
from vlm_runs import command, launched, run, words_of

import spatial_reward

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

LAUNCH = Path(spatial_reward.__file__).parents[1] / "training/accelerate"


@pytest.mark.parametrize(("kind", "method"), [("internvl", "lora_vision"), ("qwen3_vl", "full")])
def test_two_processes_learn_what_one_learns(tiny_models, question_set, tmp_path, kind, method):
    words = [f"method={method}", "dropout=0", "batch=8", "per_device=2", "steps=3", "save_every=3"]
    words += [f"validation={question_set}", "validation_count=5"]
    one, two = (
        words_of(kind, tiny_models[kind], question_set, tmp_path / name, *words) for name in ("1", "2")
    )
    run(command(*one))
    run(launched(*two, config=str(LAUNCH / "ddp.yaml")))
    logs = [
        [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("1", "2")
    ]
    for key in ("loss", "grad_norm", "eval_loss", "eval_accuracy"):
        told = [[line[key] for line in log if key in line] for log in logs]
        assert told[0] == pytest.approx(told[1], rel=1e-5), key
        assert told[0]
    name = "model.safetensors" if method == "full" else "adapter_model.safetensors"
    weights = [load_file(tmp_path / number / "model" / name) for number in ("1", "2")]
    for key, weight in weights[0].items():
        torch.testing.assert_close(weights[1][key], weight, atol=1e-5, rtol=0)


def _step(rank, folder, model_folder, data, kind):
    """Take one step with FSDP2 as one of two processes; keep loss, gradients and weights of the whole."""
    torch.set_num_threads(1)
    if rank >= 0:
        torch.distributed.init_process_group(
            "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2
        )
    model, batches, share = _prepared(model_folder, data, kind, sharded=rank >= 0)
    mine = batches if rank < 0 else batches[rank::2]
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    total = 0.0
    for batch in mine:
        loss = model(**batch, num_items_in_batch=share, use_cache=False).loss
        loss.backward()
        total += loss.item()
    if rank >= 0:
        for parameter in model.parameters():
            parameter.grad = parameter.grad * 2  # FSDP averages over the processes; the loss is a sum
        summed = torch.tensor(total)
        torch.distributed.all_reduce(summed)
        total = summed.item()
    gradients = {name: _whole(one.grad) for name, one in model.named_parameters()}
    optimiser.step()
    weights = {name: _whole(one) for name, one in model.named_parameters()}
    if rank <= 0:
        torch.save((total, gradients, weights), Path(folder) / f"step{rank}.pt")
    if rank >= 0:
        torch.distributed.destroy_process_group()


def _whole(tensor):
    whole = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
    return whole.detach().clone()


def _prepared(model_folder, data, kind, sharded):
    from torch.distributed.fsdp import fully_shard
    from transformers import AutoModelForImageTextToText

    from spatial_reward.models.coordinates import family
    from spatial_reward.models.vlm_processor import load_processor, picture_options
    from spatial_reward.training.packing import Collator
    from spatial_reward.training.vlm_rows import QuestionRows
    from spatial_reward.training.vlm_tokens import Encoder

    processor = load_processor(model_folder)
    options = picture_options(processor, 1, None if kind == "internvl" else 4096)
    encoder, rows = Encoder(processor, family(kind.replace("_", "-")), options), QuestionRows(data)
    collator = Collator(
        encoder.blank(), processor.tokenizer.pad_token_id, 512, 2 if kind == "qwen3_vl" else None
    )
    batches = [collator([encoder(rows[8 * b + n]) for n in range(4)]) for b in range(2)]
    model = AutoModelForImageTextToText.from_pretrained(model_folder)
    if sharded:
        for layer in model.model.language_model.layers:
            fully_shard(layer)
        fully_shard(model)
    return model, batches, sum(int((batch["labels"] != -100).sum()) for batch in batches)


@pytest.mark.parametrize("kind", ["internvl", "qwen3_vl"])
def test_two_processes_with_sharded_weights_take_the_step_of_one(tiny_models, question_set, tmp_path, kind):
    """Raw `fully_shard`: on the CPU, the trainer would train with DDP when told to use FSDP."""
    arguments = (str(tmp_path), tiny_models[kind], question_set, kind)
    processes.spawn(_step, arguments, nprocs=2)
    _step(-1, *arguments)
    (loss, grads, weights), (other, other_grads, other_weights) = (
        torch.load(tmp_path / f"step{rank}.pt") for rank in (-1, 0)
    )
    assert other == pytest.approx(loss, rel=1e-6)
    assert grads.keys() == other_grads.keys()
    largest = max(grad.abs().max() for grad in grads.values())
    for name, grad in grads.items():
        assert (grad - other_grads[name]).abs().max() <= 1e-5 * largest, name
        torch.testing.assert_close(other_weights[name], weights[name], atol=1e-4, rtol=0)
