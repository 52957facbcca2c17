import pytest
from transformers import AutoModelForImageTextToText

from spatial_reward.training.vlm_methods import encoder, projector, trained_share, with_method

# peft asks transformers by an old name.
pytestmark = pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning")

PARTS = {
    "internvl": {"encoder": "vision_tower", "projector": "multi_modal_projector"},
    "qwen3_vl": {"encoder": "visual", "projector": "visual.merger"},
}


@pytest.fixture
def model(tiny):
    return AutoModelForImageTextToText.from_pretrained(tiny)


def trained(model):
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


def is_projector(name):
    return "multi_modal_projector" in name or "merger" in name


def is_vision(name):
    return not is_projector(name) and ("vision_tower" in name or "visual" in name)


def test_finds_projector_and_encoder(model, family):
    assert encoder(model) == [f"model.{PARTS[family]['encoder']}"]
    assert f"model.{PARTS[family]['projector']}" in projector(model)


def test_lora_trains_adapters_of_every_layer_of_the_language_model_alone(model):
    layers = model.config.text_config.num_hidden_layers
    names = trained(with_method(model, "lora"))
    assert len(names) == layers * 7 * 2
    assert all("language_model" in name and "lora_" in name for name in names)


def test_projector_and_encoder_are_trained_whole_where_wanted(tiny):
    for method, vision in (("lora_projector", False), ("lora_vision", True)):
        model = with_method(AutoModelForImageTextToText.from_pretrained(tiny), method)
        names = trained(model)
        whole = [name for name in names if "lora_" not in name]
        assert any(map(is_projector, whole))
        assert any(map(is_vision, whole)) is vision
        assert all(is_projector(name) or is_vision(name) for name in whole)
        seen = [name for name, _ in model.named_parameters() if "modules_to_save" in name]
        assert sorted(seen) == sorted(whole)


def test_full_trains_everything(model):
    assert trained_share(with_method(model, "full")) == 1.0


def test_rank_and_scale_are_those_asked_for(model):
    adapted = with_method(model, "lora", rank=4, alpha=12, dropout=0.0)
    config = adapted.peft_config["default"]
    assert (config.r, config.lora_alpha, config.lora_dropout) == (4, 12, 0.0)
    assert 0 < trained_share(adapted) < 0.1


def test_refuses_unknown_methods_and_models(model):
    with pytest.raises(ValueError, match="Unknown method 'qlora' of fine-tuning"):
        with_method(model, "qlora")
    with pytest.raises(ValueError, match="has no projector of a known name: multi_modal_projector"):
        with_method(model.model.language_model, "lora_projector")
