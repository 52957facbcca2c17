"""The base class of reward models."""

import abc
from pathlib import Path

from torch import nn

from lerobot.configs.rewards import RewardModelConfig


class PreTrainedRewardModel(nn.Module, abc.ABC):
    config_class = None
    name = None

    def __init__(self, config, *inputs, **kwargs):
        super().__init__()
        if not isinstance(config, RewardModelConfig):
            raise ValueError(f"{type(config)} is no RewardModelConfig")
        self.config = config

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if not cls.config_class or not cls.name:
            raise TypeError(f"{cls.__name__} must define 'config_class' and 'name'")

    def save_pretrained(self, save_directory):
        Path(save_directory).mkdir(parents=True, exist_ok=True)
        self._save_pretrained(Path(save_directory))

    def reset(self):
        pass

    @abc.abstractmethod
    def compute_reward(self, batch): ...

    def forward(self, batch):
        raise NotImplementedError

    @property
    def is_trainable(self):
        return type(self).forward is not PreTrainedRewardModel.forward
