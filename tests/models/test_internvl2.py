"""InternVL2 checkpoints of their own layout become ones of the transformers class, and say the same."""

import json
import struct

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from safetensors.torch import save_file  # noqa: E402

from spatial_reward.models import load_model  # noqa: E402
from spatial_reward.models.internvl2 import convert, main, ungrouped  # noqa: E402
from spatial_reward.models.internvl2_reference import check_forward  # noqa: E402
from spatial_reward.models.internvl2_tokenizer import internlm2_tokenizer, merges, read_pieces  # noqa: E402
from spatial_reward.types import Frame, PixelPoint, Question  # noqa: E402

SIDE, PATCH, SIGHT, WORDS = 28, 7, 16, 32
ADDED = ("<|im_end|>", "<|im_start|>", "<img>", "</img>", "<IMG_CONTEXT>", "<quad>")
SPELT = ["▁", *"abcdefghij0123456789`<>|_\n", "ab", "▁a", "▁ab", "abc", "cd", "▁abc"]
MARKS = {"start_image_token": "<img>", "context_image_token": "<IMG_CONTEXT>"}


def varint(value):
    found = b""
    while value > 127:
        found, value = found + bytes([value & 127 | 128]), value >> 7
    return found + bytes([value])


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def piece(word, score, kind):
    return field(1, field(1, word.encode()) + b"\x15" + struct.pack("<f", score) + b"\x18" + bytes([kind]))


def sentencepiece(prefix=False):
    """A model file: unknown, start, end, all bytes, then pieces by falling score."""
    control = piece("<unk>", 0, 2) + piece("<s>", 0, 3) + piece("</s>", 0, 3)
    single = b"".join(piece(f"<0x{byte:02X}>", 0, 6) for byte in range(256))
    words = b"".join(piece(word, -float(rank), 1) for rank, word in enumerate(SPELT))
    return control + single + words + field(3, field(1, b"identity") + b"\x18" + bytes([prefix]))


