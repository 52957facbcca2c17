"""Values from probabilities: the tree over number strings equals their enumeration, string by string."""

from itertools import product

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from spatial_reward.chat_tokens import asked_text  # noqa: E402
from spatial_reward.models.number_grammar import Grammar, Place, TokenGrammar, spelt  # noqa: E402
from spatial_reward.models.tiny_vlm import build_tiny_vlm  # noqa: E402
from spatial_reward.models.token_values import (  # noqa: E402
    first_tokens,
    number_distributions,
    offered_probabilities,
)
from spatial_reward.models.vlm_engine import Engine  # noqa: E402
from spatial_reward.models.vlm_generate import greedy  # noqa: E402
from spatial_reward.models.vlm_loading import load_vlm  # noqa: E402
from spatial_reward.models.vlm_processor import encode, picture_options  # noqa: E402
from spatial_reward.models.vlm_prompt import prompt  # noqa: E402

PICTURE = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
NUMBER, PAIR = Grammar(digits=3), Grammar(2, digits=1, minus=True)
SPACED = Grammar(digits=1, minus=True, spaces=True)


class Asked:
    """A tiny model in double precision that has read two questions; so that sums can be compared."""

    def __init__(self, folder):
        self.model, self.processor = load_vlm(str(folder), None, "cpu", "fp32", False)
        self.model.double()
        self.engine = Engine(self.model)
        self.tokens = TokenGrammar(self.processor.tokenizer)
        self.inputs = [self.read("How deep, in mm? `"), self.read("Whereto did it move? `[")]
        token = self.model.config.image_token_id
        prompts = [prompt(one, self.engine.positions(one), token, [PICTURE]) for one in self.inputs]
        self.state = self.engine.read(prompts)

    def read(self, words):
        blocks = [{"type": "image"}, {"type": "text", "text": words}]
        text = asked_text(self.processor, [{"role": "user", "content": blocks}], {})
        return encode(self.processor, [text], [[PICTURE]], picture_options(self.processor, 1))

    def log_probabilities(self, row, continuations):
        """(n, length + 1, V) by whole forwards, with the picture, of continuations of one length."""
        one, count = self.inputs[row], len(continuations)
        more = torch.tensor(continuations, dtype=torch.long).reshape(count, -1)
        length = more.shape[1]
        inputs = {"input_ids": torch.cat([one["input_ids"].repeat(count, 1), more], 1)}
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        for name in ("pixel_values", "image_grid_thw"):
            if name in one:
                inputs[name] = one[name].repeat(count, *[1] * (one[name].dim() - 1))
        if "mm_token_type_ids" in one:
            types = one["mm_token_type_ids"].repeat(count, 1)
            inputs["mm_token_type_ids"] = torch.cat([types, torch.zeros_like(more, dtype=types.dtype)], 1)
        with torch.no_grad():
            logits = self.model(**inputs, logits_to_keep=length + 1).logits
        return logits.log_softmax(-1)


@pytest.fixture(scope="module", params=["internvl", "qwen3_vl"])
def asked(request, tmp_path_factory):
    return Asked(build_tiny_vlm(tmp_path_factory.mktemp("values") / "model", request.param, tile=16))


def enumerated(asked, row, grammar, strings_by_tokens):
    """Weigh every string, given as pieces, by whole forwards; close with any token that begins so."""
    by_piece = {piece: token for token, piece in asked.tokens.pieces.items()}
    mark = "]" if grammar.count > 1 else "`"
    tokenizer = asked.processor.tokenizer
    spelling = {token: spelt(tokenizer, token) for token in range(len(tokenizer))}
    closing = {
        gap: [token for token, piece in spelling.items() if piece.startswith(gap + mark)] for gap in ("", " ")
    }
    values, weights = [], []
    for length in sorted({len(pieces) for pieces in strings_by_tokens}):
        chosen = [pieces for pieces in strings_by_tokens if len(pieces) == length]
        rows = [[by_piece[piece] for piece in pieces] for pieces in chosen]
        logs = asked.log_probabilities(row, rows)
        places = torch.arange(length)
        starts = logs[torch.arange(len(rows))[:, None], places, torch.tensor(rows)].sum(1)
        last = logs[:, length]
        for pieces, start, end in zip(chosen, starts.tolist(), last, strict=True):
            ends = closing[""] + (closing[" "] if grammar.spaces and pieces[-1] != " " else [])
            values.append(grammar.values("".join(pieces)))
            weights.append(np.exp(start + float(end[ends].logsumexp(-1))))
    values, weights = np.array(values), np.array(weights)
    given = weights.sum()
    mean = weights @ values / given
    spread = values - mean
    return mean, (weights[:, None] * spread).T @ spread / given, given


@pytest.mark.slow
def test_mean_and_std_equal_the_enumeration_of_every_three_digit_string(asked):
    strings = [letters for length in (1, 2, 3) for letters in product("0123456789", repeat=length)]
    assert len(strings) == 1110
    [found, _] = number_distributions(asked.engine, asked.state, [NUMBER, None], asked.tokens, beam=2000)
    mean, covariance, given = enumerated(asked, 0, NUMBER, strings)
    np.testing.assert_allclose(found.mean, mean, atol=1e-4, rtol=1e-6)
    np.testing.assert_allclose(np.sqrt(found.covariance), np.sqrt(covariance), atol=1e-4, rtol=1e-6)
    assert found.given == pytest.approx(given, rel=1e-6) and found.dropped == 0
    assert found.shares.sum() == pytest.approx(1) and len(found.values) == 1000


