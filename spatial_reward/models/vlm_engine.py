"""Runs a vision-language model forward: prefixes read once, ragged batches, single steps, trees of tokens.

A prefix is what stands up to and with a picture. The keys and values of its tokens depend on nothing behind
it, so that questions about the same first picture share them, in one batch and from one call to the next.
"""

from __future__ import annotations

import inspect
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from spatial_reward.models.vlm_prompt import Prompt

if TYPE_CHECKING:
    from torch import Tensor

    Layers = tuple[tuple[Tensor, Tensor], ...]  # keys and values (B, heads, tokens, size) of every layer

# Plain causal attention over all that stands before: their prefixes can be kept, and trees be read.
CAUSAL = ("internvl", "qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe")


class Part(NamedTuple):
    """The tokens of a prompt behind `start` pictures, up to and with `stop` pictures; None is the whole."""

    prompt: Prompt
    start: int
    stop: int | None


@dataclass(frozen=True, eq=False)
class State:
    """What a model knows after it has read a batch of B rows.

    Attributes:
        cache: Keys and values of K tokens; grows when more are read.
        seen: (B, K) whether a token counts, or only pads.
        next: (B,) position of the next token.
        logits: (B, V) of the next token.
    """

    cache: Any
    seen: Tensor
    next: Tensor
    logits: Tensor


