"""Vision-language models that run here, by tiny checkpoints: some untrained, some taught a few answers."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
peft = pytest.importorskip("peft")

from spatial_reward.chat import messages  # noqa: E402
from spatial_reward.chat_tokens import IGNORED, asked_text, continued_ids  # noqa: E402
from spatial_reward.models import load_model  # noqa: E402
from spatial_reward.models import transformers as module  # noqa: E402
from spatial_reward.models.coordinates import FAMILIES, translate  # noqa: E402
from spatial_reward.models.tiny_vlm import build_tiny_vlm, save_processor  # noqa: E402
from spatial_reward.models.vlm_engine import Engine  # noqa: E402
from spatial_reward.models.vlm_generate import Reply  # noqa: E402
from spatial_reward.models.vlm_processor import encode, load_processor, picture_options  # noqa: E402
from spatial_reward.questions import KINDS, to_thousandths  # noqa: E402
from spatial_reward.types import Answer, Frame, Model, PixelPoint, Question  # noqa: E402

SIZES = {"internvl": (64, 48), "qwen3_vl": (84, 56)}
FAMILY = {"internvl": "internvl", "qwen3_vl": "qwen2.5-vl"}  # the second writes pixels, not thousandths


def frame(seed, width=64, height=48):
    return Frame(np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8))


def question(kind, value, frames, unit, points=((20.0, 20.0),)):
    at = tuple(PixelPoint(*point) for point in points)
    return Question(kind, frames, at, answer=Answer(value, unit))


def lesson(size):
    """One question of every form of answer."""
    one, two = frame(1, *size), frame(2, *size)
    return [
        question("depth_est_coord", 1.203, (one,), "m"),
        question("cam_deg_yaw", 37.0, (one, two), "deg"),
        question("obj_vec_coord", np.array([0.012, -0.034, 0.4]), (one, two), "m"),
        question("vc_coord", np.array([0.25, 0.75]) * size, (one, two), "px"),
        question("cam_dir_x", "right", (one, two), "1"),
        question("obj_dist_coord", 0.081, (two, one), "m"),
    ]


def words_of(asked, kin):
    """What a model is asked, and the reply that states the truth in its family's way."""
    words = KINDS[asked.kind].phrase(asked, np.random.default_rng(0), True)
    words, space = translate(words, asked, kin)
    if asked.kind == "vc_coord":
        size = (asked.frames[-1].width, asked.frames[-1].height)
        return words, f"It is at `{space.write(to_thousandths(asked.answer.value, size), size)}`."
    return words, KINDS[asked.kind].reply(asked, np.random.default_rng(0))


def teach(folder, questions, kin, steps=150):
    """Train all weights on the replies, in the plainest way, until they are known by heart."""
    torch.manual_seed(0)
    model = transformers.AutoModelForImageTextToText.from_pretrained(folder).train()
    processor = load_processor(folder)
    rows = []
    for asked in questions:
        words, reply = words_of(asked, kin)
        turn = messages(asked, words)
        inputs = encode(
            processor, [asked_text(processor, turn, {})], [[f.rgb for f in asked.frames]], options(processor)
        )
        more = continued_ids(processor.tokenizer, f"{reply}<|im_end|>")
        target = torch.tensor([[IGNORED] * inputs["input_ids"].shape[1] + more])
        inputs["input_ids"] = torch.cat([inputs["input_ids"], torch.tensor([more])], 1)
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        if "mm_token_type_ids" in inputs:
            types = inputs["mm_token_type_ids"]
            pad = torch.zeros(1, len(more), dtype=types.dtype)
            inputs["mm_token_type_ids"] = torch.cat([types, pad], 1)
        rows.append(inputs | {"labels": target})
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(steps):
        losses = [model(**row).loss for row in rows]
        optimizer.zero_grad()
        torch.stack(losses).mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if max(loss.item() for loss in losses) < 0.003:
            break
    model.save_pretrained(folder)


def options(processor):
    return picture_options(processor, 1)


@pytest.fixture(scope="module", params=list(SIZES))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def untrained(name, tmp_path_factory):
    return build_tiny_vlm(tmp_path_factory.mktemp("untrained") / "model", name)


