"""How LeRobot finds the parts of a third-party model: by the name of the configuration and of its module."""

import importlib

from torch import nn

from lerobot.configs.rewards import RewardModelConfig


def make_reward_model_config(reward_type, **kwargs):
    return RewardModelConfig.get_choice_class(reward_type)(**kwargs)


def get_reward_model_class(name):
    config_class = RewardModelConfig.get_choice_class(name)
    stem = config_class.__name__.removesuffix("Config")
    module = importlib.import_module(config_class.__module__.replace("configuration_", "modeling_"))
    return getattr(module, f"{stem}RewardModel")


def make_reward_model(cfg, **kwargs):
    chosen = get_reward_model_class(cfg.type)
    kwargs["config"] = cfg
    if cfg.pretrained_path:
        kwargs |= {"pretrained_name_or_path": cfg.pretrained_path, "revision": cfg.pretrained_revision}
        model = chosen.from_pretrained(**kwargs)
    else:
        model = chosen(**kwargs)
    model.to(cfg.device)
    assert isinstance(model, nn.Module)
    return model


def make_reward_pre_post_processors(reward_cfg, **kwargs):
    module = type(reward_cfg).__module__.replace("configuration_", "processor_")
    function = getattr(importlib.import_module(module), f"make_{reward_cfg.type}_pre_post_processors")
    return function(reward_cfg, dataset_stats=kwargs.get("dataset_stats"))