class Engine:
    """Read prompts with a model of one of the `CAUSAL` types.

    Args:
        model: In evaluation mode, on its device.
        kept: How many prefixes are kept from one call to the next; 0 turns sharing off.
    """

    def __init__(self, model: Any, kept: int = 4) -> None:
        """Remember the model, and what its version of transformers calls the cache."""
        self.model = model
        self.kept = kept
        self._prefixes: OrderedDict[bytes, Layers] = OrderedDict()
        taken = inspect.signature(model.forward).parameters
        self._cache_name = "cache" if "cache" in taken else "past_key_values"

    def positions(self, inputs: dict[str, Any]) -> Tensor:
        """Return the positions of the tokens of a batch of one: (1, L), or (3, L) in time, row and column."""
        import torch

        ids: Tensor = inputs["input_ids"]
        core = self.model.model
        if not hasattr(core, "get_rope_index"):
            return torch.arange(ids.shape[1])[None]
        types = inputs.get("mm_token_type_ids", torch.zeros_like(ids))
        found, _ = core.get_rope_index(
            ids, mm_token_type_ids=types, image_grid_thw=inputs.get("image_grid_thw")
        )
        return torch.as_tensor(found[:, 0])

    def read(self, prompts: Sequence[Prompt]) -> State:
        """Read prompts as one batch, each behind the longest prefix that it shares."""
        starts = self._shared(prompts) if self.kept else [0] * len(prompts)
        state = self._read([Part(prompt, start, None) for prompt, start in zip(prompts, starts, strict=True)])
        while len(self._prefixes) > self.kept:
            self._prefixes.popitem(last=False)
        return state

    def _shared(self, prompts: Sequence[Prompt]) -> list[int]:
        """See to it that shared prefixes are known; return how many pictures each prompt's holds."""
        firsts = [(prompt, 1) for prompt in prompts if len(prompt.keys) > 1]
        self._learn(firsts)
        counts = Counter(key for prompt in prompts for key in prompt.keys)
        starts = [
            max((n for n, key in enumerate(p.keys, 1) if key in self._prefixes or counts[key] > 1), default=0)
            for p in prompts
        ]
        self._learn([(prompt, start) for prompt, start in zip(prompts, starts, strict=True) if start])
        return starts

    def _learn(self, wanted: list[tuple[Prompt, int]]) -> None:
        """Read the prefixes that are not known yet, as one batch."""
        missing = {}
        for prompt, stop in wanted:
            key = prompt.keys[stop - 1]
            if key in self._prefixes:
                self._prefixes.move_to_end(key)
            else:
                start = max((n for n in range(1, stop) if prompt.keys[n - 1] in self._prefixes), default=0)
                missing[key] = Part(prompt, start, stop)
        if missing:
            state = self._read(list(missing.values()))
            for row, key in enumerate(missing):
                self._prefixes[key] = tuple(
                    (keys[row : row + 1, :, state.seen[row]], values[row : row + 1, :, state.seen[row]])
                    for keys, values in _layers(state.cache)
                )

    def _read(self, parts: list[Part]) -> State:
        import torch

        device = self.model.device
        spans = [(part.prompt.end(part.start), part.prompt.end(part.stop)) for part in parts]
        known, seen_before = self._stacked(parts)
        ids, seen = left_padded([p.prompt.ids[a:b] for p, (a, b) in zip(parts, spans, strict=True)])
        places = [p.prompt.positions[:, a:b].T for p, (a, b) in zip(parts, spans, strict=True)]
        positions = left_padded(places)[0].permute(2, 0, 1)  # (1 or 3, B, L)
        seen = torch.cat([seen_before, seen], 1).to(device)
        logits, cache = self._forward(ids, positions, seen, known, **self._pictures(parts))
        after = torch.stack([place.max() + 1 for place in places]).to(device)
        return State(cache, seen, after, logits[:, -1])

    def _stacked(self, parts: list[Part]) -> tuple[Any, Tensor]:
        """Put the prefixes of the parts side by side, padded on the left; and say what counts (B, P)."""
        import torch

        known = [self._prefixes[part.prompt.keys[part.start - 1]] if part.start else () for part in parts]
        counts = [layers[0][0].shape[2] if layers else 0 for layers in known]
        most = max(counts)
        seen = torch.arange(most)[None] >= most - torch.tensor(counts)[:, None]
        shape = next((layers for layers in known if layers), ())
        if not shape:
            return None, seen
        stacked: list[tuple[Tensor, ...]] = []
        for depth, pair in enumerate(shape):
            empty = pair[0].new_zeros(1, pair[0].shape[1], 0, pair[0].shape[3])
            both = [layers[depth] if layers else (empty, empty) for layers in known]
            stacked.append(tuple(torch.cat([_widened(row[i], most) for row in both]) for i in (0, 1)))
        return _cache(stacked), seen

    def _pictures(self, parts: list[Part]) -> dict[str, Any]:
        """Return the pictures that stand in the parts, and not in their prefixes."""
        import torch

        pixels = [
            part.prompt.pixels[part.prompt.row(part.start) : part.prompt.row(part.stop)]
            for part in parts
            if part.prompt.pixels is not None
        ]
        if not sum(map(len, pixels)):
            return {}
        grids = [part.prompt.grids[part.start : part.stop] for part in parts if part.prompt.grids is not None]
        device = self.model.device
        shown = {"pixel_values": torch.cat(pixels).to(device, self.model.dtype)}
        return {**shown, "image_grid_thw": torch.cat(grids).to(device)} if grids else shown

    def _forward(
        self, ids: Tensor, positions: Tensor, mask: Tensor, cache: Any, keep: int = 1, **pictures: Any
    ) -> tuple[Tensor, Any]:
        """Return the logits of the last `keep` tokens (B, keep, V), and the cache."""
        import torch

        device = self.model.device
        places = positions if len(positions) == 3 else positions[0]
        with torch.inference_mode():
            output = self.model(
                input_ids=ids.to(device),
                position_ids=places.to(device),
                attention_mask=mask,
                use_cache=True,
                logits_to_keep=keep,
                **{self._cache_name: _cache([]) if cache is None else cache},
                **pictures,
            )
        logits = output.logits
        return logits if logits.dtype == torch.float64 else logits.float(), output[self._cache_name]

    def extend(self, state: State, rows: Sequence[Sequence[int]]) -> State:
        """Read further tokens, as many as each row has; a row without any keeps its logits."""
        import torch

        if not any(map(len, rows)):
            return state
        ids, new = left_padded([torch.tensor(row, dtype=torch.long) for row in rows])
        new = new.to(state.seen.device)
        positions = state.next[:, None] + (new.long().cumsum(1) - 1).clamp(min=0)
        seen = torch.cat([state.seen, new], 1)
        logits, cache = self._forward(ids, self._axes(positions), seen, state.cache)
        count = new.sum(1)
        last = torch.where((count > 0)[:, None], logits[:, -1], state.logits)
        return State(cache, seen, state.next + count, last)

    def branch(self, state: State, tokens: Tensor, depth: int, visible: Tensor) -> tuple[Tensor, State]:
        """Read the next tokens of a tree that grows behind a state, n per row.

        Args:
            state: Its last columns are the tree so far.
            tokens: (B, n).
            depth: Of these tokens, from 0.
            visible: (B, n, K) which of the known tokens stand before each.

        Returns:
            The logits (B, n, V) behind each token, and the state with the tokens added.
        """
        import torch

        rows, count = tokens.shape
        own = torch.eye(count, dtype=torch.bool, device=visible.device).expand(rows, count, count)
        allowed = torch.cat([visible, own], 2)[:, None]
        dtype = self.model.dtype
        mask = torch.zeros(allowed.shape, dtype=dtype, device=visible.device)
        mask = mask.masked_fill(~allowed, torch.finfo(dtype).min)
        positions = (state.next + depth)[:, None].expand(rows, count)
        logits, cache = self._forward(tokens, self._axes(positions), mask, state.cache, keep=count)
        seen = torch.cat([state.seen, torch.zeros_like(tokens, dtype=torch.bool)], 1)
        return logits, State(cache, seen, state.next, state.logits)

    def rewind(self, state: State) -> State:
        """Forget what was read after a state."""
        surplus = _layers(state.cache)[0][0].shape[2] - state.seen.shape[1]
        if surplus:
            state.cache.crop(-surplus)
        return state

    def _axes(self, positions: Tensor) -> Tensor:
        """Give positions (B, n) of words the axes that the model counts: (1 or 3, B, n)."""
        axes = 3 if hasattr(self.model.model, "get_rope_index") else 1
        return positions[None].expand(axes, *positions.shape)


def left_padded(rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Stack rows (n, ...) of unequal length, with zeros on the left; and tell (B, n) what is no padding."""
    import torch

    most = max(map(len, rows))
    padded = rows[0].new_zeros(len(rows), most, *rows[0].shape[1:])
    real = torch.zeros(len(rows), most, dtype=torch.bool)
    for index, row in enumerate(rows):
        if len(row):
            padded[index, -len(row) :], real[index, -len(row) :] = row, True
    return padded, real


def _widened(values: Tensor, most: int) -> Tensor:
    from torch.nn.functional import pad

    return pad(values, (0, 0, most - values.shape[2], 0))


def _cache(layers: Sequence[tuple[Tensor, ...]]) -> Any:
    from transformers import DynamicCache

    return DynamicCache(layers) if layers else DynamicCache()


def _layers(cache: Any) -> list[tuple[Tensor, Tensor]]:
    return [(layer.keys, layer.values) for layer in cache.layers]