@pytest.fixture(scope="module")
def taught(name, tmp_path_factory):
    folder = build_tiny_vlm(tmp_path_factory.mktemp("taught") / "model", name)
    teach(folder, lesson(SIZES[name]), FAMILIES[FAMILY[name]])
    return folder


def mixed(count=7):
    """Questions about one to three pictures of several sizes, some about the same first one."""
    first, others = frame(0), [frame(1), frame(2, 96, 64), frame(3, 40, 70)]
    asked = []
    for number in range(count):
        frames = (first, *others[: number % 3]) if number % 2 else (others[number % 3],)
        asked.append(
            Question("obj_vec_coord", frames, (PixelPoint(5.0 * number, 9.0),), prompt="Where? " * number)
        )
    return asked


def close(found, truth, tolerance):
    if isinstance(truth.value, str):
        return found.value == truth.value
    return np.allclose(found.value, truth.value, rtol=tolerance, atol=1e-3)


def within_std(found, truth):
    """A few per cent for one digit too many move a mean, and the std says so."""
    if isinstance(truth.value, str):
        return found.value == truth.value
    error = np.abs(np.subtract(found.value, truth.value))
    return (error <= np.maximum(np.abs(truth.value) * 0.1, found.std)).all()


def test_it_is_a_model(untrained):
    model = load_model("transformers", model=untrained, max_tokens=2)
    assert isinstance(model, Model) and model.needs == frozenset()
    assert model.name == "transformers:model"
    assert model.answer([]) == []


def test_taught_answers_are_read_in_the_familys_own_coordinates(name, taught):
    asked = lesson(SIZES[name])
    model = load_model("transformers", model=taught, tiles=1, family=FAMILY[name])
    answers = model.answer(asked)
    for one, answer in zip(asked, answers, strict=True):
        assert answer.valid and answer.unit == one.answer.unit and answer.source == model.name
        assert close(answer, one.answer, 1e-3), (one.kind, answer)
        assert np.isnan(answer.std)


def test_expected_values_agree_and_say_how_sure_they_are(name, taught):
    asked = lesson(SIZES[name])
    answers = load_model(
        "transformers", model=taught, tiles=1, family=FAMILY[name], values="expected"
    ).answer(asked)
    for one, answer in zip(asked, answers, strict=True):
        assert answer.valid and within_std(answer, one.answer), (one.kind, answer)
        assert np.shape(answer.std) == np.shape(one.answer.value if answer.unit != "1" else 0.0)
        assert (np.asarray(answer.std) >= 0).all() and np.isfinite(answer.std).all()
    vector = answers[2]
    np.testing.assert_allclose(np.sqrt(np.diag(vector.covariance)), vector.std)
    assert 0 < answers[4].std < 0.7  # a choice made


def test_a_ragged_batch_replies_like_single_questions(untrained):
    asked = mixed()
    replies = [
        load_model("transformers", model=untrained, max_tokens=8, batch=batch, prefixes=prefixes).replies(
            asked
        )
        for batch, prefixes in ((8, 0), (1, 0), (3, 4))
    ]
    assert replies[0] == replies[1] == replies[2]
    assert len(set(replies[0])) > 3


def prompts_of(model, questions):
    asked = [model._asked(question) for question in questions]
    return [model._prompt(model._engine, one) for one in asked], asked


@pytest.mark.parametrize("kept", [0, 1, 4])
def test_shared_prefixes_give_the_logits_of_whole_forwards(untrained, kept):
    model = load_model("transformers", model=untrained, max_tokens=2)
    prompts, asked = prompts_of(model, mixed())
    with torch.no_grad():
        whole = torch.stack(
            [
                model.model(**encode(model.processor, [a.text], [a.pictures], model.pictures)).logits[0, -1]
                for a in asked
            ]
        )
    engine = Engine(model.model, kept)
    for _ in range(2):  # the second time with what was kept
        assert (engine.read(prompts).logits - whole).abs().max() < 1e-4
    for row, one in enumerate(prompts):
        assert (engine.read([one]).logits[0] - whole[row]).abs().max() < 1e-4