def test_vectors_equal_their_enumeration(asked):
    starts = [(), ("-",)]
    strings = [
        (*first, a, ",", *second, b)
        for first, a, second, b in product(starts, "0123456789", starts, "0123456789")
    ]
    [_, found] = number_distributions(asked.engine, asked.state, [None, PAIR], asked.tokens, beam=1000)
    assert found.dropped == 0
    mean, covariance, given = enumerated(asked, 1, PAIR, strings)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-6)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-5, atol=1e-9)
    assert found.given == pytest.approx(given, rel=1e-6)


def test_all_spellings_of_a_number_count_together(asked):
    starts = [(), (" ",), ("-",), (" -",), (" ", "-")]
    strings = [(*start, digit, *gap) for start, digit, gap in product(starts, "0123456789", [(), (" ",)])]
    [found, _] = number_distributions(asked.engine, asked.state, [SPACED, None], asked.tokens, beam=1000)
    mean, covariance, given = enumerated(asked, 0, SPACED, strings)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-6)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-5)
    assert found.given == pytest.approx(given, rel=1e-6) and len(found.values) == 19


def test_a_narrow_beam_says_what_it_dropped(asked):
    exact, narrow = (
        number_distributions(asked.engine, asked.state, [NUMBER, NUMBER], asked.tokens, beam)[0]
        for beam in (2000, 5)
    )
    assert narrow.dropped > 0 and len(narrow.values) < len(exact.values)
    assert narrow.given <= exact.given <= narrow.given + narrow.dropped


def test_invalid_strings_have_no_mass(asked):
    plain, signed = (
        number_distributions(asked.engine, asked.state, [grammar, None], asked.tokens, beam=500)[0]
        for grammar in (Grammar(digits=2), Grammar(digits=2, minus=True))
    )
    assert set(plain.values[:, 0]) == set(range(100))
    assert set(signed.values[:, 0]) == set(range(-99, 100))


def test_a_batch_equals_single_rows_and_leaves_the_state(asked):
    before = greedy(asked.engine, asked.state, frozenset(), 6)
    asked.engine.rewind(asked.state)
    both = number_distributions(asked.engine, asked.state, [NUMBER, PAIR], asked.tokens, 30)
    first = number_distributions(asked.engine, asked.state, [NUMBER, None], asked.tokens, 30)[0]
    second = number_distributions(asked.engine, asked.state, [None, PAIR], asked.tokens, 30)[1]
    for found, alone in zip(both, (first, second), strict=True):
        np.testing.assert_allclose(found.mean, alone.mean, rtol=1e-9)
    assert greedy(asked.engine, asked.state, frozenset(), 6) == before
    asked.engine.rewind(asked.state)


def test_offered_words_share_all_the_probability(asked):
    shared, firsts = first_tokens(asked.processor.tokenizer, ("True", "False"))
    assert shared == []
    shares = offered_probabilities(asked.state.logits, firsts)
    np.testing.assert_allclose(shares.sum(-1), 1)
    whole = asked.log_probabilities(0, [[]])[0, -1].exp()
    expected = (whole[firsts] / whole[firsts].sum()).numpy()
    np.testing.assert_allclose(shares[0], expected, rtol=1e-6)


def test_words_that_start_alike_are_refused(asked):
    with pytest.raises(ValueError, match="'left', 'left' do not start with tokens of their own"):
        first_tokens(asked.processor.tokenizer, ("left", "left"))
    shared, firsts = first_tokens(asked.processor.tokenizer, ("7 mm", "7 cm"))
    assert len(shared) >= 1 and firsts[0] != firsts[1]


numbers = st.integers(-99999, 99999)


@given(st.lists(numbers, min_size=3, max_size=3), st.sampled_from(["", " "]), st.sampled_from(["", " "]))
def test_grammar_takes_what_the_format_asks_and_reads_it(values, before, behind):
    grammar = Grammar(3, minus=True, spaces=True)
    text = ",".join(f"{before}{value}{behind}" for value in values) + "]"
    assert grammar.fits(text) and grammar.fits(text + "` mm.")
    assert grammar.values(text) == tuple(values)


@pytest.mark.parametrize(
    "text", ["", "`", "-1`", "1234`", "12", "1 2`", "1.5`", "12]", "abc`", "1,2`", " 1`"]
)
def test_grammar_refuses_what_is_no_such_number(text):
    assert not NUMBER.fits(text)


def test_grammar_knows_tenths():
    grammar = Grammar(2, digits=4, tenths=True, spaces=True)
    assert grammar.fits(" 12.5 , 3 ]") and not grammar.fits(" 12.55 , 3 ]") and not grammar.fits("1. , 3 ]")
    assert grammar.values(" 12.5 , 3 ]") == (12.5, 3.0)


def test_a_tokenizer_without_digits_is_refused():
    class Wordless:
        all_special_ids = ()

        def __len__(self):
            return 3

        def convert_ids_to_tokens(self, index):
            return ["a", "12", "Ġ3"][index]

    with pytest.raises(ValueError, match="no tokens for the digits"):
        TokenGrammar(Wordless())


def test_places_are_counted_once(asked):
    moves = dict(asked.tokens.moves(NUMBER, Place()))
    assert len(moves) == 10  # the digits: neither "-", nor the end before any digit
