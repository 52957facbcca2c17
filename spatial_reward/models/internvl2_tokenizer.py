"""Turn InternLM2's SentencePiece model into a fast tokenizer, without the SentencePiece library."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BYTE, CONTROL = 6, 3  # types of pieces
_BYTES = {0: None, 1: 8, 2: None, 5: 4}  # wire types of protocol buffers, and their fixed sizes


@dataclass(frozen=True)
class Pieces:
    """A SentencePiece model.

    Attributes:
        words: The pieces, by token id.
        scores: Of each; the higher, the earlier it is merged.
        dummy_prefix: Whether a space is put before every text.
    """

    words: tuple[str, ...]
    scores: tuple[float, ...]
    dummy_prefix: bool


def read_pieces(path: Path) -> Pieces:
    """Read a SentencePiece model file (a protocol buffer).

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is damaged.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no SentencePiece model at {path}.")
    words, scores, prefix = [], [], True
    try:
        for number, value in _fields(path.read_bytes()):
            if number == 1:
                piece = dict(_fields(value))
                words.append(piece[1].decode())
                scores.append(struct.unpack("<f", piece[2])[0] if 2 in piece else 0.0)
            elif number == 3:  # how texts are normalised
                prefix = bool(dict(_fields(value)).get(3, 1))
    except (IndexError, KeyError, struct.error, UnicodeDecodeError, TypeError) as error:
        raise ValueError(f"{path} is no SentencePiece model, or damaged: {error!r}.") from error
    return Pieces(tuple(words), tuple(scores), prefix)


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield the fields of a protocol buffer: number and value."""
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        kind = key & 7
        if kind == 0:
            value, place = _varint(data, place)
            yield key >> 3, value
            continue
        size, place = _varint(data, place) if kind == 2 else (_BYTES[kind] or 0, place)
        yield key >> 3, data[place : place + size]
        place += size


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place


def internlm2_tokenizer(folder: Path, marks: Mapping[str, str]) -> Any:
    """Build the fast tokenizer of a checkpoint from its `tokenizer.model` and added tokens.

    Args:
        folder: Of the checkpoint.
        marks: Names under which the processor looks for special tokens.

    Raises:
        FileNotFoundError: If there is no `tokenizer.model`.
        ValueError: If a mark is no token of it, or an added token has another id than it would get.
    """
    from transformers import PreTrainedTokenizerFast

    pieces = read_pieces(folder / "tokenizer.model")
    core = _backend(pieces)
    for token, index in sorted(_added(folder).items(), key=lambda pair: pair[1]):
        core.add_special_tokens([token])
        if core.token_to_id(token) != index:
            raise ValueError(
                f"The added token {token!r} should be {index}, but is {core.token_to_id(token)}."
            )
    absent = [mark for mark in marks.values() if core.token_to_id(mark) is None]
    if absent:
        raise ValueError(f"The tokenizer in {folder} lacks the tokens {absent}.")
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="</s>",
        padding_side="left",
        extra_special_tokens=dict(marks),
    )


def _backend(pieces: Pieces) -> Any:
    """Return the byte-pair encoding, with bytes for what no piece spells, and a start token."""
    from tokenizers import Tokenizer, decoders, models, normalizers, processors

    vocabulary = {word: index for index, word in enumerate(pieces.words)}
    model = models.BPE(vocabulary, merges(pieces), unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    core = Tokenizer(model)
    before = [normalizers.Prepend("▁")] if pieces.dummy_prefix else []
    core.normalizer = normalizers.Sequence([*before, normalizers.Replace(" ", "▁")])
    after = [decoders.Strip(content=" ", left=1)] if pieces.dummy_prefix else []
    core.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *after]
    )
    core.add_special_tokens([word for word in ("<unk>", "<s>", "</s>") if word in vocabulary])
    core.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", vocabulary["<s>"])]
    )
    return core


def merges(pieces: Pieces) -> list[tuple[str, str]]:
    """List the merges of a SentencePiece BPE: every way to put a piece together of two, best piece first."""
    rank = {word: index for index, word in enumerate(pieces.words)}
    found = []
    for word, score in zip(pieces.words, pieces.scores, strict=True):
        halves = [(word[:cut], word[cut:]) for cut in range(1, len(word))]
        known = [(first, second) for first, second in halves if first in rank and second in rank]
        known.sort(key=lambda pair: (rank[pair[0]], rank[pair[1]]))
        found += [(-score, pair) for pair in known]
    return [pair for _, pair in sorted(found, key=lambda entry: entry[0])]


def _added(folder: Path) -> dict[str, int]:
    """Return the tokens that were added to the SentencePiece model, with their ids."""
    listed = folder / "added_tokens.json"
    if listed.is_file():
        return {token: int(index) for token, index in json.loads(listed.read_text()).items()}
    settings = folder / "tokenizer_config.json"
    known = json.loads(settings.read_text()).get("added_tokens_decoder", {}) if settings.is_file() else {}
    return {entry["content"]: int(index) for index, entry in known.items() if int(index) > 2}