def test_a_first_picture_is_looked_at_once(untrained, monkeypatch):
    model = load_model("transformers", model=untrained, max_tokens=2, tiles=1)
    rows = []
    forward = model.model.model.get_image_features
    monkeypatch.setattr(
        model.model.model,
        "get_image_features",
        lambda *args, **given: (
            rows.append(len(given.get("pixel_values", *args[:1]))) or forward(*args, **given)
        ),
    )
    reference = frame(0)
    steps = [[Question("obj_vec_coord", (reference, frame(n)), (PixelPoint(9, 9),))] for n in (1, 2, 3)]
    per_picture = model._prompt(model._engine, model._asked(steps[0][0])).rows[0]
    rows.clear()
    for step in steps:
        model.replies(step)
    assert sum(rows) == 4 * per_picture  # the reference once, and one picture per step
    rows.clear()
    model.replies([*steps[0], replace(steps[0][0], points=(PixelPoint(30, 30),))])
    assert sum(rows) == per_picture  # two questions about the same pair


def adapted(base, folder):
    """Write a LoRA adapter with weights that matter; and the merged model beside it."""
    torch.manual_seed(1)
    model = transformers.AutoModelForImageTextToText.from_pretrained(base)
    targets = r".*language_model.*\.(q|k|v|o|gate|up|down)_proj"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)  # peft asks for it
        wrapped = peft.get_peft_model(model, peft.LoraConfig(r=4, target_modules=targets))
    with torch.no_grad():
        for label, weight in wrapped.named_parameters():
            if "lora_B" in label:
                weight.normal_(0, 0.1)
    wrapped.save_pretrained(folder / "adapter")
    wrapped.merge_and_unload().save_pretrained(folder / "merged")
    save_processor(load_processor(base), folder / "merged")
    return folder / "adapter", folder / "merged"


def test_adapter_and_merged_model_reply_alike(untrained, tmp_path):
    adapter, merged = adapted(untrained, tmp_path)
    choices = (
        {"model": untrained, "adapter": adapter},
        {"model": adapter},
        {"model": merged},
        {"model": untrained},
    )
    replies = [load_model("transformers", max_tokens=8, **choice).replies(mixed()) for choice in choices]
    assert replies[0] == replies[1] == replies[2] != replies[3]


def test_own_generate_of_other_classes_replies_alike(untrained, monkeypatch):
    asked = mixed()
    engine = load_model("transformers", model=untrained, max_tokens=8, batch=3).replies(asked)
    monkeypatch.setattr(module, "CAUSAL", ())
    stock = load_model("transformers", model=untrained, max_tokens=8, batch=3)
    assert stock._engine is None and stock.replies(asked) == engine
    with pytest.raises(ValueError, match="values=expected is known for"):
        load_model("transformers", model=untrained, values="expected")
    with pytest.raises(ValueError, match="Probabilities are known for"):
        stock.probabilities(asked)


def test_probabilities_of_offered_words_are_those_of_the_first_token(untrained):
    model = load_model("transformers", model=untrained, batch=2)
    asked = [replace(one, prompt=f"{one.prompt} True or False?") for one in mixed(5)]
    found = model.probabilities(asked)
    np.testing.assert_allclose(found.sum(1), 1)
    tokens = [model.processor.tokenizer.encode(word)[0] for word in ("True", "False")]
    for one, row in zip(asked, found, strict=True):
        said = model._asked(one, hint=False)
        with torch.no_grad():
            logits = model.model(
                **encode(model.processor, [said.text], [said.pictures], model.pictures)
            ).logits
        np.testing.assert_allclose(row, logits[0, -1, tokens].softmax(0), atol=1e-4)
    with pytest.raises(ValueError, match="tokens of their own"):
        model.probabilities(asked, ("True", "True"))


def test_what_cannot_be_asked_is_unknown_and_the_rest_is_answered(name, taught):
    good = lesson(SIZES[name])[0]
    bad = [replace(good, points=()), replace(good, kind="no_such_kind"), replace(good, frames=())]
    answers = load_model("transformers", model=taught, tiles=1, family=FAMILY[name]).answer(
        [bad[0], good, *bad[1:]]
    )
    assert [answer.valid for answer in answers] == [False, True, False, False]
    assert "needs 1 `points`, got 0" in answers[0].text and answers[0].unit == "m"
    assert "no_such_kind" in answers[2].text