def original_tensors(config, generator):
    """Random weights in the original layout."""
    sight, words = config["vision_config"], config["llm_config"]
    c, d = sight["hidden_size"], words["hidden_size"]
    rows = (
        (words["num_attention_heads"] + 2 * words["num_key_value_heads"]) * d // words["num_attention_heads"]
    )
    shapes = {
        "vision_model.embeddings.class_embedding": (1, 1, c),
        "vision_model.embeddings.position_embedding": (1, (SIDE // PATCH) ** 2 + 1, c),
        "vision_model.embeddings.patch_embedding.weight": (c, 3, PATCH, PATCH),
        "vision_model.embeddings.patch_embedding.bias": (c,),
        "mlp1.0.weight": (4 * c,),
        "mlp1.0.bias": (4 * c,),
        "mlp1.1.weight": (d, 4 * c),
        "mlp1.1.bias": (d,),
        "mlp1.3.weight": (d, d),
        "mlp1.3.bias": (d,),
        "language_model.model.tok_embeddings.weight": (words["vocab_size"], d),
        "language_model.model.norm.weight": (d,),
        "language_model.output.weight": (words["vocab_size"], d),
    }
    layer = {"attn.qkv.weight": (3 * c, c), "attn.qkv.bias": (3 * c,), "attn.proj.weight": (c, c)}
    layer |= {"attn.proj.bias": (c,), "mlp.fc1.weight": (2 * c, c), "mlp.fc1.bias": (2 * c,)}
    layer |= {"mlp.fc2.weight": (c, 2 * c), "mlp.fc2.bias": (c,), "ls1": (c,), "ls2": (c,)}
    layer |= {"norm1.weight": (c,), "norm2.weight": (c,)}
    if sight["norm_type"] == "layer_norm":
        layer |= {"norm1.bias": (c,), "norm2.bias": (c,)}
    if sight["qk_normalization"]:
        layer |= {"attn.q_norm.weight": (c,), "attn.k_norm.weight": (c,)}
    if not sight["qkv_bias"]:
        layer.pop("attn.qkv.bias")
    for n in range(2):
        shapes |= {f"vision_model.encoder.layers.{n}.{name}": shape for name, shape in layer.items()}
        stem = f"language_model.model.layers.{n}"
        shapes |= {f"{stem}.attention.wqkv.weight": (rows, d), f"{stem}.attention.wo.weight": (d, d)}
        shapes |= {f"{stem}.attention_norm.weight": (d,), f"{stem}.ffn_norm.weight": (d,)}
        shapes |= {f"{stem}.feed_forward.{w}.weight": (2 * d, d) for w in ("w1", "w3")}
        shapes |= {f"{stem}.feed_forward.w2.weight": (d, 2 * d)}
    return {name: 0.3 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def original(folder, longest=4096, norm="layer_norm", **changes):
    """A tiny InternVL2 of random weights, in two files."""
    folder.mkdir()
    vocabulary = 3 + 256 + len(SPELT) + len(ADDED)
    config = {
        "model_type": "internvl_chat",
        "ps_version": "v2",
        "downsample_ratio": 0.5,
        "select_layer": -1,
        "template": "internlm2-chat",
        "llm_config": {
            "architectures": ["InternLM2ForCausalLM"],
            "vocab_size": vocabulary,
            "hidden_size": WORDS,
            "intermediate_size": 2 * WORDS,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "hidden_act": "silu",
            "max_position_embeddings": longest,
            "rms_norm_eps": 1e-5,
            "rope_theta": 1000000,
            "rope_scaling": {"type": "dynamic", "factor": 2.0},
            "bias": False,
        },
        "vision_config": {
            "hidden_size": SIGHT,
            "intermediate_size": 2 * SIGHT,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": SIDE,
            "patch_size": PATCH,
            "num_channels": 3,
            "hidden_act": "gelu",
            "layer_norm_eps": 1e-6,
            "norm_type": norm,
            "qk_normalization": norm == "rms_norm",
            "qkv_bias": norm == "layer_norm",
        },
    } | changes
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.model").write_bytes(sentencepiece())
    first = 3 + 256 + len(SPELT)
    (folder / "added_tokens.json").write_text(json.dumps({word: first + n for n, word in enumerate(ADDED)}))
    tensors = original_tensors(config, torch.Generator().manual_seed(0))
    names = sorted(tensors)
    for part, chosen in enumerate((names[::2], names[1::2]), 1):
        file = folder / f"model-0000{part}-of-00002.safetensors"
        save_file({name: tensors[name] for name in chosen}, file)
    return config


@pytest.mark.parametrize("longest", [4096, 16], ids=["short text", "text longer than trained on"])
@pytest.mark.parametrize("norm", ["layer_norm", "rms_norm"], ids=["300M encoder", "6B encoder"])
def test_converted_model_says_what_the_original_says(tmp_path, longest, norm):
    config = original(tmp_path / "source", longest, norm)
    convert(tmp_path / "source", tmp_path / "target")
    assert check_forward(tmp_path / "source", config, tmp_path / "target") < 1e-5


def test_check_finds_a_wrong_conversion(tmp_path):
    config = original(tmp_path / "source")
    convert(tmp_path / "source", tmp_path / "target", check=False)
    other = config | {"llm_config": config["llm_config"] | {"rope_theta": 500.0}}
    with pytest.raises(RuntimeError, match="differs from the original"):
        check_forward(tmp_path / "source", other, tmp_path / "target")


def test_converted_model_answers(tmp_path):
    original(tmp_path / "source")
    convert(tmp_path / "source", tmp_path / "target", check=False)
    model = load_model("transformers", model=tmp_path / "target", max_tokens=4)
    frame = Frame(np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8))
    [reply] = model.replies([Question("depth_est_coord", (frame,), (PixelPoint(20, 20),))])
    assert isinstance(reply, str)
    [answer] = model.answer([Question("depth_est_coord", (frame,), (PixelPoint(20, 20),))])
    assert answer.value is None and not answer.valid


def test_packed_projection_holds_every_group_together():
    words = {"num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 8}
    rows = torch.tensor([0, 1, 10, 20, 2, 3, 11, 21]).repeat_interleave(2)  # queries, key, value per group
    queries, key, value = ungrouped(rows[:, None], words)
    assert queries[::2, 0].tolist() == [0, 1, 2, 3]
    assert (key[::2, 0].tolist(), value[::2, 0].tolist()) == ([10, 11], [20, 21])


@pytest.mark.parametrize("prefix", [False, True])
def test_tokenizer_spells_and_reads_back(tmp_path, prefix):
    (tmp_path / "tokenizer.model").write_bytes(sentencepiece(prefix))
    first = 3 + 256 + len(SPELT)
    listed = {word: first + n for n, word in enumerate(ADDED)}
    (tmp_path / "added_tokens.json").write_text(json.dumps(listed))
    tokenizer = internlm2_tokenizer(tmp_path, MARKS)
    ids = tokenizer("<|im_start|>abc 12é<IMG_CONTEXT>")["input_ids"]
    assert ids[0] == 1 and first + 1 in ids
    assert tokenizer.decode(ids, skip_special_tokens=True).strip() == "abc 12é"
    assert tokenizer.context_image_token_id == first + 4
    words = [
        tokenizer.convert_ids_to_tokens(i) for i in tokenizer("ab abc", add_special_tokens=False)["input_ids"]
    ]
    assert words == (["▁ab", "▁abc"] if prefix else ["ab", "▁abc"])


def test_pieces_and_merges(tmp_path):
    (tmp_path / "tokenizer.model").write_bytes(sentencepiece(True))
    pieces = read_pieces(tmp_path / "tokenizer.model")
    assert pieces.dummy_prefix and pieces.words[:3] == ("<unk>", "<s>", "</s>")
    found = merges(pieces)
    assert found.index(("a", "b")) < found.index(("ab", "c"))
    assert ("▁a", "b") in found and ("▁", "ab") in found


def test_system_message_is_read_without_running_the_code(tmp_path):
    source = tmp_path / "source"
    original(source)
    (source / "conversation.py").write_text(
        "raise SystemExit('must not run')\n"
        "register(Conversation(name='other', system_message='no'))\n"
        "register(Conversation(name='internlm2-chat',\n"
        "    system_template='<|im_start|>system\\n{system_message}',\n"
        "    system_message='Tell the \"truth\".', roles=('a', 'b')))\n"
    )
    convert(source, tmp_path / "target", check=False)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "target")
    text = tokenizer.apply_chat_template([{"role": "user", "content": "ab"}], tokenize=False)
    assert text == '<s><|im_start|>system\nTell the "truth".<|im_end|><|im_start|>user\nab<|im_end|>'


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "qwen2_vl"}, "not InternVL2 with InternLM2"),
        ({"ps_version": "v1"}, "of an older kind"),
    ],
)
def test_other_checkpoints_are_refused(tmp_path, change, message):
    original(tmp_path / "source", **change)
    with pytest.raises(ValueError, match=message):
        convert(tmp_path / "source", tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_unmerged_lora_is_refused(tmp_path):
    original(tmp_path / "source")
    save_file(
        {"language_model.base_model.x.lora_A": torch.zeros(1)}, tmp_path / "source" / "extra.safetensors"
    )
    with pytest.raises(ValueError, match="merge it"):
        convert(tmp_path / "source", tmp_path / "target")


def test_missing_tensor_is_found(tmp_path):
    original(tmp_path / "source")
    (tmp_path / "source" / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(RuntimeError, match="tensors do not fit"):
        convert(tmp_path / "source", tmp_path / "target", check=False)


def test_command_line(tmp_path, capsys):
    original(tmp_path / "source")
    main([str(tmp_path / "source"), str(tmp_path / "target"), "check=false"])
    assert capsys.readouterr().out.strip().endswith("target")
    with pytest.raises(SystemExit, match="exists"):
        main([str(tmp_path / "source"), str(tmp_path / "target")])
    with pytest.raises(SystemExit, match="Usage"):
        main([])