@pytest.mark.parametrize("values", ["text", "expected"])
@pytest.mark.parametrize("words", ["I cannot tell.", "`nan`", "", "12 or 300?", "`[ 1 , 2 ]`", "<think>12"])
def test_bad_replies_are_unknown(untrained, monkeypatch, words, values):
    model = load_model("transformers", model=untrained, values=values)
    ids = model.processor.tokenizer.encode(words)
    monkeypatch.setattr(module, "greedy", lambda engine, state, *_: [Reply(ids, True)] * len(state.logits))
    [answer] = model.answer([question("depth_est_coord", 1.0, (frame(0),), "m")])
    assert answer.value is None and not answer.valid and words in answer.text and answer.unit == "m"


def test_a_reply_that_is_cut_off_is_no_answer(name, taught):
    good = lesson(SIZES[name])[0]
    model = load_model("transformers", model=taught, tiles=1, family=FAMILY[name], max_tokens=6)
    [answer] = model.answer([good])
    assert answer.value is None and "cut off after 6 tokens (raise `max_tokens`)" in answer.text


@pytest.mark.parametrize("values", ["text", "expected"])
def test_a_value_in_other_units_stays_as_it_is_read(untrained, monkeypatch, values):
    model = load_model("transformers", model=untrained, values=values)
    ids = model.processor.tokenizer.encode("It is `12` cm away.")
    monkeypatch.setattr(module, "greedy", lambda engine, state, *_: [Reply(ids, True)] * len(state.logits))
    [answer] = model.answer([question("depth_est_coord", 1.0, (frame(0),), "m")])
    assert answer.value == pytest.approx(0.12)


def test_without_the_hub_one_line_says_what_to_do(monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(OSError) as caught:
        load_model("transformers", model="no-one/no-such-model")
    text = str(caught.value)
    assert "\n" not in text and "model=/path/to/folder" in text and "no-one/no-such-model" in text


def test_incomplete_and_foreign_folders_are_named(untrained, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(OSError, match="Cannot load the model in"):
        load_model("transformers", model=tmp_path / "empty")
    with pytest.raises(OSError, match="Cannot get the adapter"):
        load_model("transformers", model=untrained, adapter=tmp_path / "nowhere")


def test_code_of_a_checkpoint_is_not_run_unasked(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "odd", "auto_map": {"AutoConfig": "odd.Odd"}}')
    (tmp_path / "odd.py").write_text("raise SystemExit('this must not run')")
    with pytest.raises(ValueError, match="brings code of its own: read it, then pass trust_remote_code=true"):
        load_model("transformers", model=tmp_path)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"device": "tpu"}, ValueError, "`device` must be one of auto, cuda, mps, cpu"),
        ({"dtype": "fp8"}, ValueError, "`dtype` must be one of auto, fp32, bf16, fp16, int8, 4bit"),
        ({"values": "mean"}, ValueError, "`values` must be one of text, expected"),
        ({"batch": 0}, ValueError, "`batch` must be at least 1, got 0"),
        ({"family": "llama"}, ValueError, "Unknown model family 'llama'"),
        ({"tiles": -1}, ValueError, "`tiles` must be at least 0"),
    ],
)
def test_wrong_options_are_named(untrained, given, error, message):
    with pytest.raises(error, match=message):
        load_model("transformers", model=untrained, **given)


def test_pictures_keep_their_size_where_coordinates_are_pixels(untrained):
    with pytest.raises(ValueError, match="coordinates count pixels"):
        load_model("transformers", model=untrained, family="qwen2.5-vl", most_pixels=5000)


def test_absent_devices_and_libraries_are_named(untrained, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="There is no 'cuda' device here: use device=auto"):
        load_model("transformers", model=untrained, device="cuda")
    monkeypatch.setattr("spatial_reward.models.vlm_loading.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="dtype=4bit needs bitsandbytes"):
        load_model("transformers", model=untrained, dtype="4bit")


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
def test_half_precision_runs(untrained, dtype):
    model = load_model("transformers", model=untrained, dtype=dtype, max_tokens=3, values="expected")
    assert len(model.replies(mixed(3))) == 3
    assert np.isfinite(model.probabilities(mixed(2))).all()


def test_loading_and_answering_warn_of_nothing(untrained):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answers = load_model("transformers", model=untrained, max_tokens=2).answer(mixed(2))
    assert len(answers) == 2
